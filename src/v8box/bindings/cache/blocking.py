"""Commands that wait, such as BLPOP: each on a connection of its own, bounded in number and time.

A caller who leaves while its command waits must not cost an element: the command is unblocked, and what it had taken by
then is put back.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import secrets
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from redis import exceptions as errors
from redis.asyncio.connection import AbstractConnection

from v8box.bindings.cache import lua
from v8box.bindings.cache.interface import CacheLimits, Command, Reply
from v8box.bindings.cache.lane import CONNECT_SECONDS, UNAVAILABLE, Lane, in_words, unavailable
from v8box.bindings.interface import BindingError
from v8box.kit.tasks import TaskSet

log = logging.getLogger(__name__)

_MAX_IDLE: Final = 16  # open connections kept for the next command, of all projects
_PATIENCE_SECONDS: Final = 3.0  # beyond the command's own time, and for a command that was unblocked
_ABANDON_SECONDS: Final = 10.0  # a server may be away for a moment just as a caller leaves
_UNBLOCK_AGAIN_SECONDS: Final = 0.02
_RESTORE_AGAIN_SECONDS: Final = 0.2
_MARK_MILLISECONDS: Final = 60_000

Undo = Callable[[Reply], list[Command]]


@dataclass(slots=True)
class _Connected:
    project: str
    connection: AbstractConnection
    client: int


class BlockingConnections:
    """The connections for waiting commands of all projects."""

    def __init__(
        self,
        connect: Callable[[str | None], Awaitable[AbstractConnection]],
        own: Lane,
        execute_all: Callable[[str, Sequence[Command]], Awaitable[Any]],
        limits: CacheLimits,
    ) -> None:
        self._connect = connect
        self._own = own
        self._execute_all = execute_all
        self._limits = limits
        self._waiting: Counter[str] = Counter()
        self._idle: list[_Connected] = []
        self._tasks = TaskSet()

    async def stop(self) -> None:
        await self._tasks.cancel()
        idle, self._idle = self._idle, []
        for one in idle:
            await one.connection.disconnect()

    async def run(self, project: str, command: Command, seconds: float, undo: Undo | None) -> Reply:
        """The reply. Raises `BindingError`. Cancelled, it returns at once and cleans up behind the caller's back."""
        if self._waiting[project] >= self._limits.blocked_per_project or self._waiting.total() >= self._limits.blocked:
            raise BindingError("TOO_MANY_BLOCKED", "too many blocking commands wait already; let some finish first")
        self._waiting[project] += 1
        place: list[_Connected] = []
        work = self._tasks.add(self._serve(project, command, seconds, place), "cache-blocking")
        work.add_done_callback(lambda _: self._left(project))
        try:
            result: Reply | BindingError = await asyncio.shield(work)
        except asyncio.CancelledError:
            self._tasks.add(self._abandon(project, work, place, undo), "cache-unblock")
            raise
        if isinstance(result, BindingError):
            raise result
        return result

    def _left(self, project: str) -> None:
        self._waiting[project] -= 1
        if not self._waiting[project]:
            del self._waiting[project]

    async def _serve(
        self, project: str, command: Command, seconds: float, place: list[_Connected]
    ) -> Reply | BindingError:
        one: _Connected | None = None
        usable = False
        try:
            one = await self._take(project)
            place.append(one)
            async with asyncio.timeout(seconds + _PATIENCE_SECONDS):
                reply = await _ask(one.connection, command)
            usable = True
        except errors.ResponseError as refused:
            usable = True
            return in_words(refused)
        except (errors.RedisError, OSError, BindingError) as error:
            return unavailable(error)
        finally:
            if one is not None:
                await self._give_back(one, usable)
        return cast(Reply, reply)

    async def _take(self, project: str) -> _Connected:
        for index in range(len(self._idle) - 1, -1, -1):
            if self._idle[index].project == project:
                one = self._idle.pop(index)
                try:
                    if await one.connection.can_read():
                        raise errors.ConnectionError("unexpected bytes")
                except (errors.RedisError, OSError):
                    await one.connection.disconnect()  # the server closed it meanwhile
                    continue
                return one
        async with asyncio.timeout(CONNECT_SECONDS):
            connection = await self._connect(project)
            try:
                client = await _ask(connection, ("CLIENT", "ID"))
            except BaseException:
                await connection.disconnect(nowait=True)
                raise
        return _Connected(project, connection, client if isinstance(client, int) else 0)

    async def _give_back(self, one: _Connected, usable: bool) -> None:
        if not usable:
            await one.connection.disconnect(nowait=True)
            return
        self._idle.append(one)
        if len(self._idle) > _MAX_IDLE:
            await self._idle.pop(0).connection.disconnect()

    async def _abandon(self, project: str, work: asyncio.Task[Any], place: list[_Connected], undo: Undo | None) -> None:
        deadline = time.monotonic() + _ABANDON_SECONDS
        # The command may be on its way still, and then it is not blocked yet.
        while not work.done() and time.monotonic() < deadline:
            if place:
                with contextlib.suppress(BindingError):  # the server may not let the box do that, or be away
                    await self._own.submit(("CLIENT", "UNBLOCK", str(place[0].client)))
            await asyncio.wait((work,), timeout=_UNBLOCK_AGAIN_SECONDS)
        if not work.done():
            work.cancel()  # the connection is dropped, which unblocks it as well
            await asyncio.wait((work,))
            return
        reply = work.result()
        if undo is not None and reply is not None and not isinstance(reply, BindingError):
            for command in undo(reply):
                await self._restore(project, command, deadline)

    async def _restore(self, project: str, command: Command, deadline: float) -> None:
        mark = f"l:{project}:restored:{secrets.token_hex(16)}"
        script = ("EVAL", lua.RESTORE, "2", mark, command[1], str(_MARK_MILLISECONDS), *command)
        while True:
            try:
                reply = (await self._execute_all(project, [script]))[0]
                if isinstance(reply, BindingError):
                    raise reply
                return
            except BindingError as error:
                if error.code != UNAVAILABLE or time.monotonic() > deadline:
                    log.error("what a %s took for a caller who left cannot be put back: %s", command[0], error)
                    return
            await asyncio.sleep(_RESTORE_AGAIN_SECONDS)


async def _ask(connection: AbstractConnection, command: Command) -> Any:
    await connection.send_packed_command(connection.pack_command(*command), check_health=False)
    return await connection.read_response(disable_decoding=True, timeout=math.inf)
