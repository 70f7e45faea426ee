"""The bytes: how a master key wraps a data key, and how a data key seals a value. AES-256-GCM for both.

A sealed value is `0x01 | number of the data key (4) | nonce (12) | ciphertext and tag`. What it belongs to (owner,
purpose, name) is authenticated and not stored, so a value that is moved to another place does not open there.
"""

from __future__ import annotations

import base64
import hmac
import secrets
import struct
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from v8box.kit.keys import KEY_BYTES, parse_key
from v8box.storage.encryption.errors import SealBroken

_FORMAT: Final = b"\x01"
_NUMBER: Final = struct.Struct(">I")
_HEAD: Final = len(_FORMAT) + _NUMBER.size
_NONCE: Final = 12
_TAG: Final = 16


class MasterKey:
    """Wraps data keys; seals nothing else. Its `id` is safe to show: a fingerprint of the key."""

    __slots__ = ("_cipher", "_key", "id")

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError(f"a master key has {KEY_BYTES} bytes")
        self._key = key
        self._cipher = AESGCM(hmac.digest(key, b"v8box: wrap data keys", "sha256"))
        self.id = hmac.digest(key, b"v8box: key id", "sha256").hex()[:16]

    def __repr__(self) -> str:
        return f"MasterKey({self.id})"

    @classmethod
    def new(cls) -> MasterKey:
        return cls(secrets.token_bytes(KEY_BYTES))

    @classmethod
    def parse(cls, text: str) -> MasterKey:
        """From 32 bytes in hex or base64. Raises `ValueError`, which does not repeat the text."""
        return cls(parse_key(text))

    def text(self) -> str:
        """The key itself, in base64. For the key file only."""
        return base64.b64encode(self._key).decode()

    def wrap(self, data_key: bytes, owner: str, number: int) -> bytes:
        nonce = secrets.token_bytes(_NONCE)
        return nonce + self._cipher.encrypt(nonce, data_key, self._place(owner, number))

    def unwrap(self, wrapped: bytes, owner: str, number: int) -> bytes:
        """Raises `SealBroken`."""
        try:
            return self._cipher.decrypt(wrapped[:_NONCE], wrapped[_NONCE:], self._place(owner, number))
        except (InvalidTag, ValueError):
            raise SealBroken from None

    def _place(self, owner: str, number: int) -> bytes:
        return _joined("data key", self.id, owner, str(number))


def seal(key: bytes, number: int, plain: bytes, *place: str) -> bytes:
    """Seals `plain` with the data key of this number, for this place and no other."""
    head = _FORMAT + _NUMBER.pack(number)
    nonce = secrets.token_bytes(_NONCE)
    return head + nonce + AESGCM(key).encrypt(nonce, plain, head + _joined(*place))


def open_sealed(key: bytes, sealed: bytes, *place: str) -> bytes:
    """Raises `SealBroken`."""
    nonce = sealed[_HEAD : _HEAD + _NONCE]
    try:
        return AESGCM(key).decrypt(nonce, sealed[_HEAD + _NONCE :], sealed[:_HEAD] + _joined(*place))
    except (InvalidTag, ValueError):
        raise SealBroken from None


def number_of(sealed: bytes) -> int:
    """The number of the data key that a sealed value needs. Raises `SealBroken`."""
    if len(sealed) < _HEAD + _NONCE + _TAG or not sealed.startswith(_FORMAT):
        raise SealBroken
    (number,) = _NUMBER.unpack_from(sealed, len(_FORMAT))
    return int(number)


def _joined(*parts: str) -> bytes:
    """One text of several, each with its length: `a/b`, `c` is not `a`, `b/c`."""
    encoded = [part.encode() for part in parts]
    return b"".join(_NUMBER.pack(len(part)) + part for part in encoded)
