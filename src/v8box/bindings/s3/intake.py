"""A body on its way into the embedded store: into memory while it is small, else into a file, hashed as it comes.

The loop only gathers batches. A thread writes each to the file and hashes it while the processor has its bytes at hand;
digests that the caller gave have lanes of their own beside that. A few batches may wait, so the slowest lane sets the
pace and memory is flat.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import secrets
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from blake3 import blake3

from v8box.bindings.interface import BindingError
from v8box.bindings.s3.contents import store_fault

INLINE_BYTES: Final = 64 * 1024  # a body up to here becomes a row: no file, no sync of its own
_HASH_BYTES: Final = 16 * 1024  # hashed on the loop up to here: that is shorter than the way to a thread
BATCH_BYTES: Final = 512 * 1024
WAITING_BATCHES: Final = 4
FLUSH_BYTES: Final = 4 * 1024 * 1024  # the disk begins to write after so many, so that the sync at the end is short

Bytes = bytes | bytearray | memoryview
Grow = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Received:
    """A body that is all here: in memory (`inline`) or in a synced file (`path`). `content` is its BLAKE3."""

    size: int
    content: str
    etag: str
    inline: bytes | None = None
    path: Path | None = None


class _Batch:
    """Some bytes that lanes have to see; calls `done` when all have."""

    def __init__(self, data: Bytes, lanes: int, done: Callable[[], object]) -> None:
        self.data = data
        self._lanes = lanes
        self._done = done
        self._lock = threading.Lock()

    def seen(self) -> None:
        with self._lock:
            self._lanes -= 1
            if self._lanes:
                return
        self._done()


class _Lane:
    """Gives batches to one consumer in order, on whichever thread of a pool is free."""

    def __init__(self, pool: ThreadPoolExecutor, consume: Callable[[Bytes], object]) -> None:
        self._pool = pool
        self._consume = consume
        self._batches: deque[_Batch] = deque()
        self._running = False
        self._lock = threading.Lock()
        self.error: Exception | None = None

    def feed(self, batch: _Batch) -> None:
        with self._lock:
            self._batches.append(batch)
            if self._running:
                return
            self._running = True
        self._pool.submit(self._work)

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._batches:
                    self._running = False
                    return
                batch = self._batches.popleft()
            if self.error is None:
                try:
                    self._consume(batch.data)
                except Exception as error:
                    self.error = error  # raised on the loop, with the next batch
            batch.seen()


class _UploadFile:
    """The file of an upload, written by one lane. `discard` may come at any time, from any thread."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor = -1
        self._written = 0
        self._flushed = 0
        self._discarded = False
        self._lock = threading.Lock()  # a descriptor closed under a write may already be another file's

    def write(self, data: Bytes) -> None:
        with self._lock:
            if self._discarded:
                return
            if self._descriptor < 0:
                self._descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            view = memoryview(data)
            while view:
                count = os.write(self._descriptor, view)
                view = view[count:]
                self._written += count
            if self._written - self._flushed >= FLUSH_BYTES:
                # Linux starts to write these pages out, and does not wait for them: pages still dirty are not dropped.
                length = self._written - self._flushed
                os.posix_fadvise(self._descriptor, self._flushed, length, os.POSIX_FADV_DONTNEED)
                self._flushed = self._written

    def finish(self) -> None:
        with self._lock:
            os.fdatasync(self._descriptor)
            self._close()

    def discard(self) -> None:
        with self._lock:
            self._discarded = True
            self._close()
        self.path.unlink(missing_ok=True)

    def _close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


class Intake:
    """Takes one body in. `most` is its greatest size; `grow` hears of every stretch before it is kept, and may raise.

    Enter it as a context: what is not taken over (moved away) by its end is gone then.
    """

    def __init__(
        self, folder: Path, pool: ThreadPoolExecutor, most: int, digests: Mapping[str, str], grow: Grow
    ) -> None:
        self._folder = folder
        self._pool = pool
        self._most = most
        self._digests = digests
        self._grow = grow
        self._hashes = {name: hashlib.new(name, usedforsecurity=False) for name in {"md5"} | digests.keys()}
        self._name = blake3()  # a cryptographic hash at a tenth of what SHA-256 costs
        self._size = 0
        self._file: _UploadFile | None = None
        self._lanes: list[_Lane] = []
        self._slots = asyncio.Semaphore(WAITING_BATCHES)

    def __enter__(self) -> Intake:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            # Not awaited: this may be a cancellation, and a write may still be under way in its thread.
            self._pool.submit(self._file.discard)

    async def receive(self, body: bytes | AsyncIterator[bytes]) -> Received:
        """Raises `object_too_large`, `bad_digest`, `no_space`, and what `grow` and the body raise."""
        gathered = await self._gather(body)
        if self._file is None:
            return await self._keep(bytes(gathered))
        await self._feed(gathered)
        return await self._finish(self._file)

    async def _gather(self, body: bytes | AsyncIterator[bytes]) -> Bytes:
        """The last bytes, or all of them where they are few."""
        if isinstance(body, bytes):
            self._take(len(body))
            if len(body) > INLINE_BYTES:
                self._open()
                view = memoryview(body)
                for start in range(0, len(body), BATCH_BYTES):
                    await self._feed(view[start : start + BATCH_BYTES])
                return b""
            return body
        gathered = bytearray()
        async for chunk in body:
            self._take(len(chunk))
            gathered += chunk
            if len(gathered) >= BATCH_BYTES:
                self._open()
                await self._feed(gathered)
                gathered = bytearray()
        if len(gathered) > INLINE_BYTES:
            self._open()
        return gathered

    def _take(self, count: int) -> None:
        self._size += count
        if self._size > self._most:
            raise BindingError("object_too_large", f"one upload may have {self._most} bytes: send it in parts")
        self._grow(count)

    def _open(self) -> None:
        if self._file is None:
            self._file = _UploadFile(self._folder / secrets.token_hex(16))
            asked = [digest.update for algorithm, digest in self._hashes.items() if algorithm != "md5"]
            self._lanes = [_Lane(self._pool, consume) for consume in (self._write_and_hash, *asked)]

    def _write_and_hash(self, data: Bytes) -> None:
        if self._file is not None:
            self._file.write(data)
        self._name.update(data)
        self._hashes["md5"].update(data)

    async def _feed(self, data: Bytes) -> None:
        if not data:
            return
        await self._slots.acquire()
        self._raise_fault()
        loop = asyncio.get_running_loop()
        batch = _Batch(data, len(self._lanes), lambda: loop.call_soon_threadsafe(self._slots.release))
        for lane in self._lanes:
            lane.feed(batch)

    async def _finish(self, file: _UploadFile) -> Received:
        for _ in range(WAITING_BATCHES):
            await self._slots.acquire()
        self._raise_fault()
        self._check_digests()
        try:
            await asyncio.get_running_loop().run_in_executor(self._pool, file.finish)
        except OSError as error:
            raise store_fault(error) from error
        return Received(self._size, self._name.hexdigest(), self._hexdigest("md5"), path=file.path)

    async def _keep(self, data: bytes) -> Received:
        if len(data) <= _HASH_BYTES:
            self._hash(data)
        else:
            await asyncio.get_running_loop().run_in_executor(self._pool, self._hash, data)
        self._check_digests()
        return Received(self._size, self._name.hexdigest(), self._hexdigest("md5"), inline=data)

    def _hash(self, data: bytes) -> None:
        self._name.update(data)
        for digest in self._hashes.values():
            digest.update(data)

    def _check_digests(self) -> None:
        for algorithm, expected in self._digests.items():
            found = self._hexdigest(algorithm)
            if found != expected.lower():
                raise BindingError("bad_digest", f"the content's {algorithm} is {found}")

    def _hexdigest(self, algorithm: str) -> str:
        return self._hashes[algorithm].hexdigest()

    def _raise_fault(self) -> None:
        for lane in self._lanes:
            if isinstance(lane.error, OSError):
                raise store_fault(lane.error) from lane.error
            if lane.error is not None:
                raise lane.error
