"""A short-lived folder with a short path, outside the data directory: Unix sockets allow no more than 107 bytes, and
other users' processes must be able to pass through it.

The data directory remembers it, so that what a killed box left behind is removed by the next one.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Final

_PREFIX: Final = "v8box-"


class RuntimeFolder:
    """Makes the folder (mode 0711). Whoever holds the lock of `data_directory` may make one."""

    def __init__(self, data_directory: Path) -> None:
        self._note = data_directory / "runtime-folder"
        self._remove_leftover()
        self.path = Path(tempfile.mkdtemp(prefix=_PREFIX))
        self.path.chmod(0o711)
        self._note.write_text(f"{self.path}\n")

    def remove(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)
        self._note.unlink(missing_ok=True)

    def _remove_leftover(self) -> None:
        try:
            old = Path(self._note.read_text().strip())
            status = old.lstat()
        except (OSError, ValueError):
            return
        # The note is a file like any other: what it names is removed only if we can have made it.
        if old.name.startswith(_PREFIX) and str(old.parent) == tempfile.gettempdir() and status.st_uid == os.geteuid():
            shutil.rmtree(old, ignore_errors=True)
