"""The `cache` binding: a worker's commands, confined to its project's keys, and replies in JSON.

Every key and channel gets the prefix `p:<project>:` on the way in; replies that hold keys lose it on the way out. An
operation is a command's name, or one of those with a dot: batches, messages, `wrap` and KV namespaces.
"""

from __future__ import annotations

import math
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import ClassVar, Final

import msgspec

from v8box.bindings.cache import wire
from v8box.bindings.cache.batches import Batches
from v8box.bindings.cache.browser import Browser
from v8box.bindings.cache.commands import Keys, Kind, Rule, Write
from v8box.bindings.cache.editor import Editor
from v8box.bindings.cache.interface import CacheLimits, CacheStore, Isolation, Reply
from v8box.bindings.cache.keyspace import count_keys, list_keys, remove_keys
from v8box.bindings.cache.kv import KvNamespaces
from v8box.bindings.cache.messages import Subscriptions
from v8box.bindings.cache.quota import Accountant
from v8box.bindings.cache.restore import undo_of
from v8box.bindings.cache.users import KEY_KINDS
from v8box.bindings.cache.wraps import Wraps
from v8box.bindings.interface import Answer, BindingError, Call, Scope

_PROJECT: Final = re.compile(
    r"[a-z0-9][a-z0-9_-]*"
)  # what a prefix may be made of: no `:`, nothing special in a pattern


class _Begin(msgspec.Struct, forbid_unknown_fields=True):
    k: str


class _End(msgspec.Struct, forbid_unknown_fields=True):
    """`s`: how many seconds the body is kept; without it nothing is."""

    k: str
    t: str
    s: float | None = None


@dataclass(frozen=True, slots=True)
class CacheKeys:
    """What looks at a project's keys, and what changes them."""

    browser: Browser
    editor: Editor


class CacheBinding:
    """`limits` are the projects'; give the store the same."""

    name: ClassVar[str] = "cache"

    def __init__(self, store: CacheStore, limits: CacheLimits | None = None) -> None:
        self._store = store
        self._limits = limits = limits or CacheLimits()
        self._prefixes: dict[str, str] = {}
        self._accountant = Accountant(store, limits)
        self._wraps = Wraps(store, limits)
        self._subscriptions = Subscriptions(store, limits)
        batches = Batches(store, self._accountant, limits)
        kv = KvNamespaces(store, self._accountant, limits)
        self._operations: dict[str, Callable[[Call, str], Awaitable[Answer]]] = {
            "batch.pipeline": batches.pipeline,
            "batch.multi": batches.multi,
            "messages.subscribe": lambda call, prefix: self._subscriptions.open(call.scope, prefix, call.args),
            "wrap.begin": self._wrap_begin,
            "wrap.end": self._wrap_end,
            "kv.get": lambda call, _: kv.get(call.scope.project, call.args),
            "kv.many": lambda call, _: kv.get_many(call.scope.project, call.args),
            "kv.put": lambda call, _: kv.put(call.scope.project, call.args, call.body),
            "kv.delete": lambda call, _: kv.delete(call.scope.project, call.args),
            "kv.list": lambda call, _: kv.list_page(call.scope.project, call.args),
        }

    @property
    def isolation(self) -> Isolation | None:
        """What keeps projects apart on this server; None before `health` or a first command reached it."""
        return self._store.isolation

    @property
    def keys(self) -> CacheKeys:
        """A project's keys, for its people."""
        return CacheKeys(
            Browser(self._store, self._accountant, self._limits), Editor(self._store, self._accountant, self._limits)
        )

    async def usage(self, project: str) -> int:
        """Bytes of memory the project's keys take, at most some seconds old. Raises `BindingError`."""
        return await self._accountant.usage(project)

    async def start(self) -> None:
        await self._store.start()

    async def stop(self) -> None:
        await self._wraps.stop()
        await self._accountant.stop()
        await self._store.stop()

    async def health(self) -> None:
        await self._store.health()

    def keeps(self, scope: Scope) -> bool:
        return self._subscriptions.keeps(scope) or self._wraps.keeps(scope)

    async def end_run(self, scope: Scope) -> None:
        """Closes the run's subscriptions and gives up its leases."""
        self._subscriptions.end_run(scope)
        await self._wraps.end_run(scope)

    async def call(self, call: Call) -> Answer:
        """A command's arguments are a `wire.Command` or, for short, its list `a`; long ones are JSON in the body."""
        project = call.scope.project
        prefix = self._prefixes.get(project) or self._prefix(project)
        operation = self._operations.get(call.operation)
        if operation is not None:
            return await operation(call, prefix)
        args = call.args if call.body is None else await wire.long_args(call.body, self._limits)
        command: wire.Command = wire.read({"a": args} if isinstance(args, list) else args, wire.Command)
        name = call.operation.lower()
        parts, rule, size = wire.confined(name, command.a, prefix, self._limits)
        if rule.write is Write.GROW:
            self._accountant.charge(project, size)
        if rule.kind is Kind.PLAIN and rule.copies is None:
            reply = await self._store.execute(project, parts)
        else:
            reply = await self._special(project, name, parts, rule)
        if rule.reply is not Keys.NONE:
            reply = wire.without_prefix(prefix.encode(), name, rule, reply)
        written = 0 if rule.write is Write.NO else 1
        if isinstance(reply, list):
            return wire.answer_of(wire.to_json(reply, command.raw), len(reply), written)
        if isinstance(reply, bytes):
            if command.raw:
                return Answer(None, reply, written=written)
            if len(reply) > wire.INLINE_BYTES:
                return wire.answer_of(wire.to_json(reply, False), 1, written)
        return Answer(wire.to_json(reply, False), written=written)

    async def _special(self, project: str, name: str, parts: list[str | bytes], rule: Rule) -> Reply:
        """A command that is more than one command to the project's connection."""
        match rule.kind:
            case Kind.SCRIPT:
                reply = (await self._store.execute_script(project, [parts]))[0]
                self._accountant.look_soon()
            case Kind.BLOCKING:
                seconds = self._bound_waiting(name, parts, rule)
                reply = await self._store.block(project, parts, seconds, undo_of(name, parts))
            case Kind.OWN if name == "keys":
                reply = await list_keys(self._store, parts[1], self._limits)
            case Kind.OWN if name == "dbsize":
                reply = await count_keys(self._store, parts[1], self._limits)
            case Kind.OWN:
                reply = await self._store.execute_own(parts)
            case Kind.PLAIN:
                reply = await self._copy(project, parts, rule)
        if isinstance(reply, BindingError):
            raise reply
        return reply

    async def _copy(self, project: str, parts: list[str | bytes], rule: Rule) -> Reply | BindingError:
        """What the result takes is not to be told from the arguments, so the server is asked."""
        at = (rule.copies or 0) + 1
        if len(parts) <= at:
            return await self._store.execute(project, parts)
        reply, size = await self._store.execute_all(project, [parts, ("MEMORY", "USAGE", parts[at])])
        if isinstance(size, int):
            self._accountant.charge_after(project, size)
        return reply

    def _bound_waiting(self, name: str, parts: list[str | bytes], rule: Rule) -> float:
        """Seconds the command will wait; its argument is changed where that is more than it may."""
        at = -1 if rule.timeout_at is None else rule.timeout_at
        index = at + 1 if at >= 0 else len(parts) + at
        if not 0 < index < len(parts):
            return 0  # too few arguments: the server says so
        unit = 1000 if name in ("xread", "xreadgroup") else 1
        try:
            asked = float(parts[index]) / unit
        except ValueError:
            return 0  # likewise
        if asked < 0 or math.isnan(asked):
            return 0  # likewise
        seconds = self._limits.block_seconds if asked == 0 else min(asked, self._limits.block_seconds)
        if seconds != asked:
            parts[index] = f"{seconds * unit:.10g}"
        return seconds

    async def _wrap_begin(self, call: Call, _prefix: str) -> Answer:
        return await self._wraps.begin(call.scope, wire.read(call.args, _Begin).k)

    async def _wrap_end(self, call: Call, _prefix: str) -> Answer:
        end: _End = wire.read(call.args, _End)
        value: bytes | None = None
        milliseconds = 0
        try:
            if end.s is not None:
                if not 0.001 <= end.s <= 10**11:
                    raise BindingError("ARGS_INVALID", "the time to live is a number of seconds above 0")
                milliseconds = int(end.s * 1000)
                value = await wire.collect(call.body, self._limits.command_bytes, "a value")
                self._accountant.charge(call.scope.project, len(value) + len(end.k))
        except BindingError:
            await self._wraps.end(call.scope, end.k, end.t, None, 0)
            raise
        await self._wraps.end(call.scope, end.k, end.t, value, milliseconds)
        return Answer(None, written=int(value is not None))

    async def forget_project(self, project: str) -> None:
        """Removes all keys of a project that is deleted, those of its KV namespaces and leases too."""
        self._prefix(project)  # is it a name that can name keys?
        for kind in KEY_KINDS:
            await remove_keys(self._store, f"{kind}:{project}:*")

    def _prefix(self, project: str) -> str:
        if not _PROJECT.fullmatch(project):
            raise BindingError("ARGS_INVALID", "the project's name cannot name keys")
        prefix = self._prefixes[project] = f"p:{project}:"
        return prefix
