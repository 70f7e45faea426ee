"""A client for one Hrana server: bounds the time and size of an answer, keeps connections, and tells a server that is
down, also one that accepts connections and is silent. It knows nothing of databases and SQL.
"""

from __future__ import annotations

import asyncio
import os
import time
from base64 import b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs, urlsplit

import msgspec

from v8box.bindings.db.hrana import Ask, Pipeline, PipelineAnswer

if TYPE_CHECKING:
    import aiohttp

_CONNECT_SECONDS: Final = 1.5
_KEEP_ALIVE_SECONDS: Final = 30.0
_SILENCE_SECONDS: Final = 0.5  # after this the server is asked for a sign of life
_ALIVE_SECONDS: Final = 3.0  # how long it may take for that
_HUSHED_SECONDS: Final = 1.0  # a server that gave none is not asked again for so long: who waits in line fails at once
MOST_ERROR_BYTES: Final = 64 * 1024
_SILENT: Final = "it does not answer"
_SCHEMES: Final = {"libsql": "https", "https": "https", "wss": "https", "http": "http", "ws": "http"}


class ServerError(Exception):
    """The server answered with an HTTP status of its own; `message` and `code` are its words."""

    def __init__(self, status: int, message: str, code: str | None) -> None:
        self.status = status
        self.message = message
        self.code = code
        super().__init__(f"{status}: {message}")


class ServerDown(Exception):
    """The server cannot be reached, or does not answer. `sent` says whether the request may have been carried out."""

    def __init__(self, reason: str, *, sent: bool) -> None:
        self.reason = reason
        self.sent = sent
        super().__init__(reason)


class ConnectionLost(ServerDown):
    """The connection was lost while the server worked, or had been lost before."""


class AnswerTooLarge(Exception):
    """The answer outgrew its cap; reading it was given up."""


@dataclass(frozen=True, slots=True)
class ServerUrl:
    """Where a server listens: `base` for requests, `host` to name it without credentials, and the token if the URL had
    one."""

    base: str
    host: str
    token: str = ""

    @classmethod
    def parse(cls, url: str) -> ServerUrl:
        """Reads `libsql: https: http: wss: ws:` as the official client does: `libsql:` is TLS unless `?tls=0` says
        no. Raises ValueError without the URL in its message: it may hold a token."""
        parts = urlsplit(url)
        scheme = _SCHEMES.get(parts.scheme.lower())
        if scheme is None:
            raise ValueError(f"the scheme must be one of {', '.join(_SCHEMES)}")
        if not parts.hostname:
            raise ValueError("the URL names no host")
        if parts.username or parts.password:
            raise ValueError("the URL must not hold a user or password: give a token in the setting for it")
        query = parse_qs(parts.query, keep_blank_values=True)
        unknown = set(query) - {"tls", "authToken"}
        if unknown or parts.fragment:
            raise ValueError("the URL may only have the parameters tls and authToken")
        if "tls" in query:
            if query["tls"] not in (["0"], ["1"]):
                raise ValueError("tls must be 0 or 1")
            scheme = "https" if query["tls"] == ["1"] else "http"
        path = parts.path.rstrip("/")
        return cls(f"{scheme}://{parts.netloc}{path}", parts.netloc, query.get("authToken", [""])[-1])


def open_session(connections: int) -> aiohttp.ClientSession:
    """An HTTP client for one server: kept connections, no proxy, no cookies, no time limit but on connecting."""
    import aiohttp  # takes 0.2 s and 10 MB, which a box without a server saves

    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=connections, keepalive_timeout=_KEEP_ALIVE_SECONDS, ttl_dns_cache=30),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS),
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
    )


class _Waiting:
    """A request in flight, for the look at silent ones."""

    __slots__ = ("silent", "since", "timeout")

    def __init__(self, timeout: asyncio.Timeout) -> None:
        self.timeout = timeout
        self.since = time.monotonic()
        self.silent = False


class HranaClient:
    """Sends pipelines to one server over kept connections. One event loop; `close` when done."""

    def __init__(self, url: ServerUrl, *, connections: int) -> None:
        self.url = url
        self._connections = connections
        self._session: aiohttp.ClientSession | None = None
        self._waiting: set[_Waiting] = set()
        self._watcher: asyncio.Task[None] | None = None
        self._hushed_until = 0.0
        self._encode = msgspec.json.Encoder().encode
        self._decode = msgspec.json.Decoder(PipelineAnswer).decode

    async def close(self) -> None:
        """Closes the connections; requests in flight fail with `ServerDown`."""
        if self._watcher is not None:
            self._watcher.cancel()
            await asyncio.wait([self._watcher])
        if self._session is not None:
            await self._session.close()

    async def pipeline(
        self,
        requests: list[Ask],
        *,
        namespace: str | None,
        token: str,
        seconds: float,
        most_bytes: int,
        baton: str | None = None,
        again: bool = False,
    ) -> PipelineAnswer:
        """Sends requests and waits for their answers; cancelled or timed out, it hangs up, which stops the statement
        on the server. With `again` it may be sent a second time when a kept connection turns out to be dead.

        Raises TimeoutError, `ServerDown`, `ServerError`, `AnswerTooLarge`, and UnicodeEncodeError for text that is
        none.
        """
        body = self._encode(Pipeline(baton, requests))
        headers = {"Content-Type": "application/json", "Accept-Encoding": "identity"}
        if namespace is not None:
            headers["x-namespace-bin"] = b64encode(namespace.encode()).rstrip(b"=").decode()
        if token:
            headers["Authorization"] = f"Bearer {token}"
        deadline = asyncio.get_running_loop().time() + seconds
        try:
            status, content = await self._post(body, headers, deadline, most_bytes)
        except ConnectionLost:
            if not again:
                raise
            status, content = await self._post(body, headers, deadline, most_bytes)
        if status != 200:
            raise as_server_error(status, content)
        try:
            return self._decode(content)
        except msgspec.DecodeError as error:
            raise ServerDown(f"it does not speak Hrana: {error}", sent=True) from error

    async def alive(self, seconds: float) -> None:
        """Returns when the server answers anything at all. Raises `ServerDown`."""
        import aiohttp

        try:
            async with asyncio.timeout(seconds), self._open().get(f"{self.url.base}/health", allow_redirects=False):
                return
        except TimeoutError as error:
            raise ServerDown(_SILENT, sent=False) from error
        except (aiohttp.ClientError, OSError) as error:
            raise ServerDown(reason_of(error), sent=False) from error

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = open_session(self._connections + 1)  # one for the sign of life
        return self._session

    async def _post(self, body: bytes, headers: dict[str, str], deadline: float, most_bytes: int) -> tuple[int, bytes]:
        import aiohttp

        if time.monotonic() < self._hushed_until:
            raise ServerDown(_SILENT, sent=False)
        session = self._open()
        timeout = asyncio.timeout_at(deadline)
        waiting = _Waiting(timeout)
        self._waiting.add(waiting)
        if self._watcher is None:
            self._watcher = asyncio.create_task(self._watch(), name="watch-libsql-server")
        try:
            async with (
                timeout,
                session.post(
                    f"{self.url.base}/v3/pipeline", data=body, headers=headers, allow_redirects=False
                ) as response,
            ):
                most = most_bytes if response.status == 200 else MOST_ERROR_BYTES
                return response.status, await _read(response, most)
        except TimeoutError as error:
            if isinstance(error, aiohttp.ConnectionTimeoutError):
                self._hushed_until = time.monotonic() + _HUSHED_SECONDS
                raise ServerDown("it cannot be connected to in time", sent=False) from error
            if waiting.silent:
                raise ServerDown(_SILENT, sent=True) from error
            raise
        except aiohttp.ClientConnectorError as error:
            raise ServerDown(reason_of(error), sent=False) from error
        except (aiohttp.ClientError, OSError) as error:
            raise ConnectionLost(reason_of(error), sent=True) from error
        finally:
            self._waiting.discard(waiting)

    async def _watch(self) -> None:
        """While requests wait: asks a silent server for a sign of life and gives them up when none comes."""
        try:
            while self._waiting:
                await asyncio.sleep(_SILENCE_SECONDS / 2)
                before = time.monotonic() - _SILENCE_SECONDS
                silent = [waiting for waiting in self._waiting if waiting.since < before]
                if not silent:
                    continue
                try:
                    await self.alive(_ALIVE_SECONDS)
                except ServerDown:
                    self._hushed_until = time.monotonic() + _HUSHED_SECONDS
                    for waiting in silent:
                        if waiting in self._waiting:
                            waiting.silent = True
                            waiting.timeout.reschedule(asyncio.get_running_loop().time())
        finally:
            self._watcher = None


async def _read(response: aiohttp.ClientResponse, most_bytes: int) -> bytes:
    length = response.content_length
    if length is not None:
        if length > most_bytes:
            response.close()
            raise AnswerTooLarge
        return await response.read()
    chunks: list[bytes] = []
    size = 0
    async for chunk in response.content.iter_any():
        size += len(chunk)
        if size > most_bytes:
            response.close()
            raise AnswerTooLarge
        chunks.append(chunk)
    return b"".join(chunks)


class _ErrorBody(msgspec.Struct, frozen=True):
    """What a refused request's body may be: `{"error": …}` or `{"message": …, "code": …}`."""

    error: str = ""
    message: str = ""
    code: str | None = None


def as_server_error(status: int, content: bytes) -> ServerError:
    try:
        body = msgspec.json.decode(content, type=_ErrorBody)
    except msgspec.MsgspecError:
        return ServerError(status, content[:300].decode(errors="replace") or "no reason given", None)
    return ServerError(status, body.error or body.message or "no reason given", body.code)


def reason_of(error: Exception) -> str:
    """What went wrong, in words of the operating system; never the URL."""
    cause = getattr(error, "os_error", error)
    if isinstance(cause, OSError) and cause.errno and cause.errno > 0:  # those of name look-ups are negative
        return os.strerror(cause.errno)
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror
    return str(cause) or type(cause).__name__
