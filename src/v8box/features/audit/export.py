"""The log as a file: JSON lines, or CSV that a spreadsheet opens without running anything in it."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Final

import msgspec

from v8box.kit.times import rfc3339
from v8box.telemetry.audit import Entry

COLUMNS: Final = (
    *("number", "at", "project", "actor_kind", "actor_id", "actor_name", "address", "request_id"),
    *("action", "resource", "before", "after", "previous", "hash"),
)
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")
"""What a spreadsheet takes for the beginning of a formula."""


def plain(entry: Entry) -> dict[str, object]:
    """An entry in JSON."""
    event, actor = entry.event, entry.event.actor
    return {
        "number": entry.number,
        "at": rfc3339(entry.at),
        "project": event.project,
        "actor": {"kind": actor.kind, "id": actor.id, "name": actor.name},
        "address": actor.address,
        "request_id": actor.request_id,
        "action": event.action,
        "resource": event.resource,
        "before": event.before,
        "after": event.after,
        "previous": entry.previous,
        "hash": entry.hash,
    }


async def as_lines(pieces: AsyncIterator[list[Entry]]) -> AsyncIterator[bytes]:
    encode = msgspec.json.Encoder().encode
    async for piece in pieces:
        yield b"".join(encode(plain(entry)) + b"\n" for entry in piece)


async def as_csv(pieces: AsyncIterator[list[Entry]]) -> AsyncIterator[bytes]:
    yield _rows([COLUMNS])
    async for piece in pieces:
        yield _rows([[_cell(value) for value in _row(entry)] for entry in piece])


FORMATS: Final[dict[str, tuple[str, Callable[[AsyncIterator[list[Entry]]], AsyncIterator[bytes]]]]] = {
    "jsonl": ("application/jsonl", as_lines),
    "csv": ("text/csv; charset=utf-8", as_csv),
}


def _row(entry: Entry) -> Sequence[object]:
    event, actor = entry.event, entry.event.actor
    return (
        *(entry.number, rfc3339(entry.at), event.project, actor.kind, actor.id, actor.name),
        *(actor.address, actor.request_id, event.action, event.resource),
        *(None if value is None else msgspec.json.encode(value).decode() for value in (event.before, event.after)),
        *(entry.previous, entry.hash),
    )


def _cell(value: object) -> str:
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def _rows(rows: Sequence[Sequence[object]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode("utf-8", "replace")
