"""The Data API's addresses: /admin/database/…, as the founding product has them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Query, Response

from v8box.api.access import ProjectHere, Role, Scope, needs
from v8box.api.audited import changes_nothing
from v8box.api.routes import Envelope, router, success
from v8box.bindings.db.interface import DEFAULT_DATABASE, Database, DatabaseId, Databases, Statement, View
from v8box.bindings.interface import BindingError
from v8box.errors import BadRequest
from v8box.features.database import exports, rows, schemas, structure, tables
from v8box.features.database.conditions import EVERY_ROW, Condition, parse
from v8box.features.database.migrations import Migrator
from v8box.features.database.names import GLOBAL, database_id
from v8box.features.database.paging import DEFAULT_LIMIT, Order, Page
from v8box.features.database.values import converted, to_argument, to_table
from v8box.storage.migrations import Migration
from v8box.storage.statements import tokens
from v8box.telemetry import audit

_ADMIN: Final = View(admin=True)
_READS: Final = needs(Role.VIEWER)
_WRITES: Final = needs(Role.DEVELOPER, Scope.DATA)
_DELETES: Final = needs(Role.ADMIN, Scope.DATA)


Check = Callable[[str], Awaitable[None]]
"""Whether a project may have one more. Raises what says why not."""


Deleted = Callable[[str, str], Awaitable[None]]
"""Hears of a database that was deleted: its project and name."""


async def _always(_project: str) -> None:
    """There is room."""


async def _unheard(_project: str, _name: str) -> None:
    """Nothing goes with it."""


def build_router(databases: Databases, check_room: Check = _always, deleted: Deleted = _unheard) -> APIRouter:
    """The routes on a project's databases. `check_room` is asked before one is made, `deleted` is told afterwards."""
    handlers = _Handlers(databases, check_room, deleted)
    made = router("/admin/database", "database")
    one_db, one_table = "/databases/{database}", "/databases/{database}/tables/{table:name}"
    for method, path, handler, access, shape in (
        ("GET", "/databases", handlers.list_databases, _READS, Envelope[list[schemas.DatabaseEntry]]),
        ("POST", "/databases", handlers.create_database, _WRITES, Envelope[schemas.DatabaseEntry]),
        ("DELETE", one_db, handlers.delete_database, _DELETES, Envelope[schemas.Dropped]),
        ("GET", f"{one_db}/schema", handlers.read_schema, _READS, Envelope[schemas.DatabaseSchema]),
        ("GET", f"{one_db}/tables", handlers.list_tables, _READS, Envelope[list[schemas.TableEntry]]),
        ("POST", f"{one_db}/tables", handlers.create_table, _WRITES, Envelope[schemas.CreatedTable]),
        ("GET", f"{one_table}/rows", handlers.list_rows, _READS, Envelope[schemas.RowPage]),
        ("POST", f"{one_table}/rows", handlers.insert_rows, _WRITES, Envelope[schemas.Inserted]),
        ("PUT", f"{one_table}/rows", handlers.update_rows, _WRITES, Envelope[schemas.Changed]),
        ("DELETE", f"{one_table}/rows", handlers.delete_rows, _WRITES, Envelope[schemas.Changed]),
        ("POST", f"{one_table}/rows/search", handlers.search_rows, _READS, Envelope[schemas.RowPage]),
        ("GET", f"{one_table}/rows/{{id:rest}}", handlers.read_row, _READS, Envelope[dict[str, Any]]),
        ("PUT", f"{one_table}/rows/{{id:rest}}", handlers.update_row, _WRITES, Envelope[schemas.Changed]),
        ("DELETE", f"{one_table}/rows/{{id:rest}}", handlers.delete_row, _WRITES, Envelope[schemas.Changed]),
        ("POST", "/query", handlers.query, _WRITES, Envelope[schemas.QueryAnswer]),
        ("POST", "/query/{database}", handlers.query_database, _WRITES, Envelope[schemas.QueryAnswer]),
        ("GET", f"{one_db}/migrations", handlers.list_migrations, _READS, Envelope[list[schemas.AppliedEntry]]),
        ("POST", f"{one_db}/migrations", handlers.migrate, _WRITES, Envelope[schemas.MigrationReport]),
        ("POST", f"{one_db}/migrations/rollback", handlers.roll_back, _WRITES, Envelope[schemas.MigrationReport]),
        (
            "DELETE",
            one_table,
            handlers.delete_table,
            _WRITES,
            Envelope[schemas.Dropped],
        ),  # last: it matches what is longer
    ):
        status = 201 if handler in (handlers.create_database, handlers.create_table, handlers.insert_rows) else 200
        made.add_api_route(
            path, handler, methods=[method], response_model=shape, status_code=status, dependencies=[access]
        )
    exports.add_routes(made, handlers.open)
    return made


class _Handlers:
    """What each address does: names checked, one call, the answer."""

    def __init__(self, databases: Databases, check_room: Check, deleted: Deleted) -> None:
        self._databases = databases
        self._check_room = check_room
        self._deleted = deleted
        self._migrator = Migrator(databases)

    # ---- databases

    async def list_databases(self, project: ProjectHere) -> Response:
        """All databases, with the bytes that each takes on the disk."""
        return success([_entry(each.name, each.size_bytes) for each in await self._databases.names(project)])

    async def create_database(self, project: ProjectHere, body: schemas.NewDatabase) -> Response:
        """A new, empty database."""
        made = database_id(project, body.name)
        if made.name == DEFAULT_DATABASE:
            raise BindingError("DATABASE_EXISTS", f"{body.name} is the default database: it is always there")
        await self._check_room(made.project)
        await self._databases.create(made)
        return success(_entry(made.name, 0), 201)

    async def delete_database(self, project: ProjectHere, database: str) -> Response:
        """Deletes a database with all that is in it. The default one is emptied: it is always there."""
        known = await self._known(project, database)
        await self._databases.delete(known)
        if known.name != DEFAULT_DATABASE:
            await self._deleted(known.project, known.name)
        return success({"deleted": known.name})

    # ---- structure

    async def read_schema(self, project: ProjectHere, database: str, counts: bool = True) -> Response:
        """Tables, views, columns, indexes, foreign keys, triggers, sizes, and rows counted up to 10 000 a table."""
        return success(await structure.schema(await self.open(project, database), counts=counts))

    async def list_tables(self, project: ProjectHere, database: str) -> Response:
        """Tables and views by name."""
        return success(await structure.tables(await self.open(project, database)))

    async def create_table(self, project: ProjectHere, database: str, body: schemas.TableDefinition) -> Response:
        """A new table."""
        statement = await tables.create(await self.open(project, database), body)
        return success({"tableName": body.tableName, "sql": statement}, 201)

    async def delete_table(self, project: ProjectHere, database: str, table: str) -> Response:
        """Drops a table or a view."""
        await tables.drop(await self.open(project, database), table)
        return success({"deleted": table})

    # ---- rows

    async def list_rows(
        self,
        project: ProjectHere,
        database: str,
        table: str,
        limit: schemas.Limit = DEFAULT_LIMIT,
        offset: schemas.Offset = 0,
        orderBy: Annotated[str | None, Query(max_length=200)] = None,
        order: Order = "asc",
        count: bool = False,
    ) -> Response:
        """One page of a table's rows."""
        page = Page(limit=limit, offset=offset, order_by=orderBy, order=order, count=count)
        return success(await rows.read(await self.open(project, database), table, page))

    @changes_nothing
    async def search_rows(self, project: ProjectHere, database: str, table: str, body: schemas.Search) -> Response:
        """One page of the rows that a condition holds for."""
        if body.offset and (body.cursor is not None or body.backwards):
            raise BadRequest("offset and cursor: only one of them says where the page begins.")
        page = Page(
            limit=body.limit,
            offset=body.offset,
            order_by=body.orderBy,
            order=body.order,
            count=body.count,
            cursor=body.cursor,
            backwards=body.backwards,
        )
        condition = EVERY_ROW if body.where is None else parse(body.where, body.whereArgs)
        return success(await rows.read(await self.open(project, database), table, page, condition))

    async def insert_rows(self, project: ProjectHere, database: str, table: str, body: schemas.Insertion) -> Response:
        """Inserts a row, or a list of rows: all or none."""
        data = body.data if isinstance(body.data, list) else [body.data]
        return success(await rows.insert(await self.open(project, database), table, data), 201)

    async def update_rows(self, project: ProjectHere, database: str, table: str, body: schemas.Update) -> Response:
        """Changes the rows that a condition holds for. Without one it is refused; `1 = 1` means every row."""
        condition = _required(body.where, body.whereArgs)
        return success(await rows.update(await self.open(project, database), table, body.data, condition))

    async def delete_rows(self, project: ProjectHere, database: str, table: str, body: schemas.Deletion) -> Response:
        """Deletes the rows that a condition holds for. Without one it is refused; `1 = 1` means every row."""
        condition = _required(body.where, body.whereArgs)
        return success(await rows.delete(await self.open(project, database), table, condition))

    async def read_row(self, project: ProjectHere, database: str, table: str, id: str) -> Response:
        """One row by its primary key, or by its rowid where the table has no primary key of one column."""
        return success(await rows.read_one(await self.open(project, database), table, id))

    async def update_row(
        self, project: ProjectHere, database: str, table: str, id: str, body: schemas.UpdateOne
    ) -> Response:
        """Changes one row."""
        return success(await rows.update(await self.open(project, database), table, body.data, id))

    async def delete_row(self, project: ProjectHere, database: str, table: str, id: str) -> Response:
        """Deletes one row."""
        return success(await rows.delete(await self.open(project, database), table, id))

    # ---- queries

    async def query(self, project: ProjectHere, body: schemas.Query) -> Response:
        """Runs one SQL statement on the database that the body names."""
        return await self._query(project, body.database or GLOBAL, body)

    async def query_database(self, project: ProjectHere, database: str, body: schemas.Query) -> Response:
        """Runs one SQL statement on a database; `global` is the default one."""
        if body.database not in (None, database):
            raise BadRequest(f"The address says {database}, the body {body.database}: which one?")
        return await self._query(project, database, body)

    async def _query(self, project: str, database: str, body: schemas.Query) -> Response:
        if _only_looks(body.query):
            audit.unchanged()
        args = (
            {name: to_argument(value, f"args.{name}") for name, value in body.args.items()}
            if isinstance(body.args, dict)
            else [to_argument(value, f"args[{index}]") for index, value in enumerate(body.args)]
        )
        opened = await self.open(project, database)
        return await converted(await opened.execute(Statement(body.query, args)), _query_answer)

    # ---- migrations

    async def list_migrations(self, project: ProjectHere, database: str) -> Response:
        """What was applied, in order."""
        history = await self._migrator.history(await self._known(project, database))
        return success(
            [
                {
                    "number": each.number,
                    "name": each.name,
                    "checksum": each.checksum,
                    "appliedAt": each.applied_at,
                    "reversible": bool(each.down),
                }
                for each in history
            ]
        )

    async def migrate(self, project: ProjectHere, database: str, body: schemas.Migrate) -> Response:
        """Applies what is pending of the given migrations, which are all there are; or tells what that would do."""
        if body.dryRun:
            audit.unchanged()
        migrations = [Migration(each.number, each.name, each.sql, each.down) for each in body.migrations]
        return success(
            await self._migrator.migrate(await self._known(project, database), migrations, dry_run=body.dryRun)
        )

    async def roll_back(self, project: ProjectHere, database: str, body: schemas.Rollback) -> Response:
        """Undoes the newest migrations, all of `steps` or none."""
        if body.dryRun:
            audit.unchanged()
        return success(
            await self._migrator.rollback(await self._known(project, database), body.steps, dry_run=body.dryRun)
        )

    # ---- names

    async def _known(self, project: str, name: str) -> DatabaseId:
        """Opening makes a database, and a typing mistake must not."""
        known = database_id(project, name)
        if known.name != DEFAULT_DATABASE and not await self._databases.exists(known):
            raise BindingError("DATABASE_NOT_FOUND", f"there is no database {known.name}; `v8box db list` shows them")
        return known

    async def open(self, project: str, name: str) -> Database:
        return self._databases.open(await self._known(project, name), _ADMIN)


def _entry(name: str, size_bytes: int) -> dict[str, Any]:
    return {"name": name, "sizeBytes": size_bytes, "default": name == DEFAULT_DATABASE}


def _query_answer(encoded: msgspec.Raw) -> Response:
    table = to_table(encoded)
    return success(
        {
            "columns": table.columns,
            "columnTypes": table.types,
            "rows": table.objects(),
            "rowsAffected": table.changed,
            "lastInsertRowid": rows.rowid_number(table.last_rowid),
        }
    )


def _only_looks(sql: str) -> bool:
    """Whether the statement changes nothing, as its first word has it: what cannot be told at a glance counts as a
    change."""
    first = next((text for kind, text in tokens(sql) if kind != "blank"), "")
    return first.lower() in ("select", "values", "explain")


def _required(where: str | None, args: list[Any]) -> Condition:
    if where is None or not where.strip():
        raise BadRequest("where is missing: say which rows are meant. For every row, say 1 = 1.")
    return parse(where, args)
