"""What a database is made of: tables, columns, indexes, foreign keys, triggers, and how many rows, within a bound."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any, Final

from v8box.bindings.db.interface import Queries, Statement
from v8box.bindings.interface import BindingError
from v8box.features.database.names import quoted, same
from v8box.features.database.values import Table, many, one
from v8box.storage.sql import load_queries

queries: Final = load_queries("v8box.features.database", "structure.sql")
MAX_TABLES: Final = 1_000
COUNTED_ROWS: Final = 10_000
"""Rows of one table are counted up to here: counting reads them."""
_COUNTS_AT_ONCE: Final = 100
_NO_BOUND: Final = 2**40  # what SQLite has when nobody set one
_ROWID_NAMES: Final = ("rowid", "_rowid_", "oid")


@dataclass(frozen=True, slots=True)
class Column:
    """One column. `primaryKey` is its place in the key, from 1; 0 when it is not in it."""

    name: str
    type: str
    nullable: bool
    default: str | None
    """SQL text, as the table was made with."""
    primaryKey: int
    generated: bool


@dataclass(frozen=True, slots=True)
class Shape:
    """A table as its rows' routes need it."""

    name: str
    kind: str
    columns: tuple[Column, ...]
    id_column: str | None
    """What one row is named by: the only column of the primary key, or the rowid; None where there is neither."""
    id_is_rowid: bool

    def column(self, name: str) -> Column:
        """The column of that name. Raises `COLUMN_NOT_FOUND`: SQLite would take a quoted name that it does not know for
        a text."""
        for column in self.columns:
            if same(column.name, name):
                return column
        raise BindingError("COLUMN_NOT_FOUND", f"the {self.kind} {self.name} has no column {name[:100]!r}")


@dataclass(slots=True)
class TableStructure:
    """One table, view or virtual table as the schema shows it."""

    name: str
    type: str
    sql: str | None
    strict: bool
    withoutRowid: bool
    columns: list[Column] = field(default_factory=list)
    indexes: list[dict[str, Any]] = field(default_factory=list)
    foreignKeys: list[dict[str, Any]] = field(default_factory=list)
    rowCount: int | None = None
    rowCountIsExact: bool = True
    error: str | None = None
    """Why a view cannot be read, e.g. because its table was dropped."""


async def tables(sql: Queries) -> list[dict[str, Any]]:
    """The tables and views by name, at most `MAX_TABLES`."""
    found = await one(await sql.execute(Statement(queries["tables"], [MAX_TABLES])))
    return [
        {"name": name, "type": kind, "columns": columns, "strict": bool(strict), "withoutRowid": bool(without_rowid)}
        for name, kind, columns, without_rowid, strict, _ in found.rows
    ]


async def shape(sql: Queries, name: str) -> Shape:
    """One table, view or virtual table. Raises `TABLE_NOT_FOUND`."""
    statements = [Statement(queries["table"], [name]), Statement(queries["columns"], [name])]
    found, columns = await many(await sql.batch(statements, "read"))
    if not found.rows:
        raise BindingError("TABLE_NOT_FOUND", f"there is no table {name[:100]!r} in this database")
    real, kind, without_rowid = found.rows[0]
    made = _columns(columns)
    key = [column.name for column in made if column.primaryKey]
    if len(key) == 1:
        return Shape(real, kind, made, key[0], False)
    taken = {column.name.lower() for column in made}
    free = next((name for name in _ROWID_NAMES if name not in taken), None)
    has_rowid = kind == "table" and not without_rowid
    return Shape(real, kind, made, free if has_rowid else None, has_rowid and free is not None)


async def has_index(sql: Queries, found: Shape, column: str) -> bool:
    """Whether rows can be walked in the order of a column: an index over all rows begins with it."""
    name = found.column(column).name
    return bool((await one(await sql.execute(Statement(queries["leading_index"], [found.name, name])))).rows)


async def schema(sql: Queries, *, counts: bool) -> dict[str, Any]:
    """All of it: what an ER diagram and an explorer draw."""
    statements = [
        Statement(queries["tables"], [MAX_TABLES]),
        Statement(queries["indexes"]),
        Statement(queries["foreign_keys"]),
        Statement(queries["triggers"], [MAX_TABLES]),
        Statement(queries["size"]),
    ]
    found, indexes, keys, triggers, size = await many(await sql.batch(statements, "read"))
    made = {
        name: TableStructure(name, kind, text, bool(strict), bool(without_rowid))
        for name, kind, _, without_rowid, strict, text in found.rows
    }
    await _add_columns(sql, list(made.values()))
    _add_indexes(made, indexes)
    _add_foreign_keys(made, keys)
    if counts:
        await _count(sql, [each for each in made.values() if each.error is None and each.type != "view"])
    return {
        "tables": [each for each in made.values() if each.type != "view"],
        "views": [each for each in made.values() if each.type == "view"],
        "triggers": [{"name": name, "table": table, "sql": text} for name, table, text in triggers.rows],
        "sizeBytes": size.rows[0][0],
        "freeBytes": size.rows[0][1],
        "maxBytes": size.rows[0][2] if size.rows[0][2] < _NO_BOUND else None,
    }


async def _add_columns(sql: Queries, made: list[TableStructure]) -> None:
    for begin in range(0, len(made), _COUNTS_AT_ONCE):
        run = made[begin : begin + _COUNTS_AT_ONCE]
        statements = [Statement(queries["columns"], [each.name]) for each in run]
        try:
            results = await many(await sql.batch(statements, "read"))
        except BindingError:
            # A view over what is gone fails to compile, and the batch with it: ask for each by itself.
            for each in run:
                await _add_columns_of(sql, each)
            continue
        for each, result in zip(run, results, strict=True):
            each.columns = list(_columns(result))


async def _add_columns_of(sql: Queries, structure: TableStructure) -> None:
    try:
        structure.columns = list(
            _columns(await one(await sql.execute(Statement(queries["columns"], [structure.name]))))
        )
    except BindingError as error:
        structure.error = error.message


def _add_indexes(made: dict[str, TableStructure], indexes: Table) -> None:
    by_name: dict[tuple[str, str], dict[str, Any]] = {}
    for table, name, unique, origin, partial, column, descending in indexes.rows:
        if table not in made:
            continue
        index = by_name.get((table, name))
        if index is None:
            index = {"name": name, "unique": bool(unique), "origin": origin, "partial": bool(partial), "columns": []}
            by_name[table, name] = index
            made[table].indexes.append(index)
        index["columns"].append({"name": column, "descending": bool(descending)})


def _add_foreign_keys(made: dict[str, TableStructure], keys: Table) -> None:
    found: defaultdict[str, dict[int, dict[str, Any]]] = defaultdict(dict)
    for table, number, _, target, column, target_column, on_update, on_delete in keys.rows:
        if table not in made:
            continue
        key = found[table].setdefault(
            number,
            {"table": target, "columns": [], "references": [], "onUpdate": on_update, "onDelete": on_delete},
        )
        key["columns"].append(column)
        key["references"].append(target_column)  # null: the primary key of that table
    for table, by_number in found.items():
        made[table].foreignKeys = list(by_number.values())


async def _count(sql: Queries, made: list[TableStructure]) -> None:
    for begin in range(0, len(made), _COUNTS_AT_ONCE):
        run = made[begin : begin + _COUNTS_AT_ONCE]
        bound = COUNTED_ROWS + 1
        statements = [
            Statement(f"select count(*) from (select 1 from {quoted(each.name)} limit {bound})")  # noqa: S608 - quoted
            for each in run
        ]
        for each, result in zip(run, await many(await sql.batch(statements, "read")), strict=True):
            counted = result.rows[0][0]
            each.rowCount = min(counted, COUNTED_ROWS)
            each.rowCountIsExact = counted <= COUNTED_ROWS


def _columns(result: Table) -> tuple[Column, ...]:
    return tuple(
        Column(name, kind or "", not required and not key, default, key, hidden in (2, 3))
        for name, kind, required, default, key, hidden in result.rows
    )
