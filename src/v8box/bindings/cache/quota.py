"""How much of the server's memory each project uses, and when it may write no more.

Valkey has no quotas. What a project writes is added up; before the sum can pass the quota, all projects are measured in
one walk over the keys, in small steps that leave the server most of its time. Only what was measured refuses a write,
but for a project that writes twice its quota before the walk is over.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from v8box.bindings.cache import lua
from v8box.bindings.cache.interface import CacheLimits, CacheStore
from v8box.bindings.cache.lane import UNAVAILABLE
from v8box.bindings.interface import BindingError
from v8box.kit.tasks import TaskSet

log = logging.getLogger(__name__)

_STEP_KEYS: Final = 500  # under a millisecond of the server's time
_REST: Final = 3.0  # the walk rests so many times as long as it worked
_MIN_REST_SECONDS: Final = 0.001
_PAUSE_SECONDS: Final = 1.0  # between two walks
_FRESH_SECONDS: Final = 5.0  # how old a figure `usage` may give
_PER_COMMAND_BYTES: Final = 64  # what a key costs beside its arguments
_LOOK_SECONDS: Final = 0.05
_WAIT_SECONDS: Final = 1.0  # for a walk, before the figures of the one before are given
_MAX_NAMESPACES: Final = 1_000  # of one project, of which figures are kept


@dataclass(slots=True)
class SpaceUse:
    """What the keys of one space take."""

    keys: int = 0
    bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What a project has, by KV namespace; None among them is what workers keep by `cache` itself."""

    spaces: Mapping[str | None, SpaceUse]
    bytes: int | None
    """Of all of it, leases and indexes too; None: never measured yet."""
    quota: int | None
    age_seconds: float | None
    measuring: bool
    """Newer figures are on their way."""
    able: bool
    """Whether the server lets keys be measured."""


@dataclass(slots=True)
class _Account:
    measured: int = 0
    since: int = 0
    """Written since it was measured."""
    budget: int = 0
    """How much of that is all right before it is measured again."""


class Accountant:
    """Counts what projects write, and refuses what is too much."""

    def __init__(self, store: CacheStore, limits: CacheLimits) -> None:
        self._store = store
        self._quota = limits.project_bytes
        self._accounts: dict[str, _Account] = {}
        self._spaces: dict[str, dict[str | None, SpaceUse]] = {}
        self._tasks = TaskSet()
        self._walk: asyncio.Task[None] | None = None
        self._walked = -_FRESH_SECONDS
        self._used_then: int | None = None
        self._looking = False
        self._able = True

    async def stop(self) -> None:
        await self._tasks.cancel()

    def charge(self, project: str, size: int) -> None:
        """Counts bytes about to be written. Raises `QUOTA`."""
        quota = self._quota
        if quota is None:
            return
        account = self._accounts.get(project)
        if account is None:
            account = self._accounts[project] = _Account()  # its budget is 0: what is there from before is measured
        if account.measured > quota:
            self._measure()
            raise BindingError(
                "QUOTA",
                f"the project's keys use {account.measured} bytes of {quota} that it may: delete some, or let them "
                "expire; writing goes on within seconds of that",
            )
        account.since += size + _PER_COMMAND_BYTES
        if account.since > account.budget:
            self._measure()
            if account.measured + account.since > 2 * quota and self._able:
                raise BindingError(
                    "QUOTA", "the project has written so much that its keys are being measured; try again"
                )

    def charge_after(self, project: str, size: int) -> None:
        """Counts what is written already and could not be told before."""
        account = self._accounts.get(project)
        if account is not None:
            account.since += size
            if account.since > account.budget:
                self._measure()

    def look_soon(self) -> None:
        """Something was run of which nobody can tell what it wrote: a script. Compares the server's memory."""
        if self._quota is not None and not self._looking:
            self._looking = True
            self._tasks.add(self._look(), "cache-look")

    async def usage(self, project: str) -> int:
        """Bytes of the project's keys, at most some seconds old. Raises `BindingError`."""
        if time.monotonic() - self._walked > _FRESH_SECONDS:
            await asyncio.shield(self._measure())
        if not self._able:
            raise BindingError("REFUSED", "the cache's server does not let keys be measured")
        if time.monotonic() - self._walked > _FRESH_SECONDS:
            raise BindingError(UNAVAILABLE, "the cache did not answer while the keys were measured")
        account = self._accounts.get(project)
        return account.measured if account else 0

    async def look(self, project: str) -> Measured:
        """What was measured last; what is older than some seconds is measured again, and waited for a moment."""
        if time.monotonic() - self._walked > _FRESH_SECONDS:
            await asyncio.wait((self._measure(),), timeout=_WAIT_SECONDS)
        age = time.monotonic() - self._walked
        known = self._used_then is not None
        account = self._accounts.get(project)
        return Measured(
            spaces=self._spaces.get(project, {}),
            bytes=(account.measured if account else 0) if known else None,
            quota=self._quota,
            age_seconds=age if known else None,
            measuring=self._able and age > _FRESH_SECONDS,
            able=self._able,
        )

    def _measure(self) -> asyncio.Task[None]:
        if self._walk is None:
            self._walk = self._tasks.add(self._measure_all(), "cache-measure")
        return self._walk

    async def _measure_all(self) -> None:
        rest = _PAUSE_SECONDS
        try:
            await self._walk_once()
        except BindingError as error:
            if error.code != UNAVAILABLE and self._able:
                self._able = False
                log.warning("the cache's server does not let keys be measured, quotas are not kept: %s", error)
        finally:
            # Writers that are refused ask for the next walk; it begins after a pause.
            asyncio.get_running_loop().call_later(rest, self._walk_over)

    def _walk_over(self) -> None:
        self._walk = None

    async def _walk_once(self) -> None:
        before = {project: account.since for project, account in self._accounts.items()}
        totals: dict[str, int] = {}
        spaces: dict[str, dict[str | None, SpaceUse]] = {}
        used = await self._used()
        cursor: str | bytes = "0"
        while True:
            started = time.monotonic()
            page = await self._store.execute_own(("EVAL", lua.MEASURE, "0", cursor, str(_STEP_KEYS)))
            if not isinstance(page, list) or not isinstance(page[0], bytes):
                raise BindingError("ERR", "a strange reply to the measuring script")
            cursor = page[0]
            for name, size, keys in zip(page[1::3], page[2::3], page[3::3], strict=True):
                if isinstance(name, bytes) and isinstance(size, int) and isinstance(keys, int):
                    kind, project, *namespace = name.decode("utf-8", "replace").split(":", 2)
                    totals[project] = totals.get(project, 0) + size
                    if kind != "l":
                        _add(spaces.setdefault(project, {}), namespace[0] if namespace else None, keys, size)
            if cursor == b"0":
                break
            await asyncio.sleep(max(_MIN_REST_SECONDS, _REST * (time.monotonic() - started)))
        for project in totals:
            self._accounts.setdefault(project, _Account())
        for project, account in self._accounts.items():
            account.measured = totals.get(project, 0)
            account.since -= before.get(project, 0)
            if self._quota is not None:
                account.budget = max((self._quota - account.measured) // 2, self._quota // 64)
        self._spaces = spaces
        self._used_then = used
        self._walked = time.monotonic()
        self._able = True

    async def _look(self) -> None:
        try:
            await asyncio.sleep(_LOOK_SECONDS)
            used = await self._used()
            if self._used_then is None or used - self._used_then > (self._quota or 0) // 4:
                self._measure()
        except BindingError as error:
            log.debug("the cache's memory cannot be looked at: %s", error)
        finally:
            self._looking = False

    async def _used(self) -> int:
        info = await self._store.execute_own(("INFO", "memory"))
        text = info.decode("latin-1") if isinstance(info, bytes) else ""
        for line in text.splitlines():
            if line.startswith("used_memory:"):
                return int(line.partition(":")[2])
        return 0


def _add(spaces: dict[str | None, SpaceUse], name: str | None, keys: int, size: int) -> None:
    use = spaces.get(name)
    if use is None:
        if len(spaces) > _MAX_NAMESPACES:
            return
        use = spaces[name] = SpaceUse()
    use.keys += keys
    use.bytes += size
