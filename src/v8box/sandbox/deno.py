"""A sandbox that is a Deno process: its life from spawn to death, and the runs inside it."""

from __future__ import annotations

import asyncio
import dataclasses
import signal
import time
from collections.abc import Collection
from typing import Any

import msgspec

from v8box.catalog.model import Placement
from v8box.errors import StopReason
from v8box.kit import procfs
from v8box.sandbox.channel import Outbound
from v8box.sandbox.curve import REPORTED, running
from v8box.sandbox.heads import (
    failure_head,
    loaded_head,
)
from v8box.sandbox.heap import NEEDED_FACTOR, NEEDED_MORE_BYTES, HeapReader, SnapshotFailed, Write
from v8box.sandbox.interface import (
    CallServer,
    Death,
    Invocation,
    LogLine,
    MemoryState,
    Profile,
    SandboxObserver,
    SandboxState,
    StartupFailed,
)
from v8box.sandbox.limits import Account, flood_death
from v8box.sandbox.protocol import (
    LOG_FLOOD_EXIT_CODE,
    LOG_FLOOD_FACTOR,
    PROTOCOL_VERSION,
    WINDOW_BYTES,
    Flag,
    Kind,
    Level,
    ProtocolError,
)
from v8box.sandbox.receiver import Receiver
from v8box.sandbox.run import Run
from v8box.sandbox.spawner import Child, ExitStatus
from v8box.sandbox.ticks import TickLog
from v8box.sandbox.watch import Watch

_END, _UPGRADE = int(Flag.END), int(Flag.UPGRADE)
_encode = msgspec.json.encode
_MIB = 1024 * 1024
_LAST_OUTPUT_BYTES = 4096
_MAX_STREAM = 0xFFFF_FFF0


class DenoSandbox:
    """One confined Deno process. Made by `DenoRuntime`; the pool loads a version into it and leases it out."""

    def __init__(self, profile: Profile, calls: CallServer, observer: SandboxObserver) -> None:
        loop = asyncio.get_running_loop()
        self._loop = loop
        self._observer = observer
        self.profile = profile
        self.tick_log = TickLog() if profile.ticks_us else None
        self._receiver = Receiver(self, calls, observer, loop.time)
        self.channel = self._receiver.channel
        self.runs = self._receiver.runs
        self._child: Child | None = None
        # life
        self.state = SandboxState.STARTING
        self.stopped: asyncio.Future[Death] = loop.create_future()
        self.started_at = self.idle_since = loop.time()
        self._hello: asyncio.Future[None] = loop.create_future()
        self._loaded: asyncio.Future[None] | None = None
        self._death: Death | None = None
        self._output = bytearray()
        self._output_bytes = 0
        # the worker
        self.placement: Placement | None = None
        self.shape = ""
        self.account: Account | None = None
        self._watch: Watch | None = None
        self._heap: HeapReader | None = None
        self.inspected = False
        self._most_data = 0
        self.run_count = 0
        self._trimmed_runs = 0
        self.stalled = False
        self.retiring = False
        self.demoted = False
        self.began = False
        """A run began in it while it had none, since it was last looked at."""
        self.heard = False
        """It said something, since it was last looked at."""
        self._next_stream = 2
        self.on_free = _nothing
        """Called when a run has ended and a lease may be had."""

    # ---- life

    def attach(self, child: Child) -> None:
        """The process exists; its output and its end are watched from here on."""
        self._child = child
        child.on_output(self._on_output)
        child.exited.add_done_callback(self._on_exit)

    @property
    def is_ended(self) -> bool:
        """The box has ended it, or it has ended; its process may still be there."""
        return self._death is not None

    @property
    def pid(self) -> int:
        return self._child.pid if self._child is not None else 0

    async def hello(self, timeout_seconds: float) -> None:
        """Waits until the process is a blank. Raises `StartupFailed`."""
        try:
            async with asyncio.timeout(timeout_seconds):
                await asyncio.shield(self._hello)
        except TimeoutError:
            self.kill(Death(reason=StopReason.STARTUP, detail="the runtime did not start in time"))
            raise StartupFailed("the runtime did not start in time") from None
        self._check_alive()
        self.state = SandboxState.BLANK

    def _check_alive(self) -> None:
        """What was waited for may have come together with the end. Raises `StartupFailed`."""
        if self._death is not None or self.state is SandboxState.DEAD or self.stopped.done():
            detail = self._death.detail if self._death else "the process ended while it started"
            raise StartupFailed(detail, None, self._death)

    def warm(self) -> None:
        """Asks a blank whether it lives, which also makes it load what most workers touch first."""
        self.channel.send(Kind.PING, 0, 0)

    async def load(self, placement: Placement, head: dict[str, Any], code: bytes) -> None:
        """Imports a version's bundle. Raises `StartupFailed`; the sandbox is dead then."""
        if self.state is not SandboxState.BLANK or self._child is None:
            raise StartupFailed("the sandbox died while it waited", None, self._death)
        self.state = SandboxState.LOADING
        self.placement = placement
        limits = placement.manifest.limits
        usage = self._child.usage()
        self.account = Account(limits, usage.private_bytes, usage.cpu_seconds)
        self._watch = Watch(self, self._child, self.account)
        # A second fence behind the watchdog's: what grows faster than it looks fails to allocate.
        data = procfs.data_bytes(self._child.pid)
        self._most_data = data + limits.memory_mb * _MIB * (NEEDED_FACTOR + 2) + NEEDED_MORE_BYTES
        self._child.limit_data_bytes(data + int(limits.memory_mb * 1.5 + 64) * _MIB, self._most_data)
        self._loaded = self._loop.create_future()
        self.channel.send(Kind.LOAD, 0, 0, _encode(head), code)
        try:
            async with asyncio.timeout(limits.startup_ms / 1000):
                await self._loaded
        except TimeoutError:
            detail = f"the module did not finish loading within limits.startup_ms ({limits.startup_ms})"
            death = Death(reason=StopReason.STARTUP, detail=detail, limit=limits.startup_ms, used=limits.startup_ms)
            self.kill(death)
            raise StartupFailed(detail, None, death) from None
        except asyncio.CancelledError:
            self.kill(Death(reason=StopReason.SHUTDOWN, detail="the start was given up"))
            raise
        self._check_alive()
        self.state = SandboxState.READY
        self.idle_since = self._loop.time()

    def drain(self, reason: StopReason) -> None:
        """No new runs; the process ends when it has none left."""
        if self.state in (SandboxState.DEAD, SandboxState.DRAINING):
            return
        self.state = SandboxState.DRAINING
        self._drain_reason = reason
        self.channel.send(Kind.DRAIN, 0, 0, _encode({"reason": reason}))
        self._end_if_drained()

    def _end_if_drained(self) -> None:
        if self.state is SandboxState.DRAINING and not any(run.cancelled is None for run in self.runs.values()):
            self.kill(Death(reason=self._drain_reason, detail=f"stopped: {self._drain_reason}"))

    def kill(self, death: Death) -> None:
        """SIGKILL now. What is inside fails with `death`. Once dead, later calls change nothing."""
        if self._death is not None:
            return
        self._death = self._seen(death, self.runs.values())
        self.state = SandboxState.DEAD
        self.channel.close()
        if self._child is not None:
            self._child.kill(signal.SIGKILL)
        else:
            self._finish(None)

    def lost(self, fault: str | None) -> None:
        """The socket is gone. The process follows; its exit says why, unless a fault was on the wire."""
        if fault is not None:
            self.kill(Death(reason=StopReason.PROTOCOL, detail=f"the worker broke the channel: {fault}"))
        elif self._child is not None and self._death is None:
            self.state = SandboxState.DEAD  # no new runs from here on
            self._loop.call_later(1.0, self._child.kill, signal.SIGKILL)  # a process that only closed its socket

    def _on_exit(self, exited: asyncio.Future[ExitStatus]) -> None:
        self.channel.close()
        self._finish(exited.result() if not exited.cancelled() else None)

    def _finish(self, status: ExitStatus | None) -> None:
        if self.stopped.done():
            return
        self.state = SandboxState.DEAD
        death = self._death or self._seen(self._explain(status), self.runs.values())
        if status is not None:
            death = dataclasses.replace(
                death,
                exit_code=status.code,
                signal=status.signal,
                cpu_seconds=status.cpu_seconds,
                peak_memory_bytes=self.account.peak_bytes if self.account else 0,
                last_output=bytes(self._output).decode("utf-8", "replace").strip(),
                stack=self.tick_log.last_stack() if self.tick_log is not None and death.reason in REPORTED else "",
            )
        self._death = death
        for run in tuple(self.runs.values()):
            run.kill(death)
            self.end_run(run)
        for waiting in (self._hello, self._loaded):
            if waiting is not None and not waiting.done():
                waiting.set_exception(StartupFailed(death.detail, None, death))
                waiting.exception()
        self.stopped.set_result(death)
        self._observer.died(self.placement, death)

    def _seen(self, death: Death, runs: Collection[Run]) -> Death:
        """With what was seen before: for whoever wants to know why."""
        if death.reason not in REPORTED:
            return death
        now = self._loop.time()
        curve = () if self._watch is None else self._watch.curve(now)
        return dataclasses.replace(death, runs=running(runs, now), run_count=len(runs), curve=curve)

    def _explain(self, status: ExitStatus | None) -> Death:
        """The reason for an end that the box did not cause."""
        if status is None:
            return Death(reason=StopReason.CRASH, detail="the process ended")
        output = bytes(self._output)
        limit = self.account.limits.memory_mb if self.account else None
        if status.signal is not None:
            near = self.account is not None and self.account.peak_bytes > self.account.limits.memory_mb * 0.7 * _MIB
            if b"out of memory" in output or b"OutOfMemory" in output or near:
                detail = f"the worker ran out of memory; limits.memory_mb is {limit}"
                used = round(self.account.peak_bytes / _MIB, 1) if self.account else None
                return Death(reason=StopReason.MEMORY, detail=detail, limit=limit, used=used)
            return Death(reason=StopReason.CRASH, detail=f"the process died of signal {status.signal}")
        if status.code == LOG_FLOOD_EXIT_CODE:
            return flood_death(self.account.limits.log_kb if self.account else None)
        if self.state is SandboxState.STARTING or self._loaded is None:
            return Death(reason=StopReason.STARTUP, detail=f"the runtime ended with code {status.code} while starting")
        return Death(reason=StopReason.EXIT, detail=f"the worker ended its process with code {status.code}")

    def _on_output(self, data: bytes) -> None:
        """What reached the real stdout or stderr: messages of the runtime, and writers that go around the shim."""
        if self.tick_log is not None and not (data := self.tick_log.feed(data)):
            return
        self._output += data
        del self._output[:-_LAST_OUTPUT_BYTES]
        self._output_bytes += len(data)
        if self.placement is None or self.account is None:
            return
        budget = self.account.limits.log_kb * 1024
        if self._output_bytes > budget * LOG_FLOOD_FACTOR:
            self.kill(flood_death(self.account.limits.log_kb))
        elif self._output_bytes <= budget:
            self.say(Level.INFO, data.decode("utf-8", "replace").rstrip("\n"))

    # ---- runs

    @property
    def inflight(self) -> int:
        return len(self.runs)

    def invoke(self, invocation: Invocation) -> Run:
        """Starts a run. The caller holds a lease: the sandbox is READY."""
        head = _encode((invocation.trigger, invocation.run_id, invocation.method, invocation.url, invocation.headers))
        stream = self._next_stream
        self._next_stream = stream + 2 if stream < _MAX_STREAM else 2
        run = Run(self.channel, self._loop, stream, invocation.run_id)
        run.may_upgrade = invocation.upgrade
        run.invocation = invocation
        run.origin = invocation.origin
        if not self.runs:
            self.began = True
        self.runs[stream] = run
        self.run_count += 1
        flags = _UPGRADE if invocation.upgrade else 0
        body = invocation.body
        if body is None or len(body) > WINDOW_BYTES:
            run.request = Outbound(self.channel, stream)
            self.channel.send(Kind.INVOKE, flags, stream, head)
        else:
            self.channel.send(Kind.INVOKE, flags | _END, stream, head, body)
        return run

    def trim(self) -> None:
        """Nothing has been asked of the sandbox for a while: it gives back the memory of what it did."""
        if self._trimmed_runs != self.run_count:
            self._trimmed_runs = self.run_count
            self.channel.send(Kind.TRIM, 0, 0)
            if self._watch is not None and self.state is not SandboxState.DEAD:
                self._watch.collecting()

    def used_memory(self) -> float:
        """The worker's memory as a share of its limit."""
        state = self.memory()
        return 0.0 if state is None else state.used_bytes / state.limit_bytes

    async def heap_snapshot(self, write: Write) -> int:
        """Gives a snapshot of the heap to `write`. Meanwhile the process answers nobody and no limit is judged; it is
        replaced afterwards, since what V8 needed for it stays. Raises `SnapshotFailed`."""
        state, child = self.memory(), self._child
        if state is None or child is None or self.state is not SandboxState.READY or self.inspected:
            raise SnapshotFailed("The process is about to end, or its snapshot is being taken already.")
        needed = state.used_bytes * NEEDED_FACTOR + NEEDED_MORE_BYTES
        free = procfs.machine_memory()[1]
        if needed > free:
            detail = f"A snapshot of {state.used_bytes // _MIB} MB may need {needed // _MIB} MB of memory"
            raise SnapshotFailed(f"{detail}; this machine has {free // _MIB} MB left.")
        self.inspected = self.retiring = True
        child.limit_data_bytes(self._most_data, self._most_data)
        self._heap = HeapReader(self.channel, self.stopped)
        try:
            return await self._heap.read(write)
        finally:
            self._heap = None
            self.inspected = False
            if self._death is None and self._watch is not None:
                self._watch.spare(self._loop.time())

    def memory(self) -> MemoryState | None:
        return None if self._watch is None or self.state is SandboxState.DEAD else self._watch.memory()

    def end_run(self, run: Run) -> None:
        if self.runs.pop(run.stream, None) is None:
            return
        if run.calls is not None and self.placement is not None:
            self._receiver.calls.end_run(self.placement, run)
        if run.death is not None and self._death is None:
            self._tell_stopped(run, run.death)
        run.finish()
        if not self.runs:
            self.idle_since = self._loop.time()
            self._output_bytes = 0
            if self.demoted:
                self.demote(False)
        if self.state is SandboxState.DRAINING:
            self._end_if_drained()
        self.on_free()

    def _tell_stopped(self, run: Run, death: Death) -> None:
        if self.placement is not None and death.reason in REPORTED:
            self._observer.stopped(self.placement, self._seen(death, (run,)))

    def abandon(self, run: Run, death: Death, cancel_reason: str) -> None:
        """Ends a run early: whoever waits gets `death`, the worker's signal aborts."""
        run.cancel(cancel_reason)
        run.kill(death)

    # ---- what the process says of itself

    def on_life(self, kind: int, flags: int, head: bytes, body: bytes) -> None:
        """Takes a frame that is about no run. Raises `ProtocolError`."""
        match kind:
            case Kind.PONG:
                if self._watch is not None:
                    self._watch.answered()
                if self.stalled:
                    self.stalled = False
                    self.on_free()
            case Kind.HELLO:
                self._on_hello(head)
            case Kind.HEAP:
                if self._heap is None:
                    raise ProtocolError("a piece of a heap snapshot that nobody asked for")
                self._heap.arrived(flags, head, body)
            case Kind.LOADED:
                if self._loaded is None or self._loaded.done():
                    raise ProtocolError("LOADED out of turn")
                self.shape = loaded_head(head).shape
                self._loaded.set_result(None)
            case Kind.LOAD_FAILED:
                self._on_load_failed(head)
            case _:
                raise ProtocolError(f"a frame of kind {kind} from a worker")

    def _on_hello(self, head: bytes) -> None:
        if self._hello.done():
            raise ProtocolError("a second HELLO")
        version = msgspec.json.decode(head)
        if version != {"protocol": PROTOCOL_VERSION}:
            raise ProtocolError("a shim that speaks another protocol")
        self._hello.set_result(None)

    def _on_load_failed(self, head: bytes) -> None:
        if self._loaded is None or self._loaded.done():
            raise ProtocolError("LOAD_FAILED out of turn")
        failure = failure_head(head)
        message = f"{failure.name}: {failure.message}"
        death = Death(reason=StopReason.STARTUP, detail=f"the module threw while loading: {message}")
        self.say(Level.ERROR, failure.stack or message, thrown=True)
        self._loaded.set_exception(StartupFailed(message, failure.stack, death, failure.name))
        self.kill(death)

    # ---- limits

    def tick(self, now: float) -> None:
        """Looks at the process once; the pool calls it every `limits.TICK_SECONDS` while it is loading or busy."""
        self._receiver.next_tick()
        if self._watch is not None:
            self._watch.look(now)

    def tick_idle(self, now: float) -> None:
        """Looks at a process without runs; the pool calls it every second or so."""
        if self._watch is not None:
            self._watch.look_idle(now)

    def say(self, level: Level, text: str, run: Run | None = None, *, thrown: bool = False) -> None:
        """A line of the box's own in the worker's log."""
        if self.placement is not None:
            id_, origin = (None, None) if run is None else (run.id, run.origin)
            line = LogLine(id_, level, time.time() * 1000, text, origin=origin, thrown=thrown)
            self._observer.logged(self.placement, [line])

    def demote(self, hog: bool) -> None:
        """A hog goes last on the processors until it behaves; where that cannot be undone it is replaced instead."""
        self.demoted = hog
        if self._child is None:
            return
        if hog:
            self._child.demote()
        elif not self._child.restore():
            self.retiring = True


def _nothing() -> None:
    return None
