"""`v8box cache keys`, `get`, `set` and the others against a real box, with names and values that are no plain words."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.cli.real import Shell

ODD = "odd:<b>🦕"


@pytest.fixture
def keys(shell: Shell) -> Iterator[Shell]:
    yield shell
    for space in ("cache", "kv:PAGES"):
        assert shell.call("cache", "delete", "--everything", "--yes", "--space", space).returncode == 0


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("keys", "--space", "kv:a:b"), "pattern"),
        (("get",), "KEY"),
        (("set", "k", "v", "--add", "tree"), "--add takes"),
        (("set", "k", "v", "--add", "zset"), "--score"),
        (("set", "k", "v", "--score", "1"), "--score"),
        (("set", "k", "v", "--add", "set", "--field", "f"), "not both"),
        (("set", "k", "v", "--ttl", "soon"), "a time looks like"),
        (("delete",), "Say which"),
        (("delete", "k", "--prefix", "p"), "Say which"),
        (("delete", "k", "--dry-run"), "--prefix or --everything"),
    ],
)
def test_bad_input_is_refused(shell: Shell, words: tuple[str, ...], told: str) -> None:
    done = shell.call("cache", *words)
    assert done.returncode != 0
    assert told in done.stderr, done


def test_what_is_not_there(keys: Shell) -> None:
    for words in (("get", "none"), ("ttl", "none"), ("ttl", "none", "1h"), ("rename", "none", "x")):
        done = keys.call("cache", *words)
        assert done.returncode != 0
        assert "no such key" in done.stderr or "There is no key none" in done.stderr, done
    done = keys.call("cache", "keys", "none")
    assert (done.returncode, "cache.set" in done.stderr) == (0, True)


def test_a_string_from_first_to_last(keys: Shell) -> None:
    done = keys.call("cache", "set", ODD, "v<>🦕", "--ttl", "1h")
    assert done.returncode == 0, done
    assert f"v8box cache get {ODD}" in done.stderr
    assert keys.call("cache", "get", ODD).stdout == "v<>🦕"
    again = keys.call("cache", "set", ODD, "x", "--new")
    assert (again.returncode != 0, "there already" in again.stderr) == (True, True)
    listed = keys.call("cache", "keys", "odd:")
    assert listed.stdout.split("\n")[0].split() == ["key", "type", "expires", "in", "length", "memory"]
    assert ODD in listed.stdout
    assert 0 < keys.data("cache", "ttl", ODD)["ttl_seconds"] <= 3_600
    assert keys.data("cache", "ttl", ODD, "never")["ttl_seconds"] is None
    assert keys.call("cache", "rename", ODD, "plain").returncode == 0
    assert keys.call("cache", "delete", "plain", "--yes").returncode == 0
    assert not {ODD, "plain"} & {each["key"] for each in keys.data("cache", "keys")}


def test_a_value_from_standard_input(keys: Shell) -> None:
    assert keys.call("cache", "set", "k", given="secret\n").returncode == 0
    assert keys.call("cache", "get", "k").stdout == "secret"


def test_a_long_value_comes_out_whole(keys: Shell) -> None:
    keys.call("cache", "set", "long", given="x" * 1_200_000)
    assert keys.call("cache", "get", "long").stdout == "x" * 1_200_000


def test_collections_are_tables(keys: Shell) -> None:
    for words in (
        ("h", "1", "--field", "a"),
        ("h", "2", "--field", "<b>"),
        ("l", "x", "--add", "list"),
        ("l", "y", "--add", "list"),
        ("s", "m", "--add", "set"),
        ("z", "m", "--add", "zset", "--score", "1.5"),
    ):
        assert keys.call("cache", "set", *words).returncode == 0
    assert "<b>" in keys.call("cache", "get", "h").stdout
    assert keys.call("cache", "get", "h", "--field", "<b>").stdout == "2"
    assert [each["value"] for each in keys.data("cache", "get", "l", "--limit", "1")["items"]] == ["x"]
    assert keys.call("cache", "get", "z").stdout.split() == ["score", "member", "1.5", "m"]
    assert keys.call("cache", "get", "s").stdout.split() == ["member", "m"]
    assert [each["key"] for each in keys.data("cache", "keys", "--type", "hash")] == ["h"]
    refused = keys.call("cache", "set", "h", "plain")
    assert (refused.returncode != 0, "is a hash" in refused.stderr) == (True, True)


def test_many_are_counted_and_deleted_by_name(keys: Shell) -> None:
    for number in range(3):
        keys.call("cache", "set", f"p:{number}", "v", "--space", "kv:PAGES")
    where = ("--prefix", "p:", "--space", "kv:PAGES")
    assert keys.data("cache", "delete", *where, "--dry-run") == {"keys": 3}
    unasked = keys.call("cache", "delete", *where)
    assert (unasked.returncode != 0, "--yes" in unasked.stderr) == (True, True)
    assert keys.data("cache", "delete", *where, "--yes") == {"keys": 3}
    assert keys.data("cache", "keys", "--space", "kv:PAGES") == []


def test_spaces(keys: Shell) -> None:
    found = keys.data("cache", "spaces")
    assert found["items"][0]["space"] == "cache"
    assert found["quota_bytes"] > 0
