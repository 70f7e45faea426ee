"""SQLite's values in the API's JSON, both ways.

null, text and numbers are themselves. An integer beyond ±(2^53 - 1), which most JSON readers would round, is a text of
its digits; a blob is `{"base64": "…"}`; an infinite float is the text `"Infinity"` or `"-Infinity"`, or `"NaN"` from a
LibSQL server, which does not tell them apart. Going in, an integer of 64 bits may be a JSON number, and true and false
are 1 and 0.
"""

from __future__ import annotations

import asyncio
import math
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Callable
from typing import Any, Final, TypeVar

import msgspec

from v8box.bindings.db.interface import Result
from v8box.bindings.db.values import MAX_SAFE_INTEGER
from v8box.errors import BadRequest

T = TypeVar("T")

_LARGE_BYTES: Final = 128 * 1024  # a result of this size is decoded in a thread, since the loop serves the workers too


class _Encoded(msgspec.Struct):
    """A result as `bindings/db/values.py` encodes it for workers."""

    c: list[str]
    t: list[str]
    r: list[list[Any]]
    n: int
    i: str | None


class Table(msgspec.Struct, frozen=True):
    """A result of a statement, decoded: columns, their declared types, rows as lists."""

    columns: list[str]
    types: list[str]
    rows: list[list[Any]]
    changed: int
    last_rowid: str | None

    def objects(self) -> list[dict[str, Any]]:
        """The rows as objects by column name."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


_decode_one: Final = msgspec.json.Decoder(_Encoded).decode
_decode_many: Final = msgspec.json.Decoder(list[_Encoded]).decode


async def one(result: Result) -> Table:
    """The result of one statement."""
    return await converted(result, to_table)


async def many(result: Result) -> list[Table]:
    """The results of a batch."""
    return await converted(result, _to_tables)


def tagged(result: Result) -> list[list[Any]]:
    """The rows of one statement with values as arguments have them: nothing is lost on the way back."""
    return _decode_one(result.encoded).r


async def converted(result: Result, convert: Callable[[msgspec.Raw], T]) -> T:
    """What `convert` makes of the encoded result; of a large one in a thread."""
    if len(result.encoded) > _LARGE_BYTES:
        return await asyncio.to_thread(convert, result.encoded)
    return convert(result.encoded)


def to_argument(value: Any, where: str) -> Any:
    """One value from a caller's JSON as a statement's argument. Raises `BadRequest` naming `where` it was."""
    match value:
        case None | str():
            return value
        case bool():
            return int(value)
        case int():
            if not -(2**63) <= value < 2**63:
                raise BadRequest(f"{where}: an integer has to fit 64 bits.")
            return value if -MAX_SAFE_INTEGER <= value <= MAX_SAFE_INTEGER else {"i": str(value)}
        case float():
            if not math.isfinite(value):
                raise BadRequest(f"{where}: JSON has no {value}.")
            return {"f": value} if value.is_integer() else value
        case {"base64": str(text)} if len(value) == 1:
            try:
                b64decode(text, validate=True)
            except (Base64Error, ValueError) as error:
                raise BadRequest(f"{where}: the base64 of a blob cannot be read.") from error
            return {"b": text}
    raise BadRequest(f'{where}: a value is null, true, false, a number, a text, or {{"base64": "…"}} for a blob.')


def _to_tables(encoded: msgspec.Raw) -> list[Table]:
    return [_table(each) for each in _decode_many(encoded)]


def to_table(encoded: msgspec.Raw) -> Table:
    return _table(_decode_one(encoded))


def _table(encoded: _Encoded) -> Table:
    for row in encoded.r:
        for index, value in enumerate(row):
            if type(value) is dict:
                row[index] = _from_tag(value)
    return Table(_distinct(encoded.c), encoded.t, encoded.r, encoded.n, encoded.i)


def _from_tag(value: dict[str, Any]) -> Any:
    match value:
        case {"i": str(digits)}:
            return digits
        case {"b": str(text)}:
            return {"base64": text}
        case {"f": "inf"}:
            return "Infinity"
        case {"f": "-inf"}:
            return "-Infinity"
        case {"f": "nan"}:
            return "NaN"
        case {"f": number}:
            return number
    raise ValueError(f"a value with the unknown tag {sorted(value)}")


def _distinct(columns: list[str]) -> list[str]:
    """Column names such that no row loses a value: of two called `id` the second is `id:1`, as in CREATE TABLE AS."""
    seen: set[str] = set()
    names = []
    for column in columns:
        name, number = column, 0
        while name in seen:
            number += 1
            name = f"{column}:{number}"
        seen.add(name)
        names.append(name)
    return names
