"""The requests of one WebSocket: in order on each stream, side by side on different ones; and its cursors.

A cursor's batch runs whole when it is opened: its results are bounded, and so its transaction need not wait for whoever
fetches them.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final

from v8box.bindings.db.interface import DatabaseId
from v8box.bindings.interface import BindingError
from v8box.errors import V8BoxError
from v8box.features.hrana import protocol
from v8box.features.hrana.limits import HranaLimits
from v8box.features.hrana.protocol import OverWebSocket, Request
from v8box.features.hrana.streams import Held, Streams
from v8box.features.hrana.tokens import Token
from v8box.kit.tasks import TaskSet

logger = logging.getLogger(__name__)

PROTOCOL: Final = 1002
POLICY: Final = 1008
_FETCH_BYTES: Final = 1_000_000

Answer = Callable[[int, bytes | BindingError], Awaitable[None]]
"""Sends the response, or the error, to the request with this number."""


class Closing(Exception):
    """The WebSocket is to be closed by us, with this code (RFC 6455 §7.4.1) and reason."""

    def __init__(self, code: int, reason: str) -> None:
        self.code = code
        self.reason = reason
        super().__init__(reason)


class _Cursor:
    """The entries of a batch that are not fetched yet."""

    __slots__ = ("bytes", "entries")

    def __init__(self) -> None:
        self.bytes = 0
        self.entries: deque[bytes] = deque()


class _Lane:
    """One stream and the requests that wait for it. `held` is None when it could not be opened, and after its close."""

    __slots__ = ("busy", "cursors", "held", "stream_id", "waiting")

    def __init__(self, stream_id: int) -> None:
        self.stream_id = stream_id
        self.held: Held | None = None
        self.waiting: deque[tuple[int, OverWebSocket, Token, DatabaseId]] = deque()
        self.busy = False
        self.cursors: dict[int, _Cursor] = {}


class Lanes:
    """All streams, cursors and stored texts of one WebSocket."""

    def __init__(self, streams: Streams, limits: HranaLimits, answer: Answer) -> None:
        self._streams = streams
        self._limits = limits
        self._answer = answer
        self._texts = streams.texts()
        self._lanes: dict[int, _Lane] = {}
        self._cursors: dict[int, _Lane] = {}  # the lane of each, also of one that failed to open
        self._cursor_bytes = 0
        self._tasks = TaskSet()
        self._room = asyncio.Event()
        self._stopping = False
        self.outstanding = 0
        """Requests that are not answered yet."""

    async def take(self, message: Request, token: Token, database: DatabaseId) -> None:
        """Queues a request behind those of its stream. Waits while too many are not answered: so long nothing is
        received. Raises `Closing` for what breaks the protocol or its limits."""
        while self.outstanding >= self._limits.requests and not self._stopping:
            self._room.clear()
            await self._room.wait()
        self.outstanding += 1
        request = message.request
        try:
            if isinstance(request, protocol.StoreSql | protocol.CloseSql):
                await self._reply(message.request_id, self._store(request))
                return
            # Here, not when its turn comes: the client may close a text right after the request that uses it.
            protocol.resolve(request, self._texts.find)
            lane = self._lane(request)
        except BindingError as error:
            await self._reply(message.request_id, error)
            return
        lane.waiting.append((message.request_id, request, token, database))
        if not lane.busy:
            lane.busy = True
            self._tasks.add(self._work(lane), "database stream of a WebSocket")

    def stop_waiting(self) -> None:
        """Lets a waiting `take` go on: the WebSocket closes."""
        self._stopping = True
        self._room.set()

    async def end(self) -> None:
        """Stops what runs, rolls back what is open."""
        await self._tasks.cancel()
        for lane in list(self._lanes.values()):
            await self._close(lane)
        self._texts.clear()

    def _store(self, request: protocol.StoreSql | protocol.CloseSql) -> bytes:
        if isinstance(request, protocol.StoreSql):
            self._texts.store(request.sql_id, request.sql)
            return b'{"type":"store_sql"}'
        self._texts.drop(request.sql_id)
        return b'{"type":"close_sql"}'

    def _lane(self, request: OverWebSocket) -> _Lane:
        lane: _Lane | None
        match request:
            case protocol.OpenStream():
                if request.stream_id in self._lanes:
                    raise Closing(PROTOCOL, f"the stream {request.stream_id} is open already")
                if len(self._lanes) >= self._limits.token_streams:
                    raise Closing(POLICY, "too many streams")
                lane = self._lanes[request.stream_id] = _Lane(request.stream_id)
            case protocol.FetchCursor() | protocol.CloseCursor():
                lane = self._cursors.get(request.cursor_id)
            case protocol.OpenCursor():
                if request.cursor_id in self._cursors:
                    raise Closing(PROTOCOL, f"the cursor {request.cursor_id} is open already")
                if len(self._cursors) >= 2 * self._limits.cursors:
                    raise Closing(POLICY, "too many cursors")
                lane = self._lanes.get(request.stream_id)
                if lane is not None:
                    self._cursors[request.cursor_id] = lane
            case _:
                lane = self._lanes.get(request.stream_id)
        if lane is None:
            raise BindingError("STREAM_NOT_OPEN", "there is no such stream or cursor")
        return lane

    async def _work(self, lane: _Lane) -> None:
        """Answers what waits on one stream, in order."""
        while lane.waiting:
            number, request, token, database = lane.waiting.popleft()
            try:
                async with asyncio.timeout(self._limits.pipeline_seconds):
                    answer: bytes | BindingError = await self._perform(lane, request, token, database)
            except BindingError as error:
                answer = error
            except V8BoxError as error:
                answer = BindingError(error.code.upper(), error.detail)
            except TimeoutError:
                answer = BindingError("TIMEOUT", "the request took too long")
            except Exception:
                logger.exception("a request on a database WebSocket failed")
                answer = BindingError("INTERNAL", "something went wrong inside V8Box")
            await self._reply(number, answer)
        lane.busy = False

    async def _reply(self, number: int, answer: bytes | BindingError) -> None:
        try:
            await self._answer(number, answer)
        finally:
            self.outstanding -= 1
            self._room.set()

    async def _perform(self, lane: _Lane, request: OverWebSocket, token: Token, database: DatabaseId) -> bytes:
        match request:
            case protocol.OpenStream():
                lane.held = self._streams.open(token, database, self._texts)
                return b'{"type":"open_stream"}'
            case protocol.CloseStream():
                await self._close(lane)
                return b'{"type":"close_stream"}'
            case protocol.FetchCursor():
                return self._fetch(lane, request)
            case protocol.CloseCursor():
                self._cursors.pop(request.cursor_id, None)
                self._cursor_bytes -= lane.cursors.pop(request.cursor_id, _Cursor()).bytes
                return b'{"type":"close_cursor"}'
        if lane.held is None:
            raise BindingError("STREAM_NOT_OPEN", "the stream is closed, or could not be opened")
        if isinstance(request, protocol.OpenCursor):
            return await self._open_cursor(lane, lane.held, request)
        return await lane.held.stream.respond(request, self._texts, self._streams.allowance())

    async def _close(self, lane: _Lane) -> None:
        self._lanes.pop(lane.stream_id, None)
        for number in [number for number, each in self._cursors.items() if each is lane]:
            del self._cursors[number]
        self._cursor_bytes -= sum(cursor.bytes for cursor in lane.cursors.values())
        lane.cursors.clear()
        held, lane.held = lane.held, None
        if held is not None:
            await self._streams.close(held, own_texts=False)

    # ---- cursors

    async def _open_cursor(self, lane: _Lane, held: Held, request: protocol.OpenCursor) -> bytes:
        if len(self._cursors) > self._limits.cursors:
            raise BindingError("TOO_MANY_CURSORS", f"a WebSocket may have {self._limits.cursors} cursors open")
        allowance = self._streams.allowance()
        allowance.response_bytes -= self._cursor_bytes
        cursor = _Cursor()
        async for number, result in held.stream.steps(request.batch, self._texts, allowance):
            cursor.entries.extend(protocol.entries(number, result))
        cursor.bytes = sum(map(len, cursor.entries))
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
            entries.append(cursor.entries.popleft())
            size += len(entries[-1])
        cursor.bytes -= size
        self._cursor_bytes -= size
        done = b"false" if cursor.entries else b"true"
        return b'{"type":"fetch_cursor","entries":[%b],"done":%b}' % (b",".join(entries), done)
