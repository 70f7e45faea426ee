"""What a route asks of whoever calls it. `needs` is how it declares that; the application refuses to be built with a
route that declares nothing. Who somebody is, and what roles and scopes there are, is in `principals`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Final

from fastapi import Depends, Header, Query, Request
from fastapi.routing import APIRoute

from v8box.api.principals import (
    EVERY_PROJECT,
    Forbidden,
    PasswordChangeNeeded,
    Principal,
    Role,
    Scope,
    SignInNeeded,
    nobody,
)
from v8box.errors import NotFound
from v8box.kit.names import LABEL

__all__ = [
    "EVERY_PROJECT",
    "Exists",
    "Forbidden",
    "Needs",
    "PasswordChangeNeeded",
    "Principal",
    "ProjectHere",
    "ProjectNotFound",
    "Role",
    "Scope",
    "SignInNeeded",
    "access_of",
    "anybody",
    "check_project",
    "needs",
    "nobody",
    "only_default",
    "principal_of",
    "project_of",
]

DEFAULT_PROJECT: Final = "default"

Exists = Callable[[str], Awaitable[bool]]
"""Whether there is a project with this name."""


class ProjectNotFound(NotFound):
    """There is no project with this name."""

    code = "project_not_found"


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
            raise request.scope.get("credentials_refused") or SignInNeeded()
        if self.scope not in principal.scopes:
            raise Forbidden(f"This token has not the scope {self.scope}: make one that has it.")
        if self.role is None:
            return principal
        if principal.must_change_password:
            raise PasswordChangeNeeded
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
    """The project that a request is about. Whether there is one is for the route: see `ProjectHere`."""
    named = request.path_params.get("project") or request.query_params.get("project")
    return str(named or request.headers.get("v8box-project") or DEFAULT_PROJECT)


async def only_default(project: str) -> bool:
    """`Exists` of a box without other projects."""
    return project == DEFAULT_PROJECT


async def _existing_project(
    request: Request,
    project: Annotated[str | None, Query(description="The project; `default` if none is named.")] = None,
    v8box_project: Annotated[str | None, Header(description="The project, where the query names none.")] = None,
) -> str:
    """Raises `ProjectNotFound`. The arguments are for the OpenAPI document: `Needs` has looked at the same."""
    return await check_project(request)


async def check_project(request: Request) -> str:
    """The project that a request is about. Raises `ProjectNotFound`."""
    named = project_of(request)
    exists: Exists = request.app.state.project_exists
    if not LABEL.fullmatch(named) or not await exists(named):
        raise ProjectNotFound(f"There is no project called {named[:63]}.")
    return named


ProjectHere = Annotated[str, Depends(_existing_project)]
"""The type of a route's parameter that is the project a request is about, for addresses that have none in the path."""


def access_of(route: APIRoute) -> Needs | None:
    """What a route has declared; None: nothing, or more than one thing."""
    found = [each.call for each in route.dependant.dependencies if isinstance(each.call, Needs)]
    return found[0] if len(found) == 1 else None
