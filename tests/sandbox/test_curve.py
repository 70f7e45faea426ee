"""What is seen of a sandbox before its end: its last minute, the runs that were going on, what they waited for."""

from __future__ import annotations

import asyncio

import pytest
from tests.fakes.clock import settle
from tests.sandbox.conftest import Answer, Bench, a_frame

from v8box.catalog.model import Limits
from v8box.errors import StopReason
from v8box.sandbox.curve import Curve, path_of
from v8box.sandbox.interface import Death
from v8box.sandbox.protocol import Flag, Kind

MIB = 1024 * 1024
CRASH = Death(reason=StopReason.CRASH, detail="it fell over")


def test_a_curve_has_each_look_of_the_last_seconds_and_one_a_second_before() -> None:
    curve = Curve()
    for tick in range(20 * 90):
        curve.note(tick * 0.05, tick * 0.025, tick * MIB, tick % 7)
    points = curve.points(90.0)
    assert 80 <= len(points) <= 100
    assert points == tuple(sorted(points, key=lambda point: point.at))
    assert -60_000 <= points[0].at <= -58_000
    assert points[-1].at == -50
    assert [later.at - earlier.at for earlier, later in zip(points[-5:], points[-4:], strict=False)] == [50.0] * 4
    assert all(point.cpu == pytest.approx(0.5, abs=0.01) for point in points[1:])
    assert points[-1].memory == (20 * 90 - 1) * MIB


def test_a_peak_between_two_seconds_is_not_lost() -> None:
    curve = Curve()
    for tick in range(200):
        curve.note(tick * 0.05, 0.0, 500 * MIB if tick == 30 else MIB, 1)
    assert max(point.memory for point in curve.points(10.0)) == 500 * MIB


def test_paths_are_told_without_the_callers_query() -> None:
    assert path_of("http://hello.localhost/a/b?token=secret") == "/a/b"
    assert path_of("http://hello.localhost?token=secret") == "/"
    assert path_of("/a?b") == "/a"
    assert len(path_of("http://h/" + "x" * 10_000)) == 500


async def test_a_death_tells_the_curve_and_the_runs_that_were_going_on(bench: Bench) -> None:
    asked = asyncio.Event()

    async def never(*_: object) -> Answer:
        asked.set()
        await asyncio.Event().wait()
        raise AssertionError

    bench.calls.serving = never
    await bench.become_ready(Limits(memory_mb=16))
    first, second = bench.invoke("r1"), bench.invoke("r2")
    bench.says(a_frame(Kind.CALL, Flag.END, 1, [second.stream, "db", "execute", {}]))
    await asked.wait()
    assert second.meter is not None
    second.meter.begin("db", "execute", 10)  # what the broker does
    for megabytes in (1, 8, 40):
        bench.child.bytes, bench.child.cpu = megabytes * MIB, megabytes / 100
        bench.sandbox.tick(asyncio.get_running_loop().time())
    assert bench.fault is StopReason.MEMORY
    death = await bench.end(sig=9)
    assert [point.memory for point in death.curve] == [MIB, 8 * MIB, 40 * MIB]
    assert [run.id for run in death.runs] == ["r1", "r2"]
    assert death.run_count == 2
    assert [run.waiting_for for run in death.runs] == [(), ("db.execute",)]
    assert death.runs[0].method == "GET"
    assert death.runs[0].path == "/"
    assert first.done
    assert bench.observed.deaths == [death]
    assert bench.observed.stops == []


async def test_ends_that_the_box_wanted_have_nothing_to_explain(bench: Bench) -> None:
    await bench.become_ready()
    bench.invoke()
    bench.sandbox.tick(asyncio.get_running_loop().time())
    bench.sandbox.kill(Death(reason=StopReason.SHUTDOWN, detail="the box is stopping"))
    death = await bench.end(sig=9)
    assert (death.curve, death.runs) == ((), ())


async def test_a_run_that_is_stopped_for_a_limit_is_told_though_its_process_goes_on(bench: Bench) -> None:
    await bench.become_ready(Limits(wall_ms=1000))
    run, other = bench.invoke("r1"), bench.invoke("r2")
    other.progress += 10
    bench.sandbox.tick(run.started + 1.5)
    bench.says(a_frame(Kind.DONE, 0, run.stream))
    await settle(3)
    (stop,) = bench.observed.stops
    assert (stop.reason, stop.limit) == (StopReason.WALL, 1000)
    assert [each.id for each in stop.runs] == ["r1"]
    assert bench.observed.deaths == []
    assert not bench.child.kills


async def test_a_caller_that_went_away_is_no_stop(bench: Bench) -> None:
    await bench.become_ready()
    run = bench.invoke("r1")
    bench.sandbox.abandon(run, Death(reason=StopReason.CLIENT_GONE, detail="gone"), "gone")
    bench.says(a_frame(Kind.DONE, 0, run.stream))
    await settle(3)
    assert bench.observed.stops == []


async def test_an_idle_sandbox_forgets_its_curve(bench: Bench) -> None:
    await bench.become_ready()
    run = bench.invoke("r1")
    bench.sandbox.tick(asyncio.get_running_loop().time())
    bench.says(a_frame(Kind.RESPONSE, Flag.END | Flag.DONE, run.stream, [200, []]))
    bench.sandbox.tick_idle(bench.sandbox.idle_since + 61)
    bench.sandbox.kill(CRASH)
    assert (await bench.end(sig=9)).curve == ()
