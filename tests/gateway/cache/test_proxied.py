"""Answers of hosts that a site leads to: kept when the host says so, apart for each site and release."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from aiohttp import web
from tests.gateway.pages.sites import Answer, TestSite

from v8box.catalog.sites import SiteRoute, SiteTable
from v8box.gateway.cache.cache import ResponseCache
from v8box.gateway.headers import Incoming
from v8box.gateway.pages.proxy import HostProxy, ProxyFailed
from v8box.gateway.pages.release import Releases, SiteSettings
from v8box.gateway.pages.server import SiteServer
from v8box.gateway.routing import Target
from v8box.settings import ResponseCache as CacheSettings


class Origin:
    """Another host: answers with `headers`, counts."""

    def __init__(self) -> None:
        self.asked: list[web.Request] = []
        self.headers = {"Cache-Control": "max-age=60"}
        self.status = 200

    async def handle(self, request: web.Request) -> web.Response:
        self.asked.append(request)
        if request.headers.get("If-None-Match") == '"a"':
            return web.Response(status=304, headers=self.headers)
        return web.Response(text=f"{len(self.asked)} {request.path_qs}", headers=self.headers, status=self.status)


@pytest.fixture
async def origin() -> AsyncIterator[tuple[Origin, str]]:
    made = Origin()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", made.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield made, f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


class Visited:
    """A site whose `/api/*` leads to the origin."""

    def __init__(self, folder: Path, url: str, cache: ResponseCache) -> None:
        site = TestSite(
            folder,
            {"index.html": b"hi"},
            redirects_text=f"/api/* {url}/:splat 200",
            settings=SiteSettings(proxy_hosts=("127.0.0.1",)),
        )
        self.proxy = HostProxy(allows=lambda _: True)
        self.cache = cache
        self.route = site.route
        self.server = SiteServer(self._table(self.route), site.pages, Releases(site._load), self.proxy, cache)

    @staticmethod
    def _table(route: SiteRoute) -> SiteTable:
        return SiteTable(
            MappingProxyType({"blog": route, "other": SiteRoute(site="other", project=route.project, key=route.key)})
        )

    async def get(self, path: str, *, method: str = "GET", site: str = "blog", **headers: str) -> Answer:
        pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
        path, _, query = path.partition("?")
        scope: dict[str, Any] = {"method": method, "query_string": query.encode(), "scheme": "http"}
        target = Target(f"{site}.example.com", False, "", path, "", site=site)
        incoming = Incoming([(b"host", b"x"), *pairs])
        incoming.forwarded("1.2.3.4", "http", target.host_name, "", ())
        answer = Answer()

        async def receive() -> Any:
            return {"type": "http.request", "body": b"", "more_body": False}

        try:
            await self.server.answer(scope, receive, answer.send, incoming, target, "r1", [(b"x-extra", b"1")])
        finally:
            self.told = scope.get("cache_status", b"").decode()
        return answer


@pytest.fixture
async def visited(tmp_path: Path, origin: tuple[Origin, str]) -> AsyncIterator[Visited]:
    cache = ResponseCache(CacheSettings(disk_mb=0), tmp_path / "responses")
    made = Visited(tmp_path, origin[1], cache)
    yield made
    await cache.stop()
    await made.proxy.stop()


async def test_what_another_host_lets_be_kept(visited: Visited, origin: tuple[Origin, str]) -> None:
    first = await visited.get("/api/a?x=1", cookie="session=1", authorization="Basic x")
    second = await visited.get("/api/a?x=1", cookie="session=2")
    assert (first.body, second.body) == (b"1 /a?x=1", b"1 /a?x=1")
    assert first.headers["cache-status"] == "v8box; fwd=miss; stored"
    assert second.headers["cache-status"].startswith("v8box; hit; ttl=")
    for answer in (first, second):
        assert (answer.headers["x-extra"], answer.headers["x-request-id"]) == ("1", "r1")
    assert "Cookie" not in origin[0].asked[0].headers
    await visited.get("/api/b")
    await visited.get("/api/a?x=2")
    assert len(origin[0].asked) == 3


@pytest.mark.parametrize("control", ["", "no-store", "private"])
async def test_and_what_not(visited: Visited, origin: tuple[Origin, str], control: str) -> None:
    origin[0].headers = {"Cache-Control": control} if control else {}
    for number in (1, 2):
        assert (await visited.get("/api/a")).body == b"%d /a" % number


async def test_sites_do_not_share_answers(visited: Visited, origin: tuple[Origin, str]) -> None:
    await visited.get("/api/a")
    await visited.get("/api/a", site="other")
    assert len(origin[0].asked) == 2


async def test_a_release_purges(visited: Visited, origin: tuple[Origin, str]) -> None:
    groups = visited.cache.groups
    groups.follow_sites(visited._table(visited.route))
    await visited.get("/api/a")
    groups.follow_sites(visited._table(SiteRoute(site="blog", project="default", key="f" * 64)))
    groups.follow_sites(visited._table(visited.route))
    assert (await visited.get("/api/a")).body == b"2 /a"


async def test_a_stale_one_is_asked_about(visited: Visited, origin: tuple[Origin, str]) -> None:
    origin[0].headers = {"Cache-Control": "no-cache", "ETag": '"a"'}
    await visited.get("/api/a")
    again = await visited.get("/api/a")
    assert (again.status, again.body) == (200, b"1 /a")
    assert again.headers["cache-status"] == "v8box; fwd=stale; fwd-status=304; stored"


async def test_a_host_that_cannot_be_reached(tmp_path: Path) -> None:
    cache = ResponseCache(CacheSettings(disk_mb=0), tmp_path / "responses")
    visited = Visited(tmp_path, "http://127.0.0.1:1", cache)
    with pytest.raises(ProxyFailed):
        await visited.get("/api/a")
    assert visited.told == "fwd=miss"
    await cache.stop()
    await visited.proxy.stop()


async def test_a_posts_answer_is_passed_on(visited: Visited, origin: tuple[Origin, str]) -> None:
    await visited.get("/api/a")
    posted = await visited.get("/api/a", method="POST")
    assert posted.headers["cache-status"] == "v8box; fwd=method"
    assert (await visited.get("/api/a")).body == b"3 /a"
