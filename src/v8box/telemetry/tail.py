"""What happens, as it happens: the last records of the store, then each that comes, from the ring in memory.

Every event has an id. Who comes back with one goes on right after it as long as the ring reaches back so far; where it
does not, or the box was started anew, a `Gap` says so before the rest. A reader takes from the ring at its own pace:
one that is slow misses something, and is told; nobody waits for it.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final, Literal

from v8box.errors import V8BoxError
from v8box.telemetry.records import LineRecord, rank
from v8box.telemetry.ring import ProjectRing, Record, Rings
from v8box.telemetry.store import LineQuery, RunQuery, RunStore
from v8box.telemetry.store.query import contains, run_says

MAX_LIMIT: Final = 1_000
MAX_READERS: Final = 64
BATCH_SECONDS: Final = 0.03
"""How long records are gathered for a reader that waits, so that many of them cost one look."""
_AT_ONCE: Final = 500
_EVENT_ID: Final = re.compile(r"([0-9a-f]{8})-([0-9]{1,15})-([0-9]{1,15})")

Kind = Literal["line", "run"]


class TooManyReaders(V8BoxError):
    """Too many are following logs at this moment. Close one, or try again later."""

    status = 429
    code = "too_many_readers"


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which records of a project are wanted; None: any."""

    project: str
    worker: str | None = None
    environment: str | None = None
    kind: Kind | None = None
    level: str | None = None
    """This one or a worse one."""
    since: float | None = None
    run: str | None = None
    """The id of a run, or that which its client gave."""
    text: str | None = None
    """In a line's text, a run's path or what it threw; in whatever case."""

    def matches(self, record: Record) -> bool:
        if isinstance(record, LineRecord):
            kind: Kind = "line"
            level = record.level
        else:
            kind, level = "run", level_of(record)
        return (
            self.worker in (None, record.worker)
            and record.project == self.project
            and self.environment in (None, record.environment)
            and self.kind in (None, kind)
            and (self.since is None or record.time >= self.since)
            and (self.level is None or rank(level) >= rank(self.level))
            and (self.run is None or self.run in _runs(record))
            and (self.text is None or _says(record, self.text))
        )

    def lines(self, runs: tuple[str, ...] | None) -> LineQuery:
        return LineQuery(
            project=self.project,
            worker=self.worker,
            environment=self.environment,
            since=self.since,
            level=self.level,
            runs=runs,
            text=self.text,
        )

    def runs(self) -> RunQuery:
        return RunQuery(
            project=self.project,
            worker=self.worker,
            environment=self.environment,
            since=self.since,
            failed=True if self.level is not None and rank(self.level) > rank("info") else None,
            request=self.run,
            text=self.text,
        )


@dataclass(frozen=True, slots=True)
class Event:
    """A record, and the id to go on from."""

    id: str
    record: Record


@dataclass(frozen=True, slots=True)
class Gap:
    """So many records of the project are missing here; None: some may be, as the box was started anew."""

    missed: int | None
    id: str


def level_of(record: Record) -> str:
    """A line's own; a run's is error when it failed."""
    if isinstance(record, LineRecord):
        return record.level
    return "error" if record.failed else "info"


class Tail:
    """Reads the store and the rings."""

    def __init__(self, store: RunStore, rings: Rings) -> None:
        self._store = store
        self._rings = rings
        self._readers = 0

    async def last(self, wanted: Filter, limit: int) -> list[Record]:
        """The newest ones that are wanted, oldest first."""
        if limit < 1:
            return []
        found: list[Record] = []
        if wanted.kind != "run":
            runs = None if wanted.run is None else await self._runs_of(wanted.project, wanted.run)
            lines = await self._store.lines(wanted.lines(runs), limit)
            found += [each.record for each in reversed(lines.items)]
        if wanted.kind != "line":
            found += reversed((await self._store.runs(wanted.runs(), limit)).items)
        return sorted(found, key=_time)[-limit:]

    async def _runs_of(self, project: str, id_: str) -> tuple[str, ...]:
        """The ids of the runs that are meant by one id, theirs or the client's."""
        known = await self._store.runs(RunQuery(project=project, request=id_), MAX_LIMIT)
        return (id_, *(each.id for each in known.items))

    async def follow(
        self, wanted: Filter, limit: int, *, silence_seconds: float, last_id: str | None = None
    ) -> AsyncIterator[Event | Gap | None]:
        """None at once, then the last ones (or, after `last_id`, what came since), and then each that comes. None:
        nothing came for so long. Raises `TooManyReaders`."""
        if self._readers >= MAX_READERS:
            raise TooManyReaders
        self._readers += 1
        try:
            yield None
            ring = self._rings.of(wanted.project)
            position = self._position(last_id, ring.next)
            if position is None:
                since = None if last_id is None else _since(last_id)
                if last_id is not None:
                    yield Gap(None, self._id(-1, since or 0.0))
                newest = ring.next
                found = await self.last(wanted, limit)
                position, older = _split(ring, newest, [each for each in found if since is None or _end(each) > since])
                for record in older:
                    yield Event(self._id(position - 1, _end(record)), record)
            while True:
                read = ring.read(position, _AT_ONCE)
                if read.missed:
                    at = read.records[0].time if read.records else 0.0
                    yield Gap(read.missed, self._id(read.first - 1, at))
                for number, record in enumerate(read.records, read.first):
                    if wanted.matches(record):
                        yield Event(self._id(number, record.time), record)
                position = read.position
                if not read.records and not await ring.wait(position, silence_seconds):
                    yield None
                else:
                    await asyncio.sleep(BATCH_SECONDS)
        finally:
            self._readers -= 1

    def _position(self, last_id: str | None, newest: int) -> int | None:
        """Where the ring is to be read on; None: it does not say."""
        found = None if last_id is None else _EVENT_ID.fullmatch(last_id)
        if found is None or found[1] != self._rings.boot:
            return None
        return min(int(found[2]), newest)

    def _id(self, number: int, at: float) -> str:
        """Of the record with this number; it says which one comes next."""
        return f"{self._rings.boot}-{number + 1}-{int(at * 1000)}"


def _split(ring: ProjectRing, newest: int, found: list[Record]) -> tuple[int, list[Record]]:
    """Where the ring is to be read from, so that it gives what came since `newest`, and those of `found` that it has;
    and the others, older ones."""
    missing = {_identity(record): record for record in found}
    position = newest
    for number, record in ring.backwards():
        if not missing:
            break
        if missing.pop(_identity(record), None) is not None:
            position = min(position, number)
    return position, list(missing.values())


def _since(last_id: str) -> float | None:
    found = _EVENT_ID.fullmatch(last_id)
    return None if found is None else int(found[3]) / 1000


def _time(record: Record) -> float:
    return record.time


def _end(record: Record) -> float:
    """When it was told."""
    return record.time if isinstance(record, LineRecord) else record.time + record.duration / 1000


def _runs(record: Record) -> tuple[str | None, ...]:
    return (record.run,) if isinstance(record, LineRecord) else (record.id, record.request_id)


def _says(record: Record, text: str) -> bool:
    return contains(record.text, text) if isinstance(record, LineRecord) else run_says(record, text)


def _identity(record: Record) -> tuple[float, str, str]:
    if isinstance(record, LineRecord):
        return int(record.time * 1000), record.run or "", record.text
    return 0, record.id, ""
