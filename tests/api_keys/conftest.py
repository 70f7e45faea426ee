"""The API of one box's keys, called as its owner."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from tests.fakes.principals import signed_in

from v8box.api.app import build_api
from v8box.features.api_keys.routes import build_router
from v8box.features.api_keys.service import ApiKeys
from v8box.gateway.policies.counts import Counts
from v8box.storage import Database
from v8box.telemetry import audit

PROJECTS = ("default", "acme")


async def exists(project: str) -> bool:
    return project in PROJECTS


class Box:
    def __init__(self, database: Database, keys: ApiKeys) -> None:
        self.database = database
        self.keys = keys
        self.counts = Counts()
        router = build_router(self.keys, self.counts, lambda project: project in PROJECTS)
        app = build_api([router], project_exists=exists)
        transport = httpx.ASGITransport(signed_in(app))
        self.client = httpx.AsyncClient(transport=transport, base_url="http://box/api/v1/projects/")

    async def make(self, project: str = "default", **body: object) -> httpx.Response:
        return await self.client.post(f"{project}/api-keys", json={"name": "ci", **body})

    async def actions(self) -> list[str]:
        rows = await self.database.read(lambda sql: sql.rows("select action from audit order by number"))
        return [str(row[0]) for row in rows]


@pytest.fixture
async def box(tmp_path: Path) -> AsyncIterator[Box]:
    database = await Database.open(tmp_path / "catalog.db")
    await audit.open_audit(database)
    made = Box(database, await ApiKeys.open(database))
    yield made
    await made.client.aclose()
    await made.keys.close()
    await database.close()
