"""Servers on loopback that speak the CDNs' APIs, as far as a purge goes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

TOKEN = "t0ken-of-the-cdn"


@dataclass
class FakeCdn:
    """What it was asked for, and what it answers next: status, body, headers; then that all is well."""

    kind: str
    url: str = ""
    purged: list[Any] = field(default_factory=list)
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    next: list[tuple[int, Any, dict[str, str]]] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.Response:
        body = await request.text()
        self.purged.append(json.loads(body) if body else None)
        self.asked.set()
        if self.kind == "cloudflare":
            right = request.headers.get("authorization") == f"Bearer {TOKEN}"
            path = "/client/v4/zones/zone1/purge_cache"
            good = web.json_response({"success": True, "errors": [], "messages": [], "result": {"id": "zone1"}})
            refused = {"success": False, "errors": [{"code": 10000, "message": "Authentication error"}]}
        else:
            right = request.headers.get("accesskey") == TOKEN
            path = "/pullzone/zone1/purgeCache"
            good = web.Response(status=204)
            refused = {"Message": "Authorization has been denied for this request."}
        if request.method != "POST" or request.path != path:
            return web.json_response(
                {"success": False, "errors": [{"code": 7003, "message": "no such route"}]}, status=404
            )
        if not right:
            return web.json_response(refused, status=401)
        if self.next:
            status, told, headers = self.next.pop(0)
            if isinstance(told, str):
                return web.Response(status=status, text=told, headers=headers)
            return web.json_response(told, status=status, headers=headers)
        return good


@asynccontextmanager
async def serving(kind: str) -> AsyncIterator[FakeCdn]:
    cdn = FakeCdn(kind)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", cdn.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        _, port = runner.addresses[0][:2]
        cdn.url = f"http://127.0.0.1:{port}"
        yield cdn
    finally:
        await runner.cleanup()
