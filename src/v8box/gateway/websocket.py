"""A WebSocket to a worker: the gateway holds the connection, messages pass both ways as frames."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from v8box.catalog.model import Version
from v8box.errors import StopReason, V8BoxError
from v8box.gateway import errors
from v8box.gateway.headers import outgoing
from v8box.gateway.invoke import Receive, Send
from v8box.pool.pool import Pool
from v8box.sandbox.channel import Inbound, StreamClosed
from v8box.sandbox.interface import Death, Invocation, RunFailed, RunKilled, StartupFailed
from v8box.sandbox.run import MAX_MESSAGE_BYTES, Messages, Response, Run

_GOING_AWAY = 1001
_TOO_BIG = 1009
_INTERNAL = 1011
_RESTART = 1012


@dataclass(slots=True)
class WebSocketResult:
    """What the run's record says of it."""

    status: int = 0
    outcome: str = "ok"
    bytes_out: int = 0


async def serve_websocket(pool: Pool, version: Version, invocation: Invocation, receive: Receive, send: Send) -> WebSocketResult:
    """Offers the upgrade to the worker and, if it takes it, passes messages until either side closes."""
    result = WebSocketResult()
    await receive()  # websocket.connect
    run: Run | None = None
    try:
        run = pool.try_run(version, invocation) or await pool.queue_run(version, invocation)
        response = await run.response
    except (RunFailed, RunKilled, StartupFailed, V8BoxError) as error:
        problem = errors.answer(error, invocation.run_id, envelope=False)
        result.status, result.outcome = problem.status, problem.reason or "exception"
        await _deny(send, problem.status, problem.headers, problem.body)
        return result
    result.status = response.status
    if not response.upgrade or run.messages is None:
        body = await _whole(response)
        await _deny(send, response.status, outgoing(response.headers), body)
        return result
    headers = outgoing(response.headers)
    protocol = next((value.decode("latin-1") for name, value in headers if name == b"sec-websocket-protocol"), None)
    await send({"type": "websocket.accept", "subprotocol": protocol, "headers": []})
    inward = asyncio.create_task(_inward(run, run.messages, receive, send), name="websocket in")
    try:
        await _outward(run.messages, send, result)
    except StreamClosed:
        reason = run.death.reason if run.death else StopReason.CLIENT_GONE
        result.outcome = str(reason)
        if run.death is not None and reason is not StopReason.CLIENT_GONE:
            code = _RESTART if reason in (StopReason.REPLACED, StopReason.RECYCLED, StopReason.SHUTDOWN) else _INTERNAL
            await send({"type": "websocket.close", "code": code, "reason": str(reason)})
    finally:
        inward.cancel()
        if not run.done:
            run.messages.closed(_GOING_AWAY, "the connection is gone")
            run.cancel("the connection is gone")
    return result


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


async def _outward(messages: Messages, send: Send, result: WebSocketResult) -> None:
    while True:
        item: tuple[Any, Any] = await messages.receive()
        kind, value = item
        if isinstance(kind, bool):
            await send({"type": "websocket.send", "text": value.decode("utf-8", "replace")} if kind else {"type": "websocket.send", "bytes": value})
            result.bytes_out += len(value)
            messages.delivered(len(value))
        else:
            await send({"type": "websocket.close", "code": kind, "reason": value})
            messages.closed(kind, value)
            return


async def _whole(response: Response) -> bytes:
    if not isinstance(response.body, Inbound):
        return response.body
    body = bytearray()
    async for chunk in response.body:
        body += chunk
        if len(body) > MAX_MESSAGE_BYTES:
            break
    return bytes(body)


async def _deny(send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    """The worker answered without upgrading. ASGI servers without the denial extension can only say 403."""
    del status, headers, body
    await send({"type": "websocket.close", "code": 1008, "reason": "the worker did not take the WebSocket"})
