"""Whether a process keeps more and more memory the more it does. Pure judgement; `watch.py` measures and acts.

Garbage says nothing, so only what is left after a collection counts. A process that has grown is asked to collect, at
first every few seconds, and ever less often when it turns out that it was garbage.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Final

_MIB: Final = 1024 * 1024
STEP_SHARE: Final = 0.06
"""Of its limit; having grown by this it is looked at."""
_MIN_STEP: Final = 2 * _MIB
_FIRST_PAUSE: Final = 2.0
_LAST_PAUSE: Final = 300.0
_SETTLING_LOOKS: Final = 3
"""So many looks after it was asked, the garbage is gone."""
_MAX_POINTS: Final = 20
_MIN_POINTS: Final = 5
_RISING: Final = 0.75
"""This share of the steps between points goes up in a leak."""


@dataclass(frozen=True, slots=True)
class Leak:
    """It keeps so many bytes with each run, as far as could be seen."""

    bytes_per_run: float

    def words(self) -> str:
        return f"leaks about {self.bytes_per_run * 1000 / _MIB:.1f} MiB per 1,000 requests"


class Growth:
    """The memory of one process that its garbage collector could not free, by the number of runs it had."""

    __slots__ = ("_floor", "_low", "_next", "_pause", "_points", "_settling", "_step", "leak")

    def __init__(self, limit_bytes: int) -> None:
        self._step = max(_MIN_STEP, limit_bytes * STEP_SHARE)
        self._points: deque[tuple[int, int]] = deque(maxlen=_MAX_POINTS)
        self._floor: int | None = None
        self._next = 0.0
        self._pause = _FIRST_PAUSE
        self._settling = 0
        self._low = 0
        self.leak: Leak | None = None

    def look(self, now: float, runs: int, used_bytes: int) -> bool:
        """Looks once. True: it should collect its garbage now; what follows is measured."""
        if self._settling:
            self._low = min(self._low, used_bytes)
            self._settling -= 1
            if not self._settling:
                self._add(runs, self._low)
            return False
        if self._floor is None:
            self._floor = used_bytes
        if used_bytes - self._floor < self._step or now < self._next:
            return False
        self._next = now + self._pause
        self.collecting(used_bytes)
        return True

    def collecting(self, used_bytes: int) -> None:
        """It was asked to collect its garbage."""
        self._settling, self._low = _SETTLING_LOOKS, used_bytes

    def _add(self, runs: int, used_bytes: int) -> None:
        grown = used_bytes - (self._floor or 0)
        self._pause = _FIRST_PAUSE if grown >= self._step / 2 else min(self._pause * 2, _LAST_PAUSE)
        self._floor = used_bytes
        if self._points and self._points[-1][0] == runs:
            self._points.pop()
        self._points.append((runs, used_bytes))
        self.leak = self._judge()

    def _judge(self) -> Leak | None:
        """The median of the slopes between all points (Theil-Sen): a few that are off change nothing. The first point
        does not count: a worker that begins fills its caches."""
        points = list(self._points)[1:]
        if len(points) < _MIN_POINTS - 1 or points[-1][1] - points[0][1] < 2 * self._step:
            return None
        steps = list(pairwise(points))
        if sum(later[1] > earlier[1] for earlier, later in steps) < _RISING * len(steps):
            return None
        slopes = [
            (later[1] - earlier[1]) / (later[0] - earlier[0])
            for index, earlier in enumerate(points)
            for later in points[index + 1 :]
        ]
        slope = median(slopes)
        return Leak(slope) if slope > 0 else None
