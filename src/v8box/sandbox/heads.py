"""What stands in the heads of the frames that a worker sends; `docs/protocol.md` explains them.

What does not fit raises `msgspec.MsgspecError`.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from v8box.telemetry.records import Measurement


class Failure(msgspec.Struct):
    """Of FAILED and LOAD_FAILED."""

    name: str
    message: str
    stack: str | None = None
    status: int | None = None
    caller: bool = False


class Loaded(msgspec.Struct):
    shape: str


class Reason(msgspec.Struct):
    """Of CANCEL."""

    reason: str


class Close(msgspec.Struct):
    code: int
    reason: str


response_head: Final = msgspec.json.Decoder(tuple[int, list[tuple[str, str]]]).decode
"""Status and headers."""
failure_head: Final = msgspec.json.Decoder(Failure).decode
loaded_head: Final = msgspec.json.Decoder(Loaded).decode
reason_head: Final = msgspec.json.Decoder(Reason).decode
close_head: Final = msgspec.json.Decoder(Close).decode
fetch_head: Final = msgspec.json.Decoder(tuple[int, str, str, str]).decode
"""An outgoing request: its number, method, host and span."""
fetched_head: Final = msgspec.json.Decoder(tuple[int, int, str]).decode
"""Its end: number, status and the name of an error."""
metric_head: Final = msgspec.json.Decoder(list[Measurement]).decode
log_head: Final = msgspec.json.Decoder(list[tuple[str | None, int, float, str, Any]]).decode
"""Lines: run, level, milliseconds since 1970, text and fields."""
