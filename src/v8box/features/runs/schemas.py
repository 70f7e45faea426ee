"""How runs and lines look below /api/v1."""

from __future__ import annotations

from typing import Any, Generic, Literal, TypeVar

from pydantic import BaseModel, Field

from v8box.api.findings import FindingInfo, finding_fields
from v8box.api.v1 import rfc3339
from v8box.telemetry.meter import Span
from v8box.telemetry.records import LineRecord, RunRecord

T = TypeVar("T")


class FoundPage(BaseModel, Generic[T]):
    """The newest first. A page may be short, or empty, though others follow: a search looks for a bounded time."""

    items: list[T]
    next_cursor: str | None = Field(description="For `?cursor=`: where to go on. `null`: there is nothing left.")
    searched_until: str | None = Field(
        description="The time for one search was over: what is newer than this was looked through, the cursor goes on "
        "from here. `null`: the page is complete.",
        json_schema_extra={"format": "date-time"},
    )


class RunErrorInfo(BaseModel):
    """What the worker threw."""

    name: str
    message: str
    stack: str = Field(description="A frame a line, mapped to the files that were deployed.")


class RunInfo(BaseModel):
    """One execution of a worker."""

    id: str
    request_id: str = Field(description="The client's own, when it sent one; else the same as `id`.")
    time: str = Field(description="When it began.", json_schema_extra={"format": "date-time"})
    worker: str
    version: str
    environment: str
    trigger: str = Field(description="`http`, `schedule`, `queue`, …")
    method: str
    path: str
    status: int = Field(description="0: there was no answer.")
    outcome: str = Field(description="`ok`, `exception`, `refused`, `broken`, or what ended it: `wall`, `memory`, …")
    failed: bool
    duration_ms: float
    queue_ms: float = Field(description="How long it waited for a sandbox with room.")
    cold_ms: float = Field(description="How long its sandbox took to start; 0: it was there already.")
    cpu_ms: float
    memory_bytes: int = Field(description="The most that its sandbox had in use while it ran; 0: nobody looked.")
    bytes_in: int
    bytes_out: int
    client: str
    calls: int = Field(description="How many calls to bindings.")
    call_ms: float = Field(description="How long these took together.")
    call_bytes: int
    error: RunErrorInfo | None
    findings: list[FindingInfo]
    sampling: float = Field(description="The share of the worker's runs that is kept.")
    trace_id: str | None = Field(description="W3C trace context.")
    span_id: str | None
    parent_id: str | None

    @classmethod
    def of(cls, record: RunRecord) -> RunInfo:
        return cls.model_construct(**run_fields(record))


class SpanInfo(BaseModel):
    """One call to a binding, or to another worker."""

    binding: str
    operation: str
    start_ms: float = Field(description="Since the first call of the run.")
    duration_ms: float | None = Field(description="`null`: it was not answered.")
    bytes_in: int
    bytes_out: int
    rows: int
    written: int
    error: str | None


class LineInfo(BaseModel):
    """A line that a worker printed."""

    id: str
    time: str = Field(json_schema_extra={"format": "date-time"})
    level: str
    worker: str
    version: str
    environment: str
    run: str | None
    text: str
    fields: Any = Field(description="What was logged beside the text.")


class LineEvent(LineInfo):
    """The event `line`."""

    kind: Literal["line"]


class RunEvent(RunInfo):
    """The event `run`: a run that is over."""

    kind: Literal["run"]
    level: Literal["info", "error"] = Field(description="`error`: it failed.")


class GapEvent(BaseModel):
    """The event `gap`: something is missing here."""

    missed: int | None = Field(description="So many; `null`: the box was started anew, and nobody knows.")


class LineEntry(BaseModel):
    """A line among the last of a project."""

    kind: Literal["line"]
    time: str = Field(json_schema_extra={"format": "date-time"})
    level: str
    worker: str
    version: str
    environment: str
    run: str | None
    text: str
    fields: Any = Field(description="What was logged beside the text.")


class Entries(BaseModel):
    """Lines and runs, the oldest first."""

    items: list[LineEntry | RunEvent]


class RunDetail(RunInfo):
    """A run with all there is to know of it."""

    spans: list[SpanInfo] = Field(description="The first hundred calls.")
    lines: list[LineInfo] = Field(description="What it printed, the oldest first; the first thousand.")
    more_lines: bool


def run_fields(record: RunRecord) -> dict[str, Any]:
    error = record.error
    return {
        "id": record.id,
        "request_id": record.request_id,
        "time": rfc3339(record.time),
        "worker": record.worker,
        "version": record.version,
        "environment": record.environment,
        "trigger": record.trigger,
        "method": record.method,
        "path": record.path,
        "status": record.status,
        "outcome": record.outcome,
        "failed": record.failed,
        "duration_ms": round(record.duration, 3),
        "queue_ms": round(record.queue, 3),
        "cold_ms": round(record.cold, 3),
        "cpu_ms": round(record.cpu, 3),
        "memory_bytes": record.memory,
        "bytes_in": record.bytes_in,
        "bytes_out": record.bytes_out,
        "client": record.client,
        "calls": record.calls,
        "call_ms": round(record.call_time, 3),
        "call_bytes": record.call_bytes,
        "error": None if error is None else {"name": error.name, "message": error.message, "stack": error.stack},
        "findings": [finding_fields(each) for each in record.findings],
        "sampling": record.sampling,
        "trace_id": record.trace or None,
        "span_id": record.span or None,
        "parent_id": record.parent or None,
    }


def span_fields(span: Span) -> dict[str, Any]:
    return {
        "binding": span.binding,
        "operation": span.operation,
        "start_ms": round(span.start, 3),
        "duration_ms": round(span.duration, 3) if span.duration >= 0 else None,
        "bytes_in": span.bytes_in,
        "bytes_out": span.bytes_out,
        "rows": span.rows,
        "written": span.written,
        "error": span.error or None,
    }


def line_fields(id_: str, record: LineRecord) -> dict[str, Any]:
    return {
        "id": id_,
        "time": rfc3339(record.time),
        "level": record.level,
        "worker": record.worker,
        "version": record.version,
        "environment": record.environment,
        "run": record.run,
        "text": record.text,
        "fields": record.fields,
    }
