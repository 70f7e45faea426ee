"""What is remarkable about a run stands in its record: that it was slow, that it asked the same again and again."""

from __future__ import annotations

import time

import pytest
from tests.fakes.clock import settle
from tests.fakes.sandboxes import FakeSandbox
from tests.gateway.conftest import MakeWorld, World
from tests.gateway.test_server import forever, open_stream

from v8box.gateway import invoke, recording
from v8box.sandbox.channel import Inbound
from v8box.sandbox.interface import Invocation
from v8box.sandbox.run import Run
from v8box.telemetry.findings import REPEATS
from v8box.telemetry.meter import Meter

SLOW = "[observability]\nslow_ms = 1"


def spend(seconds: float) -> None:
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        pass


def asks(world: World, times: int) -> None:
    async def work(sandbox: FakeSandbox, run: Run, invocation: Invocation) -> None:
        run.meter = Meter()
        for _ in range(times):
            run.meter.end(run.meter.begin("db", "execute", 10, "SELECT ?"))
        sandbox.respond(run, b"hi")

    world.worker = work


async def test_a_quick_run_with_few_calls_is_not_remarkable(world: World) -> None:
    asks(world, REPEATS - 1)
    await world.get()
    [record] = world.records.runs
    assert record.findings == ()


async def test_the_same_call_again_and_again_is_in_the_record(world: World) -> None:
    asks(world, 30)
    await world.get()
    [record] = world.records.runs
    assert [(found.kind, found.count, found.what) for found in record.findings] == [("n_plus_one", 30, "SELECT ?")]


async def test_a_run_that_takes_longer_than_it_should_is_slow(make_world: MakeWorld) -> None:
    world = make_world(manifest=SLOW)

    async def work(sandbox: FakeSandbox, run: Run, invocation: Invocation) -> None:
        spend(0.002)
        sandbox.respond(run, b"hi")

    world.worker = work
    await world.get()
    [record] = world.records.runs
    [found] = record.findings
    assert found.kind == "slow"
    assert found.duration >= 2
    assert "slow_ms is 1" in found.text


async def test_what_is_never_slow_by_its_manifest_is_not(make_world: MakeWorld) -> None:
    world = make_world(manifest="[observability]\nslow_ms = 0")

    async def work(sandbox: FakeSandbox, run: Run, invocation: Invocation) -> None:
        spend(0.002)
        sandbox.respond(run, b"hi")

    world.worker = work
    await world.get()
    assert world.records.runs[0].findings == ()


class Later:
    """The clock of the processor, as many seconds ahead as the test says."""

    ahead = 0.0
    time = staticmethod(time.time)

    def perf_counter(self) -> float:
        return time.perf_counter() + self.ahead


async def test_a_body_that_is_sent_as_it_is_made_may_take_its_time(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = Later()
    for module in (invoke, recording):
        monkeypatch.setattr(module, "time", later)
    world = make_world(manifest="[observability]\nslow_ms = 100000")
    bodies: list[Inbound] = []

    async def work(sandbox: FakeSandbox, run: Run, invocation: Invocation) -> None:
        bodies.append(open_stream(sandbox, run))
        await forever(sandbox, run, invocation)

    world.worker = work
    client = world.connect()
    await settle()
    bodies[0].feed(b"a", False)
    await settle()
    later.ahead = 120.0
    bodies[0].feed(b"b", True)
    await settle()
    assert client.body == b"ab"
    world.sandbox.finish(next(iter(world.sandbox.runs.values())))
    [record] = world.records.runs
    assert record.duration > 100_000
    assert record.findings == ()
