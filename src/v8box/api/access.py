"""Who a request comes from and what a route asks of them: roles per project, scopes of tokens.

A role includes those below it. A token can do what its user can, within its scopes and its project. `needs` is how a
route declares what it asks; the application refuses to be built with a route that declares nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from types import MappingProxyType
from typing import Any, Final

from fastapi import Depends, Request

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


class Needs:
    """What a route asks: this role, in the project that its path names (`{project}`), else in the project that the
    query or the header `V8Box-Project` names, else in `default`; or in the box itself. `role` None: anybody who is
    signed in; `public`: anybody at all."""

    def __init__(
        self, role: Role | None, scope: Scope = Scope.READ, *, box: bool = False, public: bool = False
    ) -> None:
        self.role = role
        self.scope = scope
        self.box = box
        self.public = public

    def __call__(self, request: Request) -> Principal:
        """The principal, if they may. Raises `SignInNeeded`, `Forbidden`."""
        principal = principal_of(request)
        if self.public:
            return principal
        if not principal.known:
            raise SignInNeeded
        if self.scope not in principal.scopes:
            raise Forbidden(f"This token has not the scope {self.scope}: make one that has it.")
        if self.role is None:
            return principal
        project = None if self.box else project_of(request)
        if principal.role(project) < self.role:
            where = "for the whole box" if project is None else f"in the project {project}"
            raise Forbidden(f"This needs the role {self.role.word} {where}.")
        return principal


def needs(role: Role | None, scope: Scope = Scope.READ, *, box: bool = False) -> Any:
    """For `dependencies=[needs(Role.DEVELOPER, Scope.DEPLOY)]` of a route, or as the default of a `Principal`."""
    return Depends(Needs(role, scope, box=box))


def anybody() -> Any:
    """For a route that answers people who have not signed in."""
    return Depends(Needs(None, public=True))


def principal_of(request: Request) -> Principal:
    """Whoever the guard found the request to come from."""
    principal = request.scope.get("principal")
    return principal if isinstance(principal, Principal) else nobody()


def project_of(request: Request) -> str:
    """The project that a request is about."""
    named = request.path_params.get("project") or request.query_params.get("project")
    return str(named or request.headers.get("v8box-project") or "default")
