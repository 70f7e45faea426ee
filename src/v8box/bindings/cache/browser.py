"""A project's keys as its people look at them: pages of keys below a prefix, and pages of what one key holds.

Every page is bounded in time and in bytes, however many keys there are and however large they are: it says where the
next one begins. Keys and values are bytes here.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from v8box.bindings.cache import lua
from v8box.bindings.cache.interface import CacheLimits, CacheStore, Command
from v8box.bindings.cache.kv import above, cursor_of, kv_cursor
from v8box.bindings.cache.quota import Accountant, Measured
from v8box.bindings.cache.spaces import WHOLE_BYTES, KeyNotFound, Space
from v8box.bindings.interface import BindingError

PAGE_SECONDS: Final = 0.25
MAX_STEPS: Final = 200
SCAN_COUNT: Final = 1_000
DELIMITERS: Final = b":/"
ITEM_BYTES: Final = 16_384
"""Of each item on a page of many."""
_DESCRIBED: Final = 250  # keys asked about in a row: the project's workers wait for that long
_TYPES: Final = {"string", "hash", "list", "set", "zset", "stream"}
_LENGTHS: Final = {
    "string": "STRLEN",
    "hash": "HLEN",
    "list": "LLEN",
    "set": "SCARD",
    "zset": "ZCARD",
    "stream": "XLEN",
}
_CURSORS: Final = {"hash": r"\d{1,20}", "set": r"\d{1,20}", "list": r"\d{1,15}", "zset": r"\d{1,15}"}
_STREAM_CURSOR: Final = r"\+|\(\d{1,20}-\d{1,20}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One key. `type` is the server's word, `kv` in a namespace; `length` counts bytes of a string or a KV value, and
    items of anything else."""

    name: bytes
    type: str
    ttl_milliseconds: int | None
    """None: it does not expire."""
    bytes: int | None
    """Of the server's memory; None where it does not tell."""
    length: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPage:
    """`folders` are prefixes that stand for the keys below them, and how many of those were met on this page."""

    keys: Sequence[Key]
    folders: dict[bytes, int]
    cursor: str | None
    """None: this was the last page. A page may be short or empty though others follow."""


@dataclass(frozen=True, slots=True)
class Text:
    """The beginning of a value, and how long it is as a whole."""

    data: bytes
    length: int

    @property
    def cut(self) -> bool:
        return len(self.data) < self.length


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One part of a collection: a field, a member, an entry."""

    name: Text | None = None
    value: Text | None = None
    index: int | None = None
    score: str | None = None
    id: str | None = None
    parts: Sequence[Text] = ()
    """Of a stream's entry: field, value, field, value…"""
    part_count: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """What a key holds, or a page of it."""

    key: Key
    text: Text | None = None
    metadata: bytes | None = None
    """JSON, of a KV value."""
    tag: str | None = None
    """Changes with the value. None where it cannot be shown as a whole."""
    items: Sequence[Item] = field(default_factory=tuple)
    cursor: str | None = None


class Browser:
    """Reads only. Raises `BindingError`."""

    def __init__(self, store: CacheStore, accountant: Accountant, limits: CacheLimits) -> None:
        self._store = store
        self._accountant = accountant
        self._limits = limits

    async def measured(self, project: str) -> Measured:
        """What the keys of each space take, as far as it is known."""
        return await self._accountant.look(Space(project).project)

    async def server_counts(self) -> dict[str, int]:
        """The server's own numbers, of all projects together: what `INFO stats` and `INFO memory` have."""
        found: dict[str, int] = {}
        for section in ("stats", "memory"):
            info = await self._store.execute_own(("INFO", section))
            for line in info.decode("latin-1").splitlines() if isinstance(info, bytes) else ():
                name, _, value = line.partition(":")
                if value.isdigit():
                    found[name] = int(value)
        return found

    async def list_keys(
        self, space: Space, prefix: bytes, *, folders: bool, kind: str | None, cursor: str | None, limit: int
    ) -> KeyPage:
        """About `limit` keys, in no order but that of names in a namespace. With `folders` those that have a `:` or `/`
        behind the prefix are put together."""
        if space.namespace is None:
            names, following = await self._scan(space, prefix, folders, kind, cursor, limit)
        else:
            names, following = await self._walk_names(space, prefix, folders, cursor, limit)
        found: dict[bytes, int] = {}
        single: list[bytes] = []
        for name in names:
            folder = _folder(name, len(prefix)) if folders else None
            if folder is None:
                single.append(name)
            else:
                found[folder] = found.get(folder, 0) + 1
        keys: list[Key] = []
        for at in range(0, len(single), _DESCRIBED):
            keys += await self._describe(space, single[at : at + _DESCRIBED])
        return KeyPage(keys=keys, folders=found, cursor=following)

    async def read(self, space: Space, key: bytes, *, cursor: str | None, limit: int, item: bytes | None) -> Value:
        """The value, or a page of the items. `item` is the one field of a hash to give."""
        space.key(key)  # is it one that may be looked at?
        for _ in range(3):
            described = await self._describe(space, [key])
            if not described:
                raise KeyNotFound
            try:
                return await self._read(space, described[0], cursor, limit, item)
            except BindingError as error:
                if error.code != "WRONGTYPE":
                    raise  # else another type was put there between the two looks
        raise BindingError("server_busy", "the key is changing all the time: try again")

    async def pieces(self, space: Space, key: bytes) -> AsyncIterator[bytes]:
        """A string or a KV value, however long, piece by piece. One that is changed meanwhile is a mixture."""
        described = await self.key(space, key)
        if described.type not in ("string", "kv"):
            raise BindingError("ARGS_INVALID", f"a {described.type} is no file: read its items")
        return self._pieces(space, described)

    async def _pieces(self, space: Space, key: Key) -> AsyncIterator[bytes]:
        name, at = space.base + key.name, 0
        if key.type == "kv":
            yield await self._ask(space, ("HGET", name, "v")) or b""
            return
        while piece := await self._ask(space, ("GETRANGE", name, str(at), str(at + WHOLE_BYTES - 1))):
            yield piece
            at += len(piece)

    async def key(self, space: Space, key: bytes) -> Key:
        """What is known of one key. Raises `cache_key_not_found`."""
        space.key(key)
        described = await self._describe(space, [key])
        if not described:
            raise KeyNotFound
        return described[0]

    async def _scan(
        self, space: Space, prefix: bytes, folders: bool, kind: str | None, cursor: str | None, limit: int
    ) -> tuple[list[bytes], str | None]:
        at = _checked(cursor, r"\d{1,20}") or "0"
        wanted = ("TYPE", kind) if kind else ()
        most = _most(limit, folders)
        found: dict[bytes, None] = {}
        until = time.monotonic() + PAGE_SECONDS
        for step in range(MAX_STEPS):
            count = str(min(SCAN_COUNT, most) if step == 0 else SCAN_COUNT)
            reply: Any = await self._store.execute_own(
                ("SCAN", at, "MATCH", space.pattern(prefix), "COUNT", count, *wanted)
            )
            at = reply[0].decode()
            found.update(dict.fromkeys(name[len(space.base) :] for name in reply[1]))
            if at == "0":
                return list(found), None
            if len(found) >= most or time.monotonic() > until:
                break
        return list(found), at

    async def _walk_names(
        self, space: Space, prefix: bytes, folders: bool, cursor: str | None, limit: int
    ) -> tuple[list[bytes], str | None]:
        after = kv_cursor(cursor)
        most = _most(limit, folders)
        low = b"(" + after if after else b"[" + prefix if prefix else b"-"
        high = b"(" + end if (end := above(prefix)) else b"+"
        keys = (space.index(b"i"), space.index(b"e"))
        command: Command = ("EVAL", lua.KV_LIST, "2", *keys, space.base, low, high, str(most), str(2 * most))
        last, more, found = await self._ask(space, command)
        return list(found[::3]), cursor_of(last) if more else None

    async def _describe(self, space: Space, names: Sequence[bytes]) -> list[Key]:
        """What is known of the keys; those that are gone are left out."""
        keys = [space.base + name for name in names]
        asked: list[Command] = []
        for key in keys:
            asked += (("TYPE", key), ("PTTL", key), ("MEMORY", "USAGE", key))
        looks = await self._all(space, asked)
        kinds = [kind.decode() if isinstance(kind, bytes) else "none" for kind in looks[::3]]
        if space.namespace is not None:
            kinds = ["kv" if kind == "hash" else "none" for kind in kinds]
        measures = [_length(kind, key) for kind, key in zip(kinds, keys, strict=True)]
        lengths = iter(await self._all(space, [each for each in measures if each]))
        found = []
        for name, kind, ttl, size, measure in zip(names, kinds, looks[1::3], looks[2::3], measures, strict=True):
            length = next(lengths) if measure else None
            if kind == "none" or ttl == -2:
                continue
            found.append(
                Key(
                    name=name,
                    type=kind,
                    ttl_milliseconds=ttl if isinstance(ttl, int) and ttl >= 0 else None,
                    bytes=size if isinstance(size, int) else None,
                    length=length if isinstance(length, int) else None,
                )
            )
        return found

    async def _read(self, space: Space, key: Key, cursor: str | None, limit: int, item: bytes | None) -> Value:
        name = space.key(key.name)
        if key.type == "kv":
            return await self._read_kv(space, key, name)
        if key.type == "string":
            length, data = await self._both(space, ("STRLEN", name), ("GETRANGE", name, "0", str(WHOLE_BYTES - 1)))
            text = Text(data, length)
            return Value(key=key, text=text, tag=None if text.cut else tag_of(data))
        if key.type not in _TYPES:
            return Value(key=key)
        kind, at = key.type, cursor
        if item is not None and key.type == "hash":
            command = ("EVAL", lua.ITEMS, "1", name, "field", item, "1", str(WHOLE_BYTES))
        else:
            at = _checked(cursor, _CURSORS.get(kind, _STREAM_CURSOR)) or ("+" if kind == "stream" else "0")
            cut = str(max(ITEM_BYTES, WHOLE_BYTES if limit == 1 else 0))
            command = ("EVAL", lua.ITEMS, "1", name, kind, at.encode(), str(limit), cut)
        following, total, parts = await self._ask(space, command)
        if item is not None and not parts:
            raise KeyNotFound("the hash has no such field: somebody may have removed it, look again")
        known = Key(name=key.name, type=kind, ttl_milliseconds=key.ttl_milliseconds, bytes=key.bytes, length=total)
        first = int(at) if kind in ("list", "zset") and at else 0
        return Value(key=known, items=_items(kind, parts, first), cursor=following.decode() or None)

    async def _read_kv(self, space: Space, key: Key, name: bytes) -> Value:
        if (key.length or 0) > WHOLE_BYTES:
            command = ("EVAL", lua.ITEMS, "1", name, "field", "v", "1", str(WHOLE_BYTES))
            _, _, parts = await self._ask(space, command)
            if not parts:
                raise KeyNotFound
            metadata = await self._store.execute(space.project, ("HGET", name, "m"))
            return Value(
                key=key, text=Text(parts[2], parts[3]), metadata=metadata if isinstance(metadata, bytes) else None
            )
        value, metadata = await self._ask(space, ("HMGET", name, "v", "m"))
        if value is None:
            raise KeyNotFound
        tag = tag_of(value + b"\0" + (metadata or b""))
        return Value(key=key, text=Text(value, len(value)), metadata=metadata, tag=tag)

    async def _ask(self, space: Space, command: Command) -> Any:
        return await self._store.execute(space.project, command)

    async def _all(self, space: Space, commands: Sequence[Command]) -> list[Any]:
        return list(await self._store.execute_all(space.project, commands)) if commands else []

    async def _both(self, space: Space, *commands: Command) -> list[Any]:
        replies = await self._store.execute_all(space.project, commands)
        for reply in replies:
            if isinstance(reply, BindingError):
                raise reply
        return replies


def _most(limit: int, folders: bool) -> int:
    """How many names a page looks for. Those that a folder stands for are not looked at one by one."""
    return max(limit, SCAN_COUNT) if folders else limit


def tag_of(value: bytes) -> str:
    """The tag of a value, as the scripts compute it: SHA-1 is what the server has."""
    return hashlib.sha1(value, usedforsecurity=False).hexdigest()


def _length(kind: str, key: bytes) -> Command | None:
    if kind == "kv":
        return ("HSTRLEN", key, "v")
    return (_LENGTHS[kind], key) if kind in _LENGTHS else None


def _folder(name: bytes, start: int) -> bytes | None:
    """The prefix up to the next delimiter, unless it is no text: then the key stands for itself."""
    at = next((index for index in range(start, len(name)) if name[index] in DELIMITERS), -1)
    if at < 0:
        return None
    folder = name[: at + 1]
    try:
        folder.decode()
    except UnicodeDecodeError:
        return None
    return folder


def _items(kind: str, parts: list[Any], first: int) -> list[Item]:
    match kind:
        case "hash":
            texts = _texts(parts)
            return [Item(name=name, value=value) for name, value in zip(texts[::2], texts[1::2], strict=True)]
        case "set":
            return [Item(name=text) for text in _texts(parts)]
        case "list":
            return [Item(index=first + index, value=text) for index, text in enumerate(_texts(parts))]
        case "zset":
            members = zip(parts[::3], parts[1::3], parts[2::3], strict=True)
            return [
                Item(name=Text(name, length), score=score.decode(), index=first + index)
                for index, (name, length, score) in enumerate(members)
            ]
    entries = zip(parts[::3], parts[1::3], parts[2::3], strict=True)
    return [Item(id=entry.decode(), part_count=count, parts=_texts(texts)) for entry, count, texts in entries]


def _texts(parts: Sequence[Any]) -> list[Text]:
    return [Text(data, length) for data, length in zip(parts[::2], parts[1::2], strict=True)]


def _checked(cursor: str | None, form: str) -> str | None:
    if cursor is not None and not re.fullmatch(form, cursor):
        raise BindingError("ARGS_INVALID", "cursor: take `next_cursor` of the page before as it is")
    return cursor
