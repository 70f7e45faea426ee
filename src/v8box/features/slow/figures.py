"""What is counted of the slow runs of one worker, method and pattern: how many, how long, where, and the worst one."""

from __future__ import annotations

import math
from typing import Final

import msgspec

from v8box.telemetry.findings import MAX_FINDINGS, N_PLUS_ONE, SLOW, split_of
from v8box.telemetry.records import Finding, RunRecord

_STEP: Final = 1.1
"""Durations are counted in steps of ten per cent: a percentile is right to that."""
_LOG_STEP: Final = math.log(_STEP)


class Repeated(msgspec.Struct, omit_defaults=True):
    """A call that runs make again and again: in how many runs, how often and for how long altogether."""

    binding: str
    operation: str
    what: str
    runs: int = 0
    calls: int = 0
    duration: float = 0.0
    text: str = ""


class Worst(msgspec.Struct, omit_defaults=True):
    """The run that took longest."""

    id: str
    time: float
    version: str
    path: str
    status: int
    duration: float
    split: dict[str, float]
    findings: tuple[Finding, ...] = ()


class Figures(msgspec.Struct, omit_defaults=True):
    """Durations in milliseconds, times in Unix seconds."""

    first: float = 0.0
    last: float = 0.0
    runs: int = 0
    slow: int = 0
    """Runs over `slow_ms`; the others only asked the same again and again."""
    duration: float = 0.0
    steps: dict[int, int] = {}
    split: dict[str, float] = {}
    repeated: list[Repeated] = []
    worst: Worst | None = None

    def take(self, record: RunRecord) -> None:
        """One run more."""
        self.first = min(self.first, record.time) if self.runs else record.time
        self.last = max(self.last, record.time)
        self.runs += 1
        duration = next((found.duration for found in record.findings if found.kind == SLOW), record.duration)
        self.slow += any(found.kind == SLOW for found in record.findings)
        self.duration += duration
        step = math.ceil(math.log(max(duration, 1.0)) / _LOG_STEP)
        self.steps[step] = self.steps.get(step, 0) + 1
        split = split_of(duration, record.queue, record.cold, record.spans)
        _add(self.split, split)
        for found in record.findings:
            if found.kind == N_PLUS_ONE:
                which = (found.binding, found.operation, found.what)
                self._repeat(Repeated(*which, 1, found.count, found.duration, found.text))
        if self.worst is None or duration > self.worst.duration:
            self.worst = Worst(
                record.id, record.time, record.version, record.path[:500], record.status, round(duration, 1), split,
                record.findings,
            )  # fmt: skip

    def merge(self, other: Figures) -> None:
        """Those of another day."""
        self.first = min(self.first, other.first) if self.runs else other.first
        self.last = max(self.last, other.last)
        self.runs += other.runs
        self.slow += other.slow
        self.duration += other.duration
        for step, count in other.steps.items():
            self.steps[step] = self.steps.get(step, 0) + count
        _add(self.split, other.split)
        for repeated in other.repeated:
            self._repeat(repeated)
        if other.worst is not None and (self.worst is None or other.worst.duration > self.worst.duration):
            self.worst = other.worst

    def _repeat(self, one: Repeated) -> None:
        for each in self.repeated:
            if (each.binding, each.operation, each.what) == (one.binding, one.operation, one.what):
                each.runs += one.runs
                each.calls += one.calls
                each.duration += one.duration
                return
        if len(self.repeated) < 4 * MAX_FINDINGS:
            self.repeated.append(msgspec.structs.replace(one))

    def percentile(self, share: float) -> float:
        """What this share of the runs kept to."""
        left = share * self.runs
        for step in sorted(self.steps):
            left -= self.steps[step]
            if left <= 0:
                bound = _STEP**step
                return round(bound if self.worst is None else min(bound, self.worst.duration), 1)
        return 0.0


def _add(split: dict[str, float], more: dict[str, float]) -> None:
    for name, value in more.items():
        split[name] = round(split.get(name, 0.0) + value, 1)
