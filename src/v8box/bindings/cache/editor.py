"""Changes of a project's keys by its people, each made only if what is there is still what they have seen.

The comparison is a script's, so that nothing comes between it and the change. What is written counts towards the
project's quota as workers' writes do.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from v8box.bindings.cache import lua
from v8box.bindings.cache.batches import transaction
from v8box.bindings.cache.interface import CacheLimits, CacheStore, Command
from v8box.bindings.cache.kv import MAX_METADATA_BYTES, above
from v8box.bindings.cache.quota import Accountant
from v8box.bindings.cache.spaces import Changed, KeyExists, KeyNotFound, Space, check_size
from v8box.bindings.interface import BindingError

Kind = Literal["hash", "list", "set", "zset", "stream"]
What = Literal["set", "remove", "append", "prepend", "create"]
Ttl = float | None | Literal["keep"]
"""Seconds; None: it does not expire."""

MAX_TTL_SECONDS: Final = 10**9
_STEP: Final = 1_000
_NAMES: Final = 500


@dataclass(frozen=True, slots=True)
class If:
    """What must hold for a change to be made."""

    condition: Literal["any", "absent", "was"] = "any"
    was: str | bytes = ""


ANY: Final = If()
ABSENT: Final = If("absent")


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change of one item. `at` is the field, the member, the index in a list, or the id of a stream's entry;
    `value` is the field's value, the list's item, or the member's score."""

    kind: Kind
    what: What
    at: bytes = b""
    value: bytes = b""
    more: Sequence[bytes] = ()
    """A stream's entry: field, value, field, value…"""


class Editor:
    """Raises `BindingError`: `cache_key_not_found`, `cache_key_exists`, `precondition_failed`, `QUOTA`."""

    def __init__(self, store: CacheStore, accountant: Accountant, limits: CacheLimits) -> None:
        self._store = store
        self._accountant = accountant
        self._limits = limits

    async def put(
        self, space: Space, key: bytes, value: bytes, *, metadata: bytes | None, ttl: Ttl, only_if: If = ANY
    ) -> None:
        """A string, or a value of a namespace."""
        name = space.key(key)
        if space.namespace is None:
            if metadata is not None:
                raise BindingError("ARGS_INVALID", "only values of a KV namespace have metadata")
            self._charge(space, name, value)
            await self._change(space, name, "string", "set", only_if, (b"", value), _milliseconds(ttl))
            return
        if len(metadata or b"") > MAX_METADATA_BYTES:
            raise BindingError("cache_value_too_large", f"metadata may have {MAX_METADATA_BYTES} bytes of JSON")
        if len(value) > self._limits.kv_value_bytes:
            raise BindingError("cache_value_too_large", f"a value may have {self._limits.kv_value_bytes} bytes")
        self._charge(space, name, value, metadata or b"")
        await self._change_kv(space, key, "put", only_if, _at(ttl), value, metadata or b"")

    async def change(self, space: Space, key: bytes, change: Change, only_if: If = ANY) -> str | None:
        """Of a collection, which is made if it is not there. Gives the id of a new entry of a stream."""
        if space.namespace is not None:
            raise BindingError("ARGS_INVALID", "a KV namespace has values only, no collections")
        name = space.key(key)
        if change.what != "remove":
            self._charge(space, name, change.at, change.value, *change.more)
        args = (change.at, *change.more) if change.kind == "stream" else (change.at, change.value)
        return await self._change(space, name, change.kind, change.what, only_if, args)

    async def expire(self, space: Space, key: bytes, seconds: float | None) -> None:
        """Sets when the key expires; None: never."""
        if space.namespace is not None:
            await self._change_kv(space, key, "ttl", ANY, _at(seconds))
            return
        name, ttl = space.key(key), _milliseconds(seconds)
        command = ("PERSIST", name) if ttl == "none" else ("PEXPIRE", name, ttl)
        there, _ = await self._store.execute_all(space.project, (("EXISTS", name), command))
        if isinstance(there, BindingError):
            raise there
        if not there:
            raise KeyNotFound

    async def delete(self, space: Space, key: bytes, only_if: If = ANY) -> None:
        if space.namespace is not None:
            await self._change_kv(space, key, "delete", only_if, "none")
        else:
            await self._change(space, space.key(key), "string", "delete", only_if, ())

    async def rename(self, space: Space, key: bytes, to: bytes) -> None:
        """Gives the key another name, unless that is taken. What it holds is not copied."""
        if space.namespace is not None:
            raise BindingError("ARGS_INVALID", "a value of a KV namespace cannot be renamed: put it anew")
        try:
            done = await self._store.execute(space.project, ("RENAMENX", space.key(key), space.key(to)))
        except BindingError as error:
            if "no such key" in error.message:
                raise KeyNotFound from error
            raise
        if not done:
            raise KeyExists("there is a key with the new name already: delete it first, or choose another")

    async def remove_below(
        self, space: Space, prefix: bytes, *, dry: bool, told: Callable[[int, int, int], None]
    ) -> int:
        """Deletes, or with `dry` counts, the keys that begin so. Tells how many it has found, and how far it is of how
        far. May be cancelled: what is deleted by then stays deleted."""
        found = 0
        steps = self._scanned(space, prefix, dry) if space.namespace is None else self._named(space, prefix, dry)
        started = time.monotonic()
        async for count, done, total in steps:
            found += count
            told(found, min(done, total), total)
            # The server is the workers' first: as long a rest as the step took.
            await asyncio.sleep(time.monotonic() - started)
            started = time.monotonic()
        return found

    async def _scanned(self, space: Space, prefix: bytes, dry: bool) -> AsyncIterator[tuple[int, int, int]]:
        pattern, cursor, done = space.pattern(prefix), b"0", 0
        seen: set[bytes] = set()
        while True:
            size: Any = await self._store.execute_own(("DBSIZE",))
            reply: Any = await self._store.execute_own(("SCAN", cursor, "MATCH", pattern, "COUNT", str(_STEP)))
            cursor, names = reply
            done += _STEP
            if dry:
                # A key may come twice while the server resizes its table, in steps close to each other.
                count = len(set(names) - seen)
                seen = set(names)
            else:
                count = await self._unlink(space, names)
            yield count, done, max(size, 1)
            if cursor == b"0":
                return

    async def _unlink(self, space: Space, names: Sequence[bytes]) -> int:
        if not names:
            return 0
        gone = await self._store.execute(space.project, ("UNLINK", *names))
        return gone if isinstance(gone, int) else 0

    async def _named(self, space: Space, prefix: bytes, dry: bool) -> AsyncIterator[tuple[int, int, int]]:
        index, expiry = space.index(b"i"), space.index(b"e")
        low = b"[" + prefix if prefix else b"-"
        high = b"(" + end if (end := above(prefix)) else b"+"
        total: Any = await self._store.execute(space.project, ("ZLEXCOUNT", index, low, high))
        done = 0
        while True:
            names: Any = await self._store.execute(
                space.project, ("ZRANGEBYLEX", index, low, high, "LIMIT", "0", str(_NAMES))
            )
            if not names:
                return
            keys = [space.base + name for name in names]
            if dry:
                count: Any = await self._store.execute(space.project, ("EXISTS", *keys))
            else:
                commands: list[Command] = [("UNLINK", *keys), ("ZREM", index, *names), ("ZREM", expiry, *names)]
                replies = await transaction(self._store, space.project, commands)
                count = replies[0]
                if isinstance(count, BindingError):
                    raise count
            done += len(names)
            yield count, done, max(total, 1)
            low = b"(" + names[-1]

    def _charge(self, space: Space, *parts: bytes) -> None:
        self._accountant.charge(space.project, check_size(self._limits, *parts))

    async def _change(
        self, space: Space, name: bytes, kind: str, what: str, only_if: If, args: Sequence[bytes], ttl: str = ""
    ) -> str | None:
        values: tuple[str | bytes, ...] = (*args[1:], ttl) if ttl else tuple(args)
        command: Command = ("EVAL", lua.CHANGE, "1", name, kind, what, only_if.condition, only_if.was, *values)
        reply: Any = await self._store.execute(space.project, command)
        match reply[0]:
            case 0 if only_if.condition == "absent" or what == "create":
                raise KeyExists("it is there already: look at what it is, and change that")
            case -1 if kind == "string" or what == "create":
                raise KeyNotFound
            case -1:
                raise KeyNotFound("there is no such item: somebody may have removed it, look again")
            case -2:
                there = reply[1].decode()
                raise KeyExists(f"the key is a {there}, not a {kind}: delete it first, or choose another name")
            case 0:
                raise Changed
        return reply[1].decode() if len(reply) > 1 else None

    async def _change_kv(
        self, space: Space, key: bytes, what: str, only_if: If, expires: str, value: bytes = b"", metadata: bytes = b""
    ) -> None:
        names = (space.key(key), space.index(b"i"), space.index(b"e"))
        args = (what, only_if.condition, only_if.was, key, expires, value, metadata)
        reply: Any = await self._store.execute(space.project, ("EVAL", lua.KV_CHANGE, "3", *names, *args))
        if reply[0] == -1:
            raise KeyNotFound
        if reply[0] == 0:
            raise KeyExists("it is there already: look at what it is") if only_if == ABSENT else Changed


def _milliseconds(ttl: Ttl) -> str:
    """How long it lasts, as the scripts have it. Raises `ARGS_INVALID`."""
    if ttl == "keep":
        return "keep"
    if ttl is None:
        return "none"
    if not 0.001 <= ttl <= MAX_TTL_SECONDS:
        raise BindingError(
            "ARGS_INVALID", f"the time to live is a number of seconds above 0, at most {MAX_TTL_SECONDS}"
        )
    return str(int(ttl * 1000))


def _at(ttl: Ttl) -> str:
    """When it expires, in milliseconds since 1970."""
    lasts = _milliseconds(ttl)
    return str(int(time.time() * 1000) + int(lasts)) if lasts.isdigit() else lasts
