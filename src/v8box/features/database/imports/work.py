"""One import: a file's rows into a table, in one transaction. It fails as a whole, and says at which line."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any, BinaryIO, Final, TypeVar

from v8box.bindings.db.interface import Database, Statement, Transaction
from v8box.bindings.interface import BindingError
from v8box.features.database import structure
from v8box.features.database.imports import plan as plans
from v8box.features.database.imports.formats import ImportRefused, Row, guess_delimiter, names_of, rows_of
from v8box.features.database.imports.plan import ImportOptions, Plan, Preview
from v8box.features.database.imports.script import statements
from v8box.features.database.rows import writable

SAMPLE_BYTES: Final = 1024 * 1024
_SAMPLE_ROWS: Final = 1_000
_SHOWN_ROWS: Final = 20
_SHOWN_CHARACTERS: Final = 200
_ROWS: Final = 500
_VALUES: Final = 30_000  # SQLite takes 32 766 parameters
_BYTES: Final = 1_000_000
_STATEMENTS: Final = 200
_PASSING: Final = (
    "SQLITE_FULL",
    "SQLITE_INTERRUPT",
    "SQLITE_BUSY",
    "SQLITE_NOMEM",
    "ENGINE_",
    "TRANSACTION_",
    "DATABASE_",
)

T = TypeVar("T")
Told = Callable[[int, int], None]
"""How many rows are in, and how many bytes are read."""


@dataclass(frozen=True, slots=True)
class Done:
    """What came of it."""

    rows: int
    created: bool


def preview(file: BinaryIO, options: ImportOptions, *, whole: bool) -> Preview:
    """What the beginning of a file seems to hold. Raises `ImportRefused`. Blocks a little."""
    if options.format == "sql":
        first = [text[:_SHOWN_CHARACTERS] for _, text in islice(statements(file, whole=whole), _SHOWN_ROWS)]
        return Preview(format="sql", delimiter="", header=False, columns=[], rows=[], statements=first)
    delimiter = _delimiter(file, options)
    first_rows = list(islice(rows_of(file, options.format, delimiter, whole=whole), _SAMPLE_ROWS))
    names, rows = _named(first_rows, options)
    return Preview(
        format=options.format,
        delimiter=delimiter if options.format == "csv" else "",
        header=options.header,
        columns=plans.guess(names, rows),
        rows=[
            [_shown(plans.value_of(row, place, name)) for place, name in enumerate(names)] for row in rows[:_SHOWN_ROWS]
        ],
        statements=[],
    )


async def run(database: Database, path: Path, options: ImportOptions, told: Told) -> Done:
    """All of it, or nothing. Cancelled, nothing."""
    with path.open("rb") as file:
        transaction = await database.begin("write")
        try:
            work = _run_script if options.format == "sql" else _run_rows
            done = await work(transaction, file, options, told)
            await transaction.commit()
        except BaseException:
            await asyncio.shield(transaction.rollback())
            raise
    return done


async def _run_script(transaction: Transaction, file: BinaryIO, _: ImportOptions, told: Told) -> Done:
    count = 0
    source = statements(file)
    while batch := await _in_thread(lambda: list(islice(source, _STATEMENTS))):
        for line, text in batch:
            try:
                result = await transaction.execute(Statement(text))
            except BindingError as error:
                raise _at_line(error, line) from error
            count += result.written
        told(count, file.tell())
    return Done(count, False)


async def _run_rows(transaction: Transaction, file: BinaryIO, options: ImportOptions, told: Told) -> Done:
    rows, made, definition = await _in_thread(lambda: _begin(file, options))
    if definition is not None:
        await transaction.execute(Statement(definition))
    found = writable(await structure.shape(transaction, made.table))
    for _, _, target in made.taken:
        if found.column(target).generated:
            raise ImportRefused(f"The column {target} is generated: leave it out.")
    source = _chunks(rows, made)
    count = 0
    while (chunk := await _in_thread(lambda: next(source, None))) is not None:
        await _insert(transaction, made, chunk)
        count += len(chunk)
        told(count, file.tell())
    return Done(count, definition is not None)


def _begin(file: BinaryIO, options: ImportOptions) -> tuple[Iterator[Row], Plan, str | None]:
    """The first rows tell the columns; they are given again with the rest."""
    rows = rows_of(file, options.format, _delimiter(file, options))
    first = list(islice(rows, _SAMPLE_ROWS))
    names, data = _named(first, options)
    made, definition = plans.plan(options, names, plans.guess(names, data))
    return chain(data, rows), made, definition


def _named(first: Sequence[Row], options: ImportOptions) -> tuple[list[str], Sequence[Row]]:
    header = options.format == "csv" and options.header
    names = names_of(first, header=header)
    if not names:
        raise ImportRefused("The file is empty: there is nothing to import.")
    if options.format != "csv" and options.columns:  # a name that only later rows have
        names += [each.source for each in options.columns if each.source not in names]
    return names, first[1:] if header else first


def _delimiter(file: BinaryIO, options: ImportOptions) -> str:
    if options.delimiter is not None or options.format != "csv":
        return options.delimiter or ","
    found = guess_delimiter(file.read(64 * 1024))
    file.seek(0)
    return found


Chunk = list[tuple[int, list[Any]]]


def _chunks(rows: Iterator[Row], made: Plan) -> Iterator[Chunk]:
    """Rows as one statement takes them, each with its line."""
    most = max(1, min(_ROWS, _VALUES // len(made.taken)))
    chunk: Chunk = []
    held = 0
    for row in rows:
        arguments = made.arguments(row)
        chunk.append((row.line, arguments))
        held += sum(len(each) for each in arguments if isinstance(each, str))
        if len(chunk) == most or held > _BYTES:
            yield chunk
            chunk, held = [], 0
    if chunk:
        yield chunk


async def _insert(transaction: Transaction, made: Plan, chunk: Chunk) -> None:
    try:
        await transaction.execute(Statement(made.insert(len(chunk)), [each for _, row in chunk for each in row]))
    except BindingError as error:
        if len(chunk) > 1 and not error.code.startswith(_PASSING):
            await _find_fault(transaction, made, chunk)
        raise _at_line(error, chunk[0][0]) from error


async def _find_fault(transaction: Transaction, made: Plan, chunk: Chunk) -> None:
    """Row by row: the statement for all of them was undone, and the first row that is refused is the one to name."""
    one = made.insert(1)
    for line, row in chunk:
        try:
            await transaction.execute(Statement(one, row))
        except BindingError as error:
            raise _at_line(error, line) from error


def _at_line(error: BindingError, line: int) -> Exception:
    if error.code.startswith(_PASSING):
        return BindingError(error.code, f"{error.message} (at line {line}; nothing was imported)", {"line": line})
    return ImportRefused(error.message, line)


def _shown(value: Any) -> Any:
    if isinstance(value, str):
        return value[:_SHOWN_CHARACTERS]
    if isinstance(value, list | dict):
        return str(value)[:_SHOWN_CHARACTERS]
    return value


async def _in_thread(work: Callable[[], T]) -> T:
    """Given up, it is waited for: it reads a file that is closed next."""
    running = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait((running,))
        if not running.cancelled():
            running.exception()
        raise
