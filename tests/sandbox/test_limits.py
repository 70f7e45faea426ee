"""The judgement of limits on sequences of figures: no process, no clock."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

import pytest
from tests.fakes.sandboxes import RecordingChannel

from v8box.catalog.model import Limits
from v8box.errors import StopReason
from v8box.sandbox.interface import Death
from v8box.sandbox.limits import GRACE_SECONDS, TICK_SECONDS, Account, Verdict
from v8box.sandbox.run import Response, Run

MIB = 1024 * 1024
GONE = Death(reason=StopReason.CLIENT_GONE, detail="the client went away")


class Figures:
    """An account and the clock and figures it is shown."""

    def __init__(self, limits: Limits, *, base_bytes: int = 10 * MIB) -> None:
        self.account = Account(limits, base_bytes, 5.0)
        self.now = asyncio.get_running_loop().time()
        self.cpu = 5.0
        self.bytes = base_bytes
        self._streams = 0

    def a_run(self) -> Run:
        self._streams += 2
        run = Run(RecordingChannel(), asyncio.get_running_loop(), self._streams, "r")
        run.started = run.progress = self.now
        return run

    def look(self, runs: Collection[Run], seconds: float, *, cpu: float = 0.0, blocked: bool = False) -> Verdict:
        self.now += seconds
        self.cpu += cpu
        return self.account.judge(self.now, self.cpu, self.bytes, runs, blocked=blocked)


def answered(run: Run) -> Run:
    run.response.set_result(Response(200, [], b""))
    return run


def reason(verdict: Verdict) -> StopReason | None:
    return None if verdict.kill is None else verdict.kill.reason


# ---- memory


async def test_a_run_knows_the_most_that_was_in_use_while_it_ran() -> None:
    figures = Figures(Limits(memory_mb=64))
    early, late = figures.a_run(), figures.a_run()
    figures.bytes += 30 * MIB
    figures.look([early], 0.05)
    figures.bytes -= 20 * MIB
    figures.look([early, late], 0.05)
    assert (early.memory_bytes, late.memory_bytes) == (30 * MIB, 10 * MIB)


@pytest.mark.parametrize("used_mb", [0, 63, 64])
async def test_memory_counts_without_what_a_blank_has(used_mb: int) -> None:
    figures = Figures(Limits(memory_mb=64))
    figures.bytes += used_mb * MIB
    for _ in range(5):
        assert figures.look([], 0.05) == Verdict()


async def test_a_worker_over_its_memory_is_asked_to_collect_and_then_killed() -> None:
    figures = Figures(Limits(memory_mb=64))
    figures.bytes += 70 * MIB
    assert figures.look([], 0.05) == Verdict(trim=True)
    assert figures.look([], 0.05) == Verdict()
    verdict = figures.look([], 0.05)
    assert reason(verdict) is StopReason.MEMORY
    assert verdict.kill is not None
    assert (verdict.kill.limit, verdict.kill.used) == (64, 70)


async def test_one_that_collects_in_time_lives_and_is_asked_anew_the_next_time() -> None:
    figures = Figures(Limits(memory_mb=64))
    for _ in range(3):
        figures.bytes += 70 * MIB
        assert figures.look([], 0.05) == Verdict(trim=True)
        figures.bytes -= 70 * MIB
        assert figures.look([], 0.05) == Verdict()


async def test_one_that_is_far_over_is_killed_at_the_first_look() -> None:
    figures = Figures(Limits(memory_mb=64))
    figures.bytes += 96 * MIB
    assert reason(figures.look([], 0.05)) is StopReason.MEMORY


async def test_being_over_ones_memory_is_no_way_to_compute_for_nothing() -> None:
    figures = Figures(Limits(memory_mb=64, cpu_ms=1000))
    run = figures.a_run()
    for look in range(30):
        figures.bytes = (10 + (70 if look % 3 else 0)) * MIB
        if figures.look([run], 0.05, cpu=0.05).kill is not None:
            return
    assert run.cpu_seconds > 1.0


async def test_a_process_smaller_than_a_blank_uses_nothing() -> None:
    figures = Figures(Limits(memory_mb=64))
    assert figures.account.used_bytes(0) == 0


async def test_the_peak_is_kept() -> None:
    figures = Figures(Limits(memory_mb=64))
    for used in (10, 50, 20):
        figures.bytes = (10 + used) * MIB
        figures.look([], 0.05)
    assert figures.account.peak_bytes == 50 * MIB


# ---- processor time


async def test_what_was_burnt_before_the_load_is_not_charged() -> None:
    figures = Figures(Limits(cpu_ms=1000))
    run = figures.a_run()
    assert figures.look([run], 0.05).kill is None
    assert run.cpu_seconds == 0


async def test_a_run_alone_is_charged_in_full() -> None:
    figures = Figures(Limits(cpu_ms=1000))
    run = figures.a_run()
    for _ in range(10):
        assert figures.look([run], 0.1, cpu=0.1).kill is None
    verdict = figures.look([run], 0.1, cpu=0.1)
    assert reason(verdict) is StopReason.CPU
    assert verdict.kill is not None
    assert (verdict.kill.limit, verdict.kill.used) == (1000, 1100)


@pytest.mark.parametrize("count", [2, 5, 50])
async def test_many_share_what_is_burnt(count: int) -> None:
    figures = Figures(Limits(cpu_ms=1000))
    runs = [figures.a_run() for _ in range(count)]
    assert figures.look(runs, 1.0, cpu=count * 0.9).kill is None
    assert sum(run.cpu_seconds for run in runs) == pytest.approx(count * 0.9)
    assert reason(figures.look(runs, 1.0, cpu=count * 0.2)) is StopReason.CPU


async def test_idle_burning_is_charged_to_nobody() -> None:
    figures = Figures(Limits(cpu_ms=1000))
    assert figures.look([], 1.0, cpu=100.0).kill is None
    run = figures.a_run()
    figures.look([run], 0.05)
    assert run.cpu_seconds == 0


async def test_open_websockets_pay_only_when_nobody_else_runs() -> None:
    figures = Figures(Limits(cpu_ms=1000))
    socket, run = figures.a_run(), figures.a_run()
    socket.upgraded = True
    figures.look([socket, run], 0.1, cpu=0.5)
    assert (socket.cpu_seconds, run.cpu_seconds) == (0, 0.5)
    figures.look([socket], 0.1, cpu=0.25)
    assert socket.cpu_seconds == 0.25


async def test_a_spinning_run_is_stopped_however_many_wait_behind_it() -> None:
    """A stretch without an answer is charged in full, not by shares."""
    figures = Figures(Limits(cpu_ms=1000))
    runs = [figures.a_run() for _ in range(100)]
    looks = 0
    while reason(figures.look(runs, TICK_SECONDS, cpu=TICK_SECONDS, blocked=looks > 1)) is None:
        looks += 1
        assert looks < 100, "a loop was never stopped"
    assert looks * TICK_SECONDS == pytest.approx(1.0, abs=3 * TICK_SECONDS)


async def test_a_process_that_answers_begins_a_new_stretch() -> None:
    figures = Figures(Limits(cpu_ms=1000))
    runs = [figures.a_run() for _ in range(100)]
    for _ in range(20):
        assert figures.look(runs, 0.5, cpu=0.5, blocked=True).kill is None
        assert figures.look(runs, 0.05, cpu=0.0).kill is None


# ---- wall time


async def test_a_run_is_overdue_and_then_lingers() -> None:
    figures = Figures(Limits(wall_ms=1000))
    run = figures.a_run()
    assert figures.look([run], 1.0) == Verdict()
    assert figures.look([run], 0.05) == Verdict(overdue=(run,))
    run.cancel(StopReason.WALL)
    run.cancelled_at = figures.now
    run.kill(figures.account.wall_death(run, figures.now))
    assert figures.look([run], GRACE_SECONDS / 4) == Verdict()
    assert figures.look([run], GRACE_SECONDS) == Verdict(lingering=(run,))


async def test_the_death_says_how_long_it_took() -> None:
    figures = Figures(Limits(wall_ms=1000))
    run = figures.a_run()
    figures.now += 1.05
    death = figures.account.wall_death(run, figures.now)
    assert (death.reason, death.limit, death.used) == (StopReason.WALL, 1000, 1050)


async def test_an_upload_may_take_its_time_while_it_moves() -> None:
    figures = Figures(Limits(wall_ms=1000))
    run = figures.a_run()
    for _ in range(20):
        run.progress = figures.now
        assert figures.look([run], 0.9) == Verdict()
    assert figures.look([run], 0.2).overdue == (run,)


async def test_a_body_may_take_its_time_while_it_moves() -> None:
    figures = Figures(Limits(wall_ms=1000))
    run = answered(figures.a_run())
    for _ in range(20):
        run.progress = figures.now
        assert figures.look([run], 0.9) == Verdict()
    assert figures.look([run], 0.2).overdue == (run,)


async def test_an_open_websocket_has_no_wall() -> None:
    figures = Figures(Limits(wall_ms=1000))
    run = answered(figures.a_run())
    run.upgraded = True
    assert figures.look([run], 3600.0) == Verdict()


async def test_a_long_stream_whose_client_leaves_gets_its_grace() -> None:
    """Ten minutes of events, the client leaves: the worker has the time to write down where it was."""
    figures = Figures(Limits(wall_ms=1000))
    run = answered(figures.a_run())
    figures.now += 600
    run.progress = figures.now
    run.cancel("the client went away")
    run.cancelled_at = figures.now
    run.kill(GONE)
    assert figures.look([run], TICK_SECONDS) == Verdict()


async def test_a_websocket_that_was_closed_may_not_go_on_for_ever() -> None:
    figures = Figures(Limits(wall_ms=1000))
    run = answered(figures.a_run())
    run.upgraded = True
    figures.now += 600
    run.progress = figures.now
    run.cancel("the connection is gone")
    run.cancelled_at = figures.now
    run.kill(GONE)
    verdict = figures.look([run], 5.0)
    assert (*verdict.overdue, *verdict.lingering) == (run,)


async def test_each_run_has_its_own_wall() -> None:
    figures = Figures(Limits(wall_ms=1000))
    old = figures.a_run()
    figures.now += 0.5
    young = figures.a_run()
    assert figures.look([old, young], 0.6).overdue == (old,)


async def test_a_dead_sandbox_is_judged_by_what_it_broke_first() -> None:
    figures = Figures(Limits(wall_ms=1000, cpu_ms=1000, memory_mb=64))
    run = figures.a_run()
    figures.bytes += 100 * MIB
    assert reason(figures.look([run], 5.0, cpu=5.0)) is StopReason.MEMORY
