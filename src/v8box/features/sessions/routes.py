"""Who one is, signing in and out, and one's sessions: /api/v1/session and /api/v1/sessions."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from v8box.api.access import EVERY_PROJECT, Forbidden, Principal, Role, Scope, anybody, needs, principal_of
from v8box.api.auth import Auth
from v8box.api.auth.accounts import may_change
from v8box.api.auth.sessions import Session
from v8box.api.auth.sign_in import Credentials
from v8box.api.auth.users import User
from v8box.api.cookies import clearing_cookie
from v8box.api.v1 import Page, answer, no_content, router_v1, shows_secret
from v8box.errors import BadRequest
from v8box.features.sessions.login import client_of, end_session, set_session
from v8box.features.sessions.schemas import Myself, SessionInfo, SessionStart
from v8box.kit.times import rfc3339

Projects = Callable[[], Awaitable[Sequence[str]]]
"""The names of all projects."""

Known = Annotated[Principal, needs(None)]
Changes = Annotated[Principal, needs(None, Scope.ADMIN)]
OfUser = Annotated[
    str | None,
    Query(alias="user", max_length=100, description="Somebody else's, by name or id: for admins of the box."),
]


async def only_default_listed() -> Sequence[str]:
    """`Projects` of a box without others."""
    return ["default"]


def build_router(auth: Auth, projects: Projects = only_default_listed) -> APIRouter:
    """The routes on sessions."""
    routes = router_v1("", "session")
    sessions, accounts = auth.sessions, auth.accounts

    @routes.get("/session", response_model=Myself)
    async def read_session(who: Known) -> Response:
        """Who one is, and what one may do."""
        user = None if who.user is None else await accounts.get(who.user)
        mine = [] if user is None or who.session is None else await sessions.list(user)
        session = next((each for each in mine if each.id == who.session), None)
        return answer(_myself(auth, who, user, session, await projects()))

    @routes.post("/session", response_model=Myself, status_code=201, dependencies=[anybody()])
    @shows_secret  # in its cookie
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
        made = answer({**_myself(auth, who, user, session, await projects()), "kind": "user"}, 201)
        set_session(request, made, signed_in, sessions.longest_seconds)
        return made

    @routes.delete("/session", status_code=204)
    async def delete_session(request: Request, who: Known) -> Response:
        """Signs out."""
        if not await end_session(auth, request):
            raise BadRequest(f"A {who.actor.kind} has no session to end; a token is deleted at /api/v1/tokens.")
        return _signed_out(request)

    @routes.get("/sessions", response_model=Page[SessionInfo])
    async def list_sessions(who: Known, of: OfUser = None) -> Response:
        """One's sessions, the last used first: all of them, there are not many."""
        user = await whose(auth, who, of)
        found = [_info(auth, each, who) for each in await sessions.list(user)]
        return answer({"items": found, "next_cursor": None})

    @routes.delete("/sessions", status_code=204)
    async def delete_sessions(
        request: Request,
        who: Changes,
        of: OfUser = None,
        keep_current: Annotated[bool, Query(description="End all but the one that asks.")] = False,
    ) -> Response:
        """Ends all of one's sessions."""
        user = await whose(auth, who, of, changing=True)
        own = who.session if who.user == user.id else None
        await sessions.end_all(user, who.actor, but=own if keep_current and own is not None else "")
        return no_content() if own is None or keep_current else _signed_out(request)

    @routes.delete("/sessions/{session_id}", status_code=204)
    async def delete_one_session(session_id: str, request: Request, who: Changes, of: OfUser = None) -> Response:
        """Ends one session."""
        user = await whose(auth, who, of, changing=True)
        await sessions.end(user, session_id, who.actor)
        return _signed_out(request) if session_id == who.session else no_content()

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


def _myself(
    auth: Auth, who: Principal, user: User | None, session: Session | None, known: Sequence[str]
) -> dict[str, Any]:
    everywhere = EVERY_PROJECT in who.roles
    seen = [name for name in known if everywhere or name in who.roles]
    return {
        "kind": who.actor.kind,
        "user": None if user is None else {"id": user.id, "name": user.name, "email": user.email},
        "roles": {project: role.word for project, role in who.roles.items()},
        "scopes": sorted(who.scopes),
        "project": who.project,
        "projects": [name for name in seen if who.project in (None, name)],
        "session": None if session is None else _info(auth, session, who),
        "must_change_password": who.must_change_password,
        "second_factor": user is not None and user.has_totp,
    }


def _info(auth: Auth, session: Session, who: Principal) -> dict[str, Any]:
    return {
        "id": session.id,
        "created_at": rfc3339(session.created_at),
        "used_at": rfc3339(session.used_at),
        "expires_at": rfc3339(auth.sessions.ends_at(session)),
        "address": session.address,
        "user_agent": session.user_agent,
        "current": session.id == who.session,
    }


def _signed_out(request: Request) -> Response:
    done = no_content()
    done.headers.append("set-cookie", clearing_cookie(request.scope["scheme"]))
    return done
