"""A few blank sandboxes of the default profile, kept ready so that a cold start is only load and import."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from functools import partial
from typing import Final

from v8box.errors import StopReason, V8BoxError
from v8box.sandbox.interface import Death, Profile, Sandbox, SandboxFactory, SandboxState, StartupFailed

logger = logging.getLogger(__name__)

_RETRY_SECONDS: Final = 1.0


class Blanks:
    """Keeps `count` blanks. `run` is its task; `take` never waits."""

    def __init__(self, factory: SandboxFactory, count: int) -> None:
        self._factory = factory
        self._count = count
        self._profile = Profile()
        self._ready: deque[Sandbox] = deque()
        self._wanted = asyncio.Event()

    def __len__(self) -> int:
        return len(self._ready)

    def take(self, profile: Profile) -> Sandbox | None:
        """A blank of this profile, if one is ready."""
        if profile != self._profile:
            return None
        while self._ready:
            sandbox = self._ready.popleft()
            self._wanted.set()
            if sandbox.state is SandboxState.BLANK:
                return sandbox
        return None

    def drop(self) -> bool:
        """Gives one up for a sandbox that is needed more. False when there is none."""
        if not self._ready:
            return False
        self._ready.pop().kill(Death(reason=StopReason.EVICTED, detail="another worker needed the room"))
        return True

    async def run(self) -> None:
        """Refills for ever."""
        self._wanted.set()
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            while len(self._ready) < self._count:
                try:
                    sandbox = await self._factory.start_sandbox(self._profile)
                except (StartupFailed, V8BoxError) as error:
                    logger.warning("a blank sandbox did not start: %s", error)
                    await asyncio.sleep(_RETRY_SECONDS)
                    continue
                self._ready.append(sandbox)
                sandbox.warm()
                sandbox.stopped.add_done_callback(partial(self._lost, sandbox))

    def _lost(self, sandbox: Sandbox, _: object) -> None:
        if sandbox in self._ready:
            self._ready.remove(sandbox)
            self._wanted.set()

    def stop(self) -> None:
        for sandbox in tuple(self._ready):
            sandbox.kill(Death(reason=StopReason.SHUTDOWN, detail="the box is stopping"))
        self._ready.clear()
