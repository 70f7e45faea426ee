"""Rules that pass a request on to another host: a real HTTP server on loopback, and addresses that are refused."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from tests.gateway.pages.sites import Answer

from v8box.catalog.sites import SiteRoute
from v8box.gateway.headers import Incoming
from v8box.gateway.pages.decide import SiteRequest
from v8box.gateway.pages.proxy import HostProxy, ProxyFailed
from v8box.kit.addresses import is_public

ROUTE = SiteRoute(site="blog", project="default", key="0" * 64)


async def handle(request: web.Request) -> web.StreamResponse:
    if request.path == "/moved":
        return web.Response(status=302, headers={"Location": "https://elsewhere.example/", "Set-Cookie": "a=b"})
    body = await request.read()
    told = {"path": request.path_qs, "method": request.method, "body": len(body), "headers": dict(request.headers)}
    return web.json_response(told, headers={"X-Theirs": "1"})


@pytest.fixture
async def origin() -> AsyncIterator[str]:
    app = web.Application(client_max_size=1 << 24)
    app.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


@pytest.fixture
async def proxy() -> AsyncIterator[HostProxy]:
    made = HostProxy(allows=lambda _: True)
    yield made
    await made.stop()


async def pass_on(proxy: HostProxy, url: str, method: str = "GET", body: bytes = b"", **given: str) -> Answer:
    pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in given.items()]
    if body:
        pairs.append((b"content-length", str(len(body)).encode()))
    request = SiteRequest(ROUTE, Incoming([(b"host", b"blog.example.com"), *pairs]), method, "h", "/", "", "", "r1")
    messages = [
        {"type": "http.request", "body": body[start : start + 1000], "more_body": start + 1000 < len(body)}
        for start in range(0, max(len(body), 1), 1000)
    ]

    async def receive() -> Any:
        return messages.pop(0)

    answer = Answer()
    assert await proxy.pass_on(url, request, receive, answer.send) == answer.status
    return answer


async def test_a_request_and_its_answer(proxy: HostProxy, origin: str) -> None:
    answer = await pass_on(proxy, f"{origin}/a/b?c=1", cookie="session=1", authorization="Basic x", x_mine="2")
    assert answer.status == 200
    assert answer.headers["x-theirs"] == "1"
    assert b'"path": "/a/b?c=1"' in answer.body
    assert b"X-Mine" in answer.body or b"x-mine" in answer.body
    for secret in (b"session=1", b"Basic x"):
        assert secret not in answer.body


async def test_nobody_chooses_what_others_are_answered_by_a_header_that_steers_the_other_host(
    proxy: HostProxy, origin: str
) -> None:
    answer = await pass_on(
        proxy, f"{origin}/a", x_original_url="/admin", x_http_method_override="DELETE", x_host="evil.example"
    )
    assert b"evil" not in answer.body
    assert b"/admin" not in answer.body
    assert b"DELETE" not in answer.body
    # What is not kept for others may say what it likes.
    assert b"DELETE" in (await pass_on(proxy, f"{origin}/a", "POST", b"x", x_http_method_override="DELETE")).body


async def test_a_body_is_passed_on(proxy: HostProxy, origin: str) -> None:
    answer = await pass_on(proxy, f"{origin}/a", "POST", b"x" * 10_500)
    assert b'"body": 10500' in answer.body


async def test_redirects_are_passed_on_and_cookies_are_not(proxy: HostProxy, origin: str) -> None:
    answer = await pass_on(proxy, f"{origin}/moved")
    assert (answer.status, answer.headers["location"]) == (302, "https://elsewhere.example/")
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "10.0.0.1", "169.254.169.254", "0.0.0.0"])
async def test_nothing_of_the_boxs_own_network(origin: str, host: str) -> None:
    port = origin.rpartition(":")[2]
    proxy = HostProxy()
    try:
        with pytest.raises(ProxyFailed):
            async with asyncio.timeout(60):
                await pass_on(proxy, f"http://{host}:{port}/")
    finally:
        await proxy.stop()


async def test_a_host_that_is_not_there(proxy: HostProxy) -> None:
    with pytest.raises(ProxyFailed):
        await pass_on(proxy, "http://127.0.0.1:1/")


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2606:4700::1111", True),
        ("10.1.2.3", False),
        ("100.64.0.1", False),
        ("::1", False),
        ("fe80::1%eth0", False),
        ("fc00::1", False),
        ("::ffff:10.0.0.1", False),
        ("::ffff:8.8.8.8", True),
        ("64:ff9b::a00:1", False),
        ("2002:a00:1::", False),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("nonsense", False),
    ],
)
def test_addresses(address: str, public: bool) -> None:
    assert is_public(address) is public
