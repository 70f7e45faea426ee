"""The query parameters that say which runs and which lines are meant."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal

from fastapi import Query

from v8box.errors import BadRequest
from v8box.telemetry.store import LineQuery, RunQuery

_STATUS: Final = re.compile(r"([1-5])xx|([0-9]{1,3})(?:-([0-9]{1,3}))?")
_TRACE: Final = re.compile(r"(?:[0-9a-f]{2}-)?([0-9a-f]{32})(?:-[0-9a-f]{16}-[0-9a-f]{2})?")
_Level = Literal["debug", "info", "warn", "error"]


def _word(description: str, length: int = 128) -> Any:
    return Query(max_length=length, description=description)


_Worker = Annotated[str | None, _word("Only of this worker.", 63)]
_Environment = Annotated[str | None, _word("Only of this environment.", 32)]
_Version = Annotated[str | None, _word("Only of the version with this id.")]
_Since = Annotated[datetime | None, Query(description="From this time on.")]
_Until = Annotated[datetime | None, Query(description="Before this time.")]


def run_query(
    project: str,
    worker: _Worker = None,
    environment: _Environment = None,
    version: _Version = None,
    since: _Since = None,
    until: _Until = None,
    status: Annotated[str | None, _word("A status, a class or a range: `404`, `5xx`, `400-499`.", 7)] = None,
    outcome: Annotated[str | None, _word("`ok`, `exception`, `wall`, `memory`, …", 32)] = None,
    failed: Annotated[
        bool | None, Query(description="Whether it failed: a 5xx, or an end that nobody asked for.")
    ] = None,
    min_ms: Annotated[float | None, Query(ge=0, le=1e12, description="It took so long, or longer.")] = None,
    max_ms: Annotated[float | None, Query(ge=0, le=1e12, description="It took no longer.")] = None,
    method: Annotated[str | None, _word("`GET`, …", 32)] = None,
    trigger: Annotated[str | None, _word("`http`, `schedule`, …", 32)] = None,
    text: Annotated[str | None, _word("In the path, in what was thrown, or in a line that it printed.", 200)] = None,
    request_id: Annotated[str | None, _word("The id that the client sent, or that of the run.")] = None,
    run: Annotated[str | None, _word("Only the run with this id.")] = None,
    trace_id: Annotated[
        str | None, _word("Only runs of this W3C trace: 32 hex digits, or a whole `traceparent`.", 64)
    ] = None,
) -> RunQuery:
    return RunQuery(
        project=project,
        worker=worker,
        environment=environment,
        version=version,
        since=unix(since),
        until=unix(until),
        status=_status(status),
        outcome=outcome,
        failed=failed,
        min_duration=min_ms,
        max_duration=max_ms,
        method=method,
        trigger=trigger,
        text=text or None,
        request=request_id,
        run=run,
        trace=_trace(trace_id),
    )


def line_query(
    project: str,
    worker: _Worker = None,
    environment: _Environment = None,
    version: _Version = None,
    since: _Since = None,
    until: _Until = None,
    level: Annotated[_Level | None, Query(description="This one or a worse one.")] = None,
    text: Annotated[str | None, _word("In the line.", 200)] = None,
    run: Annotated[str | None, _word("Only of the run with this id.")] = None,
) -> LineQuery:
    return LineQuery(
        project=project,
        worker=worker,
        environment=environment,
        version=version,
        since=unix(since),
        until=unix(until),
        level=level,
        text=text or None,
        runs=None if run is None else (run,),
    )


def unix(at: datetime | None) -> float | None:
    if at is None:
        return None
    return (at if at.tzinfo is not None else at.replace(tzinfo=UTC)).timestamp()


def _trace(text: str | None) -> str | None:
    if text is None:
        return None
    found = _TRACE.fullmatch(text.strip().lower())
    if found is None:
        raise BadRequest("trace_id: 32 hex digits, or a traceparent: 00-<trace>-<span>-01.")
    return found[1]


def _status(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    found = _STATUS.fullmatch(text.lower())
    if found is None:
        raise BadRequest("status: a status, a class or a range, e.g. 404, 5xx or 400-499.")
    kind, first, last = found.groups()
    if kind is not None:
        return int(kind) * 100, int(kind) * 100 + 99
    return int(first), int(last or first)
