"""The local operator: whoever may read the data directory of a running box. Commands on its machine need no sign-in.

The box writes a fresh random token at every start and removes it when it stops: a copy of the directory opens nothing.
"""

from __future__ import annotations

import hmac
import ipaddress
import os
from pathlib import Path
from typing import Final

from v8box.kit.bearers import hash_secret, is_whole, make_secret
from v8box.kit.files import temporary_beside

PREFIX: Final = "v8b_local_"
FILE: Final = Path("keys", "local.token")
"""Below the data directory."""


class LocalOperator:
    """Makes the file. Blocks: make and remove it in a thread."""

    def __init__(self, data_directory: Path, listens_on: str = "127.0.0.1") -> None:
        secret = make_secret()
        self._hash = hash_secret(secret)
        self._own_address = listens_on
        self._file = data_directory / FILE
        _write(self._file, f"{PREFIX}{secret}\n")

    def remove(self) -> None:
        self._file.unlink(missing_ok=True)

    def accepts(self, token: str, address: str | None) -> bool:
        """Whether it is this box's token, sent from this machine."""
        secret = token.removeprefix(PREFIX)
        known = is_whole(secret) and hmac.compare_digest(hash_secret(secret), self._hash)
        return known and self._is_here(address)

    def _is_here(self, address: str | None) -> bool:
        return address is not None and (address == self._own_address or is_loopback(address))


def is_loopback(address: str) -> bool:
    """Whether an address is this machine's own, whatever the machine."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    return (mapped or parsed).is_loopback


def _write(path: Path, text: str) -> None:
    """Nobody sees half of it, and nobody else sees any of it."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = temporary_beside(path)
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(text)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
