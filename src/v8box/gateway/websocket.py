"""A WebSocket to a worker: the gateway holds the connection, messages pass both ways as frames."""

from __future__ import annotations

import asyncio
from typing import Any

from v8box.errors import StopReason, V8BoxError
from v8box.gateway import errors
from v8box.gateway.headers import outgoing
from v8box.gateway.invoke import Exchange, Message, Receive, Send
from v8box.pool.pool import Pool
from v8box.sandbox.channel import StreamClosed
from v8box.sandbox.interface import Death, Invocation, RunFailed, RunKilled, StartupFailed
from v8box.sandbox.run import MAX_MESSAGE_BYTES, Messages, Run

_GOING_AWAY = 1001
_NO_CODE = 1005
_ABNORMAL = 1006
_REFUSED = 1008
_TOO_BIG = 1009
_INTERNAL = 1011
_RESTART = 1012
_MAX_REASON_BYTES = 123
_RESTARTS = (StopReason.REPLACED, StopReason.RECYCLED, StopReason.SHUTDOWN, StopReason.EVICTED)


async def serve_websocket(exchange: Exchange, pool: Pool, invocation: Invocation) -> str:
    """Offers the upgrade to the worker and, if it takes it, passes messages until either side closes. Gives the run's
    outcome."""
    await exchange.receive()  # websocket.connect
    leaving: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    first = asyncio.create_task(_first(exchange, leaving), name="websocket opening")
    try:
        try:
            run = exchange.run = pool.try_run(exchange.placement, invocation) or await exchange.wait_turn(
                invocation, leaving
            )
            response = await run.response
        except (RunFailed, RunKilled, StartupFailed, V8BoxError) as error:
            answer = errors.answer(error, exchange.request_id, envelope=False)
            exchange.status = answer.status
            if isinstance(error, RunFailed | StartupFailed):
                exchange.failure = error
            await _end(first)
            if answer.reason != StopReason.CLIENT_GONE:
                await refuse_websocket(exchange.send, "the worker failed")
            return answer.reason or ("exception" if isinstance(error, RunFailed) else "refused")
        leaving.cancel()  # from here on a client that leaves has closed its WebSocket
        exchange.status = response.status
        if not response.upgrade or run.messages is None:
            if run.body is not None:
                run.cancel("the worker did not take the WebSocket")
                run.body.fail("the worker did not take the WebSocket")
            await _end(first)
            await refuse_websocket(exchange.send, "the worker did not take the WebSocket")
            return "ok"
        headers = outgoing(response.headers)
        protocol = next((value.decode("latin-1") for name, value in headers if name == b"sec-websocket-protocol"), None)
        await exchange.send({"type": "websocket.accept", "subprotocol": protocol, "headers": []})
    except BaseException:
        first.cancel()
        exchange.abandon("the WebSocket could not be opened")
        raise
    return await _Talk(exchange, run, run.messages).hold(first)


async def refuse_websocket(send: Send, reason: str) -> None:
    """Without ASGI's denial extension, which the server lacks, the client sees a 403 whatever the worker said."""
    await send(_close(_REFUSED, reason))


async def _first(exchange: Exchange, leaving: asyncio.Future[None]) -> Message:
    """What the client sends first. Until the worker has answered that can only be that it leaves."""
    message = await exchange.receive()
    if message["type"] == "websocket.disconnect" and not leaving.done():
        leaving.set_result(None)
        exchange.abandon("the client went away")
    return message


async def _end(task: asyncio.Task[Any]) -> None:
    """Ends what waits to receive: the server does not send a close while somebody does."""
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def _close(code: int, reason: str) -> Message:
    """The close as a client may have it (RFC 6455 §7.4): a worker may have invented its code."""
    if not (1000 <= code <= 1003 or 1007 <= code <= 1014 or 3000 <= code <= 4999):
        code = _INTERNAL
    short = reason.encode("utf-8", "replace")[:_MAX_REASON_BYTES].decode("utf-8", "ignore")
    return {"type": "websocket.close", "code": code, "reason": short}


class _Talk:
    """An open WebSocket. When one side closes, the other is told, and the run ends by itself: what the worker does on
    the close is the run's last work, within the wall time of any other."""

    __slots__ = ("_exchange", "_left", "_messages", "_run", "_told", "_too_big")

    def __init__(self, exchange: Exchange, run: Run, messages: Messages) -> None:
        self._exchange = exchange
        self._run = run
        self._messages = messages
        self._told = False
        self._left = False
        self._too_big = False

    async def hold(self, first: asyncio.Task[Message]) -> str:
        """Passes messages until it is over; gives the run's outcome."""
        run = self._run
        inward = asyncio.create_task(self._inward(first, self._exchange.receive), name="websocket in")
        outcome = "ok"
        closing: tuple[int, str] | None = None
        try:
            closing = await self._outward()
            self._tell(*closing)
        except StreamClosed:
            if self._too_big:
                closing = (_TOO_BIG, "a message may have 1 MB")
            elif not self._left:
                outcome = str(run.death.reason) if run.death is not None else "broken"
                closing = (_RESTART if outcome in _RESTARTS else _INTERNAL, outcome)
        finally:
            self._tell(_GOING_AWAY, "the connection is gone")
            if not run.done:
                run.upgraded = False
                run.progress = asyncio.get_running_loop().time()
            await _end(inward)
        if closing is not None:
            await self._exchange.send(_close(*closing))
        return outcome

    def _tell(self, code: int, reason: str) -> None:
        """The worker hears of the close, once."""
        if not self._told and not self._run.done and self._run.cancelled is None:
            self._told = True
            self._messages.closed(code, reason)

    async def _inward(self, first: asyncio.Task[Message], receive: Receive) -> None:
        messages = self._messages
        try:
            message = await first
            while message["type"] != "websocket.disconnect":
                text: str | None = message.get("text")
                data = text.encode() if text is not None else message.get("bytes") or b""
                if len(data) > MAX_MESSAGE_BYTES:
                    self._too_big = True
                    detail = "the client sent a message that is too long"
                    self._tell(_TOO_BIG, detail)
                    self._run.kill(Death(reason=StopReason.CLIENT_GONE, detail=detail))
                    return
                await messages.send(text is not None, data)
                message = await receive()
            self._left = True
            self._tell(message.get("code") or _NO_CODE, message.get("reason") or "")
            messages.lost()  # wakes the other direction
        except StreamClosed:
            return  # the run is over; `hold` says so to the client
        except Exception as error:
            self._left = True
            self._tell(_ABNORMAL, "the connection broke")
            self._run.kill(Death(reason=StopReason.CLIENT_GONE, detail=f"the connection broke: {error}"))

    async def _outward(self) -> tuple[int, str]:
        """Passes messages to the client until the worker closes; gives its code and reason."""
        messages, exchange = self._messages, self._exchange
        while True:
            item: tuple[Any, Any] = await messages.receive()
            if self._left:
                raise StreamClosed("the client is gone")
            kind, value = item
            if not isinstance(kind, bool):
                return kind, value
            message = {"text": value.decode("utf-8", "replace")} if kind else {"bytes": value}
            await exchange.send({"type": "websocket.send", **message})
            exchange.bytes_out += len(value)
            messages.delivered(len(value))
