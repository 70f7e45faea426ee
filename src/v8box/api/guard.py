"""The door of the admin API: which hosts it answers to, what other pages may not do, and who a request comes from.

Deny first, in three steps. The Host is a name of the admin's own, so that a page elsewhere cannot reach it by a name
that it points here (DNS rebinding). What a browser sends comes from our own origin (cross-site request forgery;
workers' and sites' hosts are the *same site*). Credentials, if there are any, are good: what they open is for the
routes to ask.
"""

from __future__ import annotations

import ipaddress
import logging
import re
from collections import Counter
from typing import Any, Final, NamedTuple

from v8box.api.asgi import ASGIApp, Receive, Scope, Send
from v8box.api.auth.identities import Identities
from v8box.api.auth.sessions import Client
from v8box.api.cookies import clearing_cookie, session_secrets
from v8box.api.principals import nobody
from v8box.api.refusals import send_refusal
from v8box.errors import BadRequest, V8BoxError
from v8box.kit.proxies import first_untrusted, is_trusted
from v8box.settings import Box

logger: Final = logging.getLogger(__name__)

_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_ONCE: Final = (
    b"host",
    b"origin",
    b"authorization",
    b"sec-fetch-site",
    b"sec-fetch-mode",
    b"x-forwarded-proto",
    b"v8box-project",
)
"""Headers of which two would be read in two ways."""
_HOST: Final = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9.-]+)(?::[0-9]{1,5})?", re.IGNORECASE)
_LOCAL_NAMES: Final = frozenset({"localhost", "127.0.0.1", "[::1]", "admin.localhost"})
_ANY_ADDRESS: Final = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared
_BEARER: Final = re.compile(r"bearer +([\x21-\x7e]{1,4096}) *", re.IGNORECASE)


class WrongHost(V8BoxError):
    """The admin API does not answer to this Host. Use localhost, 127.0.0.1, [::1], or the box's own admin host"""

    status = 403
    code = "forbidden"


class CrossSite(V8BoxError):
    """This request comes from a page of another origin. Open the admin at its own address"""

    status = 403
    code = "forbidden"


class BadCredentials(V8BoxError):
    """Send one credential, as Authorization: Bearer with a personal token, or as the session's cookie."""

    status = 401
    code = "credentials_invalid"


class _Request(NamedTuple):
    """What the guard reads of one."""

    headers: dict[bytes, bytes]
    host: str
    scheme: str
    cookies: str
    client: Client


class Guard:
    """ASGI middleware. Puts the principal into `scope["principal"]`, and the client's own address and scheme into the
    scope where a trusted proxy tells them. A cookie that is no longer good counts as none, since who signs in again
    still has it; a route that needs somebody says then why it was refused."""

    def __init__(self, app: ASGIApp, *, identities: Identities, box: Box) -> None:
        self._app = app
        self._identities = identities
        self._names = _LOCAL_NAMES | {f"admin.{box.domain}"}
        self._by_path = box.domain == "localhost"
        self._listens_on = box.host
        self._trusted = box.trusted_proxies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        try:
            request = self._read(scope)
            self._check_page(scope, request)
            refused = await self._identify(scope, request)
        except V8BoxError as error:
            await send_refusal(scope, receive, _telling_401(send), error)
            return
        forget = clearing_cookie(request.scheme) if refused else None
        await self._app(scope, receive, _telling_401(send, forget))

    # ---- reading

    def _read(self, scope: Scope) -> _Request:
        """Raises for a request that can be read in two ways, and for a Host that is not the admin's."""
        headers: dict[bytes, bytes] = {}
        counted: Counter[bytes] = Counter()
        cookies: list[bytes] = []
        forwarded: list[bytes] = []
        for name, value in scope["headers"]:
            lower = name.lower()
            headers[lower] = value
            counted[lower] += 1
            if lower == b"cookie":
                cookies.append(value)  # HTTP/2 may send them one by one
            elif lower == b"x-forwarded-for":
                forwarded.append(value)  # some proxies add a line of their own
        twice = [name.decode() for name in _ONCE if counted[name] > 1]
        if "host" in twice:
            raise WrongHost
        if twice:
            raise BadRequest(f"The header {twice[0]} stands there twice.")
        host = headers.get(b"host", b"").decode("latin-1").lower()
        match = _HOST.fullmatch(host)
        if match is None or not self._is_own_name(match[1].rstrip(".")):
            raise WrongHost
        address, scheme = self._client(scope, headers, forwarded)
        agent = headers.get(b"user-agent")
        client = Client(address=address, user_agent=None if agent is None else agent.decode("latin-1"))
        scope["scheme"] = scheme
        if address is not None:
            scope["client"] = (address, (scope.get("client") or ("", 0))[1])
        return _Request(headers, host, scheme, b"; ".join(cookies).decode("latin-1"), client)

    def _is_own_name(self, name: str) -> bool:
        if name in self._names:
            return True
        if not self._by_path:
            return False
        try:  # an address cannot be pointed elsewhere
            address = str(ipaddress.ip_address(name.strip("[]")))
        except ValueError:
            return False
        return self._listens_on in (*_ANY_ADDRESS, address)

    def _client(self, scope: Scope, headers: dict[bytes, bytes], forwarded: list[bytes]) -> tuple[str | None, str]:
        """The client's address and scheme; a trusted proxy is believed."""
        peer = scope["client"][0] if scope.get("client") else None
        scheme = "https" if scope.get("scheme") in ("https", "wss") else "http"
        if peer is None or not is_trusted(peer, self._trusted):
            return peer, scheme
        chain = b",".join(forwarded).decode("latin-1")
        if headers.get(b"x-forwarded-proto", b"").strip().lower() == b"https":
            scheme = "https"
        return (first_untrusted(chain, self._trusted) or peer) if chain else peer, scheme

    # ---- judging

    def _check_page(self, scope: Scope, request: _Request) -> None:
        """Raises `CrossSite` unless a page of ours, or no page at all, sent this."""
        site = request.headers.get(b"sec-fetch-site", b"").decode("latin-1")
        if scope["type"] == "http" and scope["method"] in _SAFE_METHODS:
            # Reading changes nothing, but a page elsewhere could time it, or load it as a script or an image. Somebody
            # who follows a link, though, only sees what is theirs to see.
            if site not in ("", "same-origin", "none") and request.headers.get(b"sec-fetch-mode") != b"navigate":
                raise CrossSite
            return
        origin = request.headers.get(b"origin")
        own = {f"https://{request.host}"}
        if request.scheme == "http":
            own.add(f"http://{request.host}")  # and https: TLS may end at a proxy that nobody has named
        if site not in ("", "same-origin") or (origin is not None and origin.decode("latin-1").lower() not in own):
            raise CrossSite

    async def _identify(self, scope: Scope, request: _Request) -> bool:
        """Puts the principal into the scope; gives whether the cookie is to be forgotten."""
        request_id = scope.get("request_id")
        client = request.client
        authorization = request.headers.get(b"authorization")
        if authorization is not None:
            match = _BEARER.fullmatch(authorization.decode("latin-1"))
            if match is None:
                raise BadCredentials("Authorization has to be: Bearer, a space, and a personal token.")
            scope["principal"] = await self._identities.of_bearer(match[1], client, request_id)
            return False
        scope["principal"] = nobody(client.address, request_id)
        secrets = session_secrets(request.cookies, request.scheme)
        if not secrets:
            return False
        try:
            if len(secrets) > 1:  # a page below the same domain may have put one there
                raise BadCredentials("There are two session cookies. Remove the cookies of this site, and sign in.")
            scope["principal"] = await self._identities.of_session(secrets[0], client, request_id)
        except V8BoxError as error:
            if error.status != 401:
                raise
            scope["credentials_refused"] = error
            return True
        return False


def _telling_401(send: Send, forget: str | None = None) -> Send:
    """Every 401 says how to do better; and has the browser forget a cookie that is good for nothing."""

    async def sending(message: Any) -> None:
        if message["type"] == "http.response.start" and message["status"] == 401:
            headers = [*message.get("headers", ()), (b"www-authenticate", b'Bearer realm="v8box"')]
            if forget is not None:
                headers.append((b"set-cookie", forget.encode()))
            message = {**message, "headers": headers}
        await send(message)

    return sending
