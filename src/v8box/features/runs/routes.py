"""The addresses of runs and lines: /api/v1/projects/{project}/runs, /runs/{run}, /runs/export, /lines, /tail."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated, Any, Final, Literal

import msgspec
from fastapi import APIRouter, Depends, Header, Path, Query, Response, WebSocket
from starlette.responses import StreamingResponse

from v8box.api.access import Needs, Role, needs
from v8box.api.deployed import Project
from v8box.api.events import event_responses
from v8box.api.sockets import socket_route
from v8box.api.v1 import PREFIX, Paged, answer, rfc3339, router_v1
from v8box.errors import BadRequest, NotFound
from v8box.features.runs.filters import line_query, run_query, unix
from v8box.features.runs.schemas import (
    Entries,
    FoundPage,
    GapEvent,
    LineEvent,
    LineInfo,
    RunDetail,
    RunEvent,
    RunInfo,
    line_fields,
    run_fields,
    span_fields,
)
from v8box.features.runs.socket import serve_socket
from v8box.features.runs.stream import Follow, entry_shown, events_response
from v8box.telemetry.records import RunRecord
from v8box.telemetry.store import Found, LineQuery, RunQuery, RunStore
from v8box.telemetry.store.rows import millisecond_of
from v8box.telemetry.tail import MAX_LIMIT, Filter, Tail

_LINES_OF_RUN: Final = 1_000
_LINES_AFTER_SECONDS: Final = 60.0
"""What `waitUntil` still prints comes after the end of the run."""
_EXPORT_PAGE: Final = 500
_DEFAULT_EXPORT: Final = 100_000
_MAX_EXPORT: Final = 10_000_000


class RunNotFound(NotFound):
    """There is no such run, or not any more: runs are kept for some days, as far as their budget goes."""

    code = "run_not_found"


class Runs:
    """What the routes do."""

    def __init__(self, store: RunStore) -> None:
        self._store = store

    async def detail(self, project: str, run: str) -> dict[str, Any]:
        record = await self._store.get(run)
        if record is None or record.project != project:
            raise RunNotFound
        lines = await self._store.lines(
            LineQuery(
                project=project,
                worker=record.worker,
                environment=record.environment,
                since=record.time,
                until=record.time + record.duration / 1000 + _LINES_AFTER_SECONDS,
                runs=(run,),
            ),
            _LINES_OF_RUN,
        )
        return {
            **run_fields(record),
            "spans": [span_fields(span) for span in record.spans],
            "lines": [line_fields(line.id, line.record) for line in reversed(lines.items)],
            "more_lines": lines.resume is not None,
        }

    async def export(self, query: RunQuery, limit: int) -> AsyncIterator[bytes]:
        """JSON lines, the newest first."""
        encode = msgspec.json.Encoder().encode
        before: bytes | None = None
        while limit > 0:
            found = await self._store.runs(query, min(limit, _EXPORT_PAGE), before)
            yield b"".join(encode(_exported(record)) + b"\n" for record in found.items)
            limit -= len(found.items)
            before = found.resume
            if before is None:
                return


def _exported(record: RunRecord) -> dict[str, Any]:
    return {**run_fields(record), "spans": [span_fields(span) for span in record.spans]}


def build_router(store: RunStore, tail: Tail) -> APIRouter:
    """The routes on what the workers of a project did."""
    routes = router_v1("/projects/{project}", "runs")
    runs = Runs(store)
    jsonl: dict[int | str, dict[str, Any]] = {200: {"content": {"application/jsonl": {"schema": {"type": "string"}}}}}

    @routes.get("/runs", response_model=FoundPage[RunInfo], dependencies=[needs(Role.VIEWER)])
    async def list_runs(project: Project, query: Annotated[RunQuery, Depends(run_query)], page: Paged) -> Response:
        """Runs that match all that is given, the newest first. A search that would take long ends early and says how
        far it came: `searched_until`; `next_cursor` goes on from there."""
        found = await store.runs(query, page.limit, _before(page.after(str)))
        return answer(_page(page, found, [run_fields(record) for record in found.items]))

    @routes.get("/runs/export", response_class=Response, responses=jsonl, dependencies=[needs(Role.VIEWER)])
    async def export_runs(
        project: Project,
        query: Annotated[RunQuery, Depends(run_query)],
        limit: Annotated[int, Query(ge=1, le=_MAX_EXPORT, description="How many at most.")] = _DEFAULT_EXPORT,
    ) -> Response:
        """Runs that match, with their spans, as JSON lines, the newest first."""
        headers = {"content-disposition": 'attachment; filename="runs.jsonl"'}
        return StreamingResponse(runs.export(query, limit), media_type="application/jsonl", headers=headers)

    @routes.get("/runs/{run}", response_model=RunDetail, dependencies=[needs(Role.VIEWER)])
    async def show_run(
        project: Project, run: Annotated[str, Path(max_length=128, description="The id of a run.")]
    ) -> Response:
        """One run with its spans and what it printed."""
        return answer(await runs.detail(project, run))

    @routes.get("/lines", response_model=FoundPage[LineInfo], dependencies=[needs(Role.VIEWER)])
    async def list_lines(project: Project, query: Annotated[LineQuery, Depends(line_query)], page: Paged) -> Response:
        """Lines that match all that is given, the newest first; like runs otherwise."""
        found = await store.lines(query, page.limit, _before(page.after(str)))
        return answer(_page(page, found, [line_fields(line.id, line.record) for line in found.items]))

    @routes.get(
        "/tail",
        response_class=Response,
        dependencies=[needs(Role.VIEWER)],
        responses=event_responses(
            "What happens, until you leave; an hour at most.",
            {"line": LineEvent, "run": RunEvent, "gap": GapEvent},
        ),
    )
    async def follow_project(
        project: Project,
        worker: Annotated[str | None, Query(max_length=63, description="Only of this worker.")] = None,
        environment: Annotated[str | None, Query(max_length=32)] = None,
        kind: Annotated[Literal["line", "run"] | None, Query(description="Only lines, or only runs.")] = None,
        level: Annotated[
            Literal["debug", "info", "warn", "error"] | None,
            Query(description="This one or a worse one; a run that failed is an `error`, another one `info`."),
        ] = None,
        text: Annotated[str | None, Query(max_length=200, description="In a line, a path, or what was thrown.")] = None,
        request_id: Annotated[str | None, Query(max_length=128, description="A run's id, or a request's.")] = None,
        limit: Annotated[int, Query(ge=0, le=MAX_LIMIT, description="How many of the last come first.")] = 0,
        last_event_id: Annotated[str | None, Header(max_length=64, description="Where to go on.")] = None,
    ) -> Response:
        """What the project's workers do and say, as it happens: the events `line`, `run` and `gap`, each with an id.
        Who comes back with `Last-Event-ID` goes on right after it; `gap` says that something is missing there:
        `{"missed": n}`, or `null` when the box was started anew and nobody knows."""
        wanted = Filter(
            project=project,
            worker=worker,
            environment=environment,
            kind=kind,
            level=level,
            run=request_id,
            text=text or None,
        )
        return await events_response(tail, Follow(wanted, limit, last_event_id))

    @routes.get("/logs", response_model=Entries, dependencies=[needs(Role.VIEWER)])
    async def list_logs(
        project: Project,
        worker: Annotated[str | None, Query(max_length=63, description="Only of this worker.")] = None,
        environment: Annotated[str | None, Query(max_length=32)] = None,
        kind: Annotated[Literal["line", "run"] | None, Query(description="Only lines, or only runs.")] = None,
        level: Annotated[
            Literal["debug", "info", "warn", "error"] | None,
            Query(description="This one or a worse one; a run that failed is an `error`, another one `info`."),
        ] = None,
        since: Annotated[datetime | None, Query(description="Not before this moment.")] = None,
        text: Annotated[str | None, Query(max_length=200, description="In a line, a path, or what was thrown.")] = None,
        run: Annotated[str | None, Query(max_length=128, description="A run's id, or a request's.")] = None,
        limit: Annotated[int, Query(ge=1, le=MAX_LIMIT, description="How many at most.")] = 100,
    ) -> Response:
        """The last lines and runs of all workers of the project, the oldest first. `…/tail` goes on with those to
        come."""
        wanted = Filter(
            project=project,
            worker=worker,
            environment=environment,
            kind=kind,
            level=level,
            since=None if since is None else unix(since),
            run=run,
            text=text or None,
        )
        return answer({"items": [entry_shown(record) for record in await tail.last(wanted, limit)]})

    async def follow_over_socket(websocket: WebSocket) -> None:
        await serve_socket(websocket, tail)

    path = f"{PREFIX}/projects/{{project}}/tail"
    routes.routes.append(socket_route(path, "follow_over_socket", Needs(Role.VIEWER), follow_over_socket))
    return routes


def _before(position: tuple[str | int | float, ...] | None) -> bytes | None:
    if position is None:
        return None
    try:
        return bytes.fromhex(str(position[0]))
    except ValueError as error:
        raise BadRequest("cursor: take `next_cursor` of the page before as it is, with the same filters.") from error


def _page(page: Paged, found: Found[Any], shown: list[dict[str, Any]]) -> dict[str, Any]:
    body = page.page_up_to(shown, None if found.resume is None else (found.resume.hex(),))
    until = rfc3339(millisecond_of(found.resume) / 1000) if found.unfinished and found.resume is not None else None
    return {**body, "searched_until": until}
