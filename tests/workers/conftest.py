"""The routes on workers, over a real catalog; the served folder is what the test says."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import httpx
import pytest
from tests.api.conftest import As, client_of, user
from tests.catalog.conftest import Kept, kept_in

from v8box.api.access import EVERY_PROJECT, Role
from v8box.api.app import build_api
from v8box.api.deployed import DeployFault
from v8box.api.idempotency import Idempotency
from v8box.catalog import RouteTable
from v8box.features.workers.canary import Canaries
from v8box.features.workers.routes import build_routers
from v8box.features.workers.workers import Workers
from v8box.telemetry.intake import Intake
from v8box.telemetry.rates import Rates
from v8box.telemetry.ring import Rings
from v8box.telemetry.store import RunStore
from v8box.telemetry.tail import Tail

__all__ = ["As", "Kept"]

BASE = "http://localhost:8000"


class FakeFolder:
    """A served folder with no files."""

    def __init__(self) -> None:
        self.workers: set[str] = set()
        self.failed: dict[str, DeployFault] = {}
        self.deleted: list[str] = []

    def owns(self, worker: str) -> bool:
        return worker in self.workers

    def faults(self) -> Mapping[str, DeployFault]:
        return self.failed

    async def delete(self, worker: str) -> None:
        self.workers.discard(worker)
        self.failed.pop(worker, None)
        self.deleted.append(worker)


@pytest.fixture
async def kept(tmp_path: Path) -> AsyncIterator[Kept]:
    async with kept_in(tmp_path) as made:
        yield made


@pytest.fixture
def folder() -> FakeFolder:
    return FakeFolder()


class Clock:
    """The time is what the test says."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def rates(kept: Kept, clock: Clock) -> Rates:
    made = Rates(clock)

    def follow(routes: RouteTable) -> None:
        made.follow([share.placement.key for route in routes.workers.values() for share in route.shares])

    kept.catalog.subscribe(follow)
    return made


@pytest.fixture
async def canaries(kept: Kept, rates: Rates, clock: Clock) -> Canaries:
    return await Canaries.open(kept.database, kept.catalog, rates, clock)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[RunStore]:
    made = await RunStore.open(tmp_path / "logs", budget_bytes=10_000_000, days=36_500)
    yield made
    await made.close()


@pytest.fixture
def rings() -> Rings:
    return Rings()


@pytest.fixture
def log(store: RunStore, rings: Rings) -> Intake:
    return Intake(store, rings)


@pytest.fixture
def forgotten() -> list[tuple[str, str]]:
    """The deleted workers of which everything else was forgotten too."""
    return []


@pytest.fixture
async def app(
    kept: Kept, folder: FakeFolder, canaries: Canaries, store: RunStore, rings: Rings, forgotten: list[tuple[str, str]]
) -> AsyncIterator[As]:
    ledger = await Idempotency.open(kept.database)

    async def forget(project: str, worker: str) -> None:
        forgotten.append((project, worker))

    async def exists(project: str) -> bool:
        return project in ("default", "acme")

    workers = Workers(kept.catalog, folder, BASE, forget, lambda name: name in ("default", "acme"))
    routers = build_routers(workers, canaries, Tail(store, rings), 100)
    yield As(build_api(routers, idempotency=ledger, project_exists=exists))
    await ledger.close()


@pytest.fixture
async def client(app: As) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(app) as client:
        client.base_url = httpx.URL("http://localhost/api/v1/projects/default/workers/")
        yield client


def developer(app: As, role: Role = Role.DEVELOPER) -> None:
    """From here on requests come from somebody with this role."""
    app.principal = user("dev", {EVERY_PROJECT: role})
