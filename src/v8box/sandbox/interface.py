"""What the pool and the gateway know of a sandbox: its states, what it is given, what it gives back, how it dies.

`deno.py` is the real implementation; tests ship others, named for how they fail.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal, Protocol

from v8box.catalog.model import Placement
from v8box.errors import StopReason
from v8box.telemetry.meter import Meter
from v8box.telemetry.origin import Origin
from v8box.telemetry.records import CurvePoint, Measurement

if TYPE_CHECKING:
    from v8box.sandbox.run import Run
    from v8box.sandbox.ticks import TickLog


class SandboxState(StrEnum):
    """STARTING: the process is not a blank yet. BLANK: it waits for a worker. LOADING: the module is being imported.
    READY: it takes runs. DRAINING: it finishes those it has. DEAD: the process is gone."""

    STARTING = "starting"
    BLANK = "blank"
    LOADING = "loading"
    READY = "ready"
    DRAINING = "draining"
    DEAD = "dead"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningRun:
    """A run that was going on when its sandbox ended. `waiting_for`: its calls without an answer, as `db.execute`."""

    id: str
    method: str
    path: str
    elapsed_seconds: float
    cpu_seconds: float
    waiting_for: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Death:
    """How a sandbox ended. `limit` and `used` are set when a limit was the reason, in the unit of the limit's name.
    `runs` and `curve` are what was seen of it before: up to a bound, and of `run_count` runs."""

    reason: StopReason
    detail: str
    limit: float | None = None
    used: float | None = None
    exit_code: int | None = None
    signal: int | None = None
    cpu_seconds: float = 0.0
    peak_memory_bytes: int = 0
    last_output: str = ""
    runs: tuple[RunningRun, ...] = ()
    run_count: int = 0
    curve: tuple[CurvePoint, ...] = ()
    stack: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryState:
    """The memory of a process that has a worker: now, at most, and how much it keeps with each run, if it leaks."""

    used_bytes: int
    peak_bytes: int
    limit_bytes: int
    runs: int
    leak_bytes_per_run: float | None = None


class RunKilled(Exception):
    """The run ended because its sandbox died, or because the box ended it."""

    def __init__(self, death: Death) -> None:
        self.death = death
        super().__init__(f"{death.reason}: {death.detail}")


class RunFailed(Exception):
    """The worker's code threw. `status` is what a thrown error asked for (400-599), `caller` whether it is the caller's
    fault (params that do not parse)."""

    def __init__(self, name: str, message: str, stack: str | None, status: int | None, *, caller: bool) -> None:
        self.name = name
        self.message = message
        self.stack = stack
        self.status = status
        self.caller = caller
        super().__init__(f"{name}: {message}")


class StartupFailed(Exception):
    """The worker's module threw while it was imported, or did not finish in limits.startup_ms. `name` and `stack` are
    those of what it threw."""

    def __init__(
        self, message: str, stack: str | None = None, death: Death | None = None, name: str | None = None
    ) -> None:
        self.message = message
        self.stack = stack
        self.death = death
        self.name = name
        super().__init__(message)


@dataclass(slots=True)
class Invocation:
    """One run to be started. `body`: all of it, or None when it follows as a stream. `headers` are Latin-1 text."""

    run_id: str
    method: str
    url: str
    headers: Sequence[tuple[str, str]]
    body: bytes | None = b""
    upgrade: bool = False
    trigger: str = "http"
    origin: Origin | None = None


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line a worker printed. `run` is None for what was printed outside of any run; `time_ms` is Unix time."""

    run: str | None
    level: int
    time_ms: float
    text: str
    fields: Any = None
    thrown: bool = False
    """It is what the run, or the start of the worker, threw: `Run.failure` and `StartupFailed` have the same."""
    origin: Origin | None = None
    """Of its run."""


class CallRefused(Exception):
    """A binding call failed; all of it reaches the worker."""

    def __init__(self, code: str, message: str, details: Mapping[str, Any] | None = None) -> None:
        self.code = code
        self.message = message
        self.details = details
        super().__init__(f"{code}: {message}")


class CallAnswer(Protocol):
    """What a call gives back; `bindings.interface.Answer` has this shape."""

    result: Any
    body: bytes | AsyncIterator[bytes] | None


class CallServer(Protocol):
    """Serves the binding calls of every sandbox, metered per run. `size` are the bytes that the call came with.

    `serve` raises `CallRefused`; it is cancelled when the run ends. `run_ended` comes after a run's last call.
    """

    async def serve(
        self,
        placement: Placement,
        run_id: str,
        meter: Meter,
        size: int,
        binding: str,
        operation: str,
        args: Any,
        body: bytes | AsyncIterator[bytes] | None,
    ) -> CallAnswer: ...

    def run_ended(self, placement: Placement, run_id: str, meter: Meter) -> None: ...


class SandboxObserver(Protocol):
    """Who hears what happens in a sandbox. All are called on the loop and must not block. `died`: the process is gone;
    `stopped`: a run was ended for a limit, and its process goes on."""

    def logged(self, placement: Placement, lines: Sequence[LogLine]) -> None: ...
    def died(self, placement: Placement | None, death: Death) -> None: ...
    def stopped(self, placement: Placement, death: Death) -> None: ...
    def measured(self, placement: Placement, entries: Sequence[Measurement], *, lost: bool) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What a sandbox is started with; only sandboxes of the same profile may stand in for each other."""

    net: Literal["public", "none"] | tuple[str, ...] = "public"
    memory_mb: int = 128
    ticks_us: int = 0
    """So often V8 says where the code is (`ticks.py`); 0: never."""


class Sandbox(Protocol):
    """One sandbox, as the pool and the gateway use it.

    `warm` lets a BLANK prepare while it waits. `load` takes a BLANK to READY, or kills it and raises `StartupFailed`.
    `invoke` needs READY and never waits. `drain` ends the process when its runs are over, `kill` at once. `stopped` is
    set when the process is gone; every run it had has been told by then. `trim` is for an idle one. `tick` judges the
    limits; the pool calls it every `limits.TICK_SECONDS`, and `tick_idle` every second or so for one without runs.
    `memory` is None without a worker. `heap_snapshot` gives how long it was; the sandbox is `inspected` meanwhile.
    `tick_log` is there when the profile asks for it.
    """

    profile: Profile
    state: SandboxState
    stopped: asyncio.Future[Death]
    placement: Placement | None
    shape: str
    started_at: float
    idle_since: float
    run_count: int
    stalled: bool
    retiring: bool
    inspected: bool
    on_free: Callable[[], None]
    runs: dict[int, Run]
    tick_log: TickLog | None

    @property
    def pid(self) -> int: ...
    def warm(self) -> None: ...
    async def load(self, placement: Placement, head: dict[str, Any], code: bytes) -> None: ...
    def invoke(self, invocation: Invocation) -> Run: ...
    def abandon(self, run: Run, death: Death, cancel_reason: str) -> None: ...
    def drain(self, reason: StopReason) -> None: ...
    def kill(self, death: Death) -> None: ...
    def trim(self) -> None: ...
    def used_memory(self) -> float: ...
    def memory(self) -> MemoryState | None: ...
    async def heap_snapshot(self, write: Callable[[bytes], Awaitable[None]]) -> int: ...
    def tick(self, now: float) -> None: ...
    def tick_idle(self, now: float) -> None: ...


class SandboxFactory(Protocol):
    """Starts blanks. Raises `StartupFailed` or another `V8BoxError`."""

    async def start_sandbox(self, profile: Profile) -> Sandbox: ...
