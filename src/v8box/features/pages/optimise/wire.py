"""What the box and the optimiser process say to each other, over a socket pair that only they hold.

A message is a little-endian 32-bit length and msgpack. The process reads files of the store by their keys and answers
with bytes: it writes nothing itself, so that whoever took it over with a picture could not touch a site.
"""

from __future__ import annotations

import struct
from typing import Final, Literal

import msgspec

from v8box.gateway.pages.release import Encoding

PREFIX: Final = struct.Struct("<I")
MAX_MESSAGE_BYTES: Final = 96 * 1024 * 1024
"""Of what is no larger than twenty, four forms."""

Text = Literal["html", "css", "js", "svg"]


class Request(msgspec.Struct, array_like=True, frozen=True):
    """One file to work on. `scan`: only tell which hashes of other files it names."""

    key: str
    scan: bool = False
    minify: Text | None = None
    compress: bool = False
    picture: bool = False
    pins: list[str] = []
    """Hashes (`sha256-…`) that the site's pages and headers name: bytes with one of these must stay what they are."""


class Reply(msgspec.Struct, array_like=True, frozen=True):
    """What became of it: only forms that are smaller. `left`: why it could not be worked on."""

    content: bytes | None = None
    encodings: dict[Encoding, bytes] = {}
    variants: dict[str, bytes] = {}
    pins: list[str] = []
    left: str = ""


def frame(message: Request | Reply) -> bytes:
    """The bytes of one message."""
    body = msgspec.msgpack.encode(message)
    return PREFIX.pack(len(body)) + body
