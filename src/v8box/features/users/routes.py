"""Users and their roles: /api/v1/users. Who is in a project is the feature `projects`'."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from v8box.api.access import EVERY_PROJECT, Exists, Principal, ProjectNotFound, Role, Scope, needs
from v8box.api.auth import Auth
from v8box.api.auth.accounts import UNCHANGED
from v8box.api.auth.users import User
from v8box.api.v1 import (
    Page,
    Paged,
    Shape,
    answer,
    check_if_match,
    created,
    etag_of,
    no_content,
    router_v1,
    shows_secret,
    tagged,
)
from v8box.kit.times import rfc3339

Looks = Annotated[Principal, needs(Role.ADMIN, box=True)]
Manages = Annotated[Principal, needs(Role.ADMIN, Scope.ADMIN, box=True)]
ManagesMembers = Annotated[Principal, needs(Role.ADMIN, Scope.ADMIN)]
RoleName = Literal["viewer", "developer", "admin", "owner"]


class NewUser(Shape):
    """A user to make."""

    name: str = Field(max_length=100, description="1 to 63 of a-z, 0-9, . _ @ + and -. Capitals are made small.")
    password: str | None = Field(
        default=None, max_length=1_024, description="10 characters or more. Left out: a temporary one is made up."
    )
    email: str | None = Field(default=None, max_length=255)
    roles: dict[str, RoleName] = Field(
        default_factory=dict, max_length=1_000, description="By project; `*` is everywhere."
    )


class UserChange(Shape):
    """What to change of a user. What is left out stays."""

    name: str | None = Field(default=None, max_length=100)
    email: str | None = Field(default=None, max_length=255, description="`null` removes it.")
    disabled: bool | None = Field(default=None, description="Who is disabled cannot sign in, nor can their tokens.")


class RoleBody(Shape):
    """A role to give."""

    role: RoleName


class UserInfo(BaseModel):
    """A user."""

    id: str
    name: str
    email: str | None
    disabled: bool
    second_factor: bool
    password_is_temporary: bool
    roles: dict[str, RoleName] = Field(description="By project; `*` is everywhere.")
    created_at: str
    seen_at: str | None = Field(description="Exact to a minute.")


class UserMade(UserInfo):
    """A user that was just made."""

    temporary_password: str | None = Field(description="Where none was given. It is shown this once.")


class TemporaryPassword(BaseModel):
    """A password that has to be changed at the next sign-in."""

    temporary_password: str = Field(description="It is shown this once.")


def build_router(auth: Auth, project_exists: Exists) -> APIRouter:
    """The routes on users and members."""
    routes = router_v1("", "users")
    accounts = auth.accounts

    @routes.get("/users", response_model=Page[UserInfo])
    async def list_users(who: Looks, paging: Paged) -> Response:
        """All users, by name."""
        after = paging.after(str)
        found = await accounts.list(str(after[0]) if after else "", paging.fetch)
        return answer(paging.page(found, lambda user: (user.name,), _info))

    @routes.post("/users", response_model=UserMade, status_code=201)
    @shows_secret
    async def create_user(given: NewUser, who: Manages) -> Response:
        """A new user. Nobody gives a role above their own."""
        for project in given.roles:
            await _check_project(project, project_exists)
        roles = {project: Role[role.upper()] for project, role in given.roles.items()}
        user, made_up = await accounts.create(who, given.name, password=given.password, email=given.email, roles=roles)
        return created({**_info(user), "temporary_password": made_up}, f"/users/{user.id}", etag=etag_of(_info(user)))

    @routes.get("/users/{user}", response_model=UserInfo)
    async def read_user(user: str, who: Looks, request: Request) -> Response:
        """One user, by id or name."""
        return tagged(request, _info(await accounts.get(user)))

    @routes.patch("/users/{user}", response_model=UserInfo)
    async def change_user(user: str, given: UserChange, who: Manages, request: Request) -> Response:
        """Renames or disables a user, or changes the email address. `If-Match` is heeded."""
        changed = await accounts.update(
            who,
            user,
            name=given.name,
            email=given.email if "email" in given.model_fields_set else UNCHANGED,
            disabled=given.disabled,
            expect=lambda before: check_if_match(request, etag_of(_info(before))),
        )
        return tagged(request, _info(changed))

    @routes.delete("/users/{user}", status_code=204)
    async def delete_user(user: str, who: Manages) -> Response:
        """With a user go their sessions, tokens and roles. The last owner stays."""
        await accounts.delete(who, user)
        return no_content()

    @routes.post("/users/{user}/password", response_model=TemporaryPassword)
    @shows_secret
    async def reset_password(user: str, who: Manages) -> Response:
        """A temporary password for somebody who has forgotten theirs. Their sessions end."""
        return answer({"temporary_password": await accounts.reset_password(who, user)})

    @routes.post("/users/{user}/totp/remove", status_code=204)
    async def remove_users_second_factor(user: str, who: Manages) -> Response:
        """For somebody who has lost their phone and their recovery codes."""
        await accounts.remove_second_factor(who, user, auth.second_factor)
        return no_content()

    @routes.put("/users/{user}/roles/{project}", response_model=UserInfo)
    async def set_role(user: str, project: str, given: RoleBody, who: ManagesMembers) -> Response:
        """Gives a role in a project, in the place of the former one; `*` is everywhere, for admins of the box."""
        await _check_project(project, project_exists)
        changed = await accounts.set_role(who, user, project, Role[given.role.upper()])
        return answer(_visible(changed, who, project))

    @routes.delete("/users/{user}/roles/{project}", status_code=204)
    async def remove_role(user: str, project: str, who: ManagesMembers) -> Response:
        """Takes a role away. The user's sessions end."""
        await accounts.remove_role(who, user, project)
        return no_content()

    return routes


async def _check_project(project: str, exists: Exists) -> None:
    if project != EVERY_PROJECT and not await exists(project):
        raise ProjectNotFound(f"There is no project called {project[:63]}.")


def _visible(user: User, who: Principal, project: str) -> dict[str, Any]:
    """An admin of one project learns nothing of a user's roles elsewhere."""
    shown = _info(user)
    if who.role(None) < Role.ADMIN:
        shown |= {"email": None, "seen_at": None, "roles": {project: user.roles[project].word}}
    return shown


def _info(user: User) -> dict[str, Any]:
    return {
        "id": user.id,
        "name": user.name,
        "email": user.email,
        "disabled": user.disabled,
        "second_factor": user.has_totp,
        "password_is_temporary": user.password_is_temporary,
        "roles": {project: role.word for project, role in user.roles.items()},
        "created_at": rfc3339(user.created_at),
        "seen_at": None if user.seen_at is None else rfc3339(user.seen_at),
    }
