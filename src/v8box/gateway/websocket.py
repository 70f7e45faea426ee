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
    inward = asyncio.create_task(_inward(run, run.messages, receive, send), name="websocket in")
    try:
        await _outward(exchange, run.messages)
    except StreamClosed:
        reason = run.death.reason if run.death else StopReason.CLIENT_GONE
        if reason is not StopReason.CLIENT_GONE:
            code = _RESTART if reason in _RESTARTS else _INTERNAL
            await send({"type": "websocket.close", "code": code, "reason": str(reason)})
            return str(reason)
    finally:
        inward.cancel()
        if not run.done:
            run.messages.closed(_GOING_AWAY, "the connection is gone")
            run.cancel("the connection is gone")
    return "ok"


async def _inward(run: Run, messages: Messages, receive: Receive, send: Send) -> None:
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
                await send({"type": "websocket.close", "code": _TOO_BIG, "reason": "a message may have 1 MB"})
                messages.closed(_TOO_BIG, "the client sent a message that is too long")
                run.kill(Death(reason=StopReason.CLIENT_GONE, detail="a message that is too long"))
                return
            await messages.send(text is not None, data)
    except StreamClosed:
        return  # the run is over; `_outward` says so to the client


async def _outward(exchange: Exchange, messages: Messages) -> None:
    while True:
        item: tuple[Any, Any] = await messages.receive()
        kind, value = item
        if isinstance(kind, bool):
            message = {"text": value.decode("utf-8", "replace")} if kind else {"bytes": value}
            await exchange.send({"type": "websocket.send", **message})
            exchange.bytes_out += len(value)
            messages.delivered(len(value))
        else:
            await exchange.send({"type": "websocket.close", "code": kind, "reason": value})
            messages.closed(kind, value)
            return


async def _refuse(send: Send, reason: str) -> None:
    """Without ASGI's denial extension, which the server does not have, the client sees a 403 whatever the worker said."""
    await send({"type": "websocket.close", "code": 1008, "reason": reason})
