"""The `cache` binding: a worker's commands, confined to its project's keys, and replies in JSON.

Every key and channel gets the prefix `p:<project>:` on the way in; replies that hold keys lose it on the way out.
"""

from __future__ import annotations

import re
from typing import Any, ClassVar, Final

import msgspec

from v8box.bindings.cache.commands import Argument, Refused, confine
from v8box.bindings.cache.interface import CacheStore, Reply
from v8box.bindings.interface import Answer, BindingError, Call, Scope

MAX_COMMAND_BYTES: Final = 32_000_000  # all arguments of one command together
_MAX_SAFE_INTEGER: Final = 2**53 - 1
_PROJECT: Final = re.compile(
    r"[a-z0-9][a-z0-9_-]*"
)  # what a prefix may be made of: no `:`, nothing special in a pattern


class _Bytes(msgspec.Struct, forbid_unknown_fields=True):
    """An argument that is no text."""

    b: bytes  # base64 in JSON


class _Command(msgspec.Struct, forbid_unknown_fields=True):
    """`a` are the arguments; with `raw`, strings come back as bytes: one alone as the body, more as `{"b": base64}`."""

    a: list[str | _Bytes]
    raw: bool = False


class CacheBinding:
    name: ClassVar[str] = "cache"

    def __init__(self, store: CacheStore) -> None:
        self._store = store
        self._prefixes: dict[str, str] = {}

    async def start(self) -> None:
        await self._store.start()

    async def stop(self) -> None:
        await self._store.stop()

    async def health(self) -> None:
        await self._store.health()

    async def end_run(self, scope: Scope) -> None:
        """A run keeps nothing here."""

    async def call(self, call: Call) -> Answer:
        """The operation is the command's name, the arguments a `_Command` or, for short, its list `a`."""
        command = _read(call.args)
        name = call.operation.lower()
        args: list[Argument] = [part if isinstance(part, str) else part.b for part in command.a]
        if sum(map(len, args)) > MAX_COMMAND_BYTES:
            raise BindingError("TOO_LARGE", f"a command may have {MAX_COMMAND_BYTES} bytes of arguments")
        project = call.scope.project
        prefix = self._prefix(project)
        try:
            confined, rule = confine(name, args, prefix)
        except Refused as error:
            raise BindingError("REFUSED", str(error)) from error
        try:
            parts = [part.encode() if isinstance(part, str) else part for part in confined]
        except UnicodeEncodeError as error:
            raise BindingError("ARGS_INVALID", "an argument is not valid Unicode") from error
        reply = await self._store.execute(project, [name, *parts])
        if rule.reply_key and isinstance(reply, list):
            reply[0] = _without(prefix, reply[0])
        elif name == "scan" and isinstance(reply, list) and isinstance(reply[1], list):
            reply[1] = [_without(prefix, key) for key in reply[1]]
        if command.raw and isinstance(reply, bytes):
            return Answer(None, reply)
        return Answer(_to_json(reply, command.raw))

    def _prefix(self, project: str) -> str:
        prefix = self._prefixes.get(project)
        if prefix is None:
            if not _PROJECT.fullmatch(project):
                raise BindingError("ARGS_INVALID", "the project's name cannot name keys")
            prefix = self._prefixes[project] = f"p:{project}:"
        return prefix


def _read(args: Any) -> _Command:
    try:
        return msgspec.convert({"a": args} if isinstance(args, list) else args, _Command)
    except msgspec.ValidationError as error:
        raise BindingError("ARGS_INVALID", str(error)) from error


def _without(prefix: str, key: Reply) -> Reply:
    return key.removeprefix(prefix.encode()) if isinstance(key, bytes) else key


def _to_json(reply: Reply, raw: bool) -> Any:
    if isinstance(reply, bytes):
        return {"b": reply} if raw else reply.decode("utf-8", "replace")
    if isinstance(reply, list):
        return [_to_json(part, raw) for part in reply]
    if isinstance(reply, int) and not -_MAX_SAFE_INTEGER <= reply <= _MAX_SAFE_INTEGER:
        return {"i": str(reply)}
    return reply
