"""A process that is started to be profiled gets the runs; after a run that burnt too much the next one is watched."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from tests.fakes.clock import settle
from tests.fakes.sandboxes import FakeFactory, FakeSandbox
from tests.fakes.versions import a_version, an_invocation

from v8box.catalog.model import Placement
from v8box.errors import StopReason
from v8box.pool.group import AlreadyProfiled, Profiled
from v8box.pool.pool import Pool
from v8box.sandbox.interface import Death, Profile
from v8box.settings import Sandboxes

TICKS = 1_000


@pytest.fixture
def factory() -> FakeFactory:
    return FakeFactory(lambda profile: FakeSandbox(profile))


@pytest.fixture
async def pool(factory: FakeFactory) -> AsyncIterator[Pool]:
    async def bundle(_: Placement) -> bytes:
        return b""

    pool = Pool(factory, bundle, Sandboxes(blanks=0, max_sandboxes=4))
    yield pool
    await pool.stop(0)
    await settle()


async def begin(pool: Pool, seconds: float = 60.0) -> asyncio.Task[Profiled]:
    task = asyncio.ensure_future(pool.profile(a_version(), seconds, TICKS))
    await settle()
    return task


async def test_runs_go_to_the_one_that_is_profiled(pool: Pool, factory: FakeFactory) -> None:
    await pool.queue_run(a_version(), an_invocation("r1"))
    task = await begin(pool)
    plain, profiled = factory.made
    assert (plain.profile.ticks_us, profiled.profile.ticks_us) == (0, TICKS)
    for _ in range(3):
        assert pool.try_run(a_version(), an_invocation()) is not None
    assert (plain.run_count, profiled.run_count) == (1, 3)
    assert profiled.tick_log is not None
    profiled.tick_log.feed(b"tick,0x1,5,0,0x0,0\n")
    profiled.kill(Death(reason=StopReason.CPU, detail="it spun"))
    found = await task
    assert (len(found.recording), found.runs) == (1, 3)
    assert found.death is not None
    assert found.death.reason is StopReason.CPU


async def test_it_goes_when_its_time_is_over(pool: Pool, factory: FakeFactory) -> None:
    found = await pool.profile(a_version(), 0.0, TICKS)
    assert found.death is None
    await settle()
    assert factory.made[0].stopped.result().reason is StopReason.REPLACED
    assert pool.try_run(a_version(), an_invocation()) is None


async def test_one_is_profiled_at_a_time(pool: Pool) -> None:
    task = await begin(pool)
    with pytest.raises(AlreadyProfiled):
        await pool.profile(a_version(), 1.0, TICKS)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    again = await begin(pool)
    assert not again.done()
    again.cancel()


async def test_a_profile_that_is_given_up_leaves_no_process(pool: Pool, factory: FakeFactory) -> None:
    task = await begin(pool)
    task.cancel()
    await settle()
    assert factory.made[0].stopped.done()


@pytest.mark.parametrize(
    ("reason", "watched"), [(StopReason.CPU, True), (StopReason.WALL, True), (StopReason.MEMORY, False)]
)
async def test_after_a_run_that_burnt_too_much_the_next_process_is_watched(
    pool: Pool, factory: FakeFactory, reason: StopReason, watched: bool
) -> None:
    await pool.queue_run(a_version(), an_invocation())
    factory.made[0].kill(Death(reason=reason, detail="too much"))
    await settle()
    await pool.queue_run(a_version(), an_invocation())
    assert (factory.made[1].profile != Profile()) is watched
    assert (factory.made[1].tick_log is not None) is watched
