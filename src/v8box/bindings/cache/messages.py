"""Subscriptions of runs: what the server publishes on a project's channels, as lines of JSON that end with the run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import msgspec

from v8box.bindings.cache.interface import CacheLimits, CacheStore, Messages
from v8box.bindings.cache.wire import read
from v8box.bindings.interface import Answer, BindingError, Scope


class _Subscribe(msgspec.Struct, forbid_unknown_fields=True):
    """Channels, patterns, and whether messages come as bytes."""

    c: list[str] = []
    p: list[str] = []
    raw: bool = False


class Lines:
    """The body of an answer: a line `[channel, message]` or `[channel, message, pattern]` for each message, and
    `{"code", "message"}` as the last one where the subscription ended by a fault. A message that is no text, or all of
    them if asked for, is `{"b": base64}`."""

    def __init__(self, messages: Messages, prefix: bytes, raw: bool, closed: Callable[[Lines], None]) -> None:
        self._messages = messages
        self._prefix = prefix
        self._raw = raw
        self._on_close: Callable[[Lines], None] | None = closed

    def __aiter__(self) -> Lines:
        return self

    async def __anext__(self) -> bytes:
        if self._on_close is None:
            raise StopAsyncIteration
        try:
            ready = await self._messages.__anext__()
        except StopAsyncIteration:
            self.close()
            raise
        except BindingError as error:
            self.close()
            return msgspec.json.encode({"code": error.code, "message": error.message}) + b"\n"
        return b"".join([msgspec.json.encode(self._line(*message)) + b"\n" for message in ready])

    def _line(self, pattern: bytes | None, channel: bytes, message: bytes) -> list[Any]:
        line = [self._name(channel), self._content(message)]
        return line if pattern is None else [*line, self._name(pattern)]

    def _name(self, name: bytes) -> str:
        return name.removeprefix(self._prefix).decode("utf-8", "replace")

    def _content(self, message: bytes) -> Any:
        if not self._raw:
            try:
                return message.decode()
            except UnicodeDecodeError:
                pass  # sent as bytes then
        return {"b": message}

    def close(self) -> None:
        """May be called again."""
        if self._on_close is not None:
            closed, self._on_close = self._on_close, None
            self._messages.close()
            closed(self)

    async def aclose(self) -> None:
        self.close()


class Subscriptions:
    """The open subscriptions, by run."""

    def __init__(self, store: CacheStore, limits: CacheLimits) -> None:
        self._store = store
        self._limits = limits
        self._of_run: dict[Scope, set[Lines]] = {}
        self._of_project: Counter[str] = Counter()

    async def open(self, scope: Scope, prefix: str, args: Any) -> Answer:
        """The number of channels and patterns as the result, the messages as the body."""
        asked = read(args, _Subscribe)
        count = len(asked.c) + len(asked.p)
        if not 0 < count <= self._limits.channels:
            raise BindingError("ARGS_INVALID", f"a subscription has 1 to {self._limits.channels} channels")
        if self._of_project[scope.project] >= self._limits.subscriptions_per_project:
            raise BindingError(
                "TOO_MANY_SUBSCRIPTIONS",
                f"the project has {self._limits.subscriptions_per_project} open already; close some first",
            )
        try:
            channels = [f"{prefix}{name}".encode() for name in asked.c]
            patterns = [f"{prefix}{name}".encode() for name in asked.p]
        except UnicodeEncodeError as error:
            raise BindingError("ARGS_INVALID", "a channel is not valid Unicode") from error
        self._of_project[scope.project] += 1
        try:
            messages = await self._store.subscribe(channels, patterns, self._limits)
        except BaseException:
            self._less(scope.project)
            raise
        lines = Lines(messages, prefix.encode(), asked.raw, lambda closed: self._closed(scope, closed))
        self._of_run.setdefault(scope, set()).add(lines)
        return Answer({"channels": count}, lines)

    def keeps(self, scope: Scope) -> bool:
        return scope in self._of_run

    def end_run(self, scope: Scope) -> None:
        for lines in tuple(self._of_run.get(scope, ())):
            lines.close()

    def _closed(self, scope: Scope, lines: Lines) -> None:
        self._less(scope.project)
        mine = self._of_run.get(scope)
        if mine is not None:
            mine.discard(lines)
            if not mine:
                del self._of_run[scope]

    def _less(self, project: str) -> None:
        self._of_project[project] -= 1
        if not self._of_project[project]:
            del self._of_project[project]
