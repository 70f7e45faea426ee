"""What the `services` binding asks of the box: a run of another worker, answered as that worker answers it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from v8box.bindings.interface import Scope
from v8box.telemetry.meter import Span
from v8box.telemetry.origin import Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceRequest:
    """A worker's request to another of its project and environment. `length` is that of a streamed body, where the
    caller said it. `span` is the call's, which hears its id and what was answered."""

    caller: Scope
    service: str
    method: str
    url: str
    headers: Sequence[tuple[str, str]]
    body: bytes | AsyncIterator[bytes] | None
    origin: Origin | None
    span: Span | None
    length: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceAnswer:
    """Head and body. The reader closes (`aclose`) a body that it does not read to its end."""

    status: int
    headers: Sequence[tuple[str, str]]
    body: bytes | AsyncIterator[bytes] = field(default=b"", repr=False)


class CallService(Protocol):
    """Runs the worker. Raises `BindingError` when it did not answer, with the codes of docs/bindings/services.md.
    Cancelled, it ends the run."""

    async def __call__(self, request: ServiceRequest, /) -> ServiceAnswer: ...
