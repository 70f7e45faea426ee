"""The shape of every JSON answer under /admin, as the founding product has it.

`{"success": true, "data": …, "timestamp": "…Z"}`, or `{"success": false, "error": "what to do", "code": "stable_word",
"timestamp": "…Z"}`, with `details` where there is more that a program can use. Times are ISO 8601 in UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

_encode = msgspec.json.Encoder().encode


def timestamp() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def success_body(data: Any) -> bytes:
    """`data` is anything msgspec encodes as JSON: what is plain, dataclasses, Structs, `msgspec.Raw`."""
    return _encode({"success": True, "data": data, "timestamp": timestamp()})


def error_body(message: str, code: str, details: Mapping[str, Any] | None = None) -> bytes:
    body: dict[str, Any] = {"success": False, "error": message, "code": code}
    if details:
        body["details"] = details
    body["timestamp"] = timestamp()
    return _encode(body)
