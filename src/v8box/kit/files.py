"""Files: names to write to before moving into place, flushing folders, what lies within what, what has changed."""

from __future__ import annotations

import hashlib
import os
import secrets
import stat
import time
from pathlib import Path
from typing import Final

TEMPORARY_SUFFIX: Final = ".tmp"
_SETTLED_NS: Final = 50_000_000  # a file younger than this may change again with the same times and size


def temporary_beside(path: Path) -> Path:
    """A fresh name in the same folder, so that the move into place stays on one file system."""
    return path.with_name(f".{path.name}.{secrets.token_hex(8)}{TEMPORARY_SUFFIX}")


def sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def is_within(path: Path, folder: Path) -> bool:
    """Whether `path`, symbolic links followed, lies in `folder`. Neither has to exist."""
    real = os.path.realpath(path)
    root = os.path.realpath(folder)
    return real == root or real.startswith(root.rstrip("/") + "/")


class FileHashes:
    """SHA-256 of files, read again only when a file's times, size or identity say that it may have changed."""

    def __init__(self) -> None:
        self._known: dict[Path, tuple[tuple[int, ...], str]] = {}

    def of(self, path: Path) -> str | None:
        """The hash of a regular file; None when there is none to be read."""
        try:
            status = path.stat()
            if not stat.S_ISREG(status.st_mode):
                return None
            signature = (status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino, status.st_dev)
            known = self._known.get(path)
            if known is not None and known[0] == signature:
                return known[1]
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
        except OSError:
            self._known.pop(path, None)
            return None
        if time.time_ns() - max(status.st_mtime_ns, status.st_ctime_ns) > _SETTLED_NS:
            self._known[path] = (signature, digest)
        return digest
