"""Sign-in on a real database, with a clock that tests move and passwords that are quick to check."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.fakes.sign_in import NoSealer, quick_passwords

from v8box.api import Guard
from v8box.api.app import build_api
from v8box.api.asgi import ASGIApp
from v8box.api.auth import Auth
from v8box.api.auth.sessions import Client
from v8box.api.auth.sign_in import Credentials, SignedIn
from v8box.api.idempotency import Idempotency
from v8box.api.principals import EVERY_PROJECT, Principal, Role
from v8box.features.sessions.login import build_login_router
from v8box.features.sessions.own_account import build_account_router
from v8box.features.sessions.routes import build_router
from v8box.features.tokens.routes import build_router as tokens_router
from v8box.features.users.routes import build_router as users_router
from v8box.settings import Box, Secret, SignIn
from v8box.storage import Database
from v8box.telemetry.actors import Actor, ActorKind
from v8box.telemetry.audit import Entry, open_audit, read

PASSWORD = "correct horse battery"
LOCAL = Principal(
    actor=Actor(kind=ActorKind.LOCAL, id="local", name="local operator"),
    user=None,
    roles={EVERY_PROJECT: Role.OWNER},
)


@dataclass
class World:
    """A box's sign-in, that can be stopped and opened again."""

    directory: Path
    database: Database
    now: float = 1_800_000_000.0
    sealer: NoSealer = field(default_factory=NoSealer)
    auth: Auth = field(init=False)

    def clock(self) -> float:
        return self.now

    async def open(self, password: str | None = PASSWORD, *, idle: int = 168, longest: int = 720) -> None:
        box = Box(admin_password=None if password is None else Secret(password))
        settings = SignIn(session_idle_hours=idle, session_hours=longest)
        self.auth = await Auth.open(
            self.database, self.directory, box, settings, self.sealer, passwords=quick_passwords(), clock=self.clock
        )

    async def again(self, password: str | None = PASSWORD) -> None:
        await self.auth.stop()
        await self.open(password)

    async def sign_in(
        self, name: str = "admin", password: str = PASSWORD, code: str | None = None, address: str = "192.0.2.1"
    ) -> SignedIn:
        given = Credentials(name=name, password=password, code=code)
        return await self.auth.sign_in.sign_in(given, Client(address=address, user_agent="tests"))

    async def principal(self, secret: str) -> Principal:
        """Raises when the session is good for nothing."""
        return await self.auth.identities.of_session(secret, Client(address="192.0.2.1"), None)

    async def user(self, name: str, **roles: Role) -> Principal:
        """A new user, signed in; `all` is everywhere."""
        given = {EVERY_PROJECT if project == "all" else project: role for project, role in roles.items()}
        await self.auth.accounts.create(LOCAL, name, password=PASSWORD, email=None, roles=given)
        return await self.principal((await self.sign_in(name)).secret)

    async def audit(self) -> list[Entry]:
        rows = await self.database.read(lambda sql: sql.rows("select * from audit order by number"))
        return [read(row) for row in rows]

    async def actions(self) -> list[str]:
        return [entry.event.action for entry in await self.audit()]


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    database = await Database.open(tmp_path / "catalog.db")
    await open_audit(database)
    made = World(tmp_path, database)
    await made.open()
    yield made
    await made.auth.stop()
    await made.database.close()


class Site:
    """The admin API behind its guard, asked by clients that keep their cookies as browsers do."""

    def __init__(self, world: World, app: ASGIApp) -> None:
        self.world = world
        self._app = app
        self._clients: list[httpx.AsyncClient] = []

    def client(self, token: str | None = None, *, address: str = "192.0.2.1", **options: Any) -> httpx.AsyncClient:
        """Nobody, until it signs in; or whoever the token is of."""
        headers = {} if token is None else {"authorization": f"Bearer {token}"}
        transport = httpx.ASGITransport(app=self._app, client=(address, 1))
        made = httpx.AsyncClient(
            **{"transport": transport, "base_url": "http://localhost", "headers": headers, **options}
        )
        self._clients.append(made)
        return made

    def local(self) -> httpx.AsyncClient:
        token = (self.world.directory / "keys" / "local.token").read_text().strip()
        return self.client(token, address="127.0.0.1")

    async def signed_in(self, name: str = "admin", password: str = PASSWORD) -> httpx.AsyncClient:
        client = self.client()
        done = await client.post("/api/v1/session", json={"username": name, "password": password})
        assert done.status_code == 201, done.text
        return client

    async def close(self) -> None:
        for client in self._clients:
            await client.aclose()


async def project_exists(name: str) -> bool:
    return name in ("default", "shop", "blog")


async def projects() -> list[str]:
    return ["default", "shop", "blog"]


@pytest.fixture
async def site(world: World) -> AsyncIterator[Site]:
    idempotency = await Idempotency.open(world.database)
    routers = [
        build_login_router(world.auth),
        build_router(world.auth, projects),
        build_account_router(world.auth),
        users_router(world.auth, project_exists),
        tokens_router(world.auth, project_exists),
    ]
    app = build_api(routers, idempotency=idempotency, project_exists=project_exists)
    made = Site(world, Guard(app, identities=world.auth.identities, box=Box()))
    yield made
    await made.close()
    await idempotency.close()


def problem(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    body: dict[str, Any] = response.json()
    assert (response.status_code, body["code"]) == (status, code), body
    assert response.headers["content-type"] == "application/problem+json"
    return body


def ok(response: httpx.Response, status: int = 200) -> Any:
    assert response.status_code == status, response.text
    return response.json() if response.content else None
