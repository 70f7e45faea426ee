"""What sandboxes tell becomes records: log lines with their stacks mapped to the user's files, and deaths."""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final

from v8box.catalog.model import Placement
from v8box.errors import StopReason
from v8box.kit.sourcemap import map_stack
from v8box.kit.tasks import TaskSet
from v8box.pool.source_maps import SourceMaps
from v8box.sandbox.interface import Death, LogLine, RunningRun
from v8box.sandbox.protocol import Level
from v8box.telemetry.feed import Feed
from v8box.telemetry.records import DeathRecord, LineRecord, Measurement, MeasureRecord, RunningRecord
from v8box.telemetry.redactor import Redactor

logger = logging.getLogger(__name__)

Echo = Callable[[LineRecord], None]
RedactorOf = Callable[[Placement], Redactor]

_LEVELS: Final = {int(level): level.name.lower() for level in Level}
SHIM_FRAME: Final = re.compile(r"\n\s+at [^\n]*/shim\.js:[^\n]*")
"""Frames of the platform's own; the author of a worker has no use for them."""
_NOTHING_SECRET: Final = Redactor()
_MAX_HELD: Final = 256
"""Lines that may wait for a map; the next ones are written as they are, before them."""
_QUIET: Final = frozenset({StopReason.IDLE, StopReason.REPLACED, StopReason.REMOVED, StopReason.SHUTDOWN})


def no_secrets(_: Placement) -> Redactor:
    """`RedactorOf` where nothing is secret."""
    return _NOTHING_SECRET


class Journal:
    """The observer of every sandbox."""

    def __init__(self, feed: Feed, maps: SourceMaps, echo: Echo, redactor: RedactorOf = no_secrets) -> None:
        self._feed = feed
        self._maps = maps
        self._echo = echo
        self._redactor = redactor
        self._tasks = TaskSet()
        self._held: dict[str, deque[LineRecord]] = {}
        """By version: lines with a stack that is being mapped, and those that came after them."""
        self._held_count = 0

    def logged(self, placement: Placement, lines: Sequence[LogLine]) -> None:
        redactor = self._redactor(placement)
        for line in lines:
            level = _LEVELS.get(line.level, "info")
            text = SHIM_FRAME.sub("", line.text) if "/shim.js:" in line.text else line.text
            text, fields = redactor.text(text), redactor.value(line.fields)
            record = _line(placement, line.time_ms / 1000, line.run, level, text, fields)
            record.thrown = line.thrown
            if line.origin is not None:
                record.trace, record.span = line.origin.trace, line.origin.span
            held = self._held.get(placement.id)
            stack = placement.source_map_hash is not None and "blob:" in text
            if (held is None and not stack) or self._held_count >= _MAX_HELD:
                self._write(record)
                continue
            if held is None:
                held = self._held[placement.id] = deque()
                self._tasks.add(self._map(placement, held), "map stacks")
            held.append(record)
            self._held_count += 1

    def measured(self, placement: Placement, entries: Sequence[Measurement], *, lost: bool) -> None:
        redactor = self._redactor(placement)
        if redactor is not _NOTHING_SECRET:
            entries = [(kind, name, labels and redactor.value(labels), value) for kind, name, labels, value in entries]
        self._feed.measure(
            MeasureRecord(placement.worker, placement.id, entries, placement.project, placement.environment, lost)
        )

    def _write(self, record: LineRecord) -> None:
        self._feed.line(record)
        self._echo(record)

    async def _map(self, placement: Placement, held: deque[LineRecord]) -> None:
        """Rewrites the frames of stacks off the request path; without a map that can be used they stay as they are."""
        source_map = await self._maps.get(placement)
        while held:
            record = held[0]
            if source_map is not None and "blob:" in record.text:
                record.text = map_stack(record.text, source_map)
                await asyncio.sleep(0)  # a burst of stacks must not keep the loop
            self._release(held)
        del self._held[placement.id]

    def _release(self, held: deque[LineRecord]) -> None:
        self._held_count -= 1
        self._write(held.popleft())

    def died(self, placement: Placement | None, death: Death) -> None:
        if placement is None:
            if death.reason is not StopReason.SHUTDOWN:
                logger.warning("a blank sandbox died: %s %s", death.detail, death.last_output)
            return
        if death.reason in _QUIET:
            return
        record = self._record(placement, death)
        fields = {
            "reason": record.reason,
            "limit": death.limit,
            "used": death.used,
            "exit_code": death.exit_code,
            "signal": death.signal,
            "cpu_seconds": record.cpu_seconds,
            "peak_memory_mb": round(death.peak_memory_bytes / 1048576, 1),
        }
        if record.last_output:
            fields["last_output"] = record.last_output
        level = "info" if death.reason in (StopReason.RECYCLED, StopReason.EVICTED) else "error"
        if death.reason is StopReason.RECYCLED and death.limit is not None:
            level = "warn"  # it was for its memory: its owner can do something
        text = f"stopped ({death.reason}): {record.detail}"
        if death.reason is StopReason.WALL:  # the run's own line has said the same already
            text += "; its process, which did not end it, went with it"
        self._write(_line(placement, record.time, None, level, text, fields))
        self._tell(record, placement)

    def _tell(self, record: DeathRecord, placement: Placement) -> None:
        if record.stack and placement.source_map_hash is not None:
            self._tasks.add(self._tell_mapped(record, placement), "map the stack of an end")
        else:
            self._feed.death(record)

    async def _tell_mapped(self, record: DeathRecord, placement: Placement) -> None:
        try:
            source_map = await self._maps.get(placement)
            if source_map is not None:
                record.stack = map_stack(record.stack, source_map)
        finally:
            self._feed.death(record)

    def stopped(self, placement: Placement, death: Death) -> None:
        """A run was ended for a limit; what it printed and how it ended is told already."""
        record = self._record(placement, death)
        record.whole = False
        self._feed.death(record)

    def _record(self, placement: Placement, death: Death) -> DeathRecord:
        redactor = self._redactor(placement)
        return DeathRecord(
            time.time(),
            placement.worker,
            placement.id,
            str(death.reason),
            redactor.text(death.detail),
            death.limit,
            death.used,
            death.exit_code,
            death.signal,
            round(death.cpu_seconds, 3),
            death.peak_memory_bytes,
            redactor.text(death.last_output)[-1000:],
            placement.project,
            placement.environment,
            secrets.token_hex(8),
            runs=[_running(run, redactor) for run in death.runs],
            run_count=death.run_count,
            curve=list(death.curve),
            stack=redactor.text(death.stack),
        )

    async def stop(self) -> None:
        """What still waits for a map is written as it is."""
        await self._tasks.cancel()
        for held in self._held.values():
            while held:
                self._release(held)
        self._held.clear()


def _line(placement: Placement, at: float, run: str | None, level: str, text: str, fields: Any) -> LineRecord:
    return LineRecord(
        at, run, placement.worker, placement.id, level, text, fields, placement.project, placement.environment
    )


def _running(run: RunningRun, redactor: Redactor) -> RunningRecord:
    return RunningRecord(
        run.id,
        run.method,
        redactor.text(run.path),
        round(run.elapsed_seconds * 1000, 1),
        round(run.cpu_seconds * 1000, 1),
        list(run.waiting_for),
    )
