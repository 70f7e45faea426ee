"""A clock that a test sets, runs, and rollups in a folder of their own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from v8box.telemetry.metrics.counters import Counters
from v8box.telemetry.metrics.custom import Custom
from v8box.telemetry.metrics.rollups import Rollups
from v8box.telemetry.metrics.store import MetricsStore
from v8box.telemetry.records import LineRecord, RunRecord

HOUR_BEGINS = 1_800_000_000  # at a full hour, as 1_800_000_000 % 3_600 is 0
MB = 1_048_576


class Time:
    """`clock` of everything that takes one."""

    def __init__(self, now: float = HOUR_BEGINS) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def run(worker: str = "hello", **more: Any) -> RunRecord:
    """A run that took 12 ms and was well, but for what is said."""
    fields: dict[str, Any] = {
        "id": "r",
        "request_id": "r",
        "time": float(HOUR_BEGINS),
        "worker": worker,
        "version": "v1",
        "trigger": "http",
        "method": "GET",
        "path": "/",
        "status": 200,
        "outcome": "ok",
        "duration": 12.0,
        "cold": 0.0,
        "cpu": 1.0,
        "bytes_out": 100,
        "client": "192.0.2.1",
    }
    return RunRecord(**{**fields, **more})


class Kept:
    """Counters, and the rollups that are made of them; `second` lets a second end."""

    def __init__(self, folder: Path, budget: int = 64 * MB) -> None:
        self.time = Time()
        self._path = folder / "metrics.db"
        self._budget = budget
        self.lines: list[LineRecord] = []
        self.counters: Counters
        self.custom: Custom
        self.rollups: Rollups
        self.store: MetricsStore

    async def open(self) -> None:
        self.counters = Counters(clock=self.time)
        self.custom = Custom(self.lines.append, clock=self.time)
        self.store = await MetricsStore.open(self._path, self._budget)
        self.rollups = Rollups(self.counters, self.store, custom=self.custom, clock=self.time)

    async def second(self, count: int = 1) -> None:
        for _ in range(count):
            self.time.now += 1
            await self.rollups.tick()

    async def minute(self) -> None:
        """On to the first second of the next minute, with what ended written down."""
        await self.second()
        self.time.now = self.time.now // 60 * 60 + 61
        await self.rollups.tick()
        await self.rollups.write()


@pytest.fixture
async def kept(tmp_path: Path) -> AsyncIterator[Kept]:
    made = Kept(tmp_path)
    await made.open()
    yield made
    await made.rollups.close()
