"""The store of runs and lines: takes records on the loop, writes them from a thread of its own, searches in others.

What comes faster than the disk takes it is dropped and counted, never held without bound; so is everything while the
disk has no room to spare. Whole segments go when the budget or their age is over.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

import apsw

from v8box.telemetry.records import LineRecord, RunRecord
from v8box.telemetry.store.query import Found, LineQuery, RunQuery
from v8box.telemetry.store.search import Line, Search
from v8box.telemetry.store.segment import Segment, SegmentGone, Writer

logger = logging.getLogger(__name__)

StoredLine = Line
FLUSH_SECONDS: Final = 0.25
MAX_HELD: Final = 25_000
"""Runs, and lines, that may wait to be written: some seconds of a very busy box."""
MAX_HELD_BYTES: Final = 32 * 1024 * 1024
"""Bytes of lines that may wait."""
RESERVE_BYTES: Final = 64 * 1024 * 1024
"""What a disk has to have free for runs and lines to be written: the last of it is for what people wrote."""
_SEGMENTS: Final = 16
_MAX_SEGMENT_BYTES: Final = 64 * 1024 * 1024
_MIN_SEGMENT_BYTES: Final = 512 * 1024
_PIECE: Final = 2_000
_PIECE_BYTES: Final = 4 * 1024 * 1024
_DAY_MS: Final = 86_400_000
_SEARCHES: Final = 2
_OLD_FILES: Final = ("runs*.jsonl", "lines*.jsonl")
"""What boxes before had here."""

T = TypeVar("T")


@dataclass(slots=True)
class Counts:
    """Since the start. `dropped`: of what the workers said or did, so much is not kept."""

    runs: int = 0
    lines: int = 0
    dropped_runs: int = 0
    dropped_lines: int = 0


class RunStore:
    """`open` it, `run` and `line` it what happens, ask it; `close` it."""

    def __init__(self, folder: Path, *, budget_bytes: int, days: float) -> None:
        self.folder = folder
        self.counts = Counts()
        self._budget = budget_bytes
        self._max_segment = max(_MIN_SEGMENT_BYTES, min(_MAX_SEGMENT_BYTES, budget_bytes // _SEGMENTS))
        self._max_age_ms = int(days * _DAY_MS)
        self._runs: list[RunRecord] = []
        self._lines: list[LineRecord] = []
        self._held_bytes = 0
        self._last_write: asyncio.Future[None] | None = None
        self._writing = ThreadPoolExecutor(1, thread_name_prefix="run-store")
        self._reading = ThreadPoolExecutor(_SEARCHES, thread_name_prefix="run-search")
        # in the writing thread
        self._writer: Writer | None = None
        self._next_line = secrets.randbelow(1 << 16) << 32
        self._complaint = ""
        # whoever holds the lock
        self._lock = threading.Lock()
        self._segments: list[Segment] = []

    @classmethod
    async def open(cls, folder: Path, *, budget_bytes: int, days: float) -> RunStore:
        store = cls(folder, budget_bytes=budget_bytes, days=days)
        await asyncio.get_running_loop().run_in_executor(store._writing, store._find_segments)
        return store

    @property
    def held(self) -> int:
        """Records that are not written yet."""
        return len(self._runs) + len(self._lines)

    @property
    def dropped(self) -> int:
        return self.counts.dropped_runs + self.counts.dropped_lines

    # ---- on the loop

    def run(self, record: RunRecord) -> None:
        self.add_runs((record,))

    def add_runs(self, records: Sequence[RunRecord]) -> None:
        """Those that there is no room for are dropped, and counted."""
        room = MAX_HELD - len(self._runs)
        if len(records) > room:
            self.counts.dropped_runs += len(records) - room
            records = records[:room]
        self._runs += records

    def line(self, record: LineRecord, size: int) -> None:
        """`size`: about its bytes."""
        if len(self._lines) < MAX_HELD and self._held_bytes + size <= MAX_HELD_BYTES:
            self._lines.append(record)
            self._held_bytes += size
        else:
            self.counts.dropped_lines += 1

    async def write_forever(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            await self.flush()

    async def flush(self) -> None:
        """Writes what is held, and waits for what is being written. Who gives up waiting loses none."""
        if self._runs or self._lines:
            runs, lines = self._runs, self._lines
            self._runs, self._lines, self._held_bytes = [], [], 0
            loop = asyncio.get_running_loop()
            self._last_write = loop.run_in_executor(self._writing, self._write, runs, lines)
        if self._last_write is not None and not self._last_write.done():
            await asyncio.shield(self._last_write)

    async def close(self) -> None:
        """Writes what is held, behind what is still being written."""
        await self.flush()
        await asyncio.get_running_loop().run_in_executor(self._writing, self._close)
        self._writing.shutdown(wait=False)
        self._reading.shutdown(wait=False)

    # ---- asking

    async def runs(self, query: RunQuery, limit: int, before: bytes | None = None) -> Found[RunRecord]:
        """The newest first, what was just said too."""
        return await self._search(lambda search: search.runs(query, limit, before))

    async def lines(self, query: LineQuery, limit: int, before: bytes | None = None) -> Found[StoredLine]:
        return await self._search(lambda search: search.lines(query, limit, before))

    async def get(self, run: str) -> RunRecord | None:
        return await self._search(lambda search: search.run(run))

    async def _search(self, ask: Callable[[Search], T]) -> T:
        await self.flush()
        with self._lock:
            segments = list(self._segments)

        def work() -> T:
            search = Search(segments)
            try:
                return ask(search)
            finally:
                search.close()

        return await asyncio.get_running_loop().run_in_executor(self._reading, work)

    # ---- in the writing thread

    def _find_segments(self) -> None:
        """What cannot be looked at does not keep the box from starting."""
        try:
            self._look_into_folder()
        except OSError as error:
            self._complain(f"{type(error).__name__}: {error}")

    def _look_into_folder(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for pattern in _OLD_FILES:
            for path in self.folder.glob(pattern):
                path.unlink()
        found = []
        for path in self.folder.glob("runs-*.db"):
            try:
                segment = Segment(path)
            except ValueError:
                continue
            try:
                segment.seal()
                segment.learn()
            except (apsw.Error, OSError) as error:
                logger.warning("%s cannot be read and is put aside: %s", path.name, error)
                segment.put_aside()
                continue
            found.append(segment)
        with self._lock:
            self._segments = sorted(found, key=_start)
        self._drop_old()

    def _write(self, runs: list[RunRecord], lines: list[LineRecord]) -> None:
        for at in range(0, len(runs), _PIECE):
            piece = runs[at : at + _PIECE]
            lost = self._write_piece(piece, [])
            self.counts.dropped_runs += lost
            self.counts.runs += len(piece) - lost
        for lines_piece in _pieces(lines):
            lost = self._write_piece([], lines_piece)
            self.counts.dropped_lines += lost
            self.counts.lines += len(lines_piece) - lost

    def _write_piece(self, runs: list[RunRecord], lines: list[LineRecord]) -> int:
        """Gives how many were lost."""
        try:
            self._check_room()
            writer = self._ready()
            lost = writer.write(runs, lines)
        except Exception as error:  # a fault of the store's is never the box's
            self._complain(f"{type(error).__name__}: {error}")
            return len(runs) + len(lines)
        self._content()
        return lost

    def _check_room(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        free = os.statvfs(self.folder)
        if free.f_bavail * free.f_frsize < RESERVE_BYTES:
            raise OSError(f"the disk has less than {RESERVE_BYTES // 1_048_576} MiB free")

    def _complain(self, what: str) -> None:
        """Once for each kind of trouble, not once for each batch."""
        if what != self._complaint:
            self._complaint = what
            logger.error("runs and logs are not kept, as they cannot be written: %s", what)

    def _content(self) -> None:
        if self._complaint:
            self._complaint = ""
            logger.warning("runs and logs are kept again; %d records were dropped so far", self.dropped)

    def _ready(self) -> Writer:
        """The segment to write to."""
        now = int(time.time() * 1000)
        if self._writer is not None and not self._writer.segment.path.exists():
            self._abandon()
        writer = self._writer
        if writer is not None:
            if self._has_room(writer.segment, now):
                return writer
            self._close()
        self._drop_old()
        with self._lock:
            last = self._segments[-1] if self._segments else None
        if last is not None and self._has_room(last, now) and (writer := self._writer_for(last)) is not None:
            self._writer = writer
            return writer
        start = now if last is None else max(now, last.start + 1)
        segment = Segment.named(self.folder, start)
        self._writer = Writer(segment, self._next_line)
        with self._lock:
            self._segments = [*self._segments, segment]
        return self._writer

    def _has_room(self, segment: Segment, now: int) -> bool:
        return segment.size < self._max_segment and now - segment.start < self._max_age_ms // _SEGMENTS

    def _writer_for(self, segment: Segment) -> Writer | None:
        """To go on with the last one, if it is whole and as this version writes it."""
        try:
            return Writer(segment, self._next_line)
        except SegmentGone:
            segment.closed = True
        except apsw.Error as error:
            logger.warning("%s cannot be written any more and is put aside: %s", segment.path.name, error)
            segment.put_aside()
            with self._lock:
                self._segments = [each for each in self._segments if each is not segment]
        return None

    def _close(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            self._next_line = writer.close()

    def _abandon(self) -> None:
        """Somebody has removed the file."""
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.abandon()
            with self._lock:
                self._segments = [each for each in self._segments if each is not writer.segment]

    def _drop_old(self) -> None:
        """The oldest go until the others, and one more, fit the budget; and those that are too old."""
        with self._lock:
            segments = list(self._segments)
        now = time.time() * 1000
        room = self._budget - self._max_segment
        damaged = sorted(self.folder.glob("*.damaged"))
        total = sum(each.size for each in segments) + sum(path.stat().st_size for path in damaged)
        for path in damaged:
            if total > room:
                total -= path.stat().st_size
                path.unlink()
        kept = []
        for segment in segments:
            if total > room or now - segment.end > self._max_age_ms:
                total -= segment.size
                segment.drop()
            else:
                kept.append(segment)
        with self._lock:
            self._segments = kept


def _start(segment: Segment) -> int:
    return segment.start


def _pieces(lines: list[LineRecord]) -> list[list[LineRecord]]:
    """By number and by bytes: a line may be long."""
    pieces: list[list[LineRecord]] = []
    size = _PIECE_BYTES
    for line in lines:
        if size >= _PIECE_BYTES or len(pieces[-1]) >= _PIECE:
            pieces.append([])
            size = 0
        pieces[-1].append(line)
        size += len(line.text)
    return pieces
