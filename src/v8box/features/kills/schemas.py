"""What the API shows of kill reports."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from pydantic import BaseModel, Field

from v8box.api.phrases import PhraseInfo
from v8box.api.v1 import Time
from v8box.errors import StopReason
from v8box.features.kills.advice import LIMIT_OF
from v8box.features.kills.report import Report
from v8box.features.kills.service import Kill

_UNITS: Final = {"ms": "ms", "mb": "MiB", "kb": "KiB"}


class KillInfo(BaseModel):
    """An end of a process, or of one run, for a limit or by a crash. Ends of the same kind that follow each other
    closely are one, with a count."""

    id: str
    environment: str
    worker: str
    version: str
    reason: StopReason
    detail: str
    limit: float | None = Field(description="What was allowed, in `unit`; `null`: no limit was the reason.")
    used: float | None = Field(description="What it came to, in `unit`.")
    limit_name: str | None = Field(description="The limit in `v8box.toml`.", examples=["memory_mb"])
    unit: str | None = Field(description="`ms`, `MiB` or `KiB`; `null`: it is a number.")
    first_at: Time = Field(description="When it ended first; a report is about this one.")
    at: Time = Field(description="When it ended last.")
    count: int = Field(description="How often.")

    @classmethod
    def of(cls, kill: Kill) -> KillInfo:
        return cls(**_row(kill))


class RunningInfo(BaseModel):
    """A run that was going on."""

    id: str
    method: str
    path: str
    elapsed_ms: float
    cpu_ms: float
    waiting_for: list[str] = Field(description="Its binding calls without an answer.", examples=[["db.execute"]])


class CurveInfo(BaseModel):
    """What the process used at one look."""

    at_ms: float = Field(description="Before its end: 0 or below.")
    cpu: float = Field(description="The share of one processor since the point before.")
    memory_bytes: int
    runs: int


class LastLineInfo(BaseModel):
    """A line that the worker printed before."""

    time: Time
    level: str
    text: str
    run: str | None


class SuggestionInfo(BaseModel):
    """A limit that would have let it go on."""

    limit: str = Field(examples=["memory_mb"])
    value: int
    manifest: str = Field(
        description="What to write into `v8box.toml`.", examples=["[workers.shop.limits]\nmemory_mb = 256"]
    )


class KillReport(KillInfo):
    """All that is known of an end."""

    whole: bool = Field(description="The process ended; `false`: one run did, its process went on.")
    advice: list[str] = Field(description="What to do, the likeliest first.")
    advice_parts: list[PhraseInfo] = Field(
        description="What each of `advice` says, in the same order; empty in reports that an older version wrote."
    )
    suggestion: SuggestionInfo | None = Field(description="`null`: no higher limit would help, or none is allowed.")
    runs: list[RunningInfo] = Field(description="What was going on, the longest first, up to 20.")
    run_count: int
    curve: list[CurveInfo] = Field(
        description="The last minute, oldest first: a point a second, and each look of the last two seconds."
    )
    lines: list[LastLineInfo] = Field(description="The last lines of the worker in this environment, oldest first.")
    last_output: str = Field(description="What the runtime itself printed at last.")
    stack: str | None = Field(description="Where the code was shortly before. `null`: nobody could look.")
    exit_code: int | None
    signal: int | None
    cpu_seconds: float = Field(description="What the process used in its life.")
    peak_memory_bytes: int

    @classmethod
    def whole_of(cls, kill: Kill, report: Report) -> KillReport:
        suggested = report.suggestion
        return cls(
            **_row(kill),
            whole=report.whole,
            advice=report.advice,
            advice_parts=[PhraseInfo(code=each.code, values=each.values) for each in report.said],
            suggestion=None
            if suggested is None
            else SuggestionInfo(limit=suggested.limit, value=suggested.value, manifest=suggested.line),
            runs=[
                RunningInfo(
                    id=run.id,
                    method=run.method,
                    path=run.path,
                    elapsed_ms=run.elapsed,
                    cpu_ms=run.cpu,
                    waiting_for=run.waiting_for,
                )
                for run in report.runs
            ],
            run_count=report.run_count,
            curve=[
                CurveInfo(at_ms=point.at, cpu=point.cpu, memory_bytes=point.memory, runs=point.runs)
                for point in report.curve
            ],
            lines=[
                LastLineInfo(time=_moment(line.time), level=line.level, text=line.text, run=line.run)
                for line in report.lines
            ],
            last_output=report.last_output,
            stack=report.stack or None,
            exit_code=report.exit_code,
            signal=report.signal,
            cpu_seconds=report.cpu_seconds,
            peak_memory_bytes=report.peak_memory,
        )


def _row(kill: Kill) -> dict[str, Any]:
    name = None if kill.limit is None else LIMIT_OF.get(StopReason(kill.reason))
    return {
        "id": kill.id,
        "environment": kill.environment,
        "worker": kill.worker,
        "version": kill.version,
        "reason": kill.reason,
        "detail": kill.detail,
        "limit": kill.limit,
        "used": kill.used,
        "limit_name": name,
        "unit": None if name is None else _UNITS.get(name.rpartition("_")[2]),
        "first_at": _moment(kill.first_at),
        "at": _moment(kill.at),
        "count": kill.count,
    }


def _moment(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)
