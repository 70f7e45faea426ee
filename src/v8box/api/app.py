"""The admin API as one FastAPI application: routers in, with errors in one shape and the OpenAPI 3.1 document out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect

from v8box import __version__
from v8box.api.asgi import ASGIApp, Receive, Scope, Send, send_json
from v8box.api.envelope import error_body
from v8box.api.errors import Failure, describe, describe_invalid, describe_status
from v8box.api.routes import ErrorEnvelope
from v8box.bindings.interface import BindingError
from v8box.errors import V8BoxError

OPENAPI_PATH: Final = "/admin/openapi.json"
_HEADERS: Final = {"cache-control": "no-store", "x-content-type-options": "nosniff"}
_RESPONSES: Final[dict[int | str, dict[str, Any]]] = {
    "4XX": {"model": ErrorEnvelope, "description": "The request cannot be answered; `error` says what to do."},
    "5XX": {"model": ErrorEnvelope, "description": "The box or a store failed, or a limit was reached."},
}


def build_api(routers: Sequence[APIRouter]) -> FastAPI:
    """The application. Every route of `routers` begins with /admin; who may call is for `LoopbackOnly` around it."""
    app = FastAPI(
        title="V8Box admin API",
        version=__version__,
        description="What the `v8box` command and the dashboard use. An answer is `{success, data|error, timestamp}`.",
        openapi_url=OPENAPI_PATH,
        docs_url=None,  # it loads scripts from elsewhere, on the admin's own origin
        redoc_url=None,
        redirect_slashes=False,
        responses=_RESPONSES,
        middleware=[Middleware(_Headers), Middleware(_Unexpected)],
        generate_unique_id_function=lambda route: route.name,
    )
    app.add_exception_handler(HTTPException, _on_refused)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(V8BoxError, _on_error)
    app.add_exception_handler(BindingError, _on_error)
    for each in routers:
        app.include_router(each)
    _without_the_frameworks_own_422(app)
    return app


def _without_the_frameworks_own_422(app: FastAPI) -> None:
    """A request that does not fit its schema is a 400 in the envelope here, and the document must not say otherwise."""
    generate = app.openapi

    def document() -> dict[str, Any]:
        fresh = app.openapi_schema is None
        schema = generate()
        if fresh:
            for operations in schema["paths"].values():
                for operation in operations.values():
                    operation["responses"].pop("422", None)
            for name in ("HTTPValidationError", "ValidationError"):
                schema.get("components", {}).get("schemas", {}).pop(name, None)
        return schema

    app.openapi = document  # type: ignore[method-assign] # FastAPI's documented way to change the document


async def _on_refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for nothing else
    return _answer(describe_status(error.status_code, str(error.detail)), dict(error.headers or {}))


async def _on_invalid(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for nothing else
    return _answer(describe_invalid(error.errors()))


async def _on_error(_: Request, error: Exception) -> Response:
    return _answer(describe(error))


def _answer(failure: Failure, headers: dict[str, str] | None = None) -> Response:
    body = error_body(failure.message, failure.code, failure.details)
    more = {"retry-after": "1"} if failure.status in (429, 503) else {}
    return Response(body, failure.status, {**(headers or {}), **more}, media_type="application/json")


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
            failure = describe(error)
            await send_json(scope, send, failure.status, error_body(failure.message, failure.code, failure.details))


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
