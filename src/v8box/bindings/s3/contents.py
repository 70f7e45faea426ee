"""The files of the embedded store: each content once, named by its BLAKE3 (or SHA-256, where an older box wrote it), in
`blobs/`; uploads on their way in `incoming/`.

Files appear and go on one thread, that of `commits.py`. Any thread may read, and pins what it will read later.
"""

from __future__ import annotations

import errno
import logging
import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import apsw

from v8box.bindings.interface import BindingError

logger = logging.getLogger(__name__)


class Contents:
    """The content files beneath `directory`, which it creates."""

    def __init__(self, directory: Path) -> None:
        self.incoming = directory / "incoming"
        self._blobs = directory / "blobs"
        self._pins: Counter[str] = Counter()
        self._lock = threading.Lock()
        for folder in (self.incoming, self._blobs):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def empty_incoming(self) -> None:
        """Removes what a crash left half uploaded. Only before the first upload."""
        for leftover in self.incoming.iterdir():
            leftover.unlink()

    def path(self, content: str) -> Path:
        return self._blobs / content[:2] / content[2:4] / content

    def place(self, upload: Path, content: str) -> set[Path]:
        """Moves a finished and synced upload to its name. Gives back the folders to sync before a row may name it."""
        target = self.path(content)
        folder = target.parent
        if target.exists():
            return {folder}  # perhaps placed a moment ago, by a change that failed before its folder was synced
        folders = {folder}
        if not folder.is_dir():
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            folders |= {folder.parent, self._blobs}
        upload.rename(target)
        return folders

    def drop(self, contents: Iterable[str]) -> None:
        """Removes files that no row names any more, but those that are being read."""
        for content in contents:
            with self._lock:
                if content in self._pins:
                    continue
                try:
                    self.path(content).unlink(missing_ok=True)
                except OSError as error:
                    logger.warning("the content %s cannot be removed before the next start: %s", content, error)

    def pin(self, contents: Iterable[str]) -> None:
        """Keeps files although their rows may go, until `unpin`."""
        with self._lock:
            self._pins.update(contents)

    def unpin(self, contents: Iterable[str]) -> None:
        with self._lock:
            for content in contents:
                self._pins[content] -= 1
                if self._pins[content] <= 0:
                    del self._pins[content]

    def names(self) -> Iterator[list[str]]:
        """The names of all files, a folder at a time."""
        for first in sorted(self._blobs.iterdir()):
            for second in sorted(first.iterdir()):
                yield [file.name for file in second.iterdir()]


def store_fault(error: OSError | apsw.Error) -> BindingError:
    """What a caller learns when the disk or the index failed."""
    if isinstance(error, apsw.FullError) or (
        isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    ):
        return BindingError("no_space", "the box has no room for this: free some of its disk, or give it a larger one")
    reason = error.strerror if isinstance(error, OSError) else str(error)
    return BindingError("io_error", f"the object store failed: {reason}")
