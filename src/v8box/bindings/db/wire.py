"""The frames between the gateway and an engine process, over a socket pair that only they hold.

A frame is two little-endian 32-bit lengths, a msgpack head, then raw bytes (an encoded result) that only pass through.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final, Literal

import msgspec

from v8box.bindings.db.interface import Mode, Statement

PREFIX: Final = struct.Struct("<II")
NOTICE: Final = 0  # the id of a reply that answers no request

Operation = (
    Literal["execute", "batch", "migrate", "script", "describe", "begin", "commit", "rollback"]
    | Literal["create", "delete", "copy", "cancel", "ping"]
)


class Request(msgspec.Struct, array_like=True, frozen=True):
    """Gateway to engine. With `transaction` set it runs there; `cancel` names the request to stop by `id`; `copy` goes
    to the database `target` of the same project."""

    id: int
    operation: Operation
    project: str = ""
    database: str = ""
    transaction: int = 0
    mode: Mode = "deferred"
    statements: list[Statement] = []
    hrana: bool = False
    admin: bool = False
    target: str = ""


class Reply(msgspec.Struct, array_like=True, frozen=True):
    """Engine to gateway: a result in the frame's body, or an error. `ended` names a transaction that is no more."""

    id: int
    code: str = ""
    message: str = ""
    ended: int = 0
    rows: int = 0
    written: int = 0
    raw_code: int = 0  # SQLite's extended result code; 0 when the error is not SQLite's
    statement_index: int = -1  # in a batch: which statement failed


_encode = msgspec.msgpack.Encoder().encode


def frame(head: Request | Reply, body: bytes | bytearray = b"") -> bytes:
    """The bytes of one frame. Raises `OverflowError` for an integer of more than 64 bits."""
    encoded = _encode(head)
    return b"".join((PREFIX.pack(len(encoded), len(body)), encoded, body))


class FrameBuffer:
    """Bytes in as they come from the socket, whole (head, body) frames out."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[bytes, bytes]]:
        buffer = self._bytes
        buffer += data
        position = 0
        size = len(buffer)
        try:
            while size - position >= PREFIX.size:
                head_length, body_length = PREFIX.unpack_from(buffer, position)
                start = position + PREFIX.size
                middle = start + head_length
                end = middle + body_length
                if end > size:
                    break
                position = end
                yield bytes(buffer[start:middle]), bytes(buffer[middle:end])
        finally:
            del buffer[:position]
