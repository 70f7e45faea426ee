"""What was seen of a sandbox before its end, for the report of it: its last minute, and the runs that were going on."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Final

from v8box.errors import StopReason
from v8box.sandbox.interface import RunningRun
from v8box.sandbox.run import Run
from v8box.telemetry.records import CurvePoint

CURVE_SECONDS: Final = 60.0
REPORTED: Final = frozenset(
    {
        StopReason.WALL,
        StopReason.CPU,
        StopReason.MEMORY,
        StopReason.LOG_BYTES,
        StopReason.RESPONSE_BYTES,
        StopReason.SUBREQUESTS,
        StopReason.STARTUP,
        StopReason.PROTOCOL,
        StopReason.EXIT,
        StopReason.CRASH,
    }
)
"""The ends that somebody will ask about: all but those that the box itself wanted, and callers that went away."""

_COARSE_SECONDS: Final = 1.0
_COARSE_POINTS: Final = int(CURVE_SECONDS / _COARSE_SECONDS)
_FINE_POINTS: Final = 40
"""The looks of about two seconds: what grows fast is over by then."""
_MAX_RUNS: Final = 20
_MAX_WAITING: Final = 5
_MAX_PATH_CHARS: Final = 500

_Look = tuple[float, float, int, int]


class Curve:
    """The looks at one sandbox: when, processor time so far, memory, runs. Bounded; a few kilobytes when full."""

    __slots__ = ("_coarse", "_fine", "_most_bytes", "_most_runs", "_next")

    def __init__(self) -> None:
        self._fine: deque[_Look] = deque(maxlen=_FINE_POINTS)
        self._coarse: deque[_Look] = deque(maxlen=_COARSE_POINTS)
        self._next = 0.0
        self._most_bytes = 0
        self._most_runs = 0

    def note(self, now: float, cpu_seconds: float, memory_bytes: int, runs: int) -> None:
        """Keeps a look. Of a second that is over, the most that was seen in it stays."""
        self._fine.append((now, cpu_seconds, memory_bytes, runs))
        if memory_bytes > self._most_bytes:
            self._most_bytes = memory_bytes
        if runs > self._most_runs:
            self._most_runs = runs
        if now >= self._next:
            self._coarse.append((now, cpu_seconds, self._most_bytes, self._most_runs))
            self._next = now + _COARSE_SECONDS
            self._most_bytes = self._most_runs = 0

    def points(self, now: float) -> tuple[CurvePoint, ...]:
        """What is kept, oldest first, as seen from `now`."""
        first = self._fine[0][0] if self._fine else now
        looks = [look for look in self._coarse if now - CURVE_SECONDS <= look[0] < first]
        looks += self._fine
        points = []
        before: _Look | None = None
        for look in looks:
            at, cpu_seconds, memory, runs = look
            share = 0.0
            if before is not None and at > before[0]:
                share = max(0.0, cpu_seconds - before[1]) / (at - before[0])
            points.append(CurvePoint(round((at - now) * 1000), round(share, 3), memory, runs))
            before = look
        return tuple(points)


def running(runs: Iterable[Run], now: float) -> tuple[RunningRun, ...]:
    """The runs, the longest first."""
    longest = sorted(runs, key=lambda run: run.started)[:_MAX_RUNS]
    return tuple(_running(run, now) for run in longest)


def _running(run: Run, now: float) -> RunningRun:
    invocation, meter = run.invocation, run.meter
    waiting: list[str] = []
    if meter is not None:
        waiting = [f"{span.binding}.{span.operation}"[:100] for span in meter.spans if span.duration < 0]
    return RunningRun(
        id=run.id,
        method="" if invocation is None else invocation.method,
        path="" if invocation is None else path_of(invocation.url),
        elapsed_seconds=now - run.started,
        cpu_seconds=run.cpu_seconds,
        waiting_for=tuple(waiting[:_MAX_WAITING]),
    )


def path_of(url: str) -> str:
    """Without the query: that is the callers' own."""
    rest = url.partition("://")[2] or url
    path = rest[rest.find("/") :] if "/" in rest else "/"
    return path.partition("?")[0][:_MAX_PATH_CHARS]
