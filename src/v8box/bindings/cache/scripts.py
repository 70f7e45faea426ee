"""Keeps workers' scripts from holding up the server: they are ended after their time, and few texts stay cached there.

While a script runs, Valkey does nothing else, for anyone. After `busy-reply-threshold` it listens for SCRIPT KILL.
A script that has written by then cannot be killed; a private server is restarted, for an external one one can but wait.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from v8box.bindings.cache.interface import CacheLimits, Command, Reply
from v8box.bindings.cache.lane import UNAVAILABLE, Lane
from v8box.bindings.interface import BindingError
from v8box.kit.tasks import TaskSet

log = logging.getLogger(__name__)

MAX_CACHED: Final = 1_000  # texts that the box leaves in the server's cache of scripts, which keeps what it was given
MAX_CACHED_BYTES: Final = 8_000_000
SUSPENDED_SECONDS: Final = 60.0  # no scripts of a project whose script had to be ended by a restart
_KILL_AGAIN_SECONDS: Final = 0.1
_LOST_SECONDS: Final = 60.0  # how long a script is looked after whose connection was given up while it ran


class ScriptWatch:
    """Sends batches with scripts, and ends a script that takes too long."""

    def __init__(self, own: Lane, tasks: TaskSet, limits: CacheLimits, restart: Callable[[], None] | None) -> None:
        self._own = own
        self._tasks = tasks
        self._limits = limits
        self._restart = restart
        self._running: dict[object, tuple[float, str]] = {}
        self._lost: tuple[float, str] | None = None
        self._watching = False
        self._suspended: dict[str, float] = {}
        self._cached: set[bytes] = set()
        self._cached_bytes = 0

    async def watch(self, project: str, commands: Sequence[Command], lane: Lane) -> list[Reply | BindingError]:
        self._refuse_suspended(project)
        for command in commands:
            await self._remember(command)
        token = object()
        self._running[token] = (time.monotonic(), project)
        if not self._watching:
            self._watching = True
            self._tasks.add(self._watch(), "cache-scripts")
        try:
            replies: list[Any] = await lane.submit_all(commands)
        except BindingError as error:
            if error.code == UNAVAILABLE and self._lost is None:
                # Before its busy-reply-threshold (5 s by default) a server with a script in it hears nobody, so the
                # connection may have been given up for silent: the script must be ended all the same.
                self._lost = self._running[token]
            if project in self._suspended:
                raise self._ended() from error
            raise
        finally:
            del self._running[token]
        return [self._ended() if _was_killed(reply) else reply for reply in replies]

    def _ended(self) -> BindingError:
        return BindingError(
            "SCRIPT_TIMEOUT", f"the script ran longer than {self._limits.script_seconds:g} s and was ended"
        )

    def _refuse_suspended(self, project: str) -> None:
        until = self._suspended.get(project)
        if until is None:
            return
        left = until - time.monotonic()
        if left <= 0:
            del self._suspended[project]
            return
        raise BindingError(
            "SCRIPT_TIMEOUT", f"scripts are refused for another {left:.0f} s: one of this project held up the server"
        )

    async def _remember(self, command: Command) -> None:
        """Empties the server's cache of scripts before it grows beyond bounds. EVALSHA then answers NOSCRIPT."""
        name = str(command[0]).lower()
        if name in ("eval", "eval_ro") and len(command) > 1:
            text = command[1]
        elif name == "script" and len(command) > 2:
            text = command[2]
        else:
            return
        raw = text.encode() if isinstance(text, str) else text
        digest = hashlib.sha256(raw).digest()
        if digest in self._cached:
            return
        if len(self._cached) >= MAX_CACHED or self._cached_bytes + len(raw) > MAX_CACHED_BYTES:
            self._cached.clear()
            self._cached_bytes = 0
            await self._own.submit(("SCRIPT", "FLUSH", "ASYNC"))
        self._cached.add(digest)
        self._cached_bytes += len(raw)

    async def _watch(self) -> None:
        """Lives while scripts are under way."""
        try:
            while self._running or self._lost is not None:
                began, project = min([*self._running.values(), *([self._lost] if self._lost else [])])
                left = began + self._limits.script_seconds - time.monotonic()
                if left > 0:
                    await asyncio.sleep(left)
                    continue
                await self._kill(began, project)
        finally:
            self._watching = False

    async def _kill(self, began: float, project: str) -> None:
        """Ends what runs, if anything: a script that only waits behind others leaves the server answering NOTBUSY."""
        stuck = time.monotonic() - began > self._limits.stuck_seconds
        try:
            await self._own.submit(("SCRIPT", "KILL"))
            self._lost = None
            log.warning(
                "a script of the project %s ran longer than %g s and was ended", project, self._limits.script_seconds
            )
        except BindingError as error:
            if error.code == "NOTBUSY" or time.monotonic() - began > _LOST_SECONDS:
                self._lost = None  # it is over, or it was killed on behalf of another; or the server is gone
            elif stuck and error.code in ("UNKILLABLE", UNAVAILABLE):
                self._end_server(project)
            elif error.code not in ("UNKILLABLE", "BUSY", UNAVAILABLE):
                log.warning("a script that takes too long cannot be ended: %s", error)
        await asyncio.sleep(_KILL_AGAIN_SECONDS)

    def _end_server(self, project: str) -> None:
        self._suspended[project] = time.monotonic() + SUSPENDED_SECONDS
        if self._restart is None:
            return
        log.error("a script of the project %s has written and does not end: the private Valkey is restarted", project)
        self._restart()


def _was_killed(reply: Any) -> bool:
    return isinstance(reply, BindingError) and "SCRIPT KILL" in reply.message
