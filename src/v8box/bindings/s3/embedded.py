"""Objects in a folder: each content once in a file named by its SHA-256, and an SQLite index of keys.

Files are read and written in threads, in chunks, as fast as the other side takes or gives them; the index has a thread
of its own. An upload goes to `incoming/`, is synced, and only then moves to `blobs/` and gets its row (see `index.py`).
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import io
import os
import secrets
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, TypeVar

import apsw

from v8box.bindings.interface import BindingError
from v8box.bindings.s3.index import Index
from v8box.bindings.s3.interface import (
    BucketId,
    Condition,
    Found,
    Listing,
    ListOptions,
    ObjectInfo,
    PutOptions,
    Range,
)

CHUNK_BYTES: Final = 256 * 1024
WHOLE_BYTES: Final = 64 * 1024  # a body up to here is answered whole: one message instead of a stream
DEFAULT_OBJECT_BYTES: Final = 5 * 1024**3  # S3's own limit for one put
_IO_THREADS: Final = 4

Result = TypeVar("Result")


class _Upload:
    """A body on its way into a file, hashed as it comes. Its methods run in threads, one at a time."""

    def __init__(self, directory: Path, algorithms: set[str]) -> None:
        self.path = directory / secrets.token_hex(16)
        self.size = 0
        self._hashes = {name: hashlib.new(name, usedforsecurity=False) for name in {"md5", "sha256"} | algorithms}
        self._file: io.FileIO | None = None
        self._lock = threading.Lock()  # a discarded upload's last write may still be under way

    def write(self, chunks: list[bytes]) -> None:
        with self._lock:
            if self._file is None:
                self._file = io.FileIO(os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w")
            for chunk in chunks:
                view = memoryview(chunk)
                while view:
                    view = view[self._file.write(view) :]
                self.size += len(chunk)
                for digest in self._hashes.values():
                    digest.update(chunk)

    def finish(self) -> dict[str, str]:
        """Syncs and closes the file; the digests by their algorithms."""
        with self._lock:
            if self._file is not None:
                os.fsync(self._file.fileno())
                self._file.close()
        return {name: digest.hexdigest() for name, digest in self._hashes.items()}

    def discard(self) -> None:
        with self._lock:
            if self._file is not None:
                self._file.close()
            self.path.unlink(missing_ok=True)


class BlobBody:
    """A part of an open file as a stream of chunks. Close it (`aclose`) when it is not read to its end."""

    def __init__(self, file: io.FileIO, length: int, run: Callable[..., asyncio.Future[bytes]]) -> None:
        self._file = file
        self._left = length
        self._run = run
        self._reading: asyncio.Future[bytes] | None = None

    def __aiter__(self) -> BlobBody:
        return self

    async def __anext__(self) -> bytes:
        if self._left <= 0:
            await self.aclose()
            raise StopAsyncIteration
        try:
            self._reading = self._run(self._file.read, min(CHUNK_BYTES, self._left))
            chunk = await asyncio.shield(self._reading)
        except OSError as error:
            raise BindingError("io_error", f"the object cannot be read: {error.strerror}") from error
        if not chunk:
            raise BindingError("io_error", "the object's file is shorter than it was written")
        self._left -= len(chunk)
        return chunk

    async def aclose(self) -> None:
        self._left = 0
        if self._reading is not None and not self._reading.done():
            # A thread still reads: closed under it, the descriptor's number may already belong to another file.
            self._reading.add_done_callback(lambda _: self._file.close())
        else:
            self._file.close()


class EmbeddedObjects:
    """The store in `directory`. One process at a time may have it open."""

    def __init__(self, directory: Path, *, object_bytes: int = DEFAULT_OBJECT_BYTES) -> None:
        self._directory = directory
        self._incoming = directory / "incoming"
        self._object_bytes = object_bytes
        self._index: Index | None = None
        self._index_thread = ThreadPoolExecutor(1, "s3-index")
        self._io_threads = ThreadPoolExecutor(_IO_THREADS, "s3-io")
        self._sweeper: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._index = await self._on_index(self._open)
        self._sweeper = asyncio.create_task(self._sweep(), name="s3-sweep")

    async def stop(self) -> None:
        if self._sweeper is not None:
            self._sweeper.cancel()
            await asyncio.gather(self._sweeper, return_exceptions=True)
        await asyncio.to_thread(self._io_threads.shutdown)
        if self._index is not None:
            await self._on_index(self._index.close)
        await asyncio.to_thread(self._index_thread.shutdown)

    async def health(self) -> None:
        await self.head(BucketId("", ""), "-")

    async def swept(self) -> None:
        """Returns when the files that an earlier crash left over are gone."""
        if self._sweeper is not None:
            await asyncio.shield(self._sweeper)

    async def head(self, bucket: BucketId, key: str) -> ObjectInfo | None:
        found = await self._on_index(self._opened.find, bucket, key)
        return found[0] if found else None

    async def get(
        self, bucket: BucketId, key: str, part: Range | None = None, only_if: Condition | None = None
    ) -> Found | None:
        missing = ""
        while True:
            found = await self._on_index(self._opened.find, bucket, key)
            if found is None:
                return None
            if found[1] == missing:
                raise BindingError("io_error", "the object's file is not there")
            info, content = found
            if only_if is not None and not only_if.holds(info):
                return Found(info)
            place = (part or Range()).within(info.size)
            if place is None:
                raise BindingError("invalid_range", f"the range is outside the object of {info.size} bytes")
            try:
                body = await self._in_thread(self._read, content, *place)
            except FileNotFoundError:
                missing = content  # replaced or deleted since it was found, so look again
                continue
            return Found(info, *place, body)

    async def put(
        self, bucket: BucketId, key: str, body: bytes | AsyncIterator[bytes], options: PutOptions
    ) -> ObjectInfo | None:
        upload = _Upload(self._incoming, set(options.digests))
        try:
            if isinstance(body, bytes):
                await self._write(upload, [body])
            else:
                await self._write_stream(upload, body)
            digests = await self._in_thread(upload.finish)
            for algorithm, expected in options.digests.items():
                if digests[algorithm] != expected.lower():
                    raise BindingError("bad_digest", f"the content's {algorithm} is {digests[algorithm]}")
            names = digests["sha256"], digests["md5"]
            return await self._on_index(self._opened.put, bucket, key, options, upload.path, *names, upload.size)
        except BaseException:
            # Not awaited: this may be a cancellation, and a write may still be under way in its thread.
            self._io_threads.submit(upload.discard)
            raise

    async def copy(self, bucket: BucketId, source: str, target: str) -> ObjectInfo:
        return await self._on_index(self._opened.copy, bucket, source, target)

    async def delete(self, bucket: BucketId, keys: list[str]) -> None:
        await self._on_index(self._opened.delete, bucket, keys)

    async def list_page(self, bucket: BucketId, options: ListOptions) -> Listing:
        return await self._on_index(self._opened.list_page, bucket, options)

    @property
    def _opened(self) -> Index:
        if self._index is None:
            raise BindingError("not_ready", "the object store is not open")
        return self._index

    def _open(self) -> Index:
        self._incoming.mkdir(mode=0o700, parents=True, exist_ok=True)
        for leftover in self._incoming.iterdir():
            leftover.unlink()
        return Index(self._directory)

    async def _sweep(self) -> None:
        steps = self._opened.sweep()
        while await self._on_index(next, steps, None) is not None:
            pass

    async def _write_stream(self, upload: _Upload, body: AsyncIterator[bytes]) -> None:
        await self._write(upload, [])  # an empty body makes a file too
        chunks: list[bytes] = []
        held = 0
        async for chunk in body:
            chunks.append(chunk)
            held += len(chunk)
            if held >= CHUNK_BYTES:
                await self._write(upload, chunks)
                chunks, held = [], 0
        await self._write(upload, chunks)

    async def _write(self, upload: _Upload, chunks: list[bytes]) -> None:
        if upload.size + sum(map(len, chunks)) > self._object_bytes:
            raise BindingError("object_too_large", f"an object may have {self._object_bytes} bytes")
        await self._in_thread(upload.write, chunks)

    def _read(self, content: str, offset: int, length: int) -> bytes | BlobBody:
        file = io.FileIO(self._opened.blob(content), "r")
        try:
            file.seek(offset)
            if length <= WHOLE_BYTES:
                with file:
                    return file.read(length)
        except BaseException:
            file.close()
            raise
        return BlobBody(file, length, self._submit_read)

    def _submit_read(self, read: Callable[[int], bytes], count: int) -> asyncio.Future[bytes]:
        return asyncio.get_running_loop().run_in_executor(self._io_threads, read, count)

    async def _on_index(self, work: Callable[..., Result], *args: object) -> Result:
        return await self._run(self._index_thread, work, *args)

    async def _in_thread(self, work: Callable[..., Result], *args: object) -> Result:
        return await self._run(self._io_threads, work, *args)

    async def _run(self, pool: ThreadPoolExecutor, work: Callable[..., Result], *args: object) -> Result:
        try:
            return await asyncio.get_running_loop().run_in_executor(pool, lambda: work(*args))
        except FileNotFoundError:
            raise
        except (OSError, apsw.FullError) as error:
            if isinstance(error, apsw.FullError) or error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise BindingError("no_space", "the box has no room for the object") from error
            raise BindingError("io_error", f"the object store failed: {error.strerror}") from error
