"""The master key as a file: `data/keys/master.key`, made once and never written over.

A rotation puts the new key beside it (`.next`), the data keys are wrapped by it, then it takes the name and the former
key stays as `.previous` (a backup from before needs it). Whenever that stops, every key that is needed has a file.
"""

from __future__ import annotations

import contextlib
import logging
import os
import stat
from pathlib import Path
from typing import Final

from v8box.kit.files import sync_folder, temporary_beside
from v8box.storage.encryption.envelope import MasterKey
from v8box.storage.encryption.errors import MasterKeyElsewhere, MasterKeyUnusable

_log: Final = logging.getLogger(__name__)
_MAX_BYTES: Final = 4_096


class KeyFolder:
    """The key files of one box. All methods block: call them in a thread."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.path = folder / "master.key"
        self.next_path = folder / "master.key.next"
        self.previous_path = folder / "master.key.previous"

    def read(self, path: Path) -> MasterKey | None:
        """The key in a file, None when there is no file. Raises `MasterKeyUnusable`."""
        try:
            status = path.stat()
            if not stat.S_ISREG(status.st_mode) or status.st_size > _MAX_BYTES:
                raise MasterKeyUnusable(f"{path} is no key file: it holds 32 bytes in base64 or hex. {_KEEP}")
            _close_to_others(path, status)
            return MasterKey.parse(path.read_text(encoding="ascii"))
        except FileNotFoundError:
            if path.is_symlink():
                raise MasterKeyUnusable(f"{path} is a link that leads nowhere. {_KEEP}") from None
            return None
        except OSError as error:
            raise MasterKeyUnusable(f"{path} cannot be read: {error.strerror}. {_KEEP}") from error
        except ValueError:  # what it holds must not be in the error, nor in the chain of it
            raise MasterKeyUnusable(f"{path} is damaged: it must hold 32 bytes in base64 or hex. {_KEEP}") from None

    def create(self, key: MasterKey) -> MasterKey:
        """Puts the key at the file's name unless there is one already: then that is the key."""
        return self._put(key, self.path)

    def begin(self, used: frozenset[str]) -> MasterKey:
        """A new key, in a file of its own beside the present one. `used` are the ids of the keys that wrap anything: a
        rotation that could not put its files in order is seen to its end first. Raises `MasterKeyElsewhere`."""
        if self.path.is_symlink():
            raise MasterKeyElsewhere(
                f"{self.path} is a link, so the box does not replace it. Put the new key where the link leads, the "
                "former one in V8BOX_MASTER_KEY_PREVIOUS, and start the box again."
            )
        following = self.read(self.next_path)
        if following is not None and following.id in used:
            self.finish()
        self.abandon()
        return self._put(MasterKey.new(), self.next_path)

    def finish(self) -> None:
        """The next key takes the place of the present one, which stays as the previous one."""
        if self.path.exists():
            temporary = temporary_beside(self.previous_path)
            os.link(self.path, temporary)
            temporary.replace(self.previous_path)
        sync_folder(self._folder)
        self.next_path.replace(self.path)
        sync_folder(self._folder)

    def abandon(self) -> None:
        """Removes a next key that wraps nothing."""
        self.next_path.unlink(missing_ok=True)

    def _put(self, key: MasterKey, path: Path) -> MasterKey:
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            temporary = temporary_beside(path)
            try:
                descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
                with os.fdopen(descriptor, "w", encoding="ascii") as file:
                    file.write(f"{key.text()}\n")
                    file.flush()
                    os.fsync(file.fileno())
                with contextlib.suppress(FileExistsError):
                    os.link(temporary, path)  # never over a file that is there
            finally:
                temporary.unlink(missing_ok=True)
            sync_folder(path.parent)
        except OSError as error:
            raise MasterKeyUnusable(f"{path} cannot be written: {error.strerror}.") from error
        written = self.read(path)
        if written is None:
            raise MasterKeyUnusable(f"{path} is gone right after it was written.")
        return written


_KEEP: Final = "Put it back from where you keep a copy; nothing was changed."


def _close_to_others(path: Path, status: os.stat_result) -> None:
    if status.st_mode & 0o077 and status.st_uid == os.geteuid() and not path.is_symlink():
        path.chmod(0o600)
        _log.warning("%s could be read by others; it is closed to them now. Rotate it if any of them may have.", path)
