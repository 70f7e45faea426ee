"""Who may call the admin API until there is sign-in: programs and browsers on this machine, and nobody else.

Deny first, in three steps: the connection comes from this machine and from no proxy on it; the Host is a name that only
this machine answers to, so that a page elsewhere cannot reach us by a name it points here (DNS rebinding); and what a
browser sends comes from our own origin (cross-site request forgery; workers' and sites' hosts are the *same site*).
"""

from __future__ import annotations

import ipaddress
import re
from collections import Counter
from typing import Final

from v8box.api.asgi import ASGIApp, Receive, Scope, Send, send_json
from v8box.api.envelope import error_body

_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_PROXY_HEADERS: Final = frozenset(
    {
        *(b"forwarded", b"via", b"x-real-ip", b"x-client-ip", b"x-cluster-client-ip", b"true-client-ip"),
        *(b"cf-connecting-ip", b"fastly-client-ip", b"x-original-forwarded-for", b"x-envoy-external-address"),
    }
)
_HOST: Final = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9.-]+)(?::[0-9]{1,5})?", re.IGNORECASE)
_LOCAL_NAMES: Final = frozenset({"localhost", "127.0.0.1", "[::1]", "admin.localhost"})

_ELSEWHERE: Final = (
    "The admin API answers on this machine only, since there is no sign-in yet. Run the command on the machine of the "
    "box, or forward a port to it: ssh -L 8000:127.0.0.1:8000 <machine>, then use http://127.0.0.1:8000"
)
_PROXIED: Final = (
    "This request came through a proxy, and the admin API answers direct connections from this machine only, since "
    "there is no sign-in yet. Call the box's own port (data/address has it), and do not publish /admin"
)
_WRONG_HOST: Final = (
    "The admin API does not answer to this Host. Use localhost, 127.0.0.1, [::1], or the box's own admin host"
)
_CROSS_SITE: Final = "This request comes from a page of another origin. Open the admin at its own address"


class LoopbackOnly:
    """ASGI middleware: passes on what may pass, answers 403 with what to do instead."""

    def __init__(self, app: ASGIApp, *, domain: str) -> None:
        self._app = app
        self._names = _LOCAL_NAMES | {f"admin.{domain}"}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(scope)
        if refusal is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await send_json(scope, send, 403, error_body(refusal, "forbidden"))
        else:
            await receive()
            await send({"type": "websocket.close", "code": 1008, "reason": "forbidden"})

    def _refusal(self, scope: Scope) -> str | None:
        """Why the request may not pass, None when it may."""
        headers: dict[bytes, bytes] = {}
        counted: Counter[bytes] = Counter()
        for name, value in scope["headers"]:
            lower = name.lower()
            headers[lower] = value
            counted[lower] += 1
        if not _is_loopback(scope.get("client")):
            return _ELSEWHERE
        if any(name in _PROXY_HEADERS or name.startswith(b"x-forwarded") for name in headers):
            return _PROXIED
        if any(counted[name] > 1 for name in (b"host", b"origin", b"sec-fetch-site")):
            return _WRONG_HOST
        host = headers.get(b"host", b"").decode("latin-1").lower()
        match = _HOST.fullmatch(host)
        if match is None or match[1].rstrip(".") not in self._names:
            return _WRONG_HOST
        return None if self._is_own_page(scope, headers, host) else _CROSS_SITE

    def _is_own_page(self, scope: Scope, headers: dict[bytes, bytes], host: str) -> bool:
        """Whether a page of ours, or no page at all, sent this."""
        site = headers.get(b"sec-fetch-site", b"").decode("latin-1")
        if scope["type"] == "http" and scope["method"] in _SAFE_METHODS:
            # Reading changes nothing, but a page elsewhere could time it, or load it as a script or an image. Somebody
            # who follows a link, though, only sees what is theirs to see.
            return site in ("", "same-origin", "none") or headers.get(b"sec-fetch-mode") == b"navigate"
        origin = headers.get(b"origin")
        own = {f"http://{host}", f"https://{host}"}
        return site in ("", "same-origin") and (origin is None or origin.decode("latin-1").lower() in own)


def _is_loopback(client: tuple[str, int] | None) -> bool:
    if not client:
        return False
    try:
        address = ipaddress.ip_address(client[0].partition("%")[0])
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback
