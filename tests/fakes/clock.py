"""Time that moves only when a test says so, and a way to let the loop settle without sleeping."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest


async def settle(turns: int = 50) -> None:
    """Lets everything run that can run now. Bounded, so that what never settles fails the test and does not hang it."""
    for _ in range(turns):
        await asyncio.sleep(0)


class Clock:
    """The running loop's clock, stopped: timers fire by `advance` alone."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        loop = asyncio.get_running_loop()
        self.now = loop.time()
        read: Callable[[], float] = lambda: self.now  # noqa: E731
        monkeypatch.setattr(loop, "time", read)

    async def advance(self, seconds: float) -> None:
        """Moves time on and lets every timer fire that is due by then."""
        await settle()
        self.now += seconds
        await settle()
