"""POST /admin/login and /admin/logout, as the founding product has them: form or JSON, in the envelope."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field
from starlette.datastructures import FormData

from v8box.api.access import anybody, principal_of
from v8box.api.auth import Auth
from v8box.api.auth.local import is_loopback
from v8box.api.auth.sessions import Client
from v8box.api.auth.sign_in import Credentials, SignedIn
from v8box.api.auth.users import OWNER_NAME
from v8box.api.cookies import clearing_cookie, session_cookie
from v8box.api.routes import Envelope, router, success
from v8box.errors import BadRequest, PayloadTooLarge

_MAX_BYTES: Final = 16 * 1024
_FORMS: Final = ("application/x-www-form-urlencoded", "multipart/form-data")
_FIELDS: Final = {
    "type": "object",
    "required": ["password"],
    "properties": {
        "username": {"type": "string", "default": OWNER_NAME},
        "password": {"type": "string"},
        "code": {"type": "string", "description": "Of the authenticator app, or a recovery code."},
    },
}
_BODY: Final = {
    "requestBody": {
        "required": True,
        "content": {kind: {"schema": _FIELDS} for kind in ("application/json", *_FORMS)},
    }
}


class LoginData(BaseModel):
    """Who has signed in."""

    user: str
    roles: dict[str, str] = Field(description="By project; `*` is everywhere.")
    must_change_password: bool


class _Login(msgspec.Struct):
    password: str
    username: str = OWNER_NAME
    code: str | None = None


def build_login_router(auth: Auth) -> APIRouter:
    """Signing in with a browser's form, or a cookie client."""
    routes = router("/admin", "session")

    @routes.post("/login", response_model=Envelope[LoginData], dependencies=[anybody()], openapi_extra=_BODY)
    async def login(request: Request) -> Response:
        """Signs in: sets the session's cookie. A browser's form is sent on to /admin."""
        given = await _credentials(request)
        signed_in = await auth.sign_in.sign_in(given, client_of(request), request.scope.get("request_id"))
        if _is_form(request) and "text/html" in request.headers.get("accept", ""):
            answer = Response(None, 303, {"location": "/admin"})
        else:
            answer = success(_shown(signed_in))
        set_session(request, answer, signed_in, auth.sessions.longest_seconds)
        return answer

    @routes.post("/logout", response_model=Envelope[None], dependencies=[anybody()])
    async def logout(request: Request) -> Response:
        """Ends the session, if there is one, and has the cookie forgotten."""
        await end_session(auth, request)
        answer = success(None)
        answer.headers.append("set-cookie", clearing_cookie(request.scope["scheme"]))
        return answer

    return routes


def client_of(request: Request) -> Client:
    """Where a request comes from; the guard has put the client's own address there."""
    address = request.client.host if request.client is not None else None
    in_the_open = request.scope["scheme"] != "https" and address is not None and not is_loopback(address)
    return Client(address=address, user_agent=request.headers.get("user-agent"), in_the_open=in_the_open)


def set_session(request: Request, answer: Response, signed_in: SignedIn, seconds: float) -> None:
    answer.headers.append("set-cookie", session_cookie(signed_in.secret, request.scope["scheme"], seconds))


async def end_session(auth: Auth, request: Request) -> bool:
    """Whether there was one."""
    principal = principal_of(request)
    if principal.session is None or principal.user is None:
        return False
    await auth.sessions.end(await auth.accounts.get(principal.user), principal.session, principal.actor)
    return True


async def _credentials(request: Request) -> Credentials:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MAX_BYTES:
            raise PayloadTooLarge(f"A sign-in has at most {_MAX_BYTES} bytes.")
    try:
        if _is_form(request):
            request._body = bytes(body)  # where Starlette looks for a body that was read
            login = _of_form(await request.form(max_files=0, max_fields=8))
        else:
            login = msgspec.json.decode(body, type=_Login)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BadRequest("Send password, and perhaps username and code, as a form or as a JSON object.") from error
    return Credentials(name=login.username, password=login.password, code=login.code or None)


def _of_form(form: FormData) -> _Login:
    fields: dict[str, Any] = {name: value for name, value in form.items() if name in _Login.__struct_fields__}
    return msgspec.convert(fields, _Login)


def _is_form(request: Request) -> bool:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower() in _FORMS


def _shown(signed_in: SignedIn) -> dict[str, Any]:
    user = signed_in.user
    return {
        "user": user.name,
        "roles": {project: role.word for project, role in user.roles.items()},
        "must_change_password": user.password_is_temporary,
    }
