"""Hrana over WebSocket: many streams on one connection, in JSON (subprotocols hrana1, hrana2, hrana3).

Requests of one stream run in order, those of different streams side by side. A client that stops reading is not read
from either, and a connection that breaks the protocol is closed with a reason.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from v8box.bindings.db.interface import DatabaseId
from v8box.bindings.interface import BindingError
from v8box.errors import V8BoxError
from v8box.features.hrana import protocol
from v8box.features.hrana.headers import bearer_of
from v8box.features.hrana.limits import HranaLimits
from v8box.features.hrana.protocol import Decode, ProtocolError, Request
from v8box.features.hrana.streams import Held, Streams
from v8box.features.hrana.tokens import Token, TokenRefused, Tokens

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

logger = logging.getLogger(__name__)

_SUBPROTOCOLS: Final = ("hrana3", "hrana2", "hrana1")
_NORMAL, _GOING_AWAY, _UNSUPPORTED, _POLICY, _TOO_BIG, _INTERNAL = 1000, 1001, 1003, 1008, 1009, 1011
_PROTOCOL: Final = 1002
_MAX_REASON_BYTES: Final = 123
_HELLO_OK: Final = b'{"type":"hello_ok"}'
_FETCH_BYTES: Final = 1_000_000


class _Gone(Exception):
    """The client has left."""


class _Closing(Exception):
    """The connection is to be closed by us."""

    def __init__(self, code: int, reason: str) -> None:
        self.code = code
        self.reason = reason
        super().__init__(reason)


class Sockets:
    """All WebSockets, counted."""

    def __init__(self, tokens: Tokens, streams: Streams, limits: HranaLimits) -> None:
        self.streams = streams
        self.limits = limits
        self._tokens = tokens
        self._open: set[_Connection] = set()
        self._per_token: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._open)

    async def serve(self, path: list[str], scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """One connection, from its opening to its end."""
        await receive()  # websocket.connect
        offered: list[str] = list(scope.get("subprotocols") or ())
        subprotocol = next((each for each in _SUBPROTOCOLS if each in offered), None)
        if len(path) > 1 or (offered and subprotocol is None) or len(self._open) >= self.limits.connections:
            await send({"type": "websocket.close", "code": _POLICY, "reason": "not served"})
            return
        connection = _Connection(self, path[0] if path else None, bearer_of(scope["headers"]), receive, send)
        self._open.add(connection)
        try:
            await send({"type": "websocket.accept", "subprotocol": subprotocol, "headers": []})
            await connection.hold()
        finally:
            self._open.discard(connection)
            if connection.token is not None:
                self._leave(connection.token)
            await connection.end()

    def admit(self, jwt: str | None, before: Token | None) -> Token:
        """The token of a hello, counted in the place of the one `before`. Raises `V8BoxError`."""
        token = self._tokens.verify(jwt)
        if self._per_token[token.id] >= self.limits.token_connections:
            raise TokenRefused(f"This token has {self.limits.token_connections} WebSockets open: close some.")
        self._per_token[token.id] += 1
        if before is not None:
            self._leave(before)
        return token

    def _leave(self, token: Token) -> None:
        self._per_token[token.id] -= 1
        if not self._per_token[token.id]:
            del self._per_token[token.id]

    def revoke(self, token: Token) -> None:
        for connection in self._open:
            if connection.token is token:
                connection.close_soon(_POLICY, "the token was deleted")

    async def stop(self) -> None:
        connections = list(self._open)
        for connection in connections:
            connection.close_soon(_GOING_AWAY, "the box is stopping")
        if connections:
            await asyncio.wait([asyncio.ensure_future(each.ended.wait()) for each in connections], timeout=2)


class _Cursor:
    """The entries of a batch that are not fetched yet."""

    __slots__ = ("bytes", "entries")

    def __init__(self) -> None:
        self.bytes = 0
        self.entries: deque[bytes] = deque()

    def add(self, entry: bytes) -> None:
        self.entries.append(entry)
        self.bytes += len(entry)


class _Lane:
    """One stream of a connection and the requests that wait for it. `held` is None when it could not be opened."""

    __slots__ = ("cursors", "held", "stream_id", "task", "waiting")

    def __init__(self, stream_id: int) -> None:
        self.stream_id = stream_id
        self.held: Held | None = None
        self.waiting: deque[Request] = deque()
        self.task: asyncio.Task[None] | None = None
        self.cursors: dict[int, _Cursor] = {}


class _Connection:
    """One WebSocket."""

    def __init__(self, sockets: Sockets, name: str | None, bearer: str | None, receive: Receive, send: Send) -> None:
        self._sockets = sockets
        self._streams, self._limits = sockets.streams, sockets.limits
        self._name = name
        self._bearer = bearer
        self._receive = receive
        self._send = send
        self._sending = asyncio.Lock()
        self._closing: asyncio.Future[_Closing] = asyncio.get_running_loop().create_future()
        self._texts = self._streams.texts()
        self._lanes: dict[int, _Lane] = {}
        self._cursor_lanes: dict[int, _Lane] = {}  # each open cursor's, also of one that failed to open
        self._cursor_bytes = 0
        self._outstanding = 0
        self._room = asyncio.Event()
        self._room.set()
        self._decode = Decode(protocol.ClientMessage)
        self._database: DatabaseId | None = None
        self.token: Token | None = None
        self.ended = asyncio.Event()

    def close_soon(self, code: int, reason: str) -> None:
        if not self._closing.done():
            self._closing.set_result(_Closing(code, reason))
            self._room.set()  # nobody need wait for room any more

    async def hold(self) -> None:
        """Serves until either side closes."""
        try:
            while True:
                await self._handle(await self._next())
        except _Closing as closing:
            await self._close(closing)
        except _Gone:
            return
        except Exception:
            logger.exception("a database WebSocket failed")
            await self._close(_Closing(_INTERNAL, "something went wrong inside V8Box"))

    async def _next(self) -> str:
        """The next message. Raises `_Gone` when the client has left, `_Closing` when we are to close."""
        receiving = asyncio.create_task(self._listen(), name="database WebSocket in")
        limits = self._limits
        idle = limits.hello_seconds if self.token is None else limits.connection_idle_seconds
        try:
            while not receiving.done() and not self._closing.done():
                done, _ = await asyncio.wait(
                    (receiving, self._closing), timeout=idle, return_when=asyncio.FIRST_COMPLETED
                )
                if not done and not self._outstanding:
                    raise _Closing(_NORMAL if self.token else _POLICY, "nothing was said for too long")
            if self._closing.done():
                raise self._closing.result()
            message = receiving.result()
        finally:
            if not receiving.done():
                # The server sends no close while somebody receives.
                receiving.cancel()
                await asyncio.gather(receiving, return_exceptions=True)
        if message["type"] != "websocket.receive":
            raise _Gone
        text: str | None = message.get("text")
        if text is None:
            raise _Closing(_UNSUPPORTED, "only text messages, in JSON")
        if len(text) > limits.body_bytes:
            raise _Closing(_TOO_BIG, f"a message may have {limits.body_bytes} bytes")
        return text

    async def _listen(self) -> Message:
        return await self._receive()  # the server's own awaitable is no future that could be cancelled and awaited

    async def _handle(self, text: str) -> None:
        try:
            message = self._decode(text)
        except ProtocolError as error:
            raise _Closing(_PROTOCOL, str(error)) from error
        if isinstance(message, protocol.Hello):
            await self._hello(message.jwt)
            return
        if self.token is None:
            raise _Closing(_PROTOCOL, "the first message must be hello")
        if not self.token.valid:
            raise _Closing(_POLICY, "the token has expired or was deleted")
        while self._outstanding >= self._limits.requests and not self._closing.done():
            self._room.clear()
            await self._room.wait()
        self._outstanding += 1
        await self._take(message)

    async def _hello(self, jwt: str | None) -> None:
        try:
            token = self.token = self._sockets.admit(jwt or self._bearer, self.token)
            database = await self._streams.find(token, self._name)
            if self._database not in (None, database):
                raise TokenRefused("The token is not for the database of this WebSocket.")
            self._database = database
        except (V8BoxError, BindingError) as error:
            code, detail = (
                (error.code, error.message) if isinstance(error, BindingError) else (error.code.upper(), error.detail)
            )
            await self._say(b'{"type":"hello_error","error":%b}' % protocol.error_body(code, detail))
            raise _Closing(_POLICY, detail) from error
        await self._say(_HELLO_OK)

    # ---- requests

    async def _take(self, message: Request) -> None:
        """Queues a request behind those of its stream. Stored texts are the connection's own: later requests of any
        stream may use them at once."""
        request = message.request
        match request:
            case protocol.StoreSql() | protocol.CloseSql():
                await self._answer(message, self._store(request))
                return
            case protocol.OpenStream():
                if request.stream_id in self._lanes:
                    raise _Closing(_PROTOCOL, f"the stream {request.stream_id} is open already")
                if len(self._lanes) >= self._limits.token_streams:
                    raise _Closing(_POLICY, "too many streams")
                lane: _Lane | None = _Lane(request.stream_id)
                self._lanes[request.stream_id] = lane  # type: ignore[assignment]
            case protocol.FetchCursor() | protocol.CloseCursor():
                lane = self._cursor_lanes.get(request.cursor_id)
            case protocol.OpenCursor():
                if request.cursor_id in self._cursor_lanes:
                    raise _Closing(_PROTOCOL, f"the cursor {request.cursor_id} is open already")
                if len(self._cursor_lanes) >= 2 * self._limits.cursors:
                    raise _Closing(_POLICY, "too many cursors")
                lane = self._lanes.get(request.stream_id)
                if lane is not None:
                    self._cursor_lanes[request.cursor_id] = lane
            case _:
                lane = self._lanes.get(request.stream_id)
        if lane is None:
            await self._answer(message, BindingError("STREAM_NOT_OPEN", "there is no such stream or cursor"))
            return
        lane.waiting.append(message)
        if lane.task is None:
            lane.task = asyncio.create_task(self._work(lane), name="database stream of a WebSocket")

    def _store(self, request: protocol.StoreSql | protocol.CloseSql) -> bytes | BindingError:
        try:
            if isinstance(request, protocol.StoreSql):
                self._texts.store(request.sql_id, request.sql)
                return b'{"type":"store_sql"}'
            self._texts.drop(request.sql_id)
            return b'{"type":"close_sql"}'
        except BindingError as error:
            return error

    async def _work(self, lane: _Lane) -> None:
        """Answers what waits on one stream, in order."""
        while lane.waiting:
            message = lane.waiting.popleft()
            try:
                async with asyncio.timeout(self._limits.pipeline_seconds):
                    answer: bytes | BindingError = await self._perform(lane, message.request)
            except BindingError as error:
                answer = error
            except V8BoxError as error:
                answer = BindingError(error.code.upper(), error.detail)
            except TimeoutError:
                answer = BindingError("TIMEOUT", "the request took too long")
            except Exception:
                logger.exception("a request on a database WebSocket failed")
                answer = BindingError("INTERNAL", "something went wrong inside V8Box")
            await self._answer(message, answer)
        lane.task = None

    async def _perform(self, lane: _Lane, request: protocol.OverWebSocket) -> bytes:
        if isinstance(request, protocol.CloseStream):
            await self._close_lane(lane)
            return b'{"type":"close_stream"}'
        if isinstance(request, protocol.OpenStream):
            if self.token is None or self._database is None:
                raise BindingError("STREAM_NOT_OPEN", "the WebSocket is not signed in")
            lane.held = self._streams.open(self.token, self._database, self._texts)
            return b'{"type":"open_stream"}'
        if isinstance(request, protocol.CloseCursor):
            self._cursor_lanes.pop(request.cursor_id, None)
            self._cursor_bytes -= lane.cursors.pop(request.cursor_id, _Cursor()).bytes
            return b'{"type":"close_cursor"}'
        if isinstance(request, protocol.FetchCursor):
            return self._fetch(lane, request)
        if lane.held is None:
            raise BindingError("STREAM_NOT_OPEN", "the stream could not be opened")
        if isinstance(request, protocol.OpenCursor):
            return await self._open_cursor(lane, lane.held, request)
        return await lane.held.stream.respond(request, self._texts, self._streams.allowance())

    async def _open_cursor(self, lane: _Lane, held: Held, request: protocol.OpenCursor) -> bytes:
        """Runs the whole batch: its results are bounded, and the transaction need not wait for who fetches them."""
        if len(self._cursor_lanes) > self._limits.cursors:
            raise BindingError("TOO_MANY_CURSORS", f"a WebSocket may have {self._limits.cursors} cursors open")
        allowance = self._streams.allowance()
        allowance.response_bytes -= self._cursor_bytes
        cursor = _Cursor()
        async for number, result in held.stream.steps(request.batch, self._texts, allowance):
            if isinstance(result, BindingError):
                cursor.add(protocol.step_error(number, result))
            else:
                for entry in protocol.step_entries(number, result):
                    cursor.add(entry)
        lane.cursors[request.cursor_id] = cursor
        self._cursor_bytes += cursor.bytes
        return b'{"type":"open_cursor"}'

    def _fetch(self, lane: _Lane, request: protocol.FetchCursor) -> bytes:
        cursor = lane.cursors.get(request.cursor_id)
        if cursor is None:
            raise BindingError("CURSOR_NOT_OPEN", "the cursor could not be opened")
        entries: list[bytes] = []
        size = 0
        while cursor.entries and len(entries) < request.max_count and size < _FETCH_BYTES:
            size += len(cursor.entries[0])
            entries.append(cursor.entries.popleft())
        cursor.bytes -= size
        self._cursor_bytes -= size
        done = b"false" if cursor.entries else b"true"
        return b'{"type":"fetch_cursor","entries":[%b],"done":%b}' % (b",".join(entries), done)

    async def _close_lane(self, lane: _Lane) -> None:
        self._lanes.pop(lane.stream_id, None)
        for number in [number for number, each in self._cursor_lanes.items() if each is lane]:
            del self._cursor_lanes[number]
        self._cursor_bytes -= sum(cursor.bytes for cursor in lane.cursors.values())
        lane.cursors.clear()
        if lane.held is not None:
            await self._streams.close(lane.held, own_texts=False)

    # ---- answers and the end

    async def _answer(self, message: Request, answer: bytes | BindingError) -> None:
        number = message.request_id
        if isinstance(answer, BindingError):
            error = protocol.error_body(answer.code, answer.message)
            await self._say(b'{"type":"response_error","request_id":%d,"error":%b}' % (number, error))
        else:
            await self._say(b'{"type":"response_ok","request_id":%d,"response":%b}' % (number, answer))
        self._outstanding -= 1
        self._room.set()

    async def _say(self, message: bytes) -> None:
        """Sends one message. A client that does not take it in time is given up."""
        async with self._sending:
            if self._closing.done():
                return
            try:
                async with asyncio.timeout(self._limits.send_seconds):
                    await self._send({"type": "websocket.send", "text": message.decode()})
            except TimeoutError:
                self.close_soon(_POLICY, "the answers are not read")

    async def _close(self, closing: _Closing) -> None:
        self.close_soon(closing.code, closing.reason)  # from here on nothing else is sent
        reason = closing.reason.encode()[:_MAX_REASON_BYTES].decode("utf-8", "ignore")
        await self._send({"type": "websocket.close", "code": closing.code, "reason": reason})

    async def end(self) -> None:
        """Stops what runs, rolls back what is open."""
        lanes = list(self._lanes.values())
        tasks = [lane.task for lane in lanes if lane.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for lane in lanes:
            await self._close_lane(lane)
        self._texts.clear()
        self.ended.set()
