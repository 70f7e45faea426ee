"""`v8box db export` and `import`: a database as SQL, a table as CSV; files of rows, SQL and SQLite into a database."""

from __future__ import annotations

import base64
import csv
import io
import json
import os
import sqlite3
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any, Final

import typer

from v8box.cli.command import Command, on_box
from v8box.cli.console import Database, fail, say
from v8box.cli.exits import CommandFailed, Exit
from v8box.features.database.imports.script import belongs, statements
from v8box.kit.files import temporary_beside

if TYPE_CHECKING:
    from v8box.cli.client import Place
    from v8box.cli.hrana import Transaction, Value

_PAGE: Final = 500
_STATEMENTS: Final = 200
_BATCH_BYTES: Final = 2_000_000
_SQLITE: Final = b"SQLite format 3\0"
_ROWS: Final = {".csv": "csv", ".tsv": "csv", ".json": "json", ".jsonl": "jsonl", ".ndjson": "jsonl"}
"""Files of rows, which the box reads; the others are SQL or a SQLite database."""


def add_dump_commands(app: typer.Typer) -> None:
    app.command("export")(export)
    app.command("import")(import_file)


@on_box
def export(
    command: Command,
    target: Annotated[
        Path | None, typer.Option("--output", "-o", help="The file to write.", show_default="standard output")
    ] = None,
    table: Annotated[str | None, typer.Option("--table", "-t", help="Only this table, as CSV.")] = None,
    database: Database = "global",
) -> None:
    """Write a database as SQL, or one table as CSV, as it is at one moment."""
    from v8box.cli.hrana import transaction

    if target is not None and target.exists():
        fail(f"{target} is there already: nothing was written", Exit.CONFLICT)
    with transaction(command.admin, command.place, database, write=False) as sql, _written(target) as file:
        if table is None:
            for statement in dump(sql):
                file.write(f"{statement}\n")
        else:
            _write_csv(sql, table, file)
    if target is not None:
        say(f"Written: {target}")


@on_box
def import_file(
    command: Command,
    file: Annotated[
        str, typer.Argument(help="A .csv, .tsv, .json, .jsonl or .sql file, a SQLite database, or - for SQL.")
    ],
    table: Annotated[str | None, typer.Option("--table", "-t", help="Where the rows of a CSV or JSON go.")] = None,
    create: Annotated[
        bool, typer.Option("--create", help="Make the table, with the types that the rows have.")
    ] = False,
    key: Annotated[str | None, typer.Option("--key", help="The column that is the primary key of a new table.")] = None,
    database: Database = "global",
) -> None:
    """Add the rows of a CSV or JSON, run a file of SQL, or copy a SQLite database: all of it or nothing."""
    from v8box.cli.hrana import transaction

    kind = _ROWS.get(Path(file).suffix.lower())
    if kind is not None and table is None:
        fail("Say where the rows go: --table NAME", Exit.USAGE)
    if kind is not None:
        options = {"format": kind, "table": table, "create": create, "primaryKey": key}
        done = _import_rows(command.place, database, file, options)
        command.show(done, ("table", "rows"), [(done["table"], done["rows"])])
        return
    with transaction(command.admin, command.place, database, write=True) as sql:
        count, changed = _run(sql, _of_file(file))
    done = {"statements": count, "rows": changed}
    command.show(done, ("statements", "rows"), [(count, changed)])


def _import_rows(place: Place, database: str, file: str, options: Mapping[str, Any]) -> Any:
    """Sends the file and follows the operation that imports it."""
    from v8box.cli.client import segment
    from v8box.cli.v1 import V1

    def told(operation: Any) -> None:
        if operation["state"] == "running" and (step := operation["progress"]["step"]):
            say(f"  {step}")

    try:
        with V1(place) as api, open(file, "rb") as opened:
            address = f"/admin/database/databases/{segment(database)}/import"
            answer = api.upload(address, {"options": json.dumps(options)}, opened, Path(file).name, lambda _: None)
            operation = api.wait(answer["data"], told)
    except OSError as error:
        raise CommandFailed(f"{file} cannot be read: {error.strerror or error}") from error
    return operation["result"]


def dump(sql: Transaction) -> Iterator[str]:
    """The statements that make the database anew, as SQLite's own shell writes them."""
    yield "PRAGMA foreign_keys=OFF;"
    yield "BEGIN TRANSACTION;"
    known = "SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite~_%' ESCAPE '~'"
    things = [(str(kind), str(name), str(text)) for kind, name, text in sql.rows(f"{known} ORDER BY rowid")]
    shadows = _shadows(things)
    for kind, name, text in things:
        if kind == "table" and name not in shadows:
            yield f"{text};"
            if not text.upper().lstrip().startswith("CREATE VIRTUAL"):
                yield from _inserts(sql, name)
    if sql.rows("SELECT 1 FROM sqlite_schema WHERE name = 'sqlite_sequence'"):
        yield "DELETE FROM sqlite_sequence;"
        yield from _inserts(sql, "sqlite_sequence")
    for kind, _, text in things:
        if kind != "table":
            yield f"{text};"
    yield "COMMIT;"


def _shadows(things: Iterable[tuple[str, str, str]]) -> set[str]:
    """Tables that a virtual table makes for itself."""
    virtual = [name for _, name, text in things if text.upper().lstrip().startswith("CREATE VIRTUAL")]
    return {name for _, name, _ in things if any(name.startswith(f"{each}_") for each in virtual)}


def _inserts(sql: Transaction, table: str) -> Iterator[str]:
    columns = [str(name) for [name] in sql.rows("SELECT name FROM pragma_table_info(?)", [table])]
    quoted = ", ".join(_quoted(column) for column in columns)
    # quote() ends at a zero, so text that has one is written as bytes.
    values = " || ',' || ".join(
        f"CASE WHEN typeof({name}) = 'text' AND instr({name}, char(0)) THEN 'CAST(x''' || hex({name}) || ''' AS TEXT)' "
        f"ELSE quote({name}) END"
        for name in map(_quoted, columns)
    )
    for [text] in _paged(sql, table, values):
        yield f"INSERT INTO {_quoted(table)} ({quoted}) VALUES ({text!s});"  # noqa: S608 - quoted, all of it


def _paged(sql: Transaction, table: str, wanted: str) -> Iterator[list[Value]]:
    """All rows of a table, a page at a time, by its key where that is a rowid."""
    name = _quoted(table)
    try:
        sql.rows(f"SELECT rowid FROM {name} LIMIT 0")  # noqa: S608 - a quoted name
        has_rowid = True
    except CommandFailed:
        has_rowid = False
    last: Value = None
    offset = 0
    while True:
        if has_rowid:
            after = "" if last is None else "WHERE rowid > ?"
            query = f"SELECT rowid, {wanted} FROM {name} {after} ORDER BY rowid LIMIT {_PAGE}"  # noqa: S608
            rows = sql.rows(query, [] if last is None else [last])
            yield from (row[1:] for row in rows)
            last = rows[-1][0] if rows else None
        else:
            rows = sql.rows(f"SELECT {wanted} FROM {name} LIMIT {_PAGE} OFFSET {offset}")  # noqa: S608
            yield from rows
            offset += len(rows)
        if len(rows) < _PAGE:
            return


def _write_csv(sql: Transaction, table: str, file: IO[str]) -> None:
    columns = [str(name) for [name] in sql.rows("SELECT name FROM pragma_table_info(?)", [table])]
    if not columns:
        raise CommandFailed(f"There is no table {table}", Exit.NOT_FOUND)
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(columns)
    for row in _paged(sql, table, ", ".join(map(_quoted, columns))):
        writer.writerow(base64.b64encode(cell).decode() if isinstance(cell, bytes) else cell for cell in row)


@contextmanager
def _written(target: Path | None) -> Iterator[IO[str]]:
    """Standard output, or a file that is there only when it is whole."""
    if target is None:
        with nullcontext(sys.stdout) as out:
            yield out
        return
    temporary = temporary_beside(target)
    try:
        with open(temporary, "x", encoding="utf-8", newline="") as file:
            yield file
        os.replace(temporary, target)
    except OSError as error:
        raise CommandFailed(f"{target} cannot be written: {error.strerror or error}") from error
    finally:
        temporary.unlink(missing_ok=True)


def _run(sql: Transaction, statements: Iterable[tuple[str, list[Value]]]) -> tuple[int, int]:
    """Batch by batch. Gives how many statements there were, and how many rows they changed."""
    [[before]] = sql.rows("SELECT total_changes()")
    count = held = 0
    batch: list[tuple[str, list[Value]]] = []
    for statement, args in statements:
        batch.append((statement, args))
        count += 1
        held += len(statement) + sum(len(each) for each in args if isinstance(each, str | bytes))
        if len(batch) >= _STATEMENTS or held > _BATCH_BYTES:
            sql.run(batch)
            batch, held = [], 0
    if batch:
        sql.run(batch)
    [[after]] = sql.rows("SELECT total_changes()")
    return count, int(str(after)) - int(str(before))


def _of_file(file: str) -> Iterator[tuple[str, list[Value]]]:
    """The statements of a file of SQL, or those that make a SQLite database anew."""
    try:
        with nullcontext(sys.stdin.buffer) if file == "-" else open(file, "rb") as opened:
            content = opened.read()
    except OSError as error:
        raise CommandFailed(f"{file} cannot be read: {error.strerror or error}") from error
    if content.startswith(_SQLITE):
        yield from _of_sqlite(file)
        return
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise CommandFailed(f"{file} is neither SQL in UTF-8 nor a SQLite database") from error
    for statement in split(text):
        yield statement, []


def _of_sqlite(file: str) -> Iterator[tuple[str, list[Value]]]:
    try:
        opened = sqlite3.connect(f"{Path(file).resolve().as_uri()}?mode=ro", uri=True)
        try:
            for statement in opened.iterdump():
                if belongs(statement):
                    yield statement, []
        finally:
            opened.close()
    except sqlite3.Error as error:
        raise CommandFailed(f"{file} cannot be read: {error}") from error


def split(text: str) -> Iterator[str]:
    """The statements of a script, without those that begin and end transactions."""
    for _, statement in statements(io.BytesIO(text.encode())):
        yield statement


def _quoted(name: Any) -> str:
    return '"' + str(name).replace('"', '""') + '"'
