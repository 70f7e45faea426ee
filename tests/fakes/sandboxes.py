"""Sandboxes without a process, named for how they fail, and the factory that hands them out."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from v8box.catalog.model import Placement
from v8box.errors import StopReason
from v8box.sandbox.channel import Channel
from v8box.sandbox.interface import Death, Invocation, MemoryState, Profile, RunFailed, SandboxState, StartupFailed
from v8box.sandbox.protocol import Kind
from v8box.sandbox.run import Response, Run
from v8box.sandbox.ticks import TickLog

Frame = tuple[Kind, int, int, bytes, bytes]
Worker = Callable[["FakeSandbox", Run, Invocation], Awaitable[None]]


class _Nobody:
    def on_frame(self, kind: int, flags: int, stream: int, head: bytes, body: bytes) -> None:
        raise AssertionError("nothing is read from a channel without a socket")

    def lost(self, fault: str | None) -> None:
        raise AssertionError("a channel without a socket is never lost")


class RecordingChannel(Channel):
    """A channel without a socket that keeps what it was given to send."""

    def __init__(self) -> None:
        super().__init__(_Nobody())
        self.sent: list[Frame] = []

    def send(self, kind: int, flags: int, stream: int, head: bytes = b"", body: bytes = b"") -> None:
        self.sent.append((Kind(kind), flags, stream, head, body))

    def sent_kinds(self) -> list[Kind]:
        return [frame[0] for frame in self.sent]


class FakeSandbox:
    """The in-memory twin of `DenoSandbox`. Its worker is a coroutine function; without one, the test answers."""

    dies_late = False
    """Whether the end of the process takes until `end`, as a real one's takes a moment."""

    def __init__(self, profile: Profile, worker: Worker | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        self.profile = profile
        self.tick_log = TickLog() if profile.ticks_us else None
        self.worker = worker
        self.channel = RecordingChannel()
        self.state = SandboxState.BLANK
        self.stopped: asyncio.Future[Death] = self._loop.create_future()
        self.placement: Placement | None = None
        self.shape = ""
        self.started_at = self.idle_since = self._loop.time()
        self.run_count = 0
        self.stalled = False
        self.retiring = False
        self.inspected = False
        self.on_free: Callable[[], None] = lambda: None
        self.runs: dict[int, Run] = {}
        self.memory_share = 0.0
        self.ticks = 0
        self.idle_ticks = 0
        self.trims = 0
        self.head: dict[str, Any] = {}
        self.code = b""
        self._death: Death | None = None
        self._drain_reason: StopReason | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def pid(self) -> int:
        return 0

    def warm(self) -> None:
        pass

    async def load(self, placement: Placement, head: dict[str, Any], code: bytes) -> None:
        assert self.state is SandboxState.BLANK
        self.state, self.placement, self.head, self.code = SandboxState.LOADING, placement, head, code
        try:
            await self.importing()
        except asyncio.CancelledError:
            self.kill(Death(reason=StopReason.SHUTDOWN, detail="the start was given up"))
            raise
        if self._death is not None:
            raise StartupFailed(self._death.detail, None, self._death)
        self.state, self.shape = SandboxState.READY, "handler"
        self.idle_since = self._loop.time()

    async def importing(self) -> None:
        """For those that fail at it."""

    def invoke(self, invocation: Invocation) -> Run:
        assert self.state is SandboxState.READY, f"a lease of a sandbox that is {self.state}"
        self.run_count += 1
        run = Run(self.channel, self._loop, self.run_count * 2, invocation.run_id)
        run.origin = invocation.origin
        self.runs[run.stream] = run
        if self.worker is not None:
            task = self._loop.create_task(self._work(self.worker, run, invocation))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return run

    async def _work(self, worker: Worker, run: Run, invocation: Invocation) -> None:
        try:
            await worker(self, run, invocation)
        except RunFailed as error:
            if not run.response.done():
                run.response.set_exception(error)
        self.finish(run)

    def answer(
        self, run: Run, body: bytes = b"ok", status: int = 200, headers: list[tuple[str, str]] | None = None
    ) -> None:
        """The worker's whole response, and the end of the run."""
        self.respond(run, body, status, headers)
        self.finish(run)

    def respond(
        self, run: Run, body: bytes = b"ok", status: int = 200, headers: list[tuple[str, str]] | None = None
    ) -> None:
        if not run.response.done():
            run.response.set_result(Response(status, headers or [], body))

    def finish(self, run: Run) -> None:
        if self.runs.pop(run.stream, None) is None:
            return
        if run.body is not None:
            run.body.fail("the run ended before its body was complete")
        if run.messages is not None:
            run.messages.lost()
        run.finish()
        if not self.runs:
            self.idle_since = self._loop.time()
        self._end_if_drained()
        self.on_free()

    def abandon(self, run: Run, death: Death, cancel_reason: str) -> None:
        run.cancel(cancel_reason)
        run.kill(death)

    def drain(self, reason: StopReason) -> None:
        if self.state in (SandboxState.DEAD, SandboxState.DRAINING):
            return
        self.state, self._drain_reason = SandboxState.DRAINING, reason
        self._end_if_drained()

    def _end_if_drained(self) -> None:
        if self.state is SandboxState.DRAINING and not self.runs and self._drain_reason is not None:
            self.kill(Death(reason=self._drain_reason, detail="drained"))

    def kill(self, death: Death) -> None:
        if self._death is not None:
            return
        self._death = death
        self.state = SandboxState.DEAD
        if not self.dies_late:
            self._loop.call_soon(self.end)

    def end(self) -> None:
        """The process is gone."""
        if self.stopped.done():
            return
        self.state = SandboxState.DEAD
        death = self._death = self._death or Death(reason=StopReason.CRASH, detail="the process died")
        for task in tuple(self._tasks):
            task.cancel()
        for run in tuple(self.runs.values()):
            run.kill(death)
            self.finish(run)
        self.stopped.set_result(death)

    def trim(self) -> None:
        self.trims += 1

    def used_memory(self) -> float:
        return self.memory_share

    async def heap_snapshot(self, write: Callable[[bytes], Awaitable[None]]) -> int:
        self.inspected = self.retiring = True
        await write(b"{}")
        self.inspected = False
        return 2

    def memory(self) -> MemoryState | None:
        used = int(self.memory_share * 128 * 1024 * 1024)
        return MemoryState(used_bytes=used, peak_bytes=used, limit_bytes=128 * 1024 * 1024, runs=self.run_count)

    def tick(self, now: float) -> None:
        self.ticks += 1

    def tick_idle(self, now: float) -> None:
        self.idle_ticks += 1


class CrashingSandbox(FakeSandbox):
    """Dies of every run."""

    def invoke(self, invocation: Invocation) -> Run:
        run = super().invoke(invocation)
        self._loop.call_soon(self.end)
        return run


class NeverReadySandbox(FakeSandbox):
    """Its module never finishes loading; only a kill ends the wait."""

    async def importing(self) -> None:
        await self.stopped


class SlowSandbox(FakeSandbox):
    """Its module has loaded when the test sets `loaded`."""

    def __init__(self, profile: Profile, worker: Worker | None = None) -> None:
        super().__init__(profile, worker)
        self.loaded = asyncio.Event()

    async def importing(self) -> None:
        await self.loaded.wait()


class ThrowingSandbox(FakeSandbox):
    """Its module throws while it loads."""

    async def importing(self) -> None:
        self.kill(Death(reason=StopReason.STARTUP, detail="the module threw while loading: Error: no"))


class StillbornSandbox(FakeSandbox):
    """Is gone in the very turn in which it became ready, before anybody could look."""

    async def load(self, placement: Placement, head: dict[str, Any], code: bytes) -> None:
        await super().load(placement, head, code)
        self.end()
        self.state = SandboxState.READY


class LingeringSandbox(FakeSandbox):
    """Takes its time to die: the process is gone when the test calls `end`."""

    dies_late = True


class FakeFactory:
    """Hands out fakes and remembers them."""

    def __init__(self, make: Callable[[Profile], FakeSandbox] = FakeSandbox) -> None:
        self.make = make
        self.made: list[FakeSandbox] = []
        self.failure: Exception | None = None
        self.gate = asyncio.Event()
        self.gate.set()

    @property
    def alive(self) -> list[FakeSandbox]:
        return [sandbox for sandbox in self.made if not sandbox.stopped.done()]

    async def start_sandbox(self, profile: Profile) -> FakeSandbox:
        await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        sandbox = self.make(profile)
        self.made.append(sandbox)
        return sandbox
