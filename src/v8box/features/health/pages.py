"""`/health`, `/livez` and `/readyz`: pages of the box's own, for whoever watches it from outside.

Anybody gets words and times. With `?verbose`, who is signed in with a role for the whole box, or is the local operator,
also reads what is wrong, and what to do.
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import parse_qs

import msgspec

from v8box import __version__
from v8box.api.asgi import ASGIApp, Receive, Scope, Send
from v8box.api.auth.identities import Identities
from v8box.api.guard import Guard
from v8box.api.principals import Principal, Role
from v8box.api.principals import Scope as TokenScope
from v8box.features.health.service import Health, Phase
from v8box.gateway.headers import SERVER
from v8box.settings import Box

_CREDENTIALS: Final = (b"authorization", b"cookie")


def build_pages(health: Health, identities: Identities, box: Box) -> dict[str, ASGIApp]:
    """The pages, by their addresses."""

    async def show_health(scope: Scope, receive: Receive, send: Send) -> None:
        if _verbose(scope) and may_read(scope.get("principal")):
            report = await health.report()
            body = {**report.full(), "version": __version__}
        else:
            report = await health.services()
            body = report.public()
        await _answer(scope, send, 200 if report.available else 503, body)

    async def show_live(scope: Scope, receive: Receive, send: Send) -> None:
        await _answer(scope, send, 200, {"status": "ok"})

    async def show_ready(scope: Scope, receive: Receive, send: Send) -> None:
        well, found = await health.ready()
        word = "ready" if well else "unready" if health.phase is Phase.SERVING else health.phase
        body: dict[str, Any] = {"status": word}
        if _verbose(scope):
            body["checks"] = found
        await _answer(scope, send, 200 if well else 503, body)

    return {"/health": _Door(show_health, identities, box), "/livez": show_live, "/readyz": show_ready}


def may_read(principal: Principal | None) -> bool:
    """Whether somebody may know what is wrong with the box itself."""
    return (
        principal is not None
        and principal.known
        and TokenScope.READ in principal.scopes
        and not principal.must_change_password
        and principal.role(None) >= Role.VIEWER
    )


class _Door:
    """Whoever brings credentials passes the admin API's guard. Who brings none need not come to the admin's own host:
    a load balancer asks by address."""

    def __init__(self, app: ASGIApp, identities: Identities, box: Box) -> None:
        self._app = app
        self._guarded = Guard(app, identities=identities, box=box)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        known = _verbose(scope) and any(name.lower() in _CREDENTIALS for name, _ in scope["headers"])
        await (self._guarded if known else self._app)(scope, receive, send)


def _verbose(scope: Scope) -> bool:
    """`?verbose`, `?verbose=1`."""
    query: bytes = scope["query_string"]
    if b"verbose" not in query:
        return False
    asked = parse_qs(query.decode("latin-1"), keep_blank_values=True).get("verbose", ["0"])
    return asked[-1].lower() in ("", "1", "true", "yes")


async def _answer(scope: Scope, send: Send, status: int, value: dict[str, Any]) -> None:
    body = msgspec.json.encode(value)
    headers = [
        SERVER,
        (b"content-type", b"application/json"),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
        (b"x-request-id", str(scope.get("request_id", "")).encode()),
        (b"content-length", b"%d" % len(body)),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body, "more_body": False})
