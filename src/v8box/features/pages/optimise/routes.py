"""Making a release's files smaller again: /api/v1/projects/{project}/sites/{site}/releases/{number}/optimise."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from v8box.api.access import Principal, Role, Scope, needs
from v8box.api.v1 import answer, no_content, router_v1
from v8box.features.pages.optimise.optimiser import Optimiser
from v8box.features.pages.schemas import Number, Project, SiteName

Writer = Annotated[Principal, needs(Role.DEVELOPER, Scope.DEPLOY)]


class Queued(BaseModel):
    """It will be done. How far it is, the release's report says."""

    state: Literal["queued"] = Field(
        description="Later, in the release's report: `running`, then `done`, `failed` or `cancelled`."
    )


def build_router(optimiser: Optimiser) -> APIRouter:
    """The routes."""
    routes = router_v1("/projects/{project}/sites/{site}/releases/{number}", "sites")

    @routes.post("/optimise", response_model=Queued, status_code=202)
    async def optimise_release(project: Project, site: SiteName, number: Number, _: Writer) -> Response:
        """Makes the files of a release smaller, once more or for the first time. Live releases are done by
        themselves."""
        await optimiser.ask(project, site, number)
        return answer(Queued(state="queued"), status=202)

    @routes.delete("/optimise", status_code=204)
    async def cancel_optimisation(project: Project, site: SiteName, number: Number, _: Writer) -> Response:
        """Takes the release out of the queue, or stops the work on it after the file at hand. It is served as it is."""
        await optimiser.cancel(project, site, number)
        return no_content()

    return routes
