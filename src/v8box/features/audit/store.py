"""Looking entries up. A look goes through a stretch of the log at a time, so that one for something rare, in a log of a
million entries, holds up nobody who writes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from v8box.storage import Database, Row, load_queries
from v8box.telemetry.audit import Entry, read

STRETCH: Final = 5_000
"""Entries that one read looks at."""
MOST_STRETCHES: Final = 10
"""Reads for one page; then the page ends, short or empty, and the next goes on from there."""
_queries: Final = load_queries("v8box.features.audit")


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which entries. None: any."""

    projects: Sequence[str] | None = None
    box: bool = True
    """Those that are of no project, too."""
    actor: str | None = None
    """An id or a name."""
    action: str | None = None
    """What the action begins with: `worker.` or all of it."""
    resource: str | None = None
    """The resource, or what it is below of."""
    since: str | None = None
    until: str | None = None
    text: str | None = None


class AuditLog:
    """The log, read."""

    def __init__(self, database: Database) -> None:
        self.database = database

    async def newest(self, wanted: Filter, *, below: int | None, limit: int) -> tuple[list[Entry], int | None]:
        """Entries with smaller numbers than `below`, newest first, up to `limit`; and the number to go on below of,
        None at the end."""
        first, last = await self._bounds()
        at = last + 1 if below is None else min(below, last + 1)
        found: list[Entry] = []
        for _ in range(MOST_STRETCHES):
            if at <= first:
                return found, None
            begin = max(first, at - STRETCH)
            rows = await self._look(wanted, begin, at, limit - len(found))
            found += map(read, rows)
            if len(found) >= limit:
                at = found[-1].number
                return found, at if at > first else None
            at = begin
        return found, at if at > first else None

    async def all(self, wanted: Filter) -> AsyncIterator[list[Entry]]:
        """All that match and are there now, oldest first, in pieces."""
        first, last = await self._bounds()
        for begin in range(first, last + 1, STRETCH):
            rows = await self._look(wanted, begin, min(begin + STRETCH, last + 1), STRETCH)
            if rows:
                yield [read(row) for row in reversed(rows)]

    async def _bounds(self) -> tuple[int, int]:
        row = await self.database.read(lambda sql: sql.row(_queries["bounds"]))
        return (1, 0) if row is None or row[0] is None else (int(str(row[0])), int(str(row[1])))

    async def _look(self, wanted: Filter, begin: int, below: int, limit: int) -> list[Row]:
        bindings = {
            "from": begin,
            "below": below,
            "projects": None if wanted.projects is None else msgspec.json.encode(wanted.projects).decode(),
            "box": wanted.box,
            "actor": wanted.actor,
            "action": wanted.action,
            "resource": wanted.resource,
            "since": wanted.since,
            "until": wanted.until,
            "text": wanted.text,
            "limit": limit,
        }
        return await self.database.read(lambda sql: sql.rows(_queries["newest"], bindings))
