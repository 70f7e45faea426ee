"""The addresses of charts: …/metrics, …/metrics/top, …/metrics/live, of a project and of the whole box."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Depends, Path, Query, Response

from v8box.api.access import Role, needs
from v8box.api.deployed import Project
from v8box.api.events import EventStream, event_responses
from v8box.api.v1 import answer, router_v1
from v8box.errors import BadRequest
from v8box.features.metrics.custom import CustomMetrics
from v8box.features.metrics.schemas import Chart, CustomChart, CustomList, Field_, LiveSecond, TopWorkers
from v8box.features.metrics.service import Metrics, Selection
from v8box.kit.moments import NotAMoment, parse_moment
from v8box.telemetry.metrics.rollups import LIVE_SECONDS

FindVersion = Callable[[str, str, str], Awaitable[str]]
"""The id of a version of a project's worker that is meant by its number, tag, id or the beginning of one."""

_NAME: Final = "^[a-z0-9_][a-z0-9_-]{0,62}$"
_MOMENT: Final = "`now`, `now-1h`, `now-7d/d` (rounded to the day, UTC), RFC 3339, or seconds since 1970."
_EVENTS: Final = event_responses("One event a second.", {"second": LiveSecond}, ids=False)

_Worker = Annotated[str | None, Query(pattern=_NAME, description="Only this one.")]
_Environment = Annotated[str | None, Query(pattern="^[a-z0-9](-?[a-z0-9])*$", max_length=32)]
_Version = Annotated[
    str | None,
    Query(min_length=1, max_length=80, description="Number, tag or id of a version; `worker` has to be given."),
]
_Trigger = Annotated[str | None, Query(pattern="^[a-z_]{1,32}$", description="Only runs of this kind, e.g. `http`.")]
_From = Annotated[str, Query(alias="from", max_length=64, description=_MOMENT)]
_To = Annotated[str, Query(max_length=64, description="The same.")]
_Step = Annotated[
    int | None,
    Query(
        ge=1,
        le=604_800,
        description="Seconds: 1, 5, 10, 15 or 30 in the last five minutes, else whole minutes, or hours. One that fits "
        "is chosen if none is said.",
    ),
]
_Limit = Annotated[int, Query(ge=1, le=200, description="How many at most.")]
_Past = Annotated[int, Query(ge=0, le=LIVE_SECONDS, description="Begin with the last so many seconds.")]


def _selection(
    project: Project,
    worker: _Worker = None,
    environment: _Environment = None,
    version: _Version = None,
    trigger: _Trigger = None,
) -> Selection:
    return Selection(project=project, worker=worker, environment=environment, version=version, trigger=trigger)


_Selected = Annotated[Selection, Depends(_selection)]


def build_router(metrics: Metrics, find_version: FindVersion) -> APIRouter:
    """Of a project."""
    routes = router_v1("/projects/{project}/metrics", "metrics")
    custom = CustomMetrics(metrics)

    async def found(wanted: Selection) -> Selection:
        """With the version's id instead of what it was called by."""
        if wanted.version is None:
            return wanted
        if wanted.worker is None or wanted.project is None:
            raise BadRequest("version: say which worker's it is.")
        return replace(wanted, version=await find_version(wanted.project, wanted.worker, wanted.version))

    @routes.get("", response_model=Chart, dependencies=[needs(Role.VIEWER)])
    async def show_metrics(wanted: _Selected, since: _From = "now-1h", to: _To = "now", step: _Step = None) -> Response:
        """What happened in a stretch of time: requests, errors, latency, processor time, memory, calls of services and
        more, ready for charts, and what was deployed meanwhile."""
        return answer(await metrics.chart(await found(wanted), *_stretch(metrics, since, to), step))

    @routes.get("/top", response_model=TopWorkers, dependencies=[needs(Role.VIEWER)])
    async def show_top_workers(
        wanted: _Selected,
        since: _From = "now-1h",
        to: _To = "now",
        by: Field_ = "requests",
        limit: _Limit = 10,
    ) -> Response:
        """The workers with most requests, errors, processor time …"""
        busiest = await metrics.top(await found(wanted), *_stretch(metrics, since, to), by, limit)
        return answer({"by": by, "items": busiest})

    @routes.get("/live", dependencies=[needs(Role.VIEWER)], responses=_EVENTS)
    async def watch_metrics(wanted: _Selected, past: _Past = 60) -> Response:
        """The last seconds, and each one as it ends, as server-sent events."""
        return await _live(metrics, await found(wanted), past)

    @routes.get("/custom", response_model=CustomList, dependencies=[needs(Role.VIEWER)])
    async def list_custom_metrics(wanted: _Selected) -> Response:
        """What workers count themselves, with `ctx.metrics`."""
        return answer({"items": custom.list(wanted)})

    @routes.get("/custom/{name}", response_model=CustomChart, dependencies=[needs(Role.VIEWER)])
    async def show_custom_metric(
        wanted: _Selected,
        name: Annotated[str, Path(pattern="^[a-z_][a-z0-9_]{0,62}$", description="As the worker named it.")],
        since: _From = "now-1h",
        to: _To = "now",
        step: _Step = None,
    ) -> Response:
        """A stretch of time of something that workers count themselves, by worker and labels."""
        return answer(await custom.chart(wanted, name, *_stretch(metrics, since, to), step))

    return routes


def build_box_router(metrics: Metrics) -> APIRouter:
    """Of the box."""
    routes = router_v1("/box/metrics", "box")
    access = needs(Role.VIEWER, box=True)

    @routes.get("", response_model=Chart, dependencies=[access])
    async def show_box_metrics(since: _From = "now-1h", to: _To = "now", step: _Step = None) -> Response:
        """The same of all projects together, and the box's own memory, processors and disk."""
        return answer(await metrics.chart(Selection(project=None), *_stretch(metrics, since, to), step))

    @routes.get("/top", response_model=TopWorkers, dependencies=[access])
    async def show_top_workers_of_box(
        since: _From = "now-1h", to: _To = "now", by: Field_ = "requests", limit: _Limit = 10
    ) -> Response:
        """The busiest workers of all projects."""
        found = await metrics.top(Selection(project=None), *_stretch(metrics, since, to), by, limit)
        return answer({"by": by, "items": found})

    @routes.get("/live", dependencies=[access], responses=_EVENTS)
    async def watch_box_metrics(past: _Past = 60) -> Response:
        """The last seconds of the whole box, and each one as it ends, as server-sent events."""
        return await _live(metrics, Selection(project=None), past)

    return routes


def _stretch(metrics: Metrics, since: str, to: str) -> tuple[float, float]:
    now = metrics.clock()
    found = []
    for name, text in (("from", since), ("to", to)):
        try:
            found.append(parse_moment(text, now, end=name == "to"))
        except NotAMoment as error:
            raise BadRequest(f"{name}: {error}.") from error
    return found[0], found[1]


async def _live(metrics: Metrics, wanted: Selection, past: int) -> Response:
    seconds = metrics.live(wanted, past)
    return EventStream(seconds, await anext(seconds), _event)


def _event(second: dict[str, Any] | None) -> bytes:
    if second is None:
        return b": nothing new\n\n"
    return b"event: second\ndata: %s\n\n" % msgspec.json.encode(second)
