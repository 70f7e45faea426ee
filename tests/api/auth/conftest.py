"""Sign-in on a real database, with a clock that tests move and passwords that are quick to check."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.fakes.sign_in import NoSealer, quick_passwords

from v8box.api.auth import Auth
from v8box.api.auth.sessions import Client
from v8box.api.auth.sign_in import Credentials, SignedIn
from v8box.api.principals import EVERY_PROJECT, Principal, Role
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
    await database.close()
