"""The broker: hands a worker's binding call to the binding, with the caller's scope, and what it answers back.

Every call is metered on the way, and refused once its run has used up `limits.binding_calls` or `limits.binding_mb`.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Mapping
from types import MappingProxyType
from typing import Any

import msgspec

from v8box.bindings.interface import NO_GRANTS, Answer, Binding, BindingError, Call, Scope
from v8box.bindings.what import what_of
from v8box.catalog.model import Manifest, Placement
from v8box.kit.tasks import TaskSet
from v8box.sandbox.interface import CallRefused
from v8box.telemetry.meter import Meter, Span

logger = logging.getLogger(__name__)

_encode = msgspec.json.encode


class Broker:
    """Serves the calls of every sandbox of the node."""

    def __init__(self, bindings: Mapping[str, Binding]) -> None:
        self._bindings = bindings
        self._tasks = TaskSet()

    async def serve(
        self,
        placement: Placement,
        run_id: str,
        meter: Meter,
        size: int,
        binding: str,
        operation: str,
        args: Any,
        body: bytes | AsyncIterator[bytes] | None,
    ) -> Answer:
        """Runs one call. Raises `CallRefused`."""
        target = self._bindings.get(binding)
        if target is None:
            raise CallRefused("NO_BINDING", f"this box has no binding {binding!r}")
        scope: Scope | None = meter.kept
        if scope is None:
            scope = meter.kept = _scope(placement, run_id)
            meter.used = set()
        limits = placement.manifest.limits
        if meter.calls >= limits.binding_calls:
            raise CallRefused("CALL_LIMIT", f"this run has used up its limits.binding_calls ({limits.binding_calls})")
        span = meter.begin(binding, operation, size, what_of(binding, operation, args))
        most = limits.binding_mb * 1_048_576
        code = "CANCELLED"
        try:
            if meter.bytes > most:
                raise _too_many_bytes(most)
            if meter.used is not None:
                meter.used.add(binding)
            source = body if body is None or isinstance(body, bytes) else _Incoming(body, meter, span, most)
            answer = await target.call(Call(scope, operation, args, source, span, meter.origin))
            _account(answer, meter, span, most)
            code = ""
            return answer
        except BindingError as error:
            code = error.code
            raise CallRefused(error.code, error.message, error.details) from error
        except Exception as error:
            code = "INTERNAL"
            logger.exception("the binding %s failed at %s", binding, operation)
            raise CallRefused("INTERNAL", f"{binding}.{operation} failed inside the box; its log says why") from error
        finally:
            meter.end(span, code)

    def run_ended(self, placement: Placement, run_id: str, meter: Meter) -> None:
        """Tells the bindings that hold something of the run that it is over."""
        scope: Scope | None = meter.kept
        for name in meter.used or ():
            binding = self._bindings[name]
            if scope is not None and binding.keeps(scope):
                self._tasks.add(binding.end_run(scope), f"end_run {name}")

    async def stop(self) -> None:
        await self._tasks.cancel()


def _scope(placement: Placement, run_id: str) -> Scope:
    return Scope(
        project=placement.project,
        worker=placement.worker,
        version=placement.id,
        environment=placement.environment,
        run=run_id,
        grants=_grants(placement.manifest),
    )


def _grants(manifest: Manifest) -> Mapping[str, frozenset[str]]:
    """What is bound in `env` is granted, too."""
    permissions = manifest.permissions
    if not (manifest.bindings or permissions.databases or permissions.buckets):
        return NO_GRANTS
    bound = manifest.bindings.values()
    return MappingProxyType(
        {
            "db": frozenset(permissions.databases).union(each.name for each in bound if each.kind == "database"),
            "s3": frozenset(permissions.buckets).union(each.name for each in bound if each.kind == "bucket"),
            "assets": frozenset(each.name for each in bound if each.kind == "site"),
            "services": frozenset(each.name for each in bound if each.kind == "service"),
        }
    )


def _too_many_bytes(most: int) -> BindingError:
    return BindingError("CALL_BYTES_LIMIT", f"this run has used up its limits.binding_mb ({most // 1_048_576})")


def _account(answer: Answer, meter: Meter, span: Span, most: int) -> None:
    span.rows, span.written = answer.rows, answer.written
    if answer.result is not None:
        if not isinstance(answer.result, msgspec.Raw):
            answer.result = msgspec.Raw(_encode(answer.result))
        meter.give(span, memoryview(answer.result).nbytes)
    body = answer.body
    if isinstance(body, bytes):
        meter.give(span, len(body))
    elif body is not None:
        answer.body = _Outgoing(body, meter, span, most)


class _Incoming:
    """A body on its way from the worker, counted as it comes."""

    __slots__ = ("_body", "_meter", "_most", "_span")

    def __init__(self, body: AsyncIterator[bytes], meter: Meter, span: Span, most: int) -> None:
        self._body = body
        self._meter = meter
        self._span = span
        self._most = most

    def __aiter__(self) -> _Incoming:
        return self

    async def __anext__(self) -> bytes:
        chunk = await self._body.__anext__()
        self._meter.take(self._span, len(chunk))
        if self._meter.bytes > self._most:
            raise _too_many_bytes(self._most)
        return chunk


class _Outgoing:
    """A body on its way to the worker, counted as it goes."""

    __slots__ = ("_body", "_meter", "_most", "_span")

    def __init__(self, body: AsyncIterator[bytes], meter: Meter, span: Span, most: int) -> None:
        self._body = body
        self._meter = meter
        self._span = span
        self._most = most

    def __aiter__(self) -> _Outgoing:
        return self

    async def __anext__(self) -> bytes:
        try:
            chunk = await self._body.__anext__()
            self._meter.give(self._span, len(chunk))
            if self._meter.bytes > self._most:
                raise _too_many_bytes(self._most)
        except BindingError as error:
            raise CallRefused(error.code, error.message, error.details) from error
        return chunk

    async def aclose(self) -> None:
        close = getattr(self._body, "aclose", None)
        if close is not None:
            await close()
