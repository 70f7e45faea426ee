"""Following as server-sent events: for as long as the client listens, an hour at most."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from fastapi import Response

from v8box.api.asgi import Receive, Scope, Send
from v8box.features.runs.schemas import line_fields, run_fields
from v8box.telemetry.records import LineRecord
from v8box.telemetry.ring import Record
from v8box.telemetry.tail import Event, Filter, Gap, Tail, level_of

SILENCE_SECONDS: Final = 15.0
FOLLOW_SECONDS: Final = 3_600.0
"""Then the stream ends, and whoever may still read it asks again."""

Followed = Event | Gap | None


@dataclass(frozen=True, slots=True)
class Follow:
    """What somebody wants to follow."""

    wanted: Filter
    limit: int
    last_id: str | None


async def events_response(tail: Tail, follow: Follow) -> Response:
    """Raises `TooManyReaders`."""
    stream = tail.follow(follow.wanted, follow.limit, silence_seconds=SILENCE_SECONDS, last_id=follow.last_id)
    return EventStream(stream, await anext(stream))


class EventStream(Response):
    """Server-sent events, until the client leaves."""

    def __init__(self, stream: AsyncIterator[Followed], first: Followed) -> None:
        super().__init__(None, 200, {"content-type": "text/event-stream", "x-accel-buffering": "no"})
        self._stream = stream
        self._first = first

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [pair for pair in self.raw_headers if pair[0] != b"content-length"]
        sending = asyncio.create_task(self._send(send, headers), name="follow runs")
        leaving = asyncio.create_task(_disconnected(receive), name="watch for a client that leaves")
        try:
            await asyncio.wait((sending, leaving), timeout=FOLLOW_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            if sending.done():
                sending.result()
        finally:
            leaving.cancel()
            sending.cancel()
            await asyncio.gather(sending, leaving, return_exceptions=True)
            with contextlib.suppress(RuntimeError):
                await self._stream.aclose()  # type: ignore[attr-defined] # it is a generator
        if not leaving.done() or leaving.cancelled():
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _send(self, send: Send, headers: list[tuple[bytes, bytes]]) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": server_sent(self._first), "more_body": True})
        async for found in self._stream:
            await send({"type": "http.response.body", "body": server_sent(found), "more_body": True})


def server_sent(found: Followed) -> bytes:
    if found is None:
        return b": nothing new\n\n"
    kind, data = shown(found)
    return b"id: %s\nevent: %s\ndata: %s\n\n" % (found.id.encode(), kind.encode(), msgspec.json.encode(data))


def shown(found: Event | Gap) -> tuple[str, dict[str, Any]]:
    """The kind of an event, and what it says."""
    if isinstance(found, Gap):
        return "gap", {"missed": found.missed}
    return record_shown(found.record, found.id)


def record_shown(record: Record, id_: str) -> tuple[str, dict[str, Any]]:
    if isinstance(record, LineRecord):
        return "line", {"kind": "line", **line_fields(id_, record)}
    return "run", {"kind": "run", "level": level_of(record), **run_fields(record)}


def entry_shown(record: Record) -> dict[str, Any]:
    """One of the last, which has no place in a stream."""
    _, entry = record_shown(record, "")
    if isinstance(record, LineRecord):
        del entry["id"]
    return entry


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
