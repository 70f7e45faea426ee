"""`/api/v1/projects/{project}/kills`: what was killed or crashed, newest first, and the report of each."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from v8box.api.access import Role, needs
from v8box.api.v1 import Page, Paged, answer, router_v1
from v8box.errors import StopReason
from v8box.features.kills.schemas import KillInfo, KillReport
from v8box.features.kills.service import Filter, KillReports

KillId = Annotated[str, Path(max_length=64, description="The report's id.")]


def build_router(kills: KillReports) -> APIRouter:
    """The routes on kill reports."""
    routes = router_v1("/projects/{project}/kills", "kills")

    @routes.get("", response_model=Page[KillInfo], dependencies=[needs(Role.VIEWER)])
    async def list_kills(
        project: str,
        page: Paged,
        worker: Annotated[str | None, Query(max_length=63)] = None,
        environment: Annotated[str | None, Query(max_length=32)] = None,
        reason: Annotated[StopReason | None, Query(description="Only those with this reason.")] = None,
        since: Annotated[datetime | None, Query(description="Those that happened at this moment or later.")] = None,
        run: Annotated[
            str | None, Query(max_length=128, description="The one that ended this run, by the run's id.")
        ] = None,
    ) -> Response:
        """What was stopped for a limit or crashed, newest first. Ends of the same kind that follow each other closely
        are one, with a count. Kept: 100 for a worker, 2,000 in all, 30 days."""
        wanted = Filter(
            project=project,
            worker=worker,
            environment=environment,
            reason=reason,
            since=None if since is None else _unix(since),
            run=run,
        )
        last = page.after(int)
        found = await kills.list(wanted, below=None if last is None else int(last[0]), limit=page.fetch)
        return answer(page.page(found, lambda kill: (kill.number,), KillInfo.of))

    @routes.get("/{kill_id}", response_model=KillReport, dependencies=[needs(Role.VIEWER)])
    async def show_kill(project: str, kill_id: KillId) -> Response:
        """One report: the limit and what was used, the curve before, the runs that were going on, the last lines, and
        what to do."""
        return answer(KillReport.whole_of(*await kills.get(project, kill_id)))

    return routes


def _unix(at: datetime) -> float:
    return (at if at.tzinfo is not None else at.replace(tzinfo=UTC)).timestamp()
