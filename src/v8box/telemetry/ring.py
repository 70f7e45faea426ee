"""The last moments in memory: a ring of records for each project, with numbers that go on, for those who follow.

All rings together have a bound in bytes and in records. When it is reached, the largest ring loses its oldest: a
project that floods shortens its own memory, not that of the others.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import Final

from v8box.telemetry.records import LineRecord, RunRecord

Record = LineRecord | RunRecord
_project = attrgetter("project")
MAX_BYTES: Final = 16 * 1024 * 1024
MAX_RECORDS: Final = 20_000
_RUN_BYTES: Final = 700
_SPAN_BYTES: Final = 200
_LINE_BYTES: Final = 400
_SPARE: Final = 64
"""At a bound, one part in so many is freed: then most records find room."""
_LOOK_AGAIN: Final = 256
"""After so many that were let go, it is looked which ring is the largest now."""


@dataclass(frozen=True, slots=True)
class Read:
    """What came from a position on: the records and the number of the first, how many before it are gone, and where to
    go on."""

    first: int
    records: list[Record]
    missed: int
    position: int


class ProjectRing:
    """One project's. Numbers start at 0 with the box."""

    __slots__ = ("_records", "_sizes", "bytes", "next", "waiting")

    def __init__(self) -> None:
        self._records: deque[Record] = deque()
        self._sizes: deque[int] = deque()
        self.bytes = 0
        self.next = 0
        """The number that the next record has."""
        self.waiting: set[asyncio.Event] = set()

    @property
    def first(self) -> int:
        return self.next - len(self._records)

    def append(self, record: Record, size: int) -> None:
        self.extend((record,), (size,))

    def extend(self, records: Sequence[Record], sizes: Sequence[int]) -> None:
        self._records.extend(records)
        self._sizes.extend(sizes)
        self.bytes += sum(sizes)
        self.next += len(records)
        if self.waiting:
            for each in self.waiting:
                each.set()
            self.waiting.clear()

    def drop_oldest(self, count: int, size: int) -> tuple[int, int]:
        """Until so many and so many bytes are gone, or all that there are, or a few hundred. Gives how many, and their
        size."""
        dropped = freed = 0
        while self._records and (dropped < count or freed < size) and dropped < _LOOK_AGAIN:
            self._records.popleft()
            freed += self._sizes.popleft()
            dropped += 1
        self.bytes -= freed
        return dropped, freed

    def __len__(self) -> int:
        return len(self._records)

    def read(self, position: int, limit: int) -> Read:
        start = max(position, self.first)
        count = self.next - start
        # From the newer end: who follows closely is there.
        newer = [record for _, record in zip(range(count), reversed(self._records), strict=False)]
        records = newer[: -limit - 1 : -1]
        return Read(start, records, start - position, start + len(records))

    def backwards(self) -> Iterator[tuple[int, Record]]:
        """The records and their numbers, the newest first. It must not be kept over an `await`."""
        return zip(range(self.next - 1, -1, -1), reversed(self._records), strict=False)

    async def wait(self, position: int, seconds: float) -> bool:
        """Whether there is something from the position on, before so long is over."""
        if self.next > position:
            return True
        arrived = asyncio.Event()
        self.waiting.add(arrived)
        try:
            async with asyncio.timeout(seconds):
                await arrived.wait()
            return True
        except TimeoutError:
            return False
        finally:
            self.waiting.discard(arrived)


class Rings:
    """All of them."""

    def __init__(self, max_bytes: int = MAX_BYTES, max_records: int = MAX_RECORDS) -> None:
        self.boot = secrets.token_hex(4)
        """Whose numbers they are: after a restart they begin anew."""
        self._max_bytes = max_bytes
        self._max_records = max_records
        self._rings: dict[str, ProjectRing] = {}
        self._bytes = 0
        self._count = 0

    def of(self, project: str) -> ProjectRing:
        ring = self._rings.get(project)
        if ring is None:
            ring = self._rings[project] = ProjectRing()
        return ring

    def runs(self, records: Sequence[RunRecord]) -> None:
        for project, group in groupby(records, _project):
            some = list(group)
            self._add(project, some, list(map(_size, some)))

    def line(self, record: LineRecord, size: int) -> None:
        self._add(record.project, (record,), (_LINE_BYTES + size,))

    def _add(self, project: str, records: Sequence[Record], sizes: Sequence[int]) -> None:
        self.of(project).extend(records, sizes)
        self._bytes += sum(sizes)
        self._count += len(records)
        while self._bytes > self._max_bytes or self._count > self._max_records:
            self._drop()

    def _drop(self) -> None:
        """The oldest of whichever ring is the largest now."""
        largest = max(self._rings.values(), key=_bytes)
        dropped, freed = largest.drop_oldest(
            self._count - self._max_records + self._max_records // _SPARE,
            self._bytes - self._max_bytes + self._max_bytes // _SPARE,
        )
        self._count -= dropped
        self._bytes -= freed


def _size(record: RunRecord) -> int:
    size = _RUN_BYTES + len(record.path)
    if record.spans:
        size += _SPAN_BYTES * len(record.spans)
    if record.error is not None:
        size += len(record.error.stack) + len(record.error.message)
    return size


def _bytes(ring: ProjectRing) -> int:
    return ring.bytes
