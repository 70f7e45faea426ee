"""A key per database of a LibSQL server, so that a token for one opens no other: derived from one secret of the box.

The secret is 32 random bytes in hexadecimal in a file that only the box may read. All nodes that share a server share
the file. What the server is told of a namespace is a public key; what a request carries is a signed token that
ends by itself (EdDSA JSON Web Token, RFC 8037).
"""

from __future__ import annotations

import os
import re
import secrets
import time
from base64 import urlsafe_b64encode
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Final, Literal

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from v8box.kit.files import sync_folder, temporary_beside

Access = Literal["rw", "ro"]

TOKEN_SECONDS: Final = 900.0
_RENEW_SECONDS: Final = 600.0  # before its end, so that the server's clock may differ by some minutes
_MOST_TOKENS: Final = 4_096
_SECRET: Final = re.compile(r"[0-9a-f]{64}")


class KeyFileFault(Exception):
    """The key file cannot be read or written, or holds no key; the message says which file."""


def read_or_make_secret(path: Path) -> bytes:
    """The secret in the file, made first when there is none. Blocks. Raises `KeyFileFault`."""
    try:
        if not path.exists():
            _make(path)
        text = path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise KeyFileFault(f"the key file {path} cannot be used: {reason}") from error
    if not _SECRET.fullmatch(text):
        raise KeyFileFault(f"the key file {path} does not hold 64 hexadecimal digits")
    return bytes.fromhex(text)


def _make(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = temporary_beside(path)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with open(descriptor, "w") as file:
            file.write(secrets.token_hex(32) + "\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(temporary, path)  # unlike a rename it replaces nothing: another process may have been first
        except FileExistsError:
            pass  # then its key is the one
        sync_folder(path.parent)
    finally:
        temporary.unlink()


class NamespaceKeys:
    """Public keys and tokens by namespace. Tokens are kept until they near their end."""

    def __init__(self, secret: bytes, clock: Callable[[], float] = time.time) -> None:
        self._secret = secret
        self._clock = clock
        self._tokens: OrderedDict[tuple[str, Access], tuple[float, str]] = OrderedDict()

    def public(self, namespace: str) -> str:
        """The namespace's key as the server's configuration takes it: URL-safe base64 without padding."""
        return _base64(self._private(namespace).public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))

    def token(self, namespace: str, access: Access) -> str:
        """A token for one namespace that is good for at least ten minutes."""
        now = self._clock()
        kept = self._tokens.get((namespace, access))
        if kept is not None and kept[0] - now > _RENEW_SECONDS:
            return kept[1]
        ends_at = now + TOKEN_SECONDS
        token = self._sign(namespace, access, int(ends_at))
        self._tokens[namespace, access] = (ends_at, token)
        self._tokens.move_to_end((namespace, access))
        if len(self._tokens) > _MOST_TOKENS:
            self._tokens.popitem(last=False)
        return token

    def _sign(self, namespace: str, access: Access, ends_at: int) -> str:
        head = _base64(msgspec.json.encode({"alg": "EdDSA", "typ": "JWT"}))
        claims = _base64(msgspec.json.encode({"a": access, "exp": ends_at}))
        signature = self._private(namespace).sign(f"{head}.{claims}".encode())
        return f"{head}.{claims}.{_base64(signature)}"

    def _private(self, namespace: str) -> Ed25519PrivateKey:
        derived = HKDF(SHA256(), 32, salt=None, info=b"v8box libsql namespace " + namespace.encode())
        return Ed25519PrivateKey.from_private_bytes(derived.derive(self._secret))


def _base64(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()
