"""A site with a film that is too long to be fetched at once, and a photograph.

The film is twelve seconds of Debian's ffmpeg (`testsrc`, VP9 and Opus in MP4). A hole in its middle makes it large: who
wants the end has to ask for it by a range.
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

HOLE_BYTES = 24 * 1024 * 1024
SECONDS = 12.0
_FROM_CHUNK = 30
"""The first chunk behind the hole: about six seconds in."""


def film() -> bytes:
    """The film with the hole. The table of chunks says where each begins, so those behind it begin later."""
    data = bytearray((Path(__file__).parent / "clip.mp4").read_bytes())
    border: int | None = None
    at = -1
    while (at := data.find(b"stco", at + 1)) > 0:
        (count,) = struct.unpack_from(">I", data, at + 8)
        places = list(struct.unpack_from(f">{count}I", data, at + 12))
        border = places[_FROM_CHUNK] if border is None else border
        moved = [place + HOLE_BYTES if place >= border else place for place in places]
        struct.pack_into(f">{count}I", data, at + 12, *moved)
    assert border is not None
    box = data.find(b"mdat") - 4
    (size,) = struct.unpack_from(">I", data, box)
    struct.pack_into(">I", data, box, size + HOLE_BYTES)
    return bytes(data[:border]) + bytes(HOLE_BYTES) + bytes(data[border:])


def photograph(width: int = 320, height: int = 200) -> bytes:
    """A PNG with soft colours: what newer picture types make smaller."""
    rows = b"".join(
        b"\0" + bytes(value for x in range(width) for value in (x * 255 // width, y * 255 // height, (x ^ y) & 255))
        for y in range(height)
    )

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def write(folder: Path) -> None:
    (folder / "clip.mp4").write_bytes(film())
    (folder / "photo.png").write_bytes(photograph())
