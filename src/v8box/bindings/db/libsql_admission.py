"""How many requests a node has on a LibSQL server at once: in all, and per project, so that one cannot take it all.

The server has 128 connections by default and refuses what comes beyond them, to every node and project alike.
"""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Final, Self

from v8box.bindings.interface import BindingError

QUEUE_SECONDS: Final = 10.0  # a call that waited longer is refused: its caller has a deadline of its own


class Gate:
    """Lets so many in at once; the rest wait in order, at most `waiting` of them and `seconds` each."""

    __slots__ = ("_busy", "_seconds", "_semaphore", "_waiting", "users")

    def __init__(self, entries: int, *, waiting: int, seconds: float, busy: str) -> None:
        self._semaphore = asyncio.Semaphore(entries)
        self._waiting = waiting
        self._seconds = seconds
        self._busy = busy
        self.users = 0  # inside and waiting

    async def enter(self) -> None:
        """Raises `BindingError` (`SQLITE_BUSY`)."""
        if not self._semaphore.locked():
            self.users += 1
            await self._semaphore.acquire()  # at once
            return
        if self.users >= self._waiting:
            raise BindingError("SQLITE_BUSY", "too many calls are waiting for this database", {"raw_code": 5})
        self.users += 1
        try:
            async with asyncio.timeout(self._seconds):
                await self._semaphore.acquire()
        except BaseException as error:
            self.users -= 1
            if isinstance(error, TimeoutError):
                raise BindingError("SQLITE_BUSY", self._busy, {"raw_code": 5}) from error
            raise

    def leave(self) -> None:
        self.users -= 1
        self._semaphore.release()

    async def __aenter__(self) -> Self:
        await self.enter()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.leave()


class Admission:
    """The gates of one node: a project's own, then the common one."""

    def __init__(self, *, in_all: int, per_project: int, waiting: int) -> None:
        self._per_project = per_project
        self._waiting = waiting
        self._all = self._gate(in_all)
        self._projects: dict[str, Gate] = {}

    def _gate(self, entries: int) -> Gate:
        busy = f"the database was busy with other calls for {QUEUE_SECONDS:g} s"
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
