"""Keeps saved queries: one table. What is looked at before a change, and the change, are one transaction."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from v8box.errors import NotFound, V8BoxError
from v8box.storage import Database, Row, Transaction, load_migrations, load_queries
from v8box.telemetry.actors import Actor
from v8box.telemetry.audit import Event, append

MOST_PER_PROJECT: Final = 1_000
_queries: Final = load_queries("v8box.features.saved_queries")

Check = Callable[["SavedQuery"], None]
"""Looks at what is there before it is changed, and raises when it is not what the caller thinks."""


class SavedQueryNotFound(NotFound):
    """The project has no saved query with this id."""

    code = "saved_query_not_found"


class SavedQueryExists(V8BoxError):
    """The database has a saved query of this name already. Take another name, or change that one."""

    status = 409
    code = "saved_query_exists"


class TooManySavedQueries(V8BoxError):
    """The project has too many saved queries; delete some."""

    status = 429
    code = "too_many_saved_queries"


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedQuery:
    """SQL under a name. Times are Unix times in seconds."""

    id: str
    project: str
    database: str
    name: str
    sql: str
    created_at: float
    created_by: str
    updated_at: float
    updated_by: str


class SavedQueries:
    """All saved queries of the box. `open` it."""

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock

    @classmethod
    async def open(cls, database: Database, *, clock: Callable[[], float] = time.time) -> SavedQueries:
        """Brings the table up to date."""
        await database.migrate("saved_queries", load_migrations("v8box.features.saved_queries"))
        return cls(database, clock)

    async def list(self, project: str, database: str | None = None) -> Sequence[SavedQuery]:
        """By database and name."""
        place = {"project": project, "database": database}
        return [_read(row) for row in await self._database.read(lambda sql: sql.rows(_queries["list"], place))]

    async def get(self, project: str, query_id: str) -> SavedQuery:
        """Raises `SavedQueryNotFound`."""
        return await self._database.read(lambda sql: _get(sql, project, query_id))

    async def create(self, project: str, database: str, name: str, text: str, actor: Actor) -> SavedQuery:
        """Raises `SavedQueryExists`, `TooManySavedQueries`."""
        now = self._clock()
        made = SavedQuery(
            id=secrets.token_hex(8),
            project=project,
            database=database,
            name=name,
            sql=text,
            created_at=now,
            created_by=actor.name,
            updated_at=now,
            updated_by=actor.name,
        )

        def write(sql: Transaction) -> None:
            _check_name(sql, made)
            counted = sql.row(_queries["count"], {"project": project})
            if counted is not None and int(str(counted[0])) >= MOST_PER_PROJECT:
                raise TooManySavedQueries(f"A project may have {MOST_PER_PROJECT} saved queries; delete some.")
            sql.execute(_queries["insert"], asdict(made))
            append(sql, _event("saved_query.create", made, actor, after=_shown(made)))

        await self._database.write(write)
        return made

    async def change(
        self, project: str, query_id: str, *, name: str | None, text: str | None, actor: Actor, check: Check
    ) -> SavedQuery:
        """Changes its name, its SQL or both. Raises `SavedQueryNotFound`, `SavedQueryExists`, what `check` raises."""
        now = self._clock()

        def write(sql: Transaction) -> SavedQuery:
            before = _get(sql, project, query_id)
            check(before)
            made = replace(
                before,
                name=before.name if name is None else name,
                sql=before.sql if text is None else text,
                updated_at=now,
                updated_by=actor.name,
            )
            if _shown(made) == _shown(before):
                return before
            _check_name(sql, made)
            sql.execute(_queries["update"], asdict(made))
            append(sql, _event("saved_query.change", made, actor, before=_shown(before), after=_shown(made)))
            return made

        return await self._database.write(write)

    async def delete(self, project: str, query_id: str, actor: Actor) -> None:
        """Raises `SavedQueryNotFound`."""

        def write(sql: Transaction) -> None:
            before = _get(sql, project, query_id)
            sql.execute(_queries["delete"], {"id": query_id})
            append(sql, _event("saved_query.delete", before, actor, before=_shown(before)))

        await self._database.write(write)

    async def forget_database(self, project: str, database: str) -> None:
        """Its queries go with it."""
        place = {"project": project, "database": database}
        await self._database.write(lambda sql: sql.execute(_queries["forget_database"], place))

    async def forget_project(self, project: str) -> None:
        """All of the project's."""
        await self._database.write(lambda sql: sql.execute(_queries["forget_project"], {"project": project}))


def _get(sql: Transaction, project: str, query_id: str) -> SavedQuery:
    row = sql.row(_queries["get"], {"project": project, "id": query_id})
    if row is None:
        raise SavedQueryNotFound
    return _read(row)


def _check_name(sql: Transaction, wanted: SavedQuery) -> None:
    place = {"project": wanted.project, "database": wanted.database, "name": wanted.name}
    row = sql.row(_queries["named"], place)
    if row is not None and row[0] != wanted.id:
        raise SavedQueryExists(f"The database {wanted.database} has a saved query {wanted.name!r} already.")


def _shown(query: SavedQuery) -> dict[str, Any]:
    return {"database": query.database, "name": query.name, "sql": query.sql}


def _event(action: str, query: SavedQuery, actor: Actor, *, before: Any = None, after: Any = None) -> Event:
    return Event(
        action=action,
        resource=f"saved_query/{query.id}",
        actor=actor,
        project=query.project,
        before=before,
        after=after,
    )


def _read(row: Row) -> SavedQuery:
    values: dict[str, Any] = dict(zip(SavedQuery.__slots__, row, strict=True))
    return SavedQuery(**values)
