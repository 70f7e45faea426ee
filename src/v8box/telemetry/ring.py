"""The last moments in memory: a ring of records for each project, with numbers that go on, for those who follow.

All rings together have a bound in bytes and in records. When it is reached, the largest ring loses its oldest: a
project that floods shortens its own memory, not that of the others.

Only the newest records stay as they came; older ones are packed, some hundred together. That takes a third of the
memory, and what is made for the next requests is where it was for the last ones, which the processor has at hand: with
twenty thousand records as they came a request took 4 us longer (docs/benchmarks.md).
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, islice
from operator import attrgetter
from typing import Final

import msgspec

from v8box.telemetry.records import LineRecord, RunRecord

Record = LineRecord | RunRecord
_project = attrgetter("project")
MAX_BYTES: Final = 16 * 1024 * 1024
MAX_RECORDS: Final = 20_000
BLOCK: Final = 256
"""So many are packed together, in about 0.2 ms. Those who follow closely read ones that are not packed yet."""
_RUN_BYTES: Final = 700
_SPAN_BYTES: Final = 200
_LINE_BYTES: Final = 400
_PACKED_BYTES: Final = 100
"""What a block costs beside its content."""
_SPARE: Final = 64
"""At a bound, one part in so many is freed: then most records find room."""
_LOOK_AGAIN: Final = 256
"""After so many that were let go, it is looked which ring is the largest now."""
# JSON, as lines have what was JSON before: numbers of any size, and no text that has no UTF-8.
_encode: Final = msgspec.json.Encoder().encode
_split: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode
_line: Final = msgspec.json.Decoder(LineRecord).decode
_run: Final = msgspec.json.Decoder(RunRecord).decode


@dataclass(frozen=True, slots=True)
class Read:
    """What came from a position on: the records and the number of the first, how many before it are gone, and where to
    go on."""

    first: int
    records: list[Record]
    missed: int
    position: int


class _Block:
    """Records packed together. `until`: all of them were there by then (Unix time)."""

    __slots__ = ("_body", "_lines", "size", "until")

    def __init__(self, records: Sequence[Record], until: float) -> None:
        self._body = _encode(records)
        self._lines = bytes(type(each) is LineRecord for each in records)
        self.size = len(self._body) + len(records) + _PACKED_BYTES
        self.until = until

    def __len__(self) -> int:
        return len(self._lines)

    def records(self) -> list[Record]:
        return [_line(raw) if line else _run(raw) for line, raw in zip(self._lines, _split(self._body), strict=True)]


class ProjectRing:
    """One project's. Numbers start at 0 with the box."""

    __slots__ = ("_block", "_blocks", "_records", "_sizes", "bytes", "next", "waiting")

    def __init__(self, block: int = BLOCK) -> None:
        self._block = block
        self._blocks: deque[_Block] = deque()
        self._records: deque[Record] = deque()
        """Those after the blocks, and their sizes."""
        self._sizes: deque[int] = deque()
        self.bytes = 0
        self.next = 0
        """The number that the next record has."""
        self.waiting: set[asyncio.Event] = set()

    @property
    def first(self) -> int:
        return self.next - len(self)

    def append(self, record: Record, size: int) -> None:
        self.extend((record,), (size,))

    def extend(self, records: Sequence[Record], sizes: Sequence[int]) -> None:
        self._records.extend(records)
        self._sizes.extend(sizes)
        self.bytes += sum(sizes)
        self.next += len(records)
        while len(self._records) >= 2 * self._block:
            self._pack()
        if self.waiting:
            for each in self.waiting:
                each.set()
            self.waiting.clear()

    def _pack(self) -> None:
        """The oldest of those that are not."""
        block = _Block([self._records.popleft() for _ in range(self._block)], time.time())
        self.bytes += block.size - sum(self._sizes.popleft() for _ in range(self._block))
        self._blocks.append(block)

    def drop_oldest(self, count: int, size: int) -> tuple[int, int]:
        """Until so many and so many bytes are gone, or all that there are, or a few hundred; of packed ones all of a
        block. Gives how many, and their size."""
        dropped = freed = 0
        while (dropped < count or freed < size) and dropped < _LOOK_AGAIN:
            if self._blocks:
                block = self._blocks.popleft()
                freed += block.size
                dropped += len(block)
            elif self._records:
                self._records.popleft()
                freed += self._sizes.popleft()
                dropped += 1
            else:
                break
        self.bytes -= freed
        return dropped, freed

    def __len__(self) -> int:
        return self._block * len(self._blocks) + len(self._records)

    def read(self, position: int, limit: int) -> Read:
        start = max(position, self.first)
        records: list[Record] = []
        skipped = start - self.first
        for block in islice(self._blocks, skipped // self._block, None):
            if len(records) >= limit:
                break
            records += block.records()[skipped % self._block if not records else 0 :]
        unpacked = max(0, skipped - self._block * len(self._blocks))
        if len(records) < limit:
            # From the newer end: who follows closely is there.
            count = len(self._records) - unpacked
            newer = [record for _, record in zip(range(count), reversed(self._records), strict=False)]
            records += reversed(newer)
        del records[limit:]
        return Read(start, records, start - position, start + len(records))

    def backwards(self, since: float = 0.0) -> Iterator[tuple[int, Record]]:
        """The records and their numbers, the newest first, as far back as any may have come after `since`. It must not
        be kept over an `await`."""
        number = self.next
        for record in reversed(self._records):
            number -= 1
            yield number, record
        for block in reversed(self._blocks):
            if block.until < since:
                return
            for record in reversed(block.records()):
                number -= 1
                yield number, record

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
        ring = self.of(project)
        before = ring.bytes
        ring.extend(records, sizes)
        self._bytes += ring.bytes - before
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
