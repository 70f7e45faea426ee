"""The box's S3 key file, and what is derived from it: the secrets of access keys, and keys that name a project.

Signatures need an access key's secret in clear. So it is not stored but derived from the key's id and a file of 32
random bytes: whoever steals the database has no secret, and a signature can be checked before the database is asked.
"""

from __future__ import annotations

import base64
import contextlib
import hmac
import os
import secrets
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from v8box.errors import V8BoxError
from v8box.kit.files import sync_folder, temporary_beside

_KEY_BYTES: Final = 32
_PREFIX: Final = "V8BX"
_PROJECT_PREFIX: Final = "V8BXI"
_ID_LENGTH: Final = 20
_MAX_ID_LENGTH: Final = 128
_SECRET_LENGTH: Final = 40


class BoxKeyUnusable(V8BoxError):
    """The S3 key file cannot be used."""

    code = "s3_key_file"


class BoxKey:
    """Derives. Anyone who has it has every bucket of the box."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        # Deterministic and authenticated: one project has one id, and no id can be made without the key.
        self._projects = AESSIV(hmac.digest(key, b"project ids", "sha256"))

    def __repr__(self) -> str:
        return "BoxKey(…)"

    @classmethod
    def load(cls, path: Path) -> BoxKey:
        """Reads the file, or makes it. Raises `BoxKeyUnusable`. Blocks: call it in a thread."""
        try:
            if not path.exists():
                _create(path)
            key = path.read_bytes()
        except OSError as error:
            raise BoxKeyUnusable(f"The file {path} cannot be used: {error.strerror}.") from error
        if len(key) != _KEY_BYTES:
            message = f"The file {path} is damaged. Put it back from a backup, or remove it: all S3 keys then end."
            raise BoxKeyUnusable(message)
        return cls(key)

    @staticmethod
    def new_id() -> str:
        """A fresh access key's id: 20 characters, 80 random bits."""
        return _PREFIX + base64.b32encode(secrets.token_bytes(10)).decode()

    def secret(self, key_id: str) -> str:
        """The secret of an access key: 40 characters, 240 bits."""
        return base64.b64encode(hmac.digest(self._key, key_id.encode(), "sha256")).decode()[:_SECRET_LENGTH]

    def project_id(self, project: str) -> str:
        """The id of a project's own key, with which the box itself presigns URLs. Nobody is given its secret."""
        sealed = self._projects.encrypt(project.encode(), None)
        return _PROJECT_PREFIX + base64.b32encode(sealed).decode().rstrip("=")

    def project_of(self, key_id: str) -> str | None:
        """The project of such an id; None for any other id."""
        if len(key_id) <= _ID_LENGTH or len(key_id) > _MAX_ID_LENGTH or not key_id.startswith(_PROJECT_PREFIX):
            return None
        encoded = key_id.removeprefix(_PROJECT_PREFIX)
        try:
            return self._projects.decrypt(base64.b32decode(encoded + "=" * (-len(encoded) % 8)), None).decode()
        except (ValueError, InvalidTag):
            return None


def _create(path: Path) -> None:
    """Another process may do the same at this moment: the first one wins, and both read its file."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = temporary_beside(path)
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(_KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)
