"""What charts ask: a stretch of time in steps, the busiest workers, and each second as it ends."""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from v8box.catalog.model import WorkerChange
from v8box.errors import BadRequest, V8BoxError
from v8box.features.metrics import charts
from v8box.features.metrics.gauges import BOX_GAUGES
from v8box.kit.times import rfc3339
from v8box.telemetry.metrics.figures import Figures, Key
from v8box.telemetry.metrics.rollups import LIVE_SECONDS, Rollups, Second, with_totals
from v8box.telemetry.metrics.store import HOUR, KEEP_SECONDS, MINUTE

MAX_READERS: Final = 64
MAX_MARKERS: Final = 200
_FINE_STEPS: Final = (1, 5, 10, 15, 30)
_QUEUED_SECONDS: Final = 30
"""So many seconds wait for a reader; one that is slower misses some."""
_SILENCE_SECONDS: Final = 15.0
_LONG_SECONDS: Final = 6 * HOUR
"""What is longer is added up from the hours."""

Changes = Callable[..., Awaitable[Sequence[WorkerChange]]]
"""`Catalog.changes`."""


class TooManyReaders(V8BoxError):
    """Too many are watching metrics at this moment. Close one, or try again later."""

    status = 429
    code = "too_many_readers"


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Whose figures are wanted; None: all of them. Without a project, the box's."""

    project: str | None
    worker: str | None = None
    environment: str | None = None
    version: str | None = None
    trigger: str | None = None

    @property
    def is_total(self) -> bool:
        return not (self.worker or self.version or self.trigger)

    def matches(self, key: Key) -> bool:
        if key.name or self.project not in (None, key.project):
            return False
        if self.is_total:
            return not key.worker and (key.project, key.environment) == (self.project or "", self.environment or "")
        return (
            bool(key.worker)
            and self.worker in (None, key.worker)
            and self.environment in (None, key.environment)
            and self.version in (None, key.version)
            and (self.trigger is None or key.trigger in ("", self.trigger))
        )

    def of_worker(self, key: Key) -> bool:
        """Whether it is of a worker among them."""
        return (
            not key.name
            and bool(key.worker)
            and self.project in (None, key.project)
            and self.worker in (None, key.worker)
            and self.environment in (None, key.environment)
        )


class Metrics:
    """Reads the rollups."""

    def __init__(self, rollups: Rollups, changes: Changes, *, clock: Callable[[], float] = time.time) -> None:
        self.rollups = rollups
        self._changes = changes
        self.clock = clock
        self._readers = 0

    # ---- a stretch of time

    async def chart(self, wanted: Selection, since: float, until: float, step: int | None) -> dict[str, Any]:
        """Times, a value for each in every field, the sum of all, and what was deployed meanwhile."""
        begin, end, step = self.stretch(since, until, step)
        by_time = await self._by_time(wanted, begin, end, step)
        times = range(begin, end, step)
        found = charts.series(times, by_time)
        return {
            "project": wanted.project,
            "worker": wanted.worker,
            "environment": wanted.environment,
            "version": wanted.version,
            "from": rfc3339(begin),
            "to": rfc3339(end),
            "step_seconds": step,
            "times": [rfc3339(at) for at in times],
            "series": found,
            "box": None if wanted.project is not None else box_series(times, by_time),
            "totals": charts.totals(_added(by_time.values())),
            "markers": await self._markers(wanted, begin, end),
        }

    def stretch(self, since: float, until: float, step: int | None) -> tuple[int, int, int]:
        """What is shown of it: begin, end and step, in whole steps. Raises `BadRequest`."""
        now = self.clock()
        since = max(since, now - KEEP_SECONDS)
        until = min(until, now)
        if until <= since:
            raise BadRequest("`from` has to be before `to`, and not in the future.")
        step = charts.good_step(until - since) if step is None else step
        if step < MINUTE:
            if step not in _FINE_STEPS:
                raise BadRequest("A step is 1, 5, 10, 15 or 30 seconds, or whole minutes.")
            if since < now - LIVE_SECONDS - step:
                raise BadRequest(f"Seconds are there for the last {LIVE_SECONDS} s only: take a step of 60 or more.")
        elif step % MINUTE or (step > HOUR and step % HOUR):
            raise BadRequest("A step is 1, 5, 10, 15 or 30 seconds, whole minutes, or beyond an hour whole hours.")
        begin, end = int(since // step) * step, math.ceil(until / step) * step
        if (end - begin) // step > charts.MAX_POINTS:
            raise BadRequest(
                f"These are {(end - begin) // step} points, {charts.MAX_POINTS} at most: take a larger step."
            )
        return begin, end, step

    async def _by_time(self, wanted: Selection, begin: int, end: int, step: int) -> dict[int, Figures]:
        found: dict[int, Figures] = {}
        if step < MINUTE:
            for second, all_ in self.rollups.seconds(begin):
                if second < end and (figures := _of_second(wanted, all_)) is not None:
                    found.setdefault(second - second % step, Figures()).add(figures)
            return found
        read = await self.rollups.read(wanted.matches, begin, end, step)
        for (_, at), figures in sorted(read.items(), key=lambda each: each[0][1]):
            found.setdefault(at, Figures()).add(figures)
        return found

    async def _markers(self, wanted: Selection, begin: int, end: int) -> list[dict[str, Any]]:
        if wanted.project is None:
            return []
        found = await self._changes(
            wanted.project,
            datetime.fromtimestamp(begin, UTC),
            datetime.fromtimestamp(end, UTC),
            worker=wanted.worker,
            environment=wanted.environment,
            limit=MAX_MARKERS,
        )
        return [
            {
                "at": rfc3339(each.entry.at),
                "worker": each.worker,
                "environment": each.environment,
                "change": each.entry.change,
                "version": each.entry.version,
                "version_number": each.version_number,
                "deployment": each.entry.number,
                "by": each.entry.by,
                "message": each.entry.message,
            }
            for each in reversed(found)
        ]

    # ---- who does most

    async def top(self, wanted: Selection, since: float, until: float, by: str, limit: int) -> list[dict[str, Any]]:
        """The workers with most of a field, each with its sums; by worker and environment."""
        begin, end, _ = self.stretch(since, until, MINUTE if until - since <= _LONG_SECONDS else None)
        step = MINUTE if end - begin <= _LONG_SECONDS + MINUTE else HOUR
        if step == HOUR:
            begin -= begin % HOUR
        read = await self.rollups.read(wanted.of_worker, begin, end, step)
        found: dict[tuple[str, str, str], Figures] = {}
        for (key, _at), figures in read.items():
            found.setdefault((key.project, key.worker, key.environment), Figures()).add(figures)
        rows = [
            {"project": project, "worker": worker, "environment": environment, **charts.totals(figures)}
            for (project, worker, environment), figures in found.items()
        ]
        rows.sort(key=lambda row: (-(row[by] or 0), row["project"], row["worker"], row["environment"]))
        return rows[:limit]

    # ---- each second as it ends

    async def live(self, wanted: Selection, past_seconds: int) -> AsyncIterator[dict[str, Any] | None]:
        """None at once; then the last seconds, and each one as it ends. None: nothing for so long that a connection
        might be cut. Raises `TooManyReaders`."""
        if self._readers >= MAX_READERS:
            raise TooManyReaders
        self._readers += 1
        queue: deque[tuple[int, Second]] = deque(
            self.rollups.seconds(self.clock() - past_seconds), maxlen=max(past_seconds, _QUEUED_SECONDS)
        )
        arrived = asyncio.Event()

        def take(second: int, found: Second) -> None:
            queue.append((second, found))
            arrived.set()

        stop = self.rollups.watch(take)
        try:
            yield None
            while True:
                while queue:
                    second, found = queue.popleft()
                    yield _shown(wanted, second, found)
                arrived.clear()
                try:
                    async with asyncio.timeout(_SILENCE_SECONDS):
                        await arrived.wait()
                except TimeoutError:
                    yield None
        finally:
            stop()
            self._readers -= 1


def _of_second(wanted: Selection, found: Second) -> Figures | None:
    counted = with_totals(found) if wanted.is_total else found
    matching = [figures for key, figures in counted.items() if wanted.matches(key)]
    return _added(matching) if matching else None


def _shown(wanted: Selection, second: int, found: Second) -> dict[str, Any]:
    return {"time": rfc3339(second), **charts.totals(_of_second(wanted, found) or Figures())}


def _added(found: Any) -> Figures:
    sum_ = Figures()
    for each in found:
        sum_.add(each)
    return sum_


def box_series(times: Sequence[int], by_time: Mapping[int, Figures]) -> dict[str, list[Any]]:
    """What the box itself was at each time: the most of each gauge."""
    return {name: [_peak(by_time.get(at), name) for at in times] for name in BOX_GAUGES}


def _peak(figures: Figures | None, name: str) -> float | None:
    return None if figures is None else figures.peaks.get(name)
