"""Who may call the admin API before there is sign-in."""

from __future__ import annotations

import asyncio
import logging
import threading
from typing import Any

import httpx
import pytest

from v8box.api import LazyApp, LoopbackOnly
from v8box.api.asgi import ASGIApp, Receive, Scope, Send, send_json


async def inner(scope: Scope, receive: Receive, send: Send) -> None:
    await send_json(scope, send, 200, b"{}")


async def ask(
    method: str = "GET", host: str = "localhost:8000", peer: str | None = "127.0.0.1", **headers: str
) -> httpx.Response:
    app = LoopbackOnly(inner, domain="example.com")

    async def called(scope: Scope, receive: Receive, send: Send) -> None:
        scope["client"] = (peer, 1234) if peer is not None else None
        await app(scope, receive, send)

    sent = {"host": host} | {name.replace("_", "-"): value for name, value in headers.items()}
    transport = httpx.ASGITransport(app=called)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost:8000") as client:
        return await client.request(method, "/admin/x", headers=sent)


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1"])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_program_on_this_machine_may(peer: str, method: str) -> None:
    assert (await ask(method, peer=peer)).status_code == 200


@pytest.mark.parametrize(
    "peer", ["192.168.1.5", "10.0.0.1", "8.8.8.8", "::2", "::ffff:8.8.8.8", "fe80::1%eth0", "", "x", None]
)
async def test_nobody_else_may(peer: str | None) -> None:
    response = await ask(peer=peer)
    body = response.json()
    assert (response.status_code, body["success"], body["code"]) == (403, False, "forbidden")
    assert "this machine" in body["error"]


@pytest.mark.parametrize(
    "header",
    ["forwarded", "x_forwarded_for", "x_forwarded_proto", "X_Forwarded_Host", "x_real_ip", "via", "cf_connecting_ip"],
)
async def test_a_proxy_on_this_machine_does_not_open_it(header: str) -> None:
    response = await ask(**{header: "127.0.0.1"})
    assert response.status_code == 403
    assert "proxy" in response.json()["error"]


@pytest.mark.parametrize(
    ("host", "status"),
    [
        *(("localhost", 200), ("LOCALHOST:1", 200), ("127.0.0.1:8000", 200), ("[::1]:8000", 200), ("localhost.", 200)),
        *(("admin.localhost:8000", 200), ("admin.example.com", 200)),
        *(("evil.example", 403), ("example.com", 403), ("api.localhost", 403), ("localhost.evil.example", 403)),
        *(("localhost@evil.example", 403), ("127.0.0.1.nip.io", 403), ("", 403), ("localhost:8000:1", 403)),
        *(("admin.example.com.evil.example", 403), ("site.localhost", 403), ("0.0.0.0", 403)),
    ],
)
async def test_a_name_that_points_here_is_not_enough(host: str, status: int) -> None:
    assert (await ask(host=host)).status_code == status


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        ("POST", {"origin": "http://localhost:8000", "sec_fetch_site": "same-origin"}, 200),
        ("POST", {"origin": "http://localhost:9000"}, 403),
        ("POST", {"origin": "http://evil.example"}, 403),
        ("POST", {"origin": "null"}, 403),
        ("POST", {"sec_fetch_site": "same-site"}, 403),
        ("DELETE", {"sec_fetch_site": "cross-site"}, 403),
        ("PUT", {"sec_fetch_site": "none"}, 403),
        ("GET", {"sec_fetch_site": "none", "sec_fetch_mode": "navigate"}, 200),
        ("GET", {"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate"}, 200),
        ("GET", {"sec_fetch_site": "cross-site", "sec_fetch_mode": "no-cors"}, 403),
        ("GET", {"sec_fetch_site": "same-site", "sec_fetch_mode": "cors"}, 403),
    ],
)
async def test_a_page_of_another_origin_may_not(method: str, headers: dict[str, str], status: int) -> None:
    assert (await ask(method, **headers)).status_code == status


async def test_a_header_that_stands_twice_is_refused() -> None:
    sent: list[Any] = []
    scope: Scope = {
        "type": "http",
        "method": "POST",
        "client": ("127.0.0.1", 1),
        "headers": [(b"host", b"localhost"), (b"Host", b"evil.example")],
    }

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        raise AssertionError("nothing is read of what is refused")

    await LoopbackOnly(inner, domain="localhost")(scope, receive, send)
    assert sent[0]["status"] == 403


async def test_a_websocket_is_judged_alike() -> None:
    sent: list[Any] = []
    scope: Scope = {"type": "websocket", "client": ("10.0.0.1", 1), "headers": [(b"host", b"localhost")]}

    async def send(message: Any) -> None:
        sent.append(message["type"])

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    await LoopbackOnly(inner, domain="localhost")(scope, receive, send)
    assert sent == ["websocket.close"]


def client_of(app: ASGIApp) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://localhost")


async def test_the_real_app_is_built_once_at_the_first_request_and_those_who_come_meanwhile_wait() -> None:
    built: list[str] = []
    begun, go_on = threading.Event(), threading.Event()

    def build() -> ASGIApp:
        built.append(threading.current_thread().name)
        begun.set()
        go_on.wait(10)
        return inner

    async with client_of(LazyApp(build)) as client:
        assert built == []
        gone, *waiting = [asyncio.create_task(client.get("/")) for _ in range(5)]
        assert await asyncio.to_thread(begun.wait, 10)
        gone.cancel()
        go_on.set()
        assert [response.status_code for response in await asyncio.gather(*waiting)] == [200] * 4
        assert (await client.get("/")).status_code == 200
    assert len(built) == 1
    assert built[0] != threading.main_thread().name


async def test_a_build_that_fails_is_told_and_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    tries: list[int] = []

    def build() -> ASGIApp:
        tries.append(1)
        if len(tries) == 1:
            raise ImportError("hunter2")
        return inner

    async with client_of(LazyApp(build)) as client:
        with caplog.at_level(logging.ERROR):
            first = await client.get("/")
        assert (first.status_code, first.json()["code"]) == (500, "internal")
        assert "hunter2" not in first.text
        assert (await client.get("/")).status_code == 200
