"""KEYS and DBSIZE of one project, and the removal of all its keys, by SCAN in bounded steps: the server's own would
look at every key at once."""

from __future__ import annotations

from collections.abc import AsyncIterator

from v8box.bindings.cache.interface import CacheLimits, CacheStore, Reply
from v8box.bindings.cache.options import MAX_SCAN_COUNT
from v8box.bindings.interface import BindingError

_STEP = 2_000


async def list_keys(store: CacheStore, pattern: str | bytes, limits: CacheLimits) -> list[Reply]:
    """The keys that match, each once. Raises `TOO_LARGE`."""
    found: dict[Reply, None] = {}
    async for keys in _pages(store, pattern, limits, "keys"):
        found.update(dict.fromkeys(keys))
        if len(found) > limits.listed_keys:
            raise BindingError("TOO_LARGE", f"more than {limits.listed_keys} keys match; use scan")
    return list(found)


async def count_keys(store: CacheStore, pattern: str | bytes, limits: CacheLimits) -> int:
    """How many keys match; while the server resizes its table, one may be counted twice. Raises `TOO_LARGE`."""
    count = 0
    async for keys in _pages(store, pattern, limits, "dbsize"):
        count += len(keys)
    return count


async def remove_keys(store: CacheStore, pattern: str | bytes) -> None:
    """Removes the keys that match, however many keys the server has."""
    cursor: str | bytes = b""
    while cursor != b"0":
        cursor, keys = await _scan(store, cursor or b"0", pattern)
        if keys:
            await store.execute_own(("UNLINK", *(key for key in keys if isinstance(key, bytes))))


async def _scan(store: CacheStore, cursor: str | bytes, pattern: str | bytes) -> tuple[bytes, list[Reply]]:
    reply = await store.execute_own(("SCAN", cursor, "MATCH", pattern, "COUNT", str(min(_STEP, MAX_SCAN_COUNT))))
    if not isinstance(reply, list) or not isinstance(reply[0], bytes) or not isinstance(reply[1], list):
        raise BindingError("ERR", "a strange reply to SCAN")
    return reply[0], reply[1]


async def _pages(store: CacheStore, pattern: str | bytes, limits: CacheLimits, name: str) -> AsyncIterator[list[Reply]]:
    cursor: str | bytes = b"0"
    step = min(_STEP, MAX_SCAN_COUNT)
    for _ in range(max(1, limits.scan_keys // step)):
        cursor, keys = await _scan(store, cursor, pattern)
        yield keys
        if cursor == b"0":
            return
    raise BindingError("TOO_LARGE", f"{name} looks at {limits.scan_keys} keys of the server at most; use scan")
