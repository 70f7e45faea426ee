"""Bytes by their SHA-256: bundles, source maps, sources. `Blobs` is the boundary, `FolderBlobs` keeps them in a folder.

A blob is written beside, flushed, then moved to its name: at any moment a name has all of its bytes or is not there.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import hashlib
import os
import re
import threading
import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Final, Protocol

from v8box.errors import V8BoxError
from v8box.kit.files import TEMPORARY_SUFFIX, sync_folder, temporary_beside

_HASH: Final = re.compile(r"[0-9a-f]{64}")
_libc: Final = ctypes.CDLL(None, use_errno=True)
_FEW_FILES: Final = 64
"""So many files are flushed one by one: flushing the file system waits for what all others have written, too."""
_FEW_FOLDERS: Final = 64
_STALE_SECONDS: Final = 3_600  # a temporary file older than this belongs to no running write


class BlobMissing(V8BoxError):
    """The blob is not in the store, or its bytes are not what they were."""

    code = "blob_missing"


class Blobs(Protocol):
    """A content-addressed store. Keys are SHA-256 in lower-case hex; putting the same bytes twice is harmless."""

    async def put(self, data: bytes | AsyncIterator[bytes]) -> str:
        """Store the bytes, durable on return, and give their key."""
        ...

    async def get(self, key: str) -> bytes:
        """The bytes, checked against the key. Raises `BlobMissing`."""
        ...

    async def has(self, key: str) -> bool:
        """Whether the blob is there. Does not read it."""
        ...

    async def verify(self, key: str) -> bool:
        """Read it all and tell whether it is there and whole."""
        ...

    async def sizes(self, keys: Sequence[str]) -> Sequence[int | None]:
        """How many bytes each has; None for one that is not there. Does not read them."""
        ...

    async def delete(self, key: str, *, older_than_seconds: float = 0.0) -> bool:
        """Forget the blob, unless somebody has put it since so long, also again. Whether it is gone now."""
        ...

    def keys(self, *, older_than_seconds: float) -> AsyncIterator[str]:
        """The keys of the blobs that nobody has put for so long, also not again."""
        ...


class FolderBlobs:
    """Blobs as files `ab/cdef…` in a folder. Several processes may use the same folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._touching = threading.Lock()
        """Held while a blob is looked at and kept, or looked at and deleted: what is put again must not go then."""

    async def open(self) -> None:
        """Create the folder, and remove what interrupted writes left in it."""
        await asyncio.to_thread(self._prepare)

    async def put(self, data: bytes | AsyncIterator[bytes]) -> str:
        if isinstance(data, bytes):
            return await asyncio.to_thread(self._put_bytes, data)
        incoming = _Incoming(temporary_beside(self._folder / "incoming"))
        try:
            async for chunk in data:
                await asyncio.to_thread(incoming.write, chunk)
            return await asyncio.to_thread(self._keep, incoming)
        finally:
            incoming.discard()

    async def adopt(
        self,
        files: Sequence[Path],
        *,
        check: Callable[[Mapping[str, int]], None] | None = None,
        on_file: Callable[[int], None] | None = None,
    ) -> Sequence[str]:
        """Take over many files of the same file system at once, durable on return; gives their keys. One flush serves
        all of them, so a thousand cost little more than one. Files that another deploy keeps already just go. `check`
        is told what there is, by key the size, and may raise before anything is taken; `on_file` is told how many have
        been read. Both are called in another thread."""
        return await asyncio.to_thread(self._adopt, files, check, on_file)

    def path(self, key: str) -> Path:
        """Where the bytes lie, for who sends them without reading them. It may not be there."""
        return self._path(key)

    async def get(self, key: str) -> bytes:
        return await asyncio.to_thread(self._read, key)

    async def has(self, key: str) -> bool:
        return await asyncio.to_thread(self._path(key).is_file)

    async def verify(self, key: str) -> bool:
        try:
            await asyncio.to_thread(self._read, key)
        except BlobMissing:
            return False
        return True

    async def sizes(self, keys: Sequence[str]) -> Sequence[int | None]:
        paths = [self._path(key) for key in keys]
        return await asyncio.to_thread(lambda: [_size(path) for path in paths])

    async def keep(self, keys: Collection[str]) -> Mapping[str, int]:
        """The sizes of those that are there; from now on they count as put a moment ago, so that no sweep takes what
        somebody is about to refer to."""
        return await asyncio.to_thread(self._keep_all, keys)

    async def delete(self, key: str, *, older_than_seconds: float = 0.0) -> bool:
        return await asyncio.to_thread(self._delete, self._path(key), older_than_seconds)

    async def keys(self, *, older_than_seconds: float) -> AsyncIterator[str]:
        oldest = time.time() - older_than_seconds
        for folder in await asyncio.to_thread(lambda: sorted(self._folder.glob("[0-9a-f][0-9a-f]"))):
            for key in await asyncio.to_thread(_old_keys, folder, oldest):
                yield key

    def _path(self, key: str) -> Path:
        if not _HASH.fullmatch(key):
            raise ValueError("not a blob's key")
        return self._folder / key[:2] / key[2:]

    def _prepare(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        oldest = time.time() - _STALE_SECONDS
        for left in self._folder.glob(f".*{TEMPORARY_SUFFIX}"):
            with contextlib.suppress(OSError):
                if left.stat().st_mtime < oldest:
                    left.unlink()

    def _put_bytes(self, data: bytes) -> str:
        key = hashlib.sha256(data).hexdigest()
        if self._is_whole(key, len(data)):
            return key
        incoming = _Incoming(temporary_beside(self._folder / "incoming"))
        try:
            incoming.write(data)
            return self._keep(incoming)
        finally:
            incoming.discard()

    def _adopt(
        self,
        files: Sequence[Path],
        check: Callable[[Mapping[str, int]], None] | None,
        on_file: Callable[[int], None] | None,
    ) -> list[str]:
        keys: list[str] = []
        sizes: dict[str, int] = {}
        for done, file in enumerate(files, 1):
            with file.open("rb") as opened:
                key = hashlib.file_digest(opened, "sha256").hexdigest()
                sizes[key] = os.fstat(opened.fileno()).st_size
            keys.append(key)
            if on_file is not None:
                on_file(done)
        if check is not None:
            check(sizes)
        new: dict[str, Path] = {}
        for key, file in zip(keys, files, strict=True):
            if key in new or self._is_whole(key, sizes[key]):
                file.unlink()
            else:
                new[key] = file
        if len(new) > _FEW_FILES:
            _flush_file_system(self._folder)
        else:
            for file in new.values():
                _flush_file(file)
        folders: set[Path] = set()
        for key, file in new.items():
            path = self._path(key)
            path.parent.mkdir(exist_ok=True, mode=0o700)
            file.chmod(0o600)
            os.replace(file, path)
            os.utime(path)
            folders.add(path.parent)
        if len(folders) > _FEW_FOLDERS:
            _flush_file_system(self._folder)
        elif folders:
            for folder in (*folders, self._folder):
                sync_folder(folder)
        return keys

    def _is_whole(self, key: str, size: int) -> bool:
        path = self._path(key)
        with self._touching:
            try:
                if path.stat().st_size != size:
                    return False
                os.utime(path)  # whoever puts it again wants it: it must not count as one that nobody put for long
            except OSError:
                return False
        return True

    def _keep_all(self, keys: Collection[str]) -> dict[str, int]:
        found: dict[str, int] = {}
        for key in keys:
            path = self._path(key)
            with self._touching, contextlib.suppress(OSError):
                os.utime(path)
                found[key] = path.stat().st_size
        return found

    def _delete(self, path: Path, older_than_seconds: float) -> bool:
        with self._touching:
            try:
                if older_than_seconds and path.stat().st_mtime > time.time() - older_than_seconds:
                    return False
                path.unlink()
            except FileNotFoundError:
                pass
        return True

    def _keep(self, incoming: _Incoming) -> str:
        key = incoming.seal()
        path = self._path(key)
        if not path.parent.is_dir():
            path.parent.mkdir(exist_ok=True, mode=0o700)
            sync_folder(self._folder)
        os.replace(incoming.path, path)
        sync_folder(path.parent)
        return key

    def _read(self, key: str) -> bytes:
        try:
            data = self._path(key).read_bytes()
        except OSError as error:
            raise BlobMissing(f"the blob {key[:12]} is not there: {error.strerror}") from error
        if hashlib.sha256(data).hexdigest() != key:
            raise BlobMissing(f"the blob {key[:12]} is damaged")
        return data


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None


def _flush_file(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _flush_file_system(folder: Path) -> None:
    """Everything that was written to the file system of the folder is on the disk when this returns (syncfs(2))."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if _libc.syncfs(descriptor) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
    finally:
        os.close(descriptor)


def _old_keys(folder: Path, oldest: float) -> list[str]:
    found = []
    for path in folder.iterdir():
        key = folder.name + path.name
        with contextlib.suppress(OSError):
            if _HASH.fullmatch(key) and path.stat().st_mtime < oldest:
                found.append(key)
    return found


class _Incoming:
    """A blob being written, under a name of its own until its content is known."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._digest = hashlib.sha256()
        self._file = open(path, "xb", opener=_private)

    def write(self, chunk: bytes) -> None:
        self._digest.update(chunk)
        self._file.write(chunk)

    def seal(self) -> str:
        """Flush it to the disk and give its key."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        return self._digest.hexdigest()

    def discard(self) -> None:
        """Close it, and remove it if it was not moved to its place."""
        self._file.close()
        with contextlib.suppress(FileNotFoundError):
            self.path.unlink()


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC, 0o600)
