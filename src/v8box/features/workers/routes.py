"""Everything below /api/v1/projects/{project}/workers that is about what is deployed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel

from v8box.api.access import Principal, Role, Scope, needs
from v8box.api.deployed import Project, Worker, WorkerInfo
from v8box.api.v1 import Page, Paged, answer, no_content, router_v1
from v8box.features.workers import canary_routes, deployment_routes, log_routes, version_routes
from v8box.features.workers.canary import Canaries
from v8box.features.workers.schemas import Retention
from v8box.features.workers.workers import Workers
from v8box.telemetry.tail import Tail

_READ = [needs(Role.VIEWER)]


class Pruned(BaseModel):
    """What retention did."""

    removed: int


def build_routers(workers: Workers, canaries: Canaries, tail: Tail, keep_versions: int) -> Sequence[APIRouter]:
    """The routes on all workers."""
    return [
        build_router(workers, keep_versions),
        version_routes.build_router(workers),
        deployment_routes.build_router(workers),
        canary_routes.build_router(workers, canaries),
        log_routes.build_router(workers, tail),
    ]


def build_router(workers: Workers, keep_versions: int) -> APIRouter:
    routes = router_v1("/projects/{project}/workers", "workers")

    @routes.get("", response_model=Page[WorkerInfo], dependencies=_READ)
    async def list_workers(project: Project, page: Paged) -> Response:
        """The workers of a project by name: where each is live, and where it comes from."""
        names = page.page_of_all(await workers.names(project), lambda name: (name,))
        return answer({**names, "items": await workers.show(project, names["items"])})

    @routes.get("/{worker}", response_model=WorkerInfo, dependencies=_READ)
    async def show_worker(project: Project, worker: Worker) -> Response:
        """One worker."""
        return answer(await workers.get(project, worker))

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
