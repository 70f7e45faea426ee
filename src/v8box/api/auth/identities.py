"""From credentials to the principal: a session's secret, a personal token, or the local operator's."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from v8box.api.auth.local import PREFIX as LOCAL_PREFIX
from v8box.api.auth.local import LocalOperator
from v8box.api.auth.sessions import Client, Sessions
from v8box.api.auth.sign_in import actor_of
from v8box.api.auth.tokens import PREFIX as TOKEN_PREFIX
from v8box.api.auth.tokens import PersonalTokens
from v8box.api.principals import EVERY_PROJECT, Principal, Role
from v8box.errors import V8BoxError
from v8box.telemetry.actors import Actor, ActorKind

_OWNER: Final = MappingProxyType({EVERY_PROJECT: Role.OWNER})


class TokenRefused(V8BoxError):
    """The token is not valid here: mistyped, expired, deleted, or of another box. Make one: POST /api/v1/tokens."""

    status = 401
    code = "token_refused"


class SessionEnded(V8BoxError):
    """The session has ended. Sign in again: v8box login, or POST /admin/login."""

    status = 401
    code = "session_ended"


class Identities:
    """Finds out who somebody is."""

    def __init__(self, sessions: Sessions, tokens: PersonalTokens, local: LocalOperator) -> None:
        self._sessions = sessions
        self._tokens = tokens
        self._local = local

    async def of_bearer(self, token: str, client: Client, request_id: str | None) -> Principal:
        """Raises `TokenRefused`."""
        if token.startswith(LOCAL_PREFIX):
            return self._operator(token, client, request_id)
        if not token.startswith(TOKEN_PREFIX):
            raise TokenRefused(
                f"This is no personal token: one begins with {TOKEN_PREFIX}. POST /api/v1/tokens makes it."
            )
        found = await self._tokens.find(token)
        if found is None:
            raise TokenRefused
        known, user = found
        name = f"{user.name} ({known.label})" if known.label else user.name
        actor = Actor(kind=ActorKind.TOKEN, id=known.id, name=name, address=client.address, request_id=request_id)
        return Principal(
            actor=actor,
            user=user.id,
            roles=MappingProxyType(dict(user.roles)),
            scopes=known.scopes,
            project=known.project,
            must_change_password=user.password_is_temporary,
        )

    async def of_session(self, secret: str, client: Client, request_id: str | None) -> Principal:
        """Raises `SessionEnded`."""
        found = await self._sessions.find(secret, client)
        if found is None:
            raise SessionEnded
        return Principal(
            actor=actor_of(found.user, client.address, request_id),
            user=found.user.id,
            roles=MappingProxyType(dict(found.user.roles)),
            session=found.session.id,
            must_change_password=found.user.password_is_temporary,
        )

    def _operator(self, token: str, client: Client, request_id: str | None) -> Principal:
        if not self._local.accepts(token, client.address):
            raise TokenRefused(
                "The local token is not this box's, or comes from elsewhere: it changes at every start, and opens the "
                "box from its own machine only."
            )
        actor = Actor(
            kind=ActorKind.LOCAL, id="local", name="local operator", address=client.address, request_id=request_id
        )
        return Principal(actor=actor, user=None, roles=_OWNER)
