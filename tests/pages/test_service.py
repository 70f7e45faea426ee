"""Deploying files as releases: what becomes of them, what is refused, and that nothing of that stays."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.pages.conftest import ADA, World, write

from v8box.catalog.sites import SiteTaken
from v8box.errors import BadRequest, NotFound
from v8box.features.pages.build import BadSite
from v8box.features.pages.rules import SiteRulesError
from v8box.features.pages.service import Deploy, FilesMissing

SITE = {
    "index.html": "<h1>home</h1>",
    "docs/a b.html": "caf\u00e9",
    "app.js": "1",
    "_redirects": "/old /docs/ 301\nnonsense\n",
    "_headers": "/*\n  X-A: 1\n",
    ".env": "SECRET=1",
    ".git/config": "x",
    ".well-known/security.txt": "x",
    "node_modules/x/index.js": "x",
    "functions/api.ts": "export default 1",
}


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


async def once(data: bytes) -> AsyncIterator[bytes]:
    yield data


async def test_a_folder_becomes_a_release(world: World) -> None:
    info = await world.deploy(SITE)
    release = await world.live()
    assert sorted(release.files) == ["/.well-known/security.txt", "/app.js", "/docs/a b.html", "/index.html"]
    assert release.files["/index.html"].type == "text/html; charset=utf-8"
    assert release.files["/app.js"].type == "text/javascript; charset=utf-8"
    assert [rule.source for rule in release.redirects] == ["/old"]
    assert [block.source for block in release.headers] == ["/*"]
    assert info.files == 4
    assert info.report["ignored"] == [
        {
            "file": "/_redirects",
            "line": 2,
            "text": "nonsense",
            "reason": "there is nowhere to go: a path or a URL is missing",
        }
    ]
    assert await world.blobs.get(release.files["/docs/a b.html"].content.hash) == "caf\u00e9".encode()
    assert world.staged() == []
    assert world.service.shown(info) is info
    world.optimisation[info.key] = {"state": "queued"}
    assert world.service.shown(info).report == {**info.report, "optimisation": {"state": "queued"}}


async def test_the_same_bytes_are_stored_once(world: World) -> None:
    await world.deploy({"index.html": "a", "copy.html": "a"})
    before = world.stored()
    await world.deploy({"index.html": "a", "other.html": "a"}, site="second")
    assert len(world.stored() - before) == 1  # the release itself


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({}, "no file to serve"),
        ({"_redirects": "/a /b"}, "no file to serve"),
        ({"a.html": "1", "A.html": "2"}, "differ in case only"),
        ({"a\\b.html": "1"}, "no path"),
        ({"a\nb.html": "1"}, "no path"),
        ({"index.html": "1", "v8box.toml": "nonsense"}, "v8box.toml:1"),
        ({"index.html": "1", "v8box.toml": "[site]\nhtml_handlin = 'none'"}, "did you mean html_handling"),
        ({"index.html": "1", "v8box.toml": "[site]\nstrict = true", "_redirects": "x"}, "is strict"),
        ({"index.html": "1", "_headers": b"\xff"}, "UTF-8"),
    ],
)
async def test_what_is_no_site_is_refused_and_leaves_nothing(world: World, files: dict[str, str], reason: str) -> None:
    with pytest.raises((BadSite, SiteRulesError), match=reason):
        await world.deploy(files)
    assert world.sites.table.sites == {}
    assert world.staged() == []
    assert world.stored() == set()


async def test_links_are_never_followed(world: World, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("hunter2")
    async with world.service.staged() as staged:
        write(staged.files, {"index.html": "a"})
        os.symlink(secret, staged.files / "link.html")
        os.symlink(secret, staged.files / "_redirects")
        os.symlink("/etc", staged.files / "etc")
        os.mkfifo(staged.files / "pipe.html")
        await world.service.deploy_folder(Deploy(project="default", site="blog", actor=ADA), staged)
    assert list((await world.live()).files) == ["/index.html"]
    assert secret.read_text() == "hunter2"


async def test_going_back(world: World) -> None:
    await world.deploy({"index.html": "1"})
    await world.deploy({"index.html": "2"})
    site = await world.service.roll_back("default", "blog", ADA)
    assert site.live_number == 1
    assert (await world.live()).files["/index.html"].content.hash == digest("1")
    with pytest.raises(NotFound):
        await world.service.roll_back("default", "blog", ADA, to=9)


async def test_what_changed_between_two_releases(world: World) -> None:
    await world.deploy({"index.html": "1", "gone.html": "x"})
    await world.deploy({"index.html": "22", "new.html": "y"})
    assert await world.service.compare("default", "blog", 1, 2) == {
        "added": ["/new.html"],
        "removed": ["/gone.html"],
        "changed": ["/index.html"],
        "sizes": {
            "/new.html": {"before": None, "after": 1},
            "/gone.html": {"before": 1, "after": None},
            "/index.html": {"before": 1, "after": 2},
        },
        "bytes": 1,
        "rules": [],
    }
    rules = {"_redirects": "/a /b", "_headers": "/*\n  X-A: b", "v8box.toml": "[site]\nsecurity_headers = true"}
    await world.deploy({"index.html": "22", "new.html": "y", **rules})
    await world.deploy({"index.html": "22", "new.html": "y", **rules, "_redirects": "# moved down\n/a /b"})
    changed = await world.service.compare("default", "blog", 2, 3)
    assert (changed["changed"], changed["rules"]) == ([], ["redirects", "headers", "settings"])
    assert (await world.service.compare("default", "blog", 3, 4))["rules"] == []


async def test_what_another_platform_would_run_is_told_of_and_not_served(world: World) -> None:
    files = {"index.html": "x", "_worker.js": "const key = 'secret'", "_routes.json": "{}", "lib/_worker.js": "a part"}
    made = await world.deploy(files)
    assert sorted((await world.live()).files) == ["/index.html", "/lib/_worker.js"]
    (told,) = made.report["ignored"]
    assert (told["file"], "functions/" in told["reason"]) == ("/_worker.js", True)
    wanted = {f"/{path}": digest(text) for path, text in {"_worker.js/a.js": "a part", "index.html": "x"}.items()}
    for text in ("a part", "x"):
        await world.service.upload("default", "blog", digest(text), once(text.encode()))
    made = await world.service.deploy_stored(Deploy(project="default", site="blog", actor=ADA), wanted)
    assert (made.files, [each["file"] for each in made.report["ignored"]]) == (1, ["/_worker.js"])


async def test_what_is_hardly_meant_so_is_warned_of(world: World) -> None:
    rules = "/api/* https://api.example.com/:splat 200\n/b/* https://known.example.com/ 200\n/in /x 200 Role=admin\n"
    site = "[site]\nproxy_hosts = ['known.example.com']\n"
    made = await world.deploy({"start.html": "x", "_redirects": rules, "v8box.toml": site})
    assert made.report["ignored"] == []
    index, host, role = made.report["warnings"]
    assert "no index.html" in index
    assert "api.example.com" in host
    assert "Role=" in role
    assert (await world.deploy({"index.html": "x", "_redirects": "/a https://a.example/ 301"})).report["warnings"] == []


async def test_only_what_the_box_has_not_is_sent(world: World) -> None:
    await world.deploy({"index.html": "1", "same.css": "s"})
    wanted = {"/index.html": digest("2"), "/same.css": digest("s"), "/_redirects": digest("/a /b")}
    assert await world.service.missing("default", "blog", wanted) == sorted([digest("2"), digest("/a /b")])
    deploy = Deploy(project="default", site="blog", actor=ADA)
    with pytest.raises(FilesMissing, match="2 files of the release are not here"):
        await world.service.deploy_stored(deploy, wanted)
    with pytest.raises(BadRequest, match="changed while it was sent"):
        await world.service.upload("default", "blog", digest("2"), once(b"other"))
    assert await world.service.upload("default", "blog", digest("2"), once(b"2")) == 1
    await world.service.upload("default", "blog", digest("/a /b"), once(b"/a /b"))
    info = await world.service.deploy_stored(deploy, wanted)
    release = await world.live()
    assert (info.number, info.files, sorted(release.files)) == (2, 2, ["/index.html", "/same.css"])
    assert release.redirects[0].target == "/b"


async def test_another_projects_bytes_cannot_be_had_by_their_hash(world: World) -> None:
    await world.deploy({"index.html": "secret"})
    assert await world.service.missing("other", "spy", {"/x.html": digest("secret")}) == [digest("secret")]
    with pytest.raises(FilesMissing):
        await world.service.deploy_stored(
            Deploy(project="other", site="spy", actor=ADA), {"/index.html": digest("secret")}
        )


async def test_a_site_of_another_project(world: World) -> None:
    await world.deploy({"index.html": "1"})
    with pytest.raises(SiteTaken):
        await world.deploy({"index.html": "2"}, project="other")
    assert (await world.live()).files["/index.html"].content.hash == digest("1")


async def test_deploys_at_once_are_each_whole(world: World) -> None:
    await asyncio.gather(*(world.deploy({"a.html": str(n), "b.html": str(n)}) for n in range(12)))
    for info in await world.sites.releases("default", "blog"):
        files = (await world.service.contents(info)).files
        assert files["/a.html"].content == files["/b.html"].content
    assert len(await world.sites.releases("default", "blog")) == 12


async def test_what_a_crash_left_staged_goes(world: World, tmp_path: Path) -> None:
    write(tmp_path / "staging", {"old/index.html": "x"})
    await world.staging.open()
    assert world.staged() == []


async def test_bytes_that_no_release_needs_go(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    await world.deploy({"index.html": "old"})
    await world.deploy({"index.html": "new"})
    assert await world.service.sweep() == 0
    monkeypatch.setattr("v8box.features.pages.service._GRACE_SECONDS", -1.0)
    await world.sites.delete_release("default", "blog", 1, ADA)
    assert await world.service.sweep() == 2
    assert await world.blobs.get((await world.live()).files["/index.html"].content.hash) == b"new"
