"""The routes of charts over real rollups and a real catalog, with a clock that a test sets."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from tests.api.conftest import As, client_of
from tests.catalog.conftest import Kept as Deployed
from tests.catalog.conftest import kept_in
from tests.telemetry.metrics.conftest import Kept, kept

from v8box.api.app import build_api
from v8box.features.metrics.routes import build_box_router, build_router
from v8box.features.metrics.service import Metrics

__all__ = ["As", "Deployed", "Kept", "kept"]


@pytest.fixture
async def deployed(tmp_path: Path) -> AsyncIterator[Deployed]:
    async with kept_in(tmp_path / "catalog") as made:
        yield made


@pytest.fixture
def metrics(kept: Kept, deployed: Deployed) -> Metrics:
    return Metrics(kept.rollups, deployed.catalog.changes, clock=kept.time)


@pytest.fixture
def app(metrics: Metrics, deployed: Deployed) -> As:
    async def find_version(project: str, worker: str, reference: str) -> str:
        return (await deployed.catalog.versions.find(project, worker, reference)).id

    return As(build_api([build_router(metrics, find_version), build_box_router(metrics)]))


@pytest.fixture
async def client(app: As) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(app) as made:
        yield made
