"""A site's 200 rule that leads to another host: the request is passed on there, and its answer back.

Only hosts that the site's settings name, and only at public addresses: the address is judged after the name is
resolved, at the very connection, so no name can lead into the box's own network. Redirects of the other host are passed
on, not followed. The library takes 0.2 s to import, so it is when the first such rule is asked.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import AsyncIterator, Callable, Sequence
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from v8box.errors import V8BoxError
from v8box.gateway.headers import SERVER, outgoing
from v8box.gateway.invoke import Receive, Send
from v8box.gateway.pages.decide import SiteRequest
from v8box.kit.addresses import is_public

if TYPE_CHECKING:
    import aiohttp

_CONNECT_SECONDS: Final = 5.0
_SILENCE_SECONDS: Final = 60.0
_MAX_CONNECTIONS: Final = 200
_MAX_PER_HOST: Final = 50
_PIECE_BYTES: Final = 64 * 1024
_NOT_PASSED: Final = frozenset(
    {"host", "cookie", "authorization", "accept-encoding", "content-length", "x-forwarded-prefix"}
)
"""What the other host is not told: a visitor's cookies and passwords are for the site."""
_STEERING: Final = frozenset(
    {
        *("x-forwarded-scheme", "x-forwarded-port", "x-forwarded-server", "x-host", "x-original-host"),
        *("x-original-url", "x-rewrite-url", "x-http-method", "x-http-method-override", "x-method-override"),
    }
)
"""By these some servers answer another request than the one that is written: it would be kept for all others."""


class ProxyFailed(V8BoxError):
    """The host that this rule leads to cannot be reached, or did not answer in time."""

    status = 502
    code = "proxy_failed"


class NoPublicAddress(OSError):
    """A name leads into a network that nobody outside may reach."""


class HostProxy:
    """Passes requests on. `allows` judges a resolved address."""

    def __init__(self, allows: Callable[[str], bool] = is_public) -> None:
        self._allows = allows
        self._session: aiohttp.ClientSession | None = None

    async def stop(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def pass_on(
        self,
        url: str,
        request: SiteRequest,
        receive: Receive,
        send: Send,
        pairs: Sequence[tuple[str, str]] | None = None,
    ) -> int:
        """Gives the status that was answered. `pairs`: the headers, where they are not the request's. Raises
        `ProxyFailed` while nothing was sent."""
        import aiohttp

        host = urlsplit(url).hostname or ""
        if _is_address(host) and not self._allows(host):  # an address is not resolved, so nobody else judges it
            raise ProxyFailed
        session = self._opened()
        kept_back = _NOT_PASSED if request.method not in ("GET", "HEAD") else _NOT_PASSED | _STEERING
        headers = [(name, value) for name, value in pairs or request.incoming.pairs if name not in kept_back]
        body = _body(receive) if request.incoming.has_body else None
        if request.incoming.content_length is not None:
            headers.append(("content-length", str(request.incoming.content_length)))
        started = False
        try:
            async with session.request(
                request.method, url, headers=headers, data=body, allow_redirects=False
            ) as answer:
                started = True
                return await self._answer(answer, request, send)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            if started:
                raise
            raise ProxyFailed from error

    async def _answer(self, answer: aiohttp.ClientResponse, request: SiteRequest, send: Send) -> int:
        kept = [(name.lower(), value) for name, value in answer.headers.items()]
        head = outgoing((name, value) for name, value in kept if name not in ("set-cookie", "content-encoding"))
        head += [SERVER, *request.extra, (b"x-request-id", request.request_id.encode())]
        length = answer.headers.get("content-length")
        plain = "content-encoding" not in answer.headers
        if length is not None and length.isdigit() and plain:
            head.append((b"content-length", length.encode()))
        await send({"type": "http.response.start", "status": answer.status, "headers": head})
        async for piece in answer.content.iter_chunked(_PIECE_BYTES):
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
        return answer.status

    def _opened(self) -> aiohttp.ClientSession:
        import aiohttp

        if self._session is None:
            connector = aiohttp.TCPConnector(
                limit=_MAX_CONNECTIONS,
                limit_per_host=_MAX_PER_HOST,
                resolver=guarded_resolver(self._allows),
                use_dns_cache=False,  # what was public a moment ago need not be now
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None, connect=_CONNECT_SECONDS, sock_read=_SILENCE_SECONDS),
                auto_decompress=True,
                trust_env=False,
            )
        return self._session


def guarded_resolver(allows: Callable[[str], bool]) -> aiohttp.abc.AbstractResolver:
    """A resolver that gives the allowed addresses of a name only, and none when one of them is not."""
    import aiohttp
    from aiohttp.abc import AbstractResolver, ResolveResult

    class Guarded(AbstractResolver):
        def __init__(self) -> None:
            self._resolver = aiohttp.ThreadedResolver()

        async def resolve(self, host: str, port: int = 0, family: Any = 0) -> list[ResolveResult]:
            found = await self._resolver.resolve(host, port, family)
            if not found or any(not allows(each["host"]) for each in found):
                raise NoPublicAddress(None, f"{host} has no public address")
            return found

        async def close(self) -> None:
            await self._resolver.close()

    return Guarded()


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


async def _body(receive: Receive) -> AsyncIterator[bytes]:
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise asyncio.CancelledError  # the client went away: there is nobody to send for
        if message.get("body"):
            yield message["body"]
        if not message.get("more_body", False):
            return
