"""One connection to a Valkey (or Redis) that many runs share.

redis-py connects and signs in, but its own client waits for each reply before it sends the next command. Here what came
up in one turn of the loop leaves in one write, and replies are matched in order as they are parsed (hiredis): with 30
commands at once that is several times redis-py's 18 thousand a second (redis 8.1, on a Unix socket).
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import hiredis
from redis import exceptions as errors
from redis.asyncio.connection import AbstractConnection

from v8box.bindings.cache.interface import Command, Reply
from v8box.bindings.interface import BindingError

log = logging.getLogger(__name__)

# A server that hangs must not hang its callers; on a small and busy machine one may be silent for a second and be well.
CONNECT_SECONDS: Final = 3.0
REPLY_SECONDS: Final = 3.0  # without a byte from a server that owes replies
MAX_WAITING: Final = 10_000  # commands without a reply on one connection
UNAVAILABLE: Final = "CACHE_UNAVAILABLE"
_DRAIN_POLL_SECONDS: Final = 0.02

_pack: Final[Callable[[tuple[str | bytes, ...]], bytes]] = hiredis.pack_command  # type: ignore[assignment] # they say one part

Connect = Callable[[], Awaitable[AbstractConnection]]
"""Opens a connection. Raises RedisError, OSError, TimeoutError or BindingError."""


class _Waiting:
    """One command, or several that must stand together, and who waits for the replies."""

    __slots__ = ("commands", "future", "replies")

    def __init__(self, commands: Sequence[Command], future: asyncio.Future[Any], replies: list[Any] | None) -> None:
        self.commands = commands
        self.future = future
        self.replies = replies  # None: the reply to one command is the result


class _Wire(asyncio.Protocol):
    """An open connection without redis-py's streams around it: replies are parsed as bytes come, in one call."""

    def __init__(self, lane: Lane, original: asyncio.BaseProtocol) -> None:
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.paused = False
        self._lane = lane
        self._original = original  # redis-py waits on it when it closes
        self._reader = hiredis.Reader(replyError=_in_words)

    def data_received(self, data: bytes) -> None:
        self._lane.heard()
        try:
            self._reader.feed(data)
            while (reply := self._reader.gets()) is not False:
                self._lane.replied(reply)
        except (hiredis.ProtocolError, hiredis.HiredisError) as error:
            self.fail(errors.ConnectionError(f"a reply that cannot be read: {error}"))

    def fail(self, cause: BaseException) -> None:
        if not self.closed.done():
            self.closed.set_exception(cause)

    def connection_lost(self, exc: Exception | None) -> None:
        self._original.connection_lost(exc)
        self.fail(exc if isinstance(exc, OSError) else errors.ConnectionError("the connection was closed"))

    def pause_writing(self) -> None:
        self.paused = True

    def resume_writing(self) -> None:
        self.paused = False
        self._lane.flush()


class Lane:
    """Connected when needed, dropped when it fails, connected anew by the next command."""

    def __init__(self, connect: Connect, where: str) -> None:
        self._connect = connect
        self._where = where
        self._outgoing: list[_Waiting] = []
        self._owed: deque[_Waiting] = deque()
        self._count = 0  # commands in both
        self._wire: _Wire | None = None
        self._transport: asyncio.WriteTransport | None = None
        self._flushing = False
        self._heard_at = 0.0
        self._watch: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self._stopping = False

    @property
    def busy(self) -> bool:
        return bool(self._outgoing or self._owed)

    def submit(self, command: Command) -> asyncio.Future[Reply]:
        """Sends one command; the future raises `BindingError`."""
        return self._submit((command,), None)

    def submit_all(self, commands: Sequence[Command]) -> asyncio.Future[list[Reply | BindingError]]:
        """Sends commands with none between them; an error is one of the results."""
        return self._submit(commands, [])

    def _submit(self, commands: Sequence[Command], replies: list[Any] | None) -> asyncio.Future[Any]:
        if self._count >= MAX_WAITING:
            raise BindingError("CACHE_BUSY", "too many cache commands are waiting; await some before sending more")
        if self._stopping:
            raise BindingError(UNAVAILABLE, "the box is stopping")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        self._outgoing.append(_Waiting(commands, future, replies))
        self._count += len(commands)
        if self._wire is not None:
            if not self._flushing:
                self._flushing = True
                loop.call_soon(self.flush)
        elif self._task is None:
            self._task = asyncio.create_task(self._connected(), name="cache-connection")
        return future

    async def stop(self) -> None:
        self._stopping = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def drain(self) -> None:
        """Closes the connection when nothing is owed on it any more."""
        while self.busy:
            last = (self._outgoing or self._owed)[-1].future
            await asyncio.wait((last,), timeout=_DRAIN_POLL_SECONDS)
            await asyncio.sleep(_DRAIN_POLL_SECONDS)  # its caller may have left long before its reply
        await self.stop()

    async def _connected(self) -> None:
        """The life of one connection. Ends with the connection; what waits then fails with the cause."""
        connection: AbstractConnection | None = None
        cause: BaseException | None = None
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                connection = await self._connect()
            self._wire = wire = self._take_over(connection)
            self.flush()
            await wire.closed
        except (errors.RedisError, OSError, BindingError) as error:
            cause = error
        finally:
            self._task = None
            self._wire = None
            self._fail(cause)
            if connection is not None:
                await connection.disconnect(nowait=True)

    def _take_over(self, connection: AbstractConnection) -> _Wire:
        """redis-py has connected, encrypted and signed in; from here on its transport is ours."""
        writer = connection._writer
        if writer is None:
            raise errors.ConnectionError("the connection was closed")
        self._transport = transport = writer.transport
        wire = _Wire(self, transport.get_protocol())
        transport.set_protocol(wire)
        return wire

    def flush(self) -> None:
        """Writes what came up since the last time, all of it at once."""
        self._flushing = False
        wire, transport = self._wire, self._transport
        if wire is None or transport is None or wire.paused or not self._outgoing:
            return
        batch = self._outgoing
        self._outgoing = []
        if any(waiting.future.done() for waiting in batch):  # their callers have left
            self._count -= sum(len(waiting.commands) for waiting in batch if waiting.future.done())
            batch = [waiting for waiting in batch if not waiting.future.done()]
        if not batch:
            return
        if not self._owed:
            self.heard()
            if self._watch is None:
                self._watch = asyncio.get_running_loop().call_later(REPLY_SECONDS, self._check_silence)
        self._owed.extend(batch)
        transport.writelines([_pack(tuple(one)) for waiting in batch for one in waiting.commands])

    def heard(self) -> None:
        """The server gives signs of life."""
        self._heard_at = asyncio.get_running_loop().time()

    def _check_silence(self) -> None:
        self._watch = None
        wire = self._wire
        if wire is None or not self._owed:
            return
        loop = asyncio.get_running_loop()
        left = self._heard_at + REPLY_SECONDS - loop.time()
        if left > 0:
            self._watch = loop.call_later(left, self._check_silence)
        else:
            wire.fail(errors.ConnectionError(f"no reply within {REPLY_SECONDS:g} s"))

    def replied(self, reply: Any) -> None:
        """The next reply has come; errors are `BindingError`s."""
        if not self._owed:
            if self._wire is not None:
                self._wire.fail(errors.ConnectionError("a reply to nothing"))
            return
        waiting = self._owed[0]
        self._count -= 1
        if waiting.replies is not None:
            waiting.replies.append(reply)
            if len(waiting.replies) < len(waiting.commands):
                return
            reply = waiting.replies
        self._owed.popleft()
        if waiting.future.done():
            return  # its caller has left
        if isinstance(reply, BindingError):
            waiting.future.set_exception(reply)
        else:
            waiting.future.set_result(reply)

    def _fail(self, cause: BaseException | None) -> None:
        waiting = [*self._outgoing, *self._owed]
        self._outgoing.clear()
        self._owed.clear()
        self._count = 0
        self._transport = None
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        if cause is not None:
            log.warning("the connection to the cache at %s failed: %s", self._where, cause)
        for one in waiting:
            if not one.future.done():
                one.future.set_exception(unavailable(cause))


def unavailable(cause: BaseException | None) -> BindingError:
    """What a caller hears of a connection that failed, without addresses and paths of the box."""
    if isinstance(cause, BindingError):
        return cause if cause.code == UNAVAILABLE else BindingError(UNAVAILABLE, cause.message)
    return BindingError(UNAVAILABLE, f"the cache does not answer: {_short(cause)}")


def _short(cause: BaseException | None) -> str:
    if isinstance(cause, TimeoutError):
        return f"no connection within {CONNECT_SECONDS:g} s"
    for error in (cause, getattr(cause, "__context__", None)):
        if isinstance(error, OSError) and error.errno:
            return os.strerror(error.errno)
    text = str(cause) if isinstance(cause, errors.RedisError) else ""
    return text if text and "/" not in text else "the connection was closed"


def in_words(error: errors.ResponseError) -> BindingError:
    """The server's error as it stood on the wire: redis-py takes some first words off."""
    text = str(error)
    for kind, taken in _TAKEN_OFF:
        if type(error) is kind:
            return BindingError(taken, f"{taken} {text}")
    first = text.split(" ", 1)[0]
    if first.isupper() and first.isalpha():
        return BindingError(first, text)
    return BindingError("ERR", f"ERR {text}")


def _in_words(text: str) -> BindingError:
    """An error as it stands on the wire."""
    first = text.split(" ", 1)[0]
    return BindingError(first, text) if first.isupper() and first.isalpha() else BindingError("ERR", f"ERR {text}")


def without_errors(reply: Any) -> Any:
    """A reply to EXEC or a script, in which redis-py leaves errors as they are."""
    if isinstance(reply, errors.ResponseError):
        return in_words(reply)
    return [without_errors(part) for part in reply] if isinstance(reply, list) else reply


_TAKEN_OFF: Final = (
    (errors.OutOfMemoryError, "OOM"),
    (errors.ReadOnlyError, "READONLY"),
    (errors.NoPermissionError, "NOPERM"),
    (errors.ExecAbortError, "EXECABORT"),
    (errors.NoScriptError, "NOSCRIPT"),
    (errors.AuthenticationError, "NOAUTH"),
)
