"""Kill reports behind their API, fed by the test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.fakes.principals import any_project, signed_in

from v8box.api.app import build_api
from v8box.features.kills.routes import build_router
from v8box.features.kills.service import KillReports
from v8box.storage import Database
from v8box.telemetry.feed import Feed
from v8box.telemetry.records import CurvePoint, DeathRecord, LineRecord, RunningRecord, RunRecord


class Box:
    def __init__(self, database: Database, kills: KillReports) -> None:
        self.database = database
        self.now = 1_000_000.0
        self.kills = kills
        self.feed = Feed()
        kills.listen(self.feed)
        self._number = 0
        app = build_api([build_router(kills)], project_exists=any_project)
        transport = httpx.ASGITransport(signed_in(app))
        self.client = httpx.AsyncClient(transport=transport, base_url="http://box/api/v1/projects/")

    def dies(self, reason: str = "memory", **more: Any) -> DeathRecord:
        """A sandbox ends."""
        self._number += 1
        values: dict[str, Any] = {"limit": 128, "used": 130.0, "id": f"kill{self._number}", **more}
        worker = values.pop("worker", "hello")
        version = values.pop("version", f"{worker}-1")
        death = DeathRecord(self.now, worker, version, reason, "it was too much", **values)
        self.feed.death(death)
        return death

    def prints(self, text: str, **more: Any) -> None:
        self.feed.line(LineRecord(self.now, "r1", "hello", "hello-1", "info", text, **more))

    def runs_well(self, **more: Any) -> None:
        values: dict[str, Any] = {"cpu": 1.0, "duration": 2.0, **more}
        record = RunRecord(
            "r", "r", self.now, "hello", "hello-1", "http", "GET", "/", 200, "ok", values.pop("duration"), 0.0,
            values.pop("cpu"), 0, "", **values,
        )  # fmt: skip
        self.feed.run(record)

    async def list(self, **wanted: Any) -> list[Any]:
        answer = await self.client.get("default/kills", params=wanted)
        assert answer.status_code == 200, answer.text
        return list(answer.json()["items"])

    async def show(self, kill_id: str) -> Any:
        answer = await self.client.get(f"default/kills/{kill_id}")
        assert answer.status_code == 200, answer.text
        return answer.json()


def a_run(run_id: str = "r1", **more: Any) -> RunningRecord:
    return RunningRecord(run_id, "GET", "/a", 1500.0, 20.0, **more)


def grows(*megabytes: float, seconds: float = 1.0) -> list[CurvePoint]:
    """A curve with these looks, the last at the end."""
    first = len(megabytes) - 1
    return [
        CurvePoint((index - first) * seconds * 1000, 0.5, int(each * 1024 * 1024), 1)
        for index, each in enumerate(megabytes)
    ]


@pytest.fixture
async def box(tmp_path: Path) -> AsyncIterator[Box]:
    database = await Database.open(tmp_path / "catalog.db")
    made: Box

    def clock() -> float:
        return made.now

    made = Box(database, await KillReports.open(database, clock=clock))
    yield made
    await made.client.aclose()
    await made.kills.close()
    await database.close()
