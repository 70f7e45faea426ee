"""The composition root where it can be tested without starting a box."""

from __future__ import annotations

import asyncio
import logging
import os
from pathlib import Path

import deno  # type: ignore[import-untyped]
import pytest

from v8box import settings
from v8box.app import Box, Listeners
from v8box.errors import V8BoxError
from v8box.sandbox.runtime import find_deno


def nothing(_: object) -> None:
    """Nobody looks."""


async def ends() -> None:
    """What should run forever, but does not."""


@pytest.mark.parametrize("times", [1, 2])
async def test_a_forever_task_that_ends_stops_the_box_with_a_failure(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, times: int
) -> None:
    """Twice as well: a second fault must not end the box before its stores are closed."""
    listeners = Listeners(
        on_site=lambda _: None,
        on_deploy=nothing,
        on_line=nothing,
        on_ready=nothing,
        on_password=nothing,
        on_stopping=nothing,
    )
    box = Box(settings.load(tmp_path, {}), {}, listeners)
    tasks = [box._tasks.forever(ends(), "run log") for _ in range(times)]
    await asyncio.wait(tasks)
    await asyncio.sleep(0)
    assert box._stopping.is_set()
    assert box._exit_code == 1
    critical = [record.message for record in caplog.records if record.levelno == logging.CRITICAL]
    assert len(critical) == 1
    assert critical[0].startswith("run log ended, and the box cannot go on without it")


def test_deno_is_that_of_the_wheel_else_the_one_on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_deno() == os.path.realpath(deno.find_deno_bin())

    def none() -> str:
        raise FileNotFoundError

    monkeypatch.setattr(deno, "find_deno_bin", none)
    other = tmp_path / "deno"
    other.write_text("")
    other.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_deno() == str(other)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(V8BoxError, match="pip install deno"):
        find_deno()
