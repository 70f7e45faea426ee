"""An HTTP server that speaks Sentry's envelope protocol, strictly: what it does not understand it answers with 400."""

from __future__ import annotations

import asyncio
import gzip
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

from tests.servers.asgi import serving

KEY = "0123456789abcdef0123456789abcdef"
_AUTH = re.compile(r"Sentry sentry_version=7, sentry_client=v8box/\S+, sentry_key=([0-9a-z]+)")
_ID = re.compile(r"[0-9a-f]{32}")
_WAIT_SECONDS = 60.0


class Refused(Exception):
    """What was sent is no envelope."""


class Sentry:
    """`answers` are given in their order, then 200. `events` are those that it took."""

    def __init__(self) -> None:
        self.port = 0
        self.answers: list[tuple[int, dict[str, str]]] = []
        self.requests = 0
        self.refusals: list[str] = []
        self.events: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.asked: asyncio.Queue[str] = asyncio.Queue()
        """The path of every request."""
        self.gate = asyncio.Event()
        self.gate.set()

    def dsn(self, project: str = "42", key: str = KEY, host: str = "127.0.0.1") -> str:
        return f"http://{key}@{host}:{self.port}/{project}"

    async def next(self) -> dict[str, Any]:
        async with asyncio.timeout(_WAIT_SECONDS):
            return await self.events.get()

    async def next_request(self) -> str:
        async with asyncio.timeout(_WAIT_SECONDS):
            return await self.asked.get()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body", False):
                break
        self.requests += 1
        self.asked.put_nowait(scope["path"])
        await self.gate.wait()
        status, headers = self.answers.pop(0) if self.answers else (200, {})
        if 200 <= status < 300:
            try:
                event = read(scope, body)
                self.events.put_nowait(event)
            except (Refused, ValueError, KeyError) as error:
                self.refusals.append(str(error))
                status = 400
        pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": status, "headers": pairs})
        await send({"type": "http.response.body", "body": b"{}", "more_body": False})


def read(scope: Any, body: bytes) -> dict[str, Any]:
    """The one event of an envelope, with the project it is for as `_project`."""
    headers = {name.decode(): value.decode() for name, value in scope["headers"]}
    path = re.fullmatch(r"/api/(\w+)/envelope/", scope["path"])
    demand(scope["method"] == "POST" and path is not None, f"{scope['method']} {scope['path']}")
    demand(headers.get("content-type") == "application/x-sentry-envelope", "the content type")
    auth = _AUTH.fullmatch(headers.get("x-sentry-auth", ""))
    demand(auth is not None and auth[1] == KEY, "the key")
    demand(headers.get("content-encoding") == "gzip", "the encoding")
    data = gzip.decompress(body)
    first, _, rest = data.partition(b"\n")
    head = json.loads(first)
    demand(_ID.fullmatch(head["event_id"]) is not None, "the event's id")
    datetime.fromisoformat(head["sent_at"])
    demand("dsn" not in head, "a DSN where none is needed")
    second, _, rest = rest.partition(b"\n")
    item = json.loads(second)
    demand(item["type"] == "event", "the type")
    length = item["length"]
    demand(rest[length:] == b"\n", "the length")
    event: dict[str, Any] = json.loads(rest[:length])
    demand(event["event_id"] == head["event_id"], "the two ids")
    assert path is not None
    return {**event, "_project": path[1]}


def demand(fulfilled: bool, what: str) -> None:
    if not fulfilled:
        raise Refused(what)


@asynccontextmanager
async def sentry_server() -> AsyncIterator[Sentry]:
    sentry = Sentry()
    async with serving(sentry) as port:
        sentry.port = port
        yield sentry
