"""The texts that open something by being known: how they are made, told apart, and kept.

`<prefix><secret><checksum>`: 256 random bits in 43 characters of base 62 and their CRC-32 in 6, so that secret scanners
and we can tell a mistyped one from a wrong one. At rest is a hash only; with so many random bits it needs no salt.
"""

from __future__ import annotations

import hashlib
import secrets
import zlib
from typing import Final

_ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SECRET_LENGTH: Final = 43  # 62 ** 43 > 2 ** 256
_CHECKSUM_LENGTH: Final = 6  # 62 ** 6 > 2 ** 32


def make_secret() -> str:
    """A secret with its checksum."""
    secret = _base62(secrets.randbits(256), _SECRET_LENGTH)
    return secret + _checksum(secret)


def is_whole(text: str) -> bool:
    """Whether a secret ends with its checksum. It need not be one of ours for that."""
    if len(text) != _SECRET_LENGTH + _CHECKSUM_LENGTH or not text.isascii() or not text.isalnum():
        return False
    return _checksum(text[:_SECRET_LENGTH]) == text[_SECRET_LENGTH:]


def hash_secret(text: str) -> bytes:
    return hashlib.sha256(text.encode("ascii")).digest()


def _checksum(secret: str) -> str:
    return _base62(zlib.crc32(secret.encode("ascii")), _CHECKSUM_LENGTH)


def _base62(number: int, length: int) -> str:
    digits = []
    for _ in range(length):
        number, digit = divmod(number, 62)
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))
