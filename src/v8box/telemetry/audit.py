"""The audit log: every change, who made it and from where, before and after, in a chain of hashes.

`append` writes an entry inside the transaction that makes the change, so that neither is there without the other;
`record` is for changes that are made elsewhere (a database, a bucket). Each entry's hash covers the one before, so an
entry that is altered or taken out shows: `audit_chain` looks. Reading and exporting is a feature (`features/audit`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import msgspec

from v8box.kit.times import now
from v8box.storage import Database, Row, Transaction, load_migrations, load_queries
from v8box.telemetry.actors import Actor, ActorKind

MASK: Final = "••••••"
"""What stands for a secret's value. The masking is the caller's: an entry is kept as it is given."""
MAX_VALUE_BYTES: Final = 16 * 1024
"""`before` or `after` as JSON; of what is longer the beginning is kept, and that it was cut."""
MAX_TEXT: Final = 500
FIRST: Final = "0" * 64
"""What the first entry has for the hash of the one before."""
queries: Final = load_queries("v8box.telemetry", "audit.sql")
_KEPT_OF_LONG: Final = 4 * 1024
_encode: Final = msgspec.json.Encoder(order="sorted").encode


class Noted:
    """Whether what was done in a context wrote an entry, or said that it changed nothing."""

    __slots__ = ("written",)

    def __init__(self) -> None:
        self.written = False


_noted: ContextVar[Noted | None] = ContextVar("audit", default=None)


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
    last = sql.row(queries["last"])
    number, previous = (int(str(last[0])) + 1, str(last[1]) or FIRST) if last is not None else (1, FIRST)
    row = plain(event, number, now())
    entry_hash = hash_of(previous, row)
    sql.execute(queries["append"], {**row, "previous": previous, "hash": entry_hash})
    sql.execute(queries["set_head"], {"number": number, "hash": entry_hash})
    unchanged()


async def record(database: Database, event: Event) -> None:
    """Writes down a change that was made outside this database."""
    await database.write(lambda sql: append(sql, event))


@contextmanager
def noting() -> Iterator[Noted]:
    """What is done within notes whether it wrote an entry, also in tasks and transactions that it starts."""
    noted = Noted()
    token = _noted.set(noted)
    try:
        yield noted
    finally:
        _noted.reset(token)


def unchanged() -> None:
    """Says that what is being done needs no entry of its own (any more): it only looked."""
    noted = _noted.get()
    if noted is not None:
        noted.written = True


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


def plain(event: Event, number: int, at: str) -> dict[str, str | int | None]:
    """The columns of an entry, but for the chain."""
    actor = event.actor
    return {
        "number": number,
        "at": at,
        "project": event.project,
        "actor_kind": actor.kind.value,
        "actor_id": actor.id[:MAX_TEXT],
        "actor_name": actor.name[:MAX_TEXT],
        "address": None if actor.address is None else actor.address[:MAX_TEXT],
        "request_id": None if actor.request_id is None else actor.request_id[:MAX_TEXT],
        "action": event.action[:MAX_TEXT],
        "resource": event.resource[:MAX_TEXT],
        "before": _value(event.before),
        "after": _value(event.after),
    }


def _value(value: Any) -> str | None:
    if value is None:
        return None
    text = _encode(value).decode()
    if len(text) <= MAX_VALUE_BYTES:
        return text
    return _encode({"cut": True, "characters": len(text), "beginning": text[:_KEPT_OF_LONG]}).decode()


def hash_of(previous: str, row: Mapping[str, str | int | None]) -> str:
    values: Sequence[str | int | None] = [previous, *(row[name] for name in sorted(row))]
    return hashlib.sha256(_encode(values)).hexdigest()


def _text(value: object) -> str:
    return str(value)


async def count(database: Database) -> int:
    """How many entries there ever were; those that are gone by their age included."""
    last = await database.read(lambda sql: sql.row(queries["last"]))
    return 0 if last is None else int(_text(last[0]))
