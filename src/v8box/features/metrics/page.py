"""`/metrics`: what Prometheus reads. Denied, unless a token opens it, or a program on this machine asks for itself.

A request that a proxy on this machine passes on has a loopback peer too. So a peer counts only where nothing says that
the request came from elsewhere: no header of a proxy, a Host that is this machine's, no page of another origin.
"""

from __future__ import annotations

import hmac
import ipaddress
import re
from typing import TYPE_CHECKING, Final

from v8box.api.asgi import Receive, Scope, Send
from v8box.api.auth.identities import Identities
from v8box.api.guard import Guard
from v8box.api.principals import Forbidden, Principal, Role, SignInNeeded
from v8box.api.principals import Scope as TokenScope
from v8box.api.refusals import send_refusal
from v8box.gateway.headers import SERVER
from v8box.settings import Box
from v8box.settings import Metrics as MetricsSettings

if TYPE_CHECKING:
    from v8box.features.metrics.scrape import Scraper

_PASSED_ON: Final = frozenset(
    {b"forwarded", b"via", b"x-real-ip", b"cf-connecting-ip", b"true-client-ip", b"x-client-ip", b"x-cluster-client-ip"}
)
_LOCAL_HOST: Final = re.compile(rb"(localhost|127\.0\.0\.1|\[::1\])(:[0-9]{1,5})?", re.IGNORECASE)
_OWN_PAGES: Final = frozenset({b"", b"none", b"same-origin"})


class MetricsPage:
    """An ASGI application for one address."""

    def __init__(self, scraper: Scraper, identities: Identities, box: Box, settings: MetricsSettings) -> None:
        self._scraper = scraper
        self._token = None if settings.token is None else settings.token.reveal().encode()
        self._local = settings.local
        self._guarded = Guard(self._after_guard, identities=identities, box=box)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._has_token(scope):
            await self._answer(scope, send)
            return
        scope["v8box.own_machine"] = self._local and is_own_machine(scope)  # before the guard believes any proxy
        await self._guarded(scope, receive, send)

    async def _after_guard(self, scope: Scope, receive: Receive, send: Send) -> None:
        principal: Principal = scope["principal"]
        if may_scrape(principal) or scope["v8box.own_machine"]:
            await self._answer(scope, send)
        elif principal.known:
            error = Forbidden("/metrics needs the scope read and the role viewer for the whole box.")
            await send_refusal(scope, receive, send, error)
        else:
            message = "/metrics needs Authorization: Bearer, with V8BOX_METRICS_TOKEN or a personal token."
            await send_refusal(scope, receive, send, SignInNeeded(message))

    def _has_token(self, scope: Scope) -> bool:
        if self._token is None:
            return False
        given = [value for name, value in scope["headers"] if name.lower() == b"authorization"]
        return len(given) == 1 and hmac.compare_digest(given[0].strip(), b"Bearer " + self._token)

    async def _answer(self, scope: Scope, send: Send) -> None:
        accept = b",".join(value for name, value in scope["headers"] if name.lower() == b"accept")
        kind, body = await self._scraper.scrape(openmetrics=b"application/openmetrics-text" in accept)
        headers = [
            SERVER,
            (b"content-type", kind.encode()),
            (b"cache-control", b"no-store"),
            (b"vary", b"accept"),
            (b"x-content-type-options", b"nosniff"),
            (b"x-request-id", str(scope.get("request_id", "")).encode()),
            (b"content-length", b"%d" % len(body)),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        shown = b"" if scope["method"] == "HEAD" else body
        await send({"type": "http.response.body", "body": shown, "more_body": False})


def may_scrape(principal: Principal) -> bool:
    """Whether somebody may see the figures of all projects."""
    return (
        principal.known
        and TokenScope.READ in principal.scopes
        and not principal.must_change_password
        and principal.role(None) >= Role.VIEWER
    )


def is_own_machine(scope: Scope) -> bool:
    """Whether a program on this machine asks for itself."""
    client = scope.get("client")
    if not client or not _is_loopback(str(client[0])) or scope.get("http_version") == "1.0":
        return False  # proxies that say nothing of themselves speak HTTP/1.0 as a rule
    hosts = []
    for raw, value in scope["headers"]:
        name = raw.lower()
        if name in _PASSED_ON or name.startswith(b"x-forwarded") or name == b"origin":
            return False
        if name == b"sec-fetch-site" and value not in _OWN_PAGES:
            return False
        if name == b"host":
            hosts.append(value)
    return len(hosts) == 1 and _LOCAL_HOST.fullmatch(hosts[0]) is not None


def _is_loopback(address: str) -> bool:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = getattr(parsed, "ipv4_mapped", None)
    return bool((mapped or parsed).is_loopback)
