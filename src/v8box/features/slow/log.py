"""Counts slow runs by worker, method and pattern of paths. Hears of runs on the loop, works a moment later.

A day's figures are in memory and go to the disk now and then; what comes faster than it can be counted is left out, and
that is counted too.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import msgspec

from v8box.features.slow.figures import Figures
from v8box.features.slow.patterns import pattern_of
from v8box.storage import Database, DatabaseError, Transaction, load_migrations, load_queries
from v8box.storage.database import Value
from v8box.telemetry.feed import Feed
from v8box.telemetry.records import RunRecord

logger = logging.getLogger(__name__)

COUNT_SECONDS: Final = 0.5
WRITE_SECONDS: Final = 10.0
KEPT_DAYS: Final = 14
MAX_GROUPS: Final = 2_000
"""In all projects on one day; what does not fit is counted under the pattern `…` of its worker."""
MAX_OF_PROJECT: Final = 1_000
"""The same of one project, so that one with ever new addresses leaves room for the others'."""
OTHERS: Final = "…"
_MAX_HELD: Final = 5_000
_AT_ONCE: Final = 500
_DAY: Final = 86_400

_queries: Final = load_queries("v8box.features.slow")
_encode: Final = msgspec.json.encode
_decode: Final = msgspec.json.Decoder(Figures).decode


class Key(NamedTuple):
    """What slow runs are put together by."""

    project: str
    environment: str
    worker: str
    method: str
    pattern: str


class SlowLog:
    """`open` it, let it `listen`, let `run` run, `close` it."""

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock
        self._held: deque[RunRecord] = deque()
        self._day = self._today()
        self._groups: dict[Key, Figures] = {}
        self._count_of: Counter[str] = Counter()
        """Of each project."""
        self._changed: set[Key] = set()
        self._unwritten: list[dict[str, Value]] = []
        """Of days that are over."""
        self._writing = asyncio.Lock()
        self.left_out = 0

    @classmethod
    async def open(cls, database: Database, *, clock: Callable[[], float] = time.time) -> SlowLog:
        """Brings the table up to date, and goes on with what was counted today."""
        await database.migrate("slow", load_migrations("v8box.features.slow"))
        log = cls(database, clock)
        rows = await database.read(lambda sql: sql.rows(_queries["of_day"], {"day": log._day}))
        for *key, figures in rows:
            log._groups[Key(*map(str, key))] = _decode(str(figures))
        log._count_of.update(key.project for key in log._groups)
        return log

    def listen(self, feed: Feed) -> None:
        feed.on_notable_runs(self.take)

    def take(self, records: Sequence[RunRecord]) -> None:
        """Only runs with findings are of interest here."""
        for record in records:
            if not record.findings:
                continue
            if len(self._held) < _MAX_HELD:
                self._held.append(record)
            else:
                self.left_out += 1

    async def run(self) -> None:
        """Counts and writes for ever."""
        written = self._clock()
        while True:
            await asyncio.sleep(COUNT_SECONDS)
            await self._count()
            if not 0 <= self._clock() - written < WRITE_SECONDS:
                written = self._clock()
                await self._write()

    async def close(self) -> None:
        await self._count()
        await self._write()

    # ---- counting

    async def _count(self) -> None:
        """A few hundred at a time, so that a flood of slow runs does not make the others slow."""
        while self._held:
            self._turn()
            for _ in range(min(_AT_ONCE, len(self._held))):
                self._add(self._held.popleft())
            await asyncio.sleep(0)

    def _add(self, record: RunRecord) -> None:
        key = Key(record.project, record.environment, record.worker, record.method, pattern_of(record.path))
        figures = self._groups.get(key)
        if figures is None and (len(self._groups) >= MAX_GROUPS or self._count_of[key.project] >= MAX_OF_PROJECT):
            key = key._replace(method="", pattern=OTHERS)
            figures = self._groups.get(key)
            if figures is None and len(self._groups) >= 2 * MAX_GROUPS:
                self.left_out += 1
                return
        if figures is None:
            figures = self._groups[key] = Figures()
            self._count_of[key.project] += 1
        figures.take(record)
        self._changed.add(key)

    def _turn(self) -> None:
        """A new day begins with nothing counted."""
        today = self._today()
        if today != self._day:
            if len(self._unwritten) < MAX_GROUPS:
                self._unwritten += self._rows()
            else:
                self.left_out += sum(self._groups[key].runs for key in self._changed)
            self._day, self._groups, self._changed = today, {}, set()
            self._count_of.clear()

    def _rows(self) -> list[dict[str, Value]]:
        return [_row(self._day, key, self._groups[key]) for key in self._changed]

    def _today(self) -> int:
        return int(self._clock() // _DAY)

    # ---- the disk

    async def _write(self) -> None:
        async with self._writing:
            self._turn()
            rows, changed = [*self._unwritten, *self._rows()], self._changed
            if not rows:
                return
            self._changed = set()
            over, before = len(self._unwritten), self._day - KEPT_DAYS
            try:
                await self._database.write(lambda sql: _put(sql, rows, before))
            except DatabaseError as error:
                self._changed |= changed & self._groups.keys()  # tried again with the next ones
                logger.error("the slow log cannot be written: %s", error)
                return
            del self._unwritten[:over]

    # ---- looking

    async def list(
        self, project: str, *, since: float, worker: str | None = None, environment: str | None = None
    ) -> Sequence[tuple[Key, Figures]]:
        """Since the beginning of that day; what took longest altogether comes first."""
        await self._count()
        await self._write()
        values: dict[str, Value] = {
            "project": project,
            "day": int(since // _DAY),
            "worker": worker,
            "environment": environment,
        }

        def read(sql: Transaction) -> dict[Key, Figures]:  # off the loop: thousands of them take a while
            found: dict[Key, Figures] = {}
            for *key, figures in sql.rows(_queries["since"], values):
                found.setdefault(Key(project, *map(str, key)), Figures()).merge(_decode(str(figures)))
            return found

        found = await self._database.read(read)
        return sorted(found.items(), key=lambda item: -item[1].duration)

    async def forget_project(self, project: str) -> None:
        """With the project go its figures."""
        self._groups = {key: figures for key, figures in self._groups.items() if key.project != project}
        self._changed = {key for key in self._changed if key.project != project}
        del self._count_of[project]
        await self._database.write(lambda sql: sql.execute(_queries["forget_project"], {"project": project}))


def _row(day: int, key: Key, figures: Figures) -> dict[str, Value]:
    return {"day": day, **key._asdict(), "figures": _encode(figures).decode()}


def _put(sql: Transaction, rows: Sequence[dict[str, Value]], before: int) -> None:
    for row in rows:
        sql.execute(_queries["put"], row)
    sql.execute(_queries["prune"], {"day": before})
