"""One run as the box holds it: the future of its response, its two bodies, its account."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from v8box.sandbox.channel import Channel, Inbound, Outbound, StreamClosed
from v8box.sandbox.interface import Death, Invocation, RunFailed, RunKilled
from v8box.sandbox.protocol import WINDOW_BYTES, Flag, Kind, ProtocolError, pack_credit
from v8box.telemetry.meter import Meter
from v8box.telemetry.origin import Origin

_encode = msgspec.json.encode

MAX_MESSAGE_BYTES = 1024 * 1024
"""The longest WebSocket message in either direction, as Cloudflare's platform has it."""

_MAX_QUEUED = WINDOW_BYTES // 8
"""The most messages that wait for a client; empty ones would fit the window for ever."""


@dataclass(slots=True)
class Response:
    """The head of a worker's response, and its body: whole, or as a stream."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes | Inbound
    upgrade: bool = False


class Run:
    """A run between INVOKE and DONE. Wall time, processor time and volume are accounted here, judged in `limits.py`."""

    __slots__ = (
        "_channel",
        "_loop",
        "body",
        "calls",
        "cancelled",
        "cancelled_at",
        "cold_seconds",
        "cpu_seconds",
        "death",
        "done",
        "failure",
        "id",
        "invocation",
        "log_bytes",
        "may_upgrade",
        "memory_bytes",
        "messages",
        "meter",
        "on_done",
        "on_slow",
        "origin",
        "progress",
        "queued_seconds",
        "request",
        "response",
        "started",
        "stream",
        "upgraded",
    )

    def __init__(self, channel: Channel, loop: asyncio.AbstractEventLoop, stream: int, run_id: str) -> None:
        self._channel = channel
        self._loop = loop
        self.id = run_id
        self.stream = stream
        # account
        self.started = self.progress = loop.time()
        self.cpu_seconds = 0.0
        self.log_bytes = 0
        self.calls: set[int] | None = None
        self.invocation: Invocation | None = None
        """What it was started with, for a report of its end."""
        self.meter: Meter | None = None
        """What it did with bindings; None as long as it made no call."""
        # state
        self.response: asyncio.Future[Response] = loop.create_future()
        self.cancelled: str | None = None
        self.cancelled_at = 0.0
        self.done = False
        self.failure: RunFailed | None = None
        """What the worker threw."""
        self.origin: Origin | None = None
        self.may_upgrade = False
        self.upgraded = False
        self.death: Death | None = None
        self.on_done: Callable[[Run], None] | None = None
        self.on_slow: Callable[[], None] | None = None
        """Called once, when the run has been going for a tick or two: what only matters to slow runs waits for it."""
        self.cold_seconds = 0.0
        """How long the run waited for a sandbox to start."""
        self.queued_seconds = 0.0
        """How long it waited for one that was there to have room."""
        self.memory_bytes = 0
        """The most that its sandbox's worker had in use while it ran, as far as it was looked at."""
        # bodies
        self.request: Outbound | None = None
        self.body: Inbound | None = None
        self.messages: Messages | None = None

    def cancel(self, reason: str) -> None:
        """Tells the worker that nobody waits any more; its `request.signal` aborts."""
        if self.cancelled is None and not self.done:
            self.cancelled = reason
            self.cancelled_at = self._loop.time()
            self._channel.send(Kind.CANCEL, 0, self.stream, _encode({"reason": reason}))

    def kill(self, death: Death) -> None:
        """Fails whoever waits for this run."""
        self.death = self.death or death
        if not self.response.done():
            self.response.set_exception(RunKilled(death))
            self.response.exception()  # nobody may be waiting any more, and that is no fault
        if self.body is not None:
            self.body.fail(death.reason)
        if self.request is not None:
            self.request.fail(death.reason)
        if self.messages is not None:
            self.messages.lost()

    def finish(self) -> None:
        """The run is over: nothing more will come on its stream."""
        if self.done:
            return
        self.done = True
        if self.request is not None:
            self.request.fail("the run is over")
        if self.on_done is not None:
            self.on_done(self)


class Messages:
    """The messages of an upgraded run, both ways. Received ones wait here until the client has taken them."""

    __slots__ = ("_channel", "_closing", "_credit", "_fault", "_outstanding", "_queue", "_room", "_run", "_waiter")

    def __init__(self, channel: Channel, run: Run) -> None:
        self._channel = channel
        self._run = run
        self._queue: deque[tuple[bool, bytes] | tuple[int, str]] = deque()
        self._outstanding = 0
        self._credit = WINDOW_BYTES
        self._fault = False
        self._closing = False
        self._waiter: asyncio.Future[None] | None = None
        self._room: asyncio.Future[None] | None = None

    def feed(self, text: bool, data: bytes) -> None:
        """A message from the worker."""
        self._outstanding += len(data)
        if self._outstanding > WINDOW_BYTES + MAX_MESSAGE_BYTES or len(self._queue) >= _MAX_QUEUED:
            raise ProtocolError("WebSocket messages that outran their window")
        self._queue.append((text, data))
        self._wake(self._waiter)

    def close(self, code: int, reason: str) -> None:
        """The worker closed the socket."""
        if self._closing:
            raise ProtocolError("a second CLOSE")
        self._closing = True
        self._queue.append((code, reason))
        self._wake(self._waiter)

    def lost(self) -> None:
        """The sandbox is gone."""
        self._fault = True
        self._wake(self._waiter)
        self._wake(self._room)

    @staticmethod
    def _wake(waiter: asyncio.Future[None] | None) -> None:
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    async def receive(self) -> tuple[bool, bytes] | tuple[int, str]:
        """The next message `(is_text, bytes)`, or the close `(code, reason)`. Raises `StreamClosed`."""
        while not self._queue:
            if self._fault:
                raise StreamClosed("the sandbox is gone")
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        return self._queue.popleft()

    def delivered(self, count: int) -> None:
        """The client has taken `count` bytes; the worker may send as many more."""
        self._outstanding -= count
        self._channel.send(Kind.CREDIT, 0, self._run.stream, b"", pack_credit(count))

    async def send(self, text: bool, data: bytes) -> None:
        """Gives the worker a message of the client. Raises `StreamClosed`."""
        while self._credit <= 0 and not self._fault:
            self._room = asyncio.get_running_loop().create_future()
            await self._room
        if self._fault or self._run.done:
            raise StreamClosed("the run is over")
        self._credit -= len(data)
        self._run.cpu_seconds = 0.0  # the limit is per message here, else a long talk would die of old age
        if self._run.meter is not None:
            self._run.meter.renew()
        self._channel.send(Kind.MESSAGE, Flag.TEXT if text else 0, self._run.stream, b"", data)

    def grant(self, count: int) -> None:
        """The worker has taken `count` bytes."""
        self._credit += count
        if self._credit > WINDOW_BYTES:
            raise ProtocolError("credit for messages that were never sent")
        self._wake(self._room)

    def closed(self, code: int, reason: str) -> None:
        """The client closed the socket; the worker is told."""
        self._channel.send(Kind.CLOSE, 0, self._run.stream, _encode({"code": code, "reason": reason}))
