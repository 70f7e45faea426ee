"""The audit log: every change, who made it and from where, before and after, in a chain of hashes.

`append` writes an entry inside the transaction that makes the change, so that neither is there without the other;
`record` is for changes that are made elsewhere (a database, a bucket). Each entry's hash covers the one before, so an
entry that is altered or taken out shows. Reading and exporting is a feature (`features/audit`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

import msgspec

from v8box.storage import Database, Row, Transaction, load_migrations, load_queries
from v8box.telemetry.actors import Actor, ActorKind

MASK: Final = "••••••"
"""What stands for a secret's value. The masking is the caller's: an entry is kept as it is given."""
_queries: Final = load_queries("v8box.telemetry", "audit.sql")
_encode: Final = msgspec.json.Encoder(order="sorted").encode
_FIRST: Final = "0" * 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One change. `action` is `<resource>.<verb>` (`worker.deploy`, `secret.set`), `resource` what it was done to
    (`worker/hello`, `user/ada`); `before` and `after` are plain JSON values, secrets masked."""

    action: str
    resource: str
    actor: Actor
    project: str | None = None
    before: Any = None
    after: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An event as it was written down."""

    number: int
    at: datetime
    event: Event
    previous: str
    hash: str


async def open_audit(database: Database) -> None:
    """Brings the table up to date. Once, before anything is written."""
    await database.migrate("audit", load_migrations("v8box.telemetry"))


def append(sql: Transaction, event: Event) -> None:
    """Writes the event down as part of this transaction."""
    last = sql.row(_queries["last"])
    number, previous = (1, _FIRST) if last is None else (int(str(last[0])) + 1, str(last[1]))
    row = _plain(event, number, datetime.now(UTC).isoformat(timespec="milliseconds"))
    sql.execute(_queries["append"], {**row, "previous": previous, "hash": _hash(previous, row)})


async def record(database: Database, event: Event) -> None:
    """Writes down a change that was made outside this database."""
    await database.write(lambda sql: append(sql, event))


async def verify(database: Database) -> int | None:
    """The number of the first entry that is not what was written, or that follows one that is gone; None: all are
    whole. Reads all entries, in pieces."""
    number, previous = 0, _FIRST
    while True:
        rows = await database.read(partial(_after, number))
        if not rows:
            return None
        for row in rows:
            entry = read(row)
            number += 1
            plain = _plain(entry.event, entry.number, _text(row[1]))
            if entry.number != number or entry.previous != previous or entry.hash != _hash(previous, plain):
                return number
            previous = entry.hash


def _after(number: int, sql: Transaction) -> list[Row]:
    return sql.rows(_queries["after"], {"after": number})


def read(row: Row) -> Entry:
    """An entry of a row with all the table's columns, in their order."""
    number, at, project, kind, actor_id, actor_name, address, request_id, action, resource, before, after, *chain = row
    return Entry(
        number=int(_text(number)),
        at=datetime.fromisoformat(_text(at)),
        event=Event(
            action=_text(action),
            resource=_text(resource),
            project=None if project is None else _text(project),
            actor=Actor(
                kind=ActorKind(_text(kind)),
                id=_text(actor_id),
                name=_text(actor_name),
                address=None if address is None else _text(address),
                request_id=None if request_id is None else _text(request_id),
            ),
            before=None if before is None else msgspec.json.decode(_text(before)),
            after=None if after is None else msgspec.json.decode(_text(after)),
        ),
        previous=_text(chain[0]),
        hash=_text(chain[1]),
    )


def _plain(event: Event, number: int, at: str) -> dict[str, str | int | None]:
    actor = event.actor
    return {
        "number": number,
        "at": at,
        "project": event.project,
        "actor_kind": actor.kind.value,
        "actor_id": actor.id,
        "actor_name": actor.name,
        "address": actor.address,
        "request_id": actor.request_id,
        "action": event.action,
        "resource": event.resource,
        "before": None if event.before is None else _encode(event.before).decode(),
        "after": None if event.after is None else _encode(event.after).decode(),
    }


def _hash(previous: str, row: Mapping[str, str | int | None]) -> str:
    values: Sequence[str | int | None] = [previous, *(row[name] for name in sorted(row))]
    return hashlib.sha256(_encode(values)).hexdigest()


def _text(value: object) -> str:
    return str(value)
