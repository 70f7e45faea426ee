"""Reading and changing rows of one table: identifiers are checked against it and quoted, values are bound.

A row is named by its primary key when that is one column, else by its rowid; where a table has neither, `where` is the
way. Pages are in a fixed order: what is asked for, and by the row's name among equals (`paging`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from v8box.bindings.db.interface import Database, Statement
from v8box.bindings.interface import BindingError
from v8box.errors import BadRequest
from v8box.features.database.conditions import EVERY_ROW, Condition
from v8box.features.database.names import quoted
from v8box.features.database.paging import Page, Read
from v8box.features.database.structure import Shape, has_index, shape
from v8box.features.database.values import Table, many, one, to_argument

MAX_LIMIT: Final = 1_000
MAX_OFFSET: Final = 2**53
MAX_INSERTED: Final = 1_000


async def read(database: Database, table: str, page: Page, condition: Condition = EVERY_ROW) -> dict[str, Any]:
    """One page of rows."""
    found = await shape(database, table)
    by = None if page.order_by is None else _sortable(found, page.order_by)
    key = None if found.id_column is None else _id(found)
    if by is not None and by == key:
        by = None
    indexed = page.order_by is None or by is None or await has_index(database, found, page.order_by)
    reading = Read(database, found, _chosen(found), key, by, indexed, condition)
    answer = await reading.page(page)
    return {**answer, "idColumn": found.id_column, "limit": page.limit, "offset": page.offset}


async def read_one(database: Database, table: str, row_id: str) -> dict[str, Any]:
    """One row. Raises `ROW_NOT_FOUND`."""
    found = await shape(database, table)
    chosen = _chosen(found)
    condition = _by_id(found, row_id)
    text = f"select {chosen} from {quoted(found.name)}{condition.sql} limit 1"  # noqa: S608 - quoted and bound
    rows = (await one(await database.execute(Statement(text, list(condition.args))))).objects()
    if not rows:
        raise _no_row(found, row_id)
    return rows[0]


async def insert(database: Database, table: str, data: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Inserts one row or many, all or none."""
    found = writable(await shape(database, table))
    statements = [_insertion(found, each) for each in data]
    results: list[Table] = await many(await database.batch(statements, "write"))
    return {
        "rowsAffected": sum(each.changed for each in results),
        "lastInsertRowid": rowid_number(results[-1].last_rowid),
    }


async def update(database: Database, table: str, data: Mapping[str, Any], condition: Condition | str) -> dict[str, Any]:
    """Changes the rows of a condition, or the one of an id. Raises `ROW_NOT_FOUND` for an id that no row has."""
    found = writable(await shape(database, table))
    if not data:
        raise BadRequest("data is empty: name at least one column and its new value.")
    names = [f"{quoted(found.column(name).name)} = ?" for name in data]
    values = [to_argument(value, f"data.{name}") for name, value in data.items()]
    where = condition if isinstance(condition, Condition) else _by_id(found, condition)
    text = f"update {quoted(found.name)} set {', '.join(names)}{where.sql}"  # noqa: S608 - quoted, checked, bound
    return await _change(database, found, Statement(text, [*values, *where.args]), condition)


async def delete(database: Database, table: str, condition: Condition | str) -> dict[str, Any]:
    """Deletes the rows of a condition, or the one of an id. Raises `ROW_NOT_FOUND` for an id that no row has."""
    found = writable(await shape(database, table))
    where = condition if isinstance(condition, Condition) else _by_id(found, condition)
    text = f"delete from {quoted(found.name)}{where.sql}"  # noqa: S608 - quoted, checked, bound
    return await _change(database, found, Statement(text, list(where.args)), condition)


async def _change(database: Database, found: Shape, statement: Statement, condition: Condition | str) -> dict[str, Any]:
    changed = (await one(await database.execute(statement))).changed
    if not changed and isinstance(condition, str):
        raise _no_row(found, condition)
    return {"rowsAffected": changed}


def _insertion(found: Shape, data: Mapping[str, Any]) -> Statement:
    name = quoted(found.name)
    if not data:
        return Statement(f"insert into {name} default values")
    columns = ", ".join(quoted(found.column(each).name) for each in data)
    values = [to_argument(value, f"data.{each}") for each, value in data.items()]
    return Statement(f"insert into {name} ({columns}) values ({', '.join('?' * len(values))})", values)  # noqa: S608


def writable(found: Shape) -> Shape:
    """The table, unless it is the platform's own. Raises `BadRequest`."""
    if found.name.lower() == "_v8box_migrations" or found.name.lower().startswith("sqlite_"):
        raise BadRequest(f"{found.name} is kept by the platform: its rows are not changed here.")
    return found


def _chosen(found: Shape) -> str:
    """All columns, and before them the rowid where rows are named by it; SQLite would call it `rowid` in any case."""
    return f"{found.id_column} as {found.id_column}, *" if found.id_is_rowid else "*"


def _sortable(found: Shape, name: str) -> str:
    return _id(found) if found.id_is_rowid and name == found.id_column else quoted(found.column(name).name)


def _id(found: Shape) -> str:
    if found.id_column is None:
        raise BadRequest(
            f"The {found.kind} {found.name} has no primary key of one column and no rowid: name its rows with where."
        )
    return found.id_column if found.id_is_rowid else quoted(found.id_column)


def _by_id(found: Shape, row_id: str) -> Condition:
    column = _id(found)
    if not found.id_is_rowid and found.id_column is not None and _keeps_types(found.column(found.id_column).type):
        # Such a column compares 5 and '5' as different, and a path has only texts.
        return Condition(f" where cast({column} as text) = ?", (row_id,))
    return Condition(f" where {column} = ?", (row_id,))


def _keeps_types(declared: str) -> bool:
    """Whether a column of this type has BLOB affinity (https://www.sqlite.org/datatype3.html#determination_of_column_affinity)."""
    upper = declared.upper()
    return not upper or ("BLOB" in upper and not any(word in upper for word in ("INT", "CHAR", "CLOB", "TEXT")))


def _no_row(found: Shape, row_id: str) -> BindingError:
    return BindingError("ROW_NOT_FOUND", f"no row of {found.name} has the {found.id_column} {row_id[:100]!r}")


def rowid_number(rowid: str | None) -> int | str | None:
    """As every integer: a number where JSON readers hold it exactly, else its digits."""
    if rowid is None:
        return None
    return int(rowid) if abs(int(rowid)) < 2**53 else rowid
