"""What projects use, day by day of UTC: runs and processor time.

Counting and asking is for the data path: both are look-ups in memory. Every few seconds the counts are written down;
what a crash loses is that. Days older than three months are forgotten.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from v8box.catalog.projects.quotas import DailyQuotaExceeded
from v8box.catalog.projects.store import Projects, queries
from v8box.storage import Database, DatabaseError, Transaction

FLUSH_SECONDS: Final = 5.0
KEEP_DAYS: Final = 92
_DAY: Final = 86_400
_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Day:
    """One project's use in one day, which is named by its number since 1970."""

    day: int
    requests: int
    cpu_seconds: float


class _Account:
    __slots__ = ("cpu_seconds", "requests", "saved")

    def __init__(self, requests: int = 0, cpu_seconds: float = 0.0) -> None:
        self.requests = requests
        self.cpu_seconds = cpu_seconds
        self.saved = requests, cpu_seconds


class Usage:
    """All projects' counts. `open` it, let `write_forever` run, `close` it."""

    def __init__(self, database: Database, projects: Projects, clock: Callable[[], float]) -> None:
        self._database = database
        self._projects = projects
        self._clock = clock
        self._day = int(clock()) // _DAY
        self._accounts: dict[str, _Account] = {}
        self._past: list[tuple[str, int, int, float]] = []
        """Counts of yesterday that are not written yet."""
        self._bounded: frozenset[str] = frozenset()
        projects.subscribe(self._note_bounds)
        self._note_bounds()

    @classmethod
    async def open(cls, database: Database, projects: Projects, *, clock: Callable[[], float] = time.time) -> Usage:
        """Goes on with today's counts of before the start."""
        usage = cls(database, projects, clock)
        day = usage._day

        def load(sql: Transaction) -> dict[str, _Account]:
            sql.execute(queries["forget_usage"], {"before": day - KEEP_DAYS})
            rows = sql.rows(queries["usage_of_day"], {"day": day})
            return {str(name): _Account(int(str(requests)), float(str(cpu))) for name, requests, cpu in rows}

        usage._accounts = await database.write(load)
        return usage

    async def close(self) -> None:
        await self.flush()

    # ---- the data path

    def add(self, project: str, cpu_seconds: float, requests: int = 1) -> None:
        """Counts a run that is over."""
        account = self._accounts.get(project)
        if account is None:
            account = self._accounts[project] = _Account()
        account.requests += requests
        account.cpu_seconds += cpu_seconds

    def over(self, project: str) -> DailyQuotaExceeded | None:
        """Why the project may run nothing more today; None: it may. What is running is not counted yet."""
        if project not in self._bounded:
            return None
        now = self._clock()
        self._turn_over(now)
        account = self._accounts.get(project)
        if account is None:
            return None
        quotas = self._projects.quotas(project)
        for quota, limit, used in (
            ("requests_per_day", quotas.requests_per_day, account.requests),
            ("cpu_seconds_per_day", quotas.cpu_seconds_per_day, account.cpu_seconds),
        ):
            if limit is not None and used >= limit:
                return DailyQuotaExceeded(project, quota, limit, round(used, 3), _DAY - int(now) % _DAY)
        return None

    # ---- asking

    @property
    def unwritten(self) -> int:
        """How many counts of past days could not be written down yet."""
        return len(self._past)

    def today(self, project: str) -> Day:
        self._turn_over(self._clock())
        account = self._accounts.get(project, _Account())
        return Day(self._day, account.requests, account.cpu_seconds)

    async def days(self, project: str, count: int) -> list[Day]:
        """The last days with any use, oldest first, today at the end."""
        today = self.today(project)
        key: dict[str, str | int] = {"project": project, "since": today.day - count + 1}
        rows = await self._database.read(lambda sql: sql.rows(queries["usage_of_project"], key))
        earlier = [Day(int(str(day)), int(str(requests)), float(str(cpu))) for day, requests, cpu in rows]
        return [*(day for day in earlier if day.day < today.day), today]

    # ---- writing down

    async def write_forever(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            try:
                await self.flush()
            except DatabaseError as error:  # a full disk, say: it is all kept, and written later
                _log.warning("what projects use could not be written down: %s", error)

    async def flush(self) -> None:
        """Writes down what has changed."""
        self._turn_over(self._clock())
        day = self._day
        changed = {
            name: (account.requests, account.cpu_seconds)
            for name, account in self._accounts.items()
            if account.saved != (account.requests, account.cpu_seconds) and self._projects.exists(name)
        }
        past, self._past = self._past, []
        if not changed and not past:
            return

        def write(sql: Transaction) -> None:
            for name, past_day, requests, cpu_seconds in past:
                sql.execute(queries["set_usage"], (name, past_day, requests, cpu_seconds))
            for name, (requests, cpu_seconds) in changed.items():
                sql.execute(queries["set_usage"], (name, day, requests, cpu_seconds))
            if past:
                sql.execute(queries["forget_usage"], {"before": day - KEEP_DAYS})

        try:
            await self._database.write(write)
        except BaseException:
            self._past = past + self._past
            raise
        for name, saved in changed.items():
            if self._day == day and (account := self._accounts.get(name)) is not None:
                account.saved = saved

    def _turn_over(self, now: float) -> None:
        """At midnight the counts begin anew. A clock that is set back changes nothing."""
        day = int(now) // _DAY
        if day <= self._day:
            return
        for name, account in self._accounts.items():
            if account.saved != (account.requests, account.cpu_seconds) and self._projects.exists(name):
                self._past.append((name, self._day, account.requests, account.cpu_seconds))
        self._day, self._accounts = day, {}

    def _note_bounds(self) -> None:
        """Most projects of most boxes have no bounds of a day, and asking for those is one look-up."""
        known = {project.name: self._projects.quotas(project.name) for project in self._projects.all()}
        self._bounded = frozenset(
            name
            for name, quotas in known.items()
            if quotas.requests_per_day is not None or quotas.cpu_seconds_per_day is not None
        )
        for name in [name for name in self._accounts if name not in known]:
            del self._accounts[name]
