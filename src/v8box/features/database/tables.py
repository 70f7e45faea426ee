"""Making and dropping tables. The DDL is written here from checked parts: SQLite binds no values in it."""

from __future__ import annotations

import math
import re
from typing import Final

from v8box.bindings.db.interface import Queries, Statement
from v8box.bindings.interface import BindingError
from v8box.errors import BadRequest
from v8box.features.database.names import check_reserved, new_name, new_table, quoted, same
from v8box.features.database.schemas import ColumnDefinition, TableDefinition
from v8box.features.database.structure import shape

_TYPE: Final = re.compile(
    r"[A-Za-z][A-Za-z0-9_]{0,30}( [A-Za-z0-9_]{1,30}){0,3}( ?\( ?[0-9]{1,9}( ?, ?[0-9]{1,9})? ?\))?"
)
_MOMENTS: Final = frozenset({"CURRENT_TIMESTAMP", "CURRENT_DATE", "CURRENT_TIME"})
_NOT_TYPES: Final = re.compile(
    r"\b(primary|key|not|null|unique|check|default|collate|references|generated|always|as|constraint|autoincrement|on)\b",
    re.IGNORECASE,
)


async def create(sql: Queries, table: TableDefinition) -> str:
    """Makes the table and gives the statement that did. Raises `TABLE_EXISTS`."""
    statement = definition(table)
    try:
        await shape(sql, table.tableName)
    except BindingError as error:
        if error.code != "TABLE_NOT_FOUND":
            raise
    else:
        raise BindingError("TABLE_EXISTS", f"there is a table {table.tableName!r} already")
    await sql.execute(Statement(statement))
    return statement


async def drop(sql: Queries, name: str) -> None:
    """Drops a table or a view. Raises `TABLE_NOT_FOUND`."""
    found = await shape(sql, name)
    check_reserved(found.name)
    await sql.execute(Statement(f"drop {'view' if found.kind == 'view' else 'table'} {quoted(found.name)}"))


def definition(table: TableDefinition) -> str:
    """The CREATE TABLE statement. Raises `BadRequest` for what does not make a table."""
    name = new_table(table.tableName)
    for index, column in enumerate(table.columns):
        if any(same(column.name, before.name) for before in table.columns[:index]):
            raise BadRequest(f"Two columns are called {column.name}.")
    key = [column for column in table.columns if column.primaryKey]
    lines = [_column(column, alone=len(key) == 1) for column in table.columns]
    if len(key) > 1:
        if any(column.autoIncrement for column in key):
            raise BadRequest("autoIncrement needs a primary key of one column.")
        lines.append(f"primary key ({', '.join(quoted(column.name) for column in key)})")
    return f"create table {name} (\n  " + ",\n  ".join(lines) + "\n)"


def _column(column: ColumnDefinition, *, alone: bool) -> str:
    kind = " ".join(column.type.split())
    if kind and (not _TYPE.fullmatch(kind) or _NOT_TYPES.search(kind)):
        raise BadRequest(f"{column.name}: the type {kind[:60]!r} is no type such as INTEGER, TEXT or DECIMAL(10, 2).")
    words = [new_name(column.name)] + ([kind] if kind else [])
    if column.primaryKey and alone:
        words.append("primary key")
    if column.autoIncrement:
        if not column.primaryKey or kind.upper() != "INTEGER":
            raise BadRequest(f"{column.name}: autoIncrement needs the type INTEGER and primaryKey.")
        words.append("autoincrement")
    # SQLite lets a primary key be null unless it is told otherwise; an INTEGER one alone is the rowid and never is.
    is_rowid = column.primaryKey and alone and kind.upper() == "INTEGER"
    if column.nullable is False or (column.primaryKey and not is_rowid):
        words.append("not null")
    if column.unique and not (column.primaryKey and alone):
        words.append("unique")
    if column.default is not None:
        words.append(f"default {_literal(column.name, column.default)}")
    return " ".join(words)


def _literal(name: str, value: str | int | float | bool) -> str:
    match value:
        case bool():
            return str(int(value))
        case str() if value.upper() in _MOMENTS:
            return value.upper()
        case str():
            if "\x00" in value:
                raise BadRequest(f"{name}: a default may not hold a NUL character.")
            return "'" + value.replace("'", "''") + "'"
        case int() if not -(2**63) <= value < 2**63:
            raise BadRequest(f"{name}: the default has to fit 64 bits.")
        case float() if not math.isfinite(value):
            raise BadRequest(f"{name}: the default has to be a finite number.")
    return f"({value!r})" if value < 0 else repr(value)
