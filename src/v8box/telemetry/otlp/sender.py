"""One batch to a collector: sent again while that may help, within bounds, and with what the collector asks for.

The collector's address and its headers are secrets: they are in no error and no log.
"""

from __future__ import annotations

import asyncio
import gzip
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

import msgspec

from v8box.settings import Otlp

if TYPE_CHECKING:
    import httpx

_RETRIED: Final = frozenset({429, 502, 503, 504})
"""What the OTLP specification says to send again."""
TOO_LARGE: Final = 413
_TIMEOUT_SECONDS: Final = 10.0
_FIRST_WAIT: Final = 1.0
_LONGEST_WAIT: Final = 30.0
_LONGEST_ASKED: Final = 120.0
_GIVE_UP_SECONDS: Final = 300.0
_MAX_ANSWER: Final = 64 * 1024
_LEVEL: Final = 1
_random = random.Random()  # noqa: S311 - spreads load, guards nothing


class NotSent(Exception):
    """The collector did not take the batch. `status` is what it answered, 0 when it did not."""

    def __init__(self, message: str, status: int = 0) -> None:
        self.status = status
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Sent:
    """How many of a batch the collector refused by itself, and its word for it."""

    rejected: int = 0
    message: str = ""


def parse_headers(settings: Otlp) -> dict[str, str]:
    """`name=value,name=value`, as OpenTelemetry writes them."""
    if settings.headers is None:
        return {}
    pairs = (part.partition("=") for part in settings.headers.reveal().split(","))
    return {name.strip(): unquote(value).strip() for name, _, value in pairs}


class Sender:
    """Sends to one collector. `close` it. `sleep` is for tests."""

    def __init__(
        self, settings: Otlp, version: str, *, sleep: Callable[[float], Awaitable[Any]] = asyncio.sleep
    ) -> None:
        self._settings = settings
        self._version = version
        self._sleep = sleep
        self._client: httpx.AsyncClient | None = None
        self._opening = asyncio.Lock()

    async def close(self) -> None:
        if self._client is not None:
            await self._client.aclose()

    async def send(self, path: str, data: bytes, told: Callable[[str], None]) -> Sent:
        """Until it is taken, refused for good, or five minutes are over. `told` hears why it is sent again. Raises
        `NotSent`."""
        body = await asyncio.to_thread(gzip.compress, data, _LEVEL)
        until = time.monotonic() + _GIVE_UP_SECONDS
        wait = _FIRST_WAIT
        while True:
            try:
                return await self.once(path, body)
            except _Again as again:
                pause = again.after if again.after is not None else wait * _random.uniform(0.5, 1.0)
                if time.monotonic() + pause > until:
                    raise NotSent(f"{again}, and went on so for {_GIVE_UP_SECONDS:g} s", again.status) from None
                told(str(again))
                await self._sleep(pause)
                wait = min(wait * 2, _LONGEST_WAIT)

    async def once(self, path: str, body: bytes) -> Sent:
        """One try with a body that is compressed. Raises `NotSent`."""
        import httpx

        client = await self._opened()
        try:
            async with client.stream("POST", path, content=body) as answer:
                content = b""
                async for chunk in answer.aiter_bytes():
                    content += chunk
                    if len(content) > _MAX_ANSWER:
                        break
        except httpx.TransportError as error:
            raise _Again(f"the collector cannot be reached ({type(error).__name__})") from error
        if answer.status_code in _RETRIED:
            raise _Again(f"the collector answered {answer.status_code}", answer.status_code, _asked(answer.headers))
        if not 200 <= answer.status_code < 300:
            raise NotSent(f"the collector answered {answer.status_code}", answer.status_code)
        return _partial(content)

    async def _opened(self) -> httpx.AsyncClient:
        """The client, made in a thread when the first batch goes: importing it and reading certificates takes its
        time."""
        async with self._opening:
            if self._client is None:
                self._client = await asyncio.to_thread(self._open)
        return self._client

    def _open(self) -> httpx.AsyncClient:
        import httpx

        endpoint = self._settings.endpoint
        if endpoint is None:
            raise ValueError("no collector is set")
        return httpx.AsyncClient(
            base_url=endpoint.reveal().rstrip("/") + "/",
            headers={
                **parse_headers(self._settings),
                "content-type": "application/json",
                "content-encoding": "gzip",
                "user-agent": f"v8box/{self._version}",
            },
            timeout=_TIMEOUT_SECONDS,
            follow_redirects=False,  # they would take the headers to another host
            trust_env=False,
        )


class _Again(NotSent):
    """It may help to send it again, `after` so many seconds if the collector said so."""

    def __init__(self, message: str, status: int = 0, after: float | None = None) -> None:
        self.after = after
        super().__init__(message, status)


def _asked(headers: httpx.Headers) -> float | None:
    """`Retry-After`: seconds, or a date."""
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return min(float(value[:9]), _LONGEST_ASKED)
    try:
        seconds = parsedate_to_datetime(value).timestamp() - time.time()
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(seconds, 0.0), _LONGEST_ASKED)


class _PartialSuccess(msgspec.Struct, rename="camel"):
    rejected_spans: int | str = 0
    rejected_log_records: int | str = 0
    error_message: str = ""


class _Answer(msgspec.Struct, rename="camel"):
    partial_success: _PartialSuccess | None = None


_read: Final = msgspec.json.Decoder(_Answer).decode


def _partial(content: bytes) -> Sent:
    try:
        partial = _read(content).partial_success
        if partial is None:
            return Sent()
        return Sent(int(partial.rejected_spans) + int(partial.rejected_log_records), partial.error_message)
    except (msgspec.MsgspecError, ValueError):
        return Sent()  # the status said all that matters
