"""KV namespaces in the shape of Cloudflare's: values with metadata and expiry, and lists of names in order.

A value is a hash `k:<project>:<namespace>:v:<name>` with its expiry. Two sorted sets are the index: `…:i` has the names
in order, `…:e` those that expire, by when. They change in one transaction with the value; names whose value expired are
taken out as lists come upon them, and some at a time as values are put.
"""

from __future__ import annotations

import base64
import binascii
import re
import time
from collections.abc import AsyncIterator
from typing import Annotated, Any, Final

import msgspec

from v8box.bindings.cache import lua
from v8box.bindings.cache.batches import transaction
from v8box.bindings.cache.interface import CacheLimits, CacheStore, Command
from v8box.bindings.cache.quota import Accountant
from v8box.bindings.cache.wire import collect, read
from v8box.bindings.interface import Answer, BindingError

MAX_NAME_BYTES: Final = 512
MAX_METADATA_BYTES: Final = 1024
MAX_LISTED: Final = 1000
MAX_LOOKED_AT: Final = 2000  # names of the index that one list goes through, expired ones included
MAX_NAMES: Final = 100  # of one `get`
_CLEAN_EVERY: Final = 16  # puts of values that expire
_CLEAN_NAMES: Final = 32
NAMESPACE: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")


class _One(msgspec.Struct, forbid_unknown_fields=True):
    n: str
    """The namespace."""
    k: str
    """The name of the value."""


class _Many(msgspec.Struct, forbid_unknown_fields=True):
    n: str
    k: Annotated[list[str], msgspec.Meta(min_length=1, max_length=MAX_NAMES)]


class _Put(msgspec.Struct, forbid_unknown_fields=True):
    n: str
    k: str
    m: str | None = None
    """Metadata, JSON."""
    e: int | None = None
    """When it expires, seconds since 1970."""
    t: int | None = None
    """In how many seconds it expires."""


class _List(msgspec.Struct, forbid_unknown_fields=True):
    n: str
    p: str = ""
    """What names begin with."""
    l: Annotated[int, msgspec.Meta(ge=1, le=MAX_LISTED)] = MAX_LISTED  # noqa: E741
    c: str | None = None
    """The cursor."""


class KvNamespaces:
    def __init__(self, store: CacheStore, accountant: Accountant, limits: CacheLimits) -> None:
        self._store = store
        self._accountant = accountant
        self._limits = limits
        self._puts = 0

    async def get(self, project: str, args: Any) -> Answer:
        """`{"m": metadata or null}` and the value as the body; null if there is none."""
        asked = read(args, _One)
        value, metadata = await self._read(project, (f"{_base(project, asked.n)}v:{_name(asked.k)}",))
        if value is None:
            return Answer(None)
        return Answer({"m": metadata}, value, rows=1)

    async def get_many(self, project: str, args: Any) -> Answer:
        """`s`: the length of each value or -1, `m`: the metadata of each; the values in a row are the body."""
        asked = read(args, _Many)
        names = [f"{_base(project, asked.n)}v:{_name(name)}" for name in asked.k]
        sizes = await self._store.execute_all(project, [("HSTRLEN", name, "v") for name in names])
        total = sum(size for size in sizes if isinstance(size, int))
        if total > self._limits.kv_value_bytes:
            raise BindingError("TOO_LARGE", f"the values have {total} bytes together; get fewer at a time")
        found = [await self._read(project, (name,)) for name in names] if total else [(None, None)] * len(names)
        lengths = [-1 if value is None else len(value) for value, _ in found]
        body = b"".join(value for value, _ in found if value is not None)
        return Answer({"s": lengths, "m": [metadata for _, metadata in found]}, body, rows=len(names))

    async def put(self, project: str, args: Any, body: bytes | AsyncIterator[bytes] | None) -> Answer:
        asked = read(args, _Put)
        base, name = _base(project, asked.n), _name(asked.k)
        if asked.m is not None and len(asked.m.encode()) > MAX_METADATA_BYTES:
            raise BindingError("TOO_LARGE", f"metadata may have {MAX_METADATA_BYTES} bytes of JSON")
        expires = _expires(asked)
        value = await collect(body, self._limits.kv_value_bytes, "a value")
        self._accountant.charge(project, len(value) + 3 * len(name) + len(asked.m or ""))
        key = f"{base}v:{name}"
        commands: list[Command] = [("DEL", key)]
        commands.append(("HSET", key, "v", value) if asked.m is None else ("HSET", key, "v", value, "m", asked.m))
        commands.append(("ZADD", f"{base}i", "0", name))
        if expires is None:
            commands.append(("ZREM", f"{base}e", name))
        else:
            commands += [("PEXPIREAT", key, str(expires)), ("ZADD", f"{base}e", str(expires), name)]
            self._puts += 1
            if self._puts % _CLEAN_EVERY == 0:
                now = str(int(time.time() * 1000))
                commands.append(
                    ("EVAL", lua.KV_CLEAN, "2", f"{base}i", f"{base}e", f"{base}v:", now, str(_CLEAN_NAMES))
                )
        await self._change(project, commands)
        return Answer(None, written=1)

    async def delete(self, project: str, args: Any) -> Answer:
        asked = read(args, _One)
        base, name = _base(project, asked.n), _name(asked.k)
        await self._change(
            project, [("DEL", f"{base}v:{name}"), ("ZREM", f"{base}i", name), ("ZREM", f"{base}e", name)]
        )
        return Answer(None, written=1)

    async def list_page(self, project: str, args: Any) -> Answer:
        """`k`: [name, expiry in seconds or null, metadata or null] in the order of UTF-8; `c`: a cursor or null."""
        asked = read(args, _List)
        base = _base(project, asked.n)
        prefix = asked.p.encode()
        after = kv_cursor(asked.c)
        low = b"(" + after if after else b"[" + prefix if prefix else b"-"
        high = b"(" + end if (end := above(prefix)) else b"+"
        command = ("EVAL", lua.KV_LIST, "2", f"{base}i", f"{base}e", f"{base}v:", low, high)
        reply: Any = await self._store.execute(project, (*command, str(asked.l), str(MAX_LOOKED_AT)))
        last, more, found = reply
        keys = [
            [name.decode("utf-8", "replace"), int(float(expires)) // 1000 if expires else None, _text(metadata)]
            for name, expires, metadata in zip(found[::3], found[1::3], found[2::3], strict=True)
        ]
        cursor = cursor_of(last) if more else None
        return Answer({"k": keys, "c": cursor}, rows=len(keys))

    async def _read(self, project: str, key: tuple[str]) -> tuple[bytes | None, str | None]:
        reply = await self._store.execute(project, ("HMGET", key[0], "v", "m"))
        if not isinstance(reply, list) or not isinstance(reply[0], bytes):
            return None, None
        return reply[0], _text(reply[1])

    async def _change(self, project: str, commands: list[Command]) -> None:
        for reply in await transaction(self._store, project, commands):
            if isinstance(reply, BindingError):
                raise reply


def _base(project: str, namespace: str) -> str:
    if not NAMESPACE.fullmatch(namespace):
        raise BindingError("ARGS_INVALID", "a namespace has 1 to 64 letters, digits, - and _")
    return f"k:{project}:{namespace}:"


def _name(name: str) -> str:
    try:
        size = len(name.encode())
    except UnicodeEncodeError as error:
        raise BindingError("ARGS_INVALID", "a name is not valid Unicode") from error
    if not 0 < size <= MAX_NAME_BYTES or name in (".", ".."):
        raise BindingError("ARGS_INVALID", f"a name has 1 to {MAX_NAME_BYTES} bytes of UTF-8 and is not . or ..")
    return name


def _expires(asked: _Put) -> int | None:
    """Milliseconds since 1970."""
    now = time.time()
    if asked.t is not None:
        if not 1 <= asked.t <= 10**9:
            raise BindingError("ARGS_INVALID", "expirationTtl is a number of seconds, 1 or more")
        return int(now * 1000) + asked.t * 1000
    if asked.e is not None:
        if not now < asked.e <= 10**11:
            raise BindingError("ARGS_INVALID", "expiration is a time in the future, in seconds since 1970")
        return asked.e * 1000
    return None


def above(prefix: bytes) -> bytes:
    """The least text above all that begin with the prefix; empty if there is none."""
    stripped = prefix.rstrip(b"\xff")
    return stripped[:-1] + bytes([stripped[-1] + 1]) if stripped else b""


def cursor_of(last: bytes) -> str:
    """The cursor of the page that begins after this name."""
    return base64.urlsafe_b64encode(last).decode()


def kv_cursor(cursor: str | None) -> bytes:
    if not cursor:
        return b""
    try:
        return base64.b64decode(cursor.encode(), altchars=b"-_", validate=True)[: MAX_NAME_BYTES + 1]
    except (binascii.Error, UnicodeEncodeError) as error:
        raise BindingError("ARGS_INVALID", "this is no cursor of a list") from error


def _text(value: Any) -> str | None:
    return value.decode("utf-8", "replace") if value else None
