"""Variables from HashiCorp Vault: one secret of a KV engine per worker and environment, its keys being the names.

What was read stays in memory and is read again every minute in the background. When it differs, the revision grows and
sandboxes are recycled; when Vault is away, the last known values stay in use. A worker whose values were never read
does not start: without its secrets it would do the wrong thing.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, Protocol

import msgspec

from v8box.catalog.env_names import MAX_KEYS, env_faults
from v8box.catalog.model import RouteTable
from v8box.catalog.variables.model import VariablesUnavailable
from v8box.catalog.variables.vault_client import VaultFault
from v8box.settings import Vault

_log: Final = logging.getLogger(__name__)

REFRESH_SECONDS: Final = 60.0
RENEW_SECONDS: Final = 1_800.0
_AT_ONCE: Final = 8
_MAX_CHANGES: Final = 100_000

_Key = tuple[str, str, str]


class Client(Protocol):
    """What is asked of Vault; see `VaultClient`."""

    async def read(self, path: str) -> dict[str, Any]: ...
    async def renew(self) -> None: ...
    async def check(self) -> None: ...
    async def close(self) -> None: ...


@dataclass(slots=True)
class _Known:
    """What Vault has for one worker in one environment, and when it was read."""

    values: Mapping[str, str] = field(repr=False)
    read_at: float


class VaultUnavailable(VariablesUnavailable):
    """The worker's variables are not available: Vault has not been reached yet. Try again shortly."""

    code = "vault_unavailable"
    retry_after = 5


class VaultSource:
    """`Source` on a Vault. `run` keeps it fresh; `close` it."""

    name = "vault"

    def __init__(self, client: Client, settings: Vault, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._template = settings.path
        self._clock = clock
        self._known: dict[_Key, _Known] = {}
        self._changes: dict[_Key, int] = {}
        self._counter = 0
        self._reading: dict[_Key, asyncio.Task[Mapping[str, str]]] = {}
        self._room = asyncio.Semaphore(_AT_ONCE)
        self._subscribers: list[Callable[[], Awaitable[None]]] = []
        self._live: Collection[_Key] | None = None
        """Who is live, once that is known: what others are given is not kept."""
        self._faults: dict[_Key, str] = {}
        self._refused: dict[_Key, tuple[str, ...]] = {}
        """Keys of the secret that cannot be variables: told once."""
        self._renewed_at = clock()

    async def close(self) -> None:
        for task in tuple(self._reading.values()):
            task.cancel()
        await asyncio.gather(*self._reading.values(), return_exceptions=True)
        await self._client.close()

    # ---- Source

    def revision(self, project: str, environment: str, worker: str) -> int:
        return self._changes.get((project, environment, worker), 0)

    async def values(self, project: str, environment: str, worker: str) -> Mapping[str, str]:
        key = (project, environment, worker)
        known = self._known.get(key)
        if known is not None and (key in self._faults or self._clock() - known.read_at < REFRESH_SECONDS):
            return known.values
        try:
            return await self._read_once(key)
        except VaultFault as error:
            if known is not None:
                return known.values
            message = f"The worker's variables are not available: {error.public}. Try again shortly."
            raise VaultUnavailable(message) from error

    def subscribe(self, subscriber: Callable[[], Awaitable[None]]) -> None:
        self._subscribers.append(subscriber)

    # ---- keeping it fresh

    def follow(self, routes: RouteTable) -> None:
        """Forgets what is live no more: its values are nobody's to keep."""
        self._live = {(route.project, route.environment, route.worker) for route in routes.workers.values()}
        for key in self._known.keys() - self._live:
            del self._known[key]
            self._grow(key)  # it may have changed when it comes back
        for kept in (self._faults, self._refused):
            for key in kept.keys() - self._live:
                del kept[key]

    async def run(self) -> None:
        """Reads everything again every minute, for ever."""
        while True:
            await asyncio.sleep(REFRESH_SECONDS)
            await self.refresh()

    async def refresh(self) -> None:
        """Reads again what is known. What cannot be read stays as it is."""
        if self._clock() - self._renewed_at >= RENEW_SECONDS:
            self._renewed_at = self._clock()
            try:
                await self._client.renew()
            except VaultFault as error:
                _log.debug("Vault: the token was not renewed: %s", error)
        await asyncio.gather(*(self._read_once(key) for key in tuple(self._known)), return_exceptions=True)

    async def health(self) -> None:
        """Raises when the last read failed, or Vault does not answer."""
        for fault in self._faults.values():
            raise VaultFault(fault)
        await self._client.check()

    # ----

    async def _read_once(self, key: _Key) -> Mapping[str, str]:
        """However many ask for a key at a time, Vault is asked once; who leaves does not end it for the others."""
        task = self._reading.get(key)
        if task is None:
            task = self._reading[key] = asyncio.create_task(self._read(key), name="read from Vault")
            task.add_done_callback(lambda done: self._done(key, done))
        return await asyncio.shield(task)

    def _done(self, key: _Key, task: asyncio.Task[Mapping[str, str]]) -> None:
        del self._reading[key]
        if not task.cancelled():
            task.exception()  # whoever asked has heard it, and may be gone

    async def _read(self, key: _Key) -> Mapping[str, str]:
        project, environment, worker = key
        path = self._template.format(project=project, environment=environment, worker=worker)
        kept = self._live is None or key in self._live
        try:
            async with self._room:
                given = await self._client.read(path)
            values = self._accepted(key, path, given)
        except VaultFault as error:
            if kept:
                self._tell_fault(key, str(error))
            raise
        if not kept:
            return values
        self._tell_well(key)
        before = self._known.get(key)
        self._known[key] = _Known(values, self._clock())
        if before is not None and before.values != values:
            self._grow(key)
            for subscriber in self._subscribers:
                await subscriber()
        return values

    def _grow(self, key: _Key) -> None:
        self._counter += 1
        self._changes.pop(key, None)
        self._changes[key] = self._counter
        while len(self._changes) > _MAX_CHANGES:
            del self._changes[next(iter(self._changes))]

    def _accepted(self, key: _Key, path: str, given: Mapping[str, Any]) -> Mapping[str, str]:
        """Those that can be variables. A text is taken as it is, anything else as JSON."""
        values: dict[str, str] = {}
        refused: list[str] = []
        for name, value in given.items():
            text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
            if faults := env_faults(name, text):
                refused.append(f"{name[:60]!r} {'; '.join(faults)}")
            elif value is not None:
                values[name] = text
        if len(values) > MAX_KEYS:
            raise VaultFault(f"{path} has {len(values)} keys, and a worker takes at most {MAX_KEYS} from there")
        if refused and self._refused.get(key) != tuple(refused):
            _log.warning("Vault: at %s these keys are left out: %s", path, ", ".join(refused)[:2_000])
            self._refused[key] = tuple(refused)
        return MappingProxyType(values)

    def _tell_fault(self, key: _Key, fault: str) -> None:
        """Once for each reason, however many workers it is about."""
        if fault not in self._faults.values():
            _log.error("Vault: %s. The last known values stay in use; a worker without any does not start", fault)
        self._faults[key] = fault

    def _tell_well(self, key: _Key) -> None:
        fault = self._faults.pop(key, None)
        if fault is not None and fault not in self._faults.values():
            _log.warning("Vault: this is over: %s", fault)
