"""The end of the run log, and what comes after it: the last lines and runs of a worker, and those to come.

What is kept is read backwards from the files, within a bound. Who follows has a queue of a bounded length: one that is
too slow is told how much it missed.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeVar

import msgspec

from v8box.errors import V8BoxError
from v8box.telemetry.records import LineRecord, RunRecord
from v8box.telemetry.runs import RunLog

MAX_LIMIT: Final = 1_000
MAX_READERS: Final = 64
QUEUE_LENGTH: Final = 1_000
LEVELS: Final = ("debug", "info", "warn", "error")
_MAX_SCANNED: Final = 64 * 1024 * 1024
_BLOCK: Final = 256 * 1024
_UNORDERED_SECONDS: Final = 60.0
"""A record may stand so far before one that is older: runs are written down when they are over."""
_FILES: Final = ("", ".1", ".2", ".3")

Kind = Literal["line", "run"]
Record = LineRecord | RunRecord
R = TypeVar("R", LineRecord, RunRecord)


class TooManyReaders(V8BoxError):
    """Too many are following logs at this moment. Close one, or try again later."""

    status = 429
    code = "too_many_readers"


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which records are wanted; None: any."""

    project: str
    worker: str
    environment: str | None = None
    kind: Kind | None = None
    level: str | None = None
    """This one or a worse one."""
    since: float | None = None
    run: str | None = None
    text: str | None = None
    """In a line's text, or a run's path; in whatever case."""

    def matches(self, record: Record) -> bool:
        kind: Kind = "line" if isinstance(record, LineRecord) else "run"
        return (
            record.worker == self.worker
            and record.project == self.project
            and self.environment in (None, record.environment)
            and self.kind in (None, kind)
            and (self.since is None or record.time >= self.since)
            and (self.level is None or _rank(level_of(record)) >= _rank(self.level))
            and (self.run is None or self.run in _runs(record))
            and (self.text is None or self.text.casefold() in _text(record).casefold())
        )


@dataclass(frozen=True, slots=True)
class Gap:
    """So many records came faster than they were taken."""

    missed: int


def level_of(record: Record) -> str:
    """A line's own; a run's is error when it failed."""
    if isinstance(record, LineRecord):
        return record.level
    return "error" if record.failed else "info"


class Tail:
    """Reads a run log. `close` ends those who follow."""

    def __init__(self, log: RunLog) -> None:
        self._log = log
        self._readers: set[_Reader] = set()

    async def last(self, wanted: Filter, limit: int) -> list[Record]:
        """The newest ones that are wanted, oldest first."""
        await self._log.flush()
        return await asyncio.to_thread(_last, self._log.folder, wanted, limit)

    async def follow(self, wanted: Filter, limit: int, *, silence_seconds: float) -> AsyncIterator[Record | Gap | None]:
        """None at once, then the last ones, and then each that comes. None: nothing came for so long. Raises
        `TooManyReaders`."""
        if len(self._readers) >= MAX_READERS:
            raise TooManyReaders
        reader = _Reader(wanted)
        self._readers.add(reader)
        unwatch = self._log.watch(reader.take)
        try:
            yield None
            last = await self.last(wanted, limit)
            reader.drop(set(map(_identity, last)))  # what came since is in the files already, or is not
            for record in last:
                yield record
            while True:
                yield await reader.next(silence_seconds)
        finally:
            unwatch()
            self._readers.discard(reader)


class _Reader:
    """One that follows."""

    def __init__(self, wanted: Filter) -> None:
        self._wanted = wanted
        self._queue: deque[Record] = deque()
        self._missed = 0
        self._arrived = asyncio.Event()

    def take(self, record: Record) -> None:
        if not self._wanted.matches(record):
            return
        if len(self._queue) < QUEUE_LENGTH:
            self._queue.append(record)
        else:
            self._missed += 1  # the newest go, so that what is shown has no hole before the mark
        self._arrived.set()

    def drop(self, shown: set[tuple[float, str, str]]) -> None:
        self._queue = deque(record for record in self._queue if _identity(record) not in shown)

    async def next(self, silence_seconds: float) -> Record | Gap | None:
        if not self._queue and self._missed:
            missed, self._missed = self._missed, 0
            return Gap(missed)
        if not self._queue:
            self._arrived.clear()
            try:
                async with asyncio.timeout(silence_seconds):
                    await self._arrived.wait()
            except TimeoutError:
                return None
        return self._queue.popleft()


# ---- the files; in a thread


def _last(folder: Path, wanted: Filter, limit: int) -> list[Record]:
    found: list[Record] = []
    if wanted.kind != "run":
        found += _of_kind(folder / "lines.jsonl", wanted, limit, msgspec.json.Decoder(LineRecord))
    if wanted.kind != "line":
        found += _of_kind(folder / "runs.jsonl", wanted, limit, msgspec.json.Decoder(RunRecord))
    return sorted(found, key=_time)[-limit:]


def _of_kind(path: Path, wanted: Filter, limit: int, decoder: msgspec.json.Decoder[R]) -> list[R]:
    found: list[R] = []
    about = msgspec.json.encode(wanted.worker)
    for line in _backwards(path):
        if about not in line:
            continue
        try:
            record = decoder.decode(line)
        except msgspec.MsgspecError:
            continue  # a line that a crash cut off
        if wanted.since is not None and record.time < wanted.since - _UNORDERED_SECONDS:
            break
        if wanted.matches(record):
            found.append(record)
            if len(found) >= limit:
                break
    return found[::-1]


def _backwards(path: Path) -> Iterator[bytes]:
    """The lines of a file and those that it was turned over from, the last first."""
    scanned = 0
    for number in _FILES:
        for line in _lines_backwards(path.with_suffix(f"{number}.jsonl")):
            scanned += len(line)
            if scanned > _MAX_SCANNED:
                return
            yield line


def _lines_backwards(path: Path) -> Iterator[bytes]:
    try:
        file = open(path, "rb")
    except FileNotFoundError:
        return
    with file:
        at = file.seek(0, 2)
        rest = b""
        while at > 0:
            start = max(0, at - _BLOCK)
            file.seek(start)
            rest = file.read(at - start) + rest
            at = start
            first, *lines = rest.split(b"\n")
            rest = first
            yield from (line for line in reversed(lines) if line)
        if rest:
            yield rest


def _time(record: Record) -> float:
    return record.time


def _rank(level: str) -> int:
    return LEVELS.index(level) if level in LEVELS else 1


def _runs(record: Record) -> tuple[str | None, ...]:
    return (record.run,) if isinstance(record, LineRecord) else (record.id, record.request_id)


def _text(record: Record) -> str:
    return record.text if isinstance(record, LineRecord) else record.path


def _identity(record: Record) -> tuple[float, str, str]:
    if isinstance(record, LineRecord):
        return record.time, record.run or "", record.text
    return record.time, record.id, ""
