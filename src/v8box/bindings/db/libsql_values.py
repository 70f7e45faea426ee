"""Arguments and results on their way to and from a LibSQL server: between `values.py`'s encoding and Hrana's, exactly.

An infinite float has no form in Hrana's JSON: as an argument it is refused, in a result its sign is lost (NaN).
"""

from __future__ import annotations

import math
from base64 import b64decode
from binascii import Error as Base64Error
from typing import Any, Final

import msgspec

from v8box.bindings.db.hrana import (
    Blob,
    Column,
    DescribeResult,
    Float,
    Integer,
    NamedArg,
    Null,
    Stmt,
    StmtResult,
    Text,
    Value,
)
from v8box.bindings.db.interface import Encoding, Result, Statement
from v8box.bindings.interface import BindingError

_MAX_SAFE_INTEGER: Final = 2**53 - 1
_MAX_INTEGER: Final = 2**63
_NULL: Final = Null()
_ROWS_AT_ONCE: Final = 256

_encode = msgspec.json.Encoder().encode
_decode_result = msgspec.json.Decoder(StmtResult).decode
_decode_description = msgspec.json.Decoder(DescribeResult).decode
_decode_row = msgspec.json.Decoder(list[Value]).decode


def to_stmt(statement: Statement) -> Stmt:
    """A statement as the server takes it. Raises `BindingError` (`ARGS_INVALID`)."""
    args = statement.args
    if not args:
        return Stmt(statement.sql)
    if isinstance(args, dict):
        named = [NamedArg(name.lstrip(":@$"), to_value(value)) for name, value in args.items()]
        return Stmt(statement.sql, named_args=named)
    return Stmt(statement.sql, args=[to_value(value) for value in args])


def to_value(value: Any) -> Value:
    """One decoded argument."""
    kind = type(value)
    if value is None:
        return _NULL
    if kind is str:
        return Text(value)
    if kind is int:
        if -_MAX_INTEGER <= value < _MAX_INTEGER:
            return Integer(str(value))
        raise _invalid("an integer argument does not fit 64 bits")
    if kind is float:
        return _to_float(value)
    if kind is bool:
        return Integer(str(int(value)))
    if kind is dict and len(value) == 1:
        ((tag, inner),) = value.items()
        try:
            if tag == "i" and len(inner) <= 20:
                return to_value(int(inner))
            if tag == "f":
                return _to_float(float(inner))
            if tag == "b":
                b64decode(inner, validate=True)
                return Blob(inner)
        except (ValueError, TypeError, OverflowError, Base64Error) as error:
            raise _invalid(f"an argument is not what its tag {tag!r} says") from error
    raise _invalid("an argument is neither null, string, number nor a tagged value")


def _to_float(value: float) -> Value:
    if math.isnan(value):
        return _NULL  # as SQLite has it
    if math.isinf(value):
        raise _invalid("a LibSQL server takes no infinite number as an argument")
    return Float(value)


def _invalid(message: str) -> BindingError:
    return BindingError("ARGS_INVALID", message)


def replication_index(result: msgspec.Raw) -> int | None:
    """How far the database had got, in a StmtResult."""
    index = _decode_result(result).replication_index
    return int(index) if index is not None else None


def to_result(raw: msgspec.Raw, encoding: Encoding, *, writes: bool) -> tuple[Result, int | None]:
    """A StmtResult in the caller's encoding, and the replication index that came with it.

    A statement that only reads changed nothing and made no row, whatever the connection remembers of others.
    """
    found = _decode_result(raw)
    index = int(found.replication_index) if found.replication_index is not None else None
    changes = found.affected_row_count if writes else 0
    rowid = found.last_insert_rowid if writes else None
    if encoding == "hrana":
        passed = {
            "cols": found.cols,
            "rows": found.rows,  # as they came
            "affected_row_count": changes,
            "last_insert_rowid": rowid if rowid != "0" else None,
        }
        return Result(msgspec.Raw(_encode(passed)), len(found.rows), changes), index
    encoded = b"".join(
        (
            b'{"c":',
            _encode(_names(found.cols)),
            b',"t":',
            _encode(_types(found.cols)),
            b',"r":',
            _rows(found.rows),
            b',"n":%d,"i":' % changes,
            b'"%s"}' % rowid.encode() if rowid is not None and rowid != "0" else b"null}",
        )
    )
    return Result(msgspec.Raw(encoded), len(found.rows), changes), index


def to_description(raw: msgspec.Raw, encoding: Encoding) -> Result:
    """A DescribeResult in the caller's encoding."""
    if encoding == "hrana":
        return Result(msgspec.Raw(bytes(raw)))
    found = _decode_description(raw)
    encoded = _encode(
        {
            "params": [parameter.name for parameter in found.params],
            "c": _names(found.cols),
            "t": _types(found.cols),
            "explain": found.is_explain,
            "readonly": found.is_readonly,
        }
    )
    return Result(msgspec.Raw(encoded))


def _names(columns: list[Column]) -> list[str]:
    return [column.name or "" for column in columns]


def _types(columns: list[Column]) -> list[str]:
    return [column.decltype or "" for column in columns]


def _rows(rows: list[msgspec.Raw]) -> bytes:
    """The rows as a JSON list; only a few hundred are decoded at a time."""
    parts = [
        _encode([[_tagged(value) for value in _decode_row(row)] for row in rows[start : start + _ROWS_AT_ONCE]])[1:-1]
        for start in range(0, len(rows), _ROWS_AT_ONCE)
    ]
    return b"[" + b",".join(parts) + b"]"


def _tagged(value: Value) -> Any:
    if isinstance(value, Text):
        return value.value
    if isinstance(value, Integer):
        number = int(value.value)
        return number if -_MAX_SAFE_INTEGER <= number <= _MAX_SAFE_INTEGER else {"i": value.value}
    if isinstance(value, Null):
        return None
    if isinstance(value, Float):
        return {"f": "nan"} if value.value is None else value.value
    return {"b": value.base64 + "=" * (-len(value.base64) % 4)}
