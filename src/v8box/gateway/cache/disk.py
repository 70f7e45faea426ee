"""The entries on disk: what memory had no room for. Files are written and read in a thread and moved into place whole;
one that is not what was written is a miss.

Nothing here outlives the process: the folder is emptied at start, so neither a deploy nor a purge can be missed while
the box is down, and no index has to be rebuilt. What is remembered of a file is small, and there are bounds on files,
on bytes, and on what waits to be written.
"""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import struct
import zlib
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from v8box.gateway.cache.directives import Freshness
from v8box.gateway.cache.entries import Belongs, Entry, Owner
from v8box.gateway.cache.keys import Key
from v8box.kit.files import temporary_beside

MAX_FILES: Final = 100_000
_MAX_WAITING_BYTES: Final = 32 * 1024 * 1024
_MAGIC: Final = b"v8box-c1"
_HEAD: Final = struct.Struct("<8sII")  # magic, checksum of what follows, length of the entry's head
_FOLDERS: Final = 256
_TRASH: Final = ".old-"

_logger: Final = logging.getLogger(__name__)


class _Head(msgspec.Struct, array_like=True):
    key: bytes
    status: int
    headers: list[tuple[bytes, bytes]]
    fresh: tuple[float, float, float, float, bool, bool]
    owner: tuple[str, str, str]
    group: str
    path: str
    tags: tuple[str, ...]
    stored_at: float
    born: int
    varies: tuple[str, ...]
    serial: int


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(_Head).decode


class _Stored(NamedTuple):
    name: int
    size: int
    serial: int


class DiskTier:
    """Bounded by `most_bytes`; with 0 there is none."""

    def __init__(self, folder: Path, most_bytes: int) -> None:
        self._folder = folder
        self._most_bytes = most_bytes
        self._threads = ThreadPoolExecutor(2, "response cache")
        self._index: OrderedDict[bytes, _Stored] = OrderedDict()
        self._writing: dict[bytes, int] = {}
        self._loading: dict[bytes, asyncio.Future[Entry | None]] = {}
        self._tasks: set[asyncio.Future[None]] = set()
        self._waiting_bytes = 0
        self._names = 0
        self.bytes = 0

    async def open(self) -> None:
        """Empties the folder. What was in it is deleted beside, without being waited for."""
        if self._most_bytes:
            old = await asyncio.get_running_loop().run_in_executor(self._threads, self._prepare)
            for folder in old:
                self._threads.submit(shutil.rmtree, folder, True)

    def stop(self) -> None:
        self._threads.shutdown(wait=True, cancel_futures=True)

    def _prepare(self) -> list[Path]:
        parent = self._folder.parent
        parent.mkdir(parents=True, exist_ok=True)
        if self._folder.exists():
            self._folder.rename(
                temporary_beside(self._folder).with_name(f"{_TRASH}{os.getpid()}-{os.urandom(4).hex()}")
            )
        for number in range(_FOLDERS):
            (self._folder / f"{number:02x}").mkdir(parents=True)
        return list(parent.glob(f"{_TRASH}*"))

    def put(self, key: Key, entry: Entry) -> None:
        """Begins to write an entry; it is there when that is done. One too many at a time is let go."""
        if not self._most_bytes or entry.size > self._most_bytes:
            return
        digest = key.digest()
        known = self._index.get(digest)
        if known is not None and known.serial == entry.serial:
            self._index.move_to_end(digest)
            return
        if self._waiting_bytes + entry.size > _MAX_WAITING_BYTES or self._writing.get(digest) == entry.serial:
            return
        self._drop(digest)
        self._writing[digest] = entry.serial
        self._waiting_bytes += entry.size
        task = asyncio.ensure_future(self._write(digest, entry))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _write(self, digest: bytes, entry: Entry) -> None:
        self._names += 1
        path = self._path(self._names)
        stored: _Stored | None = _Stored(self._names, entry.size, entry.serial)
        try:
            await asyncio.get_running_loop().run_in_executor(self._threads, _write_file, path, digest, entry)
        except OSError as error:
            _logger.warning("an answer could not be kept on disk: %s", error)
            stored = None
        except RuntimeError:
            return  # the box stops
        finally:
            self._waiting_bytes -= entry.size
            wanted = self._writing.get(digest) == entry.serial
            if wanted:
                del self._writing[digest]
        if stored is None:
            return
        if not wanted:
            self._unlink(stored)
            return
        self._index[digest] = stored
        self.bytes += stored.size
        while self.bytes > self._most_bytes or len(self._index) > MAX_FILES:
            self._drop(next(iter(self._index)))

    def has(self, key: Key) -> bool:
        return bool(self._index) and key.digest() in self._index

    async def load(self, key: Key) -> Entry | None:
        """The entry, if it is there and whole. Several that ask at once read it once."""
        digest = key.digest()
        stored = self._index.get(digest)
        if stored is None:
            return None
        loading = self._loading.get(digest)
        if loading is None:
            loading = asyncio.ensure_future(self._read(digest, stored))
            self._loading[digest] = loading
            loading.add_done_callback(lambda _: self._loading.pop(digest, None))
        return await asyncio.shield(loading)

    async def _read(self, digest: bytes, stored: _Stored) -> Entry | None:
        loop = asyncio.get_running_loop()
        try:
            entry = await loop.run_in_executor(self._threads, _read_file, self._path(stored.name), digest)
        except (OSError, RuntimeError):
            entry = None
        current = self._index.get(digest)
        if entry is None or current is not stored:
            if current is stored:
                self._drop(digest)
            return None
        self._index.move_to_end(digest)
        return entry

    def remove(self, key: Key) -> None:
        """Forgets it, also when it is being written."""
        if self._index or self._writing:
            self._drop(key.digest())

    def _drop(self, digest: bytes) -> None:
        self._writing.pop(digest, None)
        stored = self._index.pop(digest, None)
        if stored is not None:
            self.bytes -= stored.size
            self._unlink(stored)

    def _unlink(self, stored: _Stored) -> None:
        try:
            self._threads.submit(self._path(stored.name).unlink, True)
        except RuntimeError:
            pass  # the box stops

    def _path(self, name: int) -> Path:
        return self._folder / f"{name % _FOLDERS:02x}" / f"{name:x}"


def _write_file(path: Path, digest: bytes, entry: Entry) -> None:
    belongs = entry.belongs
    head = _encode(
        _Head(
            digest,
            entry.status,
            entry.headers,
            astuple(entry.fresh),
            (belongs.owner.project, belongs.owner.kind, belongs.owner.name),
            belongs.group,
            belongs.path,
            belongs.tags,
            entry.stored_at,
            entry.born,
            entry.varies,
            entry.serial,
        )
    )
    checksum = zlib.crc32(entry.body, zlib.crc32(head))
    beside = temporary_beside(path)
    try:
        with beside.open("wb") as file:
            file.write(_HEAD.pack(_MAGIC, checksum, len(head)))
            file.write(head)
            file.write(entry.body)
        beside.replace(path)
    except OSError:
        beside.unlink(missing_ok=True)
        raise


def _read_file(path: Path, digest: bytes) -> Entry | None:
    """None for what is not what was written."""
    data = path.read_bytes()
    if len(data) < _HEAD.size:
        return None
    magic, checksum, length = _HEAD.unpack_from(data)
    if magic != _MAGIC or zlib.crc32(memoryview(data)[_HEAD.size :]) != checksum:
        return None
    try:
        head = _decode(memoryview(data)[_HEAD.size : _HEAD.size + length])
    except msgspec.MsgspecError:
        return None
    if head.key != digest:
        return None
    return Entry(
        head.status,
        head.headers,
        data[_HEAD.size + length :],
        Freshness(*head.fresh),
        Belongs(Owner(*head.owner), head.group, head.path, head.tags),
        stored_at=head.stored_at,
        born=head.born,
        varies=head.varies,
        serial=head.serial,
    )
