"""A site's files for workers: what counts, what does not, and that nothing of another project is given."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.gateway.pages.sites import TestSite

from v8box.bindings.assets.interface import AssetAnswer, AssetRequest
from v8box.catalog.sites import SiteTable
from v8box.gateway.pages.assets import SiteAssets
from v8box.gateway.pages.release import Asset, Mount, SiteSettings

FILES: dict[str, str | bytes | Asset] = {
    "/index.html": "home",
    "/about.html": "about",
    "/404.html": "none",
    "/large.bin": b"x" * 700_000,
}
RULES = """
/rewritten /about.html 200
/about /index.html 200
/forced /about.html 200!
/moved /about 301
/far https://example.com/ 200
/gone /about.html 404
"""


class Asking:
    def __init__(self, folder: Path, **options: Any) -> None:
        self.site = TestSite(folder, FILES, redirects_text=RULES, **options)
        self.assets = SiteAssets(lambda: SiteTable({"blog": self.site.route}), self.site.pages)

    async def get(self, path: str, method: str = "GET", *, follow: bool = True, **more: Any) -> AssetAnswer:
        asked = AssetRequest(
            project="default",
            site="blog",
            method=method,
            host="blog.example.com",
            secure=False,
            path=path,
            query="",
            follow=follow,
            run="r1",
        )
        return await self.assets.fetch(replace(asked, **more))


async def text(answer: AssetAnswer) -> str:
    if isinstance(answer.body, bytes):
        return answer.body.decode()
    return b"".join([piece async for piece in answer.body]).decode()


@pytest.fixture
def asking(tmp_path: Path) -> Asking:
    return Asking(tmp_path, settings=SiteSettings(mounts=(Mount("/*", "worker"), Mount("/*", "late", False))))


@pytest.mark.parametrize(
    ("path", "status", "body"),
    [
        ("/", 200, "home"),
        ("/about", 200, "about"),
        ("/about.html", 200, "about"),
        ("/rewritten", 200, "about"),
        ("/forced", 200, "about"),
        ("/moved", 404, "none"),
        ("/far", 404, "none"),
        ("/gone", 404, "none"),
        ("/nothing", 404, "none"),
        ("/%ff", 400, "The path is not text in UTF-8.\n"),
        ("/../../etc/passwd", 404, "none"),
    ],
)
async def test_only_files_and_rewrites_answer(asking: Asking, path: str, status: int, body: str) -> None:
    answer = await asking.get(path)
    assert (answer.status, await text(answer)) == (status, body)


async def test_a_visitor_is_sent_to_the_right_spelling(asking: Asking) -> None:
    answer = await asking.get("/about.html", follow=False)
    assert answer.status == 307
    assert dict(answer.headers)["location"] == "/about"
    answer = await asking.get("/about.html", follow=False, headers=[("x-forwarded-prefix", "/pages/blog")])
    assert dict(answer.headers)["location"] == "/pages/blog/about"
    answer = await asking.get("/about.html", follow=False, headers=[("x-forwarded-prefix", "//evil.example")])
    assert dict(answer.headers)["location"] == "/about"


async def test_conditions_and_methods_count(asking: Asking) -> None:
    etag = dict((await asking.get("/")).headers)["etag"]
    assert (await asking.get("/", headers=[("if-none-match", etag)])).status == 304
    assert (await asking.get("/", "POST")).status == 405
    head = await asking.get("/", "HEAD")
    assert (head.status, head.body, dict(head.headers)["content-length"]) == (200, b"", "4")


async def test_another_projects_site_is_as_if_it_were_not_there(asking: Asking) -> None:
    wrong: list[dict[str, Any]] = [{"project": "other"}, {"site": "none"}]
    for more in wrong:
        answer = await asking.get("/", **more)
        assert answer.status == 404
        assert "home" not in await text(answer)


async def test_large_files_and_ranges_come_in_pieces(asking: Asking) -> None:
    assert len(await text(await asking.get("/large.bin"))) == 700_000
    part = await asking.get("/large.bin", headers=[("range", "bytes=1-600000")])
    assert part.status == 206
    assert len(await text(part)) == 600_000


async def test_a_body_that_nobody_reads_is_let_go(asking: Asking) -> None:
    before = asyncio.all_tasks()
    part = await asking.get("/large.bin", headers=[("range", "bytes=1-600000")])
    (sending,) = asyncio.all_tasks() - before
    await part.body.aclose()  # type: ignore[union-attr]
    await asyncio.wait([sending])
    assert sending.done()


async def test_a_file_that_the_store_lost_is_an_error(asking: Asking) -> None:
    for file in asking.site.files.folder.iterdir():
        if file.name != asking.site.key:
            file.unlink()
    with pytest.raises(FileNotFoundError):
        await asking.get("/")
