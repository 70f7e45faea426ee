"""Everything below /api/v1/projects/{project}/workers that is about what is deployed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field

from v8box.api.access import Principal, Role, Scope, needs
from v8box.api.deployed import Project, Worker, WorkerInfo, worker_etag
from v8box.api.paging import Position
from v8box.api.v1 import Page, Paged, answer, check_if_match, no_content, router_v1
from v8box.catalog.listing import MAX_TAGS, Entry
from v8box.features.workers import canary_routes, deployment_routes, log_routes, tag_routes, version_routes
from v8box.features.workers.canary import Canaries
from v8box.features.workers.schemas import Retention, WorkerChange
from v8box.features.workers.workers import Source, State, Wanted, Workers
from v8box.telemetry.tail import Tail

_READ = [needs(Role.VIEWER)]


class WorkerPage(Page[WorkerInfo]):
    """Workers, and how many there are on all pages."""

    total: int = Field(description="How many fit, on all pages.")


class Pruned(BaseModel):
    """What retention did."""

    removed: int


def build_routers(workers: Workers, canaries: Canaries, tail: Tail, keep_versions: int) -> Sequence[APIRouter]:
    """The routes on all workers."""
    return [
        build_router(workers, keep_versions),
        tag_routes.build_router(workers),
        version_routes.build_router(workers),
        deployment_routes.build_router(workers),
        canary_routes.build_router(workers, canaries),
        log_routes.build_router(workers, tail),
    ]


def build_router(workers: Workers, keep_versions: int) -> APIRouter:
    routes = router_v1("/projects/{project}/workers", "workers")

    @routes.get("", response_model=WorkerPage, dependencies=_READ)
    async def list_workers(
        project: Project,
        page: Paged,
        search: Annotated[str, Query(max_length=200, description="Occurs in the name, or in a tag.")] = "",
        tag: Annotated[list[str], Query(max_length=MAX_TAGS, description="A tag it has; several: all of them.")] = [],  # noqa: B006
        source: Annotated[Source | None, Query(description="Where it comes from.")] = None,
        environment: Annotated[str | None, Query(max_length=32, description="An environment it is live in.")] = None,
        state: Annotated[
            State | None, Query(description="`live` anywhere, `not_live`; `broken`: its files do not build.")
        ] = None,
        order: Annotated[
            Literal["name", "-deployed_at"], Query(description="`-deployed_at`: what was changed last comes first.")
        ] = "name",
    ) -> Response:
        """The workers of a project: where each is live, where it comes from, its tags."""
        wanted = Wanted(search=search.strip().lower(), tags=tag, source=source, environment=environment, state=state)
        found = await workers.find_all(project, wanted)
        newest_first = order == "-deployed_at"
        shown = page.page_of_all(found, _by_time if newest_first else _by_name, newest_first=newest_first)
        items = await workers.show(project, [each.worker for each in shown["items"]])
        return answer({**shown, "items": items, "total": len(found)})

    @routes.get("/{worker}", response_model=WorkerInfo, dependencies=_READ)
    async def show_worker(project: Project, worker: Worker) -> Response:
        """One worker."""
        info = await workers.get(project, worker)
        return answer(info, headers={"etag": worker_etag(info.tags)})

    @routes.patch("/{worker}", response_model=WorkerInfo)
    async def change_worker(
        project: Project,
        worker: Worker,
        body: WorkerChange,
        request: Request,
        who: Annotated[Principal, needs(Role.DEVELOPER, Scope.DEPLOY)],
    ) -> Response:
        """Sets its tags. Nothing is deployed. `If-Match` takes the ETag that a GET gave."""
        await workers.catalog.listing.set_tags(
            project, worker, body.tags, who.actor, lambda before: check_if_match(request, worker_etag(before))
        )
        info = await workers.get(project, worker)
        return answer(info, headers={"etag": worker_etag(info.tags)})

    @routes.delete("/{worker}", status_code=204)
    async def delete_worker(
        project: Project,
        worker: Worker,
        who: Annotated[Principal, needs(Role.ADMIN, Scope.DEPLOY)],
        files: Annotated[bool, Query(description="Delete the files of a worker in the served folder, too.")] = False,
    ) -> Response:
        """Takes a worker off every environment and forgets its versions. It cannot be brought back."""
        await workers.delete(project, worker, who.actor, files=files)
        return no_content()

    @routes.post("/prune", response_model=Pruned)
    async def prune_versions(
        project: Project, body: Retention, who: Annotated[Principal, needs(Role.ADMIN, Scope.DEPLOY)]
    ) -> Response:
        """Removes old versions of every worker of the project now, as the box does once a day: what is live, tagged or
        pinned stays, and what a rollback would bring back."""
        workers.check_project(project)
        keep = keep_versions if body.keep is None else body.keep
        return answer(Pruned(removed=await workers.catalog.versions.prune(keep, project=project, actor=who.actor)))

    @routes.post("/{worker}/prune", response_model=Pruned)
    async def prune_worker(
        project: Project, worker: Worker, body: Retention, who: Annotated[Principal, needs(Role.ADMIN, Scope.DEPLOY)]
    ) -> Response:
        """The same for one worker."""
        await workers.get(project, worker)
        keep = keep_versions if body.keep is None else body.keep
        removed = await workers.catalog.versions.prune(keep, project=project, worker=worker, actor=who.actor)
        return answer(Pruned(removed=removed))

    return routes


def _by_name(entry: Entry) -> Position:
    return (entry.worker,)


def _by_time(entry: Entry) -> Position:
    return (0.0 if entry.deployed_at is None else entry.deployed_at.timestamp(), entry.worker)
