"""A kill report: what was seen before an end, the last lines, and what to do. Kept as JSON, shown as it is kept."""

from __future__ import annotations

import msgspec

from v8box.kit.phrases import Part
from v8box.telemetry.records import CurvePoint, RunningRecord


class LastLine(msgspec.Struct, omit_defaults=True):
    """A line that the worker printed before its end, perhaps cut."""

    time: float
    level: str
    text: str
    run: str | None = None


class Suggestion(msgspec.Struct):
    """A limit that would have let it go on, and how to write that into `v8box.toml`."""

    limit: str
    value: int
    line: str


class Report(msgspec.Struct, omit_defaults=True):
    """All that is kept of an end beyond its row."""

    whole: bool
    """Whether the process ended; else it was one run."""
    runs: list[RunningRecord]
    run_count: int
    curve: list[CurvePoint]
    lines: list[LastLine]
    advice: list[str]
    """In English."""
    said: list[Part] = []
    """What each of `advice` says; empty in reports of before that was kept."""
    suggestion: Suggestion | None = None
    exit_code: int | None = None
    signal: int | None = None
    cpu_seconds: float = 0.0
    peak_memory: int = 0
    last_output: str = ""
    stack: str = ""
