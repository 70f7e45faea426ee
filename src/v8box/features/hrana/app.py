"""Databases from outside: an ASGI application that speaks Hrana over HTTP and WebSocket to clients with a token.

Who may do what is settled here, before a body is read: the token, its database, whether that is there. What a stream
does is `stream.py`'s. The gateway mounts it at the host `db.<domain>`, or below `/db` on any host.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, MutableMapping
from contextlib import aclosing
from typing import Any, Final, TypeVar

import msgspec

from v8box.bindings.db.interface import DatabaseId, Databases
from v8box.bindings.interface import BindingError
from v8box.errors import BadRequest, MethodNotAllowed, NoCapacity, NotFound, PayloadTooLarge, RequestTimeout, V8BoxError
from v8box.features.hrana import protocol
from v8box.features.hrana.headers import RequestHeaders
from v8box.features.hrana.limits import HranaLimits
from v8box.features.hrana.protocol import Decode, ProtocolError
from v8box.features.hrana.streams import Held, Streams
from v8box.features.hrana.tokens import Token, Tokens
from v8box.features.hrana.websocket import Sockets
from v8box.gateway.headers import SERVER

T = TypeVar("T")
Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

logger = logging.getLogger(__name__)

_WATCH_SECONDS: Final = 0.05  # an answer that takes longer is worth a look at whether anybody still waits for it
_CURSOR_BYTES: Final = 64 * 1024  # of entries sent together
_ENDPOINTS: Final = frozenset({("v2",), ("v3",), ("v2", "pipeline"), ("v3", "pipeline"), ("v3", "cursor")})
_BASE_HEADERS: Final = [
    SERVER,
    (b"cache-control", b"no-store"),
    (b"access-control-allow-origin", b"*"),  # the token is in a header that no browser adds by itself
    (b"x-content-type-options", b"nosniff"),
]
_JSON: Final = (b"content-type", b"application/json")
_PREFLIGHT: Final = [
    *_BASE_HEADERS,
    (b"access-control-allow-methods", b"GET, POST, OPTIONS"),
    (b"access-control-allow-headers", b"authorization, content-type, x-turso-encryption-key"),
    (b"access-control-max-age", b"86400"),
]


class ClientGone(Exception):
    """Nobody waits for the answer any more."""


class UnsupportedEncoding(V8BoxError):
    """Request bodies must not be compressed."""

    status = 415
    code = "unsupported_encoding"


class PipelineTimeout(V8BoxError):
    """The requests of this pipeline took too long together; what was not committed is rolled back."""

    status = 504
    code = "timeout"


class HranaApp:
    """The application. `stop` ends every stream and WebSocket; nothing needs starting."""

    def __init__(self, databases: Databases, tokens: Tokens, *, limits: HranaLimits | None = None) -> None:
        self._limits = limits or HranaLimits()
        self._tokens = tokens
        self._streams = Streams(databases, self._limits)
        self._sockets = Sockets(tokens, self._streams, self._limits)
        self._held_bytes = 0
        self._decode_pipeline = Decode(protocol.PipelineBody)
        self._decode_cursor = Decode(protocol.CursorBody)
        tokens.on_revoked(self._streams.revoke)
        tokens.on_revoked(self._sockets.revoke)

    @property
    def streams(self) -> Streams:
        return self._streams

    async def stop(self) -> None:
        await self._sockets.stop()
        await self._streams.close_all()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self._sockets.serve(_segments(scope), scope, receive, send)
            return
        try:
            await self._serve(scope, receive, send)
        except ClientGone:
            return
        except ProtocolError as error:
            await _send_error(scope, send, 400, protocol.PROTOCOL_ERROR, str(error))
        except BindingError as error:
            await _send_error(scope, send, 400, error.code, error.message)
        except V8BoxError as error:
            await _send_error(scope, send, error.status, error.code.upper(), error.detail)
        except Exception:
            logger.exception("a database request from outside failed")
            await _send_error(scope, send, 500, "INTERNAL", "Something went wrong inside V8Box.")

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        method: str = scope["method"]
        if method == "OPTIONS":
            await _send(scope, send, 204, _PREFLIGHT, b"")
            return
        name, endpoint = _endpoint(_segments(scope))
        if len(endpoint) == 1:
            if method not in ("GET", "HEAD"):
                raise MethodNotAllowed("This address answers GET.")
            body = b'{"protocol":"hrana","version":%b}' % endpoint[0][1:].encode()
            await _send(scope, send, 200, [*_BASE_HEADERS, _JSON], body)
            return
        if method != "POST":
            raise MethodNotAllowed("This address answers POST.")
        headers = RequestHeaders(scope["headers"])
        token = self._tokens.verify(headers.bearer)
        database = await self._streams.find(token, name)
        body = await self._read(headers, receive)
        try:
            if endpoint[1] == "cursor":
                cursor = self._decode_cursor(body)
                held = self._stream(cursor.baton, token, database)
                await self._cursor(held, cursor.batch, scope, receive, send)
            else:
                pipeline = self._decode_pipeline(body)
                if len(pipeline.requests) > self._limits.requests:
                    raise BadRequest(f"A pipeline may have {self._limits.requests} requests.")
                held = self._stream(pipeline.baton, token, database)
                await self._pipeline(held, pipeline.requests, scope, receive, send)
        finally:
            self._held_bytes -= len(body)

    def _stream(self, baton: str | None, token: Token, database: DatabaseId) -> Held:
        if baton is None:
            return self._streams.open(token, database, self._streams.texts())
        return self._streams.resume(baton, token, database)

    # ---- pipelines

    async def _pipeline(
        self, held: Held, requests: list[protocol.OverHttp], scope: Scope, receive: Receive, send: Send
    ) -> None:
        keep = False
        try:
            results = await self._while_present(self._run(held, requests), receive)
            keep = not held.closed and held.token.valid
        finally:
            if not keep:
                await self._streams.close(held)
        baton = None
        if keep:
            baton = self._streams.new_baton()
            self._streams.park(held, baton)
        body = protocol.pipeline_answer(baton, results)
        await _send(scope, send, 200, [*_BASE_HEADERS, _JSON], body)

    async def _run(self, held: Held, requests: list[protocol.OverHttp]) -> list[bytes]:
        """All requests in order; one that fails does not keep the next from running, as the protocol has it."""
        results: list[bytes] = []
        allowance = self._streams.allowance()
        for request in requests:
            try:
                if held.closed:
                    raise BindingError("STREAM_CLOSED", "the stream was closed by an earlier request")
                if isinstance(request, protocol.Close):
                    await self._streams.close(held)
                    results.append(protocol.ok(b'{"type":"close"}'))
                else:
                    results.append(protocol.ok(await held.stream.respond(request, held.texts, allowance)))
            except BindingError as error:
                results.append(protocol.failed(error))
        return results

    # ---- cursors

    async def _cursor(self, held: Held, batch: protocol.Batch, scope: Scope, receive: Receive, send: Send) -> None:
        baton = self._streams.new_baton()
        last = b""
        keep = False
        try:
            await self._while_present(self._send_cursor(held, batch, baton, send), receive)
            keep = held.token.valid
        except ClientGone:
            raise
        except PipelineTimeout as error:
            last = protocol.error_entry(error.code.upper(), error.detail)
        except Exception:  # the answer has begun: what went wrong can only be its last entry
            logger.exception("a cursor of a database failed")
            last = protocol.error_entry("INTERNAL", "Something went wrong inside V8Box.")
        finally:
            if not keep:
                await self._streams.close(held)
        if keep:
            self._streams.park(held, baton)
        await self._send_part(send, last, more=False)

    async def _send_cursor(self, held: Held, batch: protocol.Batch, baton: str, send: Send) -> None:
        start = [*_BASE_HEADERS, (b"content-type", b"application/x-ndjson")]
        await send({"type": "http.response.start", "status": 200, "headers": start})
        out = bytearray(protocol.cursor_head(baton) + b"\n")
        try:
            async with aclosing(held.stream.steps(batch, held.texts, self._streams.allowance())) as steps:
                async for number, result in steps:
                    for entry in protocol.entries(number, result):
                        out += entry
                        out += b"\n"
                        if len(out) >= _CURSOR_BYTES:
                            await self._send_part(send, bytes(out), more=True)
                            out.clear()
        except BindingError as error:
            out += protocol.error_entry(error.code, error.message)
        await self._send_part(send, bytes(out), more=True)

    async def _send_part(self, send: Send, body: bytes, *, more: bool) -> None:
        try:
            async with asyncio.timeout(self._limits.send_seconds):
                await send({"type": "http.response.body", "body": body, "more_body": more})
        except TimeoutError as error:
            raise ClientGone from error

    # ---- the client

    async def _read(self, headers: RequestHeaders, receive: Receive) -> bytes:
        """The whole body, which counts as held until the request is over."""
        most = self._limits.body_bytes
        too_large = PayloadTooLarge(f"A request may have {most} bytes.")
        if headers.length > most:
            raise too_large
        if headers.encoded:
            raise UnsupportedEncoding
        chunks: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(self._limits.body_seconds):
                while True:
                    message = await receive()
                    if message["type"] != "http.request":
                        raise ClientGone
                    chunk: bytes = message.get("body", b"")
                    size += len(chunk)
                    self._held_bytes += len(chunk)
                    chunks.append(chunk)
                    if size > most:
                        raise too_large
                    if self._held_bytes > self._limits.held_bytes:
                        raise NoCapacity("Too many large requests at once. Try again shortly.")
                    if not message.get("more_body", False):
                        return chunk if len(chunks) == 1 else b"".join(chunks)
        except TimeoutError:
            self._held_bytes -= size
            raise RequestTimeout from None
        except BaseException:
            self._held_bytes -= size
            raise

    async def _while_present(self, work: Coroutine[Any, Any, T], receive: Receive) -> T:
        """What `work` gives, unless the client leaves before that: then it is cancelled, and so is its statement."""
        task = asyncio.create_task(work, name="database request from outside")
        watch: asyncio.Task[None] | None = None
        try:
            await asyncio.wait((task,), timeout=_WATCH_SECONDS)
            if not task.done():
                watch = asyncio.create_task(_left(receive), name="database client watch")
                left = self._limits.pipeline_seconds
                await asyncio.wait((task, watch), timeout=left, return_when=asyncio.FIRST_COMPLETED)
                if not task.done():
                    raise ClientGone if watch.done() else PipelineTimeout
            return task.result()
        finally:
            if watch is not None:
                watch.cancel()
            if not task.done():
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _segments(scope: Scope) -> list[str]:
    """The parts of the path below the place where the application is mounted."""
    path: str = scope["path"].removeprefix(scope.get("root_path", ""))
    return [part for part in path.split("/") if part]


def _endpoint(segments: list[str]) -> tuple[str | None, tuple[str, ...]]:
    """`[crm, v2, pipeline]` as the database's name, if there is one, and the protocol's endpoint."""
    for length in (2, 1):
        endpoint = tuple(segments[-length:])
        if endpoint in _ENDPOINTS and len(segments) - len(endpoint) <= 1:
            return (segments[0] if len(segments) > len(endpoint) else None), endpoint
    raise NotFound(
        "There is nothing at this address. Clients use libsql://db.<domain>/<database>/ (with the slash at its end), "
        "which asks for /<database>/v2/pipeline."
    )


async def _send(scope: Scope, send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    length = [] if status == 204 else [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers + length})
    shown = b"" if scope["method"] == "HEAD" else body
    await send({"type": "http.response.body", "body": shown, "more_body": False})


async def _send_error(scope: Scope, send: Send, status: int, code: str, message: str) -> None:
    """Hrana's Error, which the official client turns into a LibsqlError; `error` is for people with curl."""
    headers = [*_BASE_HEADERS, _JSON]
    if status == 401:
        headers.append((b"www-authenticate", b'Bearer realm="database"'))
    if status in (429, 503):
        headers.append((b"retry-after", b"1"))
    body = msgspec.json.encode({"message": message, "code": code, "error": message})
    await _send(scope, send, status, headers, body)
