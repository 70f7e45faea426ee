"""A sandbox that is a Deno process: its life from spawn to death, and the runs inside it."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import re
import signal
import time
from collections.abc import Collection
from typing import Any

import msgspec

from v8box.catalog.model import Placement
from v8box.errors import StopReason
from v8box.kit import procfs
from v8box.sandbox.calls import Calls, meter_of
from v8box.sandbox.channel import Channel, Inbound, Outbound
from v8box.sandbox.curve import CURVE_SECONDS, REPORTED, Curve, running
from v8box.sandbox.growth import Growth
from v8box.sandbox.heap import NEEDED_FACTOR, NEEDED_MORE_BYTES, HeapReader, SnapshotFailed, Write
from v8box.sandbox.interface import (
    CallServer,
    Death,
    Invocation,
    LogLine,
    MemoryState,
    Profile,
    RunFailed,
    SandboxObserver,
    SandboxState,
    StartupFailed,
)
from v8box.sandbox.limits import Account
from v8box.sandbox.protocol import (
    LOG_FLOOD_EXIT_CODE,
    LOG_FLOOD_FACTOR,
    PROTOCOL_VERSION,
    WINDOW_BYTES,
    Flag,
    Kind,
    Level,
    ProtocolError,
    unpack_credit,
)
from v8box.sandbox.run import MAX_MESSAGE_BYTES, Messages, Response, Run
from v8box.sandbox.spawner import Child, ExitStatus
from v8box.sandbox.ticks import TickLog
from v8box.telemetry.records import Measurement

logger = logging.getLogger(__name__)

_END, _TEXT, _DONE, _UPGRADE, _BODY = int(Flag.END), int(Flag.TEXT), int(Flag.DONE), int(Flag.UPGRADE), int(Flag.BODY)
_encode = msgspec.json.encode
_MIB = 1024 * 1024
_LAST_OUTPUT_BYTES = 4096
_MAX_METRIC_BYTES_PER_TICK = 64 * 1024
_MAX_LOG_BYTES_PER_TICK = 8 * _MIB
_MAX_STREAM = 0xFFFF_FFF0
_MAX_STACK_CHARS = 20_000
_MAX_MESSAGE_CHARS = 2_000
_MAX_WORD_CHARS = 64
_SPAN = re.compile("[0-9a-f]{16}")
_MAX_HOST_CHARS = 255
_LEAK_MARGIN = 0.25
"""A process that leaks is replaced when less than this share of its memory is left."""
_STALLED_LOOKS = 3
"""A process that says nothing for so many looks gets no new runs while another can take them."""


class _Failure(msgspec.Struct):
    name: str
    message: str
    stack: str | None = None
    status: int | None = None
    caller: bool = False


class _Loaded(msgspec.Struct):
    shape: str


class _Reason(msgspec.Struct):
    reason: str


class _Close(msgspec.Struct):
    code: int
    reason: str


_response_head = msgspec.json.Decoder(tuple[int, list[tuple[str, str]]]).decode
_failure_head = msgspec.json.Decoder(_Failure).decode
_loaded_head = msgspec.json.Decoder(_Loaded).decode
_reason_head = msgspec.json.Decoder(_Reason).decode
_close_head = msgspec.json.Decoder(_Close).decode
_fetch_head = msgspec.json.Decoder(tuple[int, str, str, str]).decode
_fetched_head = msgspec.json.Decoder(tuple[int, int, str]).decode
_metric_head = msgspec.json.Decoder(list[Measurement]).decode
_log_head = msgspec.json.Decoder(list[tuple[str | None, int, float, str, Any]]).decode


class DenoSandbox:
    """One confined Deno process. Made by `DenoRuntime`; the pool loads a version into it and leases it out."""

    def __init__(self, profile: Profile, calls: CallServer, observer: SandboxObserver) -> None:
        loop = asyncio.get_running_loop()
        self._loop = loop
        self._observer = observer
        self.profile = profile
        self.tick_log = TickLog() if profile.ticks_us else None
        self.channel = Channel(self)
        self._calls = Calls(self.channel, calls)
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
        self._curve: Curve | None = None
        """Of a sandbox that had runs within the last minute."""
        self._growth: Growth | None = None
        self._leak_told = False
        self._heap: HeapReader | None = None
        self.inspected = False
        self._most_data = 0
        self.runs: dict[int, Run] = {}
        """Of the runs, by their ids: log lines say no more."""
        self.run_count = 0
        self._trimmed_runs = 0
        self.stalled = False
        self.retiring = False
        self.demoted = False
        self._unaccounted = False
        self._idle_look = 0.0
        self._next_stream = 2
        self._silent = False
        self._silent_looks = 0
        self._ping_sent = False
        self._log_bytes = 0
        self._metric_bytes = 0
        self.on_free = _nothing
        """Called when a run has ended and a lease may be had."""

    # ---- life

    def attach(self, child: Child) -> None:
        """The process exists; its output and its end are watched from here on."""
        self._child = child
        child.on_output(self._on_output)
        child.exited.add_done_callback(self._on_exit)

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
            self._end_run(run)
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
        curve = () if self._curve is None else self._curve.points(now)
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
            return self._flood_death()
        if self.state is SandboxState.STARTING or self._loaded is None:
            return Death(reason=StopReason.STARTUP, detail=f"the runtime ended with code {status.code} while starting")
        return Death(reason=StopReason.EXIT, detail=f"the worker ended its process with code {status.code}")

    def _flood_death(self) -> Death:
        limit = self.account.limits.log_kb if self.account else None
        detail = f"the worker kept on printing far beyond limits.log_kb ({limit})"
        return Death(reason=StopReason.LOG_BYTES, detail=detail, limit=limit, used=(limit or 0) * LOG_FLOOD_FACTOR)

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
            self.kill(self._flood_death())
        elif self._output_bytes <= budget:
            text = data.decode("utf-8", "replace").rstrip("\n")
            self._observer.logged(self.placement, [LogLine(None, Level.INFO, time.time() * 1000, text)])

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
            self._unaccounted = True
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
            if self._growth is not None and (state := self.memory()) is not None:
                self._growth.collecting(state.used_bytes)

    def used_memory(self) -> float:
        """The worker's memory as a share of its limit."""
        if self.account is None or self._child is None or self.state is SandboxState.DEAD:
            return 0.0
        used = self.account.used_bytes(self._child.usage().private_bytes)
        return used / (self.account.limits.memory_mb * _MIB)

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
            if self._death is None and self.account is not None:
                self._spare(self._loop.time(), child.usage().cpu_seconds)

    def _spare(self, now: float, cpu_seconds: float) -> None:
        """What the snapshot costs is nobody's fault: neither its processor time nor the time that runs wait for it."""
        if self.account is not None:
            self.account.skip(cpu_seconds)
        for run in self.runs.values():
            run.progress = now
        self._silent = self._ping_sent = False

    def memory(self) -> MemoryState | None:
        account, child = self.account, self._child
        if account is None or child is None or self.state is SandboxState.DEAD:
            return None
        used = account.used_bytes(child.usage().private_bytes)
        leak = None if self._growth is None else self._growth.leak
        return MemoryState(
            used_bytes=used,
            peak_bytes=max(used, account.peak_bytes),
            limit_bytes=account.limits.memory_mb * _MIB,
            runs=self.run_count,
            leak_bytes_per_run=None if leak is None else leak.bytes_per_run,
        )

    def _end_run(self, run: Run) -> None:
        if self.runs.pop(run.stream, None) is None:
            return
        if run.calls is not None and self.placement is not None:
            self._calls.end_run(self.placement, run)
        if run.death is not None and self._death is None:
            self._tell_stopped(run, run.death)
        run.finish()
        if not self.runs:
            self.idle_since = self._loop.time()
            self._output_bytes = 0
            if self.demoted and self._child is not None:
                self._demote(self._child, False)
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

    # ---- frames

    def on_frame(self, kind: int, flags: int, stream: int, head: bytes, body: bytes) -> None:
        self._silent = False
        try:
            if kind == 6:  # Kind.RESPONSE: the only one that comes with every run
                self._on_response(flags, stream, head, body)
            elif kind == 10:  # Kind.DONE; a run that is over here may end there a moment later
                if (run := self.runs.get(stream)) is not None:
                    self._on_done(run)
            else:
                self._on_other(kind, flags, stream, head, body)
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
            raise ProtocolError(f"a head of kind {kind} that cannot be read: {error}") from error

    def _on_response(self, flags: int, stream: int, head: bytes, body: bytes) -> None:
        run = self.runs.get(stream)
        if run is None:
            raise ProtocolError("a RESPONSE to no run")
        status, headers = _response_head(head)
        if run.response.done():
            if run.cancelled is None:
                raise ProtocolError("a second RESPONSE to one run")
        elif flags & _UPGRADE:
            if not run.may_upgrade:
                raise ProtocolError("an upgrade that nobody asked for")
            run.upgraded = True
            run.messages = Messages(self.channel, run)
            run.response.set_result(Response(101, headers, b"", True))
        else:
            if not 200 <= status <= 599:
                raise ProtocolError(f"status {status}")
            if flags & _END:
                if len(body) > WINDOW_BYTES:
                    raise ProtocolError("a whole body longer than a window")
                run.response.set_result(Response(status, headers, body))
            else:
                run.body = Inbound(self.channel, stream)
                if body:
                    run.body.feed(body, False)
                run.response.set_result(Response(status, headers, run.body))
        run.progress = self._loop.time()
        if flags & _DONE:
            self._on_done(run)

    def _on_done(self, run: Run) -> None:
        if not run.response.done():
            if run.cancelled is None:
                raise ProtocolError("a run that ended without a response")
            run.kill(Death(reason=StopReason.CLIENT_GONE, detail=run.cancelled))
        elif run.body is not None:
            run.body.fail("the run ended before its body was complete")
        if run.messages is not None:
            run.messages.lost()
        self._end_run(run)

    def _on_other(self, kind: int, flags: int, stream: int, head: bytes, body: bytes) -> None:
        match kind:
            case Kind.CALL:
                if self.placement is None:
                    raise ProtocolError("a CALL from a blank")
                self._calls.open(self.placement, self.runs, flags, stream, head, body)
            case Kind.BODY:
                self._on_body(flags, stream, body)
            case Kind.CREDIT:
                self._on_credit(stream, body)
            case Kind.LOG:
                self._on_log(head)
            case Kind.FETCH:
                self._on_fetch(flags, stream, head)
            case Kind.METRIC:
                self._on_metric(head)
            case Kind.FAILED:
                self._on_failed(stream, head)
            case Kind.CANCEL:
                reason = _reason_head(head).reason
                if stream & 1:
                    self._calls.cancel(stream, reason)
                elif (run := self.runs.get(stream)) is not None and run.request is not None:
                    run.request.fail(reason)
            case Kind.MESSAGE:
                run = self.runs.get(stream)
                if run is not None and run.cancelled is not None:
                    return  # sent before the worker knew
                if run is None or run.messages is None or len(body) > MAX_MESSAGE_BYTES:
                    raise ProtocolError("a WebSocket message that cannot be delivered")
                run.progress = self._loop.time()
                run.messages.feed(bool(flags & _TEXT), body)
            case Kind.CLOSE:
                run = self.runs.get(stream)
                if run is not None and run.messages is not None and run.cancelled is None:
                    closing = _close_head(head)
                    if not 1000 <= closing.code <= 4999:
                        raise ProtocolError("a close code that is none")
                    run.messages.close(closing.code, closing.reason)
            case Kind.PONG:
                self._ping_sent = False
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
                self.shape = _loaded_head(head).shape
                self._loaded.set_result(None)
            case Kind.LOAD_FAILED:
                self._on_load_failed(head)
            case _:
                raise ProtocolError(f"a frame of kind {kind} from a worker")

    def _on_body(self, flags: int, stream: int, body: bytes) -> None:
        if stream & 1:
            self._calls.body(stream, body, bool(flags & _END))
            return
        run = self.runs.get(stream)
        if run is not None and run.cancelled is not None:
            return  # sent before the worker knew
        if run is None or run.body is None:
            raise ProtocolError("a BODY on no stream")
        run.progress = self._loop.time()
        run.body.feed(body, bool(flags & _END))

    def _on_credit(self, stream: int, body: bytes) -> None:
        if len(body) != 4:
            raise ProtocolError("a CREDIT without its count")
        (count,) = unpack_credit(body)
        if stream & 1:
            self._calls.credit(stream, count)
            return
        run = self.runs.get(stream)
        if run is None:
            return
        run.progress = self._loop.time()
        if run.messages is not None:
            run.messages.grant(count)
        elif run.request is not None:
            run.request.grant(count)

    def _on_failed(self, stream: int, head: bytes) -> None:
        run = self.runs.get(stream)
        if run is None:
            raise ProtocolError("a FAILED of no run")
        if run.failure is not None:
            raise ProtocolError("a second FAILED of one run")
        failure = _failure_head(head)
        status = failure.status if failure.status is not None and 400 <= failure.status <= 599 else None
        stack = failure.stack[:_MAX_STACK_CHARS] if failure.stack else None
        message = failure.message[:_MAX_MESSAGE_CHARS]
        error = run.failure = RunFailed(failure.name[:200], message, stack, status, caller=failure.caller)
        if not run.response.done():
            run.response.set_exception(error)
        elif run.body is not None:
            run.body.fail(f"the worker threw while it was sending: {error}")
        if self.placement is not None and not failure.caller:
            text = stack or f"{failure.name[:200]}: {message}"
            line = LogLine(run.id, Level.ERROR, time.time() * 1000, text, origin=run.origin, thrown=True)
            self._observer.logged(self.placement, [line])

    def _on_fetch(self, flags: int, stream: int, head: bytes) -> None:
        run = self.runs.get(stream)
        if run is None:
            return  # it has just ended here
        meter = meter_of(run)
        if flags & _END:
            number, status, error = _fetched_head(head)
            meter.fetched(number, status if 100 <= status <= 599 else 0, error[:_MAX_WORD_CHARS])
        else:
            number, method, host, span = _fetch_head(head)
            span = span if _SPAN.fullmatch(span) else ""
            meter.fetch(number, method[:_MAX_WORD_CHARS], host[:_MAX_HOST_CHARS], span)

    def _on_log(self, head: bytes) -> None:
        self._log_bytes += len(head)
        kilobytes = self.account.limits.log_kb if self.account else 0
        if self._log_bytes > max(_MAX_LOG_BYTES_PER_TICK, kilobytes * 1024 * LOG_FLOOD_FACTOR):
            self.kill(self._flood_death())
            return
        if self.placement is not None:
            origins = {run.id: run.origin for run in self.runs.values()}
            lines = [LogLine(*line, origin=origins.get(line[0]) if line[0] else None) for line in _log_head(head)]
            self._observer.logged(self.placement, lines)

    def _on_metric(self, head: bytes) -> None:
        """What comes faster than is allowed between two looks is not even read: its time would be others'."""
        placement = self.placement
        if placement is None:
            raise ProtocolError("a METRIC from a blank")
        before = self._metric_bytes
        self._metric_bytes += len(head)
        if self._metric_bytes <= _MAX_METRIC_BYTES_PER_TICK:
            self._observer.measured(placement, _metric_head(head), lost=False)
        elif before <= _MAX_METRIC_BYTES_PER_TICK:
            self._observer.measured(placement, [], lost=True)

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
        failure = _failure_head(head)
        message = f"{failure.name}: {failure.message}"
        death = Death(reason=StopReason.STARTUP, detail=f"the module threw while loading: {message}")
        if self.placement is not None:
            text = failure.stack or message
            self._observer.logged(self.placement, [LogLine(None, Level.ERROR, time.time() * 1000, text, thrown=True)])
        self._loaded.set_exception(StartupFailed(message, failure.stack, death, failure.name))
        self.kill(death)

    # ---- limits

    def tick(self, now: float) -> None:
        """Looks at the process once; the pool calls it every `limits.TICK_SECONDS` while it is loading or busy."""
        self._log_bytes = self._metric_bytes = 0
        account, child = self.account, self._child
        if account is None or child is None or self._death is not None or child.exited.done():
            return
        usage = child.usage()
        if self._unaccounted:
            self._unaccounted = False
            account.skip(usage.cpu_seconds)
        if self._curve is None:
            self._curve = Curve()
        used = account.used_bytes(usage.private_bytes)
        self._curve.note(now, usage.cpu_seconds, used, len(self.runs))
        if self.inspected:
            self._spare(now, usage.cpu_seconds)
            return
        self._look_at_growth(now, used, account.limits.memory_mb)
        blocked = self._ping_sent and self._silent  # for a tick at least
        verdict = account.judge(now, usage.cpu_seconds, usage.private_bytes, self.runs.values(), blocked=blocked)
        if verdict.kill is not None:
            self.kill(verdict.kill)
            return
        if verdict.trim:
            self.channel.send(Kind.TRIM, 0, 0)
        for run in self.runs.values():
            on_slow, run.on_slow = run.on_slow, None
            if on_slow is not None:
                on_slow()
        for run in verdict.overdue:
            death = account.wall_death(run, now)
            self._tell(run, f"stopped ({death.reason}): {death.detail}")
            self.abandon(run, death, StopReason.WALL)
        if verdict.lingering:
            if self.stalled or all(run.cancelled is not None for run in self.runs.values()):
                self.kill(account.wall_death(verdict.lingering[0], now))
                return
            self.retiring = True  # the others in this process may finish; then it goes
        self._silent_looks = self._silent_looks + 1 if blocked else 0
        self.stalled = self._silent_looks >= _STALLED_LOOKS
        hog = account.is_hog(usage.cpu_seconds, self.runs.values())
        if hog != self.demoted:
            self._demote(child, hog)
        if self.runs:
            if not self._ping_sent:
                self._ping_sent = True
                self.channel.send(Kind.PING, 0, 0)
            self._silent = True

    def tick_idle(self, now: float) -> None:
        """Looks at a process without runs; the pool calls it every second or so."""
        account, child = self.account, self._child
        if account is None or child is None or self._death is not None or child.exited.done() or self.runs:
            return
        usage = child.usage()
        cpu_seconds, since = usage.cpu_seconds, self._idle_look
        self._idle_look = now
        if self.inspected:
            account.skip(cpu_seconds)
            return
        if self._curve is not None and now - self.idle_since > CURVE_SECONDS:
            self._curve = None
        self._look_at_growth(now, account.used_bytes(usage.private_bytes), account.limits.memory_mb)
        if since < self.idle_since:
            account.skip(cpu_seconds)  # some of it was a run's
        elif (death := account.judge_idle(cpu_seconds, now - since)) is not None:
            self.kill(death)

    def _look_at_growth(self, now: float, used: int, limit_mb: int) -> None:
        """What leaks is told once, and replaced before it breaches its limit; the runs it has may finish."""
        if not self.run_count:
            return
        growth = self._growth
        if growth is None:
            growth = self._growth = Growth(limit_mb * _MIB)
        if growth.look(now, self.run_count, used):
            self.channel.send(Kind.TRIM, 0, 0)
        leak = growth.leak
        if leak is None:
            return
        left = max(0, limit_mb * _MIB - used)
        if not self._leak_told and self.placement is not None:
            self._leak_told = True
            runs = round(left / leak.bytes_per_run)
            text = f"{leak.words()}: limits.memory_mb ({limit_mb}) is reached in about {runs} more"
            self._observer.logged(self.placement, [LogLine(None, Level.WARN, time.time() * 1000, text)])
        if left < limit_mb * _MIB * _LEAK_MARGIN:
            self.retiring = True

    def _tell(self, run: Run, text: str) -> None:
        if self.placement is not None:
            line = LogLine(run.id, Level.ERROR, time.time() * 1000, text, origin=run.origin)
            self._observer.logged(self.placement, [line])

    def _demote(self, child: Child, hog: bool) -> None:
        """A hog goes last on the processors until it behaves; where that cannot be undone it is replaced instead."""
        self.demoted = hog
        if hog:
            child.demote()
        elif not child.restore():
            self.retiring = True


def _nothing() -> None:
    return None
