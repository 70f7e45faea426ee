"""WebSockets of the admin API: they declare their access as routes do, and are refused before they are open."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final, cast

from fastapi import Request, WebSocket
from starlette.routing import WebSocketRoute

from v8box.api.access import Needs, check_project
from v8box.errors import V8BoxError

_REFUSED: Final = 1008
Serve = Callable[[WebSocket], Awaitable[None]]


def socket_route(path: str, name: str, access: Needs, serve: Serve) -> WebSocketRoute:
    """A route for `router.routes`. `serve` accepts the socket; a `V8BoxError` before that refuses it, and so does a
    project that is not there."""

    async def endpoint(websocket: WebSocket) -> None:
        request = cast(Request, websocket)  # both are connections, and nothing else is asked of it
        try:
            access(request)
            await check_project(request)
            await serve(websocket)
        except V8BoxError as error:
            await websocket.close(_REFUSED, error.code)

    endpoint.access = access  # type: ignore[attr-defined]
    return WebSocketRoute(path, endpoint, name=name)


def socket_access(route: Any) -> Needs | None:
    """What a WebSocket's route has declared; None: nothing, or it is no such route."""
    access = getattr(getattr(route, "endpoint", None), "access", None)
    return access if isinstance(route, WebSocketRoute) and isinstance(access, Needs) else None
