"""Results as Hrana 3 has them in JSON: StmtResult and DescribeResult, for clients that open a database from outside.

The format is https://github.com/tursodatabase/libsql/blob/main/docs/HRANA_3_SPEC.md. Blobs are in base64 without
padding, as LibSQL server writes them.
"""

from __future__ import annotations

import math
from base64 import b64encode
from collections.abc import Sequence
from typing import Any, Final

import apsw
import msgspec

from v8box.bindings.db.values import Columns

_encode = msgspec.json.Encoder().encode
_NULL: Final = {"type": "null"}
# JSON has no word for infinity; this number is none a double can hold, so that readers round it to what is meant.
_INFINITY: Final = msgspec.Raw(b"1e999")
_NEGATIVE_INFINITY: Final = msgspec.Raw(b"-1e999")


def as_value(value: apsw.SQLiteValue) -> dict[str, Any]:
    """One value of a row."""
    if value is None:
        return _NULL
    if isinstance(value, str):
        return {"type": "text", "value": value}
    if isinstance(value, int):
        return {"type": "integer", "value": str(value)}
    if isinstance(value, float):
        if math.isfinite(value):
            return {"type": "float", "value": value}
        return {"type": "float", "value": _INFINITY if value > 0 else _NEGATIVE_INFINITY}
    return {"type": "blob", "base64": b64encode(value).rstrip(b"=").decode()}


def encode_result(columns: Columns, rows: bytes | bytearray, changes: int, rowid: int | None) -> bytes:
    """A StmtResult; `rows` is already encoded."""
    return b"".join(
        (
            b'{"cols":',
            _columns(columns),
            b',"rows":',
            rows,
            b',"affected_row_count":%d,"last_insert_rowid":' % changes,
            b"null}" if rowid is None else b'"%d"}' % rowid,
        )
    )


def encode_description(
    parameters: Sequence[str | None], columns: Columns, *, is_explain: bool, is_readonly: bool
) -> bytes:
    """A DescribeResult."""
    return _encode(
        {
            "params": [{"name": name} for name in parameters],
            "cols": msgspec.Raw(_columns(columns)),
            "is_explain": is_explain,
            "is_readonly": is_readonly,
        }
    )


def _columns(columns: Columns) -> bytes:
    return _encode([{"name": name, "decltype": declared} for name, declared in columns])
