"""Canaries: …/workers/{worker}/deployments/{environment}/canary. Started, looked at, paused, aborted."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from v8box.api.access import Principal, Role, Scope, needs
from v8box.api.deployed import Environment, Project, Worker, deployment_etag
from v8box.api.v1 import Time, answer, check_if_match, created, rfc3339, router_v1
from v8box.features.workers.canary import Canaries
from v8box.features.workers.canary_model import Canary, Guards, State
from v8box.features.workers.schemas import CanaryGuards, NewCanary
from v8box.features.workers.workers import Workers
from v8box.telemetry.rates import Window

_READ: Final = [needs(Role.VIEWER)]
_Deployer = Annotated[Principal, needs(Role.DEVELOPER, Scope.DEPLOY)]


class CanaryFigures(BaseModel):
    """The last minute of a version."""

    version: str
    number: int
    requests: int
    errors: int
    error_rate: float
    p95_ms: float

    @classmethod
    def of(cls, version: str, number: int, window: Window) -> CanaryFigures:
        return cls(
            version=version,
            number=number,
            requests=window.requests,
            errors=window.errors,
            error_rate=round(window.error_rate, 4),
            p95_ms=round(window.quantile_ms(0.95), 1),
        )


class CanaryInfo(BaseModel):
    """A canary: how far it is, and how both versions do."""

    worker: str
    environment: str
    state: State
    weight: int = Field(description="Per cent of the requests that the new version has, or had last.")
    steps: list[int]
    interval_seconds: float
    guards: CanaryGuards
    old: CanaryFigures
    new: CanaryFigures
    step_requests: int = Field(description="Requests that the new version had in this step.")
    reason: str = Field(description="Why it has ended.")
    started_at: Time
    started_by: str
    stepped_at: Time
    ended_at: Time | None


def build_router(workers: Workers, canaries: Canaries) -> APIRouter:
    """The routes on the canaries of all workers."""
    routes = router_v1("/projects/{project}/workers/{worker}/deployments/{environment}/canary", "deployments")

    def shown(canary: Canary) -> CanaryInfo:
        figures = canaries.figures(canary)
        return CanaryInfo.model_validate(
            {
                "worker": canary.worker,
                "environment": canary.environment,
                "state": canary.state,
                "weight": canary.weight,
                "steps": list(canary.steps),
                "interval_seconds": canary.interval_seconds,
                "guards": msgspec.to_builtins(canary.guards),
                "old": CanaryFigures.of(canary.old, canary.old_number, figures.old),
                "new": CanaryFigures.of(canary.new, canary.new_number, figures.new),
                "step_requests": figures.step_requests,
                "reason": canary.reason,
                "started_at": rfc3339(canary.started_at),
                "started_by": canary.started_by,
                "stepped_at": rfc3339(canary.stepped_at),
                "ended_at": None if canary.ended_at is None else rfc3339(canary.ended_at),
            }
        )

    @routes.post("", response_model=CanaryInfo, status_code=201)
    async def start_canary(
        project: Project, worker: Worker, environment: Environment, body: NewCanary, request: Request, who: _Deployer
    ) -> Response:
        """Gives a version more of the requests step by step. Where it does worse than the guards allow, the version
        before gets all of them back, by itself."""
        expected = None
        if request.headers.get("if-match") is not None:
            deployment = await workers.catalog.deployment(worker, project=project, environment=environment)
            check_if_match(request, deployment_etag(deployment))
            expected = 0 if deployment is None else deployment.number
        canary = await canaries.start(
            worker,
            body.version,
            project=project,
            environment=environment,
            actor=who.actor,
            steps=body.steps,
            interval_seconds=body.interval_seconds,
            guards=Guards(**body.guards.model_dump()),
            expected=expected,
        )
        return created(shown(canary), f"/projects/{project}/workers/{worker}/deployments/{environment}/canary")

    @routes.get("", response_model=CanaryInfo, dependencies=_READ)
    async def show_canary(project: Project, worker: Worker, environment: Environment) -> Response:
        """The canary that is under way, or the last there was."""
        return answer(shown(await canaries.get(worker, project=project, environment=environment)))

    @routes.delete("", response_model=CanaryInfo)
    async def abort_canary(project: Project, worker: Worker, environment: Environment, who: _Deployer) -> Response:
        """Gives all requests back to the version before."""
        return answer(shown(await canaries.abort(worker, project=project, environment=environment, actor=who.actor)))

    @routes.post("/pause", response_model=CanaryInfo)
    async def pause_canary(project: Project, worker: Worker, environment: Environment, who: _Deployer) -> Response:
        """Lets it stay at its step. The guards still watch."""
        return answer(shown(await canaries.pause(worker, project=project, environment=environment, actor=who.actor)))

    @routes.post("/resume", response_model=CanaryInfo)
    async def resume_canary(project: Project, worker: Worker, environment: Environment, who: _Deployer) -> Response:
        """Lets it go on, at the beginning of its step."""
        return answer(shown(await canaries.resume(worker, project=project, environment=environment, actor=who.actor)))

    return routes
