"""The application on real embedded databases, served by the server that the box uses; and a client in one line."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.servers.asgi import serving

from v8box.bindings.db.embedded import EmbeddedDatabases
from v8box.bindings.db.interface import DatabaseId, DbLimits
from v8box.features.hrana import HranaApp, HranaLimits, Tokens
from v8box.storage import Database


async def launch(argv: Sequence[str], stdin: int | None, env: Mapping[str, str]) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(*argv, stdin=stdin, env=dict(env))


async def until(condition: Callable[[], bool]) -> None:
    """Waits until it holds."""
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - what it looks at has no event
            await asyncio.sleep(0.01)


@dataclass
class World:
    """A served application with two databases, `default` and `crm`, in the project `one`."""

    app: HranaApp
    tokens: Tokens
    databases: EmbeddedDatabases
    port: int
    http: httpx.AsyncClient

    async def token(self, *names: str, project: str = "one", access: Any = "write", **options: Any) -> str:
        """The text of a new token for these databases; for all of the project when none is named."""
        _, text = await self.tokens.create(project, label="test", access=access, databases=names or None, **options)
        return text

    async def post(self, path: str, body: Any, token: str | None) -> httpx.Response:
        headers = {"authorization": f"Bearer {token}"} if token else {}
        content = body if isinstance(body, bytes) else None
        return await self.http.post(path, json=None if content is not None else body, content=content, headers=headers)

    async def pipeline(self, token: str, *requests: Any, baton: str | None = None, path: str = "") -> Any:
        """The decoded answer to a pipeline; a plain text is an `execute`."""
        full = [
            {"type": "execute", "stmt": {"sql": request}} if isinstance(request, str) else request
            for request in requests
        ]
        answer = await self.post(f"{path}/v2/pipeline", {"baton": baton, "requests": full}, token)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def value(self, token: str, sql: str) -> Any:
        """The first value of the first row."""
        (result,) = (await self.pipeline(token, sql))["results"]
        return result["response"]["result"]["rows"][0][0].get("value")


MakeWorld = Callable[..., Any]


@pytest.fixture
def make_world(tmp_path: Path) -> MakeWorld:
    @asynccontextmanager
    async def make(
        *, limits: HranaLimits | None = None, db_limits: DbLimits | None = None, root_path: str = ""
    ) -> AsyncIterator[World]:
        database = await Database.open(tmp_path / "catalog.db")
        tokens = await Tokens.open(database)
        databases = EmbeddedDatabases(tmp_path / "databases", launch, limits=db_limits, engines=1)
        await databases.start()
        await databases.create(DatabaseId("one", "crm"))
        app = HranaApp(databases, tokens, limits=limits)

        async def mounted(scope: Any, receive: Any, send: Any) -> None:
            await app({**scope, "root_path": root_path}, receive, send)

        async with (
            serving(mounted, backpressure=1024) as port,
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}{root_path}", timeout=60) as http,
        ):
            try:
                yield World(app, tokens, databases, port, http)
            finally:
                await app.stop()
                assert len(app.streams) == 0
                await databases.stop()
                await tokens.close()
                await database.close()

    return make


@pytest.fixture
async def world(make_world: MakeWorld) -> AsyncIterator[World]:
    async with make_world() as made:
        yield made
