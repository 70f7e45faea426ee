"""What people see of a site's errors, and programs."""

from __future__ import annotations

import json

from tests.pages.conftest import World
from tests.pages.web import web_of

BROWSER = {"accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


async def test_a_browser_is_shown_a_page_and_a_program_told(world: World) -> None:
    await world.deploy({"index.html": "home", "_redirects": "/api/* https://api.example.com/:splat 200\n"})
    async with web_of(world) as web:
        for path, status, said in (
            ("/nothing", 404, "This site has no such page."),
            ("/api/x", 502, "Something went wrong"),
            ("/%ff", 400, "The path is not text in UTF-8."),
        ):
            page = await web.get(path, headers=BROWSER)
            assert (page.status, page.headers["content-type"]) == (status, "text/html; charset=utf-8")
            assert said in page.body.decode()
            assert "script-src 'none'" in page.headers["content-security-policy"]
            assert page.headers["vary"] == "Accept"
            assert page.headers["content-length"] == str(len(page.body))
            told = await web.get(path, headers={"accept": "*/*"})
            assert (told.status, told.headers["content-type"]) == (status, "application/problem+json")
            assert said in json.loads(told.body)["detail"]
        head = await web.get("/nothing", method="HEAD", headers=BROWSER)
        assert (head.status, head.body) == (404, b"")
        gone = await web.get("/", "nobody.localhost:8000", headers=BROWSER)
        assert (gone.status, b"There is no site at this host name." in gone.body) == (404, True)


async def test_what_is_said_of_a_name_is_text(world: World) -> None:
    await world.deploy({"index.html": "home"}, site="blog")
    async with web_of(world) as web:
        page = await web.get("/", headers={**BROWSER, "x-request-id": "<script>alert(1)</script>"}, method="PUT")
        assert page.status == 405
        assert page.headers["allow"] == "GET, HEAD"
        assert b"<script" not in page.body
        assert b"&lt;script&gt;" in page.body


async def test_a_site_of_its_own_page_shows_that(world: World) -> None:
    await world.deploy({"index.html": "home", "404.html": "lost"})
    async with web_of(world) as web:
        lost = await web.get("/nothing", headers=BROWSER)
        assert (lost.status, lost.body) == (404, b"lost")
