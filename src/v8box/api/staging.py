"""Places below the data directory where what is sent is unpacked and worked on: a few, used again and again.

The paths stay the same so that a compiler's cache, which goes by path, does not grow with every deploy. A place is
emptied before and after; what a crash left in it is gone at the next start.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import threading
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from v8box.errors import BadRequest, V8BoxError
from v8box.kit.archives import ArchiveError, Bounds, Unpacked, check_path, unpack

T = TypeVar("T")

PLACES: Final = 3
MAX_WAITING: Final = 16
_BOUNDS: Final = Bounds()


class TooManyDeploys(V8BoxError):
    """Too many deploys and imports wait for their turn. Try again in a moment."""

    status = 503
    code = "too_many_deploys"


class BadArchive(BadRequest):
    """The archive is refused, and nothing of it was kept."""

    code = "bad_archive"

    def __init__(self, message: str, entry: str | None = None) -> None:
        super().__init__(message)
        if entry is not None:
            self.entry = entry
            """The name in the archive that is to blame."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where one deploy is worked on."""

    root: Path

    @property
    def upload(self) -> Path:
        return self.root / "upload"

    @property
    def files(self) -> Path:
        return self.root / "files"

    async def unpack(self, bounds: Bounds = _BOUNDS, *, keep_top: Collection[str] = ()) -> Unpacked:
        """The archive that was uploaded, into `files`; then it goes. Raises `BadArchive`."""

        def work(stopped: Callable[[], bool]) -> Unpacked:
            try:
                return unpack(self.upload, self.files, bounds, keep_top=keep_top, stopped=stopped)
            finally:
                self.upload.unlink(missing_ok=True)

        try:
            unpacked = await _stoppable(work)
        except ArchiveError as error:
            raise BadArchive(f"The archive is refused: {error}", error.entry) from error
        self._drop_npmrc()
        return unpacked

    def _drop_npmrc(self) -> None:
        """Whoever may deploy must not choose which machines the box fetches packages from."""
        (self.files / ".npmrc").unlink(missing_ok=True)

    async def write(self, files: Mapping[str, bytes], bounds: Bounds = _BOUNDS) -> None:
        """These files, into `files`. Raises `BadArchive`."""
        try:
            folded: dict[str, str] = {}
            for name in files:
                check_path(name, bounds)
                if folded.setdefault(name.casefold(), name) != name:
                    raise ArchiveError(f"it and {folded[name.casefold()]} are the same name on some systems", name)
            if sum(map(len, files.values())) > bounds.total_bytes or len(files) > bounds.entries:
                raise ArchiveError("there is too much of it")
            await asyncio.to_thread(_write, self.files, files)
            self._drop_npmrc()
        except ArchiveError as error:
            raise BadArchive(f"The files are refused: {error}", error.entry) from error
        except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
            raise BadArchive("The files are refused: one of them is a folder of another's name") from error


class Staging:
    """The places. `open` them at start."""

    def __init__(self, folder: Path, places: int = PLACES) -> None:
        self._folder = folder
        self._free = [folder / str(number) for number in range(places)]
        self._turns = asyncio.Semaphore(places)
        self._waiting = 0

    async def open(self) -> None:
        """Removes what a crash left."""
        await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)
        await asyncio.to_thread(self._folder.mkdir, mode=0o700, parents=True)

    @contextlib.asynccontextmanager
    async def place(self) -> AsyncIterator[Place]:
        """An empty place of one's own. Raises `TooManyDeploys`."""
        if self._waiting >= MAX_WAITING:
            raise TooManyDeploys
        self._waiting += 1
        try:
            await self._turns.acquire()
        finally:
            self._waiting -= 1
        root = self._free.pop()
        try:
            await _to_its_end(asyncio.to_thread(_clear, root))
            yield Place(root)
        finally:
            try:
                await _to_its_end(asyncio.to_thread(shutil.rmtree, root, ignore_errors=True))
            finally:
                self._free.append(root)
                self._turns.release()


async def _stoppable(work: Callable[[Callable[[], bool]], T]) -> T:
    """In a thread. Given up, it is told to stop and waited for: what it writes must not appear after the clearing."""
    stop = threading.Event()
    running = asyncio.ensure_future(asyncio.to_thread(work, stop.is_set))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        stop.set()
        await asyncio.wait((running,))
        if not running.cancelled():
            running.exception()
        raise


async def _to_its_end(work: Coroutine[Any, Any, None]) -> None:
    """However often the caller is cancelled meanwhile."""
    running = asyncio.ensure_future(work)
    cancelled = False
    while not running.done():
        try:
            await asyncio.wait((running,))
        except asyncio.CancelledError:
            cancelled = True
    running.result()
    if cancelled:
        raise asyncio.CancelledError


def _clear(root: Path) -> None:
    shutil.rmtree(root, ignore_errors=True)
    (root / "files").mkdir(mode=0o700, parents=True)


def _write(folder: Path, files: Mapping[str, bytes]) -> None:
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.write_bytes(data)
