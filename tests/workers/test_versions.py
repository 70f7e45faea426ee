"""…/versions: they are listed, described, downloaded, compared, deleted."""

from __future__ import annotations

import dataclasses
import io
import zipfile

import httpx
import pytest
from tests.api.conftest import problem
from tests.catalog.conftest import ADA, Kept
from tests.workers.conftest import As, developer

from v8box.api.access import Role
from v8box.catalog import Build, Limits, Manifest

MANIFEST = Manifest(entry="functions/a.ts", env={"GREETING": "hi"})
LOCK = b'{"version":"5","npm":{"hono@4.0.0":{},"zod@4.1.0":{},"@x/y@1.0.0_zod@4.1.0":{}},"jsr":{"@std/csv@1.0.0":{}}}'
NEW_LOCK = b'{"version":"5","npm":{"hono@4.1.0":{},"@x/y@1.0.0_zod@4.1.0":{}},"jsr":{"@std/csv@1.0.0":{}},"remote":{"https://e.com/a.ts":"ff"}}'
BUILD = Build(
    bundle=b"// bundle",
    sources={"functions/a.ts": b"one\ntwo\nthree\n", "lib/b.ts": b"b", "gone.bin": b"\0\1"},
    lock=LOCK,
)


@pytest.fixture
async def ids(kept: Kept) -> tuple[str, str]:
    first = await kept.catalog.deploy("a", BUILD, MANIFEST, actor=ADA, message="the first")
    sources = {"functions/a.ts": b"one\n2\nthree\n", "lib/b.ts": b"b", "lib/c.ts": b"new", "big.ts": b"x\n" * 300_000}
    build = dataclasses.replace(BUILD, bundle=b"// other", sources=sources, lock=NEW_LOCK)
    manifest = dataclasses.replace(MANIFEST, limits=Limits(wall_ms=5), env={"COLOUR": "red"})
    second = await kept.catalog.store("a", build, manifest, actor=ADA)
    return first.id, second.id


async def test_the_list_has_the_newest_first(client: httpx.AsyncClient, ids: tuple[str, str]) -> None:
    body = (await client.get("a/versions")).json()
    assert [(each["number"], each["id"]) for each in body["items"]] == [(2, ids[1]), (1, ids[0])]
    assert body["items"][1]["message"] == "the first"
    assert body["items"][1]["live_in"] == [{"environment": "production", "weight": 100}]
    assert body["items"][0]["live_in"] == []
    page = (await client.get("a/versions?limit=1")).json()
    rest = (await client.get("a/versions", params={"limit": 1, "cursor": page["next_cursor"]})).json()
    assert (page["items"] + rest["items"], rest["next_cursor"]) == (body["items"], None)


async def test_a_version_shows_its_manifest_and_files(client: httpx.AsyncClient, ids: tuple[str, str]) -> None:
    body = (await client.get(f"a/versions/{ids[0][:5]}")).json()
    assert body["manifest"]["entry"] == "functions/a.ts"
    assert body["manifest"]["env"] == {"GREETING": "hi"}
    assert [(each["path"], each["bytes"]) for each in body["files"]] == [
        ("functions/a.ts", 14),
        ("gone.bin", 2),
        ("lib/b.ts", 1),
    ]
    assert body["has_lock"]
    assert not body["has_source_map"]


async def test_what_it_is_made_of_can_be_downloaded_and_never_runs_in_a_browser(
    client: httpx.AsyncClient, ids: tuple[str, str]
) -> None:
    file = await client.get("a/versions/v1/files/functions/a.ts")
    assert file.content == b"one\ntwo\nthree\n"
    assert file.headers["content-type"] == "text/plain; charset=utf-8"
    assert file.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in file.headers["content-security-policy"]
    again = await client.get("a/versions/1/files/functions/a.ts", headers={"if-none-match": file.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert (await client.get("a/versions/1/bundle.js")).content == b"// bundle"
    assert (await client.get("a/versions/1/lock")).content == LOCK
    archive = await client.get("a/versions/1/source.zip")
    assert archive.headers["content-disposition"] == 'attachment; filename="a-v1.zip"'
    with zipfile.ZipFile(io.BytesIO(archive.content)) as opened:
        assert opened.testzip() is None
        assert {name: opened.read(name) for name in opened.namelist()} == BUILD.sources
    assert (await client.get("a/versions/1/source.zip")).content == archive.content
    for path in ("functions/b.ts", "", "../box.db", "..%2f..%2fbox.db", "functions/a.ts%00", "functions/a.ts%0A"):
        assert (await client.get(f"a/versions/1/files/{path}")).status_code == 404


async def test_two_versions_are_compared(client: httpx.AsyncClient, ids: tuple[str, str]) -> None:
    body = (await client.get("a/versions/1/diff/2")).json()
    files = {each["path"]: each for each in body["files"]}
    assert {path: each["status"] for path, each in files.items()} == {
        "big.ts": "added",
        "functions/a.ts": "changed",
        "gone.bin": "removed",
        "lib/c.ts": "added",
    }
    assert files["functions/a.ts"]["diff"] == (
        "--- a/functions/a.ts\n+++ b/functions/a.ts\n@@ -1,3 +1,3 @@\n one\n-two\n+2\n three\n"
    )
    assert (files["functions/a.ts"]["added"], files["functions/a.ts"]["removed"]) == (1, 1)
    assert files["big.ts"]["diff"] is files["gone.bin"]["diff"] is None
    assert (
        files["lib/c.ts"]["diff"]
        == "--- /dev/null\n+++ b/lib/c.ts\n@@ -0,0 +1 @@\n+new\n\\ No newline at end of file\n"
    )
    assert [tuple(each.values()) for each in body["packages"]] == [
        ("npm", "hono", "changed", ["4.0.0"], ["4.1.0"]),
        ("npm", "zod", "removed", ["4.1.0"], []),
        ("url", "https://e.com/a.ts", "added", [], ["ff"]),
    ]
    assert {each["key"]: (each["before"], each["after"]) for each in body["manifest"]} == {
        "env.COLOUR": (None, "red"),
        "env.GREETING": ("hi", None),
        "limits.wall_ms": (30_000, 5),
    }
    same = (await client.get(f"a/versions/1/diff/{ids[0]}")).json()
    assert (same["files"], same["packages"], same["manifest"]) == ([], [], [])


async def test_tags_and_pins_are_changed_by_who_has_seen_them(
    client: httpx.AsyncClient, ids: tuple[str, str], app: As
) -> None:
    developer(app)
    etag = (await client.get("a/versions/2")).headers["etag"]
    changed = await client.patch("a/versions/2", json={"tags": ["good"], "pinned": True}, headers={"if-match": etag})
    assert changed.status_code == 200
    assert (changed.json()["tags"], changed.json()["pinned"]) == (["good"], True)
    late = await client.patch("a/versions/good", json={"message": "late"}, headers={"if-match": etag})
    assert problem(late, 412, "precondition_failed")["etag"] == changed.headers["etag"]
    problem(await client.delete("a/versions/2"), 403, "forbidden")
    developer(app, Role.ADMIN)
    problem(await client.delete("a/versions/2", headers={"if-match": etag}), 412, "precondition_failed")
    problem(await client.delete("a/versions/2"), 409, "version_in_use")
    problem(await client.delete("a/versions/1"), 409, "version_in_use")
    await client.patch("a/versions/2", json={"tags": [], "pinned": False})
    assert (await client.delete("a/versions/2")).status_code == 204
    problem(await client.get(f"a/versions/{ids[1]}"), 404, "not_found")
    for wrong in ({"tags": ["v2"]}, {"tags": "x"}, {"colour": 1}, {"message": "x" * 501}, {"pinned": "maybe"}):
        problem(await client.patch("a/versions/1", json=wrong), 400, "bad_request")
    developer(app, Role.VIEWER)
    problem(await client.patch("a/versions/1", json={}), 403, "forbidden")


@pytest.mark.parametrize("ref", ["0", "3", "v", "abc", "x" * 81, "%2e%2e", "production"])
async def test_a_version_that_is_none_is_not_found(client: httpx.AsyncClient, ids: tuple[str, str], ref: str) -> None:
    for path in ("", "/lock", "/bundle.js", "/source.zip", "/files/functions/a.ts", "/diff/1"):
        assert (await client.get(f"a/versions/{ref}{path}")).status_code in (400, 404)
