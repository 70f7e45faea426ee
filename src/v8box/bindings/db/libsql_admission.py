"""How many requests a node has on a LibSQL server at once: in all, and per project, so that one cannot take it all.

The server has 128 connections by default and refuses what comes beyond them, to every node and project alike.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from v8box.bindings.interface import BindingError

QUEUE_SECONDS: Final = 10.0  # a call that waited longer is refused: its caller has a deadline of its own


class Gate:
    """Lets so many in at once; the rest wait in order, at most `waiting` of them and `seconds` each. `busy` says why;
    the time that was waited is put after it."""

    __slots__ = ("_busy", "_seconds", "_semaphore", "_waiting", "users")

    def __init__(self, entries: int, *, waiting: int, seconds: float, busy: str) -> None:
        self._semaphore = asyncio.Semaphore(entries)
        self._waiting = waiting
        self._seconds = seconds
        self._busy = busy
        self.users = 0  # inside and waiting

    async def enter(self, seconds: float | None = None) -> None:
        """Waits, for a time of one's own if given. Raises `BindingError` (`SQLITE_BUSY`)."""
        if not self._semaphore.locked():
            self.users += 1
            await self._semaphore.acquire()  # at once
            return
        if self.users >= self._waiting:
            raise BindingError("SQLITE_BUSY", "too many calls are waiting for this database", {"raw_code": 5})
        self.users += 1
        seconds = self._seconds if seconds is None else seconds
        try:
            async with asyncio.timeout(seconds):
                await self._semaphore.acquire()
        except BaseException as error:
            self.users -= 1
            if isinstance(error, TimeoutError):
                raise BindingError("SQLITE_BUSY", f"{self._busy} for {seconds:g} s", {"raw_code": 5}) from error
            raise

    def leave(self) -> None:
        self.users -= 1
        self._semaphore.release()

    @asynccontextmanager
    async def entered(self, seconds: float) -> AsyncIterator[None]:
        """See `enter`; leaves at the end."""
        await self.enter(seconds)
        try:
            yield
        finally:
            self.leave()


class Admission:
    """The gates of one node: a project's own, then the common one."""

    def __init__(self, *, in_all: int, per_project: int, waiting: int) -> None:
        self._per_project = per_project
        self._waiting = waiting
        self._all = self._gate(in_all)
        self._projects: dict[str, Gate] = {}

    def _gate(self, entries: int) -> Gate:
        busy = "the database was busy with other calls"
        return Gate(entries, waiting=entries + self._waiting, seconds=QUEUE_SECONDS, busy=busy)

    async def enter(self, project: str) -> None:
        """Raises `BindingError` (`SQLITE_BUSY`)."""
        own = self._projects.get(project)
        if own is None:
            own = self._projects[project] = self._gate(self._per_project)
        await own.enter()
        try:
            await self._all.enter()
        except BaseException:
            self._leave_project(project, own)
            raise

    def leave(self, project: str) -> None:
        self._all.leave()
        self._leave_project(project, self._projects[project])

    def _leave_project(self, project: str, own: Gate) -> None:
        own.leave()
        if not own.users and self._projects.get(project) is own:
            del self._projects[project]
