"""What a report wants to know beside the end itself: the last lines of a worker, and what its good runs need.

Filled on the request path, so each record costs a look-up and a few comparisons, and both are bounded.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Sequence
from typing import Final

from v8box.features.kills.report import LastLine
from v8box.telemetry.records import LineRecord, RunRecord

LINES_KEPT: Final = 30
"""The last lines of a worker in an environment."""
_MAX_TEXT: Final = 500
_MAX_WORKERS: Final = 256
"""Workers whose lines are kept; of more, those that printed last."""
_MAX_VERSIONS: Final = 2_048

_Line = tuple[float, str, str, str | None]


class LastLines:
    """The last lines of each worker."""

    def __init__(self) -> None:
        self._of: OrderedDict[tuple[str, str, str], deque[_Line]] = OrderedDict()

    def take(self, record: LineRecord) -> None:
        key = (record.project, record.environment, record.worker)
        lines = self._of.get(key)
        if lines is None:
            while len(self._of) >= _MAX_WORKERS:
                self._of.popitem(last=False)
            lines = self._of[key] = deque(maxlen=LINES_KEPT)
        self._of.move_to_end(key)
        text = record.text
        lines.append((record.time, record.level, text if len(text) <= _MAX_TEXT else _cut(text), record.run))

    def of(self, project: str, environment: str, worker: str) -> list[LastLine]:
        """Oldest first."""
        return [LastLine(*line) for line in self._of.get((project, environment, worker), ())]


class Need:
    """What the good runs of a version needed at most, since the box began to watch. Milliseconds and bytes."""

    __slots__ = ("cpu", "duration", "memory", "runs")

    def __init__(self) -> None:
        self.runs = 0
        self.cpu = 0.0
        self.duration = 0.0
        self.memory = 0


class Needs:
    """What the good runs of each version need."""

    def __init__(self) -> None:
        self._of: OrderedDict[str, Need] = OrderedDict()

    def take(self, records: Sequence[RunRecord]) -> None:
        for record in records:
            if record.outcome != "ok":
                continue
            need = self._of.get(record.version) or self._open(record.version)
            need.runs += 1
            if record.cpu > need.cpu:
                need.cpu = record.cpu
            if record.duration > need.duration:
                need.duration = record.duration
            if record.memory > need.memory:
                need.memory = record.memory

    def _open(self, version: str) -> Need:
        while len(self._of) >= _MAX_VERSIONS:
            self._of.popitem(last=False)
        need = self._of[version] = Need()
        return need

    def of(self, version: str) -> Need:
        return self._of.get(version) or Need()


def _cut(text: str) -> str:
    return text[: _MAX_TEXT - 1] + "…"
