"""What a command signs in with: a token that is said, the one that `v8box login` keeps for the box's address, or that
of the local operator, which a running box keeps in its data directory.

None is ever sent to an address that it does not belong to.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from v8box.errors import V8BoxError
from v8box.kit.files import temporary_beside

LOCAL_TOKEN: Final = Path("keys", "local.token")
"""Below the data directory of a running box."""


class CredentialsUnusable(V8BoxError):
    """The file of kept credentials cannot be used."""

    code = "credentials_unusable"


def credentials_file(environ: Mapping[str, str] = os.environ) -> Path:
    """Where `v8box login` keeps tokens: `{"<address>": {"token": "v8b_pat_…"}}`, for nobody else to read."""
    base = environ.get("XDG_CONFIG_HOME") or str(Path(environ.get("HOME", "~")).expanduser() / ".config")
    return Path(base) / "v8box" / "credentials.json"


def find_token(
    said: str | None, address: str, local_data: Path | None, environ: Mapping[str, str] = os.environ
) -> str | None:
    """The token for the box at `address`. `local_data` is its data directory, where that is on this machine. Raises
    `CredentialsUnusable`."""
    return said or _kept(address, credentials_file(environ)) or _local(local_data)


def kept(address: str, environ: Mapping[str, str] = os.environ) -> str | None:
    """The token that is kept for an address. Raises `CredentialsUnusable`."""
    return _kept(address, credentials_file(environ))


def keep(address: str, token: str, environ: Mapping[str, str] = os.environ) -> Path:
    """Keeps a token for an address, in the place of the one before. Gives the file. Raises `CredentialsUnusable`."""
    file = credentials_file(environ)
    _write(file, {**_read(file), address: {"token": token}})
    return file


def forget(address: str, environ: Mapping[str, str] = os.environ) -> None:
    """Raises `CredentialsUnusable`."""
    file = credentials_file(environ)
    _write(file, {place: entry for place, entry in _read(file).items() if place != address})


def _write(file: Path, entries: Mapping[str, object]) -> None:
    """The file is whole at every moment, and never readable by others."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        temporary = temporary_beside(file)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with open(descriptor, "w", encoding="utf-8") as opened:
            json.dump(entries, opened, indent=2)
        temporary.replace(file)
    except OSError as error:
        raise CredentialsUnusable(f"{file} cannot be written: {error}.") from error


def _kept(address: str, file: Path) -> str | None:
    entry = _read(file).get(address)
    token = entry.get("token") if isinstance(entry, dict) else None
    return token if isinstance(token, str) else None


def _read(file: Path) -> dict[str, object]:
    try:
        with file.open(encoding="utf-8") as opened:
            mode = stat.S_IMODE(os.fstat(opened.fileno()).st_mode)
            entries = json.load(opened)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise CredentialsUnusable(f"{file} cannot be read: {error}. Remove it, and sign in again.") from error
    if mode & 0o077:
        raise CredentialsUnusable(f"{file} can be read by others: chmod 600 {file}, and better make new tokens.")
    return entries if isinstance(entries, dict) else {}


def _local(data_directory: Path | None) -> str | None:
    if data_directory is None:
        return None
    try:
        return (data_directory / LOCAL_TOKEN).read_text(encoding="ascii").strip() or None
    except (OSError, UnicodeDecodeError):
        return None  # the box belongs to another user, who has to give a token
