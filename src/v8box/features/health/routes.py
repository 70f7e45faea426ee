"""The address of the box itself: GET /api/v1/box. `/health` is a page of the gateway's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from v8box import __version__
from v8box.api.access import needs
from v8box.api.v1 import answer, router_v1
from v8box.features.health.service import Health

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


def build_router(health: Health, *, domain: str, urls: Mapping[str, str]) -> APIRouter:
    """The route."""
    routes = router_v1("/box", "box")

    @routes.get("", response_model=BoxInfo, dependencies=[needs(None)])
    async def show_box() -> Response:
        """Which version runs, where its parts answer, and whether all of them are well."""
        _, page = await health.page()
        return answer(
            BoxInfo(
                version=__version__,
                domain=domain,
                urls=dict(urls),
                environments=list(ENVIRONMENTS),
                health=HealthInfo.model_validate_json(page),
            )
        )

    return routes
