"""A few blank sandboxes of the default profile, kept ready so that a cold start is only load and import."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Final

from v8box.errors import StopReason, V8BoxError
from v8box.sandbox.interface import Death, Profile, Sandbox, SandboxFactory, SandboxState, StartupFailed

logger = logging.getLogger(__name__)

_RETRY_SECONDS: Final = 1.0
_STOPPING: Final = Death(reason=StopReason.SHUTDOWN, detail="the box is stopping")


class Blanks:
    """Keeps `count` blanks while the box has room for them. `run` is its task; `take` never waits. `on_ready` hears
    that one may be taken."""

    def __init__(
        self, factory: SandboxFactory, count: int, has_room: Callable[[], bool], on_ready: Callable[[], None]
    ) -> None:
        self._factory = factory
        self._count = count
        self._has_room = has_room
        self._on_ready = on_ready
        self._starting = 0
        self.fault = ""
        """Why the last one did not start; empty: it did."""
        self._stopped = False
        self._profile = Profile()
        self._ready: deque[Sandbox] = deque()
        self._wanted = asyncio.Event()

    def __len__(self) -> int:
        return len(self._ready)

    @property
    def alive(self) -> int:
        """How many places of the box they take, the one being started included."""
        return sum(1 for sandbox in self._ready if sandbox.state is not SandboxState.DEAD) + self._starting

    def take(self, profile: Profile) -> Sandbox | None:
        """A blank of this profile, if one is ready."""
        if profile != self._profile:
            return None
        self._wanted.set()
        while self._ready:
            sandbox = self._ready.popleft()
            if sandbox.state is SandboxState.BLANK:
                return sandbox
        return None

    def drop(self) -> bool:
        """Gives one up for a sandbox that is needed more. False when there is none."""
        while self._ready:
            sandbox = self._ready.pop()
            alive = sandbox.state is not SandboxState.DEAD
            sandbox.kill(Death(reason=StopReason.EVICTED, detail="another worker needed the room"))
            if alive:
                return True
        return False

    def refill(self) -> None:
        """There may be room again."""
        if len(self._ready) + self._starting < self._count:
            self._wanted.set()

    async def run(self) -> None:
        """Refills for ever."""
        self._wanted.set()
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            while len(self._ready) < self._count and not self._stopped and self._has_room():
                sandbox = await self._start()
                if sandbox is None:
                    await asyncio.sleep(_RETRY_SECONDS)
                elif self._stopped:
                    sandbox.kill(_STOPPING)
                else:
                    self._ready.append(sandbox)
                    sandbox.stopped.add_done_callback(partial(self._lost, sandbox))
                    self._on_ready()

    async def _start(self) -> Sandbox | None:
        self._starting += 1
        try:
            sandbox = await self._factory.start_sandbox(self._profile)
            sandbox.warm()
        except (StartupFailed, V8BoxError) as error:
            logger.warning("a blank sandbox did not start: %s", error)
            self.fault = str(error) or type(error).__name__
            return None
        except Exception as error:
            logger.exception("a blank sandbox did not start")
            self.fault = type(error).__name__
            return None
        finally:
            self._starting -= 1
        self.fault = ""
        return sandbox

    def _lost(self, sandbox: Sandbox, _: object) -> None:
        if sandbox in self._ready:
            self._ready.remove(sandbox)
            self._wanted.set()

    def stop(self) -> None:
        """Kills them, and starts no more."""
        self._stopped = True
        for sandbox in tuple(self._ready):
            sandbox.kill(_STOPPING)
        self._ready.clear()
