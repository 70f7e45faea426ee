"""Hrana over WebSocket: many streams on one connection, in JSON (subprotocols hrana1, hrana2, hrana3).

Requests of one stream run in order, those of different streams side by side. A client that stops reading is not read
from either, and a connection that breaks the protocol is closed with a reason.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from v8box.bindings.db.interface import DatabaseId
from v8box.bindings.interface import BindingError
from v8box.errors import V8BoxError
from v8box.features.hrana import protocol
from v8box.features.hrana.headers import bearer_of
from v8box.features.hrana.lanes import POLICY, PROTOCOL, Closing, Lanes
from v8box.features.hrana.limits import HranaLimits
from v8box.features.hrana.protocol import Decode, ProtocolError
from v8box.features.hrana.streams import Streams
from v8box.features.hrana.tokens import Token, TokenRefused, Tokens

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

logger = logging.getLogger(__name__)

_SUBPROTOCOLS: Final = ("hrana3", "hrana2", "hrana1")
_NORMAL, _GOING_AWAY, _UNSUPPORTED, _TOO_BIG, _INTERNAL = 1000, 1001, 1003, 1009, 1011
_MAX_REASON_BYTES: Final = 123
_HELLO_OK: Final = b'{"type":"hello_ok"}'
_STOP_SECONDS: Final = 2.0


class _Gone(Exception):
    """The client has left."""


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
            await send({"type": "websocket.close", "code": POLICY, "reason": "not served"})
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
                connection.close_soon(POLICY, "the token was deleted")

    async def stop(self) -> None:
        connections = list(self._open)
        for connection in connections:
            connection.close_soon(_GOING_AWAY, "the box is stopping")
        try:
            async with asyncio.timeout(_STOP_SECONDS):
                for connection in connections:
                    await connection.ended.wait()
        except TimeoutError:
            logger.warning("%d database WebSockets did not end in time", len(self._open))


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
        self._closing: asyncio.Future[Closing] = asyncio.get_running_loop().create_future()
        self._lanes = Lanes(self._streams, self._limits, self._answer)
        self._decode = Decode(protocol.ClientMessage)
        self._database: DatabaseId | None = None
        self.token: Token | None = None
        self.ended = asyncio.Event()

    def close_soon(self, code: int, reason: str) -> None:
        if not self._closing.done():
            self._closing.set_result(Closing(code, reason))
            self._lanes.stop_waiting()

    async def hold(self) -> None:
        """Serves until either side closes."""
        try:
            while True:
                await self._handle(await self._next())
        except Closing as closing:
            await self._close(closing)
        except _Gone:
            return
        except Exception:
            logger.exception("a database WebSocket failed")
            await self._close(Closing(_INTERNAL, "something went wrong inside V8Box"))

    async def _next(self) -> str:
        """The next message. Raises `_Gone` when the client has left, `Closing` when we are to close."""
        receiving = asyncio.create_task(self._listen(), name="database WebSocket in")
        limits = self._limits
        idle = limits.hello_seconds if self.token is None else limits.connection_idle_seconds
        try:
            while not receiving.done() and not self._closing.done():
                done, _ = await asyncio.wait(
                    (receiving, self._closing), timeout=idle, return_when=asyncio.FIRST_COMPLETED
                )
                if not done and not self._lanes.outstanding:
                    raise Closing(_NORMAL if self.token else POLICY, "nothing was said for too long")
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
            raise Closing(_UNSUPPORTED, "only text messages, in JSON")
        if len(text) > limits.body_bytes:
            raise Closing(_TOO_BIG, f"a message may have {limits.body_bytes} bytes")
        return text

    async def _listen(self) -> Message:
        return await self._receive()  # the server's own awaitable is no future that could be cancelled and awaited

    async def _handle(self, text: str) -> None:
        try:
            message = self._decode(text)
        except ProtocolError as error:
            raise Closing(PROTOCOL, str(error)) from error
        if isinstance(message, protocol.Hello):
            await self._hello(message.jwt)
            return
        if self.token is None or self._database is None:
            raise Closing(PROTOCOL, "the first message must be hello")
        if not self.token.valid:
            raise Closing(POLICY, "the token has expired or was deleted")
        await self._lanes.take(message, self.token, self._database)

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
            raise Closing(POLICY, detail) from error
        await self._say(_HELLO_OK)

    # ---- answers and the end

    async def _answer(self, number: int, answer: bytes | BindingError) -> None:
        if isinstance(answer, BindingError):
            error = protocol.error_body(answer.code, answer.message)
            await self._say(b'{"type":"response_error","request_id":%d,"error":%b}' % (number, error))
        else:
            await self._say(b'{"type":"response_ok","request_id":%d,"response":%b}' % (number, answer))

    async def _say(self, message: bytes) -> None:
        """Sends one message. A client that does not take it in time is given up."""
        async with self._sending:
            if self._closing.done():
                return
            try:
                async with asyncio.timeout(self._limits.send_seconds):
                    await self._send({"type": "websocket.send", "text": message.decode()})
            except TimeoutError:
                self.close_soon(POLICY, "the answers are not read")

    async def _close(self, closing: Closing) -> None:
        self.close_soon(closing.code, closing.reason)  # from here on nothing else is sent
        reason = closing.reason.encode()[:_MAX_REASON_BYTES].decode("utf-8", "ignore")
        await self._send({"type": "websocket.close", "code": closing.code, "reason": reason})

    async def end(self) -> None:
        """Stops what runs, rolls back what is open."""
        await self._lanes.end()
        self.ended.set()
