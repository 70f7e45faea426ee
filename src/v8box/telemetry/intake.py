"""The listener that keeps: hands what the feed tells to the store on disk and to the rings in memory.

A worker may ask for less to be kept: a share of its runs, none of its lines. One that floods loses lines beyond so many
a second, and a line says how many. What counts runs does not listen here, so that counts stay exact.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from v8box.telemetry.records import LineRecord, RunRecord
from v8box.telemetry.ring import Rings
from v8box.telemetry.store import RunStore

BURST_SECONDS: Final = 5
"""How long a worker may print at any pace before its lines are counted."""
_TELL_SECONDS: Final = 1.0
_MAX_WORKERS: Final = 10_000

_Place = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept of a version's runs and lines."""

    sampling: float = 1.0
    logs: bool = True


class _Pace:
    """How many lines one worker may still print, and how many were left out."""

    __slots__ = ("at", "left", "left_out", "version")

    def __init__(self, at: float, left: float) -> None:
        self.at = at
        self.left = left
        self.left_out = 0
        self.version = ""


class Intake:
    """On the loop, in the request path: nothing here takes long."""

    def __init__(self, store: RunStore, rings: Rings, *, lines_per_second: int = 1_000) -> None:
        self._store = store
        self._rings = rings
        self._rate = lines_per_second
        self._kept: Mapping[str, Kept] = {}
        self._paces: dict[_Place, _Pace] = {}

    def follow(self, kept: Mapping[str, Kept]) -> None:
        """By version, those that want less than everything to be kept."""
        self._kept = kept

    def runs(self, records: Sequence[RunRecord]) -> None:
        self._store.add_runs(records if not self._kept else [each for each in records if self._is_kept(each)])
        self._rings.runs(records)

    def _is_kept(self, record: RunRecord) -> bool:
        kept = self._kept.get(record.version)
        if kept is None:
            return True
        record.sampling = kept.sampling
        return _is_chosen(record, kept.sampling) or record.failed

    def line(self, record: LineRecord) -> None:
        if self._kept and (kept := self._kept.get(record.version)) is not None and not kept.logs:
            return
        if self._is_too_much(record):
            return
        self._keep(record)

    def _keep(self, record: LineRecord) -> None:
        size = len(record.text)
        if record.fields is not None:
            size += _size(record.fields)
        self._store.line(record, size)
        self._rings.line(record, size)

    def _is_too_much(self, record: LineRecord) -> bool:
        place = record.project, record.environment, record.worker
        now = time.monotonic()
        pace = self._paces.get(place)
        most = self._rate * BURST_SECONDS
        if pace is None:
            if len(self._paces) >= _MAX_WORKERS:
                self._paces.pop(next(iter(self._paces)))
            pace = self._paces[place] = _Pace(now, most)
        pace.left = min(most, pace.left + (now - pace.at) * self._rate)
        pace.at = now
        if pace.left < 1:
            pace.left_out += 1
            pace.version = record.version
            return True
        pace.left -= 1
        return False

    async def tell_forever(self) -> None:
        """Says each second what was left out."""
        while True:
            await asyncio.sleep(_TELL_SECONDS)
            self.tell()

    def tell(self) -> None:
        """Says what was left out since the last time, and forgets workers that have gone quiet."""
        for place, pace in list(self._paces.items()):
            if pace.left_out:
                project, environment, worker = place
                text = f"{pace.left_out:,} lines were left out: this worker prints more than {self._rate:,} a second"
                pace.left_out = 0
                record = LineRecord(time.time(), None, worker, pace.version, "warn", text)
                record.project, record.environment = project, environment
                self._keep(record)
            elif time.monotonic() - pace.at > BURST_SECONDS:
                del self._paces[place]


def _size(fields: object) -> int:
    try:
        return len(msgspec.json.encode(fields))
    except Exception:  # it will not be kept, and the store says so
        return 0


def _is_chosen(record: RunRecord, share: float) -> bool:
    """By the trace, so that runs that belong together are kept together; else by the run's own number."""
    number = int(record.trace[-8:], 16) if record.trace else int(record.id[-6:], 16) * 2_654_435_761 & 0xFFFFFFFF
    return number < share * 4_294_967_296
