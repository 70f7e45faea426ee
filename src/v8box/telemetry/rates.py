"""How the versions that are live have done in the last minute: requests, errors, latency, second by second.

Filled by the gateway as a run is over: about a microsecond each. A placement takes some kilobytes, and is forgotten
when it is no longer live.
"""

from __future__ import annotations

import math
import time
from array import array
from bisect import bisect_left
from collections.abc import Callable, Collection
from dataclasses import dataclass
from operator import add
from typing import Final

SECONDS: Final = 60
BOUNDS_MS: Final = (
    *(1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 75, 100, 150, 200, 300, 500, 750),
    *(1_000, 2_000, 5_000, 10_000, 30_000),
)
"""Upper bounds of the histogram's buckets, in milliseconds; the last bucket has none."""
_BUCKETS: Final = len(BOUNDS_MS) + 1
_ROW: Final = 2 + _BUCKETS
"""A second's figures: requests, errors, and a count for each bucket."""


@dataclass(frozen=True, slots=True)
class Window:
    """What happened in some seconds."""

    requests: int
    errors: int
    buckets: tuple[int, ...]

    @property
    def error_rate(self) -> float:
        return self.errors / self.requests if self.requests else 0.0

    def quantile_ms(self, share: float) -> float:
        """The latency that this share of the requests kept within, e.g. 0.95; between the bounds of a bucket it is
        taken to be even."""
        wanted = share * self.requests
        below = 0
        for index, count in enumerate(self.buckets):
            if count and below + count >= wanted:
                low = BOUNDS_MS[index - 1] if index else 0
                high = BOUNDS_MS[index] if index < len(BOUNDS_MS) else low
                return low + (high - low) * (wanted - below) / count
            below += count
        return 0.0


class _Ring:
    """The last minute of one placement."""

    __slots__ = ("figures", "seconds", "total")

    def __init__(self) -> None:
        self.seconds = array("q", [-1] * SECONDS)
        """Which second each row is about."""
        self.figures = array("I", bytes(4 * SECONDS * _ROW))
        self.total = 0


class Rates:
    """Of all placements that are live. `follow` says which those are."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._rings: dict[str, _Ring | None] = {}
        """None: nothing has happened yet."""

    def follow(self, keys: Collection[str]) -> None:
        """These placements are live from now on, by their keys; the others are forgotten."""
        self._rings = {key: self._rings.get(key) for key in keys}

    def record(self, key: str, milliseconds: float, failed: bool) -> None:
        """A run is over. One of a placement that is no longer live does not count."""
        ring = self._rings.get(key)
        if ring is None:
            if key not in self._rings:
                return
            ring = self._rings[key] = _Ring()
        second = int(self._clock())
        slot = second % SECONDS
        start = slot * _ROW
        figures = ring.figures
        if ring.seconds[slot] != second:
            ring.seconds[slot] = second
            figures[start : start + _ROW] = _EMPTY
        ring.total += 1
        figures[start] += 1
        if failed:
            figures[start + 1] += 1
        figures[start + 2 + bisect_left(BOUNDS_MS, milliseconds)] += 1

    def total(self, key: str) -> int:
        """Requests since the placement went live."""
        ring = self._rings.get(key)
        return 0 if ring is None else ring.total

    def between(self, key: str, after: float, until: float) -> Window:
        """The seconds after one and up to another, of the clock's; those of the last minute are known."""
        ring = self._rings.get(key)
        sums = [0] * _ROW
        if ring is not None:
            now = int(self._clock())
            for second in range(max(math.floor(after) + 1, now - SECONDS + 1), min(math.floor(until), now) + 1):
                slot = second % SECONDS
                if ring.seconds[slot] == second:
                    row = ring.figures[slot * _ROW : (slot + 1) * _ROW]
                    sums = list(map(add, sums, row))
        return Window(sums[0], sums[1], tuple(sums[2:]))

    def window(self, key: str, seconds: float) -> Window:
        """The last so many seconds, a minute at most; the second that is going on counts."""
        now = int(self._clock())
        return self.between(key, now - min(seconds, SECONDS), now)


_EMPTY: Final = array("I", bytes(4 * _ROW))
