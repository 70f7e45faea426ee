"""What a feature's `routes.py` below /api/v1 builds on: routers, answers, times; pages, ETags and `Shape` come along.

A resource is plain JSON with snake_case keys, a list is a `Page`, an error problem details. A POST below /api/v1 takes
an `Idempotency-Key`. `docs/rest-api.md` has these conventions for those who call.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from datetime import datetime
from typing import Annotated, Any, Final, TypeVar

import msgspec
from fastapi import APIRouter, Request, Response, params
from pydantic import BaseModel, Field, PlainSerializer, WithJsonSchema

from v8box.api.access import check_project, principal_of
from v8box.api.etags import check_if_match, etag_of, is_unchanged
from v8box.api.idempotency import Claim, Idempotency
from v8box.api.operations import Operation, State
from v8box.api.paging import Page, Paged, Paging, Position
from v8box.api.routes import BoundedRoute, Shape, read_body
from v8box.errors import BadRequest
from v8box.kit.times import rfc3339
from v8box.telemetry.actors import Actor, ActorKind

__all__ = [
    "PREFIX",
    "ActorInfo",
    "OperationInfo",
    "Page",
    "Paged",
    "Paging",
    "Position",
    "Shape",
    "Time",
    "accepted",
    "answer",
    "check_if_match",
    "created",
    "etag_of",
    "no_content",
    "rfc3339",
    "router_v1",
    "shows_secret",
    "tagged",
]

PREFIX: Final = "/api/v1"

_Handler = Callable[[Request], Coroutine[Any, Any, Response]]
_Endpoint = TypeVar("_Endpoint", bound=Callable[..., Any])

Time = Annotated[
    datetime,
    PlainSerializer(rfc3339, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-01-31T12:00:00.000Z"]}),
]
"""A field of a resource."""


class Fault(BaseModel):
    """One thing that is wrong with a request."""

    where: str = Field(alias="in", description="`body`, `query`, `path` or `header`.")
    pointer: str | None = Field(default=None, description="Where in the body: a JSON pointer, `#/name`.")
    parameter: str | None = Field(default=None, description="Which parameter, outside the body.")
    detail: str


class Problem(BaseModel, extra="allow"):
    """For the OpenAPI document: what every error looks like (RFC 9457). Some have more fields: `limit`, `used`, …"""

    type: str = Field(description="`urn:v8box:error:<code>`", examples=["urn:v8box:error:not_found"])
    title: str
    status: int
    detail: str = Field(description="What went wrong and what to do, in a sentence.")
    code: str = Field(description="The stable word for it.", examples=["not_found"])
    request_id: str | None = None
    errors: list[Fault] | None = Field(default=None, description="What is wrong with the request, field by field.")


ERRORS: Final[dict[int | str, dict[str, Any]]] = {
    "4XX": {"model": Problem, "description": "The request cannot be answered; `detail` says what to do."},
    "5XX": {"model": Problem, "description": "The box or a store failed, or a limit was reached."},
}


class ActorInfo(BaseModel):
    """Who changed or started something."""

    kind: ActorKind
    id: str
    name: str

    @classmethod
    def of(cls, actor: Actor) -> ActorInfo:
        return cls(kind=actor.kind, id=actor.id, name=actor.name)


class ProgressInfo(BaseModel):
    """How far an operation is."""

    step: str | None = Field(description="What is being done, for people.")
    done: int | None = Field(description="How many of `total` are done in this step.")
    total: int | None


class OperationInfo(BaseModel):
    """Long work: how far it is, and what came of it."""

    id: str
    kind: str = Field(description="`<resource>.<verb>`, as in the audit log.", examples=["project.delete"])
    project: str | None = Field(description="`null`: it is of the box itself.")
    state: State
    started_by: ActorInfo
    started_at: str = Field(json_schema_extra={"format": "date-time"})
    ended_at: str | None = Field(json_schema_extra={"format": "date-time"})
    progress: ProgressInfo
    result: Any = Field(description="What came of it, once it has succeeded.")
    problem: Problem | None = Field(description="Why it failed, once it has.")

    @classmethod
    def of(cls, operation: Operation) -> OperationInfo:
        return cls(
            id=operation.id,
            kind=operation.kind,
            project=operation.project,
            state=operation.state,
            started_by=ActorInfo.of(operation.actor),
            started_at=operation.started_at,
            ended_at=operation.ended_at,
            progress=ProgressInfo(step=operation.step, done=operation.done, total=operation.total),
            result=operation.result,
            problem=None if operation.problem is None else Problem.model_validate(operation.problem),
        )


class V1Route(BoundedRoute):
    """A route whose POST is done once for each `Idempotency-Key`; below a project that is not there, neither is it."""

    def get_route_handler(self) -> _Handler:
        handler = self._idempotent(super().get_route_handler())
        if "{project}/" not in self.path:
            return handler

        async def in_project(request: Request) -> Response:
            self.check_access(request)
            await check_project(request)
            return await handler(request)

        return in_project

    def _idempotent(self, handler: _Handler) -> _Handler:
        if "POST" not in (self.methods or ()):
            return handler
        unbound = super(BoundedRoute, self).get_route_handler()  # with a key, a client that leaves stops nothing
        secret = getattr(self.endpoint, "shows_secret", False)

        async def once(request: Request) -> Response:
            key = request.headers.get("idempotency-key")
            principal = principal_of(request)
            if key is None or not principal.known:
                return await handler(request)
            self.check_access(request)  # before the answer to an earlier one is given
            body = await self._body(request)
            url = request.url
            who = f"{principal.actor.kind}:{principal.actor.id}"
            claim = Claim.make(key, who, f"{request.method} {url.path}?{url.query}", body)
            ledger: Idempotency = request.app.state.idempotency
            return await ledger.once(claim, lambda: unbound(request), secret=secret)

        return once

    @property
    def streams(self) -> bool:
        """Whether its body is something else than JSON that is read as a whole."""
        if self.body_field is None:
            return "requestBody" in (self.openapi_extra or {})
        return isinstance(self.body_field.field_info, params.Form)

    async def _body(self, request: Request) -> bytes:
        if self.body_field is not None and not self.streams:
            return await read_body(request)
        if request.headers.get("content-length", "0") != "0" or "transfer-encoding" in request.headers:
            raise BadRequest("This address takes no Idempotency-Key: sending the same to it again does no harm.")
        return b""


def router_v1(prefix: str, *tags: str) -> APIRouter:
    """A router for addresses that begin with /api/v1 and `prefix`, e.g. `/projects`."""
    return APIRouter(prefix=PREFIX + prefix, tags=list(tags), route_class=V1Route, responses=ERRORS)


def shows_secret(endpoint: _Endpoint) -> _Endpoint:
    """Marks a route whose answer shows a secret, e.g. a new token: it is not kept for the same request sent again."""
    endpoint.shows_secret = True  # type: ignore[attr-defined]
    return endpoint


def answer(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """The resource as JSON: models, dataclasses, plain values, and lists and dicts of them."""
    body = msgspec.json.encode(value, enc_hook=_plain)
    return Response(body, status, dict(headers or {}), media_type="application/json")


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", by_alias=True)
    raise TypeError(f"{type(value).__name__} has no form in JSON")


def created(value: Any, location: str, *, etag: str | None = None) -> Response:
    """201 with the resource, and where it is: below /api/v1, e.g. `/projects/shop`."""
    more = {} if etag is None else {"etag": etag}
    return answer(value, 201, {"location": PREFIX + location, **more})


def accepted(operation: Operation) -> Response:
    """202: it is being done; the operation tells how far it is."""
    return answer(OperationInfo.of(operation), 202, {"location": f"{PREFIX}/operations/{operation.id}"})


def tagged(request: Request, value: Any) -> Response:
    """The resource with its ETag; 304 when the client has it already."""
    etag = etag_of(value)
    if request.method in ("GET", "HEAD") and is_unchanged(request, etag):
        return Response(None, 304, {"etag": etag})
    return answer(value, headers={"etag": etag})


def no_content() -> Response:
    """204: it is done, and there is nothing to show."""
    return Response(None, 204)
