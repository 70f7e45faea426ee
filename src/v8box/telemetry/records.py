"""What there is to know of what workers do: a run, a line, the end of a sandbox. Whoever wants them asks the `Feed`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from v8box.telemetry.meter import Span

LEVELS: Final = ("debug", "info", "warn", "error")
"""Of lines, the worst last."""


def rank(level: str) -> int:
    """How bad a line of this level is; one that is not known is as `info`."""
    return LEVELS.index(level) if level in LEVELS else 1


class RunError(msgspec.Struct, omit_defaults=True):
    """What a worker threw. `stack` has one frame a line and nothing else, mapped to the user's own files where a map is
    at hand."""

    name: str
    message: str
    stack: str = ""


class Finding(msgspec.Struct, omit_defaults=True):
    """What is remarkable about a run, in words and figures. `kind`: `n_plus_one`, … Durations in milliseconds; of what
    was `slow`, `part` is where most of it went, `limit` what it should have kept to."""

    kind: str
    text: str
    binding: str = ""
    operation: str = ""
    what: str = ""
    count: int = 0
    duration: float = 0.0
    part: str = ""
    part_duration: float = 0.0
    limit: float = 0.0


class RunRecord(msgspec.Struct, omit_defaults=True, gc=False):
    """One execution of a worker. Times in milliseconds, `time` is Unix time at its start. `request_id` is the client's
    own when it sent one, else the same as `id`. (Thousands are held at any moment, and none is part of a cycle: the
    garbage collector need not walk through them.)"""

    id: str
    request_id: str
    time: float
    worker: str
    version: str
    trigger: str
    method: str
    path: str
    status: int
    outcome: str
    """`ok`, `exception`, `refused`, `broken`, or a `StopReason`."""
    duration: float
    cold: float
    cpu: float
    bytes_out: int
    client: str
    calls: int = 0
    """Binding calls, and the bytes and milliseconds they took together; `spans` are the first hundred of them."""
    call_bytes: int = 0
    call_time: float = 0.0
    spans: tuple[Span, ...] = ()
    project: str = "default"
    environment: str = "production"
    queue: float = 0.0
    """How long it waited for a sandbox that had room; a start is in `cold`."""
    memory: int = 0
    """The most that its sandbox's worker had in use while it ran, in bytes, as far as it was looked at."""
    bytes_in: int = 0
    error: RunError | None = None
    trace: str = ""
    """W3C trace context: the trace (32 hex digits), this run's span and the caller's (16 each); empty where there is
    none."""
    span: str = ""
    parent: str = ""
    findings: tuple[Finding, ...] = ()
    sampled: bool = True
    """Whether its trace is."""
    sampling: float = 1.0
    """The share of the worker's runs that is kept; those that failed are kept in any case."""

    @property
    def failed(self) -> bool:
        """Whether its owner should care: it answered 5xx, or ended in a way that no caller asked for."""
        return self.status >= 500 or self.outcome not in ("ok", "refused", "client_gone")


class LineRecord(msgspec.Struct, omit_defaults=True):
    """One line a worker printed; `stack` lines are mapped to the user's own files already."""

    time: float
    run: str | None
    worker: str
    version: str
    level: str
    text: str
    fields: Any = None
    project: str = "default"
    environment: str = "production"
    thrown: bool = False
    """It is what the run, or the start of the worker, threw: the record of the run has the same as its `error`."""
    trace: str = ""
    span: str = ""
    """Of its run."""


class RunningRecord(msgspec.Struct, omit_defaults=True):
    """A run that was going on when its sandbox ended. Times in milliseconds."""

    id: str
    method: str
    path: str
    elapsed: float
    cpu: float
    waiting_for: list[str] = []
    """Its binding calls without an answer, as `db.execute`."""


class CurvePoint(msgspec.Struct, array_like=True):
    """What a sandbox used at one look: `at` in milliseconds before its end (0 or below), `cpu` as the share of one
    processor since the point before, `memory` in bytes."""

    at: float
    cpu: float
    memory: int
    runs: int


class DeathRecord(msgspec.Struct, omit_defaults=True):
    """A sandbox that came to an end other than by going idle or being replaced, or (`whole` is false) a run that was
    ended for a limit while its sandbox went on. `limit` and `used` are in the unit of the limit that was the reason."""

    time: float
    worker: str
    version: str
    reason: str
    """A `StopReason`."""
    detail: str
    limit: float | None = None
    used: float | None = None
    exit_code: int | None = None
    signal: int | None = None
    cpu_seconds: float = 0.0
    peak_memory: int = 0
    last_output: str = ""
    project: str = "default"
    environment: str = "production"
    id: str = ""
    whole: bool = True
    runs: list[RunningRecord] = []
    """Those that were going on, the longest first, up to a bound; `run_count` are all of them."""
    run_count: int = 0
    curve: list[CurvePoint] = []
    """The last minute, oldest first: a point each second, and each look of the last two."""
    stack: str = ""
    """Where the code was shortly before, mapped; empty where nobody could look."""


Measurement = tuple[int, str, dict[str, str] | None, float | list[float]]
"""Kind (0 counter, 1 gauge, 2 histogram), name, labels and a value; some values, of a histogram."""


class MeasureRecord(msgspec.Struct, omit_defaults=True):
    """What a worker measured itself in one turn, as its process sent it: nothing of it is checked. `lost`: some came
    faster than they are taken."""

    worker: str
    version: str
    entries: Sequence[Measurement]
    project: str = "default"
    environment: str = "production"
    lost: bool = False
