"""One connection that listens for every subscription of the box.

What a subscriber does not read in time is bounded: more than that ends its subscription with an error, as a lost
connection does. Messages are never dropped in silence.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, Literal

from redis import exceptions as errors
from redis.asyncio.connection import AbstractConnection

from v8box.bindings.cache.interface import CacheLimits
from v8box.bindings.cache.lane import CONNECT_SECONDS, unavailable
from v8box.bindings.interface import BindingError

log = logging.getLogger(__name__)

MAX_TOPICS: Final = 20_000  # channels and patterns of the whole box
CONFIRM_SECONDS: Final = 3.0
PING_SECONDS: Final = 10.0  # a connection that says nothing for so long is asked whether it is alive
LOST: Final = "MESSAGES_LOST"

_Kind = Literal["subscribe", "psubscribe"]
_Message = tuple[bytes | None, bytes, bytes]


class Subscription:
    """See `Messages`. Closing it is all there is to clean up."""

    def __init__(self, owner: Subscriber, topics: Sequence[tuple[_Kind, bytes]], limits: CacheLimits) -> None:
        self._owner = owner
        self._limits = limits
        self.topics = topics
        self._messages: deque[_Message] = deque()
        self._bytes = 0
        self._fault: BindingError | None = None
        self._closed = False
        self._wake = asyncio.Event()

    def __aiter__(self) -> Subscription:
        return self

    async def __anext__(self) -> list[_Message]:
        while not self._messages:
            if self._fault is not None:
                fault, self._fault, self._closed = self._fault, None, True
                raise fault
            if self._closed:
                raise StopAsyncIteration
            self._wake.clear()
            await self._wake.wait()
        ready = list(self._messages)
        self._messages.clear()
        self._bytes = 0
        return ready

    def deliver(self, message: _Message) -> None:
        if self._fault is not None or self._closed:
            return
        size = len(message[1]) + len(message[2])
        if len(self._messages) >= self._limits.waiting_messages or (
            self._messages and self._bytes + size > self._limits.waiting_bytes
        ):
            self.fail(BindingError(LOST, f"more than {len(self._messages)} messages were waiting to be read"))
            self._owner.leave(self)
            return
        self._bytes += size
        self._messages.append(message)
        self._wake.set()

    def fail(self, error: BindingError) -> None:
        """What came before is still read, then this is raised."""
        self._fault = self._fault or error
        self._wake.set()

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._owner.leave(self)
            self._wake.set()


class _Topic:
    __slots__ = ("confirmed", "subscriptions")

    def __init__(self) -> None:
        self.subscriptions: set[Subscription] = set()
        self.confirmed: asyncio.Future[None] = asyncio.get_running_loop().create_future()


class Subscriber:
    """Connects at the first subscription and stays connected while there is one."""

    def __init__(self, connect: Callable[[], Awaitable[AbstractConnection]], where: str) -> None:
        self._connect = connect
        self._where = where
        self._topics: dict[tuple[_Kind, bytes], _Topic] = {}
        self._unconfirmed: dict[tuple[_Kind, bytes], int] = {}
        self._outgoing: list[tuple[str, bytes]] = []
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._heard = 0.0

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def subscribe(
        self, channels: Sequence[bytes], patterns: Sequence[bytes], limits: CacheLimits
    ) -> Subscription:
        topics: list[tuple[_Kind, bytes]] = [("subscribe", name) for name in dict.fromkeys(channels)]
        topics += [("psubscribe", name) for name in dict.fromkeys(patterns)]
        if len(self._topics) + len(topics) > MAX_TOPICS:
            raise BindingError("TOO_MANY_SUBSCRIPTIONS", f"the box listens to {MAX_TOPICS} channels already")
        subscription = Subscription(self, topics, limits)
        waiting = []
        for key in topics:
            topic = self._topics.get(key)
            if topic is None:
                topic = self._topics[key] = _Topic()
                self._unconfirmed[key] = self._unconfirmed.get(key, 0) + 1
                self._send(key[0], key[1])
            topic.subscriptions.add(subscription)
            waiting.append(asyncio.shield(topic.confirmed))
        try:
            async with asyncio.timeout(CONNECT_SECONDS + CONFIRM_SECONDS):
                await asyncio.gather(*waiting)
        except TimeoutError as error:
            subscription.close()
            raise unavailable(errors.ConnectionError("it did not confirm the subscription")) from error
        except BaseException:
            subscription.close()
            raise
        return subscription

    def leave(self, subscription: Subscription) -> None:
        """The subscription hears no more."""
        for key in subscription.topics:
            topic = self._topics.get(key)
            if topic is None or subscription not in topic.subscriptions:
                continue
            topic.subscriptions.discard(subscription)
            if not topic.subscriptions:
                del self._topics[key]
                if not topic.confirmed.done():
                    topic.confirmed.cancel()
                if self._task is not None:
                    self._send("un" + key[0] if key[0] == "subscribe" else "punsubscribe", key[1])

    def _send(self, command: str, name: bytes) -> None:
        self._outgoing.append((command, name))
        self._wake.set()
        if self._task is None:
            self._task = asyncio.create_task(self._connected(), name="cache-subscriber")

    async def _connected(self) -> None:
        connection: AbstractConnection | None = None
        cause: BaseException | None = None
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                connection = await self._connect()
            self._heard = time.monotonic()
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._write(connection), name="cache-subscriber-write")
                tasks.create_task(self._read(connection), name="cache-subscriber-read")
                tasks.create_task(self._look(connection), name="cache-subscriber-look")
        except* (errors.RedisError, OSError, BindingError) as group:
            cause = group.exceptions[0]
            log.warning("the connection to the cache at %s for subscriptions failed: %s", self._where, cause)
        finally:
            self._task = None
            self._fail(cause)
            if connection is not None:
                await connection.disconnect()

    def _fail(self, cause: BaseException | None) -> None:
        topics, self._topics = self._topics, {}
        self._unconfirmed.clear()
        self._outgoing.clear()
        self._wake.clear()
        error = unavailable(cause)
        for topic in topics.values():
            if not topic.confirmed.done():
                topic.confirmed.set_exception(error)
                topic.confirmed.exception()  # seen: whoever waits hears of it through the shield
            for subscription in topic.subscriptions:
                subscription.fail(BindingError(LOST, f"messages may be missing, subscribe again: {error.message}"))

    async def _write(self, connection: AbstractConnection) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            batch, self._outgoing = self._outgoing, []
            if batch:
                await connection.send_packed_command(connection.pack_commands(batch), check_health=False)

    async def _read(self, connection: AbstractConnection) -> None:
        while True:
            reply: Any = await connection.read_response(disable_decoding=True, timeout=math.inf)
            self._heard = time.monotonic()
            match reply:
                case [b"message", bytes() as channel, bytes() as message]:
                    self._deliver(("subscribe", channel), (None, channel, message))
                case [b"pmessage", bytes() as pattern, bytes() as channel, bytes() as message]:
                    self._deliver(("psubscribe", pattern), (pattern, channel, message))
                case [b"subscribe" | b"psubscribe" as kind, bytes() as name, _]:
                    self._confirm(("subscribe" if kind == b"subscribe" else "psubscribe", name))
                case _:
                    pass  # an unsubscription, or a pong

    def _deliver(self, key: tuple[_Kind, bytes], message: _Message) -> None:
        topic = self._topics.get(key)
        if topic is not None:
            for subscription in tuple(topic.subscriptions):
                subscription.deliver(message)

    def _confirm(self, key: tuple[_Kind, bytes]) -> None:
        """Only the last confirmation of a name counts: before it the name may have been left again."""
        left = self._unconfirmed.get(key, 0) - 1
        if left > 0:
            self._unconfirmed[key] = left
            return
        self._unconfirmed.pop(key, None)
        topic = self._topics.get(key)
        if topic is not None and not topic.confirmed.done():
            topic.confirmed.set_result(None)

    async def _look(self, connection: AbstractConnection) -> None:
        """Asks a silent connection for a sign of life."""
        while True:
            await asyncio.sleep(PING_SECONDS)
            if time.monotonic() - self._heard < PING_SECONDS:
                continue
            asked = time.monotonic()
            async with asyncio.timeout(CONFIRM_SECONDS):
                await connection.send_packed_command(connection.pack_command("PING"), check_health=False)
            await asyncio.sleep(CONFIRM_SECONDS)
            if self._heard < asked:
                raise errors.ConnectionError("no reply to a ping of the subscriptions' connection")
