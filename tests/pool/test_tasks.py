"""Background tasks: those that fail are logged, and one that must not end is noticed when it does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from tests.fakes.clock import settle

from v8box.kit.tasks import TaskSet

Work = Callable[[], Coroutine[Any, Any, None]]


class Failures:
    """Who was told of what."""

    def __init__(self) -> None:
        self.told: list[tuple[str, BaseException]] = []

    def __call__(self, name: str, error: BaseException) -> None:
        self.told.append((name, error))


@pytest.fixture
def failures() -> Failures:
    return Failures()


async def fail() -> None:
    raise OSError("no")


async def end() -> None:
    pass


async def lose_itself() -> None:
    raise asyncio.CancelledError


async def last() -> None:
    await asyncio.get_running_loop().create_future()


@pytest.mark.parametrize(("work", "words"), [(fail, "no"), (end, "ended by itself"), (lose_itself, "nobody asked for")])
async def test_a_forever_task_that_ends_is_told(
    failures: Failures, caplog: pytest.LogCaptureFixture, work: Work, words: str
) -> None:
    TaskSet(failures).forever(work(), "limits")
    await settle()
    ((name, error),) = failures.told
    assert name == "limits"
    assert words in str(error)
    assert "'limits' failed" in caplog.text


async def test_a_task_that_may_end_is_only_logged(failures: Failures, caplog: pytest.LogCaptureFixture) -> None:
    TaskSet(failures).add(fail(), "one start")
    await settle()
    assert not failures.told
    assert "'one start' failed" in caplog.text


async def test_cancelled_ones_are_no_failure(failures: Failures, caplog: pytest.LogCaptureFixture) -> None:
    tasks = TaskSet(failures)
    running = tasks.forever(last(), "running")
    await settle()
    never_begun = tasks.forever(last(), "never begun")
    await tasks.cancel()
    await settle()
    assert running.cancelled()
    assert never_begun.cancelled()
    assert not failures.told
    assert not caplog.records
