"""What the embedded store answers as a body: a stretch of one file, or of many one after another, as chunks.

Two chunks are in memory at most: while one is on its way to the reader, a thread reads the next.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from v8box.bindings.interface import BindingError
from v8box.bindings.s3.index import Piece

CHUNK_BYTES: Final = 256 * 1024


class Opened:
    """A file open for reading. Threads use it one at a time."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def read(self, offset: int, length: int) -> bytes:
        """Exactly so many bytes."""
        data = os.pread(self._descriptor, length, offset)
        while len(data) < length:
            more = os.pread(self._descriptor, length - len(data), offset + len(data))
            if not more:
                raise BindingError("io_error", "a file of the object is shorter than it was written")
            data += more
        return data

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


class PiecesBody:
    """Pieces as a stream of chunks. `first` is the first piece's file, if it is open already.

    Close it (`aclose`) when it is not read to its end; `on_close` is called once.
    """

    def __init__(
        self,
        pieces: Sequence[Piece],
        path: Callable[[str], Path],
        pool: ThreadPoolExecutor,
        on_close: Callable[[], None] | None = None,
        first: Opened | None = None,
    ) -> None:
        self._path = path
        self._pool = pool
        self._on_close = on_close
        self._file = first
        self._stretches = _stretches(pieces)
        self._open_content: str | None = pieces[0].content if first is not None else None
        self._next: asyncio.Future[bytes] | None = None
        self._closed = False

    def __aiter__(self) -> PiecesBody:
        return self

    async def __anext__(self) -> bytes:
        if self._closed:
            raise StopAsyncIteration
        if self._next is None:
            self._read_ahead()
        if self._next is None:
            await self.aclose()
            raise StopAsyncIteration
        try:
            chunk = await asyncio.shield(self._next)
        except OSError as error:
            raise BindingError("io_error", f"the object cannot be read: {error.strerror}") from error
        self._read_ahead()
        return chunk

    def _read_ahead(self) -> None:
        stretch = next(self._stretches, None)
        if stretch is None:
            self._next = None
        else:
            self._next = asyncio.get_running_loop().run_in_executor(self._pool, self._read, *stretch)

    def _read(self, piece: Piece, offset: int, length: int) -> bytes:
        if piece.inline is not None:
            return piece.inline[offset : offset + length]
        if self._file is None or self._open_content != piece.content:
            if self._file is not None:
                self._file.close()
            self._file = Opened(self._path(piece.content))
            self._open_content = piece.content
        return self._file.read(offset, length)

    async def aclose(self) -> None:
        if self._closed:
            return
        self._closed = True
        if self._next is not None and not self._next.done():
            # A thread still reads: closed under it, the descriptor's number may already belong to another file.
            self._next.add_done_callback(self._release)
        else:
            self._release(self._next)

    def _release(self, reading: asyncio.Future[bytes] | None) -> None:
        if reading is not None and not reading.cancelled():
            reading.exception()  # nobody will ask for it any more
        if self._file is not None:
            self._file.close()
        if self._on_close is not None:
            self._on_close()


def _stretches(pieces: Sequence[Piece]) -> Iterator[tuple[Piece, int, int]]:
    for piece in pieces:
        for start in range(0, piece.length, CHUNK_BYTES):
            yield piece, piece.skip + start, min(CHUNK_BYTES, piece.length - start)
