"""The logs of a worker: …/workers/{worker}/logs, the last of them or, with `follow=true`, each as it comes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal

import msgspec
from fastapi import APIRouter, Header, Query, Response
from pydantic import BaseModel, Field

from v8box.api.access import Role, needs
from v8box.api.asgi import Receive, Scope, Send
from v8box.api.deployed import Project, Worker
from v8box.api.events import event_responses
from v8box.api.v1 import answer, rfc3339, router_v1
from v8box.features.workers.workers import Workers
from v8box.telemetry.records import LineRecord
from v8box.telemetry.ring import Record
from v8box.telemetry.tail import MAX_LIMIT, Event, Filter, Gap, Tail, level_of

_SILENCE_SECONDS: Final = 15.0
_FOLLOW_SECONDS: Final = 3_600.0
"""Then the stream ends, and whoever may still read it asks again."""
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
            return _Events(stream, await anext(stream))
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


_Followed = Event | Gap | None


class _Events(Response):
    """Server-sent events for as long as the client listens."""

    def __init__(self, stream: AsyncIterator[_Followed], first: _Followed) -> None:
        super().__init__(None, 200, {"content-type": "text/event-stream", "x-accel-buffering": "no"})
        self._stream = stream
        self._first = first

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [pair for pair in self.raw_headers if pair[0] != b"content-length"]
        sending = asyncio.create_task(self._send(send, headers), name="follow logs")
        leaving = asyncio.create_task(_disconnected(receive), name="watch for a client that leaves")
        try:
            await asyncio.wait((sending, leaving), timeout=_FOLLOW_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            if sending.done():
                sending.result()
        finally:
            leaving.cancel()
            sending.cancel()
            await asyncio.gather(sending, leaving, return_exceptions=True)
            with contextlib.suppress(RuntimeError):
                await self._stream.aclose()  # type: ignore[attr-defined] # it is a generator
        if not leaving.done() or leaving.cancelled():
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _send(self, send: Send, headers: list[tuple[bytes, bytes]]) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": _event(self._first), "more_body": True})
        async for found in self._stream:
            await send({"type": "http.response.body", "body": _event(found), "more_body": True})


def _event(found: _Followed) -> bytes:
    if found is None:
        return b": nothing new\n\n"
    if isinstance(found, Gap):
        return b"id: %s\nevent: gap\ndata: %s\n\n" % (found.id.encode(), msgspec.json.encode({"missed": found.missed}))
    entry = _shown(found.record)
    data = msgspec.json.encode(entry.model_dump(exclude_none=True))
    return b"id: %s\nevent: %s\ndata: %s\n\n" % (found.id.encode(), entry.kind.encode(), data)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
