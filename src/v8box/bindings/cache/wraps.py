"""`cache.wrap`: a value that is computed by one run at a time, over all runs and nodes.

Who finds no value takes a lease in the server and computes; the others of the same box wait here, in line, and those
of other nodes ask the server now and then. A lease has an owner and an expiry, and is kept while its run lives.
"""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass, field
from typing import Any, Final

from v8box.bindings.cache import lua
from v8box.bindings.cache.interface import CacheLimits, CacheStore, Command
from v8box.bindings.interface import Answer, BindingError, Scope
from v8box.kit.tasks import TaskSet

MAX_LEASES_PER_RUN: Final = 100
_FIRST_POLL_SECONDS: Final = 0.02
_LAST_POLL_SECONDS: Final = 0.25


@dataclass(slots=True)
class _Line:
    """The runs of this box that want one key: whoever holds the lock computes, or asks for another node's result."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    users: int = 0


@dataclass(slots=True)
class _Lease:
    scope: Scope
    names: tuple[str, str]
    line: _Line


class Wraps:
    def __init__(self, store: CacheStore, limits: CacheLimits) -> None:
        self._store = store
        self._limits = limits
        self._lines: dict[str, _Line] = {}
        self._leases: dict[str, _Lease] = {}
        self._of_run: dict[Scope, set[str]] = {}
        self._tasks = TaskSet()
        self._keeping = False

    async def stop(self) -> None:
        await self._tasks.cancel()

    async def begin(self, scope: Scope, key: str) -> Answer:
        """The value as the body; or `{"t": token}` for the run that shall compute it, with an empty token for one that
        waited long enough and computes without a lease."""
        project = scope.project
        names = (f"p:{project}:{key}", f"l:{project}:{key}")
        value = await self._store.execute(project, ("GET", names[0]))
        if isinstance(value, bytes):
            return Answer({"h": 1}, value)
        line = self._lines.setdefault(names[1], _Line())
        line.users += 1
        kept = False
        try:
            async with asyncio.timeout(self._limits.wrap_wait_seconds):
                await line.lock.acquire()
                try:
                    answer = await self._take(scope, names, line)
                    kept = answer.body is None
                    return answer
                finally:
                    if not kept:
                        line.lock.release()
        except TimeoutError:
            return Answer({"t": ""})
        finally:
            if not kept:
                self._leave(names[1], line)

    async def end(self, scope: Scope, key: str, token: str, value: bytes | None, milliseconds: int) -> None:
        """The run has computed: `value` is kept, None is not. The lease is given up, also where this raises."""
        if not token:
            if value is not None:
                command: Command = ("SET", f"p:{scope.project}:{key}", value, "PX", str(milliseconds))
                await self._store.execute(scope.project, command)
            return
        lease = self._leases.get(token)
        if lease is None or lease.scope != scope or lease.names[1] != f"l:{scope.project}:{key}":
            raise BindingError("ARGS_INVALID", "this run does not hold that lease")
        await self._finish(token, value, milliseconds)

    def keeps(self, scope: Scope) -> bool:
        return scope in self._of_run

    async def end_run(self, scope: Scope) -> None:
        """Gives up what the run still holds, so that another computes."""
        for token in tuple(self._of_run.get(scope, ())):
            await self._finish(token, None, 0)

    async def _take(self, scope: Scope, names: tuple[str, str], line: _Line) -> Answer:
        if len(self._of_run.get(scope, ())) >= MAX_LEASES_PER_RUN:
            raise BindingError("TOO_MANY_LEASES", f"a run may compute {MAX_LEASES_PER_RUN} wrapped values at one time")
        token = secrets.token_hex(16)
        lasts = str(int(self._limits.lease_seconds * 1000))
        begin = ("EVAL", lua.WRAP_BEGIN, "2", *names, token, lasts)
        pause = _FIRST_POLL_SECONDS
        while True:
            try:
                reply: Any = await self._store.execute(scope.project, begin)
            except asyncio.CancelledError:
                # The lease may have been given all the same; nobody would use it.
                self._tasks.add(self._drop(scope.project, names, token), "cache-wrap-drop")
                raise
            if reply[0] == 1:
                return Answer({"h": 1}, reply[1])
            if reply[0] == 2:
                self._leases[token] = _Lease(scope, names, line)
                self._of_run.setdefault(scope, set()).add(token)
                if not self._keeping:
                    self._keeping = True
                    self._tasks.add(self._keep(), "cache-wrap-leases")
                return Answer({"t": token})
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, _LAST_POLL_SECONDS)

    async def _finish(self, token: str, value: bytes | None, milliseconds: int) -> None:
        lease = self._leases.pop(token, None)
        if lease is None:
            return
        mine = self._of_run[lease.scope]
        mine.discard(token)
        if not mine:
            del self._of_run[lease.scope]
        keep = () if value is None else (value, str(milliseconds))
        try:
            await self._store.execute(lease.scope.project, ("EVAL", lua.WRAP_END, "2", *lease.names, token, *keep))
        finally:
            lease.line.lock.release()
            self._leave(lease.names[1], lease.line)

    async def _drop(self, project: str, names: tuple[str, str], token: str) -> None:
        try:
            await self._store.execute(project, ("EVAL", lua.WRAP_END, "2", *names, token))
        except BindingError:
            return  # the server is away; the lease ends by itself

    def _leave(self, name: str, line: _Line) -> None:
        line.users -= 1
        if not line.users:
            del self._lines[name]

    async def _keep(self) -> None:
        """Renews the leases of this box while there are any."""
        lasts = str(int(self._limits.lease_seconds * 1000))
        try:
            while self._leases:
                await asyncio.sleep(self._limits.lease_seconds / 3)
                for lease in tuple(self._leases.values()):
                    try:
                        await self._store.execute(lease.scope.project, ("PEXPIRE", lease.names[1], lasts))
                    except BindingError:
                        break  # the server is away; the leases end by themselves unless it is back in time
        finally:
            self._keeping = False
