"""A WebSocket to a worker: the gateway holds the connection, messages pass both ways as frames."""

from __future__ import annotations

import asyncio
from typing import Any

from v8box.errors import StopReason, V8BoxError
from v8box.gateway import errors
from v8box.gateway.headers import outgoing
from v8box.gateway.invoke import Exchange, Receive, Send
from v8box.pool.pool import Pool
from v8box.sandbox.channel import StreamClosed
from v8box.sandbox.interface import Death, Invocation, RunFailed, RunKilled, StartupFailed
from v8box.sandbox.run import MAX_MESSAGE_BYTES, Messages, Run

_GOING_AWAY = 1001
_TOO_BIG = 1009
_INTERNAL = 1011
_RESTART = 1012
_TOO_LONG = "the client sent a message that is too long"
_RESTARTS = (StopReason.REPLACED, StopReason.RECYCLED, StopReason.SHUTDOWN, StopReason.EVICTED)


async def serve_websocket(exchange: Exchange, pool: Pool, invocation: Invocation) -> str:
    """Offers the upgrade to the worker and, if it takes it, passes messages until either side closes. Gives the run's
    outcome."""
    receive, send = exchange.receive, exchange.send
    await receive()  # websocket.connect
    try:
        run = exchange.run = pool.try_run(exchange.version, invocation) or await pool.queue_run(
            exchange.version, invocation
        )
        response = await run.response
    except (RunFailed, RunKilled, StartupFailed, V8BoxError) as error:
        answer = errors.answer(error, invocation.run_id, envelope=False)
        exchange.status = answer.status
        await _refuse(send, "the worker failed")
        return answer.reason or "exception"
    exchange.status = response.status
    if not response.upgrade or run.messages is None:
        run.cancel("the worker did not take the WebSocket")
        await _refuse(send, "the worker did not take the WebSocket")
        return "ok"
    headers = outgoing(response.headers)
    protocol = next((value.decode("latin-1") for name, value in headers if name == b"sec-websocket-protocol"), None)
    await send({"type": "websocket.accept", "subprotocol": protocol, "headers": []})
    inward = asyncio.create_task(_inward(run, run.messages, receive), name="websocket in")
    outcome = "ok"
    closing: tuple[int, str] | None = None
    try:
        closing = await _outward(exchange, run.messages)
        run.messages.closed(*closing)
    except StreamClosed:
        death = run.death
        if death is not None and death.reason is not StopReason.CLIENT_GONE:
            outcome = str(death.reason)
            closing = (_RESTART if death.reason in _RESTARTS else _INTERNAL, outcome)
        elif death is not None and death.detail == _TOO_LONG:
            closing = (_TOO_BIG, "a message may have 1 MB")
    finally:
        # The server does not send a close while somebody waits to receive.
        inward.cancel()
        await asyncio.gather(inward, return_exceptions=True)
        if closing is not None:
            await send({"type": "websocket.close", "code": closing[0], "reason": closing[1]})
        if not run.done:
            run.messages.closed(_GOING_AWAY, "the connection is gone")
            run.cancel("the connection is gone")
    return outcome


async def _inward(run: Run, messages: Messages, receive: Receive) -> None:
    try:
        while True:
            message = await receive()
            if message["type"] == "websocket.disconnect":
                messages.closed(message.get("code") or 1005, message.get("reason") or "")
                run.kill(Death(reason=StopReason.CLIENT_GONE, detail="the client closed the connection"))
                return
            text: str | None = message.get("text")
            data = text.encode() if text is not None else message.get("bytes") or b""
            if len(data) > MAX_MESSAGE_BYTES:
                messages.closed(_TOO_BIG, _TOO_LONG)
                run.kill(Death(reason=StopReason.CLIENT_GONE, detail=_TOO_LONG))
                return
            await messages.send(text is not None, data)
    except StreamClosed:
        return  # the run is over; `_outward` says so to the client


async def _outward(exchange: Exchange, messages: Messages) -> tuple[int, str]:
    """Passes messages to the client until the worker closes; gives its code and reason."""
    while True:
        item: tuple[Any, Any] = await messages.receive()
        kind, value = item
        if not isinstance(kind, bool):
            return kind, value
        message = {"text": value.decode("utf-8", "replace")} if kind else {"bytes": value}
        await exchange.send({"type": "websocket.send", **message})
        exchange.bytes_out += len(value)
        messages.delivered(len(value))


async def _refuse(send: Send, reason: str) -> None:
    """Without ASGI's denial extension, which the server lacks, the client sees a 403 whatever the worker said."""
    await send({"type": "websocket.close", "code": 1008, "reason": reason})
