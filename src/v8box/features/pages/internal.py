"""What programs ask the box without signing in: whether a certificate may be had for a host, and domain proofs.

`/internal/tls/ask?domain=<host>` is the question that Caddy's on-demand TLS asks (its documentation: 200 is yes). Only
this machine and the trusted proxies may ask it, directly. It says yes to hosts that something answers at, so nobody
makes the box ask for certificates of names that he points here. `/.well-known/v8box/<token>` answers with the token at
the very host that it was made for; not below the box's own domain, which leads here whoever asks for a proof.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import parse_qs

from v8box.api.asgi import Receive, Scope, Send
from v8box.catalog.model import RouteTable
from v8box.catalog.sites import Domain, SiteTable
from v8box.features.pages.domains import WELL_KNOWN
from v8box.kit.proxies import Network, is_trusted

ASK: Final = "/internal/tls/ask"
_LABELS: Final = frozenset({"admin", "api", "db", "s3"})
_ENVIRONMENT: Final = re.compile(r"([a-z0-9-]{1,32})--api")
_TOKEN: Final = re.compile(r"[0-9a-f]{32}")


class InternalApp:
    """The ASGI application below `/internal/`."""

    def __init__(
        self,
        domain: str,
        routes: Callable[[], RouteTable],
        sites: Callable[[], SiteTable],
        domains_of: Callable[[str], Awaitable[Sequence[Domain]]],
        trusted: Sequence[Network] = (),
    ) -> None:
        self._domain = domain
        self._trusted = trusted
        self._routes = routes
        self._sites = sites
        self._domains_of = domains_of

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope["path"]
        if scope["type"] != "http" or scope["method"] not in ("GET", "HEAD"):
            await _answer(send, 405, b"")
        elif path == ASK:
            allowed = self._may_ask(scope) and self.is_known(_asked_host(scope))
            await _answer(send, 200 if allowed else 404, b"")
        elif path.startswith(WELL_KNOWN):
            await self._prove(scope, send, path.removeprefix(WELL_KNOWN))
        else:
            await _answer(send, 404, b"")

    def is_known(self, host: str) -> bool:
        """Whether something of this box answers at the host."""
        name = host.rstrip(".").lower()
        sites = self._sites()
        if name in sites.domains:
            return True
        label, dot, domain = name.partition(".")
        if not dot or domain != self._domain:
            return False
        if label in _LABELS or label in sites.sites or label in sites.previews:
            return True
        match = _ENVIRONMENT.fullmatch(label)
        return match is not None and any(route.environment == match[1] for route in self._routes().workers.values())

    def _may_ask(self, scope: Scope) -> bool:
        """A proxy adds headers to what it passes on, and then somebody else may be asking."""
        client: Any = scope.get("client")
        if client is None or _header(scope, b"x-forwarded-for") or _header(scope, b"forwarded"):
            return False
        try:
            local = ipaddress.ip_address(client[0]).is_loopback
        except ValueError:
            return False
        return local or is_trusted(client[0], self._trusted)

    async def _prove(self, scope: Scope, send: Send, token: str) -> None:
        host = _header(scope, b"host").partition(":")[0].rstrip(".").lower()
        own = host == self._domain or host.endswith(f".{self._domain}")
        known = [each.token for each in await self._domains_of(host)] if _TOKEN.fullmatch(token) and not own else []
        if token in known:
            await _answer(send, 200, token.encode())
        else:
            await _answer(send, 404, b"")


def _asked_host(scope: Scope) -> str:
    query: Mapping[str, list[str]] = parse_qs(scope["query_string"].decode("latin-1"))
    return query.get("domain", [""])[0]


def _header(scope: Scope, name: bytes) -> str:
    for known, value in scope["headers"]:
        if known.lower() == name:
            return str(value.decode("latin-1"))
    return ""


async def _answer(send: Send, status: int, body: bytes) -> None:
    headers = [
        (b"server", b"v8box"),
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"cache-control", b"no-store"),
        (b"content-length", b"%d" % len(body)),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
