"""The admin API for database tokens: GET and POST /admin/database/tokens, DELETE /admin/database/tokens/{id}."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from v8box.api.access import ProjectHere, Role, Scope, needs
from v8box.api.routes import Envelope, Shape, router, success
from v8box.bindings.db.interface import NAME, SCRATCH_PREFIX, DatabaseId, Databases
from v8box.errors import BadRequest, NotFound
from v8box.features.hrana.tokens import MAX_LABEL, Token, Tokens

_MAX_SECONDS: Final = 10 * 366 * 86_400
_MANAGES: Final = needs(Role.ADMIN, Scope.DATA)


class TokenRequest(Shape):
    """A token to make."""

    label: str = Field(default="", max_length=MAX_LABEL, description="What it is for; shown in the list.")
    access: Literal["read", "write"] = Field(default="write", description="`read` refuses every statement that writes.")
    databases: list[str] | None = Field(
        default=None,
        min_length=1,
        max_length=100,
        description="The databases it opens. Left out: all of the project, those to come as well.",
    )
    expires_in_seconds: int | None = Field(
        default=None, ge=1, le=_MAX_SECONDS, description="How long it is good for. Left out: until it is deleted."
    )


class TokenInfo(BaseModel):
    """A token as the list shows it."""

    id: str
    project: str
    label: str
    access: Literal["read", "write"]
    databases: list[str] | None = Field(description="None: all of the project.")
    created_at: str
    expires_at: str | None
    expired: bool
    last_used_at: str | None = Field(description="Exact to a minute.")
    urls: dict[str, str] = Field(description="By database: the URL for a LibSQL client, its slash at the end included.")


class NewToken(TokenInfo):
    """A token that was just made."""

    token: str = Field(description="The token itself. It is shown this once; only a hash of it is kept.")


def build_router(tokens: Tokens, databases: Databases, address: Callable[[], str]) -> APIRouter:
    """The routes on a project's tokens. `address` gives where the databases are served from, as
    `http(s)://host[:port][/path]`."""
    routes = router("/admin/database/tokens", "database tokens")

    @routes.get("", response_model=Envelope[list[TokenInfo]], dependencies=[needs(Role.VIEWER)])
    async def list_database_tokens(project: ProjectHere) -> Response:
        """The project's tokens, oldest first."""
        base = address()
        return success([_info(token, base) for token in tokens.list(project)])

    @routes.post("", response_model=Envelope[NewToken], status_code=201, dependencies=[_MANAGES])
    async def create_database_token(project: ProjectHere, wanted: TokenRequest) -> Response:
        """Makes a token. Its text is in this answer and nowhere else."""
        for name in wanted.databases or ():
            if not NAME.fullmatch(name) or name.startswith(SCRATCH_PREFIX):
                raise BadRequest("A database name has 1 to 63 of a-z, 0-9, - and _.")
            if not await databases.exists(DatabaseId(project, name)):
                raise NotFound(f"There is no database called {name}: create it first.")
        expires_at = None if wanted.expires_in_seconds is None else time.time() + wanted.expires_in_seconds
        token, text = await tokens.create(
            project, label=wanted.label, access=wanted.access, databases=wanted.databases, expires_at=expires_at
        )
        return success({**_info(token, address()), "token": text}, 201)

    @routes.delete("/{token_id}", response_model=Envelope[None], dependencies=[_MANAGES])
    async def delete_database_token(project: ProjectHere, token_id: str) -> Response:
        """Deletes a token. What clients have open with it is rolled back."""
        await tokens.delete(project, token_id)
        return success(None)

    return routes


def client_url(address: str, database: str) -> str:
    """What a LibSQL client is given: `libsql://` where TLS is or where a port can be said, which `?tls=0` needs. The
    slash at the end matters: without it clients drop the last part of the path."""
    parts = urlsplit(address)
    place = f"{parts.netloc}{parts.path.rstrip('/')}/{database}/"
    if parts.scheme == "https":
        return f"libsql://{place}"
    return f"libsql://{place}?tls=0" if parts.port is not None else f"http://{place}"


def _info(token: Token, base: str) -> dict[str, Any]:
    names = token.databases if token.databases is not None else ("default",)
    return {
        "id": token.id,
        "project": token.project,
        "label": token.label,
        "access": token.access,
        "databases": token.databases,
        "created_at": _iso(token.created_at),
        "expires_at": _iso(token.expires_at),
        "expired": not token.valid,
        "last_used_at": _iso(token.used_at),
        "urls": {name: client_url(base, name) for name in names},
    }


def _iso(at: float | None) -> str | None:
    return (
        None
        if at is None
        else datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    )
