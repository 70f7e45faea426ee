"""Following over a WebSocket: the same events as server-sent ones, each a message `{"event", "id", "data"}`."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import msgspec
from fastapi import WebSocket

from v8box.api.events import FOLLOW_SECONDS
from v8box.errors import BadRequest
from v8box.features.runs.stream import SILENCE_SECONDS, Follow, Followed, shown
from v8box.telemetry.records import LEVELS
from v8box.telemetry.tail import MAX_LIMIT, Filter, Tail


async def serve_socket(websocket: WebSocket, tail: Tail) -> None:
    """Until the client leaves, an hour at most. Raises `BadRequest`, `TooManyReaders` before it accepts."""
    follow = _asked(websocket)
    stream = tail.follow(follow.wanted, follow.limit, silence_seconds=SILENCE_SECONDS, last_id=follow.last_id)
    await anext(stream)
    sending = leaving = None
    try:
        await websocket.accept()
        sending = asyncio.create_task(_send(websocket, stream), name="follow runs")
        leaving = asyncio.create_task(_left(websocket), name="watch for a client that leaves")
        await asyncio.wait((sending, leaving), timeout=FOLLOW_SECONDS, return_when=asyncio.FIRST_COMPLETED)
    finally:
        tasks = [task for task in (sending, leaving) if task is not None]
        gone = leaving is not None and leaving.done()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        with contextlib.suppress(RuntimeError):
            await stream.aclose()  # type: ignore[attr-defined] # it is a generator
    if not gone:
        await websocket.close()


async def _send(websocket: WebSocket, stream: AsyncIterator[Followed]) -> None:
    async for found in stream:
        if found is None:
            message: dict[str, object] = {"event": "silence", "id": None, "data": None}
        else:
            kind, data = shown(found)
            message = {"event": kind, "id": found.id, "data": data}
        await websocket.send_text(msgspec.json.encode(message).decode())


async def _left(websocket: WebSocket) -> None:
    while (await websocket.receive())["type"] != "websocket.disconnect":
        pass  # there is nothing to say to it


def _asked(websocket: WebSocket) -> Follow:
    """The query, as that of the events has it; `last_event_id` stands there too, as a browser can set no header."""
    query = websocket.query_params
    kind, level, limit = query.get("kind"), query.get("level"), query.get("limit", "0")
    if kind not in (None, "line", "run"):
        raise BadRequest("kind: line or run.")
    if level is not None and level not in LEVELS:
        raise BadRequest("level: debug, info, warn or error.")
    if not limit.isascii() or not limit.isdigit() or len(limit) > 4 or int(limit) > MAX_LIMIT:
        raise BadRequest(f"limit: a number from 0 to {MAX_LIMIT}.")
    wanted = Filter(
        project=websocket.path_params["project"],
        worker=query.get("worker"),
        environment=query.get("environment"),
        kind=kind,  # type: ignore[arg-type] # looked at above
        level=level,
        run=query.get("request_id"),
        text=query.get("text") or None,
    )
    return Follow(wanted, int(limit), query.get("last_event_id"))
