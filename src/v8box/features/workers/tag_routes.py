"""…/worker-tags: the tags on the workers of a project, and changing those of several workers at once."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from v8box.api.access import Principal, Role, Scope, needs
from v8box.api.deployed import Project
from v8box.api.v1 import Page, Paged, answer, no_content, router_v1
from v8box.features.workers.schemas import TagChange
from v8box.features.workers.workers import Workers

_READ: Final = [needs(Role.VIEWER)]


class TagInfo(BaseModel):
    """A tag that workers of the project have."""

    tag: str
    workers: int = Field(description="How many have it.")


def build_router(workers: Workers) -> APIRouter:
    """The routes on tags of workers. (Tags of versions are with the versions.)"""
    routes = router_v1("/projects/{project}/worker-tags", "workers")

    @routes.get("", response_model=Page[TagInfo], dependencies=_READ)
    async def list_worker_tags(project: Project, page: Paged) -> Response:
        """Every tag that a worker of the project has, by name."""
        workers.check_project(project)
        found = [
            TagInfo(tag=tag, workers=count) for tag, count in (await workers.catalog.listing.tags(project)).items()
        ]
        return answer(page.page_of_all(found, lambda each: (each.tag,)))

    @routes.post("", status_code=204)
    async def change_worker_tags(
        project: Project, body: TagChange, who: Annotated[Principal, needs(Role.DEVELOPER, Scope.DEPLOY)]
    ) -> Response:
        """Puts tags on several workers, and takes others off: on all of them, or when one is none or has too many
        then, on none. Nothing is deployed."""
        workers.check_project(project)
        await workers.catalog.listing.change_tags(
            project, body.workers, add=body.add, remove=body.remove, actor=who.actor
        )
        return no_content()

    return routes
