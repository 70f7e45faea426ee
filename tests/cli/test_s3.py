"""`v8box s3` against a served admin API."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from tests.cli.conftest import Served
from tests.cli.test_db import data, told

COMMAND = str(Path(sys.executable).parent / "v8box")


@pytest.fixture
def photos(served: Served) -> Served:
    told(served.run("s3", "create", "photos"))
    return served


def test_buckets(served: Served) -> None:
    told(served.run("s3", "create", "photos", "--quota", "1kB"))
    found = {each["name"]: each for each in data(served.run("s3", "buckets", "--json"))}
    assert found["photos"]["quota"] == 1000
    (served.directory / "large").write_bytes(b"x" * 1001)
    assert "photos" in told(served.run("s3", "cp", "large", "s3://photos/"), 1)
    assert "--yes" in told(served.run("s3", "delete", "photos"), 1)
    told(served.run("s3", "delete", "photos", "--yes"))
    assert "photos" not in told(served.run("s3", "buckets"))


def test_files_there_and_back(photos: Served) -> None:
    content = os.urandom(3_000_000)
    (photos.directory / "a.png").write_bytes(content)
    assert "3.0 MB" in told(photos.run("s3", "cp", "a.png", "s3://photos/x/"))
    listed = data(photos.run("s3", "ls", "photos/x/", "--json"))["objects"]
    assert [(each["key"], each["http"]) for each in listed] == [("x/a.png", {"contentType": "image/png"})]
    (photos.directory / "out").mkdir()
    told(photos.run("s3", "cp", "s3://photos/x/a.png", "out"))
    assert (photos.directory / "out" / "a.png").read_bytes() == content
    told(photos.run("s3", "cp", "s3://photos/x/a.png", "b.png"))
    assert (photos.directory / "b.png").read_bytes() == content
    assert photos.run("s3", "cp", "s3://photos/x/a.png", "-").stdout_bytes == content
    told(photos.run("s3", "cp", "-", "s3://photos/in", "--content-type", "text/plain", given=b"hello"))
    assert photos.run("s3", "cp", "s3://photos/in", "-").stdout_bytes == b"hello"


def test_keys_that_urls_change_and_names_that_paths_change(photos: Served) -> None:
    (photos.directory / "f").write_bytes(b"1")
    for key in ("a/../b", "a//b", "..", "ä ?#%2F", "a/.."):
        told(photos.run("s3", "cp", "f", f"s3://photos/{key}"))
        assert photos.run("s3", "cp", f"s3://photos/{key}", "-").stdout_bytes == b"1"
    assert "name the file" in told(photos.run("s3", "cp", "s3://photos/a/..", "."), 1)
    for key in ("a/../b", "a//b", "..", "ä ?#%2F", "a/.."):
        told(photos.run("s3", "rm", f"s3://photos/{key}"))
    assert data(photos.run("s3", "ls", "photos", "-r", "--json"))["objects"] == []


def test_lists_and_deletes_by_prefix(photos: Served) -> None:
    (photos.directory / "f").write_bytes(b"1")
    for key in ("a/1", "a/2", "b"):
        told(photos.run("s3", "cp", "f", f"s3://photos/{key}"))
    shown = data(photos.run("s3", "ls", "s3://photos", "--json"))
    assert (shown["prefixes"], [each["key"] for each in shown["objects"]]) == (["a/"], ["b"])
    assert "a/1" in told(photos.run("s3", "ls", "photos", "--recursive"))
    assert "--recursive" in told(photos.run("s3", "rm", "s3://photos"), 1)
    assert "--yes" in told(photos.run("s3", "rm", "-r", "s3://photos/a/"), 1)
    assert "Deleted 2 objects" in told(photos.run("s3", "rm", "-r", "s3://photos/a/", "--yes"))
    assert [each["key"] for each in data(photos.run("s3", "ls", "photos", "--json"))["objects"]] == ["b"]
    assert "no object" in told(photos.run("s3", "rm", "s3://photos/a/1"), 3)


def test_access_keys(photos: Served) -> None:
    may = ("--permission", "read", "--permission", "list")
    words = ("s3", "key", "create", "--label", "ci", "-b", "photos", *may, "--expires", "12h")
    made = data(photos.run(*words, "--json"))
    assert (made["label"], made["buckets"], made["permissions"]) == ("ci", ["photos"], ["read", "list"])
    shown = told(photos.run("s3", "key", "create"))
    assert "secret access key" in shown
    assert "endpoint" in shown
    listed = told(photos.run("s3", "key", "list"))
    assert made["id"] in listed
    assert made["secret"] not in listed
    told(photos.run("s3", "key", "revoke", made["id"]))
    assert "revoked" in told(photos.run("s3", "key", "list"))
    assert "no such access key" in told(photos.run("s3", "key", "revoke", "nope"), 3)


def test_errors_are_sentences(photos: Served) -> None:
    assert "no object" in told(photos.run("s3", "cp", "s3://photos/nope", "x"), 3)
    assert not (photos.directory / "x").exists()
    assert list(photos.directory.glob(".v8box-*")) == []
    assert "cannot be read" in told(photos.run("s3", "cp", "nope", "s3://photos/"), 1)
    assert "One of the two" in told(photos.run("s3", "cp", "a", "b"), 1)
    assert "One of the two" in told(photos.run("s3", "cp", "s3://photos/a", "s3://photos/b"), 1)
    assert "no bucket nope" in told(photos.run("s3", "ls", "nope"), 3)


def test_a_large_file_takes_no_memory(photos: Served) -> None:
    """As a program of its own, with less memory than the file has bytes."""
    with (photos.directory / "large").open("wb") as file:
        file.truncate(300_000_000)
    limit = 280_000_000

    def call(*words: str) -> None:
        done = subprocess.run(
            [COMMAND, "s3", "cp", *words],
            capture_output=True,
            text=True,
            timeout=120,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_DATA, (limit, limit)),
        )
        assert done.returncode == 0, done.stderr

    call("large", "s3://photos/large")
    call("s3://photos/large", "again")
    assert (photos.directory / "again").stat().st_size == 300_000_000


def test_links_of_an_object(photos: Served) -> None:
    (photos.directory / "f").write_bytes(b"1")
    told(photos.run("s3", "cp", "f", "s3://photos/<b>ä 🦆.txt"))
    made = photos.run("s3", "link", "s3://photos/<b>ä 🦆.txt", "--expires", "90s", "--save")
    told(made)
    [url] = made.stdout.split()
    assert "X-Amz-Expires=90&" in url
    assert "response-content-disposition=attachment" in url
    found = data(photos.run("s3", "link", "s3://photos/new", "--put", "--content-type", "text/plain", "--json"))
    assert (found["method"], found["headers"]) == ("PUT", {"content-type": "text/plain"})
    assert "curl -T" in told(photos.run("s3", "link", "s3://photos/new", "--put"))
    assert "no object" in told(photos.run("s3", "link", "s3://photos/none"), 3)
    assert "Name an object" in told(photos.run("s3", "link", "s3://photos"), 1)
    assert "expiresInSeconds" in told(photos.run("s3", "link", "s3://photos/new", "--put", "--expires", "8d"), 1)
