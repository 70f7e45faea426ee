"""The sandboxes of one worker version, and the requests that wait for one of them."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from typing import TYPE_CHECKING, Final

from v8box.catalog.model import Version
from v8box.errors import NoCapacity, StopReason, V8BoxError
from v8box.sandbox.interface import Death, Invocation, Profile, Sandbox, SandboxState, StartupFailed
from v8box.sandbox.run import Run

if TYPE_CHECKING:
    from v8box.pool.pool import Pool

_FAILURE_SECONDS: Final = 1.0
"""How long a version that failed to start answers with that failure before it is tried again."""

_TRIM_SECONDS: Final = 2.0
"""Idle for this long, a sandbox collects its garbage: long enough that no request waits for it in a burst."""

_BREACHES: Final = frozenset(
    {StopReason.CPU, StopReason.MEMORY, StopReason.LOG_BYTES, StopReason.CRASH, StopReason.EXIT, StopReason.PROTOCOL}
)
_FREE_BREACHES: Final = 3
_FORGET_SECONDS: Final = 10.0
_COOL_SECONDS: Final = 0.05
_MAX_COOL_SECONDS: Final = 2.0
"""After three breaches within ten seconds of each other the next start waits 0.1 s, then 0.2 s, … up to two seconds."""


class Group:
    """Leases runs of one version: the least busy sandbox, else a new one, else a place in the queue."""

    def __init__(self, pool: Pool, version: Version) -> None:
        self._pool = pool
        self.version = version
        limits = version.manifest.limits
        self._concurrency = limits.concurrency
        self._max_instances = limits.max_instances
        self.profile = Profile(net=version.manifest.permissions.net, memory_mb=limits.memory_mb)
        self.sandboxes: list[Sandbox] = []
        self._starting = 0
        self._waiting: deque[tuple[asyncio.Future[Run], Invocation]] = deque()
        self._failure: StartupFailed | V8BoxError | None = None
        self._failed_at = 0.0
        self._breaches = 0
        self._breached_at = 0.0
        self.retired: StopReason | None = None

    @property
    def is_empty(self) -> bool:
        return not (self.sandboxes or self._starting or self._waiting)

    def try_run(self, invocation: Invocation) -> Run | None:
        """Starts the run now, if a sandbox has room."""
        if self._waiting:
            return None
        sandbox = self._pick()
        return None if sandbox is None else sandbox.invoke(invocation)

    def _pick(self) -> Sandbox | None:
        best = None
        least = self._concurrency
        for sandbox in self.sandboxes:
            count = len(sandbox.runs)
            if count < least and sandbox.state is SandboxState.READY and not (sandbox.stalled or sandbox.retiring):
                best, least = sandbox, count
        return best

    async def queue_run(self, invocation: Invocation) -> Run:
        """Starts the run when there is room. Raises `NoCapacity` when the queue is full or the wait too long,
        `StartupFailed` when the version cannot be started."""
        loop = asyncio.get_running_loop()
        if self._failure is not None and loop.time() - self._failed_at < _FAILURE_SECONDS:
            raise self._failure
        if len(self._waiting) >= self._pool.settings.queue_length:
            raise NoCapacity("The queue of this worker is full. Try again shortly.")
        cold = not any(sandbox.state is SandboxState.READY for sandbox in self.sandboxes)
        since = loop.time()
        future: asyncio.Future[Run] = loop.create_future()
        self._waiting.append((future, invocation))
        self.grow()
        timeout = self._pool.settings.queue_timeout_seconds
        timer = loop.call_later(timeout, _expire, future, timeout)
        try:
            run = await future
        finally:
            timer.cancel()
        if cold:
            run.cold_seconds = loop.time() - since
        return run

    def dispatch(self) -> None:
        """Gives waiting requests what room there is; then grows, or drains if the version is no longer live."""
        waiting = self._waiting
        if not waiting and self.retired is None:
            return
        while waiting:
            future, invocation = waiting[0]
            if future.done():
                waiting.popleft()
                continue
            sandbox = self._pick()
            if sandbox is None:
                break
            waiting.popleft()
            future.set_result(sandbox.invoke(invocation))
        if waiting:
            self.grow()
        elif self.retired is not None and not self._starting:
            for sandbox in tuple(self.sandboxes):
                sandbox.drain(self.retired)

    def grow(self) -> None:
        """Starts as many sandboxes as the queue asks for and the limits allow."""
        wanted = math.ceil(len(self._waiting) / self._concurrency)
        usable = sum(1 for sandbox in self.sandboxes if sandbox.state is SandboxState.READY and not sandbox.retiring)
        room = self._max_instances - usable - self._starting
        for _ in range(min(wanted - self._starting, room)):
            self._starting += 1
            self._pool.spawn_task(self._start(), f"start {self.version.worker}")

    async def _start(self) -> None:
        try:
            await self._cool_down()
            sandbox = await self._pool.loaded_sandbox(self)
        except (StartupFailed, V8BoxError) as error:
            self._starting -= 1
            self._fail(error)
            return
        except BaseException:
            self._starting -= 1
            raise
        self._starting -= 1
        self._failure = None
        self.sandboxes.append(sandbox)
        sandbox.on_free = self.dispatch
        sandbox.stopped.add_done_callback(lambda _: self._stopped(sandbox))
        self.dispatch()

    async def _cool_down(self) -> None:
        """A version that is killed for its limits again and again starts later each time: starting it costs the box
        more than letting it run, and its neighbours would pay."""
        since = asyncio.get_running_loop().time() - self._breached_at
        if since > _FORGET_SECONDS:
            self._breaches = 0
        excess = self._breaches - _FREE_BREACHES
        if excess > 0:
            await asyncio.sleep(max(0.0, min(_COOL_SECONDS * 2**min(excess, 10), _MAX_COOL_SECONDS) - since))

    def _fail(self, error: StartupFailed | V8BoxError) -> None:
        """The version could not be started. Those who wait hear it, unless another sandbox may still serve them."""
        if isinstance(error, NoCapacity):
            return  # those who wait go on waiting: somebody else's sandbox may end
        if any(sandbox.state is SandboxState.READY for sandbox in self.sandboxes):
            return
        self._failure, self._failed_at = error, asyncio.get_running_loop().time()
        while self._waiting:
            future, _ = self._waiting.popleft()
            if not future.done():
                future.set_exception(error)

    def _stopped(self, sandbox: Sandbox) -> None:
        if sandbox in self.sandboxes:
            self.sandboxes.remove(sandbox)
        if sandbox.stopped.result().reason in _BREACHES:
            self._breaches += 1
            self._breached_at = asyncio.get_running_loop().time()
        if self._waiting:
            self.dispatch()
        self._pool.freed()

    def retire(self, reason: StopReason) -> None:
        """Another version is live: no new sandboxes but for those who still wait."""
        self.retired = reason
        self.dispatch()

    def tick(self, now: float) -> None:
        """Judges the limits of what is running, and drains what is to be replaced."""
        for sandbox in self.sandboxes:
            if sandbox.runs:
                sandbox.tick(now)
                if sandbox.retiring and sandbox.state is SandboxState.READY:
                    sandbox.drain(StopReason.RECYCLED)

    def tidy(self, now: float) -> None:
        """Stops what has been idle for long, replaces what is old or has grown."""
        settings = self._pool.settings
        for sandbox in tuple(self.sandboxes):
            if sandbox.state is not SandboxState.READY or sandbox.runs:
                continue
            old = settings.recycle_after_hours and now - sandbox.started_at > settings.recycle_after_hours * 3600
            worn = settings.recycle_after_requests and sandbox.run_count >= settings.recycle_after_requests
            if now - sandbox.idle_since > _TRIM_SECONDS:
                sandbox.trim()
            if now - sandbox.idle_since > settings.idle_seconds:
                sandbox.kill(Death(reason=StopReason.IDLE, detail="no request for a while"))
            elif old or worn or sandbox.used_memory() > 0.8:
                sandbox.kill(Death(reason=StopReason.RECYCLED, detail="after its share of age, requests or memory"))

    @property
    def waiting(self) -> int:
        return sum(1 for future, _ in self._waiting if not future.done())


def _expire(future: asyncio.Future[Run], seconds: float) -> None:
    if not future.done():
        future.set_exception(NoCapacity(f"No sandbox became free within {seconds:g} s. Try again shortly."))
