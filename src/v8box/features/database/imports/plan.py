"""What of a file goes where: columns as they are guessed or said, and rows as the arguments of an INSERT."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

import msgspec
from pydantic import BaseModel, Field

from v8box.api.routes import Shape
from v8box.errors import BadRequest
from v8box.features.database.imports.formats import MAX_COLUMNS, Format, ImportRefused, Row
from v8box.features.database.names import MAX_IDENTIFIER, new_name, new_table, quoted, same
from v8box.features.database.values import to_argument

Type = Literal["INTEGER", "REAL", "TEXT", "BLOB", "NUMERIC", ""]
_INTEGER: Final = re.compile(r"[+-]?(0|[1-9][0-9]{0,17})")
_REAL: Final = re.compile(r"[+-]?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?")


class ColumnPlan(Shape):
    """One column of the file."""

    source: str = Field(max_length=1_000, description="As the preview calls it.")
    target: Annotated[str, Field(max_length=MAX_IDENTIFIER)] | None = Field(
        description="The table's column; null: left out."
    )
    type: Type = Field(default="TEXT", description="Of a column that is made.")


class ImportOptions(Shape):
    """How a file is imported."""

    format: Format = "csv"
    table: str | None = Field(default=None, max_length=MAX_IDENTIFIER, description="Needed but for SQL.")
    create: bool = Field(default=False, description="Make the table.")
    delimiter: str | None = Field(default=None, pattern=r"^[^\r\n\"]$", description="Of CSV; null: guessed.")
    header: bool = Field(default=True, description="Whether the first line of a CSV names the columns.")
    columns: list[ColumnPlan] | None = Field(
        default=None, max_length=MAX_COLUMNS, description="null: each goes into the column of its name."
    )
    primaryKey: str | None = Field(default=None, max_length=MAX_IDENTIFIER, description="Of a table that is made.")
    emptyIsNull: bool = Field(default=True, description="Whether an empty value of a CSV is NULL.")
    unknown: Literal["refuse", "skip"] = Field(
        default="refuse", description="What becomes of fields of JSON that no column is named for."
    )


class ColumnGuess(BaseModel, extra="forbid"):
    """One column as the first rows have it."""

    name: str
    type: str
    empty: bool = Field(description="Whether some rows have nothing there.")


class Preview(BaseModel, extra="forbid"):
    """What a file seems to hold."""

    format: Format
    delimiter: str
    header: bool
    columns: list[ColumnGuess]
    rows: list[list[Any]] = Field(description="The first of them, by column.")
    statements: list[str] = Field(description="Of SQL, the first of them.")


def guess(names: Sequence[str], rows: Sequence[Row]) -> list[ColumnGuess]:
    """The type that every value fits."""
    return [
        ColumnGuess(
            name=name,
            type=_type([each for each in column if not _is_empty(each)]),
            empty=any(_is_empty(each) for each in column),
        )
        for place, name in enumerate(names)
        for column in [[value_of(row, place, name) for row in rows]]
    ]


def value_of(row: Row, place: int, name: str) -> Any:
    """What a row has in a column; None for nothing."""
    if isinstance(row.values, dict):
        return row.values.get(name)
    return row.values[place] if place < len(row.values) else None


def _is_empty(value: Any) -> bool:
    return value is None or value == ""


def _type(values: Sequence[Any]) -> str:
    if not values:
        return "TEXT"
    if all(_fits(each, int, _INTEGER) for each in values):
        return "INTEGER"
    if all(_fits(each, int | float, _REAL) for each in values):
        return "REAL"
    return "BLOB" if all(isinstance(each, dict) and set(each) == {"base64"} for each in values) else "TEXT"


def _fits(value: Any, kind: Any, pattern: re.Pattern[str]) -> bool:
    if isinstance(value, str):
        return pattern.fullmatch(value) is not None
    return isinstance(value, kind)


@dataclass(frozen=True, slots=True)
class Plan:
    """Which columns of the file go into which of the table."""

    table: str
    names: Sequence[str]
    """All columns of the file."""
    taken: Sequence[tuple[int, str, str]]
    """(place in the file, name there, the table's column)."""
    empty_is_null: bool
    refuse_unknown: bool

    def arguments(self, row: Row) -> list[Any]:
        """A row's values, in the order of `taken`. Raises `ImportRefused`."""
        values = row.values
        if isinstance(values, dict):
            if self.refuse_unknown and (unknown := values.keys() - set(self.names)):
                raise ImportRefused(
                    f"the field {min(unknown)[:60]!r} is in no row before: name it, or skip such", row.line
                )
            return [_argument(values.get(name), name, row.line) for _, name, _ in self.taken]
        if len(values) != len(self.names):
            raise ImportRefused(f"{len(values)} values for {len(self.names)} columns", row.line)
        return [None if values[at] == "" and self.empty_is_null else values[at] for at, _, _ in self.taken]

    def insert(self, count: int) -> str:
        """The statement for so many rows."""
        marks = f"({', '.join('?' * len(self.taken))})"
        columns = ", ".join(quoted(column) for _, _, column in self.taken)
        return f"insert into {quoted(self.table)} ({columns}) values {', '.join([marks] * count)}"  # noqa: S608


def plan(options: ImportOptions, names: Sequence[str], guessed: Sequence[ColumnGuess]) -> tuple[Plan, str | None]:
    """What goes where, and the statement that makes the table if it is to be made. Raises `ImportRefused`."""
    if not options.table:
        raise ImportRefused("Say into which table the rows go.")
    if not names:
        raise ImportRefused("The file has no columns.")
    columns = options.columns or [
        ColumnPlan(source=each.name, target=each.name.strip()[:MAX_IDENTIFIER], type=each.type)  # type: ignore[arg-type]
        for each in guessed
    ]
    taken: list[tuple[int, str, str]] = []
    types: list[str] = []
    for column in columns:
        if column.target is None:
            continue
        if column.source not in names:
            raise ImportRefused(f"The file has no column {column.source[:60]!r}.")
        if any(same(column.target, target) for _, _, target in taken):
            raise ImportRefused(f"Two columns of the file go into {column.target}: leave one out.")
        taken.append((names.index(column.source), column.source, column.target))
        types.append(column.type)
    if not taken:
        raise ImportRefused("No column of the file goes into the table.")
    made = Plan(options.table, names, taken, options.emptyIsNull, options.unknown == "refuse")
    return made, _definition(options, made, types) if options.create else None


def _definition(options: ImportOptions, made: Plan, types: Sequence[str]) -> str:
    key = options.primaryKey
    if key is not None and not any(same(key, target) for _, _, target in made.taken):
        raise ImportRefused(f"The primary key {key} is none of the columns.")
    lines = []
    for (_, _, target), kind in zip(made.taken, types, strict=True):
        words = [new_name(target), kind, "primary key" if key is not None and same(key, target) else ""]
        if words[2] and kind != "INTEGER":
            words.append("not null")
        lines.append(" ".join(word for word in words if word))
    try:
        return f"create table {new_table(made.table)} (\n  " + ",\n  ".join(lines) + "\n)"
    except BadRequest as error:
        raise ImportRefused(error.detail) from error


def _argument(value: Any, name: str, line: int) -> Any:
    if isinstance(value, list) or (isinstance(value, dict) and set(value) != {"base64"}):
        return msgspec.json.encode(value).decode()
    try:
        return to_argument(value, name)
    except BadRequest as error:
        raise ImportRefused(error.detail, line) from error
