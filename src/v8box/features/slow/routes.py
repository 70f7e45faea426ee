"""`/api/v1/projects/{project}/slow`: what takes long or asks the same again and again, by worker and pattern."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Annotated, Final

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from v8box.api.access import Role, needs
from v8box.api.findings import FindingInfo, finding_fields
from v8box.api.v1 import Page, Paged, Time, answer, router_v1
from v8box.features.slow.figures import Figures
from v8box.features.slow.log import Key, SlowLog

_DAY: Final = 86_400.0


class RepeatedInfo(BaseModel):
    """A call that runs make again and again."""

    binding: str
    operation: str
    what: str
    runs: int
    calls: int
    duration_ms: float
    text: str = Field(description="Of one of the runs, with what to do about it.")


class WorstInfo(BaseModel):
    """The run that took longest."""

    id: str
    at: Time
    version: str
    path: str
    status: int
    duration_ms: float
    split: dict[str, float] = Field(
        description="Where its milliseconds went: `queue`, `cold`, each binding, `fetch`, and `code`, the rest.",
        examples=[{"queue": 0, "cold": 0, "db": 412, "code": 20.5}],
    )
    findings: list[FindingInfo]


class SlowInfo(BaseModel):
    """The slow runs of a worker at addresses that differ in ids only."""

    worker: str
    environment: str
    method: str
    pattern: str = Field(description="`…`: all other addresses of the worker.", examples=["/users/:id/posts"])
    runs: int
    slow: int = Field(description="How many were over `slow_ms`; the others made the same call again and again.")
    first_at: Time
    last_at: Time
    total_ms: float
    p50_ms: float
    p95_ms: float
    split: dict[str, float] = Field(description="Where the milliseconds of all of them went.")
    repeated: list[RepeatedInfo] = Field(description="Calls made again and again, what took longest first.")
    worst: WorstInfo


def build_router(log: SlowLog) -> APIRouter:
    """The route on the slow log."""
    routes = router_v1("/projects/{project}/slow", "slow")

    @routes.get("", response_model=Page[SlowInfo], dependencies=[needs(Role.VIEWER)])
    async def list_slow(
        project: str,
        page: Paged,
        worker: Annotated[str | None, Query(max_length=63)] = None,
        environment: Annotated[str | None, Query(max_length=32)] = None,
        days: Annotated[int, Query(ge=1, le=14, description="How many days back, today included (in UTC).")] = 2,
    ) -> Response:
        """What takes long or asks the same again and again, what took longest altogether first."""
        since = time.time() - (days - 1) * _DAY
        found = await log.list(project, since=since, worker=worker, environment=environment)
        last = page.after(int)
        start = 0 if last is None else int(last[0])
        shown = found[start : start + page.limit]
        more = (start + page.limit,) if len(found) > start + page.limit else None
        return answer(page.page_up_to([_shown(*each) for each in shown], more))

    return routes


def _shown(key: Key, figures: Figures) -> SlowInfo:
    worst = figures.worst
    if worst is None:
        raise AssertionError("there are no figures without a run")
    return SlowInfo(
        worker=key.worker,
        environment=key.environment,
        method=key.method,
        pattern=key.pattern,
        runs=figures.runs,
        slow=figures.slow,
        first_at=_moment(figures.first),
        last_at=_moment(figures.last),
        total_ms=round(figures.duration, 1),
        p50_ms=figures.percentile(0.5),
        p95_ms=figures.percentile(0.95),
        split=figures.split,
        repeated=[
            RepeatedInfo(
                binding=each.binding,
                operation=each.operation,
                what=each.what,
                runs=each.runs,
                calls=each.calls,
                duration_ms=round(each.duration, 1),
                text=each.text,
            )
            for each in sorted(figures.repeated, key=lambda each: -each.duration)
        ],
        worst=WorstInfo(
            id=worst.id,
            at=_moment(worst.time),
            version=worst.version,
            path=worst.path,
            status=worst.status,
            duration_ms=worst.duration,
            split=worst.split,
            findings=[FindingInfo(**finding_fields(found)) for found in worst.findings],
        ),
    )


def _moment(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)
