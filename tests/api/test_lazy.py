"""An application that is built at its first request."""

from __future__ import annotations

import asyncio
import logging
import threading

import httpx
import pytest

from v8box.api import LazyApp
from v8box.api.asgi import ASGIApp, Receive, Scope, Send, send_json


async def inner(scope: Scope, receive: Receive, send: Send) -> None:
    await send_json(scope, send, 200, b"{}")


def client_of(app: ASGIApp) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://localhost")


async def test_the_real_app_is_built_once_at_the_first_request_and_those_who_come_meanwhile_wait() -> None:
    built: list[str] = []
    begun, go_on = threading.Event(), threading.Event()

    def build() -> ASGIApp:
        built.append(threading.current_thread().name)
        begun.set()
        go_on.wait(60)
        return inner

    async with client_of(LazyApp(build)) as client:
        assert built == []
        gone, *waiting = [asyncio.create_task(client.get("/")) for _ in range(5)]
        assert await asyncio.to_thread(begun.wait, 60)
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
