"""Speaks to the CDN: one request that throws away what it keeps of some hosts.

Cloudflare: `POST /client/v4/zones/{zone}/purge_cache` with `{"hosts": […]}`; its answer has `success` and `errors`.
Bunny: `POST /pullzone/{id}/purgeCache`, the whole pull zone; it answers 204. The token is in no error and no log, and
redirects are not followed: they would take it to another host.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from email.utils import parsedate_to_datetime
from typing import Any, Final, Literal

import msgspec

from v8box.settings import Cdn

MAX_HOSTS: Final = 30
"""Hosts that Cloudflare takes in one request."""
_BASES: Final = {"cloudflare": "https://api.cloudflare.com", "bunny": "https://api.bunny.net"}
_SECONDS: Final = 10.0
_SECONDS_IN_ALL: Final = 20.0
_MAX_BYTES: Final = 64 * 1024
_MAX_WAIT: Final = 600.0
_MAX_TEXT: Final = 200


class CdnFault(Exception):
    """The CDN did not do it. `again`: asking later may help; `after`: in so many seconds, where it says so."""

    def __init__(self, message: str, *, again: bool, after: float | None = None) -> None:
        super().__init__(message)
        self.again = again
        self.after = after


class _Problem(msgspec.Struct):
    message: str = ""
    code: int | str = ""


class _Answer(msgspec.Struct):
    success: bool | None = None
    errors: list[_Problem] | None = None
    Message: str = ""


class CdnClient:
    """One zone of one CDN. `close` it. The HTTP library is imported at the first purge: it takes a while."""

    def __init__(self, settings: Cdn) -> None:
        if settings.kind is None or settings.token is None or settings.zone is None:
            raise ValueError("no CDN is set")
        self.kind: Final[Literal["cloudflare", "bunny"]] = settings.kind
        self._zone = settings.zone
        self._token = settings.token
        base = settings.url.reveal() if settings.url is not None else _BASES[settings.kind]
        self._base = base.rstrip("/")
        self._client: Any = None

    async def close(self) -> None:
        if self._client is not None:
            await self._client.aclose()

    async def purge(self, hosts: Sequence[str]) -> None:
        """Throws away what is kept of these hosts, up to `MAX_HOSTS`; Bunny's pull zones only as a whole. Raises
        `CdnFault`."""
        if self.kind == "cloudflare":
            where = f"/client/v4/zones/{self._zone}/purge_cache"
            await self._ask(where, {"authorization": f"Bearer {self._token.reveal()}"}, {"hosts": list(hosts)})
        else:
            await self._ask(f"/pullzone/{self._zone}/purgeCache", {"accesskey": self._token.reveal()}, None)

    async def _ask(self, where: str, headers: dict[str, str], body: Any) -> None:
        import httpx

        if self._client is None:
            # A proxy from the environment has no business here.
            self._client = httpx.AsyncClient(timeout=_SECONDS, trust_env=False, follow_redirects=False)
        got = bytearray()
        content = b"" if body is None else msgspec.json.encode(body)
        headers |= {"content-type": "application/json", "accept": "application/json"}
        try:
            async with (
                asyncio.timeout(_SECONDS_IN_ALL),
                self._client.stream("POST", self._base + where, headers=headers, content=content) as response,
            ):
                async for chunk in response.aiter_bytes():
                    got += chunk
                    if len(got) > _MAX_BYTES:
                        break
                self._judge(response.status_code, bytes(got[:_MAX_BYTES]), response.headers.get("retry-after"))
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            raise CdnFault(f"it cannot be reached ({type(error).__name__})", again=True) from None
        except TimeoutError:
            raise CdnFault("it takes too long to answer", again=True) from None

    def _judge(self, status: int, body: bytes, after: str | None) -> None:
        """Raises `CdnFault` unless it is done."""
        told, answer = _told(body)
        if 200 <= status < 300:
            if self.kind == "bunny" or (answer is not None and answer.success):
                return
            raise CdnFault(f"it answers {status}, but did not do it{told}", again=answer is None)
        if status in (401, 403):
            raise CdnFault(
                f"it refuses the token ({status}){told}: see that V8BOX_CDN_TOKEN may purge this zone", again=False
            )
        if status == 404:
            raise CdnFault(f"it knows no such zone (404){told}: see V8BOX_CDN_ZONE", again=False)
        if status == 429 or status >= 500 or status == 408:
            raise CdnFault(f"it answers {status}{told}", again=True, after=_seconds(after))
        raise CdnFault(f"it answers {status}{told}", again=False)


def _told(body: bytes) -> tuple[str, _Answer | None]:
    """What the answer says of itself, in one line, and the answer, if it is one."""
    try:
        answer = msgspec.json.decode(body, type=_Answer)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return "", None
    words = [f"{each.message} ({each.code})" if each.code else each.message for each in answer.errors or ()]
    words += [answer.Message] if answer.Message else []
    text = "; ".join(word for word in words if word)
    line = "".join(each if each.isprintable() else " " for each in text[:_MAX_TEXT])
    return (f": {line}" if line else ""), answer


def _seconds(value: str | None) -> float | None:
    """`Retry-After`: seconds or a date (RFC 9110 §10.2.3), at most ten minutes."""
    if value is None:
        return None
    if value.isascii() and value.isdigit():
        return min(float(value[:9]), _MAX_WAIT)
    try:
        at = parsedate_to_datetime(value).timestamp()
    except (ValueError, OverflowError):
        return None
    return min(max(at - time.time(), 0.0), _MAX_WAIT)
