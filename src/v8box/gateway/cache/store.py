"""Both tiers as one, with what answers vary by and what was purged."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import Final

from v8box.gateway.cache.disk import DiskTier
from v8box.gateway.cache.entries import Entry, Owner
from v8box.gateway.cache.keys import MAX_VARY_NAMES, Key, variant
from v8box.gateway.cache.memory import MemoryTier
from v8box.gateway.cache.purges import Purges

MAX_VARIANTS: Final = 64
MAX_VARYING: Final = 16_384
_SWEEP_SECONDS: Final = 30.0

Headers = Sequence[tuple[str, str]]


class _Varying:
    """What the answers of one address vary by, and the keys of those that are kept, the newest at the end."""

    __slots__ = ("keys", "names", "owner")

    def __init__(self, names: tuple[str, ...], owner: Owner) -> None:
        self.names = names
        self.owner = owner
        self.keys: OrderedDict[Key, None] = OrderedDict()


class Store:
    """What is kept. Keys without a variant name an address; `locate` finds the one for a request."""

    def __init__(self, memory_bytes: int, disk: DiskTier, purges: Purges) -> None:
        self.purges = purges
        self.disk = disk
        self.memory = MemoryTier(memory_bytes, self._evicted)
        self._varying: OrderedDict[Key, _Varying] = OrderedDict()

    def locate(self, address: Key, headers: Headers) -> Key:
        varying = self._varying.get(address)
        return address if varying is None else address._replace(variant=variant(varying.names, headers))

    def varies(self, address: Key) -> bool:
        """Whether answers of this address are known to vary."""
        return address in self._varying

    def find(self, owner: Owner, key: Key, now: float) -> Entry | None:
        """An entry in memory that may still be of use."""
        entry = self.memory.get(owner, key)
        if entry is None:
            return None
        if (entry.checked != self.purges.moment and not self.survives(entry)) or (
            not entry.is_fresh(now) and entry.is_useless(now)
        ):
            self.remove(owner, key)
            return None
        return entry

    async def load(self, owner: Owner, key: Key, now: float) -> Entry | None:
        """An entry on disk; from then on it is in memory too."""
        entry = await self.disk.load(key)
        if entry is None:
            return None
        if entry.belongs.owner != owner or not self.survives(entry) or entry.is_useless(now):
            self.disk.remove(key)
            return None
        known = self.memory.get(owner, key)
        if known is not None:
            return known
        self.memory.put(key, entry)
        return entry

    def survives(self, entry: Entry) -> bool:
        """Whether no purge concerns the entry. What was found is remembered until the next purge."""
        moment = self.purges.moment
        if self.purges.concerns(entry.belongs, entry.born):
            return False
        entry.checked = moment
        return True

    def put(self, address: Key, headers: Headers, entry: Entry) -> Key | None:
        """Keeps an answer to a request with these headers; gives its key, None when it varies by too much."""
        names = entry.varies
        varying = self._varying.get(address)
        if not names and varying is None:
            self._keep(address, entry)
            return address
        if varying is None or not set(names) <= set(varying.names):
            # Answers of one address that vary by different things vary by all of them: else they would drive each
            # other out.
            names = tuple(sorted({*names, *(varying.names if varying is not None else ())}))
            if len(names) > MAX_VARY_NAMES:
                return None
            self.forget(entry.belongs.owner, address)
            varying = self._varying[address] = _Varying(names, entry.belongs.owner)
            if len(self._varying) > MAX_VARYING:
                oldest = next(iter(self._varying))
                self.forget(self._varying[oldest].owner, oldest)
        key = address._replace(variant=variant(varying.names, headers))
        varying.keys[key] = None
        varying.keys.move_to_end(key)
        if len(varying.keys) > MAX_VARIANTS:
            self.remove(varying.owner, varying.keys.popitem(last=False)[0])
        self._keep(key, entry)
        return key

    def _keep(self, key: Key, entry: Entry) -> None:
        self.disk.remove(key)
        self.memory.put(key, entry)

    def remove(self, owner: Owner, key: Key) -> None:
        self.memory.remove(owner, key)
        self.disk.remove(key)

    def forget(self, owner: Owner, address: Key) -> None:
        """Removes every variant of an address."""
        varying = self._varying.pop(address, None)
        keys: Iterable[Key] = () if varying is None else varying.keys
        for key in (address, *keys):
            self.remove(owner, key)

    def _evicted(self, key: Key, entry: Entry) -> None:
        if not entry.is_useless(asyncio.get_running_loop().time()) and self.survives(entry):
            self.disk.put(key, entry)

    async def sweep_forever(self) -> None:
        """Gives the memory back of what went stale or was purged, without anybody having to ask for it."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(_SWEEP_SECONDS)
            await self.memory.sweep(lambda entry: entry.is_useless(loop.time()) or not self.survives(entry))
