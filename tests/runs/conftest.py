"""The routes on runs, fed by the test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.fakes.principals import any_project, signed_in
from tests.fakes.records import a_line, a_run

from v8box.api.app import build_api
from v8box.features.runs.routes import build_router
from v8box.telemetry.intake import Intake
from v8box.telemetry.records import RunRecord
from v8box.telemetry.ring import Rings
from v8box.telemetry.store import RunStore
from v8box.telemetry.tail import Tail


class Box:
    """A store and its API."""

    def __init__(self, store: RunStore) -> None:
        rings = Rings()
        self.store = store
        self.log = Intake(store, rings)
        self.api = build_api([build_router(store, Tail(store, rings))], project_exists=any_project)
        self.app = signed_in(self.api)
        transport = httpx.ASGITransport(self.app)
        self.client = httpx.AsyncClient(transport=transport, base_url="http://box/api/v1/projects/")

    def run(self, **fields: Any) -> RunRecord:
        record = a_run(fields.pop("at", None), **fields)
        self.log.runs([record])
        return record

    def line(self, text: str, **fields: Any) -> None:
        self.log.line(a_line(text, fields.pop("at", None), **fields))

    async def get(self, address: str, **wanted: Any) -> Any:
        answer = await self.client.get(address, params=wanted)
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture
async def box(tmp_path: Path) -> AsyncIterator[Box]:
    store = await RunStore.open(tmp_path / "logs", budget_bytes=1 << 24, days=36_500)
    made = Box(store)
    yield made
    await made.client.aclose()
    await store.close()
