"""A loaded worker's process, look by look: what it uses, whether it answers, whether it leaks; and what follows.

What is judged is in `limits` and `growth`; here is who measures, and acts on the sandbox.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Final

from v8box.errors import StopReason
from v8box.sandbox.curve import CURVE_SECONDS, Curve
from v8box.sandbox.growth import Growth
from v8box.sandbox.interface import MemoryState
from v8box.sandbox.protocol import Kind, Level

if TYPE_CHECKING:
    from v8box.sandbox.deno import DenoSandbox
    from v8box.sandbox.limits import Account
    from v8box.sandbox.run import Run
    from v8box.sandbox.spawner import Child
    from v8box.telemetry.records import CurvePoint

_MIB: Final = 1024 * 1024
_LEAK_MARGIN: Final = 0.25
"""A process that leaks is replaced when less than this share of its memory is left."""
_STALLED_LOOKS: Final = 3
"""A process that says nothing for so many looks gets no new runs while another can take them."""


class Watch:
    """Of one sandbox, from the loading of its worker on."""

    def __init__(self, sandbox: DenoSandbox, child: Child, account: Account) -> None:
        self._sandbox = sandbox
        self._child = child
        self._account = account
        self._limit_bytes = account.limits.memory_mb * _MIB
        self._curve: Curve | None = None
        """Of a sandbox that had runs within the last minute."""
        self._growth: Growth | None = None
        self._leak_told = False
        self._asked = False
        """A PING is on its way."""
        self._silent_looks = 0
        self._idle_look = 0.0

    def curve(self, now: float) -> tuple[CurvePoint, ...]:
        return () if self._curve is None else self._curve.points(now)

    @property
    def used_bytes(self) -> int:
        """The worker's memory now."""
        return self._account.used_bytes(self._child.usage().private_bytes)

    def memory(self) -> MemoryState:
        used = self.used_bytes
        leak = None if self._growth is None else self._growth.leak
        return MemoryState(
            used_bytes=used,
            peak_bytes=max(used, self._account.peak_bytes),
            limit_bytes=self._limit_bytes,
            runs=self._sandbox.run_count,
            leak_bytes_per_run=None if leak is None else leak.bytes_per_run,
        )

    def collecting(self) -> None:
        """The process was asked to free what it can."""
        if self._growth is not None:
            self._growth.collecting(self.used_bytes)

    def answered(self) -> None:
        """A PONG came."""
        self._asked = False

    def spare(self, now: float) -> None:
        """What a snapshot costs is nobody's fault: neither its processor time nor the time that runs wait for it."""
        self._account.skip(self._child.usage().cpu_seconds)
        for run in self._sandbox.runs.values():
            run.progress = now
        self._sandbox.heard = True
        self._asked = False

    # ---- looking

    def look(self, now: float) -> None:
        """At a process that is loading or busy."""
        sandbox, child, account = self._sandbox, self._child, self._account
        if sandbox.is_ended or child.exited.done():
            return
        usage = child.usage()
        if sandbox.began:
            sandbox.began = False
            account.skip(usage.cpu_seconds)
        if self._curve is None:
            self._curve = Curve()
        used = account.used_bytes(usage.private_bytes)
        runs = sandbox.runs.values()
        self._curve.note(now, usage.cpu_seconds, used, len(runs))
        if sandbox.inspected:
            self.spare(now)
            return
        self._look_at_growth(now, used)
        blocked = self._asked and not sandbox.heard  # for a look at least
        verdict = account.judge(now, usage.cpu_seconds, usage.private_bytes, runs, blocked=blocked)
        if verdict.kill is not None:
            sandbox.kill(verdict.kill)
            return
        if verdict.trim:
            sandbox.channel.send(Kind.TRIM, 0, 0)
        for run in runs:
            on_slow, run.on_slow = run.on_slow, None
            if on_slow is not None:
                on_slow()
        self._end_overdue(now, verdict.overdue)
        if verdict.lingering:
            if sandbox.stalled or all(run.cancelled is not None for run in runs):
                sandbox.kill(account.wall_death(verdict.lingering[0], now))
                return
            sandbox.retiring = True  # the others in this process may finish; then it goes
        self._silent_looks = self._silent_looks + 1 if blocked else 0
        sandbox.stalled = self._silent_looks >= _STALLED_LOOKS
        hog = account.is_hog(usage.cpu_seconds, runs)
        if hog != sandbox.demoted:
            sandbox.demote(hog)
        if runs:
            self._ask()

    def _end_overdue(self, now: float, overdue: Collection[Run]) -> None:
        for run in overdue:
            death = self._account.wall_death(run, now)
            self._sandbox.say(Level.ERROR, f"stopped ({death.reason}): {death.detail}", run)
            self._sandbox.abandon(run, death, StopReason.WALL)

    def _ask(self) -> None:
        """Whether it still answers: a process that does not is blocked."""
        if not self._asked:
            self._asked = True
            self._sandbox.channel.send(Kind.PING, 0, 0)
        self._sandbox.heard = False

    def look_idle(self, now: float) -> None:
        """At a process without runs."""
        sandbox, child, account = self._sandbox, self._child, self._account
        if sandbox.is_ended or child.exited.done() or sandbox.runs:
            return
        usage = child.usage()
        cpu_seconds, since = usage.cpu_seconds, self._idle_look
        self._idle_look = now
        if sandbox.inspected:
            account.skip(cpu_seconds)
            return
        if self._curve is not None and now - sandbox.idle_since > CURVE_SECONDS:
            self._curve = None
        self._look_at_growth(now, account.used_bytes(usage.private_bytes))
        if since < sandbox.idle_since:
            account.skip(cpu_seconds)  # some of it was a run's
        elif (death := account.judge_idle(cpu_seconds, now - since)) is not None:
            sandbox.kill(death)

    def _look_at_growth(self, now: float, used: int) -> None:
        """What leaks is told once, and replaced before it breaches its limit; the runs it has may finish."""
        sandbox = self._sandbox
        if not sandbox.run_count:
            return
        if self._growth is None:
            self._growth = Growth(self._limit_bytes)
        if self._growth.look(now, sandbox.run_count, used):
            sandbox.channel.send(Kind.TRIM, 0, 0)
        leak = self._growth.leak
        if leak is None:
            return
        left = max(0, self._limit_bytes - used)
        if not self._leak_told:
            self._leak_told = True
            limit, runs = self._account.limits.memory_mb, round(left / leak.bytes_per_run)
            sandbox.say(Level.WARN, f"{leak.words()}: limits.memory_mb ({limit}) is reached in about {runs} more")
        if left < self._limit_bytes * _LEAK_MARGIN:
            sandbox.retiring = True
