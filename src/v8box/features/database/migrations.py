"""Migrations of a user's database: each in one transaction with its line in the history, so it is whole or not there.

Which one is next is found out inside that transaction, after the write lock is held: of two who migrate at once the
second waits, and then finds nothing left to do. What files and history mean together is `storage/migrations.py`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from v8box.bindings.db.interface import (
    SCRATCH_PREFIX,
    Database,
    DatabaseId,
    Databases,
    Queries,
    Statement,
    Transaction,
    View,
)
from v8box.bindings.interface import BindingError
from v8box.features.database.values import one
from v8box.storage.migrations import Applied, Migration, file_name, in_order, in_runs, next_pending, to_undo
from v8box.storage.sql import load_queries
from v8box.storage.statements import Part, split

_log: Final = logging.getLogger(__name__)
_queries: Final = load_queries("v8box.features.database", "history.sql")
_ADMIN: Final = View(admin=True)
_STATEMENTS_AT_ONCE: Final = 200
_BYTES_AT_ONCE: Final = 500_000


@dataclass(frozen=True, slots=True)
class SchemaChange:
    """What became of one table, view, index or trigger; `before` and `after` are its SQL."""

    change: str
    type: str
    name: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class Report:
    """What was done, or would be: the files in order, and on a dry run what they changed in the schema."""

    dryRun: bool
    migrations: list[str]
    schemaChanges: list[SchemaChange] | None = None


class Migrator:
    """Migrates any database behind the port."""

    def __init__(self, databases: Databases) -> None:
        self._databases = databases
        self._copying = asyncio.Semaphore(1)  # a dry run takes as much disk as its database

    async def history(self, database: DatabaseId) -> list[Applied]:
        """What the database has seen, in order."""
        return await _history(self._databases.open(database, _ADMIN))

    async def migrate(self, database: DatabaseId, migrations: Sequence[Migration], *, dry_run: bool) -> Report:
        """Applies what is pending. What was applied before one failed stays. Raises `MigrationDrift` when files and
        history disagree, and the `BindingError` of a statement with its file and line."""
        ordered = in_order(migrations)
        return await self._perform(database, lambda sql: _apply_all(sql, ordered), dry_run=dry_run)

    async def rollback(self, database: DatabaseId, steps: int, *, dry_run: bool) -> Report:
        """Undoes the newest `steps` migrations with the SQL that was recorded with them, in one transaction."""
        return await self._perform(database, lambda sql: _undo(sql, steps), dry_run=dry_run)

    async def _perform(
        self, database: DatabaseId, work: Callable[[Database], Awaitable[list[str]]], *, dry_run: bool
    ) -> Report:
        if not dry_run:
            return Report(False, await work(self._databases.open(database, _ADMIN)))
        async with self._copying, self._scratch(database) as copy:
            before = await _structure(copy)
            done = await work(copy)
            return Report(True, done, _difference(before, await _structure(copy)))

    @contextlib.asynccontextmanager
    async def _scratch(self, source: DatabaseId) -> AsyncIterator[Database]:
        """A copy that is gone afterwards, also when this is cancelled."""
        scratch = DatabaseId(source.project, SCRATCH_PREFIX + secrets.token_hex(8))
        try:
            await self._databases.copy(source, scratch)
            yield self._databases.open(scratch, _ADMIN)
        finally:
            try:
                await asyncio.shield(self._databases.delete(scratch))
            except BindingError as error:
                if error.code != "DATABASE_NOT_FOUND":  # then it was not even copied
                    _log.warning("The copy %s is left until the next start: %s", scratch.name, error)


async def _apply_all(database: Database, migrations: Sequence[Migration]) -> list[str]:
    done = []
    while (step := await _apply_next(database, migrations)) is not None:
        done.append(step.file)
    return done


async def _apply_next(database: Database, migrations: Sequence[Migration]) -> Migration | None:
    async with _transaction(database) as sql:
        step = next_pending(migrations, await _history(sql))
        if step is None:
            return None
        await sql.execute(Statement(_queries["create"]))
        await _run(sql, step.file, step.statements())
        await sql.execute(Statement(_queries["record"], [step.number, step.name, step.checksum, step.down]))
        return step


async def _undo(database: Database, steps: int) -> list[str]:
    async with _transaction(database) as sql:
        undone = to_undo(await _history(sql), steps)
        for each in undone:
            await _run(sql, file_name(each.number, each.name, down=True), split(each.down or ""))
            await sql.execute(Statement(_queries["forget"], [each.number]))
        return [each.file for each in undone]


@contextlib.asynccontextmanager
async def _transaction(database: Database) -> AsyncIterator[Transaction]:
    transaction = await database.begin("write")
    try:
        yield transaction
    except BaseException:
        with contextlib.suppress(BindingError):  # its engine is gone, and the transaction with it
            await asyncio.shield(transaction.rollback())
        raise
    await transaction.commit()


async def _run(sql: Queries, file: str, parts: Sequence[Part]) -> None:
    for run in in_runs(parts, most=_STATEMENTS_AT_ONCE, max_bytes=_BYTES_AT_ONCE):
        try:
            await sql.batch([Statement(part.sql) for part in run], "write")
        except BindingError as error:
            index = (error.details or {}).get("statement_index")
            if not isinstance(index, int) or not 0 <= index < len(run):
                raise
            place = {"file": file, "line": run[index].line}
            message = f"{file}, line {run[index].line}: {error.message}"
            raise BindingError(error.code, message, place) from error


async def _history(sql: Queries) -> list[Applied]:
    if not (await one(await sql.execute(Statement(_queries["exists"])))).rows:
        return []
    return [Applied(*row) for row in (await one(await sql.execute(Statement(_queries["applied"])))).rows]


async def _structure(sql: Queries) -> dict[tuple[str, str], str | None]:
    rows = (await one(await sql.execute(Statement(_queries["structure"])))).rows
    return {(kind, name): text for kind, name, text in rows}


def _difference(
    before: dict[tuple[str, str], str | None], after: dict[tuple[str, str], str | None]
) -> list[SchemaChange]:
    changes = []
    for kind, name in sorted(before.keys() | after.keys()):
        key = kind, name
        if key not in before:
            changes.append(SchemaChange("created", kind, name, None, after[key]))
        elif key not in after:
            changes.append(SchemaChange("dropped", kind, name, before[key], None))
        elif before[key] != after[key]:
            changes.append(SchemaChange("changed", kind, name, before[key], after[key]))
    return changes
