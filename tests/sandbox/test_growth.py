"""Leaks: what is kept after collections, by the number of runs; garbage, caches and noise are none."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

import pytest
from tests.sandbox.conftest import Bench, a_frame

from v8box.catalog.model import Limits
from v8box.sandbox.growth import Growth
from v8box.sandbox.protocol import Flag, Kind, Level

MIB = 1024 * 1024
LIMIT = 128 * MIB


class Process:
    """What it keeps is a function of its runs; garbage grows with each and goes when it collects."""

    def __init__(self, keeps: Callable[[int], float], garbage: float = 0.5, noise: float = 0.0) -> None:
        self.growth = Growth(LIMIT)
        self.keeps, self.garbage, self.noise = keeps, garbage, noise
        self.runs = self.since = self.collections = 0
        self.now = 0.0
        self.random = random.Random(7)

    def run(self, count: int, per_look: int = 1) -> Process:
        for _ in range(count):
            self.runs += per_look
            self.since += per_look
            self.now += 0.05
            used = self.keeps(self.runs) + self.since * self.garbage + self.random.uniform(0, self.noise)
            if self.growth.look(self.now, self.runs, int(used * MIB)):
                self.collections += 1
                self.since = 0
        return self


def test_what_keeps_with_every_run_leaks() -> None:
    leak = Process(lambda runs: 10 + runs * 0.05).run(2_000).growth.leak
    assert leak is not None
    assert leak.bytes_per_run == pytest.approx(0.05 * MIB, rel=0.1)
    assert leak.words() == f"leaks about {leak.bytes_per_run * 1000 / MIB:.1f} MiB per 1,000 requests"


def test_noise_does_not_hide_a_leak() -> None:
    leak = Process(lambda runs: 10 + runs * 0.05, noise=4.0).run(2_000).growth.leak
    assert leak is not None
    assert leak.bytes_per_run == pytest.approx(0.05 * MIB, rel=0.3)


@pytest.mark.parametrize(
    "keeps",
    [
        lambda runs: 10.0,  # nothing but garbage
        lambda runs: 10 + min(runs, 300) * 0.1,  # a cache that is full some time
        lambda runs: 60.0 if runs > 500 else 10.0,  # something large, once
        lambda runs: 10 + 30 * (runs // 100 % 2),  # up and down
    ],
)
def test_what_does_not_go_on_growing_is_no_leak(keeps: Callable[[int], float]) -> None:
    process = Process(keeps, noise=1.0).run(20_000)
    assert process.growth.leak is None


def test_garbage_is_collected_less_and_less_often() -> None:
    process = Process(lambda runs: 10.0, garbage=2.0).run(20 * 60)  # a minute
    first = process.collections
    process.run(20 * 600)
    assert 2 <= first <= 8
    assert process.collections - first <= 6


def test_a_leak_that_was_mended_by_itself_is_forgotten() -> None:
    process = Process(lambda runs: 10 + runs * 0.05 if runs < 1_000 else 20.0).run(900)
    assert process.growth.leak is not None
    process.run(20 * 1_200)
    assert process.growth.leak is None


def test_what_is_idle_is_not_asked_to_collect() -> None:
    growth = Growth(LIMIT)
    assert not any(growth.look(float(second), 100, 50 * MIB) for second in range(100))


# ---- the sandbox that acts on it


async def leak_into(bench: Bench, megabytes_per_run: float, runs: int) -> None:
    """Runs end one after the other, each looked at while it goes on; each leaves something behind."""
    now = asyncio.get_running_loop().time()
    for number in range(runs):
        run = bench.invoke(f"r{number}")
        for _ in range(4):
            now += 0.6
            run.progress = now
            bench.child.bytes = int(number * megabytes_per_run * MIB)
            bench.sandbox.tick(now)
            bench.says(a_frame(Kind.PONG))
        bench.says(a_frame(Kind.RESPONSE, Flag.END | Flag.DONE, run.stream, [200, []]))
        if bench.sandbox.retiring:
            return


async def test_a_process_that_leaks_is_told_and_replaced_before_it_breaches(bench: Bench) -> None:
    await bench.become_ready(Limits(memory_mb=128))
    await leak_into(bench, 4.0, 100)
    assert bench.sandbox.retiring
    assert bench.fault is None
    assert 0.7 * 128 * MIB < bench.child.bytes < 128 * MIB
    [line] = [line for line in bench.observed.lines if "leaks about" in line.text]
    assert line.level == Level.WARN
    assert "MiB per 1,000 requests: limits.memory_mb (128) is reached in about" in line.text
    memory = bench.sandbox.memory()
    assert memory is not None
    assert memory.leak_bytes_per_run == pytest.approx(4 * MIB, rel=0.2)
    assert Kind.TRIM in bench.wire.kinds()


async def test_a_process_that_only_needs_much_is_left_alone(bench: Bench) -> None:
    await bench.become_ready(Limits(memory_mb=128))
    await leak_into(bench, 0.0, 5)
    bench.child.bytes = 110 * MIB
    run = bench.invoke()
    bench.sandbox.tick(run.started + 0.1)
    assert not bench.sandbox.retiring
    assert not bench.observed.lines
