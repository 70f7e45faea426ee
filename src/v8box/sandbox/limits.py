"""When a run or a sandbox has used more than its share. Pure judgement on figures; `watch.py` measures and acts.

Processor time is measured per process. While several runs are in one process, what it burns between two looks is split
evenly among them, and a loop that keeps the process from answering at all is charged in full: so one spinning run is
stopped after `cpu_ms` however many others wait behind it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from v8box.catalog.model import Limits
from v8box.errors import StopReason
from v8box.sandbox.interface import Death
from v8box.sandbox.protocol import LOG_FLOOD_FACTOR
from v8box.sandbox.run import Run

TICK_SECONDS: Final = 0.05
"""How often busy sandboxes are looked at: fine enough to end a breach within 200 ms, about 20 µs each time."""

GRACE_SECONDS: Final = 0.1
"""How long an aborted run may take to end before its sandbox is killed."""

_LOOKS_OVER: Final = 2
"""How many looks a worker over its memory gets: much of it may be garbage, and it is asked to collect that first."""

_FAR_OVER: Final = 1.5
"""Beyond this many times its memory it is killed at the first look."""

HOG_BLOCKED_SECONDS: Final = 0.04
"""A process that burns this much without answering once is a hog."""

HOG_RUN_SECONDS: Final = 0.25
"""So is one with a run that has burnt this much, however politely."""

_MAX_IDLE_BURN_SECONDS: Final = 2.0

_MIB: Final = 1024 * 1024


@dataclass(slots=True)
class Verdict:
    """What is to be done. `kill`: the whole sandbox. `overdue`: runs to abort now. `lingering`: aborted ones whose
    grace is over. `trim`: it is over its memory and should collect its garbage."""

    trim: bool = False
    kill: Death | None = None
    overdue: tuple[Run, ...] = ()
    lingering: tuple[Run, ...] = ()


class Account:
    """What one loaded sandbox has used since it was loaded."""

    __slots__ = ("_base_bytes", "_blocked_from", "_idle_burnt", "_last_cpu", "_looks_over", "limits", "peak_bytes")

    def __init__(self, limits: Limits, base_bytes: int, cpu_seconds: float) -> None:
        self.limits = limits
        self._base_bytes = base_bytes
        self._last_cpu = cpu_seconds
        self._blocked_from: float | None = None
        self._looks_over = 0
        self._idle_burnt = 0.0
        self.peak_bytes = 0

    def used_bytes(self, private_bytes: int) -> int:
        """The worker's own memory: heap and buffers, without what a blank sandbox has."""
        return max(0, private_bytes - self._base_bytes)

    def skip(self, cpu_seconds: float) -> None:
        """Charges nobody for what was burnt until now: the run that begins is not to blame for it."""
        self._last_cpu = cpu_seconds

    def judge_idle(self, cpu_seconds: float, seconds: float) -> Death | None:
        """Looks at a process without runs, `seconds` after the last look. Burning half of a processor for nobody is a
        loop that was left behind."""
        burnt = cpu_seconds - self._last_cpu
        self._last_cpu = cpu_seconds
        self._idle_burnt = self._idle_burnt + burnt if burnt > seconds / 2 else 0.0
        if self._idle_burnt <= min(self.limits.cpu_ms / 1000, _MAX_IDLE_BURN_SECONDS):
            return None
        used = round(self._idle_burnt * 1000)
        detail = f"it burnt {used} ms of processor time while it had no run"
        return Death(reason=StopReason.CPU, detail=detail, limit=self.limits.cpu_ms, used=used)

    def is_hog(self, cpu_seconds: float, runs: Collection[Run]) -> bool:
        """Whether others should go before it: it burns without answering, or one of its runs has burnt much."""
        if self._blocked_from is not None and cpu_seconds - self._blocked_from > HOG_BLOCKED_SECONDS:
            return True
        return any(run.cpu_seconds > HOG_RUN_SECONDS for run in runs)

    def judge(
        self, now: float, cpu_seconds: float, private_bytes: int, runs: Collection[Run], *, blocked: bool
    ) -> Verdict:
        """Looks once. `blocked`: the process has not answered since the last look."""
        burnt = cpu_seconds - self._last_cpu
        self._last_cpu = cpu_seconds
        used = self.used_bytes(private_bytes)
        self.peak_bytes = max(self.peak_bytes, used)
        for run in runs:
            run.memory_bytes = max(run.memory_bytes, used)
        limits = self.limits
        bound = limits.memory_mb * _MIB
        trim = False
        if used <= bound:
            self._looks_over = 0
        elif used < bound * _FAR_OVER and self._looks_over < _LOOKS_OVER:
            self._looks_over += 1
            trim = self._looks_over == 1
        else:
            used_mb = round(used / _MIB, 1)
            detail = f"the worker's memory reached {used_mb} MiB; limits.memory_mb is {limits.memory_mb}"
            return Verdict(kill=Death(reason=StopReason.MEMORY, detail=detail, limit=limits.memory_mb, used=used_mb))
        cpu_limit = limits.cpu_ms / 1000
        if not blocked:
            self._blocked_from = None
        elif self._blocked_from is None:
            self._blocked_from = cpu_seconds - burnt
        elif cpu_seconds - self._blocked_from > cpu_limit:
            return Verdict(kill=self._cpu_death(cpu_seconds - self._blocked_from))
        active = [run for run in runs if not run.upgraded] or list(runs)
        if active and burnt > 0:
            share = burnt / len(active)
            for run in active:
                run.cpu_seconds += share
                if run.cpu_seconds > cpu_limit:
                    return Verdict(kill=self._cpu_death(run.cpu_seconds))
        return self._judge_wall(now, runs, trim)

    def _cpu_death(self, seconds: float) -> Death:
        limit, used = self.limits.cpu_ms, round(seconds * 1000)
        detail = f"a run used {used} ms of processor time; limits.cpu_ms is {limit}"
        return Death(reason=StopReason.CPU, detail=detail, limit=limit, used=used)

    def _judge_wall(self, now: float, runs: Collection[Run], trim: bool) -> Verdict:
        overdue: list[Run] = []
        lingering: list[Run] = []
        wall = self.limits.wall_ms / 1000
        for run in runs:
            if run.cancelled is not None:
                # It was told to end: for its own delay it has a moment, for a client that left as long as any run.
                if now - run.cancelled_at > (GRACE_SECONDS if run.cancelled == StopReason.WALL else wall):
                    lingering.append(run)
            elif not run.upgraded:
                # The clock runs from the start, and anew whenever a body moves: a large one may take its time.
                if now - run.progress > wall:
                    overdue.append(run)
        return Verdict(trim=trim, overdue=tuple(overdue), lingering=tuple(lingering))

    def wall_death(self, run: Run, now: float) -> Death:
        """The death of a run that took too long."""
        limit, used = self.limits.wall_ms, round((now - run.started) * 1000)
        detail = f"the run took longer than limits.wall_ms ({limit})"
        return Death(reason=StopReason.WALL, detail=detail, limit=limit, used=used)


def flood_death(limit_kb: int | None) -> Death:
    """The death of a worker that printed on and on."""
    detail = f"the worker kept on printing far beyond limits.log_kb ({limit_kb})"
    return Death(reason=StopReason.LOG_BYTES, detail=detail, limit=limit_kb, used=(limit_kb or 0) * LOG_FLOOD_FACTOR)
