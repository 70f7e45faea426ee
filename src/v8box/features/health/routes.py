"""The box itself: GET /api/v1/box, and how it is: GET /api/v1/box/health. `/health` is a page of the gateway's."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, Literal, Protocol

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from v8box import __version__
from v8box.api.access import Role, needs
from v8box.api.phrases import PhraseInfo
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
    value_parts: list[PhraseInfo] = Field(
        description="What `value` says, one thing after the other; empty where only the text is known."
    )
    advice: str = Field(description="What to do next; empty where there is nothing to do.")
    advice_parts: list[PhraseInfo] = Field(description="The same of `advice`.")
    share: float | None = Field(
        default=None, description="How much of it is used, from 0 to 1; null of what cannot be used up."
    )


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


class SignalInfo(BaseModel):
    """What became of the spans or the log lines."""

    signal: Literal["traces", "logs"]
    sent: int = Field(description="How many the collector took since the box was started.")
    dropped: int = Field(description="How many it did not: they came too fast, or it refused them.")
    waiting: int
    most: int = Field(description="So many may wait; what is more is dropped.")
    fault: str = Field(description="Why the last batch is not there yet, or never will be; empty while all is well.")


class ExporterInfo(BaseModel):
    """What is sent to an OpenTelemetry collector. Where it is, is a secret."""

    active: bool = Field(description="`false`: no collector is set (`OTEL_EXPORTER_OTLP_ENDPOINT`).")
    trace_ratio: float = Field(description="The share of the traces that begin here which is sent.")
    signals: list[SignalInfo]


class Signal(Protocol):
    """One kind of what is exported."""

    @property
    def name(self) -> str: ...
    @property
    def sent(self) -> int: ...
    @property
    def dropped(self) -> int: ...
    @property
    def waiting(self) -> int: ...
    @property
    def most(self) -> int: ...
    @property
    def fault(self) -> str: ...


def build_router(
    health: Health,
    *,
    domain: str,
    urls: Mapping[str, str],
    signals: Callable[[], Sequence[Signal] | None] = lambda: None,
    trace_ratio: float = 1.0,
) -> APIRouter:
    """The routes. `signals`: what is exported, None where no collector is set."""
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
        """Every check of the box: services, workers, disk, memory, processors, clock, backlog, backup, cache,
        confinement, certificates. Each says what was found, and what to do where something is wrong."""
        report = await health.report()
        more = {"phase": health.phase, "uptime_seconds": round(health.uptime_seconds, 1), "version": __version__}
        return answer({**report.full(), **more})

    @routes.get("/exporter", response_model=ExporterInfo, dependencies=[needs(Role.VIEWER, box=True)])
    async def show_exporter() -> Response:
        """Whether traces and log lines reach the OpenTelemetry collector."""
        found = signals()
        shown = [
            SignalInfo.model_validate(
                {
                    "signal": each.name,
                    "sent": each.sent,
                    "dropped": each.dropped,
                    "waiting": each.waiting,
                    "most": each.most,
                    "fault": each.fault,
                }
            )
            for each in found or ()
        ]
        return answer(ExporterInfo(active=found is not None, trace_ratio=trace_ratio, signals=shown))

    return routes
