"""The chain of the audit log: looked through for what was altered or taken out, and shortened at its old end.

Entries that are too old are removed by an entry that says so: up to which number, and the hash of the last that went.
The chain goes on from there, so a removal that no entry tells of shows, as does one in the middle or at the end. But
whoever may write the whole file can make a whole new chain: note the head elsewhere to be sure of that too.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from v8box.kit.times import rfc3339
from v8box.storage import Database, DatabaseError, Row, Transaction
from v8box.telemetry.actors import RETENTION
from v8box.telemetry.audit import FIRST, Event, append, hash_of, plain, queries, read

MAX_ENTRIES: Final = 1_000_000
"""However young they are: the log is bounded. About a gigabyte."""
PASS: Final = 10_000
"""Entries that one transaction removes."""
_PAUSE_SECONDS: Final = 3_600.0
_PRUNE: Final = "audit.prune"
_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a look through the chain found."""

    entries: int
    head: int
    head_hash: str
    first_bad: int | None = None
    """The number of the first entry that is not what was written, or that follows one that is gone."""
    reason: str | None = None


async def verify(database: Database) -> Verdict:
    """Looks through the whole chain, in pieces."""
    while True:
        began = await database.read(lambda sql: sql.row(queries["first"]))
        verdict = await _walk(database)
        # An entry that was removed by its age meanwhile is no fault.
        if verdict.first_bad is None or await database.read(lambda sql: sql.row(queries["first"])) == began:
            return verdict


async def _walk(database: Database) -> Verdict:
    head, head_hash = _head(await database.read(lambda sql: sql.row(queries["last"])))
    walk = _Walk()
    while walk.fault is None and walk.number < head:
        after = {"after": walk.number}
        rows = await database.read(lambda sql, after=after: sql.rows(queries["after"], after))  # type: ignore[misc]
        if not rows:
            break
        await asyncio.to_thread(walk.add, rows, head)
    walk.finish(head, head_hash)
    number, reason = walk.fault or (None, None)
    return Verdict(entries=walk.entries, head=head, head_hash=head_hash, first_bad=number, reason=reason)


class _Walk:
    """One look through the chain, oldest entry first."""

    def __init__(self) -> None:
        self.entries = 0
        self.number = 0
        self.fault: tuple[int, str] | None = None
        self._previous = FIRST
        self._begins_after: tuple[int, str] | None = None
        """The number and hash that the first entry says to follow; None: nothing was there before."""
        self._pruned: Any = None

    def add(self, rows: Sequence[Row], head: int) -> None:
        for row in rows:
            entry = read(row)
            if entry.number > head:  # written since; but then the head itself has to have come before
                self.fault = None if self.number == head else (self.number + 1, "it was taken out")
                return
            if self.entries == 0 and entry.number > 1:
                self._begins_after = entry.number - 1, entry.previous
            elif entry.number != self.number + 1:
                self.fault = self.number + 1, "it was taken out"
                return
            elif not hmac.compare_digest(entry.previous, self._previous):
                self.fault = entry.number, "it does not follow the one before"
                return
            if not hmac.compare_digest(entry.hash, hash_of(entry.previous, stored(row))):
                self.fault = entry.number, "it was altered"
                return
            if entry.event.action == _PRUNE and entry.event.actor == RETENTION:
                self._pruned = entry.event.after
            self.entries, self.number, self._previous = self.entries + 1, entry.number, entry.hash

    def finish(self, head: int, head_hash: str) -> None:
        if self.fault is not None:
            return
        if self._begins_after is not None:
            number, previous = self._begins_after
            if self._pruned != {"through": number, "hash": previous}:
                self.fault = number, "it was taken out, and not for its age"
                return
        if self.number < head:
            self.fault = self.number + 1, "it was taken out"
        elif head and not hmac.compare_digest(self._previous, head_hash):
            self.fault = head, "it is not the one that was written last"


def stored(row: Row) -> dict[str, str | int | None]:
    """The columns as they are in the table, for the hash."""
    names = list(plain(Event(action="", resource="", actor=RETENTION), 0, ""))
    values: dict[str, Any] = dict(zip(names, row, strict=False))
    return values


def _head(row: Row | None) -> tuple[int, str]:
    return (0, "") if row is None else (int(str(row[0])), str(row[1]))


async def prune(database: Database, days: int) -> None:
    """Removes the entries that are older than so many days, or beyond the bound on their number."""
    before = rfc3339(datetime.now(UTC) - timedelta(days=days))
    while await database.write(lambda sql: _prune_some(sql, before)):
        pass


def _prune_some(sql: Transaction, before: str) -> bool:
    """Whether there may be more."""
    found = sql.row(queries["last_before"], {"before": before, "most": PASS}) or sql.row(
        queries["last_beyond"], {"most": MAX_ENTRIES, "pass": PASS}
    )
    if found is None:
        return False
    number, last_hash = int(str(found[0])), str(found[1])
    after = {"through": number, "hash": last_hash}
    append(sql, Event(action=_PRUNE, resource="audit", actor=RETENTION, after=after))
    sql.execute(queries["remove_through"], {"number": number})
    return True


async def prune_forever(database: Database, days: int) -> None:
    """Once an hour."""
    while True:
        try:
            await prune(database, days)
        except DatabaseError as error:  # a full disk, say
            _log.warning("old entries of the audit log could not be removed: %s", error)
        await asyncio.sleep(_PAUSE_SECONDS)
