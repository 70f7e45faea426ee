"""Asking for a release to be made smaller, and seeing how far that is."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
from tests.api.conftest import As, client_of, problem, user
from tests.pages.optimise.conftest import OptimisedWorld

from v8box.api.access import EVERY_PROJECT, Role
from v8box.api.app import build_api
from v8box.api.auth.passwords import Passwords
from v8box.features.pages.optimise.routes import build_router
from v8box.features.pages.routes import build_routers

RELEASES = "http://localhost/api/v1/projects/default/sites/blog/releases"


@pytest.fixture
async def app(small: OptimisedWorld) -> AsyncIterator[As]:
    hasher = Passwords()
    pages = build_routers(small.service, lambda label: f"http://{label}.localhost/", hasher)
    yield As(build_api([*pages, build_router(small.optimiser)]))
    hasher.stop()


@pytest.fixture
async def client(app: As) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(app) as made:
        yield made


async def test_asking_and_looking(small: OptimisedWorld, client: httpx.AsyncClient) -> None:
    await small.deploy({"index.html": "hello " * 200, "v8box.toml": "[site]\noptimise = ['html']"}, live=False)
    assert "optimisation" not in (await client.get(f"{RELEASES}/1")).json()["report"]
    asked = await client.post(f"{RELEASES}/1/optimise")
    assert (asked.status_code, asked.json()) == (202, {"state": "queued"})
    told = await small.settled(1)
    shown = (await client.get(f"{RELEASES}/1")).json()
    assert shown["report"]["optimisation"] == told
    assert told["state"] == "done"
    files = (await client.get(f"{RELEASES}/1/files")).json()["items"]
    assert set(files[0]["encodings"]) == {"br", "zstd", "gzip"}


async def test_what_is_in_the_queue_is_told(small: OptimisedWorld, client: httpx.AsyncClient) -> None:
    await small.stop()
    await small.deploy({"index.html": "hello " * 200})
    for shown in ((await client.get(f"{RELEASES}/1")).json(), (await client.get(RELEASES)).json()["items"][0]):
        assert shown["report"]["optimisation"] == {"state": "queued"}


async def test_what_waits_can_be_cancelled(small: OptimisedWorld, app: As, client: httpx.AsyncClient) -> None:
    await small.stop()
    await small.deploy({"index.html": "hello " * 200})
    assert (await client.delete(f"{RELEASES}/1/optimise")).status_code == 204
    assert (await client.get(f"{RELEASES}/1")).json()["report"]["optimisation"] == {"state": "cancelled"}
    problem(await client.delete(f"{RELEASES}/1/optimise"), 409, "nothing_to_cancel")
    problem(await client.delete(f"{RELEASES}/7/optimise"), 404, "not_found")
    app.principal = user("eve", {EVERY_PROJECT: Role.VIEWER})
    problem(await client.delete(f"{RELEASES}/1/optimise"), 403, "forbidden")


async def test_what_cannot_be_asked(small: OptimisedWorld, app: As, client: httpx.AsyncClient) -> None:
    await small.deploy({"index.html": "x"})
    problem(await client.post(f"{RELEASES}/7/optimise"), 404, "not_found")
    problem(await client.post(f"{RELEASES.replace('blog', 'none')}/1/optimise"), 404, "not_found")
    app.principal = user("eve", {EVERY_PROJECT: Role.VIEWER})
    problem(await client.post(f"{RELEASES}/1/optimise"), 403, "forbidden")
