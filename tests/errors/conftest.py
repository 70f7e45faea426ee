"""Error groups on a real database, fed by a real feed, and their API, called as its owner."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.fakes.principals import signed_in

from v8box.api.app import build_api
from v8box.features.errors import Errors, Group
from v8box.features.errors.routes import build_router
from v8box.storage import Database
from v8box.telemetry import audit
from v8box.telemetry.feed import Feed
from v8box.telemetry.records import DeathRecord, LineRecord, RunError, RunRecord

NOW = 1_800_000_000.0
STACK = "    at find (functions/shop.ts:10:5)\n    at default (functions/shop.ts:3:3)"


class Versions:
    """Knows `v1` to `v9` by their names."""

    def __init__(self) -> None:
        self.live: dict[str, float] = {}
        self.sources: dict[str, bytes] = {}

    async def number(self, project: str, worker: str, version: str) -> int:
        return int(version[1:]) if version[1:].isdigit() else 0

    async def live_since(self, project: str, worker: str, environment: str, version: str) -> float:
        return self.live.get(version, 0.0)

    async def source(self, project: str, worker: str, version: str, path: str) -> bytes | None:
        return self.sources.get(f"{version}/{path}")


async def exists(project: str) -> bool:
    return project in ("default", "acme")


class Box:
    def __init__(self, database: Database, errors: Errors, versions: Versions, clock: list[float]) -> None:
        self.database = database
        self.errors = errors
        self.versions = versions
        self.clock = clock
        self.feed = Feed()
        errors.listen(self.feed)
        self.new: list[Group] = []
        self.regressed: list[Group] = []
        errors.on_new_group(self.new.append)
        errors.on_regressed(self.regressed.append)
        app = build_api([build_router(errors, versions.source, lambda _: [])], project_exists=exists)
        transport = httpx.ASGITransport(signed_in(app))
        self.client = httpx.AsyncClient(transport=transport, base_url="http://box/api/v1/projects/default/")
        self._runs = 0

    def throw(
        self,
        name: str = "TypeError",
        message: str = "no such thing",
        stack: str = STACK,
        *,
        worker: str = "shop",
        version: str = "v1",
        environment: str = "production",
        project: str = "default",
        status: int = 500,
        outcome: str = "exception",
        at: float | None = None,
    ) -> str:
        """Gives the run's id."""
        self._runs += 1
        run = f"r{self._runs}"
        record = RunRecord(
            run, run, at or self.clock[0], worker, version, "http", "GET", "/", status, outcome, 1.0, 0, 0, 0, ""
        )
        record.environment, record.project = environment, project
        record.error = RunError(name, message, stack)
        self.feed.run(record)
        return run

    def end(self, outcome: str, status: int = 504, worker: str = "shop", version: str = "v1") -> None:
        """A run that was ended."""
        self._runs += 1
        run = f"r{self._runs}"
        self.feed.run(
            RunRecord(run, run, self.clock[0], worker, version, "http", "GET", "/", status, outcome, 1.0, 0, 0, 0, "")
        )

    def die(self, reason: str, detail: str = "it died", worker: str = "shop", version: str = "v1") -> None:
        self.feed.death(DeathRecord(self.clock[0], worker, version, reason, detail))

    def say(self, text: str, level: str = "error", *, run: str | None = "r1", thrown: bool = False) -> None:
        record = LineRecord(self.clock[0], run, "shop", "v1", level, text)
        record.thrown = thrown
        self.feed.line(record)

    async def look(self, **query: Any) -> list[dict[str, Any]]:
        await self.errors.flush()
        response = await self.client.get("errors", params=query)
        assert response.status_code == 200, response.text
        items: list[dict[str, Any]] = response.json()["items"]
        return items

    async def one(self, **query: Any) -> dict[str, Any]:
        """The only one."""
        (item,) = await self.look(**query)
        return item

    async def detail(self, error_id: str) -> dict[str, Any]:
        response = await self.client.get(f"errors/{error_id}")
        assert response.status_code == 200, response.text
        found: dict[str, Any] = response.json()
        return found

    async def set(self, error_id: str, state: str, **more: Any) -> httpx.Response:
        return await self.client.patch(f"errors/{error_id}", json={"state": state, **more})

    async def audited(self) -> list[tuple[str, str]]:
        rows = await self.database.read(lambda sql: sql.rows("select action, resource from audit order by number"))
        return [(str(action), str(resource)) for action, resource in rows]


@pytest.fixture
async def box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Box]:
    clock = [NOW]
    monkeypatch.setattr("time.time", lambda: clock[0])
    database = await Database.open(tmp_path / "catalog.db")
    await audit.open_audit(database)
    versions = Versions()
    errors = await Errors.open(database, versions, days=90, clock=lambda: clock[0])
    made = Box(database, errors, versions, clock)
    yield made
    await made.client.aclose()
    await errors.close()
    await database.close()
