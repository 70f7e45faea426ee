"""SQLite values as JSON, both ways, exactly.

A plain JSON null, string or number is itself. What JSON has no exact word for is an object with one key:
`{"i": "9007199254740993"}` an integer that JavaScript's number cannot hold, `{"f": 1e21}` or `{"f": "inf"}` a float
that would read as an integer or is none, `{"b": "AQID"}` a blob in base64. `client.ts` has the other half.

An encoded result is `{"c": columns, "t": declared types, "r": rows, "n": rows changed, "i": last row id or null}`, a
description `{"params": names or null, "c": …, "t": …, "explain": …, "readonly": …}`. `stmt_result.py` has Hrana's.
"""

from __future__ import annotations

import math
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import apsw
import msgspec

MAX_SAFE_INTEGER: Final = 2**53 - 1
_MAX_INTEGER: Final = 2**63
_ROWS_AT_ONCE: Final = 256  # encoded together; also how far a result may outgrow its cap before that shows

_encoder = msgspec.json.Encoder()

Columns = Sequence[tuple[str, str | None]]
"""Names and declared types."""


class BadArgument(ValueError):
    """An argument is none of the encodings above, or does not fit SQLite."""


class ResultTooLarge(Exception):
    """The encoded rows outgrew their cap."""


def to_sqlite(value: Any) -> apsw.SQLiteValue:
    """One decoded argument as what apsw binds."""
    kind = type(value)
    if kind is str or value is None or kind is float:
        return value
    if kind is int:
        if -_MAX_INTEGER <= value < _MAX_INTEGER:
            return value
        raise BadArgument("an integer argument does not fit 64 bits")
    if kind is bool:
        return int(value)
    if kind is dict and len(value) == 1:
        ((tag, inner),) = value.items()
        try:
            if tag == "i" and len(inner) <= 20:
                return to_sqlite(int(inner))
            if tag == "f":
                return float(inner)
            if tag == "b":
                return b64decode(inner, validate=True)
        except (ValueError, TypeError, OverflowError, Base64Error) as error:
            raise BadArgument(f"an argument is not what its tag {tag!r} says") from error
    raise BadArgument("an argument is neither null, string, number nor a tagged value")


def bindings(args: list[Any] | dict[str, Any] | None) -> Sequence[Any] | dict[str, Any] | None:
    """A statement's arguments as apsw takes them; named ones may keep their `:`, `@` or `$`."""
    if not args:
        return None
    if isinstance(args, dict):
        return {name.lstrip(":@$"): to_sqlite(value) for name, value in args.items()}
    return [to_sqlite(value) for value in args]


def as_tagged(value: apsw.SQLiteValue) -> Any:
    if type(value) is str or value is None:
        return value
    if type(value) is int and not -MAX_SAFE_INTEGER <= value <= MAX_SAFE_INTEGER:
        return {"i": str(value)}
    if type(value) is float and not math.isfinite(value):
        return {"f": "inf" if value > 0 else "-inf"}
    if type(value) is bytes:
        return {"b": value}
    return value


def encode_rows(
    rows: Iterable[tuple[apsw.SQLiteValue, ...]], cap_bytes: int, as_json: Callable[[apsw.SQLiteValue], Any] = as_tagged
) -> tuple[bytearray, int]:
    """The rows as a JSON list, and how many. Holds only a few hundred of them decoded at a time."""
    out = bytearray(b"[")
    batch: list[list[Any]] = []
    count = 0
    for row in rows:
        batch.append([as_json(value) for value in row])
        if len(batch) == _ROWS_AT_ONCE:
            count += _ROWS_AT_ONCE
            _append(out, batch, cap_bytes)
    if batch:
        count += len(batch)
        _append(out, batch, cap_bytes)
    if len(out) > 1:
        out.pop()  # the comma after the last row
    out += b"]"
    return out, count


def _append(out: bytearray, batch: list[list[Any]], cap_bytes: int) -> None:
    out += _encoder.encode(batch)[1:-1]
    out += b","
    batch.clear()
    if len(out) > cap_bytes:
        raise ResultTooLarge


def encode_result(columns: Columns, rows: bytes | bytearray, changes: int, rowid: int | None) -> bytes:
    """One whole result; `rows` is already encoded."""
    return b"".join(
        (
            b'{"c":',
            _encoder.encode([column[0] for column in columns]),
            b',"t":',
            _encoder.encode([column[1] or "" for column in columns]),
            b',"r":',
            rows,
            b',"n":%d,"i":' % changes,
            b"null}" if rowid is None else b'"%d"}' % rowid,
        )
    )


def encode_description(
    parameters: Sequence[str | None], columns: Columns, *, is_explain: bool, is_readonly: bool
) -> bytes:
    """What is known of a statement without running it."""
    return _encoder.encode(
        {
            "params": list(parameters),
            "c": [column[0] for column in columns],
            "t": [column[1] or "" for column in columns],
            "explain": is_explain,
            "readonly": is_readonly,
        }
    )
