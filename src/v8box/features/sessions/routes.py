"""Who one is, signing in and out, and one's sessions: /api/v1/session and /api/v1/sessions."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field

from v8box.api.access import EVERY_PROJECT, Forbidden, Principal, Role, Scope, anybody, needs, principal_of
from v8box.api.auth import Auth
from v8box.api.auth.accounts import may_change
from v8box.api.auth.sessions import Session
from v8box.api.auth.sign_in import Credentials
from v8box.api.auth.users import OWNER_NAME, User
from v8box.api.cookies import clearing_cookie
from v8box.api.routes import Shape, router
from v8box.errors import BadRequest
from v8box.features.sessions.login import client_of, end_session, set_session

Projects = Callable[[], Awaitable[Sequence[str]]]
"""The names of all projects."""

OfUser = Annotated[
    str | None,
    Query(alias="user", max_length=100, description="Somebody else's, by name or id: for admins of the box."),
]


class SessionStart(Shape):
    """What somebody signs in with."""

    username: str = Field(default=OWNER_NAME, max_length=100)
    password: str = Field(max_length=1_024)
    code: str | None = Field(
        default=None,
        max_length=100,
        description="Of the authenticator app, or a recovery code, where there is a second factor.",
    )


class SessionInfo(BaseModel):
    """A session as lists show it."""

    id: str
    created_at: str
    used_at: str = Field(description="Exact to a minute.")
    expires_at: str = Field(description="When it ends unless it is used before.")
    address: str | None
    user_agent: str | None
    current: bool = Field(description="Whether it is the one that asks.")


class SessionList(BaseModel):
    """One page; there is only one."""

    items: list[SessionInfo]
    next_cursor: None = None


class Myself(BaseModel):
    """Whoever asks."""

    kind: str = Field(description="`user` with a session, `token`, or `local`: the operator on the box's machine.")
    user: dict[str, Any] | None = Field(description="`id`, `name`, `email`; null for the local operator.")
    roles: dict[str, str] = Field(description="By project; `*` is everywhere.")
    scopes: list[str]
    project: str | None = Field(description="The one project that a token is confined to.")
    projects: list[str] = Field(description="Those that can be seen.")
    session: SessionInfo | None
    must_change_password: bool
    second_factor: bool


async def only_default_listed() -> Sequence[str]:
    """`Projects` of a box without others."""
    return ["default"]


def build_router(auth: Auth, projects: Projects = only_default_listed) -> APIRouter:
    """The routes below /api/v1."""
    routes = router("/api/v1", "session")
    sessions, accounts = auth.sessions, auth.accounts

    @routes.get("/session", response_model=Myself)
    async def read_session(who: Principal = needs(None)) -> Response:
        """Who one is, and what one may do."""
        user = None if who.user is None else await accounts.get(who.user)
        mine = [] if user is None or who.session is None else await sessions.list(user)
        session = next((each for each in mine if each.id == who.session), None)
        return _answer(_myself(who, user, session, await projects()))

    @routes.post("/session", response_model=Myself, status_code=201, dependencies=[anybody()])
    async def create_session(given: SessionStart, request: Request) -> Response:
        """Signs in: sets the session's cookie."""
        credentials = Credentials(name=given.username, password=given.password, code=given.code or None)
        signed_in = await auth.sign_in.sign_in(credentials, client_of(request), request.scope.get("request_id"))
        user, session = signed_in.user, signed_in.session
        who = Principal(
            actor=principal_of(request).actor,
            user=user.id,
            roles=user.roles,
            session=session.id,
            must_change_password=user.password_is_temporary,
        )
        answer = _answer({**_myself(who, user, session, await projects()), "kind": "user"}, 201)
        set_session(request, answer, signed_in, sessions.longest_seconds)
        return answer

    @routes.delete("/session", status_code=204)
    async def delete_session(request: Request, who: Principal = needs(None)) -> Response:
        """Signs out."""
        if not await end_session(auth, request):
            raise BadRequest(f"A {who.actor.kind} has no session to end; a token is deleted at /api/v1/tokens.")
        return _gone(request)

    @routes.get("/sessions", response_model=SessionList)
    async def list_sessions(of: OfUser = None, who: Principal = needs(None)) -> Response:
        """One's sessions, the last used first."""
        user = await whose(auth, who, of)
        found = [_info(each, who) for each in await sessions.list(user)]
        return _answer({"items": found, "next_cursor": None})

    @routes.delete("/sessions", status_code=204)
    async def delete_sessions(
        request: Request,
        of: OfUser = None,
        keep_current: Annotated[bool, Query(description="End all but the one that asks.")] = False,
        who: Principal = needs(None, Scope.ADMIN),
    ) -> Response:
        """Ends all of one's sessions."""
        user = await whose(auth, who, of, changing=True)
        own = who.session is not None and who.user == user.id
        await sessions.end_all(user, who.actor, but=who.session if keep_current and own and who.session else "")
        return _gone(request) if own and not keep_current else Response(None, 204)

    @routes.delete("/sessions/{session_id}", status_code=204)
    async def delete_one_session(
        session_id: str, request: Request, of: OfUser = None, who: Principal = needs(None, Scope.ADMIN)
    ) -> Response:
        """Ends one session."""
        user = await whose(auth, who, of, changing=True)
        await sessions.end(user, session_id, who.actor)
        return _gone(request) if session_id == who.session else Response(None, 204)

    def _myself(who: Principal, user: User | None, session: Session | None, known: Sequence[str]) -> dict[str, Any]:
        everywhere = EVERY_PROJECT in who.roles
        return {
            "kind": who.actor.kind,
            "user": None if user is None else {"id": user.id, "name": user.name, "email": user.email},
            "roles": {project: role.word for project, role in who.roles.items()},
            "scopes": sorted(who.scopes),
            "project": who.project,
            "projects": [name for name in known if (everywhere or name in who.roles) and who.project in (None, name)],
            "session": None if session is None else _info(session, who),
            "must_change_password": who.must_change_password,
            "second_factor": user is not None and user.has_totp,
        }

    def _info(session: Session, who: Principal) -> dict[str, Any]:
        return {
            "id": session.id,
            "created_at": _time(session.created_at),
            "used_at": _time(session.used_at),
            "expires_at": _time(sessions.ends_at(session)),
            "address": session.address,
            "user_agent": session.user_agent,
            "current": session.id == who.session,
        }

    return routes


async def whose(auth: Auth, who: Principal, named: str | None, *, changing: bool = False) -> User:
    """The user that a request is about: whoever asks, or somebody else, for admins of the box. Raises `Forbidden`."""
    if named is None:
        if who.user is None:
            raise BadRequest("The local operator is no user: say whose with ?user=")
        return await auth.accounts.get(who.user)
    if who.user is not None:
        own = await auth.accounts.get(who.user)
        if named in (own.id, own.name):
            return own
    if who.must_change_password or who.role(None) < Role.ADMIN or Scope.ADMIN not in who.scopes:
        raise Forbidden("Only an admin of the box may see or change what is somebody else's.")
    user = await auth.accounts.get(named)
    if changing and not may_change(who, user):
        raise Forbidden(f"{user.name} has a role above yours. Ask an owner of the box.")
    return user


def _gone(request: Request) -> Response:
    return Response(None, 204, {"set-cookie": clearing_cookie(request.scope["scheme"])})


def _answer(value: Any, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status, media_type="application/json")


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
