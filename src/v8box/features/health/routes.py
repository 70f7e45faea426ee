"""The box itself: GET /api/v1/box, and how it is: GET /api/v1/box/health. `/health` is a page of the gateway's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from v8box import __version__
from v8box.api.access import Role, needs
from v8box.api.v1 import answer, router_v1
from v8box.features.health.model import Status
from v8box.features.health.service import Health, Phase

ENVIRONMENTS: Final = ("production", "staging", "preview")


class ServiceHealth(BaseModel):
    """How a store behind the bindings is."""

    status: Literal["ok", "down"]
    latency_ms: float


class HealthInfo(BaseModel):
    """How the box is. The services are asked every two seconds at most."""

    status: Literal["ok", "degraded"]
    services: dict[str, ServiceHealth]


class BoxInfo(BaseModel):
    """The box: what it is and where its parts answer."""

    version: str
    domain: str
    urls: dict[str, str] = Field(
        description="`run`: what is in front of `/run/<worker>`; `db` and `s3`: for clients of databases and buckets.",
        examples=[{"run": "https://api.example.com", "db": "https://db.example.com", "s3": "https://s3.example.com"}],
    )
    environments: list[str] = Field(
        description="Kinds of environments. There is one `production` and one `staging`; any other name is a preview."
    )
    health: HealthInfo


class CheckInfo(BaseModel):
    """One thing that was looked at."""

    name: str = Field(examples=["disk"])
    status: Status
    latency_ms: float = Field(description="How long looking took.")
    value: str = Field(description="What was found.", examples=["11.2 GB of 40.0 GB free"])
    advice: str = Field(description="What to do next; empty where there is nothing to do.")


class BoxHealth(BaseModel):
    """How everything is."""

    status: Literal["ok", "degraded"] = Field(description="Of the services; what `/health` tells.")
    overall: Status = Field(description="The worst of all checks.")
    timestamp: str = Field(json_schema_extra={"format": "date-time"})
    phase: Phase = Field(description="Where the box is in its life.")
    uptime_seconds: float
    version: str
    services: dict[str, ServiceHealth]
    checks: list[CheckInfo]


def build_router(health: Health, *, domain: str, urls: Mapping[str, str]) -> APIRouter:
    """The route."""
    routes = router_v1("/box", "box")

    @routes.get("", response_model=BoxInfo, dependencies=[needs(None)])
    async def show_box() -> Response:
        """Which version runs, where its parts answer, and whether all of them are well."""
        services = (await health.services()).public()
        return answer(
            BoxInfo(
                version=__version__,
                domain=domain,
                urls=dict(urls),
                environments=list(ENVIRONMENTS),
                health=HealthInfo.model_validate(services),
            )
        )

    @routes.get("/health", response_model=BoxHealth, dependencies=[needs(Role.VIEWER, box=True)])
    async def show_box_health() -> Response:
        """Every check of the box: services, workers, disk, memory, clock, backlog, backup, cache, confinement,
        certificates. Each says what was found, and what to do where something is wrong."""
        report = await health.report()
        more = {"phase": health.phase, "uptime_seconds": round(health.uptime_seconds, 1), "version": __version__}
        return answer({**report.full(), **more})

    return routes
