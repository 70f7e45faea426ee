"""The broker: hands a worker's binding call to the binding, with the caller's scope, and what it answers back."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Mapping
from typing import Any

from v8box.bindings.interface import Answer, Binding, BindingError, Call, Scope
from v8box.catalog.model import PRODUCTION, Version
from v8box.kit.tasks import TaskSet
from v8box.sandbox.interface import CallRefused

logger = logging.getLogger(__name__)


class Broker:
    """Serves the calls of every sandbox of the node."""

    def __init__(self, bindings: Mapping[str, Binding]) -> None:
        self._bindings = bindings
        self._tasks = TaskSet()

    async def serve(
        self,
        version: Version,
        run_id: str,
        binding: str,
        operation: str,
        args: Any,
        body: bytes | AsyncIterator[bytes] | None,
    ) -> Answer:
        """Runs one call. Raises `CallRefused`."""
        target = self._bindings.get(binding)
        if target is None:
            raise CallRefused("NO_BINDING", f"this box has no binding {binding!r}")
        try:
            return await target.call(Call(_scope(version, run_id), operation, args, body))
        except BindingError as error:
            raise CallRefused(error.code, error.message) from error
        except Exception as error:
            logger.exception("the binding %s failed at %s", binding, operation)
            raise CallRefused("INTERNAL", f"{binding}.{operation} failed inside the box; its log says why") from error

    def run_ended(self, version: Version, run_id: str) -> None:
        """Tells every binding that a run which made calls is over."""
        scope = _scope(version, run_id)
        for binding in self._bindings.values():
            self._tasks.add(binding.end_run(scope), f"end_run {binding.name}")

    async def stop(self) -> None:
        await self._tasks.cancel()


def _scope(version: Version, run_id: str) -> Scope:
    return Scope(project=version.project, worker=version.worker, version=version.id, environment=PRODUCTION, run=run_id)
