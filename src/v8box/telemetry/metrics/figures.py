"""What is counted of a worker's runs in some stretch of time, and how two stretches become one.

A figure that adds up has its place in a row of numbers, which the request path counts in; what is kept of a stretch
holds only those that are not zero.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

BOUNDS_MS: Final = (
    *(0.5, 1, 1.5, 2, 3, 5, 7, 10, 15, 20, 30, 50, 75, 100, 150, 200, 300, 500, 750),
    *(1_000, 1_500, 2_000, 3_000, 5_000, 7_500, 10_000, 15_000, 30_000, 60_000),
)
"""Upper bounds of the buckets of durations, in milliseconds; the last bucket has none."""

# Places in a row.
REQUESTS: Final = 0
FAILED: Final = 1
"""`RunRecord.failed`."""
CLASSES: Final = 2
"""Six places: no status at all, 1xx to 5xx."""
TIMED: Final = 8
"""Runs whose duration is one: how long people talk over a WebSocket is no latency."""
DURATION_MS: Final = 9
COLD: Final = 10
COLD_MS: Final = 11
QUEUED: Final = 12
QUEUE_MS: Final = 13
CPU_MS: Final = 14
BYTES_IN: Final = 15
BYTES_OUT: Final = 16
CALLS: Final = 17
CALL_BYTES: Final = 18
CALL_MS: Final = 19
LINES: Final = 20
"""Four places: debug, info, warn, error."""
DEATHS: Final = 24
BUCKETS: Final = 25
ROW: Final = BUCKETS + len(BOUNDS_MS) + 1

LONGEST: Final = "duration"
"""The peak that is the longest timed run."""

STATUS_CLASSES: Final = ("none", "1xx", "2xx", "3xx", "4xx", "5xx")

# Places in the row of a binding.
BINDING_CALLS, BINDING_ERRORS, BINDING_MS, BINDING_BYTES = range(4)


class Key(NamedTuple):
    """Whose figures they are. Those of an environment have no worker, those of a project no
    environment, and those of the box no project. `name` and `labels`
    (JSON) are of a metric of the worker's own, and so is `kind`."""

    project: str
    environment: str = ""
    worker: str = ""
    version: str = ""
    trigger: str = ""
    name: str = ""
    labels: str = ""
    kind: str = ""


class Figures(msgspec.Struct, array_like=True):
    """What was counted in a stretch of time."""

    sums: dict[int, float] = {}
    """By place in the row."""
    outcomes: dict[str, int] = {}
    """Runs that were not `ok`."""
    deaths: dict[str, int] = {}
    """Sandboxes that ended, by `StopReason`."""
    bindings: dict[str, list[float]] = {}
    peaks: dict[str, float] = {}
    """The most that something was, e.g. `memory`."""
    last: dict[str, float] = {}
    """What something was at the end."""

    def add(self, other: Figures) -> None:
        """What `other` counted, which came later, counts here too."""
        sums = self.sums
        longest_is_known = self._knows_longest and other._knows_longest
        for place, count in other.sums.items():
            sums[place] = sums.get(place, 0) + count
        for name, number in other.outcomes.items():
            self.outcomes[name] = self.outcomes.get(name, 0) + number
        for name, number in other.deaths.items():
            self.deaths[name] = self.deaths.get(name, 0) + number
        for name, row in other.bindings.items():
            have = self.bindings.get(name)
            self.bindings[name] = list(row) if have is None else [a + b for a, b in zip(have, row, strict=True)]
        for name, value in other.peaks.items():
            self.peaks[name] = max(self.peaks.get(name, value), value)
        self.last.update(other.last)
        if not longest_is_known:
            self.peaks.pop(LONGEST, None)

    @property
    def _knows_longest(self) -> bool:
        """Not where it was counted by a box that did not look at it yet."""
        return (LONGEST in self.peaks) == (TIMED in self.sums)

    @property
    def empty(self) -> bool:
        return not (self.sums or self.outcomes or self.deaths or self.bindings or self.peaks or self.last)

    def get(self, place: int) -> float:
        return self.sums.get(place, 0)

    def quantile(self, share: float, bounds: Sequence[float] = BOUNDS_MS) -> float | None:
        """What this share of the timed runs kept within, in the unit of the bounds; None: there were none. Between the
        bounds of a bucket it is taken to be even, and nothing took longer than the longest."""
        counts = [self.sums.get(BUCKETS + index, 0) for index in range(len(bounds) + 1)]
        found, longest = quantile(counts, share, bounds), self.peaks.get(LONGEST)
        return found if found is None or longest is None else min(found, longest)


def quantile(counts: Sequence[float], share: float, bounds: Sequence[float]) -> float | None:
    """The same of the counts of buckets. Beyond the last bound nothing is known but the bound."""
    wanted = share * sum(counts)
    if not wanted:
        return None
    below = 0.0
    for index, count in enumerate(counts):
        if count and below + count >= wanted:
            if index == len(bounds):
                break
            low = bounds[index - 1] if index else 0.0
            return low + (bounds[index] - low) * (wanted - below) / count
        below += count
    return float(bounds[-1])


def bucket_of(value: float, bounds: Sequence[float]) -> int:
    return bisect_left(bounds, value)


def since(now: Mapping[str, int], before: Mapping[str, int]) -> dict[str, int]:
    """By how much counters grew, those that did."""
    return {name: count - before.get(name, 0) for name, count in now.items() if count != before.get(name, 0)}
