"""What rules look at: windows of workers out of samples, whatever their age, and sandboxes that were ended."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fakes.versions import a_version, routes_of

from v8box.features.notifications.model import Rule, RuleKind
from v8box.features.notifications.signals import Deaths, Samples, Where
from v8box.telemetry.rates import Rates, Window
from v8box.telemetry.records import DeathRecord


def a_rule(seconds: int = 60) -> Rule:
    return Rule(
        id="r", project="", name="r", kind=RuleKind.ERROR_RATE, window_seconds=seconds, created_at=0, created_by="ada"
    )


class World:
    def __init__(self) -> None:
        self.now = 1_000.0
        self.version = a_version()
        self.rates = Rates(lambda: self.now)
        self.rates.follow([self.version.key])
        self.samples = Samples(self.rates, lambda: routes_of(self.version), lambda: self.now)

    async def look(self, keep_seconds: int = 3_600) -> None:
        await self.samples.sample(lambda _: keep_seconds)

    async def window(self, seconds: int) -> Window:
        (found,) = [window async for _, window in self.samples.windows(a_rule(seconds))]
        return found


async def test_every_request_is_in_one_sample() -> None:
    world = World()
    for second in range(300):
        world.now = 1_000.0 + second
        world.rates.record(world.version.key, 5.0, second % 2 == 0)
        if second % 7 == 0:  # never when the box means to
            await world.look()
    world.now += 1.0
    await world.look()
    found = await world.window(3_600)
    assert (found.requests, found.errors, sum(found.buckets)) == (300, 150, 300)


async def test_a_window_ends_where_it_should_among_old_samples_too() -> None:
    world = World()
    for second in range(3_600):
        world.now += 1.0
        world.rates.record(world.version.key, 5.0, False)
        if second % 10 == 9:
            await world.look()
    assert (await world.window(60)).requests == 60
    assert (await world.window(600)).requests == 600
    found = (await world.window(3_000)).requests
    assert 3_000 <= found <= 3_060  # older ones are kept by the minute
    assert (await world.window(30)).requests == 30


async def test_what_no_rule_asks_for_is_not_kept() -> None:
    world = World()
    world.rates.record(world.version.key, 5.0, False)
    world.now += 10
    await world.look()
    assert [where async for where, _ in world.samples.windows(a_rule())] == [Where("default", "production", "hello")]
    world.now += 10
    await world.look(0)
    assert [where async for where, _ in world.samples.windows(a_rule())] == []


async def test_a_worker_that_is_gone_is_not_kept() -> None:
    world = World()
    world.now += 10
    await world.look()
    world.version = replace(world.version, worker="other")
    world.now += 10
    await world.look()
    assert [where.worker async for where, _ in world.samples.windows(a_rule())] == ["other"]


async def test_an_older_versions_last_requests_count_as_the_workers() -> None:
    world = World()
    world.rates.record(world.version.key, 5.0, True)
    world.now += 10
    await world.look()
    world.version = replace(world.version, id="another")
    world.rates.follow([world.version.key])
    world.rates.record(world.version.key, 5.0, False)
    world.now += 10
    await world.look()
    found = await world.window(60)
    assert (found.requests, found.errors) == (2, 1)


@pytest.mark.parametrize("seconds", [30, 60])
async def test_a_window_is_known_once_it_was_looked_at(seconds: int) -> None:
    world = World()
    world.now += seconds - 1
    await world.look()
    assert not world.samples.covers(seconds)
    world.now += 2
    await world.look()
    assert world.samples.covers(seconds)


@given(st.lists(st.tuples(st.floats(0, 100), st.sampled_from(["memory", "cpu", "idle", "replaced"])), max_size=50))
def test_deaths_are_counted_by_reason_within_the_window(deaths: list[tuple[float, str]]) -> None:
    now = [0.0]
    counted = Deaths(lambda: now[0])
    for at, reason in sorted(deaths):
        now[0] = at
        counted.death(DeathRecord(time=0, worker="hello", version="v", reason=reason, detail=""))
    now[0] = 100.0
    within = [reason for at, reason in deaths if at > 40.0]
    hello = Where("default", "production", "hello")
    found = counted.count(60, ()).get(hello, Counter[str]())
    for reason in ("memory", "cpu"):
        assert found[reason] == within.count(reason)
    assert not {"idle", "replaced"} & set(found)
    assert counted.count(60, ("cpu",)).get(hello, Counter[str]()).total() == within.count("cpu")
