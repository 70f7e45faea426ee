"""Personal tokens: /api/v1/tokens. One's own; admins of the box see and delete those of others."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from v8box.api.access import (
    Exists,
    Forbidden,
    PasswordChangeNeeded,
    Principal,
    ProjectNotFound,
    Role,
    Scope,
    needs,
)
from v8box.api.auth import Auth
from v8box.api.auth.accounts import may_change
from v8box.api.auth.tokens import MAX_LABEL, Token, TokenNotFound
from v8box.api.auth.users import OWNER_NAME, User
from v8box.api.v1 import Page, Shape, answer, created, no_content, router_v1, shows_secret
from v8box.kit.times import rfc3339
from v8box.telemetry.actors import ActorKind

_MAX_SECONDS: Final = 10 * 366 * 86_400

Known = Annotated[Principal, needs(None)]
Changes = Annotated[Principal, needs(None, Scope.ADMIN)]
OfUser = Annotated[
    str | None,
    Query(alias="user", max_length=100, description="Somebody else's, by name or id: for admins of the box."),
]


class NewToken(Shape):
    """A token to make."""

    label: str = Field(
        min_length=1, max_length=MAX_LABEL, description="What it is for; shown in lists and the audit log."
    )
    scopes: list[Scope] = Field(min_length=1, max_length=len(Scope), description="What it may be used for.")
    project: str | None = Field(
        default=None, max_length=63, description="The one project it is for. Left out: all that its user has a role in."
    )
    expires_in_seconds: int | None = Field(
        default=None, ge=1, le=_MAX_SECONDS, description="How long it is good for. Left out: until it is deleted."
    )
    user: str | None = Field(
        default=None, max_length=100, description="Whose it is; only the local operator says. Left out: `admin`."
    )


class TokenInfo(BaseModel):
    """A token as lists show it."""

    id: str
    user: str = Field(description="The user's id.")
    label: str
    scopes: list[Scope]
    project: str | None = Field(description="`null`: all that its user has a role in.")
    created_at: str
    expires_at: str | None = Field(description="`null`: it does not expire.")
    used_at: str | None = Field(description="Exact to a minute.")


class TokenMade(TokenInfo):
    """A token that was just made."""

    token: str = Field(description="The token itself. It is shown this once; only a hash of it is kept.")


def build_router(auth: Auth, project_exists: Exists) -> APIRouter:
    """The routes on personal tokens."""
    routes = router_v1("/tokens", "tokens")
    tokens = auth.tokens

    @routes.get("", response_model=Page[TokenInfo])
    async def list_tokens(who: Known, of: OfUser = None) -> Response:
        """One's tokens, oldest first: all of them, there are not many. Expired ones stay for 30 days."""
        user = await _owner(auth, who, of)
        return answer({"items": [_info(each) for each in await tokens.list(user)], "next_cursor": None})

    @routes.post("", response_model=TokenMade, status_code=201)
    @shows_secret
    async def create_token(given: NewToken, who: Changes) -> Response:
        """Makes a token. Its text is in this answer and nowhere else. A token makes no tokens."""
        if given.user is not None and who.actor.kind is not ActorKind.LOCAL:
            raise Forbidden("Only the local operator makes tokens for somebody else.")
        if who.must_change_password:
            raise PasswordChangeNeeded
        if given.project is not None and not (who.role(given.project) and await project_exists(given.project)):
            raise ProjectNotFound(f"There is no project called {given.project}.")
        user = await auth.accounts.get(who.user or given.user or OWNER_NAME)
        token, text = await tokens.create(
            who,
            user,
            label=given.label,
            scopes=frozenset(given.scopes),
            project=given.project,
            lasts_seconds=given.expires_in_seconds,
        )
        return created({**_info(token), "token": text}, f"/tokens/{token.id}")

    @routes.delete("/{token_id}", status_code=204)
    async def delete_token(token_id: str, who: Known) -> Response:
        """Ends a token at once. A token may end itself, whatever its scopes: nobody has to keep one that leaked."""
        token = await tokens.get(token_id)
        user = await auth.accounts.get(token.user_id)
        if not _may_end(who, token, user):
            raise TokenNotFound
        await tokens.delete(token, user, who.actor)
        return no_content()

    return routes


def _may_end(who: Principal, token: Token, user: User) -> bool:
    if who.actor.kind is ActorKind.TOKEN and who.actor.id == token.id:
        return True
    if Scope.ADMIN not in who.scopes:
        return False
    return who.user == user.id or (_is_admin(who) and may_change(who, user))


def _is_admin(who: Principal) -> bool:
    return who.role(None) >= Role.ADMIN and Scope.ADMIN in who.scopes and not who.must_change_password


async def _owner(auth: Auth, who: Principal, named: str | None) -> User:
    """Whose tokens are meant. Raises `Forbidden` for somebody else's."""
    if named is None:
        return await auth.accounts.get(who.user or OWNER_NAME)
    if who.user is not None:
        own = await auth.accounts.get(who.user)
        if named in (own.id, own.name):
            return own
    if not _is_admin(who):
        raise Forbidden("Only an admin of the box sees the tokens of others.")
    return await auth.accounts.get(named)


def _info(token: Token) -> dict[str, Any]:
    return {
        "id": token.id,
        "user": token.user_id,
        "label": token.label,
        "scopes": sorted(token.scopes),
        "project": token.project,
        "created_at": rfc3339(token.created_at),
        "expires_at": None if token.expires_at is None else rfc3339(token.expires_at),
        "used_at": None if token.used_at is None else rfc3339(token.used_at),
    }
