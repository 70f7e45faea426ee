"""Background tasks with names and guards: one that fails is logged, and a forever-task that ends is a fault."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

logger = logging.getLogger(__name__)


class TaskSet:
    """Tasks that belong to one owner and end with it."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def add(self, coroutine: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
        """Runs a task that ends by itself."""
        task = asyncio.get_running_loop().create_task(coroutine, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def forever(self, coroutine: Coroutine[Any, Any, None], name: str) -> asyncio.Task[Any]:
        """Runs a task that must not end before it is cancelled."""
        return self.add(self._guard(coroutine, name), name)

    async def _guard(self, coroutine: Coroutine[Any, Any, None], name: str) -> None:
        await coroutine
        raise RuntimeError(f"the task {name!r} ended by itself")

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("the task %r failed", task.get_name(), exc_info=error)

    async def cancel(self) -> None:
        """Cancels all and waits for them."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
