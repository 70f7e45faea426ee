"""One POST to an address that somebody else has set: to public addresses only unless more is allowed, judged after the
name is resolved; no redirects, no proxy, no cookies, little of the answer.
"""

from __future__ import annotations

import email.utils
import ipaddress
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from v8box.features.notifications.senders.interface import Outcome
from v8box.gateway.pages.proxy import guarded_resolver
from v8box.kit.addresses import is_public

if TYPE_CHECKING:
    import aiohttp

_TOTAL_SECONDS: Final = 15.0
_CONNECT_SECONDS: Final = 5.0
_MAX_ANSWER: Final = 2_048
_MAX_TEXT: Final = 200
_MAX_RETRY_SECONDS: Final = 3_600.0
_CONNECTIONS: Final = 20
_FINAL: Final = frozenset({400, 401, 403, 404, 405, 406, 410, 411, 413, 414, 415, 422, 431, 451})
"""The same will be refused again."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: the beginning of it."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class HttpClient:
    """POSTs. `private`: whether addresses that are not public are allowed this time."""

    def __init__(self, allows: Callable[[str], bool] = is_public) -> None:
        self._allows = allows
        self._sessions: dict[bool, aiohttp.ClientSession] = {}

    async def stop(self) -> None:
        for session in self._sessions.values():
            await session.close()

    async def post(
        self, url: str, body: bytes, headers: Mapping[str, str], *, private: bool
    ) -> tuple[Outcome, Answer | None]:
        """What HTTP alone makes of it; a sender may know better from the answer."""
        import aiohttp

        parts = urlsplit(url)
        if not private and (parts.scheme != "https" or not self._may_ask(parts.hostname or "")):
            return Outcome(error="only https addresses on the public internet are allowed here", final=True), None
        try:
            async with self._session(private).post(url, data=body, headers=headers, allow_redirects=False) as reply:
                read = await reply.content.read(_MAX_ANSWER)
                answer = Answer(reply.status, {k.lower(): v for k, v in reply.headers.items()}, read)
        except TimeoutError:
            return Outcome(error=f"no answer within {_TOTAL_SECONDS:g} s"), None
        except aiohttp.InvalidURL:
            return Outcome(error="this is no address that can be asked", final=True), None
        except (aiohttp.ClientError, OSError) as error:
            return Outcome(error=_said(error)), None
        return judge(answer), answer

    def _may_ask(self, host: str) -> bool:
        """An address is not resolved, so that nobody else judges it."""
        try:
            ipaddress.ip_address(host)
        except ValueError:
            return bool(host)
        return self._allows(host)

    def _session(self, private: bool) -> aiohttp.ClientSession:
        import aiohttp

        if private not in self._sessions:
            resolver = None if private else guarded_resolver(self._allows)
            self._sessions[private] = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=_CONNECTIONS, resolver=resolver, use_dns_cache=False),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=_TOTAL_SECONDS, connect=_CONNECT_SECONDS),
                headers={"user-agent": "V8Box"},
                trust_env=False,
            )
        return self._sessions[private]


def judge(answer: Answer) -> Outcome:
    """By the status alone."""
    status = answer.status
    if 200 <= status < 300:
        return Outcome(status=status)
    if 300 <= status < 400:
        return Outcome(status=status, error="it answered with a redirect, which is not followed", final=True)
    text = answer.body.decode("utf-8", "replace").strip()
    said = f"HTTP {status}" + (f": {_printable(text)[:_MAX_TEXT]}" if text else "")
    return Outcome(
        status=status,
        error=said,
        final=status in _FINAL,
        gone=status == 410,
        retry_after=retry_after(answer.headers.get("retry-after", "")),
    )


def retry_after(value: str) -> float | None:
    """`Retry-After` in seconds, or as a date; within an hour."""
    seconds: float
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = email.utils.parsedate_to_datetime(value).timestamp() - time.time()
        except (ValueError, TypeError):
            return None
    return min(max(seconds, 0.0), _MAX_RETRY_SECONDS) if seconds == seconds else None  # not NaN


def _said(error: BaseException) -> str:
    """Without the address, a part of which may be the secret."""
    reason = getattr(error, "os_error", error)
    number = getattr(reason, "errno", None)
    text = getattr(reason, "strerror", None) or type(error).__name__
    if isinstance(number, int) and number > 0:
        text = os.strerror(number)
    return f"it cannot be reached: {_printable(str(text))[:_MAX_TEXT]}"


def _printable(text: str) -> str:
    return "".join(each if each.isprintable() else " " for each in text)
