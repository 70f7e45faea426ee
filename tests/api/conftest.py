"""A caller of the API who is whoever the test says, without signing in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from v8box.api.access import EVERY_PROJECT, Principal, Role, Scope
from v8box.api.asgi import ASGIApp, Receive, Send
from v8box.api.asgi import Scope as AsgiScope
from v8box.storage import Database
from v8box.telemetry.actors import Actor, ActorKind


def user(
    name: str, roles: Mapping[str, Role], *, scopes: Iterable[Scope] = Scope, project: str | None = None
) -> Principal:
    actor = Actor(kind=ActorKind.USER, id=name, name=name, address="192.0.2.1", request_id="r-1")
    return Principal(actor=actor, user=name, roles=roles, scopes=frozenset(scopes), project=project)


class As:
    """Every request comes from `principal`, and has the id r-1."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.principal = user("ada", {EVERY_PROJECT: Role.OWNER})

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        scope["principal"] = self.principal
        scope["request_id"] = "r-1"
        await self.app(scope, receive, send)


def client_of(app: ASGIApp) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://localhost/api/v1")


def problem(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    body: dict[str, Any] = response.json()
    assert response.headers["content-type"] == "application/problem+json"
    assert (response.status_code, body["status"], body["code"]) == (status, status, code)
    assert body["type"] == f"urn:v8box:error:{code}"
    assert body["title"]
    assert body["detail"]
    assert body["request_id"] == "r-1"
    return body


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = await Database.open(tmp_path / "catalog.db")
    yield database
    await database.close()
