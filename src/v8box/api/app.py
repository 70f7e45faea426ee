"""The admin API as one FastAPI application: routers in, with errors in one shape and the OpenAPI 3.1 document out.

What is below /admin answers in the founding product's envelope, what is below /api as `v1` has it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect

from v8box.api.access import Exists, access_of, only_default
from v8box.api.asgi import ASGIApp, Receive, Scope, Send, send_json
from v8box.api.audited import Audited, Record
from v8box.api.document import DESCRIPTION, TITLE, VERSION, complete
from v8box.api.errors import Failure, body_of, describe, describe_invalid, describe_status, media_type
from v8box.api.idempotency import Idempotency
from v8box.api.reference.routes import build_router as build_reference_router
from v8box.api.sockets import socket_access
from v8box.bindings.interface import BindingError
from v8box.errors import V8BoxError
from v8box.telemetry.audit import Event

OPENAPI_PATH: Final = "/admin/openapi.json"
_HEADERS: Final = {"cache-control": "no-store", "x-content-type-options": "nosniff"}


class UndeclaredAccess(V8BoxError):
    """A route does not say who may call it."""

    code = "undeclared_access"


async def _to_nobody(_: Event) -> None:
    """`Record` of an application without an audit log."""


def build_api(
    routers: Sequence[APIRouter],
    *,
    idempotency: Idempotency | None = None,
    project_exists: Exists = only_default,
    record: Record = _to_nobody,
) -> FastAPI:
    """The application. Every route of `routers` begins with /admin or /api, and declares whom it answers; who calls is
    found out by the `Guard` around it. A POST below /api/v1 needs `idempotency`; `record` writes down changes that
    nothing else did. Raises `UndeclaredAccess`."""
    app = FastAPI(
        title=TITLE,
        version=VERSION,
        description=DESCRIPTION,
        openapi_url=OPENAPI_PATH,
        docs_url=None,  # it loads scripts from elsewhere, on the admin's own origin
        redoc_url=None,
        redirect_slashes=False,
        middleware=[Middleware(_Headers), Middleware(_Unexpected), Middleware(Audited, record)],
        generate_unique_id_function=lambda route: route.name,
    )
    app.state.idempotency = idempotency
    app.state.project_exists = project_exists
    app.add_exception_handler(HTTPException, _on_refused)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(V8BoxError, _on_error)
    app.add_exception_handler(BindingError, _on_error)
    routers = [*routers, build_reference_router(lambda: app.openapi())]
    _check_access(routers)
    _check_names(routers)
    for each in routers:
        app.include_router(each)
    _complete_document(app, routers)
    return app


def _check_names(routers: Sequence[APIRouter]) -> None:
    """A route's name is its operation id: clients that are made from the document have a function of each."""
    names = Counter(route.name for router in routers for route in router.routes if isinstance(route, APIRoute))
    twice = [name for name, times in names.items() if times > 1]
    if twice:
        raise ValueError(f"several routes are called {', '.join(twice)}")


def _check_access(routers: Sequence[APIRouter]) -> None:
    """Deny first: what nobody has thought about is not served."""
    for route in (route for each in routers for route in each.routes):
        if socket_access(route) is None and (not isinstance(route, APIRoute) or access_of(route) is None):
            raise UndeclaredAccess(f"The route {getattr(route, 'path', route)} has to declare exactly one `needs(…)`.")


def _complete_document(app: FastAPI, routers: Sequence[APIRouter]) -> None:
    generate = app.openapi
    routes = [route for each in routers for route in each.routes if isinstance(route, APIRoute)]

    def document() -> dict[str, Any]:
        fresh = app.openapi_schema is None
        schema = generate()
        if fresh:
            complete(schema, routes)
        return schema

    app.openapi = document  # type: ignore[method-assign] # FastAPI's documented way to change the document


async def _on_refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for nothing else
    return _answer(request, describe_status(error.status_code, str(error.detail)), dict(error.headers or {}))


async def _on_invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for nothing else
    return _answer(request, describe_invalid(error.errors()))


async def _on_error(request: Request, error: Exception) -> Response:
    return _answer(request, describe(error))


def _answer(request: Request, failure: Failure, headers: dict[str, str] | None = None) -> Response:
    path = request.scope["path"]
    body = body_of(failure, path, request.scope.get("request_id"))
    return Response(body, failure.status, {**(headers or {}), **failure.headers}, media_type=media_type(path))


class _Unexpected:
    """Answers an exception that nobody raised on purpose, and lets none out: the server could only drop the connection.

    Once an answer has begun, dropping it is right: the caller must see that it was cut.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def watched(message: Any) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except ClientDisconnect:
            return  # it went away while it sent its body: nobody waits for an answer
        except Exception as error:
            if begun or scope["type"] != "http":
                raise
            failure, path = describe(error), scope["path"]
            body = body_of(failure, path, scope.get("request_id"))
            await send_json(scope, send, failure.status, body, media_type(path))


class _Headers:
    """What every answer says about itself, unless it says it otherwise: do not keep it, do not guess its type."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Any) -> None:
            if message["type"] == "http.response.start":
                headers = list(message.get("headers", ()))
                said = {name for name, _ in headers}
                headers += [
                    (name.encode(), value.encode()) for name, value in _HEADERS.items() if name.encode() not in said
                ]
                message = {**message, "headers": headers}
            await send(message)

        await self._app(scope, receive, with_headers)
