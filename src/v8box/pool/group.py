"""The sandboxes of one worker version, and the requests that wait for one of them."""

from __future__ import annotations

import asyncio
import logging
import math
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from v8box.catalog.model import Placement
from v8box.errors import NoCapacity, StopReason, V8BoxError
from v8box.sandbox.heap import Write
from v8box.sandbox.interface import Death, Invocation, Profile, Sandbox, SandboxState, StartupFailed
from v8box.sandbox.run import Run
from v8box.sandbox.ticks import Recording

if TYPE_CHECKING:
    from v8box.pool.pool import Pool

logger = logging.getLogger(__name__)

_FAILURE_SECONDS: Final = 1.0
"""How long a version that failed to start answers with that failure before it is tried again."""

_TRIM_SECONDS: Final = 2.0
"""Idle for this long, a sandbox collects its garbage: long enough that no request waits for it in a burst."""

_MUCH_MEMORY: Final = 0.8
"""Of its limit: who has so much while nothing goes on is replaced before it is in somebody's way."""

_DRAIN_SECONDS: Final = 30.0
"""A sandbox that is to be replaced may finish its runs for this long, or `limits.wall_ms` if that is longer: what has
no end of its own, such as a WebSocket, must not keep it for ever."""

_BREACHES: Final = frozenset(
    {StopReason.CPU, StopReason.MEMORY, StopReason.LOG_BYTES, StopReason.CRASH, StopReason.EXIT, StopReason.PROTOCOL}
)
_FREE_BREACHES: Final = 3
_FORGET_SECONDS: Final = 10.0
_COOL_SECONDS: Final = 0.05
_WATCH_SECONDS: Final = 120.0
_WATCH_TICK_US: Final = 2_000
_MAX_COOL_SECONDS: Final = 2.0
"""After three breaches within ten seconds of each other the next start waits 0.1 s, then 0.2 s, … up to two seconds."""


@dataclass(frozen=True, slots=True)
class GroupState:
    """What the sandboxes of one placement do at this moment."""

    placement: Placement
    sandboxes: int
    inflight: int
    waiting: int
    memory_bytes: int = 0
    """Of all of them together, and of the one that has most; 0 where it was not looked at."""
    most_memory_bytes: int = 0


class NoProcess(V8BoxError):
    """This worker has no process at the moment. Call it, and try again."""

    status = 409
    code = "no_process"


class AlreadyProfiled(V8BoxError):
    """This worker is being profiled already. Wait for that to end."""

    status = 409
    code = "already_profiled"


@dataclass(frozen=True, slots=True)
class Profiled:
    """What came of a profile: the ticks, how many runs there were, and the end that came before its time."""

    recording: Recording
    runs: int
    death: Death | None


class Group:
    """Leases runs of one version: the least busy sandbox, else a new one, else a place in the queue."""

    def __init__(self, pool: Pool, placement: Placement) -> None:
        self._pool = pool
        self.placement = placement
        limits = placement.manifest.limits
        settings = pool.settings
        self._concurrency = limits.concurrency
        self._max_instances = limits.max_instances
        self._drain_seconds = max(_DRAIN_SECONDS, limits.wall_ms / 1000)
        self._max_runs = settings.recycle_after_requests or math.inf
        self._max_age = settings.recycle_after_hours * 3600 or math.inf
        self.profile = Profile(net=placement.manifest.permissions.net, memory_mb=limits.memory_mb)
        self.sandboxes: list[Sandbox] = []
        self._starting = 0
        self._waiting: deque[tuple[asyncio.Future[Run], Invocation]] = deque()
        self._failure: StartupFailed | V8BoxError | None = None
        self._failed_at = 0.0
        self._breaches = 0
        self._breached_at = 0.0
        self._draining: dict[Sandbox, tuple[float, StopReason]] = {}
        """Until when each may live, and why it goes."""
        self._hurry = asyncio.Event()
        """Set when no start may be put off: the version is no longer live, or the box is stopping."""
        self.retired: StopReason | None = None
        self._profiling = False
        self._favoured: Sandbox | None = None
        """The one that is being profiled: it gets what it has room for."""
        self._watched_until = 0.0

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
        favoured = self._favoured
        if favoured is not None and self._has_room(favoured):
            return favoured
        best = None
        least = self._concurrency
        for sandbox in self.sandboxes:
            count = len(sandbox.runs)
            if count < least and sandbox.state is SandboxState.READY and not (sandbox.stalled or sandbox.retiring):
                best, least = sandbox, count
        return best

    def _has_room(self, sandbox: Sandbox) -> bool:
        usable = sandbox.state is SandboxState.READY and not (sandbox.stalled or sandbox.retiring)
        return usable and len(sandbox.runs) < self._concurrency

    async def queue_run(self, invocation: Invocation) -> Run:
        """Starts the run when there is room. Raises `NoCapacity` when the queue is full or the wait too long,
        `StartupFailed` when the version cannot be started."""
        loop = asyncio.get_running_loop()
        if self._failure is not None and loop.time() - self._failed_at < _FAILURE_SECONDS:
            raise _afresh(self._failure)
        length = self._pool.settings.queue_length
        if len(self._waiting) >= length and self.waiting >= length:
            raise NoCapacity("The queue of this worker is full. Try again shortly.")
        cold = not any(sandbox.state is SandboxState.READY for sandbox in self.sandboxes)
        since = loop.time()
        future: asyncio.Future[Run] = loop.create_future()
        entry = (future, invocation)
        self._waiting.append(entry)
        self.grow()
        timeout = self._pool.settings.queue_timeout_seconds
        timer = loop.call_later(timeout, _expire, future, timeout)
        try:
            run = await future
        except BaseException:
            self._leave(entry)
            raise
        finally:
            timer.cancel()
        waited = loop.time() - since
        if cold:
            run.cold_seconds = waited
        else:
            run.queued_seconds = waited
        return run

    def _leave(self, entry: tuple[asyncio.Future[Run], Invocation]) -> None:
        """Nobody waits for this entry any more; a run it was given in the same turn belongs to nobody."""
        with suppress(ValueError):
            self._waiting.remove(entry)
        future, _ = entry
        if future.done() and not future.cancelled() and future.exception() is None:
            run = future.result()
            detail = "the caller went away while it waited"
            run.cancel(detail)
            run.kill(Death(reason=StopReason.CLIENT_GONE, detail=detail))
        if self.retired is not None and not self._waiting:
            self.dispatch()

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
            try:
                future.set_result(sandbox.invoke(invocation))
            except Exception as error:
                future.set_exception(error)
        if waiting:
            self.grow()
        elif self.retired is not None and not self._starting:
            for sandbox in tuple(self.sandboxes):
                self._drain(sandbox, self.retired)

    def _drain(self, sandbox: Sandbox, reason: StopReason) -> None:
        if sandbox.state is SandboxState.READY:
            self._draining[sandbox] = asyncio.get_running_loop().time() + self._drain_seconds, reason
            sandbox.drain(reason)

    def grow(self) -> None:
        """Starts as many sandboxes as the queue asks for and the limits allow."""
        if self._pool.stopping or len(self._waiting) <= self._starting * self._concurrency:
            return
        usable = sum(1 for sandbox in self.sandboxes if sandbox.state is SandboxState.READY and not sandbox.retiring)
        room = self._max_instances - usable - self._starting
        if room <= 0:
            return
        wanted = math.ceil(self.waiting / self._concurrency)
        for _ in range(min(wanted - self._starting, room)):
            self._starting += 1
            self._pool.spawn_task(self._start(), f"start {self.placement.worker}")

    async def _start(self) -> None:
        try:
            await self._cool_down()
            sandbox = await self._pool.loaded_sandbox(self, self._next_profile()) if self.waiting else None
        except NoCapacity:
            sandbox = None  # those who wait go on waiting: somebody else's sandbox may end
        except (StartupFailed, V8BoxError) as error:
            sandbox = None
            self._fail(error)
        except Exception as error:
            sandbox = None
            logger.exception("the worker %s could not be started", self.placement.worker)
            self._fail(StartupFailed(f"the box could not start the worker: {error}"))
        finally:
            self._starting -= 1
        if sandbox is not None:
            self._failure = None
            self._join(sandbox)
        elif self.retired is not None and not self._waiting:
            self.dispatch()

    def _join(self, sandbox: Sandbox) -> None:
        self.sandboxes.append(sandbox)
        sandbox.on_free = self.dispatch
        sandbox.stopped.add_done_callback(lambda _: self._stopped(sandbox))
        self.dispatch()

    def _next_profile(self) -> Profile:
        """After a run that burnt too much, one process is watched for a while: the next end is told with its stack."""
        now = asyncio.get_running_loop().time()
        if now >= self._watched_until or any(sandbox.profile.ticks_us for sandbox in self.sandboxes):
            return self.profile
        return replace(self.profile, ticks_us=_WATCH_TICK_US)

    async def profile_for(self, seconds: float, ticks_us: int) -> Profiled:
        """Profiles a process of its own, which gets the runs that come in meanwhile. Ends early when it dies. Raises
        `AlreadyProfiled`, `NoCapacity`, `StartupFailed`."""
        if self._profiling:
            raise AlreadyProfiled
        self._profiling = True
        try:
            sandbox = await self._pool.loaded_sandbox(self, replace(self.profile, ticks_us=ticks_us))
            if sandbox.tick_log is None:
                raise AssertionError("a process that is started for its ticks has them")
            sandbox.tick_log.record()
            self._favoured = sandbox
            self._join(sandbox)
            try:
                await asyncio.wait((sandbox.stopped,), timeout=seconds)
            finally:
                self._favoured = None
                self._drain(sandbox, StopReason.REPLACED)
            death = sandbox.stopped.result() if sandbox.stopped.done() else None
            early = None if death is None or death.reason is StopReason.REPLACED else death
            return Profiled(sandbox.tick_log.recording(), sandbox.run_count, early)
        finally:
            self._profiling = False

    async def heap_snapshot(self, write: Write) -> int:
        """Of the process that has most in use. Raises `NoProcess`, `SnapshotFailed`."""
        ready = [each for each in self.sandboxes if each.state is SandboxState.READY and not each.inspected]
        if not ready:
            raise NoProcess
        fullest = max(ready, key=lambda sandbox: sandbox.used_memory())
        taking = asyncio.ensure_future(fullest.heap_snapshot(write))
        try:
            await asyncio.sleep(0)
            if self._waiting:
                self.grow()  # what waits need not wait for this one
            return await taking
        finally:
            taking.cancel()

    async def _cool_down(self) -> None:
        """A version that is killed for its limits again and again starts later each time: starting it costs the box
        more than letting it run, and its neighbours would pay."""
        since = asyncio.get_running_loop().time() - self._breached_at
        if since > _FORGET_SECONDS:
            self._breaches = 0
        excess = self._breaches - _FREE_BREACHES
        seconds = min(_COOL_SECONDS * 2 ** min(excess, 10), _MAX_COOL_SECONDS) - since
        if excess > 0 and seconds > 0:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._hurry.wait()

    def _fail(self, error: StartupFailed | V8BoxError) -> None:
        """The version could not be started. Those who wait hear it, unless another sandbox may still serve them."""
        if any(sandbox.state is SandboxState.READY for sandbox in self.sandboxes):
            return
        self._failure, self._failed_at = _afresh(error), asyncio.get_running_loop().time()
        self._refuse(error)

    def _refuse(self, error: StartupFailed | V8BoxError) -> None:
        while self._waiting:
            future, _ = self._waiting.popleft()
            if not future.done():
                future.set_exception(_afresh(error))

    def _stopped(self, sandbox: Sandbox) -> None:
        if sandbox in self.sandboxes:
            self.sandboxes.remove(sandbox)
        self._draining.pop(sandbox, None)
        reason = sandbox.stopped.result().reason
        if reason in (StopReason.CPU, StopReason.WALL):
            self._watched_until = asyncio.get_running_loop().time() + _WATCH_SECONDS
        if reason in _BREACHES:
            self._breaches += 1
            self._breached_at = asyncio.get_running_loop().time()
        if self._waiting:
            self.dispatch()
        self._pool.freed()

    def retire(self, reason: StopReason) -> None:
        """Another version is live: no new sandboxes but for those who still wait."""
        self.retired = reason
        self._hurry.set()
        self.dispatch()

    def revive(self) -> None:
        """The version is live again; what drains already goes all the same."""
        self.retired = None
        self._hurry.clear()

    def stop(self) -> None:
        """The box is stopping: nobody who waits will be served."""
        self._hurry.set()
        self._refuse(NoCapacity("The box is stopping."))
        for sandbox in self.sandboxes:
            sandbox.drain(StopReason.SHUTDOWN)

    def tick(self, now: float) -> None:
        """Judges the limits of what is running, and drains what is to be replaced."""
        for sandbox in tuple(self.sandboxes):
            guard(sandbox, self._tick, now)

    def _tick(self, sandbox: Sandbox, now: float) -> None:
        if sandbox.runs:
            sandbox.tick(now)
            if self._is_spent(sandbox, now):
                sandbox.retiring = True
        if sandbox.retiring and sandbox.state is SandboxState.READY and not sandbox.inspected:
            self._drain(sandbox, StopReason.RECYCLED)
            if self._waiting:
                self.grow()
        elif sandbox in self._draining:
            deadline, reason = self._draining[sandbox]
            if now >= deadline:
                detail = f"it did not finish within {self._drain_seconds:g} s"
                sandbox.kill(Death(reason=reason, detail=detail))

    def _is_spent(self, sandbox: Sandbox, now: float) -> bool:
        if sandbox.profile.ticks_us and sandbox is not self._favoured and now >= self._watched_until:
            return True
        return sandbox.run_count >= self._max_runs or now - sandbox.started_at >= self._max_age

    def tidy(self, now: float) -> None:
        """Stops what has been idle for long, replaces what is old or has grown."""
        for sandbox in tuple(self.sandboxes):
            if sandbox.state is SandboxState.READY and not sandbox.runs:
                guard(sandbox, self._tidy, now)

    def _tidy(self, sandbox: Sandbox, now: float) -> None:
        sandbox.tick_idle(now)
        if sandbox.state is not SandboxState.READY or sandbox.inspected:
            return
        if now - sandbox.idle_since > _TRIM_SECONDS:
            sandbox.trim()
        if now - sandbox.idle_since > self._pool.settings.idle_seconds:
            sandbox.kill(Death(reason=StopReason.IDLE, detail="no request for a while"))
        elif (share := sandbox.used_memory()) > _MUCH_MEMORY:
            sandbox.kill(_grown(share, self.placement.manifest.limits.memory_mb))
        elif self._is_spent(sandbox, now):
            sandbox.kill(Death(reason=StopReason.RECYCLED, detail="after its share of age or requests"))

    def look(self, memory: bool) -> GroupState:
        """What its sandboxes do now; their memory only when it is asked for, since that asks the kernel."""
        alive = [sandbox for sandbox in self.sandboxes if sandbox.state is not SandboxState.DEAD]
        most = self.placement.manifest.limits.memory_mb * 1_048_576
        used = [round(sandbox.used_memory() * most) for sandbox in alive] if memory else []
        return GroupState(
            self.placement,
            len(alive),
            sum(len(sandbox.runs) for sandbox in alive),
            self.waiting,
            sum(used),
            max(used, default=0),
        )

    @property
    def waiting(self) -> int:
        """How many wait, without those who left in this turn of the loop."""
        return sum(1 for future, _ in self._waiting if not future.done())


def guard(sandbox: Sandbox, look: Callable[[Sandbox, float], None], now: float) -> None:
    """Looks at one sandbox. One that cannot be looked at has no limits any more, so it goes; the others keep theirs."""
    try:
        look(sandbox, now)
    except Exception:
        worker = sandbox.placement.worker if sandbox.placement is not None else "a blank"
        logger.exception("the sandbox of %s cannot be looked after, and is killed", worker)
        try:
            sandbox.kill(Death(reason=StopReason.CRASH, detail="the box could not look after its process"))
        except Exception:
            logger.exception("the sandbox of %s cannot be killed", worker)


def _grown(share: float, limit_mb: int) -> Death:
    used = round(share * limit_mb, 1)
    detail = (
        f"it kept {used} MiB while it was idle; limits.memory_mb is {limit_mb}. `v8box memory` shows whether it leaks"
    )
    return Death(reason=StopReason.RECYCLED, detail=detail, limit=limit_mb, used=used)


def _afresh(error: StartupFailed | V8BoxError) -> StartupFailed | V8BoxError:
    """The same failure for one more who waits: one that is raised again and again would keep all their frames."""
    if isinstance(error, StartupFailed):
        return StartupFailed(error.message, error.stack, error.death, error.name)
    return error.with_traceback(None)


def _expire(future: asyncio.Future[Run], seconds: float) -> None:
    if not future.done():
        future.set_exception(NoCapacity(f"No sandbox became free within {seconds:g} s. Try again shortly."))
