"""Keys of 256 bits as people write them: in hex, or in base64."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Final

KEY_BYTES: Final = 32
_WANTED: Final = "must be 32 random bytes in base64 or hex; make one with: openssl rand -base64 32"


def parse_key(text: str) -> bytes:
    """32 bytes from 64 hex digits or from base64, the URL's alphabet too. Raises `ValueError`, which does not repeat
    the text."""
    text = text.strip()
    if re.fullmatch(r"[0-9a-fA-F]{64}", text):
        return bytes.fromhex(text)
    if not re.fullmatch(r"[A-Za-z0-9+/_-]{43}=?", text):
        raise ValueError(_WANTED)
    try:
        return base64.b64decode(text.translate(str.maketrans("-_", "+/")).rstrip("=") + "=", validate=True)
    except binascii.Error:
        raise ValueError(_WANTED) from None
