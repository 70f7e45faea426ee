"""The addresses below /admin/s3 on the real embedded store, and the S3 API that links lead to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.fakes.principals import OWNER, any_project, signed_in
from tests.servers.asgi import serving

from v8box.api.app import build_api
from v8box.api.asgi import ASGIApp
from v8box.api.operations import Operations
from v8box.api.principals import Principal
from v8box.bindings.s3.embedded import EmbeddedObjects
from v8box.bindings.s3.interface import ObjectLimits
from v8box.features.objects import clearing, links, routes, uploads
from v8box.features.operations import routes as operation_routes
from v8box.features.s3_api import AccessKeys, S3Api, UrlPresigner
from v8box.storage import Database


@dataclass
class World:
    """All of it. `client(who)` asks as somebody; `presigner.clock` may be turned."""

    app: ASGIApp
    store: EmbeddedObjects
    operations: Operations
    client: Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]
    ahead: list[float]
    """Seconds by which the S3 API's clock is turned."""


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    """With a bucket `photos` in the project `default`."""
    import time

    monkeypatch.setenv("NO_PROXY", "*")
    store = EmbeddedObjects(tmp_path / "objects", default_bucket="v8box", limits=ObjectLimits())
    await store.start()
    database = await Database.open(tmp_path / "catalog.db")
    operations = await Operations.open(database)
    keys = await AccessKeys.open(database, tmp_path / "keys" / "s3.key")
    ahead = [0.0]
    api = S3Api(store, keys, clock=lambda: time.time() + ahead[0])

    async def mounted(scope: Any, receive: Any, send: Any) -> None:
        scope["root_path"] = "/s3"
        scope["request_id"] = "request-1"
        await api(scope, receive, send)

    async with serving(mounted) as port:
        app = build_api(
            [
                routes.build_router(store),
                links.build_router(store, UrlPresigner(keys.box_key, f"http://127.0.0.1:{port}/s3")),
                uploads.build_router(store),
                clearing.build_router(store, operations),
                operation_routes.build_router(operations),
            ],
            project_exists=any_project,
        )

        @asynccontextmanager
        async def client(who: Principal = OWNER) -> AsyncIterator[httpx.AsyncClient]:
            transport = httpx.ASGITransport(app=signed_in(app, who))
            base = "http://localhost/admin/s3/"
            async with httpx.AsyncClient(transport=transport, base_url=base, timeout=30) as opened:
                yield opened

        async with client() as owner:
            (await owner.post("buckets", json={"name": "photos"})).raise_for_status()
        yield World(app, store, operations, client, ahead)
    await operations.close()
    await keys.stop()
    await database.close()
    await store.stop()
