"""A Valkey or Redis as the store of the cache: a connection per project, as the project's own user there.

Beside those there are the box's own connection, connections for commands that wait, and one that listens.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, Final

from redis.asyncio.connection import AbstractConnection, Connection, parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from v8box.bindings.cache.blocking import BlockingConnections
from v8box.bindings.cache.interface import CacheLimits, Command, Isolation, Messages, Reply
from v8box.bindings.cache.lane import UNAVAILABLE, Lane, without_errors
from v8box.bindings.cache.scripts import ScriptWatch
from v8box.bindings.cache.subscriber import Subscriber
from v8box.bindings.cache.users import Users
from v8box.bindings.interface import BindingError
from v8box.kit.tasks import TaskSet

_BUSY_TRIES: Final = 5
_BUSY_SECONDS: Final = 0.1


class ValkeyStore:
    """The server at `url` (`unix:///x.sock`, `redis://`, `rediss://`, `valkey://`). Connects at its first command.

    `restart` ends the server at once and has it started again: the way out for a private one in which a script hangs
    that cannot be ended otherwise.
    """

    def __init__(
        self, url: str, *, limits: CacheLimits | None = None, restart: Callable[[], None] | None = None
    ) -> None:
        limits = limits or CacheLimits()
        # The name of the scheme is all that sets a Valkey URL apart.
        options: dict[str, Any] = dict(
            parse_url(url.replace("valkey://", "redis://", 1).replace("valkeys://", "rediss://", 1))
        )
        self._connection_class: type[AbstractConnection] = options.pop("connection_class", Connection)
        self._options = options
        self._where = _without_password(url)
        self._tasks = TaskSet()
        self._own = Lane(lambda: self._connect(None), self._where)
        self._users = Users(self._own, database=int(options.get("db") or 0))
        self._lanes: OrderedDict[str, Lane] = OrderedDict()
        self._open_lanes = limits.open_lanes
        self._blocking = BlockingConnections(self._connect, self._own, self.execute_all, limits)
        self._subscriber = Subscriber(lambda: self._connect(None), self._where)
        self._scripts = ScriptWatch(self._own, self._tasks, limits, restart)

    @property
    def isolation(self) -> Isolation | None:
        return self._users.isolation

    async def start(self) -> None:
        """Nothing to do: a server that is away at the start is like one that goes away later."""

    async def stop(self) -> None:
        await self._subscriber.stop()
        await self._blocking.stop()
        await self._tasks.cancel()
        lanes = [*self._lanes.values(), self._own]
        await asyncio.gather(*(lane.stop() for lane in lanes))

    async def health(self) -> None:
        await self._own.submit(("PING",))
        if self._users.isolation is None:
            await self._users.credentials("default")

    async def execute(self, project: str, command: Command) -> Reply:
        try:
            return await self._lane(project).submit(command)
        except BindingError as error:
            if error.code != "BUSY":
                raise
        return await self._patiently(project, command)

    async def execute_all(self, project: str, commands: Sequence[Command]) -> list[Reply | BindingError]:
        return _plain(await self._lane(project).submit_all(commands))

    async def execute_own(self, command: Command) -> Reply:
        return await self._own.submit(command)

    async def execute_script(self, project: str, commands: Sequence[Command]) -> list[Reply | BindingError]:
        if self._users.isolation is None:
            await self._users.credentials(project)
        if self._users.isolation == "prefix":
            raise BindingError(
                "REFUSED",
                "scripts are refused: the server at VALKEY_URL does not let the box make a user per project, and "
                "nothing else could keep a script to the project's keys",
            )
        return _plain(await self._scripts.watch(project, commands, self._lane(project)))

    async def block(
        self, project: str, command: Command, seconds: float, undo: Callable[[Reply], list[Command]] | None
    ) -> Reply:
        return await self._blocking.run(project, command, seconds, undo)

    async def subscribe(self, channels: Sequence[bytes], patterns: Sequence[bytes], limits: CacheLimits) -> Messages:
        return await self._subscriber.subscribe(channels, patterns, limits)

    async def _patiently(self, project: str, command: Command) -> Reply:
        """Some script holds the server up beyond its time. It is being ended; the command has not run."""
        for _ in range(_BUSY_TRIES):
            await asyncio.sleep(_BUSY_SECONDS)
            try:
                return await self._lane(project).submit(command)
            except BindingError as error:
                if error.code != "BUSY":
                    raise
        raise BindingError(UNAVAILABLE, "the cache does not answer: a script holds it up")

    def _lane(self, project: str) -> Lane:
        lanes = self._lanes
        lane = lanes.get(project)
        if lane is not None:
            lanes.move_to_end(project)
            return lane
        if len(lanes) >= self._open_lanes:
            idle = next((name for name, one in lanes.items() if not one.busy), next(iter(lanes)))
            self._tasks.add(lanes.pop(idle).drain(), "cache-lane-close")
        lane = lanes[project] = Lane(lambda: self._connect(project), self._where)
        return lane

    async def _connect(self, project: str | None) -> AbstractConnection:
        """A new connection, as the project's user or, for None, as the box's own."""
        options = self._options
        if project is not None and (credentials := await self._users.credentials(project)) is not None:
            options = {**options, "username": credentials[0], "password": credentials[1]}
        # No timeouts of redis-py's own: they are asyncio.wait_for, which in Python 3.11 may swallow a cancellation.
        options = {**options, "socket_timeout": None}
        connection = self._connection_class(**options, protocol=2, retry=Retry(NoBackoff(), 0))
        try:
            await connection.connect()  # type: ignore[no-untyped-call]
        except BaseException:
            await connection.disconnect(nowait=True)
            raise
        return connection


def _plain(replies: list[Any]) -> list[Reply | BindingError]:
    return [without_errors(reply) if isinstance(reply, list) else reply for reply in replies]


def _without_password(url: str) -> str:
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"
