"""Signing in: a name, a password and perhaps a code become a session.

Somebody who is not known and a wrong password are the same answer after the same work. Who guesses is slowed down, and
cannot fill the audit log either.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from v8box.api.auth import users
from v8box.api.auth.passwords import Passwords, TooManySignIns
from v8box.api.auth.second_factor import SecondFactor
from v8box.api.auth.sessions import Client, Session, Sessions
from v8box.api.auth.throttle import Throttle
from v8box.api.auth.users import User, queries
from v8box.errors import V8BoxError
from v8box.storage import Database, Transaction
from v8box.telemetry.actors import Actor, ActorKind
from v8box.telemetry.audit import Event, append, record

logger = logging.getLogger(__name__)

_ENTRIES: Final = 10
_ENTRIES_SECONDS: Final = 60.0


class SignInFailed(V8BoxError):
    """The user name, the password or the code is not right."""

    status = 401
    code = "sign_in_failed"


class CodeNeeded(V8BoxError):
    """The password is right. Send it again with the code of your authenticator app, or a recovery code, as `code`."""

    status = 401
    code = "code_needed"


class PasswordWrong(V8BoxError):
    """The present password is not right."""

    status = 403
    code = "password_wrong"


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What somebody signs in with."""

    name: str
    password: str = field(repr=False)
    code: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    """A session that has begun. `secret` is what the cookie holds, and is nowhere else."""

    user: User
    session: Session
    secret: str = field(repr=False)


class SignIn:
    """Checks credentials and begins sessions."""

    def __init__(
        self,
        database: Database,
        passwords: Passwords,
        throttle: Throttle,
        sessions: Sessions,
        second_factor: SecondFactor,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._database = database
        self._passwords = passwords
        self._throttle = throttle
        self._sessions = sessions
        self._second_factor = second_factor
        self._failures = _FailureLog(database, clock)
        self._warned = False

    async def sign_in(self, given: Credentials, client: Client, request_id: str | None = None) -> SignedIn:
        """Raises `SignInFailed`, `CodeNeeded`, `TooManyAttempts`, `TooManySignIns`."""
        name = users.fold(given.name)
        user, password_hash, known = await self._database.read(lambda sql: _look(sql, name, client.address))
        attempt = self._throttle.begin(client.address, name, address_is_known=known)
        try:
            verdict = await self._passwords.check(password_hash, given.password)
        except TooManySignIns:
            attempt.forgive()
            raise
        if user is None or password_hash is None or not verdict.right:
            await self._failures.note(user, "password", client, request_id)
            raise SignInFailed
        if user.has_totp:
            if not given.code:
                attempt.forgive()
                raise CodeNeeded
            if not await self._second_factor.take(user, given.code):
                await self._failures.note(user, "code", client, request_id)
                raise SignInFailed
        checked, fresh = password_hash, verdict.fresh_hash
        actor = actor_of(user, client.address, request_id)
        signed_in = await self._database.write(lambda sql: self._begin(sql, user, checked, fresh, client, actor))
        attempt.succeed()
        if client.in_the_open and not self._warned:
            self._warned = True
            logger.warning(
                "Somebody has signed in without TLS from %s: password and session can be read on the way. Put a proxy "
                "with TLS before the box, and name it in V8BOX_TRUSTED_PROXIES",
                client.address,
            )
        return signed_in

    async def confirm_password(self, user: User, password: str, client: Client) -> str:
        """For what asks for the password again; gives the hash it was checked against. Raises as `sign_in` does."""
        attempt = self._throttle.begin(client.address, user.name, address_is_known=True)
        password_hash = await self._database.read(lambda sql: users.password_hash(sql, user.id))
        try:
            verdict = await self._passwords.check(password_hash, password)
        except TooManySignIns:
            attempt.forgive()
            raise
        if password_hash is None or not verdict.right:
            raise PasswordWrong
        attempt.forgive()
        return password_hash

    def _begin(
        self, sql: Transaction, user: User, checked: str, fresh: str | None, client: Client, actor: Actor
    ) -> SignedIn:
        """Unless the account has changed while the password was checked."""
        now = users.find(sql, user.id)
        if now is None or now.disabled or now.has_totp != user.has_totp:
            raise SignInFailed
        if users.password_hash(sql, user.id) != checked:
            raise SignInFailed
        if fresh is not None:
            sql.execute(queries["rehash_password"], {"id": user.id, "password_hash": fresh, "before": checked})
        session, secret = self._sessions.begin(sql, now, client)
        append(sql, Event(action="session.create", resource=f"user/{now.name}", actor=actor, after={"id": session.id}))
        return SignedIn(user=now, session=session, secret=secret)


def actor_of(user: User, address: str | None, request_id: str | None) -> Actor:
    return Actor(kind=ActorKind.USER, id=user.id, name=user.name, address=address, request_id=request_id)


def _look(sql: Transaction, name: str, address: str | None) -> tuple[User | None, str | None, bool]:
    """The user, if they may sign in, the hash to check against, and whether they are signed in from this address."""
    user = users.find(sql, name)
    if user is None or user.disabled or user.name != name:
        return None, None, False
    known = sql.row(queries["session_from_address"], {"name": name, "address": address}) is not None
    return user, users.password_hash(sql, user.id), known


class _FailureLog:
    """Writes failed sign-ins down, some a minute; the next entry says how many were left out."""

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock
        self._since = float("-inf")
        self._written = 0
        self._left_out = 0

    async def note(self, user: User | None, what: str, client: Client, request_id: str | None) -> None:
        now = self._clock()
        if not 0 <= now - self._since < _ENTRIES_SECONDS:
            self._since, self._written = now, 0
        if self._written >= _ENTRIES:
            self._left_out += 1
            return
        self._written += 1
        left_out, self._left_out = self._left_out, 0
        actor = Actor(kind=ActorKind.ANONYMOUS, id="", name="nobody", address=client.address, request_id=request_id)
        # A name that nobody has is not written down: people type their password there.
        resource = "user" if user is None else f"user/{user.name}"
        after = {"wrong": what} | ({"left_out": left_out} if left_out else {})
        await record(self._database, Event(action="session.refuse", resource=resource, actor=actor, after=after))
