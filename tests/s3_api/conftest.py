"""The S3 API on the embedded store, served by the box's own HTTP server under both of its addresses."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiobotocore.config import AioConfig  # type: ignore[import-untyped]
from aiobotocore.session import get_session  # type: ignore[import-untyped]
from tests.servers.asgi import serving

from v8box.bindings.s3.embedded import EmbeddedObjects
from v8box.features.s3_api import AccessKeys, S3Api, UrlPresigner
from v8box.storage import Database

PROJECT = "one"


class Clock:
    """The time at which the test began, which it may turn."""

    def __init__(self) -> None:
        self.began = time.time()
        self.ahead = 0.0

    def __call__(self) -> float:
        return self.began + self.ahead


@dataclass
class Box:
    """What is served, and how to reach it."""

    port: int
    store: EmbeddedObjects
    keys: AccessKeys
    clock: Clock
    database: Database
    key_id: str = ""
    secret: str = ""

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def path_endpoint(self) -> str:
        return f"{self.endpoint}/s3"

    def presigner(self, base_url: str | None = None) -> UrlPresigner:
        return UrlPresigner(self.keys.box_key, base_url or self.endpoint, clock=self.clock)

    @asynccontextmanager
    async def client(self, *, path_mode: bool = False, **options: Any) -> AsyncIterator[Any]:
        """The official Python SDK, as its documentation says, but for the address."""
        config = {"signature_version": "s3v4", "s3": {"addressing_style": "path"}, "retries": {"max_attempts": 1}}
        config.update(options.pop("config", {}))
        async with get_session().create_client(
            "s3",
            endpoint_url=self.path_endpoint if path_mode else self.endpoint,
            aws_access_key_id=options.pop("key_id", self.key_id),
            aws_secret_access_key=options.pop("secret", self.secret),
            region_name=options.pop("region", "us-east-1"),
            config=AioConfig(**config),
            **options,
        ) as client:
            yield client


@asynccontextmanager
async def serve(api: S3Api) -> AsyncIterator[int]:
    """As the gateway hands requests over: on a host of its own, or below `/s3`."""

    async def mounted(scope: Any, receive: Any, send: Any) -> None:
        scope["root_path"] = "/s3" if scope["raw_path"].startswith(b"/s3/") or scope["raw_path"] == b"/s3" else ""
        scope["request_id"] = "request-1"
        await api(scope, receive, send)

    async with serving(mounted) as port:
        yield port


@pytest.fixture
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.delenv("AWS_PROFILE", raising=False)


@pytest.fixture
async def box(tmp_path: Path, no_proxy: None) -> AsyncIterator[Box]:
    store = EmbeddedObjects(tmp_path / "objects")
    await store.start()
    database = await Database.open(tmp_path / "catalog.db")
    clock = Clock()
    keys = await AccessKeys.open(database, tmp_path / "keys" / "s3.key", clock=clock)
    api = S3Api(store, keys, max_body_bytes=64 * 1024 * 1024, clock=clock)
    async with serve(api) as port:
        box = Box(port, store, keys, clock, database)
        key, box.secret = await keys.create(PROJECT, "tests")
        box.key_id = key.id
        yield box
    await keys.stop()
    await database.close()
    await store.stop()
