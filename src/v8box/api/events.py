"""Server-sent events: an answer that goes on for as long as the client listens.

Whoever reads it takes it up again when it ends, so a proxy that keeps connections for a while only may have them.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Final, Generic, TypeVar

from fastapi import Response
from pydantic import BaseModel

from v8box.api.asgi import Receive, Scope, Send

T = TypeVar("T")

FOLLOW_SECONDS: Final = 3_600.0
"""Then the stream ends, and whoever may still read it asks again."""


def event_responses(
    description: str, events: Mapping[str, type[BaseModel]], *, ids: bool = True
) -> dict[int | str, dict[str, Any]]:
    """For `responses` of a route: a stream is a list of events, each with its kind and, as `data`, JSON in a text."""
    kinds = [_event_schema(kind, model, ids) for kind, model in events.items()]
    items = kinds[0] if len(kinds) == 1 else {"oneOf": kinds}
    schema = {"type": "array", "items": items}
    return {200: {"description": description, "content": {"text/event-stream": {"schema": schema}}}}


def _event_schema(kind: str, model: type[BaseModel], ids: bool) -> dict[str, Any]:
    data = model.model_json_schema(mode="serialization")
    data = _inlined(data, data.pop("$defs", {}))
    properties: dict[str, Any] = {"id": {"type": "string", "description": "For `Last-Event-ID`."}} if ids else {}
    properties["event"] = {"const": kind}
    properties["data"] = {"type": "string", "contentMediaType": "application/json", "contentSchema": data}
    return {"title": kind, "type": "object", "required": list(properties), "properties": properties}


def _inlined(schema: Any, known: Mapping[str, Any]) -> Any:
    """Without references: they would be taken for those of the whole document."""
    if isinstance(schema, list):
        return [_inlined(each, known) for each in schema]
    if not isinstance(schema, dict):
        return schema
    name = str(schema.get("$ref", "")).removeprefix("#/$defs/")
    if name in known:
        rest = {key: value for key, value in schema.items() if key != "$ref"}
        return _inlined({**known[name], **rest}, known)
    return {key: _inlined(value, known) for key, value in schema.items()}


class EventStream(Response, Generic[T]):
    """Sends what the generator gives, as whole events in text, which is what `encode` makes of it. The first one is
    taken before anything is sent, so that what is refused can still be an error."""

    def __init__(self, events: AsyncIterator[T], first: T, encode: Callable[[T], bytes]) -> None:
        super().__init__(None, 200, {"content-type": "text/event-stream", "x-accel-buffering": "no"})
        self._events = events
        self._first = first
        self._encode: Callable[[T], bytes] = encode

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [pair for pair in self.raw_headers if pair[0] != b"content-length"]
        sending = asyncio.create_task(self._send(send, headers), name="send events")
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
                await self._events.aclose()  # type: ignore[attr-defined] # it is a generator
        if not leaving.done() or leaving.cancelled():
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _send(self, send: Send, headers: list[tuple[bytes, bytes]]) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": self._encode(self._first), "more_body": True})
        async for event in self._events:
            await send({"type": "http.response.body", "body": self._encode(event), "more_body": True})


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
