"""Keeps kill reports: hears of ends on the loop, writes them down a moment later, within bounds.

What is killed again and again for the same reason is one report with a count. A disk that is full loses reports, and
says so; nothing waits for them.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from v8box.errors import NotFound
from v8box.features.kills.advice import advise
from v8box.features.kills.observed import LastLines, Needs
from v8box.features.kills.report import Report
from v8box.storage import Database, DatabaseError, Row, Transaction, load_migrations, load_queries
from v8box.storage.database import Value
from v8box.telemetry.feed import Feed
from v8box.telemetry.records import DeathRecord

logger = logging.getLogger(__name__)

FLUSH_SECONDS: Final = 0.5
"""Also how long lines that were printed just before an end have to arrive: their stacks are mapped off the loop."""
AGAIN_SECONDS: Final = 60.0
"""An end within so long of the last one of its kind is counted with it."""
COUNTED_SECONDS: Final = 600.0
"""Then a new report begins, so that one that never stops is not the one of last week."""
MOST_OF_WORKER: Final = 100
MOST: Final = 2_000
KEPT_SECONDS: Final = 30 * 86_400.0
_MAX_OPEN: Final = 500
_MAX_RUNS: Final = 200
"""Runs of a report by which it can be found."""

_queries: Final = load_queries("v8box.features.kills")
_encode: Final = msgspec.json.encode
_decode: Final = msgspec.json.Decoder(Report).decode


class KillNotFound(NotFound):
    """The project has no kill report with this id: the oldest go first."""

    code = "kill_not_found"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kill:
    """A report's row: `count` ends of one kind, the last at `at`."""

    number: int
    id: str
    project: str
    environment: str
    worker: str
    version: str
    reason: str
    detail: str
    limit: float | None
    used: float | None
    first_at: float
    at: float
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which reports are wanted; None: any."""

    project: str
    worker: str | None = None
    environment: str | None = None
    reason: str | None = None
    since: float | None = None
    run: str | None = None


class _Open:
    """A report that may still be counted up."""

    __slots__ = ("about", "at", "count", "first", "new_runs", "runs", "told", "written", "written_count")

    def __init__(self, first: DeathRecord) -> None:
        self.first = first
        self.about = first
        """The one that the report tells of: the first, or the first that could be looked into."""
        self.told = False
        self.at = first.time
        self.count = 1
        self.runs = 0
        self.new_runs: list[str] = []
        self.written = False
        self.written_count = 0


class KillReports:
    """`open` it, let it `listen`, let `write_forever` run, `close` it."""

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock
        self._lines = LastLines()
        self._needs = Needs()
        self._open: dict[tuple[str, ...], _Open] = {}
        self._done: list[_Open] = []
        """No longer counted up, but not yet as it is on the disk."""
        self._writing = asyncio.Lock()
        self.lost = 0

    @classmethod
    async def open(cls, database: Database, *, clock: Callable[[], float] = time.time) -> KillReports:
        """Brings the tables up to date."""
        await database.migrate("kills", load_migrations("v8box.features.kills"))
        return cls(database, clock)

    def listen(self, feed: Feed) -> None:
        feed.on_line(self._lines.take)
        feed.on_runs(self._needs.take)
        feed.on_death(self.take)

    # ---- hearing

    def take(self, death: DeathRecord) -> None:
        """Something ended: a new report, or one more of the same."""
        if death.reason in ("recycled", "evicted"):
            return
        key = (death.project, death.environment, death.worker, death.version, death.reason, str(death.whole))
        report = self._open.get(key)
        if report is not None and self._is_over(report, death.time):
            self._done.append(self._open.pop(key))
            report = None
        if report is None:
            if len(self._open) + len(self._done) >= _MAX_OPEN:
                self.lost += 1
                return
            report = self._open[key] = _Open(death)
        else:
            report.count += 1
            report.at = death.time
            if death.stack and not report.about.stack:
                report.about, report.told = death, False
        for run in death.runs:
            if report.runs < _MAX_RUNS:
                report.runs += 1
                report.new_runs.append(run.id)

    @staticmethod
    def _is_over(report: _Open, now: float) -> bool:
        return now - report.at > AGAIN_SECONDS or now - report.first.time > COUNTED_SECONDS

    # ---- writing

    async def write_forever(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            await self.flush()

    async def close(self) -> None:
        await self.flush()

    async def flush(self) -> None:
        """Writes what is new. What cannot be written is tried again until it is too old to be counted up."""
        async with self._writing:
            now = self._clock()
            over = [key for key, report in self._open.items() if self._is_over(report, now)]
            self._done += [self._open.pop(key) for key in over]
            done, self._done = self._done, []
            changed = [each for each in (*done, *self._open.values()) if each.count != each.written_count]
            if not changed:
                return
            batch = [self._prepared(each) for each in changed]
            try:
                await self._database.write(lambda sql: _write(sql, batch, now))
            except DatabaseError as error:
                self.lost += sum(1 for each in done if not each.written)
                logger.error("kill reports cannot be written: %s", error)
                return
            for report, prepared in zip(changed, batch, strict=True):
                report.written, report.written_count = True, prepared.count
                report.told = report.about is prepared.about
                del report.new_runs[: len(prepared.runs)]

    def _prepared(self, report: _Open) -> _Prepared:
        """What the transaction needs; it runs in another thread, while the report may be counted up here."""
        death, about = report.first, report.about
        told = None if report.told and report.written else _encode(self._report(about)).decode()
        row: dict[str, Value] = {"id": death.id, "at": report.at, "count": report.count, "report": told}
        if not report.written:
            row |= {
                "project": death.project,
                "environment": death.environment,
                "worker": death.worker,
                "version": death.version,
                "reason": death.reason,
                "detail": death.detail,
                "limit": death.limit,
                "used": death.used,
                "first_at": death.time,
            }
        return _Prepared(row, list(report.new_runs), new=not report.written, count=report.count, about=about)

    def _report(self, death: DeathRecord) -> Report:
        advice, suggestion = advise(death, self._needs.of(death.version))
        return Report(
            whole=death.whole,
            runs=death.runs,
            run_count=death.run_count,
            curve=death.curve,
            lines=self._lines.of(death.project, death.environment, death.worker),
            advice=[str(each) for each in advice],
            said=[part for each in advice for part in each.parts],
            suggestion=suggestion,
            exit_code=death.exit_code,
            signal=death.signal,
            cpu_seconds=death.cpu_seconds,
            peak_memory=death.peak_memory,
            last_output=death.last_output,
            stack=death.stack,
        )

    # ---- looking

    async def list(self, wanted: Filter, *, below: int | None, limit: int) -> Sequence[Kill]:
        """Newest first."""
        await self.flush()
        values: dict[str, Value] = {name: getattr(wanted, name) for name in Filter.__slots__}
        values |= {"below": below, "limit": limit}
        rows = await self._database.read(lambda sql: sql.rows(_queries["newest"], values))
        return [_kill(row) for row in rows]

    async def get(self, project: str, kill_id: str) -> tuple[Kill, Report]:
        """Raises `KillNotFound`."""
        await self.flush()
        row = await self._database.read(lambda sql: sql.row(_queries["one"], {"project": project, "id": kill_id}))
        if row is None:
            raise KillNotFound
        *columns, report = row
        return _kill(columns), _decode(str(report))

    async def forget_project(self, project: str) -> None:
        """With the project go its reports."""
        self._open = {key: report for key, report in self._open.items() if key[0] != project}
        await self._database.write(lambda sql: _forget(sql, project))


@dataclass(frozen=True, slots=True)
class _Prepared:
    row: dict[str, Value]
    runs: list[str]
    new: bool
    count: int
    about: DeathRecord


def _write(sql: Transaction, batch: Sequence[_Prepared], now: float) -> None:
    workers = set()
    for each in batch:
        sql.execute(_queries["insert" if each.new else "repeat"], each.row)
        if each.new:
            workers.add((each.row["project"], each.row["worker"]))
        number = sql.row(_queries["number_of"], {"id": each.row["id"]})
        if number is not None:
            for run in each.runs:
                sql.execute(_queries["insert_run"], {"run": run, "kill": number[0]})
    for project, worker in workers:
        sql.execute(_queries["prune_worker"], {"project": project, "worker": worker, "most": MOST_OF_WORKER})
    if workers:
        sql.execute(_queries["prune_old"], {"before": now - KEPT_SECONDS})
        sql.execute(_queries["prune_all"], {"most": MOST})
        sql.execute(_queries["prune_runs"])


def _forget(sql: Transaction, project: str) -> None:
    sql.execute(_queries["forget_project"], {"project": project})
    sql.execute(_queries["prune_runs"])


def _kill(row: Row | Sequence[Any]) -> Kill:
    number, id, project, environment, worker, version, reason, detail, limit, used, first_at, at, count = row
    return Kill(
        number=int(str(number)),
        id=str(id),
        project=str(project),
        environment=str(environment),
        worker=str(worker),
        version=str(version),
        reason=str(reason),
        detail=str(detail),
        limit=_number(limit),
        used=_number(used),
        first_at=float(str(first_at)),
        at=float(str(at)),
        count=int(str(count)),
    )


def _number(value: object) -> float | None:
    return None if value is None else float(str(value))
