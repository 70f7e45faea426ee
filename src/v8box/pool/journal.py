"""What sandboxes tell becomes records: log lines with their stacks mapped to the user's files, and deaths."""

from __future__ import annotations

import logging
import re
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from v8box.catalog.model import Version
from v8box.errors import StopReason
from v8box.kit.sourcemap import SourceMap, SourceMapError, map_stack
from v8box.kit.tasks import TaskSet
from v8box.sandbox.interface import Death, LogLine
from v8box.sandbox.protocol import Level
from v8box.telemetry.runs import LineRecord, RunLog

logger = logging.getLogger(__name__)

LoadSourceMap = Callable[[Version], Awaitable[bytes | None]]
Echo = Callable[[LineRecord], None]

_LEVELS: Final = {int(level): level.name.lower() for level in Level}
_SHIM_FRAME: Final = re.compile(r"\n\s+at [^\n]*/shim\.js:[^\n]*")
"""Frames of the platform's own; the author of a worker has no use for them."""
_MAX_MAPS: Final = 32
_MAX_MAPPING: Final = 256
_QUIET: Final = frozenset({StopReason.IDLE, StopReason.REPLACED, StopReason.REMOVED, StopReason.SHUTDOWN})


class Journal:
    """The observer of every sandbox."""

    def __init__(self, runs: RunLog, load_source_map: LoadSourceMap, echo: Echo) -> None:
        self._runs = runs
        self._load = load_source_map
        self._echo = echo
        self._maps: OrderedDict[str, SourceMap] = OrderedDict()
        self._tasks = TaskSet()
        self._mapping = 0

    def logged(self, version: Version, lines: Sequence[LogLine]) -> None:
        for line in lines:
            level = _LEVELS.get(line.level, "info")
            text = _SHIM_FRAME.sub("", line.text) if "/shim.js:" in line.text else line.text
            record = LineRecord(line.time_ms / 1000, line.run, version.worker, version.id, level, text, line.fields)
            if "blob:" in text and version.source_map_hash and self._mapping < _MAX_MAPPING:
                self._mapping += 1
                self._tasks.add(self._map(version, record), "map a stack")
            else:
                self._write(record)

    def _write(self, record: LineRecord) -> None:
        self._runs.line(record)
        self._echo(record)

    async def _map(self, version: Version, record: LineRecord) -> None:
        """Rewrites a stack's frames off the request path; a map that cannot be read leaves the line as it is."""
        try:
            record.text = map_stack(record.text, await self._source_map(version))
        except (SourceMapError, OSError, LookupError) as error:
            logger.warning("the source map of %s %s cannot be used: %s", version.worker, version.id, error)
        finally:
            self._mapping -= 1
        self._write(record)

    async def _source_map(self, version: Version) -> SourceMap:
        known = self._maps.get(version.id)
        if known is not None:
            self._maps.move_to_end(version.id)
            return known
        data = await self._load(version)
        if data is None:
            raise LookupError("it has none")
        parsed = self._maps[version.id] = SourceMap.parse(data)
        while len(self._maps) > _MAX_MAPS:
            self._maps.popitem(last=False)
        return parsed

    def died(self, version: Version | None, death: Death) -> None:
        if version is None:
            if death.reason is not StopReason.SHUTDOWN:
                logger.warning("a blank sandbox died: %s %s", death.detail, death.last_output)
            return
        if death.reason in _QUIET:
            return
        fields = {
            "reason": str(death.reason),
            "limit": death.limit,
            "used": death.used,
            "exit_code": death.exit_code,
            "signal": death.signal,
            "cpu_seconds": round(death.cpu_seconds, 3),
            "peak_memory_mb": round(death.peak_memory_bytes / 1048576, 1),
        }
        if death.last_output:
            fields["last_output"] = death.last_output[-1000:]
        level = "info" if death.reason in (StopReason.RECYCLED, StopReason.EVICTED) else "error"
        text = f"stopped ({death.reason}): {death.detail}"
        self._write(LineRecord(time.time(), None, version.worker, version.id, level, text, fields))

    async def stop(self) -> None:
        await self._tasks.cancel()
