"""The entries in memory, bounded by their bytes. When there are too many, whoever has most gives up what was not used
for longest: one worker's flood of addresses pushes out its own.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from v8box.gateway.cache.entries import Entry, Owner
from v8box.gateway.cache.keys import Key

_SLICE: Final = 200


class _Shelf:
    """One owner's entries, the one used last at the end."""

    __slots__ = ("bytes", "entries")

    def __init__(self) -> None:
        self.entries: OrderedDict[Key, Entry] = OrderedDict()
        self.bytes = 0


class MemoryTier:
    """`on_evicted` is told what goes for want of room."""

    def __init__(self, most_bytes: int, on_evicted: Callable[[Key, Entry], None]) -> None:
        self._most_bytes = most_bytes
        self._on_evicted = on_evicted
        self._shelves: dict[Owner, _Shelf] = {}
        self.bytes = 0

    def get(self, owner: Owner, key: Key) -> Entry | None:
        shelf = self._shelves.get(owner)
        if shelf is None:
            return None
        entry = shelf.entries.get(key)
        if entry is not None:
            shelf.entries.move_to_end(key)
        return entry

    def put(self, key: Key, entry: Entry) -> None:
        owner = entry.belongs.owner
        self.remove(owner, key)
        size = entry.size + key.size
        if size > self._most_bytes:
            self._on_evicted(key, entry)
            return
        shelf = self._shelves.setdefault(owner, _Shelf())
        shelf.entries[key] = entry
        shelf.bytes += size
        self.bytes += size
        while self.bytes > self._most_bytes:
            fullest = max(self._shelves, key=lambda each: self._shelves[each].bytes)
            oldest, gone = next(iter(self._shelves[fullest].entries.items()))
            self.remove(fullest, oldest)
            self._on_evicted(oldest, gone)

    def remove(self, owner: Owner, key: Key) -> None:
        shelf = self._shelves.get(owner)
        gone = None if shelf is None else shelf.entries.pop(key, None)
        if shelf is None or gone is None:
            return
        size = gone.size + key.size
        shelf.bytes -= size
        self.bytes -= size
        if not shelf.entries:
            del self._shelves[owner]

    def held(self, owner: Owner) -> tuple[int, int]:
        """How many entries somebody has here, and their bytes."""
        shelf = self._shelves.get(owner)
        return (0, 0) if shelf is None else (len(shelf.entries), shelf.bytes)

    async def sweep(self, is_useless: Callable[[Entry], bool]) -> None:
        """Removes what nobody can use any more, a few at a time."""
        for owner, shelf in tuple(self._shelves.items()):
            for number, (key, entry) in enumerate(tuple(shelf.entries.items()), 1):
                if shelf.entries.get(key) is entry and is_useless(entry):
                    self.remove(owner, key)
                if number % _SLICE == 0:
                    await asyncio.sleep(0)
