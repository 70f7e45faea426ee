"""The logs of a worker: …/workers/{worker}/logs, the last of them or, with `follow=true`, each as it comes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal

import msgspec
from fastapi import APIRouter, Header, Query, Response
from pydantic import BaseModel, Field

from v8box.api.access import Role, needs
from v8box.api.deployed import Project, Worker
from v8box.api.events import EventStream, event_responses
from v8box.api.v1 import answer, rfc3339, router_v1
from v8box.features.workers.workers import Workers
from v8box.telemetry.records import LineRecord
from v8box.telemetry.ring import Record
from v8box.telemetry.tail import MAX_LIMIT, Event, Filter, Gap, Tail, level_of

_SILENCE_SECONDS: Final = 15.0
_Entries = Annotated[int, Query(ge=1, le=MAX_LIMIT, description="How many at most.")]


class LogEntry(BaseModel):
    """A line that the worker printed, or one of its runs."""

    kind: Literal["line", "run"]
    time: str = Field(json_schema_extra={"format": "date-time"})
    level: str
    run: str | None
    version: str
    environment: str
    text: str | None = Field(default=None, description="Of a line.")
    fields: Any = Field(default=None, description="Of a line: what was logged beside the text.")
    request_id: str | None = Field(default=None, description="Of a run, as all that follows.")
    trigger: str | None = None
    method: str | None = None
    path: str | None = None
    status: int | None = None
    outcome: str | None = None
    duration_ms: float | None = None
    cold_ms: float | None = None
    cpu_ms: float | None = None


class LogGap(BaseModel):
    """Something is missing here."""

    missed: int | None = Field(description="So many; `null`: the box was started anew, and nobody knows.")


class LogEntries(BaseModel):
    """The oldest first."""

    items: list[LogEntry]


def build_router(workers: Workers, tail: Tail) -> APIRouter:
    """The routes on the logs of all workers."""
    routes = router_v1("/projects/{project}/workers/{worker}/logs", "logs")

    @routes.get(
        "",
        response_model=LogEntries,
        dependencies=[needs(Role.VIEWER)],
        responses=event_responses(
            "The last ones; with `follow=true` a stream.", {"line": LogEntry, "run": LogEntry, "gap": LogGap}
        ),
    )
    async def show_logs(
        project: Project,
        worker: Worker,
        limit: _Entries = 100,
        follow: Annotated[bool, Query(description="Go on with those to come, as server-sent events.")] = False,
        environment: Annotated[str | None, Query(max_length=32)] = None,
        kind: Annotated[Literal["line", "run"] | None, Query(description="Only lines, or only runs.")] = None,
        level: Annotated[
            Literal["debug", "info", "warn", "error"] | None, Query(description="This one or a worse one.")
        ] = None,
        since: Annotated[datetime | None, Query(description="Not before this moment.")] = None,
        run: Annotated[str | None, Query(max_length=128, description="A run's id, or a request's.")] = None,
        text: Annotated[str | None, Query(max_length=200, description="In a line's text, or a run's path.")] = None,
        last_event_id: Annotated[str | None, Header(max_length=64, description="Where to go on.")] = None,
    ) -> Response:
        """The last lines and runs, the oldest first. With `follow=true` the answer is a stream of the events `line`,
        `run` and `gap` (`{"missed": n}`: so many are missing here); `Last-Event-ID` goes on right after one of them."""
        await workers.get(project, worker)
        wanted = Filter(
            project=project,
            worker=worker,
            environment=environment,
            kind=kind,
            level=level,
            since=None if since is None else _unix(since),
            run=run,
            text=text,
        )
        if follow:
            stream = tail.follow(wanted, limit, silence_seconds=_SILENCE_SECONDS, last_id=last_event_id)
            return EventStream(stream, await anext(stream), _event)
        return answer(LogEntries(items=[_shown(record) for record in await tail.last(wanted, limit)]))

    return routes


def _unix(at: datetime) -> float:
    return (at if at.tzinfo is not None else at.replace(tzinfo=UTC)).timestamp()


def _shown(record: Record) -> LogEntry:
    if isinstance(record, LineRecord):
        return LogEntry(
            kind="line",
            time=rfc3339(record.time),
            level=record.level,
            run=record.run,
            version=record.version,
            environment=record.environment,
            text=record.text,
            fields=record.fields,
        )
    return LogEntry(
        kind="run",
        time=rfc3339(record.time),
        level=level_of(record),
        run=record.id,
        version=record.version,
        environment=record.environment,
        request_id=record.request_id,
        trigger=record.trigger,
        method=record.method,
        path=record.path,
        status=record.status,
        outcome=record.outcome,
        duration_ms=round(record.duration, 3),
        cold_ms=round(record.cold, 3),
        cpu_ms=round(record.cpu, 3),
    )


def _event(found: Event | Gap | None) -> bytes:
    if found is None:
        return b": nothing new\n\n"
    if isinstance(found, Gap):
        return b"id: %s\nevent: gap\ndata: %s\n\n" % (found.id.encode(), msgspec.json.encode({"missed": found.missed}))
    entry = _shown(found.record)
    data = msgspec.json.encode(entry.model_dump(exclude_none=True))
    return b"id: %s\nevent: %s\ndata: %s\n\n" % (found.id.encode(), entry.kind.encode(), data)
