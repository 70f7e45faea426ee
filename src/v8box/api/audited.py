"""Every change that is made through the admin API is in the audit log, also where a route writes no entry itself.

A handler that changes something appends an entry with what was before and after. Where one did not, this writes down
that it was called: the operation's id, the address, who. Not what was sent, which may be a secret. A route that only
looks, though it is a POST, is marked with `changes_nothing`, or says `audit.unchanged()`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

from fastapi import Request
from fastapi.routing import APIRoute
from starlette.requests import ClientDisconnect

from v8box.api.access import access_of, project_of
from v8box.api.asgi import ASGIApp, Receive, Scope, Send
from v8box.api.principals import Principal
from v8box.telemetry import audit
from v8box.telemetry.audit import Event

Record = Callable[[Event], Awaitable[None]]

_log: Final = logging.getLogger(__name__)
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_Endpoint = TypeVar("_Endpoint", bound=Callable[..., Any])


def changes_nothing(endpoint: _Endpoint) -> _Endpoint:
    """Marks a route that only looks, whatever its method."""
    endpoint.changes_nothing = True  # type: ignore[attr-defined]
    return endpoint


class Audited:
    """ASGI middleware: writes an entry before the answer to a change goes out, unless there is one."""

    def __init__(self, app: ASGIApp, record: Record) -> None:
        self._app = app
        self._record = record

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in _SAFE:
            await self._app(scope, receive, send)
            return
        with audit.noting() as noted:

            async def after_noting(message: Any) -> None:
                if message["type"] == "http.response.start" and message["status"] < 400 and not noted.written:
                    await self._note(scope, {"status": message["status"]})
                await send(message)

            try:
                await self._app(scope, receive, after_noting)
            except (ClientDisconnect, asyncio.CancelledError):
                if not noted.written:  # whether it was done nobody knows
                    await asyncio.shield(self._note(scope, {"status": None, "client": "left"}))
                raise

    async def _note(self, scope: Scope, after: dict[str, Any]) -> None:
        event = _event(scope, after)
        if event is None:
            return
        try:
            await self._record(event)
        except Exception:  # the change is made: to answer that it is not would be wrong
            _log.exception("A change could not be written to the audit log: %s %s", event.action, event.resource)


def _event(scope: Scope, after: dict[str, Any]) -> Event | None:
    """None for what reached no route, came from nobody, or only looks."""
    route, who = scope.get("route"), scope.get("principal")
    if not isinstance(route, APIRoute) or not isinstance(who, Principal) or not who.known:
        return None
    if getattr(route.endpoint, "changes_nothing", False):
        return None
    asked = access_of(route)
    in_project = asked is not None and asked.role is not None and not asked.box
    path: str = scope["path"]
    return Event(
        action=route.name,
        resource=path.encode("utf-8", "replace").decode(),
        project=project_of(Request(scope)) if in_project else None,
        actor=who.actor,
        after={"method": scope["method"], **after},
    )
