"""Several ranges of one body as one answer: multipart/byteranges (RFC 9110, 14.6)."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Final

_BOUNDARY: Final = b"v8box-" + secrets.token_hex(16).encode()
"""Nobody who writes a body knows it."""
CONTENT_TYPE: Final = b"multipart/byteranges; boundary=%s" % _BOUNDARY
END: Final = b"\r\n--%s--\r\n" % _BOUNDARY


def frames(parts: Sequence[tuple[int, int]], kind: bytes, size: int) -> list[tuple[bytes, int, int]]:
    """Each range (first, behind the last) with what stands before it. `kind`: the media type of the whole, empty for
    none; `size`: its bytes. Behind the last one comes `END`."""
    typed = b"Content-Type: %s\r\n" % kind if kind else b""
    return [
        (
            b"%s--%s\r\n%sContent-Range: bytes %d-%d/%d\r\n\r\n"
            % (b"\r\n" if number else b"", _BOUNDARY, typed, first, behind - 1, size),
            first,
            behind,
        )
        for number, (first, behind) in enumerate(parts)
    ]
