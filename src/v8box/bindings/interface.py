"""The boundary between the broker and a binding: what a call carries and what it may answer.

A binding is a folder with the Python side (this interface) and `client.ts`, the thin side that runs in the worker. The
worker holds no credential: its shim sends `{binding, operation, arguments}` over the channel, the broker hands it to
the binding with the caller's scope, and the binding answers or raises `BindingError`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, ClassVar, Final, Protocol

import msgspec

from v8box.telemetry.meter import Span
from v8box.telemetry.origin import Origin

NO_GRANTS: Final[Mapping[str, frozenset[str]]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Scope:
    """On whose behalf a call is made. `run` is the run's id; a binding may keep state per run until `end_run`."""

    project: str
    worker: str
    version: str
    environment: str
    run: str
    grants: Mapping[str, frozenset[str]] = field(default_factory=lambda: NO_GRANTS, compare=False, repr=False)
    """What the manifest grants beyond each binding's default, by binding: `db` to databases, `s3` to buckets."""


@dataclass(slots=True)
class Call:
    """One binding call. `args` is decoded JSON; `body` is what the client sent beside it, whole or as a stream.

    A streamed body must be consumed as it comes: back-pressure reaches the worker.
    """

    scope: Scope
    operation: str
    args: Any
    body: bytes | AsyncIterator[bytes] | None = None
    span: Span | None = field(default=None, compare=False)
    """The call's own, for what only the binding knows of it."""
    origin: Origin | None = field(default=None, compare=False)
    """Of the run that calls."""


@dataclass(slots=True)
class Answer:
    """What a call gives back: `result` (anything msgspec encodes as JSON, or `msgspec.Raw` already encoded), and bytes
    beside it, whole or as a stream. The broker closes (`aclose`) a stream that the worker stops reading. `rows` and
    `written` are for the meter: rows given back, and rows, keys or objects changed."""

    result: Any | msgspec.Raw = None
    body: bytes | AsyncIterator[bytes] | None = None
    rows: int = 0
    written: int = 0


class BindingError(Exception):
    """A call failed. `code` is the stable word the client's error carries (e.g. SQLITE_CONSTRAINT); `details` are JSON
    that only that binding's client reads."""

    def __init__(self, code: str, message: str, details: Mapping[str, Any] | None = None) -> None:
        self.code = code
        self.message = message
        self.details = details
        super().__init__(f"{code}: {message}")


class Binding(Protocol):
    """One service given to workers. Raises nothing but `BindingError` for what a caller can cause.

    `call` runs as its own task and is cancelled when the run ends or the worker dies: it must stop the work and leave
    the service usable. `keeps` says whether a run left anything that `end_run` has to end, which is then called once,
    after the run's last call. `health` returns within two seconds or raises. `start` and `stop` are called once, by
    the app.
    """

    name: ClassVar[str]

    async def start(self) -> None: ...
    async def stop(self) -> None: ...
    async def call(self, call: Call) -> Answer: ...
    def keeps(self, scope: Scope) -> bool: ...
    async def end_run(self, scope: Scope) -> None: ...
    async def health(self) -> None: ...


class StatelessBinding:
    """What a binding has that asks another part of the box: nothing of its own to start, to stop or to be ill, and a
    run leaves nothing with it."""

    async def start(self) -> None:
        pass

    async def stop(self) -> None:
        pass

    def keeps(self, scope: Scope) -> bool:
        return False

    async def end_run(self, scope: Scope) -> None:
        pass

    async def health(self) -> None:
        pass
