"""Counts what the feed tells, by worker, environment, version and trigger: about a microsecond a run, and no more.

Everything here only grows, from the start of the box on; whoever wants what happened in a stretch of time takes the
difference (`Series.take`). There are so many series at most; what comes beyond counts for its project as `_other`.
"""

from __future__ import annotations

import logging
import time
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Final

from v8box.telemetry.metrics.figures import (
    BOUNDS_MS,
    BUCKETS,
    BYTES_IN,
    BYTES_OUT,
    CALL_BYTES,
    CALL_MS,
    CALLS,
    CLASSES,
    COLD,
    COLD_MS,
    CPU_MS,
    DEATHS,
    DURATION_MS,
    FAILED,
    LINES,
    LONGEST,
    QUEUE_MS,
    QUEUED,
    REQUESTS,
    ROW,
    TIMED,
    Figures,
    Key,
    since,
)
from v8box.telemetry.records import LEVELS, DeathRecord, LineRecord, RunRecord

MAX_SERIES: Final = 4_096
OTHER: Final = "_other"
"""No worker can be called so."""
IDLE_SECONDS: Final = 86_400.0
"""A series in which nothing happened for so long is forgotten; what it counted is in the rollups."""
_HURRIED_IDLE_SECONDS: Final = 600.0
"""The same when there is no room for another."""

_key_of: Final = attrgetter("project", "environment", "worker", "version", "trigger")
_LEVEL_PLACES: Final = {level: LINES + index for index, level in enumerate(LEVELS)}
_EMPTY_ROW: Final[list[float]] = [0] * ROW
_NO_CALLS: Final[list[float]] = [0] * 4
_SWITCHING: Final = 101

_log: Final = logging.getLogger(__name__)


class Series:
    """The counts of one worker's version in an environment, for one trigger."""

    __slots__ = (
        "_bindings_taken",
        "_deaths_taken",
        "_outcomes_taken",
        "_taken",
        "bindings",
        "cold_buckets",
        "deaths",
        "exemplars",
        "key",
        "longest",
        "memory",
        "outcomes",
        "queue_buckets",
        "row",
        "touched",
    )

    def __init__(self, key: Key, now: float) -> None:
        self.key = key
        self.row: list[float] = _EMPTY_ROW.copy()
        self.outcomes: dict[str, int] = {}
        self.deaths: dict[str, int] = {}
        self.bindings: dict[str, list[float]] = {}
        self.cold_buckets: list[int] | None = None
        self.queue_buckets: list[int] | None = None
        self.exemplars: dict[int, tuple[str, float, float]] = {}
        """By bucket: the trace, duration (ms) and time of the last run that had a trace."""
        self.memory = 0
        """The most since it was taken."""
        self.longest = 0.0
        """The longest timed run since it was taken, in milliseconds."""
        self.touched = now
        """When something was last found to have happened."""
        self._taken = _EMPTY_ROW.copy()
        self._outcomes_taken: dict[str, int] = {}
        self._deaths_taken: dict[str, int] = {}
        self._bindings_taken: dict[str, list[float]] = {}

    def fold(self, other: Series) -> None:
        """What `other` has counted, and what was taken of it, counts here from now on."""
        for mine, others in ((self.row, other.row), (self._taken, other._taken)):
            mine[:] = [a + b for a, b in zip(mine, others, strict=True)]
        for name, number in other.outcomes.items():
            self.outcomes[name] = self.outcomes.get(name, 0) + number
        for name, number in other.deaths.items():
            self.deaths[name] = self.deaths.get(name, 0) + number
        for name, counted in other.bindings.items():
            have = self.bindings.get(name, _NO_CALLS)
            self.bindings[name] = [a + b for a, b in zip(have, counted, strict=True)]
        self.cold_buckets = _added(self.cold_buckets, other.cold_buckets)
        self.queue_buckets = _added(self.queue_buckets, other.queue_buckets)
        self.touched = max(self.touched, other.touched)

    @property
    def idle(self) -> bool:
        """Whether all of it was taken."""
        return self.row == self._taken

    def take(self, now: float) -> Figures | None:
        """What happened since it was last taken; None: nothing."""
        row, taken = self.row, self._taken
        if row == taken:
            return None
        self.touched = now
        found = Figures({place: row[place] - taken[place] for place in range(ROW) if row[place] != taken[place]})
        self._taken = row.copy()
        if self.outcomes:
            found.outcomes, self._outcomes_taken = since(self.outcomes, self._outcomes_taken), self.outcomes.copy()
        if self.deaths:
            found.deaths, self._deaths_taken = since(self.deaths, self._deaths_taken), self.deaths.copy()
        if self.bindings:
            found.bindings = self._take_bindings()
        if self.memory:
            found.peaks["memory"], self.memory = self.memory, 0
        if self.longest:
            found.peaks[LONGEST], self.longest = self.longest, 0.0
        return found

    def _take_bindings(self) -> dict[str, list[float]]:
        found = {}
        for name, counted in self.bindings.items():
            before = self._bindings_taken.get(name, _NO_CALLS)
            if before != counted:
                found[name] = [now - then for now, then in zip(counted, before, strict=True)]
                self._bindings_taken[name] = counted.copy()
        return found


class Counters:
    """Listens to the feed: `on_runs`, `on_line`, `on_death`."""

    def __init__(self, most: int = MAX_SERIES, clock: Callable[[], float] = time.time) -> None:
        self._series: dict[tuple[str, ...], Series] = {}
        self._retired: dict[tuple[str, ...], Series] = {}
        """What forgotten versions counted, by worker: sums over versions must not shrink."""
        self._most = most
        self._clock = clock
        self.lumped = 0
        """How often something was counted as `_other`."""

    def __iter__(self) -> Iterator[Series]:
        return iter(tuple(self._series.values()))

    def __len__(self) -> int:
        return len(self._series)

    def on_runs(self, records: Sequence[RunRecord]) -> None:
        for key, group in groupby(records, _key_of):
            _count(self._series.get(key) or self._open(key), group)

    def on_line(self, record: LineRecord) -> None:
        key = (record.project, record.environment, record.worker, record.version, "")
        series = self._series.get(key) or self._open(key)
        series.row[_LEVEL_PLACES.get(record.level, LINES + 1)] += 1

    def on_death(self, record: DeathRecord) -> None:
        key = (record.project, record.environment, record.worker, record.version, "")
        series = self._series.get(key) or self._open(key)
        series.row[DEATHS] += 1
        series.deaths[record.reason] = series.deaths.get(record.reason, 0) + 1
        if record.peak_memory > series.memory:
            series.memory = record.peak_memory

    def all(self) -> tuple[Series, ...]:
        """Those of forgotten versions included, which have no version. From any thread."""
        return (*tuple(self._series.values()), *tuple(self._retired.values()))

    def forget(self, idle_seconds: float = IDLE_SECONDS) -> None:
        """Series in which nothing happened for long go; the worker's sums keep what they counted."""
        now = self._clock()
        for key in [key for key, each in self._series.items() if each.touched < now - idle_seconds and each.idle]:
            project, environment, worker, _, trigger = key
            kept = (project, environment, worker, "", trigger)
            if kept not in self._retired:
                self._retired[kept] = Series(Key(*kept), 0.0)
            self._retired[kept].fold(self._series.pop(key))
        used = {(key[0], key[1], key[2]) for key in self._series}
        for key in [key for key, each in self._retired.items() if each.touched < now - 2 * idle_seconds]:
            if (key[0], key[1], key[2]) not in used:
                del self._retired[key]

    def forget_project(self, project: str) -> None:
        for series in (self._series, self._retired):
            for key in [key for key in series if key[0] == project]:
                del series[key]

    def _open(self, key: tuple[str, ...]) -> Series:
        if len(self._series) >= self._most and key[2] != OTHER:
            return self._open_at_the_bound(key)
        series = self._series[key] = Series(Key(*key), self._clock())
        return series

    def _open_at_the_bound(self, key: tuple[str, ...]) -> Series:
        other = (key[0], "", OTHER, "", "")
        if self.lumped % 1_000 == 0:  # looking for idle ones takes a while
            self.forget(_HURRIED_IDLE_SECONDS)
            if len(self._series) < self._most:
                return self._open(key)
        if not self.lumped:
            _log.warning("there are %d series of metrics, as many as are kept: others count as %s", self._most, OTHER)
        self.lumped += 1
        return self._series.get(other) or self._open(other)


def _added(have: list[int] | None, more: list[int] | None) -> list[int] | None:
    if have is None or more is None:
        return have or more
    return [a + b for a, b in zip(have, more, strict=True)]


def _count(series: Series, records: Iterable[RunRecord]) -> None:
    row, exemplars = series.row, series.exemplars
    for record in records:
        status = record.status
        row[REQUESTS] += 1
        row[CLASSES + status // 100 if 0 < status < 600 else CLASSES] += 1
        row[CPU_MS] += record.cpu
        row[BYTES_OUT] += record.bytes_out
        if status != _SWITCHING:
            duration = record.duration
            bucket = BUCKETS + bisect_left(BOUNDS_MS, duration)
            row[TIMED] += 1
            row[DURATION_MS] += duration
            row[bucket] += 1
            if duration > series.longest:
                series.longest = duration
            if record.trace:
                exemplars[bucket] = (record.trace, duration, record.time)
        if record.memory > series.memory:
            series.memory = record.memory
        if record.bytes_in:
            row[BYTES_IN] += record.bytes_in
        if status >= 500 or record.outcome != "ok":
            _count_ill(series, record)
        if record.calls:
            _count_calls(series, record)
        if record.cold or record.queue:
            _count_waits(series, record)


def _count_ill(series: Series, record: RunRecord) -> None:
    if record.failed:
        series.row[FAILED] += 1
    if record.outcome != "ok":
        series.outcomes[record.outcome] = series.outcomes.get(record.outcome, 0) + 1


def _count_waits(series: Series, record: RunRecord) -> None:
    row = series.row
    if record.cold:
        row[COLD] += 1
        row[COLD_MS] += record.cold
        if series.cold_buckets is None:
            series.cold_buckets = [0] * (len(BOUNDS_MS) + 1)
        series.cold_buckets[bisect_left(BOUNDS_MS, record.cold)] += 1
    if record.queue:
        row[QUEUED] += 1
        row[QUEUE_MS] += record.queue
        if series.queue_buckets is None:
            series.queue_buckets = [0] * (len(BOUNDS_MS) + 1)
        series.queue_buckets[bisect_left(BOUNDS_MS, record.queue)] += 1


def _count_calls(series: Series, record: RunRecord) -> None:
    """Of a run with more calls than it has spans, the others are shared out as those were."""
    row = series.row
    row[CALLS] += record.calls
    row[CALL_BYTES] += record.call_bytes
    row[CALL_MS] += record.call_time
    spans = record.spans
    if not spans:
        return
    share = record.calls / len(spans)
    for span in spans:
        counted = series.bindings.get(span.binding)
        if counted is None:
            counted = series.bindings[span.binding] = [0, 0, 0.0, 0]
        counted[0] += share
        if span.error:
            counted[1] += share
        if span.duration > 0:
            counted[2] += span.duration * share
        counted[3] += (span.bytes_in + span.bytes_out) * share
