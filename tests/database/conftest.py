"""The Data API on real embedded databases, asked over HTTP without a socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from tests.bindings.db.libsql_backend import empty, libsql_backend
from tests.fakes.current import Current
from tests.fakes.principals import signed_in
from tests.servers.fixtures import sqld_server

from v8box.api.app import build_api
from v8box.bindings.db.embedded import EmbeddedDatabases
from v8box.bindings.db.interface import Databases, DbLimits
from v8box.features.database.routes import build_router


async def launch(argv: Sequence[str], stdin: int | None, env: Mapping[str, str]) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(*argv, stdin=stdin, env=dict(env))


__all__ = ["sqld_server"]  # a fixture


@pytest.fixture(params=["embedded", "libsql"])
async def databases(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Databases]:
    """Both implementations: what the operator is served is the same on either."""
    opened: Databases
    if request.param == "libsql":
        server = request.getfixturevalue("sqld_server")
        empty(server)
        opened = libsql_backend(server, tmp_path).build(DbLimits())
    else:
        opened = EmbeddedDatabases(tmp_path / "databases", launch, engines=1)
    await opened.start()
    yield opened
    await opened.stop()


def made_application() -> tuple[FastAPI, Current]:
    """The application, and the databases that it serves."""
    current: Any = Current()
    return build_api([build_router(current)]), current


@pytest.fixture(scope="session")
def served() -> tuple[FastAPI, Current]:
    return made_application()


@pytest.fixture
async def client(databases: Databases, served: tuple[FastAPI, Current]) -> AsyncIterator[httpx.AsyncClient]:
    app, current = served
    current.real = databases
    transport = httpx.ASGITransport(app=signed_in(app))
    base = "http://localhost/admin/database/"
    async with httpx.AsyncClient(transport=transport, base_url=base, timeout=60) as client:
        yield client
