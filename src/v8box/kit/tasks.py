"""Background tasks with names and guards: one that fails is logged, and a forever-task that ends is a fault."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

logger = logging.getLogger(__name__)


async def to_its_end(change: Coroutine[Any, Any, T]) -> T:
    """A change that began ends, whoever stops waiting: what is kept and what is remembered must not come apart."""
    return await asyncio.shield(asyncio.ensure_future(change))


class TaskSet:
    """Tasks that belong to one owner and end with it. `on_failure` hears the name and the fault of a forever-task that
    ended before it was cancelled."""

    def __init__(self, on_failure: Callable[[str, BaseException], None] | None = None) -> None:
        self._on_failure = on_failure
        self._tasks: set[asyncio.Task[Any]] = set()
        self._forever: set[asyncio.Task[Any]] = set()

    def add(self, coroutine: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
        """Runs a task that ends by itself."""
        task = asyncio.get_running_loop().create_task(coroutine, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def forever(self, coroutine: Coroutine[Any, Any, None], name: str) -> asyncio.Task[Any]:
        """Runs a task that must not end before it is cancelled."""
        task = self.add(self._guard(coroutine, name), name)
        self._forever.add(task)
        task.add_done_callback(lambda _: coroutine.close())  # cancelled before its first step, it was never awaited
        return task

    async def _guard(self, coroutine: Coroutine[Any, Any, None], name: str) -> None:
        try:
            await coroutine
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            raise RuntimeError(f"the task {name!r} was ended by a cancellation nobody asked for") from error
        raise RuntimeError(f"the task {name!r} ended by itself")

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("the task %r failed", task.get_name(), exc_info=error)
            if task in self._forever and self._on_failure is not None:
                self._on_failure(task.get_name(), error)
        self._forever.discard(task)

    async def cancel(self) -> None:
        """Cancels all and waits for them."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
