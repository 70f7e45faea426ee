"""Error groups: fed by the intake, written down twice a second, looked up, resolved; whoever wants to hear of new ones
and of those that came back says so.

What the disk does not take is dropped and counted: an error is never worth a request.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final, Protocol

from v8box.features.errors import store
from v8box.features.errors.digest import digest, overflowed
from v8box.features.errors.intake import Intake
from v8box.features.errors.model import (
    NEW_PER_MINUTE,
    BadState,
    Detail,
    ErrorSort,
    ErrorState,
    Filter,
    Fresh,
    Group,
    Occurrence,
)
from v8box.features.errors.store import Arrival
from v8box.kit.tasks import to_its_end
from v8box.storage import Database, DatabaseError, Transaction, load_migrations
from v8box.telemetry.actors import Actor
from v8box.telemetry.audit import Event, append
from v8box.telemetry.feed import Feed

logger = logging.getLogger(__name__)

FLUSH_SECONDS: Final = 0.5
MAX_AT_ONCE: Final = 200
"""Groups that one request may change."""
_MAX_IGNORED_SECONDS: Final = 10 * 366 * 86_400.0
_KEEP_SECONDS: Final = 3_600.0
_MAX_NUMBERS: Final = 5_000
_VERBS: Final = {ErrorState.OPEN: "reopen", ErrorState.IGNORED: "ignore", ErrorState.RESOLVED: "resolve"}

Listener = Callable[[Group], None]
"""Hears of a group on the loop, after it is written down. It returns at once."""


class Versions(Protocol):
    """What is known of versions. Both give 0 where nothing is."""

    async def number(self, project: str, worker: str, version: str) -> int: ...
    async def live_since(self, project: str, worker: str, environment: str, version: str) -> float: ...


class Errors:
    """All error groups of the box. `open` it, let `write_forever` run, `close` it."""

    def __init__(self, database: Database, versions: Versions, days: int, clock: Callable[[], float]) -> None:
        self._database = database
        self._versions = versions
        self._days = days
        self._clock = clock
        self._intake = Intake()
        self._numbers: OrderedDict[str, int] = OrderedDict()
        self._fresh: dict[tuple[str, str], int] = {}
        """How many new groups each worker had in this minute."""
        self._minute = 0
        self._forgotten_at = 0.0
        self._writing = asyncio.Lock()
        self._on_new: tuple[Listener, ...] = ()
        self._on_regressed: tuple[Listener, ...] = ()
        self.dropped = 0
        """How many were not written down since the box started."""

    @classmethod
    async def open(
        cls, database: Database, versions: Versions, *, days: int, clock: Callable[[], float] = time.time
    ) -> Errors:
        """Brings the tables up to date. `days`: how long a group is kept that nobody sees any more."""
        await database.migrate("errors", load_migrations("v8box.features.errors"))
        return cls(database, versions, days, clock)

    def listen(self, feed: Feed) -> None:
        feed.on_notable_runs(self._intake.runs)
        feed.on_line(self._intake.line)
        feed.on_death(self._intake.death)

    def watch(self, watcher: Callable[[Occurrence], None]) -> None:
        """From now on `watcher` hears of errors as they happen: of a flood of the same the first few twice a second."""
        self._intake.watch(watcher)

    def on_new_group(self, listener: Listener) -> None:
        """From now on `listener` hears of each group that was not there before."""
        self._on_new = (*self._on_new, listener)

    def on_regressed(self, listener: Listener) -> None:
        """From now on `listener` hears of each resolved group that came back."""
        self._on_regressed = (*self._on_regressed, listener)

    # ---- writing down

    async def write_forever(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            await self.flush()

    async def flush(self) -> None:
        """Writes down what was tallied. Who gives up waiting loses nothing."""
        if not self._intake.empty:
            await to_its_end(self._flush())
        if self._clock() - self._forgotten_at > _KEEP_SECONDS:
            self._forgotten_at = self._clock()
            await self._forget()

    async def _flush(self) -> None:
        async with self._writing:
            tallies = self._intake.take()
            try:
                arrivals = await asyncio.to_thread(digest, tallies)
                ids = list(dict.fromkeys(each.id for each in arrivals))
                known = await self._database.read(lambda sql: store.known_states(sql, ids))
                arrivals = self._within_bounds(arrivals, known)
                await self._look_up(arrivals, known)
                written, groups = await self._database.write(lambda sql: _write(sql, arrivals))
            except Exception as error:  # a fault of theirs is never the box's
                self.dropped += sum(tally.count for tally in tallies)
                known_fault = isinstance(error, DatabaseError)
                logger.warning(
                    "errors of workers could not be written down: %s", error, exc_info=None if known_fault else error
                )
                return
        for told, listeners in ((written.new, self._on_new), (written.regressed, self._on_regressed)):
            for group_id in told:
                if group_id in groups:
                    _tell(listeners, groups[group_id])

    async def _look_up(self, arrivals: Sequence[Arrival], known: Mapping[str, ErrorState]) -> None:
        """What the catalog knows of their versions."""
        for arrival in arrivals:
            tally = arrival.tally
            arrival.number = await self._number(tally.project, tally.worker, tally.version)
            if known.get(arrival.id) is ErrorState.RESOLVED:
                arrival.live_since = await self._versions.live_since(
                    tally.project, tally.worker, tally.environment, tally.version
                )

    async def _number(self, project: str, worker: str, version: str) -> int:
        known = self._numbers.get(version)
        if known is None:
            known = self._numbers[version] = await self._versions.number(project, worker, version)
            while len(self._numbers) > _MAX_NUMBERS:
                self._numbers.popitem(last=False)
        return known

    def _within_bounds(self, arrivals: Sequence[Arrival], known: Collection[str]) -> list[Arrival]:
        """A worker that errs in ever new ways has so many new groups in a minute; the rest is counted in one."""
        there = set(known)
        minute = int(self._clock() // 60)
        if minute != self._minute:
            self._minute, self._fresh = minute, {}
        kept: list[Arrival] = []
        for each in arrivals:
            worker = (each.tally.project, each.tally.worker)
            if each.id in there or each.tally.overflow:
                kept.append(each)
            elif self._fresh.get(worker, 0) < NEW_PER_MINUTE:
                self._fresh[worker] = self._fresh.get(worker, 0) + 1
                there.add(each.id)
                kept.append(each)
            else:
                kept.append(overflowed(each))
        return kept

    async def _forget(self) -> None:
        now = self._clock()
        try:
            await self._database.write(lambda sql: store.forget_old(sql, now, self._days))
        except DatabaseError as error:
            logger.warning("old errors of workers could not be removed: %s", error)

    async def close(self) -> None:
        await self.flush()

    # ---- looking

    async def list(
        self, project: str, wanted: Filter, *, sort: ErrorSort, after: tuple[float, str] | None, limit: int, hours: int
    ) -> tuple[list[tuple[Group, float]], dict[str, tuple[tuple[int, int], ...]]]:
        """Groups with what the list is ordered by, and by their ids how often each came in the last so many hours."""

        def read(
            sql: Transaction,
        ) -> tuple[list[tuple[Group, float]], dict[str, tuple[tuple[int, int], ...]]]:
            found = store.find(sql, project, wanted, sort=sort, after=after, limit=limit)
            return found, store.hours_of(sql, [group.id for group, _ in found], hours)

        return await self._database.read(read)

    async def get(self, project: str, group_id: str) -> Detail:
        """Raises `ErrorGroupNotFound`."""
        return await self._database.read(lambda sql: store.detail(sql, project, group_id))

    async def newest(self, projects: Sequence[str] | None, since: float, limit: int) -> Sequence[Fresh]:
        """Groups that are new or back since then, of these projects or of all, the newest first."""
        return await self._database.read(lambda sql: store.newest(sql, projects, since, limit))

    async def states(self, project: str, worker: str | None, environment: str | None) -> dict[ErrorState, int]:
        """How many groups are in each state."""
        return await self._database.read(lambda sql: store.states_of(sql, project, worker, environment))

    # ---- changing

    async def set_state(
        self, project: str, group_id: str, state: ErrorState, until: float | None, actor: Actor
    ) -> None:
        """Raises `ErrorGroupNotFound`, `BadState`."""
        self._check(state, until)

        def change(sql: Transaction) -> None:
            _set_state(sql, store.get(sql, project, group_id), state, until, actor)

        await self._database.write(change)

    async def set_states(
        self,
        project: str,
        ids: Sequence[str] | None,
        wanted: Filter,
        state: ErrorState,
        until: float | None,
        actor: Actor,
    ) -> int:
        """Those with these ids, or up to `MAX_AT_ONCE` of those that are wanted; gives how many changed. Raises
        `ErrorGroupNotFound` (then none did), `BadState`."""
        self._check(state, until)

        def change(sql: Transaction) -> int:
            if ids is not None:
                groups = [store.get(sql, project, each) for each in dict.fromkeys(ids)]
            else:
                groups = [group for group, _ in store.find(sql, project, wanted, limit=MAX_AT_ONCE)]
            changed = [group for group in groups if (group.state, group.ignored_until) != (state, until)]
            for group in changed:
                _set_state(sql, group, state, until, actor)
            return len(changed)

        return await self._database.write(change)

    def _check(self, state: ErrorState, until: float | None) -> None:
        if state not in _VERBS:
            raise BadState
        if until is None:
            return
        if state is not ErrorState.IGNORED or not 0 < until - self._clock() <= _MAX_IGNORED_SECONDS:
            raise BadState(
                "ignored_until: a time in the next ten years, with the state ignored. For good: leave it out."
            )

    async def forget_worker(self, project: str, worker: str) -> None:
        """Who deletes the worker writes the audit log."""
        await self._database.write(lambda sql: store.forget_worker(sql, project, worker))

    async def forget_project(self, project: str) -> None:
        """Who deletes the project writes the audit log."""
        await self._database.write(lambda sql: store.forget_project(sql, project))


def _write(sql: Transaction, arrivals: Sequence[Arrival]) -> tuple[store.Written, dict[str, Group]]:
    written = store.write(sql, arrivals)
    projects = {each.id: each.tally.project for each in arrivals}
    groups: dict[str, Group] = {}
    for group_id in (*written.new, *written.regressed):
        found = store.find(sql, projects[group_id], Filter(), group_id=group_id, limit=1)
        if found:  # it may have made room already for one that came with it
            groups[group_id] = found[0][0]
    return written, groups


def _set_state(sql: Transaction, group: Group, state: ErrorState, until: float | None, actor: Actor) -> None:
    store.set_state(sql, group.id, state, until, actor.name)
    before = {"state": group.state, "ignored_until": group.ignored_until}
    after = {"state": state, "ignored_until": until, "name": group.name, "worker": group.worker}
    append(
        sql,
        Event(
            action=f"error.{_VERBS[state]}",
            resource=f"error/{group.id}",
            project=group.project,
            actor=actor,
            before=before,
            after=after,
        ),
    )


def _tell(listeners: Sequence[Listener], group: Group) -> None:
    for listener in listeners:
        try:
            listener(group)
        except Exception:
            logger.exception("a listener of errors failed")
