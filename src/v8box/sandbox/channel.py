"""One Unix socket to one sandbox: frames in, frames out, and flow control per stream.

What frames mean is decided above, in `deno.py`. Writes of one loop turn leave in a few `send`s; reads are parsed in
place. Whatever the worker sends that the protocol forbids raises `ProtocolError` out of `data_received`'s handler and
costs the worker its process, nothing else.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from typing import Protocol, cast

from v8box.sandbox.protocol import (
    CHUNK_BYTES,
    HEADER_BYTES,
    MAX_FRAME_BYTES,
    WINDOW_BYTES,
    Flag,
    Kind,
    ProtocolError,
    pack_credit,
    pack_header,
    unpack_header,
)

_AFTER_LENGTH = HEADER_BYTES - 4
_MAX_KIND = max(Kind)
_END = int(Flag.END)
_FLUSH_PARTS = 8
"""How many heads and bodies go into one write: four invocations. Measured: a quarter more requests a second than one
write per turn, since the worker then begins while the gateway still reads."""
_MAX_UNREAD_BYTES = 2 * 1024 * 1024
_NO_HEADER = "a frame header that makes no sense"


class FrameHandler(Protocol):
    """Who gets the frames. `lost` is called once: when the socket is gone, or after `on_frame` raised."""

    def on_frame(self, kind: int, flags: int, stream: int, head: bytes, body: bytes) -> None: ...
    def lost(self, fault: str | None) -> None: ...


class Channel(asyncio.Protocol):
    """The framing of one sandbox's socket."""

    def __init__(self, handler: FrameHandler) -> None:
        self._handler = handler
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._lost = False
        # per batch
        self._partial = bytearray()
        self._out: list[bytes] = []
        self._flush_scheduled = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's own class, with the same methods
        self._transport.set_write_buffer_limits(high=_MAX_UNREAD_BYTES)

    def pause_writing(self) -> None:
        """The worker does not read: then it is not heard either, or what it asks for would pile up here."""
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        if self._transport is not None and not self._lost:
            self._transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(None)

    def close(self) -> None:
        """Drops the socket now. `lost` is not called for it."""
        self._lost = True
        if self._transport is not None:
            self._transport.abort()

    def send(self, kind: int, flags: int, stream: int, head: bytes = b"", body: bytes = b"") -> None:
        """Queues one frame; it leaves at the end of this loop turn."""
        if self._lost:
            return
        out = self._out
        out.append(pack_header(_AFTER_LENGTH + len(head) + len(body), kind, flags, 0, stream, len(head)))
        if head:
            out.append(head)
        if body:
            out.append(body)
        if len(out) >= _FLUSH_PARTS:
            # The worker begins while the rest of this turn's requests are still being read.
            self._write()
        elif not self._flush_scheduled:
            self._flush_scheduled = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flush_scheduled = False
        if self._out:
            self._write()

    def _write(self) -> None:
        if self._transport is not None and not self._lost:
            self._transport.write(b"".join(self._out))
        self._out.clear()

    def data_received(self, data: bytes) -> None:
        if self._lost:
            return
        try:
            offset = self._parse(data, self._complete(data) if self._partial else 0)
        except ProtocolError as error:
            self._end(str(error))
            return
        if offset < len(data):
            self._partial += memoryview(data)[offset:]

    def _complete(self, data: bytes) -> int:
        """Gives the frame that has begun what it still lacks, and no more: what follows is not copied. Returns how many
        bytes that took."""
        partial = self._partial
        begun = len(partial)
        partial += data[: max(HEADER_BYTES - begun, 0)]
        if len(partial) < HEADER_BYTES:
            return len(data)
        needed = int.from_bytes(partial[:4], "little") + 4
        if not HEADER_BYTES <= needed <= MAX_FRAME_BYTES + 4:
            raise ProtocolError(_NO_HEADER)
        partial += memoryview(data)[len(partial) - begun : needed - begun]
        if len(partial) < needed:
            return len(data)
        frame = bytes(partial)
        partial.clear()
        self._parse(frame, 0)
        return needed - begun

    def _parse(self, data: bytes, offset: int) -> int:
        """Hands out every whole frame of `data` from `offset` on; returns where the next one begins."""
        size = len(data)
        on_frame = self._handler.on_frame
        while size - offset >= HEADER_BYTES and not self._lost:
            length, kind, flags, zero, stream, head_length = unpack_header(data, offset)
            end = offset + 4 + length
            if (
                length > MAX_FRAME_BYTES
                or length < _AFTER_LENGTH
                or head_length > length - _AFTER_LENGTH
                or zero
                or not 0 < kind <= _MAX_KIND
            ):
                raise ProtocolError(_NO_HEADER)
            if end > size:
                break
            start = offset + HEADER_BYTES
            body_start = start + head_length
            on_frame(kind, flags, stream, data[start:body_start], data[body_start:end])
            offset = end
        return offset

    def _end(self, fault: str | None) -> None:
        if self._lost:
            return
        self.close()
        self._handler.lost(fault)


class StreamClosed(Exception):
    """The stream ended before its body was complete. `str` says why."""


class Inbound:
    """A body that the worker sends: an async iterator of chunks that pays back credit as it is read."""

    __slots__ = ("_channel", "_chunks", "_consumed", "_ended", "_fault", "_outstanding", "_stream", "_waiter")

    def __init__(self, channel: Channel, stream: int) -> None:
        self._channel = channel
        self._stream = stream
        self._chunks: deque[bytes] = deque()
        self._outstanding = 0
        self._consumed = 0
        self._ended = False
        self._fault: str | None = None
        self._waiter: asyncio.Future[None] | None = None

    def feed(self, chunk: bytes, end: bool) -> None:
        """Takes a chunk off the wire. Raises `ProtocolError` when the worker overran its window."""
        if self._fault is not None:
            return
        if self._ended:
            raise ProtocolError("a body chunk after the end of the body")
        if chunk:
            self._outstanding += len(chunk)
            if self._outstanding > WINDOW_BYTES + CHUNK_BYTES:
                raise ProtocolError("a body that outran its window")
            self._chunks.append(chunk)
        self._ended = self._ended or end
        self._wake()

    def fail(self, reason: str) -> None:
        """Ends the body early: the reader gets `StreamClosed(reason)`, at once. A body that is complete stays so."""
        if not self._ended:
            self._fault = reason
            self._chunks.clear()
            self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def read(self) -> bytes:
        """The next chunk; empty at the end. Raises `StreamClosed`."""
        while not self._chunks:
            if self._fault is not None:
                raise StreamClosed(self._fault)
            if self._ended:
                return b""
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        chunk = self._chunks.popleft()
        self._consumed += len(chunk)
        if self._consumed >= WINDOW_BYTES // 2 and not self._ended:
            self._outstanding -= self._consumed
            self._channel.send(Kind.CREDIT, 0, self._stream, b"", pack_credit(self._consumed))
            self._consumed = 0
        return chunk

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._iterate()

    async def _iterate(self) -> AsyncIterator[bytes]:
        while chunk := await self.read():
            yield chunk


class Outbound:
    """A body that the box sends: writes wait for the worker's credit."""

    __slots__ = ("_channel", "_credit", "_fault", "_stream", "_waiter")

    def __init__(self, channel: Channel, stream: int) -> None:
        self._channel = channel
        self._stream = stream
        self._credit = WINDOW_BYTES
        self._fault: str | None = None
        self._waiter: asyncio.Future[None] | None = None

    def grant(self, count: int) -> None:
        """The worker has consumed `count` bytes."""
        self._credit += count
        if self._credit > WINDOW_BYTES:
            raise ProtocolError("credit for bytes that were never sent")
        self._wake()

    def fail(self, reason: str) -> None:
        """The worker wants no more; a waiting or later write raises `StreamClosed(reason)`."""
        self._fault = reason
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def write(self, chunk: bytes) -> None:
        """Sends a chunk of any size, in pieces, as credit allows. Raises `StreamClosed`."""
        offset = 0
        while offset < len(chunk):
            while self._credit <= 0:
                if self._fault is not None:
                    raise StreamClosed(self._fault)
                self._waiter = asyncio.get_running_loop().create_future()
                await self._waiter
            if self._fault is not None:
                raise StreamClosed(self._fault)
            piece = chunk[offset : offset + min(CHUNK_BYTES, self._credit)]
            self._credit -= len(piece)
            self._channel.send(Kind.BODY, 0, self._stream, b"", piece)
            offset += len(piece)

    def end(self) -> None:
        """The body is complete."""
        if self._fault is None:
            self._channel.send(Kind.BODY, _END, self._stream)
