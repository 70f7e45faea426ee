"""Who sends a request: roles by project, scopes of tokens, and the refusals that go with them.

Free of FastAPI, so that the guard, which the box's start imports, is too. How a route says what it asks is `access`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from types import MappingProxyType
from typing import Final

from v8box.errors import V8BoxError
from v8box.telemetry.actors import Actor, ActorKind

EVERY_PROJECT: Final = "*"
"""The project of a role that counts everywhere, for the box itself too."""


class Role(IntEnum):
    """What somebody may do in a project. Higher includes lower."""

    VIEWER = 1  # look at everything but the values of secrets
    DEVELOPER = 2  # deploy, change data, set variables
    ADMIN = 3  # keys, quotas, members; remove what cannot be brought back
    OWNER = 4  # everything, other owners included

    @property
    def word(self) -> str:
        return self.name.lower()


class Scope(StrEnum):
    """What a token may be used for."""

    READ = "read"  # whatever its user may see
    DEPLOY = "deploy"  # versions, deployments, sites
    DATA = "data"  # databases, buckets, cache
    SECRETS = "secrets"  # variables, secrets, API keys
    ADMIN = "admin"  # users, projects, tokens, settings


class SignInNeeded(V8BoxError):
    """Sign in first: v8box login, POST /admin/login, or Authorization: Bearer with a personal token."""

    status = 401
    code = "sign_in_needed"


class Forbidden(V8BoxError):
    """You may not do this. Ask an owner or admin of the project for the role it needs."""

    status = 403
    code = "forbidden"


class PasswordChangeNeeded(V8BoxError):
    """Your password is a temporary one. Set one of your own first: PUT /api/v1/session/password."""

    status = 403
    code = "password_change_needed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Whoever sent a request. `roles` by project, `EVERY_PROJECT` among them for those that count everywhere."""

    actor: Actor
    user: str | None
    """The user's id; None for the local operator and for nobody."""
    roles: Mapping[str, Role] = field(default_factory=lambda: MappingProxyType({}))
    scopes: frozenset[Scope] = frozenset(Scope)
    project: str | None = None
    """The one project that a token is confined to."""
    session: str | None = None
    """The session's id, for those that signed in with one."""
    must_change_password: bool = False
    """Signed in with a temporary password: until it is changed, nothing else is allowed."""

    @property
    def known(self) -> bool:
        return self.actor.kind is not ActorKind.ANONYMOUS

    def role(self, project: str | None) -> int:
        """The role in a project, or in the box itself (None); 0 is none."""
        if self.project is not None and self.project != project:
            return 0
        everywhere = self.roles.get(EVERY_PROJECT, 0)
        return int(everywhere if project is None else max(everywhere, self.roles.get(project, 0)))


def nobody(address: str | None = None, request_id: str | None = None) -> Principal:
    """The principal of a request without credentials."""
    actor = Actor(kind=ActorKind.ANONYMOUS, id="", name="nobody", address=address, request_id=request_id)
    return Principal(actor=actor, user=None)
