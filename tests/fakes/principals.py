"""Whoever a test lets call the admin API: what the guard finds out, without the guard."""

from __future__ import annotations

from v8box.api.asgi import ASGIApp, Receive, Send
from v8box.api.asgi import Scope as AsgiScope
from v8box.api.principals import EVERY_PROJECT, Principal, Role, Scope
from v8box.telemetry.actors import Actor, ActorKind


def somebody(
    role: Role | None,
    project: str = EVERY_PROJECT,
    *,
    scopes: frozenset[Scope] = frozenset(Scope),
    confined_to: str | None = None,
    user: str = "usr_0000000000000001",
    session: str | None = None,
) -> Principal:
    """A user with one role, or none; with scopes or a project of its own, a token."""
    kind = ActorKind.TOKEN if scopes != frozenset(Scope) or confined_to is not None else ActorKind.USER
    actor = Actor(kind=kind, id=user, name="ada", address="192.0.2.7")
    roles = {} if role is None else {project: role}
    return Principal(actor=actor, user=user, roles=roles, scopes=scopes, project=confined_to, session=session)


OWNER = somebody(Role.OWNER)


def signed_in(app: ASGIApp, principal: Principal = OWNER) -> ASGIApp:
    """The application, as it is behind the guard for requests of this principal."""

    async def called(scope: AsgiScope, receive: Receive, send: Send) -> None:
        await app({**scope, "principal": principal}, receive, send)

    return called


async def any_project(_: str) -> bool:
    """`Exists` of a box that has every project."""
    return True
