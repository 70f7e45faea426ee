"""A heap snapshot of a live process, piece by piece: the box asks for each, so neither side holds more than one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec

from v8box.errors import V8BoxError
from v8box.sandbox.channel import Channel
from v8box.sandbox.interface import Death
from v8box.sandbox.protocol import Flag, Kind, ProtocolError

DEADLINE_SECONDS: Final = 300.0
"""V8 takes about 12 µs for each object: a full heap of 128 MB is done in a quarter of a minute on a free processor."""
MAX_BYTES: Final = 1024**3
NEEDED_FACTOR: Final = 16
"""V8 needs up to so many times the heap beside it while it writes the snapshot of many small objects."""
NEEDED_MORE_BYTES: Final = 256 * 1024**2
_END: Final = int(Flag.END)
_failure = msgspec.json.Decoder(dict[str, str]).decode

Write = Callable[[bytes], Awaitable[None]]


class SnapshotFailed(V8BoxError):
    """The heap snapshot could not be taken."""

    status = 409
    code = "snapshot_failed"


class HeapReader:
    """Takes one snapshot over a sandbox's channel."""

    def __init__(self, channel: Channel, stopped: asyncio.Future[Death]) -> None:
        self._channel = channel
        self._stopped = stopped
        self._piece: asyncio.Future[bytes | None] | None = None

    async def read(self, write: Write) -> int:
        """Gives every piece to `write`, and how many bytes there were. Raises `SnapshotFailed`."""
        total, whole = 0, False
        try:
            async with asyncio.timeout(DEADLINE_SECONDS):
                while (piece := await self._next()) is not None:
                    total += len(piece)
                    if total > MAX_BYTES:
                        raise SnapshotFailed(f"The heap snapshot is longer than {MAX_BYTES // 1024**2} MB.")
                    await write(piece)
            whole = True
            return total
        except TimeoutError:
            raise SnapshotFailed(f"The heap snapshot was not done within {DEADLINE_SECONDS:.0f} s.") from None
        finally:
            self._piece = None
            if not whole and not self._stopped.done():
                self._channel.send(Kind.HEAP, _END, 0)

    async def _next(self) -> bytes | None:
        piece = self._piece = asyncio.get_running_loop().create_future()
        self._channel.send(Kind.HEAP, 0, 0)
        await asyncio.wait((piece, self._stopped), return_when=asyncio.FIRST_COMPLETED)
        if not piece.done():
            raise SnapshotFailed("The process ended while its heap snapshot was taken: it may have run out of memory.")
        found: bytes | None = piece.result()
        return found

    def arrived(self, flags: int, head: bytes, body: bytes) -> None:
        """A HEAP frame came. Raises `ProtocolError` for what was not asked for."""
        piece = self._piece
        if piece is None or piece.done():
            raise ProtocolError("a piece of a heap snapshot that nobody asked for")
        if head:
            piece.set_exception(SnapshotFailed(f"The process said: {_failure(head).get('message', '')[:500]}"))
        else:
            piece.set_result(None if flags & _END else body)
