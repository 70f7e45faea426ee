"""One check and its last answer: asked by one at a time however many want to know, within a time, kept for a moment."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

from v8box.errors import V8BoxError
from v8box.features.health.model import Ask, Finding, Result, Status
from v8box.kit.phrases import phrase

CHECK_SECONDS: Final = 2.0
_MAX_TEXT: Final = 500


class Probe:
    """A check by its name. `result` never raises. A failure is looked at again after `keep_seconds`, or sooner with
    `keep_failure_seconds`."""

    def __init__(
        self,
        name: str,
        ask: Ask,
        *,
        keep_seconds: float,
        keep_failure_seconds: float | None = None,
        timeout_seconds: float = CHECK_SECONDS,
        advice: str = "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`advice`: what to do when it fails without saying so itself."""
        self.name = name
        self._ask = ask
        self._keep_seconds = keep_seconds
        self._keep_failure_seconds = keep_seconds if keep_failure_seconds is None else keep_failure_seconds
        self._timeout_seconds = timeout_seconds
        self._advice = advice
        self._clock = clock
        self._last: Result | None = None
        self._asked_at = 0.0
        self._asking: asyncio.Task[Result] | None = None

    async def result(self) -> Result:
        """What was found a moment ago, or is now."""
        last = self._last
        if last is not None:
            keep = self._keep_seconds if last.status is Status.OK else self._keep_failure_seconds
            if self._clock() - self._asked_at < keep:
                return last
        if self._asking is None:
            self._asking = asyncio.create_task(self._look(), name=f"health: {self.name}")
        return await asyncio.shield(self._asking)  # who leaves does not stop what the others wait for

    async def stop(self) -> None:
        """Ends a look that is under way."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.wait((self._asking,))

    async def _look(self) -> Result:
        started = time.perf_counter()
        try:
            async with asyncio.timeout(self._timeout_seconds):
                finding = await self._ask()
        except TimeoutError:
            seconds = self._timeout_seconds
            silent = phrase("no_answer", f"no answer within {seconds:g} s", seconds=seconds)
            finding = Finding(Status.FAIL, silent, self._advice)
        except Exception as error:
            finding = Finding(Status.FAIL, said_of(error), self._advice)
        finally:
            self._asking = None
        latency = round((time.perf_counter() - started) * 1000, 2)
        self._last = Result(self.name, finding, latency)
        self._asked_at = self._clock()
        return self._last


def in_thread(look: Callable[[], Finding]) -> Ask:
    """An `Ask` for what blocks. One that hangs, as on a file system that is gone, holds one thread, and not one more
    each time it is asked."""
    running: asyncio.Future[Finding] | None = None

    async def ask() -> Finding:
        nonlocal running
        if running is None or running.done():
            running = asyncio.get_running_loop().run_in_executor(None, look)
            running.add_done_callback(_note)
        return await asyncio.shield(running)

    return ask


def said_of(error: BaseException) -> str:
    """What an error says, for those who may read it."""
    if isinstance(error, V8BoxError):
        return error.detail[:_MAX_TEXT]
    return f"{type(error).__name__}: {error}"[:_MAX_TEXT].rstrip(": ")


def _note(done: asyncio.Future[Finding]) -> None:
    """An error that came after nobody waited any more is nobody's."""
    if not done.cancelled():
        done.exception()
