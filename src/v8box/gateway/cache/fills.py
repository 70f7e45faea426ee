"""One run whose answer may be kept: it is read here once, for the request that began it and for those that wait.

An answer that may be kept is gathered as fast as it comes, up to the bound on entries: a slow client holds nobody up.
What may not be kept, or turns out too long, goes to the first client alone, at that client's pace; the others are told
to go themselves.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

from v8box.errors import V8BoxError
from v8box.gateway.cache.call import Message, Receive
from v8box.gateway.cache.directives import Freshness
from v8box.gateway.cache.entries import Entry, HeaderList
from v8box.gateway.cache.keys import Key

_PACE_BYTES: Final = 256 * 1024
"""How much of an answer that is passed on waits for the client."""

Judge = Callable[[int, HeaderList], Freshness | str]


class GivenUp(Exception):
    """Nobody wants the rest of this answer."""


class NotWhole(V8BoxError):
    """The answer broke off."""

    status = 502
    code = "broken_response"


class Room:
    """How many bytes all fills together may gather."""

    def __init__(self, most_bytes: int) -> None:
        self._left = most_bytes

    def take(self, count: int) -> bool:
        if count > self._left:
            return False
        self._left -= count
        return True

    def give(self, count: int) -> None:
        self._left += count


class Fill:
    """What one run answers, as it comes. `send` is what the run answers to."""

    def __init__(self, judge: Judge, room: Room, *, born: int, most_bytes: int, led: bool, stale: Entry | None) -> None:
        """`judge` decides whether an answer may be kept, and raises `GivenUp` for one that nobody wants."""
        self._judge = judge
        self._room = room
        self._most_bytes = most_bytes
        self.born = born
        self.led = led
        """Whether somebody reads along."""
        self.stale = stale
        """The entry that is asked about, or that answers should this fail."""
        self.waiting = 0
        self.settled = asyncio.Event()
        """Set once it is known whether there is an entry for others."""
        self.done = False
        self.spoiled = False
        """Somebody changed what this is about, so that it must not be kept."""
        # what came
        self.status = 0
        self.headers: HeaderList = []
        self.fresh: Freshness | None = None
        self.detail = ""
        self.passing = False
        self.error: BaseException | None = None
        self.kept: Entry | None = None
        """The answer as an entry, once it is whole."""
        self.key = Key("", "", "", "")
        """Where it is kept."""
        self.stored = False
        """Whether others may have it."""
        self.size = 0
        self._taken = 0
        self._whole = False
        self._chunks: list[bytes] = []
        self._pending: deque[bytes] = deque()
        self._pending_bytes = 0
        self._news: asyncio.Future[None] | None = None
        self._asked: asyncio.Future[None] | None = None

    # ---- the run's side

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._begin(message["status"], message["headers"])
            return
        chunk: bytes = message.get("body", b"")
        self._whole = not message.get("more_body", False)
        if chunk:
            self.size += len(chunk)
            if not self.passing:
                self._gather(chunk)
            self._pending.append(chunk)
            self._pending_bytes += len(chunk)
        self._wake(self._news)
        while self.passing and self._pending_bytes > _PACE_BYTES:
            if not self.led:
                raise GivenUp
            self._asked = asyncio.get_running_loop().create_future()
            await self._asked

    def _begin(self, status: int, headers: HeaderList) -> None:
        self.status, self.headers = status, headers
        if status == 304 and self.stale is not None and self.stale.can_be_validated:
            return
        verdict = self._judge(status, headers)
        if isinstance(verdict, Freshness):
            self.fresh = verdict
            if _length(headers) > self._most_bytes:
                self._pass("too-long")
        else:
            self._pass(verdict)
        self._wake(self._news)

    def _gather(self, chunk: bytes) -> None:
        if self.size > self._most_bytes:
            self._pass("too-long")
        elif self._room.take(len(chunk)):
            self._taken += len(chunk)
            self._chunks.append(chunk)
        else:
            self._pass("busy")

    def _pass(self, why: str) -> None:
        """From here on it is the first client's alone."""
        self.passing = True
        self.fresh = None
        self.detail = why
        self._chunks.clear()
        self.settled.set()
        if not self.led:
            raise GivenUp

    def receive_of(self, receive: Receive | None) -> Receive:
        """What the run is told of the client: nothing, as long as others wait for the same answer."""

        async def wait() -> Message:
            if receive is not None:
                while True:
                    message = await receive()
                    if message["type"] != "http.disconnect" or self.passing or not self.waiting:
                        return message
                    break
            await asyncio.get_running_loop().create_future()
            raise AssertionError("nobody ends this wait")

        return wait

    @property
    def body(self) -> bytes:
        return self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)

    @property
    def is_whole(self) -> bool:
        """Whether all of an answer has come that may be kept."""
        return self.fresh is not None and self._whole and not self.spoiled

    def end(self, error: BaseException | None) -> None:
        """The run is over."""
        self.error = error
        self.done = True
        self._room.give(self._taken)
        self._taken = 0
        self._chunks = []
        self.settled.set()
        self._wake(self._news)

    # ---- the first client's side

    async def head(self) -> None:
        """Waits until there is a head to send on, or the end."""
        while not self.done and not (self.status and (self.passing or self.fresh is not None)):
            await self._wait()

    async def read(self) -> bytes | None:
        """The next piece; None at the end. Raises what the run ended with."""
        while not self._pending:
            if self.done:
                if self.error is not None:
                    raise self.error
                if not self._whole:
                    raise NotWhole
                return None
            await self._wait()
        chunk = self._pending.popleft()
        self._pending_bytes -= len(chunk)
        self._wake(self._asked)
        return chunk

    def leave(self) -> None:
        """The first client reads no more."""
        self.led = False
        self._pending.clear()
        self._pending_bytes = 0
        self._wake(self._asked)

    async def _wait(self) -> None:
        self._news = asyncio.get_running_loop().create_future()
        await self._news

    @staticmethod
    def _wake(future: asyncio.Future[None] | None) -> None:
        if future is not None and not future.done():
            future.set_result(None)


def _length(headers: HeaderList) -> int:
    text = next((value for name, value in headers if name == b"content-length"), b"0")
    return int(text[:18]) if text.isdigit() else 0
