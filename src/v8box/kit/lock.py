"""One owner per directory: a lock that the kernel releases when its process ends, however it ends."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


class AlreadyLocked(Exception):
    """Another process holds the lock; `pid` is its id as it wrote it."""

    def __init__(self, pid: str) -> None:
        self.pid = pid
        super().__init__(f"process {pid} holds the lock")


class DirectoryLock:
    """Takes `<directory>/box.lock`, or raises `AlreadyLocked`. The directory is closed to other users."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        _close_to_others(directory)
        self._fd = os.open(directory / "box.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = os.pread(self._fd, 32, 0).decode("ascii", "replace").strip()
            os.close(self._fd)
            raise AlreadyLocked(pid or "unknown") from None
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        os.close(self._fd)


def _close_to_others(directory: Path) -> None:
    """Only one that is ours: a directory that already held other things (say /tmp) keeps its mode."""
    status = directory.stat()
    open_to_others = status.st_mode & 0o077 and status.st_uid == os.geteuid()
    if open_to_others and ((directory / "box.lock").exists() or not any(directory.iterdir())):
        directory.chmod(0o700)
