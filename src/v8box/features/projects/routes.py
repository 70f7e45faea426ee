"""The addresses of projects: /api/v1/projects/… What is in a project has addresses below it, in other features."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request, Response

from v8box.api.access import Forbidden, Principal, Role, Scope, needs
from v8box.api.auth.accounts import Member
from v8box.api.v1 import (
    OperationInfo,
    Page,
    Paged,
    accepted,
    answer,
    check_if_match,
    created,
    etag_of,
    rfc3339,
    router_v1,
    tagged,
)
from v8box.catalog.projects import NAMES, Day, Project
from v8box.features.projects.schemas import (
    DayUsage,
    MemberInfo,
    NewProject,
    ProjectChange,
    ProjectInfo,
    UsageInfo,
    Used,
)
from v8box.features.projects.service import ProjectService

_DAY: Final = 86_400
_MIB: Final = 1_048_576

Members = Callable[[str, str, int], Awaitable[Sequence[Member]]]
"""Who has a role in a project: those whose names come after one, at most so many."""

_Days = Annotated[int, Query(ge=1, le=92, description="Of how many days to tell what was used, today included.")]


def build_router(service: ProjectService, members: Members) -> APIRouter:
    """The routes on all projects; a list shows those that its caller has a role in."""
    routes = router_v1("/projects", "projects")
    projects = service.projects

    def show(project: Project) -> ProjectInfo:
        return ProjectInfo.of(project, projects.quotas(project.name))

    @routes.get("", response_model=Page[ProjectInfo])
    async def list_projects(who: Annotated[Principal, needs(None)], page: Paged) -> Response:
        """Those that you have a role in, by name."""
        found = [each for each in projects.all() if who.role(each.name)]
        return answer(page.page_of_all(found, lambda each: (each.name,), show))

    @routes.post("", response_model=ProjectInfo, status_code=201)
    async def create_project(
        who: Annotated[Principal, needs(Role.ADMIN, Scope.ADMIN, box=True)], body: NewProject
    ) -> Response:
        """Makes a project. It takes an admin of the whole box."""
        project = await projects.create(body.name, title=body.title, quotas=body.quotas.named(), actor=who.actor)
        info = show(project)
        return created(info, f"/projects/{project.name}", etag=etag_of(info))

    @routes.get("/{project}", response_model=ProjectInfo, dependencies=[needs(Role.VIEWER)])
    async def show_project(project: str, request: Request) -> Response:
        """One project with its quotas."""
        return tagged(request, show(projects.get(project)))

    @routes.patch("/{project}", response_model=ProjectInfo)
    async def change_project(
        who: Annotated[Principal, needs(Role.ADMIN, Scope.ADMIN)], project: str, body: ProjectChange, request: Request
    ) -> Response:
        """Changes the title, or quotas: those take an admin of the whole box. `If-Match` guards against changing what
        somebody else has changed meanwhile."""
        quotas = body.quotas.named()
        if quotas and who.role(None) < Role.ADMIN:
            raise Forbidden("Quotas are set by an admin of the whole box.")
        changed = await projects.change(
            project,
            title=body.title,
            quotas=quotas,
            actor=who.actor,
            check=lambda now: check_if_match(request, etag_of(show(now))),
        )
        return tagged(request, show(changed))

    @routes.delete("/{project}", response_model=OperationInfo, status_code=202)
    async def delete_project(
        who: Annotated[Principal, needs(Role.ADMIN, Scope.ADMIN, box=True)],
        project: str,
        confirm: Annotated[
            str | None, Query(max_length=63, description="The project's name, when it owns anything.")
        ] = None,
    ) -> Response:
        """Deletes a project with all that it owns: workers, databases, buckets, variables, keys, roles. It cannot be
        brought back, and from the first moment on it cannot be used."""
        return accepted(await service.delete(project, confirm, who.actor))

    @routes.get("/{project}/usage", response_model=UsageInfo, dependencies=[needs(Role.VIEWER)])
    async def show_project_usage(project: str, days: _Days = 1) -> Response:
        """What the project has and has used today, with its quotas."""
        known = projects.get(project)
        return answer(await _usage(service, known.name, days))

    @routes.get("/{project}/members", response_model=Page[MemberInfo], dependencies=[needs(Role.ADMIN)])
    async def list_project_members(project: str, page: Paged) -> Response:
        """Who has a role in this project itself, by name. Those with a role everywhere are not among them."""
        last = page.after(str)
        found = await members(projects.get(project).name, "" if last is None else str(last[0]), page.fetch)
        return answer(page.page(found, lambda each: (each.name,), _member))

    return routes


def _member(member: Member) -> MemberInfo:
    return MemberInfo(user=member.user_id, name=member.name, role=member.role.word, disabled=member.disabled)


async def _usage(service: ProjectService, name: str, days: int) -> UsageInfo:
    quotas = service.projects.quotas(name).as_dict()
    recent = await service.usage.days(name, days)
    today = recent[-1]
    counts = await service.counts(name)
    held = await service.room.holds(name)
    used: dict[str, float] = {
        **{kind: counts.get(kind, 0) for kind in NAMES},
        "requests_per_day": today.requests,
        "cpu_seconds_per_day": round(today.cpu_seconds, 3),
        "storage_mb": round(held.storage_bytes / _MIB, 3),
        "databases": held.databases,
        "buckets": held.buckets,
    }
    told: dict[str, Any] = {quota: Used(used=used[quota], limit=quotas[quota]) for quota in NAMES}
    return UsageInfo(
        project=name, resets_at=rfc3339((today.day + 1) * _DAY), days=[_day(each) for each in recent], **told
    )


def _day(day: Day) -> DayUsage:
    date = datetime.fromtimestamp(day.day * _DAY, UTC).date().isoformat()
    return DayUsage(day=date, requests=day.requests, cpu_seconds=round(day.cpu_seconds, 3))
