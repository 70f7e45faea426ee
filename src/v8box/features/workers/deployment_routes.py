"""What is live of a worker: …/workers/{worker}/deployments/… Splits, rollbacks, promotions, history."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Request, Response

from v8box.api.access import Principal, Role, Scope, needs
from v8box.api.deployed import DeploymentInfo, Environment, HistoryInfo, Project, Worker, deployment_etag
from v8box.api.etags import is_unchanged
from v8box.api.v1 import Page, Paged, answer, check_if_match, no_content, router_v1
from v8box.catalog import Deployment
from v8box.errors import NotFound
from v8box.features.workers.schemas import DeploymentChange, Promotion, Rollback
from v8box.features.workers.workers import Workers

_READ: Final = [needs(Role.VIEWER)]
_Deployer = Annotated[Principal, needs(Role.DEVELOPER, Scope.DEPLOY)]


def build_router(workers: Workers) -> APIRouter:
    """The routes on the deployments of all workers."""
    routes = router_v1("/projects/{project}/workers/{worker}/deployments", "deployments")
    catalog = workers.catalog

    def shown(deployment: Deployment) -> Response:
        info = DeploymentInfo.of(deployment, workers.base)
        return answer(info, headers={"etag": deployment_etag(deployment)})

    async def expected(request: Request, project: str, worker: str, environment: str) -> int | None:
        """The number that the deployment must still have when it is changed. Raises `PreconditionFailed`."""
        if request.headers.get("if-match") is None:
            return None
        deployment = await catalog.deployment(worker, project=project, environment=environment)
        check_if_match(request, deployment_etag(deployment))
        return 0 if deployment is None else deployment.number

    @routes.get("", response_model=Page[DeploymentInfo], dependencies=_READ)
    async def list_deployments(project: Project, worker: Worker, page: Paged) -> Response:
        """What is live in each environment."""
        await workers.get(project, worker)
        found = await catalog.deployments(worker, project=project)
        show = [DeploymentInfo.of(each, workers.base) for each in found]
        return answer(page.page_of_all(show, lambda each: (each.environment,)))

    @routes.get("/{environment}", response_model=DeploymentInfo, dependencies=_READ)
    async def show_deployment(project: Project, worker: Worker, environment: Environment, request: Request) -> Response:
        """What is live in one environment."""
        deployment = await catalog.deployment(worker, project=project, environment=environment)
        if deployment is None:
            raise NotFound(f"{worker} is not live in {environment}.")
        if is_unchanged(request, deployment_etag(deployment)):
            return Response(None, 304, {"etag": deployment_etag(deployment)})
        return shown(deployment)

    @routes.put("/{environment}", response_model=DeploymentInfo)
    async def change_deployment(
        project: Project,
        worker: Worker,
        environment: Environment,
        body: DeploymentChange,
        request: Request,
        who: _Deployer,
    ) -> Response:
        """Makes one version live, or two that share the requests. With `If-Match` (the ETag that a GET gave, or `"0"`
        for none) somebody else's change meanwhile is not undone: 412."""
        shares = [(await workers.find(project, worker, each.version), each.weight) for each in body.versions]
        deployment = await catalog.set_shares(
            worker,
            [(version.id, weight) for version, weight in shares],
            project=project,
            environment=environment,
            actor=who.actor,
            message=body.message,
            sticky=body.sticky,
            expected=await expected(request, project, worker, environment),
        )
        return shown(deployment)

    @routes.delete("/{environment}", status_code=204)
    async def delete_deployment(
        project: Project, worker: Worker, environment: Environment, request: Request, who: _Deployer
    ) -> Response:
        """Takes the worker off the environment. Its versions stay, and a rollback brings it back."""
        number = await expected(request, project, worker, environment)
        gone = await catalog.remove(worker, project=project, environment=environment, actor=who.actor, expected=number)
        if not gone:
            raise NotFound(f"{worker} is not live in {environment}.")
        return no_content()

    @routes.post("/{environment}/rollback", response_model=DeploymentInfo)
    async def roll_back_deployment(
        project: Project, worker: Worker, environment: Environment, body: Rollback, request: Request, who: _Deployer
    ) -> Response:
        """Goes back to what was live before, or to the version that `to` names. Twice goes back twice."""
        deployment = await catalog.roll_back(
            worker,
            body.to,
            project=project,
            environment=environment,
            actor=who.actor,
            message=body.message,
            expected=await expected(request, project, worker, environment),
        )
        return shown(deployment)

    @routes.post("/{environment}/promote", response_model=DeploymentInfo)
    async def promote_deployment(
        project: Project, worker: Worker, environment: Environment, body: Promotion, request: Request, who: _Deployer
    ) -> Response:
        """Makes the newest version of another environment live here: the same bytes, not another build."""
        deployment = await catalog.promote(
            worker,
            source=body.source,
            target=environment,
            project=project,
            actor=who.actor,
            message=body.message,
            expected=await expected(request, project, worker, environment),
        )
        return shown(deployment)

    @routes.get("/{environment}/history", response_model=Page[HistoryInfo], dependencies=_READ)
    async def list_deployment_history(
        project: Project, worker: Worker, environment: Environment, page: Paged
    ) -> Response:
        """What happened there, the newest first. The last thousand changes are kept."""
        last = page.after(int)
        before = None if last is None else int(last[0])
        found = await catalog.history(worker, project=project, environment=environment, limit=page.fetch, before=before)
        return answer(page.page(found, lambda entry: (entry.id,), HistoryInfo.of))

    return routes
