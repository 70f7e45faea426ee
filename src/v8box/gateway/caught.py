"""An answer that is caught instead of sent: what an ASGI application says, for somebody inside the box to read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from v8box.gateway.invoke import Message


class Caught:
    """Takes what is sent. The sender waits until a piece of a long body has been read."""

    def __init__(self, broken: str) -> None:
        """`broken` is what a reader is told of a body that ends early."""
        self.begun: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.head: Message = {}
        self.first: Message = {}
        self._broken = broken
        self._pieces: asyncio.Queue[bytes | BaseException | None] = asyncio.Queue(1)

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.head = message
            return
        if not self.begun.done():
            self.first = message
            self.begun.set_result(None)
            if message.get("more_body"):
                await self._pieces.put(message["body"])
            return
        if message["body"]:
            await self._pieces.put(message["body"])
        if not message.get("more_body"):
            await self._pieces.put(None)

    def fail(self, error: BaseException) -> None:
        """The sender ended with this. A reader that waits for a piece hears of it."""
        if not self.begun.done():
            self.begun.set_exception(error if isinstance(error, Exception) else RuntimeError("it was cancelled"))
            self.begun.exception()  # nobody may be waiting any more, and that is no fault
        elif self._pieces.full():
            self._pieces.get_nowait()
            self._pieces.put_nowait(error)
        else:
            self._pieces.put_nowait(error)

    def headers(self, kept_back: frozenset[bytes]) -> list[tuple[str, str]]:
        return [
            (name.decode("latin-1"), value.decode("latin-1"))
            for name, value in self.head["headers"]
            if name not in kept_back
        ]

    def body(self, sending: asyncio.Task[None]) -> bytes | AsyncIterator[bytes]:
        """Of an answer that has begun."""
        return _Pieces(self._pieces, sending, self._broken) if self.first.get("more_body") else self.first["body"]


class _Pieces:
    """A body as it is sent. No generator: it must end its sender also when nobody began to read."""

    def __init__(
        self, pieces: asyncio.Queue[bytes | BaseException | None], sending: asyncio.Task[None], broken: str
    ) -> None:
        self._pieces = pieces
        self._sending = sending
        self._broken = broken

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        piece = await self._pieces.get()
        if piece is None:
            raise StopAsyncIteration
        if isinstance(piece, BaseException):
            raise OSError(self._broken) from piece
        return piece

    async def aclose(self) -> None:
        self._sending.cancel()
