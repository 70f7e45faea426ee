"""Sends to where a DSN says. Only to public addresses, unless the box says otherwise: they are judged after the name is
resolved, at the very connection. The library is imported with the first error: it takes a while.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from v8box.features.errors.sentry.lane import Answer, NotPublic
from v8box.gateway.pages.proxy import NoPublicAddress, guarded_resolver

if TYPE_CHECKING:
    import aiohttp

_SECONDS: Final = 15.0
_MAX_CONNECTIONS: Final = 100
_MAX_PER_HOST: Final = 4
_MAX_ANSWER_BYTES: Final = 64 * 1024
_HEADERS: Final = ("retry-after", "x-sentry-rate-limits")


class Sender:
    """`allows` judges a resolved address; None: any will do. `stop` it."""

    def __init__(self, allows: Callable[[str], bool] | None) -> None:
        self._allows = allows
        self._session: aiohttp.ClientSession | None = None

    async def stop(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Raises `OSError`, `TimeoutError`, `NotPublic`. Redirects are not followed: they would take the key along."""
        import aiohttp

        host = urlsplit(url).hostname or ""
        if self._allows is not None and _is_address(host) and not self._allows(host):
            raise NotPublic  # an address is not resolved, so nobody else judges it
        try:
            async with (
                asyncio.timeout(_SECONDS),
                self._opened().post(url, data=body, headers=headers, allow_redirects=False) as answer,
            ):
                await answer.content.read(_MAX_ANSWER_BYTES)
                kept = {name: answer.headers[name] for name in _HEADERS if name in answer.headers}
                return Answer(answer.status, kept)
        except aiohttp.ClientConnectorDNSError as error:
            if isinstance(error.os_error, NoPublicAddress):
                raise NotPublic from None
            raise OSError("its name is not known") from None
        except (aiohttp.ClientError, ValueError) as error:
            raise OSError(type(error).__name__) from None

    def _opened(self) -> aiohttp.ClientSession:
        import aiohttp

        if self._session is None:
            resolver = None if self._allows is None else guarded_resolver(self._allows)
            connector = aiohttp.TCPConnector(
                limit=_MAX_CONNECTIONS, limit_per_host=_MAX_PER_HOST, resolver=resolver, use_dns_cache=False
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=_SECONDS),
                trust_env=False,
            )
        return self._session


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
