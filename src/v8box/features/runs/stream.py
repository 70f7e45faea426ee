"""Following as server-sent events: for as long as the client listens, an hour at most."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import msgspec
from fastapi import Response

from v8box.api.events import EventStream
from v8box.features.runs.schemas import line_fields, run_fields
from v8box.telemetry.records import LineRecord
from v8box.telemetry.ring import Record
from v8box.telemetry.tail import Event, Filter, Gap, Tail, level_of

SILENCE_SECONDS: Final = 15.0

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
    return EventStream(stream, await anext(stream), server_sent)


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
