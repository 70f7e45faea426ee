"""What a feature's `routes.py` builds on: a router whose JSON bodies are bounded, and answers in the envelope.

For addresses below /admin; those below /api/v1 build on `v1`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from enum import Enum
from typing import Any, Final, Generic, Literal, TypeVar

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel, Field
from starlette.convertors import Convertor, register_url_convertor
from starlette.requests import ClientDisconnect

from v8box.api.access import Needs
from v8box.api.envelope import success_body
from v8box.errors import PayloadTooLarge

MAX_JSON_BYTES: Final = 16 * 1024 * 1024
"""One JSON request body: a full SQL text or value (see `DbLimits`) fits, and a handful cannot fill the memory."""

T = TypeVar("T")


class _Rest(Convertor[str]):
    """`{key:rest}` is all that is left of an address, line ends too: with Starlette's `path`, `a%0A` would be `a`."""

    regex = "(?s:.*)"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("rest", _Rest())


class _Name(Convertor[str]):
    """`{table:name}` may hold a slash, which reaches the router decoded: it ends where the rest of the address fits. An
    address that ends with one matches what is longer, too: it has to come last."""

    regex = "(?s:.+?)"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("name", _Name())


class Envelope(BaseModel, Generic[T]):
    """For the OpenAPI document: what an answer with `data` of this type looks like."""

    success: Literal[True] = True
    data: T
    timestamp: str = Field(examples=["2026-01-31T12:00:00.000Z"])


class ErrorEnvelope(BaseModel):
    """For the OpenAPI document: what every error looks like."""

    success: Literal[False] = False
    error: str = Field(description="What went wrong and what to do, in a sentence.")
    code: str = Field(description="The stable word for it.")
    details: dict[str, Any] | None = Field(default=None, description="What more a program can use, if there is any.")
    timestamp: str


ERRORS: Final[dict[int | str, dict[str, Any]]] = {
    "4XX": {"model": ErrorEnvelope, "description": "The request cannot be answered; `error` says what to do."},
    "5XX": {"model": ErrorEnvelope, "description": "The box or a store failed, or a limit was reached."},
}


class Shape(BaseModel, extra="forbid", validate_by_name=True, validate_by_alias=True):
    """A request body: a field that is not known is a mistake to be told of, not one to be ignored."""


class BoundedRoute(APIRoute):
    """Reads a JSON body before FastAPI does, up to the bound, and stops the work of a client that leaves: a query may
    run for minutes and hold locks. A route that streams its body (it has none of FastAPI's) sees a client leave there.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()
        has_json = self.body_field is not None
        if not has_json and set(self.methods or ()) <= {"PUT", "POST", "PATCH"}:
            return handler

        async def bounded(request: Request) -> Response:
            self.check_access(request)  # nobody fills the memory, or learns what a route wants, who may not call it
            if has_json:
                await read_body(request)
            return await _while_connected(request, handler(request))

        return bounded

    def check_access(self, request: Request) -> None:
        """Raises what the route's dependency would, once it came to that."""
        for dependency in self.dependant.dependencies:
            if isinstance(dependency.call, Needs):
                dependency.call(request)


async def _while_connected(request: Request, work: Coroutine[Any, Any, Response]) -> Response:
    working = asyncio.create_task(work, name=f"{request.method} {request.url.path}"[:100])
    leaving = asyncio.create_task(_disconnected(request), name="watch for a client that leaves")
    try:
        await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClientDisconnect
        return working.result()
    finally:
        leaving.cancel()
        if working.cancel():
            await asyncio.wait((working,))


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def read_body(request: Request) -> bytes:
    """The whole body, up to the bound. FastAPI finds it where `Request.body` keeps it."""
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length) > MAX_JSON_BYTES:
        raise _too_large()
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_JSON_BYTES:
            raise _too_large()
    request._body = bytes(body)
    return request._body


def _too_large() -> PayloadTooLarge:
    return PayloadTooLarge(f"A JSON body may have {MAX_JSON_BYTES} bytes: send less at a time")


def router(prefix: str, *tags: str | Enum) -> APIRouter:
    """A router for addresses that begin with `prefix`, e.g. `/admin/database`."""
    return APIRouter(prefix=prefix, tags=list(tags), route_class=BoundedRoute, responses=ERRORS)


def success(data: Any, status: int = 200) -> Response:
    """The answer with this as its `data`; see `envelope.success_body`."""
    return Response(success_body(data), status, media_type="application/json")
