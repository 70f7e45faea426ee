"""Sign-in put together: everything that has to do with who somebody is, opened and stopped as one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

from v8box.api.auth.accounts import Accounts
from v8box.api.auth.first_owner import ensure_owner
from v8box.api.auth.identities import Identities
from v8box.api.auth.local import LocalOperator
from v8box.api.auth.passwords import Passwords
from v8box.api.auth.second_factor import Sealer, SecondFactor
from v8box.api.auth.sessions import Sessions
from v8box.api.auth.sign_in import SignIn
from v8box.api.auth.throttle import Throttle
from v8box.api.auth.tokens import PersonalTokens
from v8box.settings import Box
from v8box.settings import SignIn as SignInSettings
from v8box.storage import Database, load_migrations


class Auth:
    """What the guard and the routes are given. `open` it; `stop` writes what is left to write."""

    accounts: Accounts
    sessions: Sessions
    tokens: PersonalTokens
    sign_in: SignIn
    second_factor: SecondFactor
    identities: Identities

    def __init__(self, box: Box) -> None:
        self.domain = box.domain
        self.made_password: str | None = None
        """The password that was made up for the first owner at this start. Nothing else has it."""
        self._stack = AsyncExitStack()

    @classmethod
    async def open(
        cls,
        database: Database,
        data_directory: Path,
        box: Box,
        settings: SignInSettings,
        sealer: Sealer,
        *,
        passwords: Passwords | None = None,
        clock: Callable[[], float] = time.time,
    ) -> Auth:
        """Brings the tables up to date, makes the first owner and the local operator's token. The audit log has to be
        open."""
        auth = cls(box)
        try:
            await auth._open(database, data_directory, box, settings, sealer, passwords or Passwords(), clock)
        except BaseException:
            await auth.stop()
            raise
        return auth

    async def _open(
        self,
        database: Database,
        data_directory: Path,
        box: Box,
        settings: SignInSettings,
        sealer: Sealer,
        passwords: Passwords,
        clock: Callable[[], float],
    ) -> None:
        await database.migrate("sign_in", load_migrations("v8box.api.auth"))
        self._stack.callback(passwords.stop)
        throttle = Throttle(database, clock)
        await throttle.open()
        self._stack.push_async_callback(throttle.stop)
        self.sessions = Sessions(
            database,
            idle_seconds=settings.session_idle_hours * 3_600,
            longest_seconds=settings.session_hours * 3_600,
            clock=clock,
        )
        self._stack.push_async_callback(self.sessions.stop)
        self.tokens = PersonalTokens(database, clock)
        await self.tokens.open()
        self._stack.push_async_callback(self.tokens.stop)
        self.second_factor = SecondFactor(database, sealer, domain=box.domain, clock=clock)
        self.sign_in = SignIn(database, passwords, throttle, self.sessions, self.second_factor, clock)
        is_set = box.admin_password is not None
        self.accounts = Accounts(database, passwords, self.sessions, self.sign_in, password_is_set=is_set, clock=clock)
        local = await asyncio.to_thread(LocalOperator, data_directory, box.host)
        self._stack.push_async_callback(asyncio.to_thread, local.remove)
        self.identities = Identities(self.sessions, self.tokens, local)
        self.made_password = await ensure_owner(database, passwords, box.admin_password)

    async def stop(self) -> None:
        await self._stack.aclose()
