"""Who gets a sandbox: leases, queue, growth, eviction, draining. Time moves only by the test's clock."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from tests.fakes.clock import Clock, settle
from tests.fakes.sandboxes import (
    CrashingSandbox,
    FakeFactory,
    FakeSandbox,
    LingeringSandbox,
    NeverReadySandbox,
    SlowSandbox,
    StillbornSandbox,
    ThrowingSandbox,
)
from tests.fakes.versions import a_version, an_invocation, routes_of

from v8box.catalog.model import Limits, Permissions, Placement
from v8box.errors import MissingVariables, NoCapacity, StopReason, V8BoxError
from v8box.pool.pool import Pool
from v8box.sandbox.interface import Death, Invocation, Profile, RunKilled, SandboxState, StartupFailed
from v8box.sandbox.run import Run
from v8box.settings import Sandboxes

NO_NET = Permissions(net="none")
"""Not the blanks' profile: such a worker starts a process of its own."""

MakePool = Callable[..., Pool]


@pytest.fixture
async def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@pytest.fixture
async def factory() -> FakeFactory:
    return FakeFactory()


@pytest.fixture
async def make_pool(factory: FakeFactory, clock: Clock) -> AsyncIterator[MakePool]:
    pools: list[Pool] = []

    def make(load_bundle: Callable[[Placement], Awaitable[bytes]] | None = None, **settings: Any) -> Pool:
        async def bundle(version: Placement) -> bytes:
            return b"export default () => 1"

        values: dict[str, Any] = {"blanks": 0, "max_sandboxes": 8, **settings}
        pool = Pool(factory, load_bundle or bundle, Sandboxes(**values))
        pool.start()
        pools.append(pool)
        return pool

    yield make
    for pool in pools:
        await pool.stop(0)


def queue(pool: Pool, version: Placement, run_id: str = "r") -> asyncio.Task[Run]:
    task = asyncio.get_running_loop().create_task(pool.queue_run(version, an_invocation(run_id)))
    task.add_done_callback(lambda done: done.cancelled() or done.exception())  # not every test looks at it
    return task


async def lease(pool: Pool, version: Placement, run_id: str = "r") -> Run:
    """As the gateway does it."""
    run = pool.try_run(version, an_invocation(run_id))
    if run is None:
        task = queue(pool, version, run_id)
        await settle()
        assert task.done(), "the request still waits"
        run = task.result()
    return run


# ---- variables


async def test_a_worker_without_what_it_requires_is_not_started(factory: FakeFactory, clock: Clock) -> None:
    given = {"SET": "1", "EMPTY": ""}

    async def bundle(version: Placement) -> bytes:
        return b""

    async def variables(placement: Placement) -> dict[str, str]:
        return given

    pool = Pool(factory, bundle, Sandboxes(blanks=0), load_variables=variables)
    required = ("SET", "EMPTY", "OWN", "NONE")
    needy = a_version()
    needy = replace(needy, manifest=replace(needy.manifest, env={"OWN": "1", "NONE": ""}, env_required=required))
    task = queue(pool, needy)
    await settle()
    with pytest.raises(MissingVariables, match=r"^Not set in production: EMPTY, NONE\.$"):
        task.result()
    assert factory.made == []
    given |= {"EMPTY": "1", "NONE": "1"}
    changed = replace(needy, key="with the new variables")
    run = await lease(pool, changed)
    assert list(factory.made[0].runs.values()) == [run]
    await pool.stop(0)


# ---- leases


async def test_a_cold_request_starts_a_sandbox_and_gets_it(make_pool: MakePool, factory: FakeFactory) -> None:
    pool = make_pool()
    assert pool.try_run(a_version(), an_invocation()) is None
    run = await lease(pool, a_version())
    assert list(factory.made[0].runs.values()) == [run]
    assert factory.made[0].head["worker"] == "hello"
    assert factory.made[0].code == b"export default () => 1"


async def test_a_warm_request_never_waits(make_pool: MakePool, factory: FakeFactory) -> None:
    pool = make_pool()
    first = await lease(pool, a_version(), "one")
    second = pool.try_run(a_version(), an_invocation("two"))
    assert second is not None
    assert list(factory.made[0].runs.values()) == [first, second]
    assert second.cold_seconds == 0.0


async def test_the_wait_for_a_start_is_accounted(make_pool: MakePool, factory: FakeFactory, clock: Clock) -> None:
    factory.make = SlowSandbox
    pool = make_pool()
    task = queue(pool, a_version())
    await clock.advance(0.5)
    slow = factory.made[0]
    assert isinstance(slow, SlowSandbox)
    slow.loaded.set()
    run = await task
    assert run.cold_seconds == pytest.approx(0.5)
    assert run.queued_seconds == 0.0


async def test_the_wait_for_room_is_accounted(make_pool: MakePool, factory: FakeFactory, clock: Clock) -> None:
    pool = make_pool()
    version = a_version(limits=Limits(concurrency=1, max_instances=1))
    first = await lease(pool, version, "one")
    task = queue(pool, version)
    await clock.advance(0.5)
    factory.made[0].finish(first)
    run = await task
    assert run.queued_seconds == pytest.approx(0.5)
    assert run.cold_seconds == 0.0


async def test_the_least_busy_sandbox_is_leased(make_pool: MakePool, factory: FakeFactory) -> None:
    version = a_version(limits=Limits(concurrency=2, max_instances=2))
    pool = make_pool()
    runs = [await lease(pool, version, str(number)) for number in range(4)]
    first, second = factory.made
    assert (len(first.runs), len(second.runs)) == (2, 2)
    busy = runs[2] if runs[2].stream in second.runs and second.runs[runs[2].stream] is runs[2] else runs[3]
    second.answer(busy)
    third = pool.try_run(version, an_invocation("next"))
    assert third in second.runs.values()


@pytest.mark.parametrize("trait", ["stalled", "retiring"])
async def test_a_sandbox_that_should_get_no_run_gets_none(
    make_pool: MakePool, factory: FakeFactory, trait: str
) -> None:
    pool = make_pool()
    await lease(pool, a_version())
    setattr(factory.made[0], trait, True)
    assert pool.try_run(a_version(), an_invocation()) is None


async def test_growth_ends_at_max_instances(make_pool: MakePool, factory: FakeFactory) -> None:
    version = a_version(limits=Limits(concurrency=1, max_instances=3))
    pool = make_pool()
    tasks = [queue(pool, version, str(number)) for number in range(6)]
    await settle()
    assert len(factory.made) == 3
    assert sum(task.done() for task in tasks) == 3
    while waiting := [task for task in tasks if not task.done()]:
        before = len(waiting)
        busy = next(sandbox for sandbox in factory.made if sandbox.runs)
        busy.answer(next(iter(busy.runs.values())))
        await settle()
        assert len([task for task in tasks if not task.done()]) == before - 1
    assert len(factory.made) == 3


async def test_versions_do_not_share_sandboxes(make_pool: MakePool, factory: FakeFactory) -> None:
    pool = make_pool()
    await lease(pool, a_version("a"))
    await lease(pool, a_version("b"))
    assert [sandbox.placement.worker for sandbox in factory.made if sandbox.placement] == ["a", "b"]


# ---- the queue


async def test_the_queue_is_first_come_first_served(make_pool: MakePool, factory: FakeFactory) -> None:
    version = a_version(limits=Limits(concurrency=1, max_instances=1))
    pool = make_pool()
    order: list[str] = []

    async def wait(name: str) -> None:
        run = await pool.queue_run(version, an_invocation(name))
        order.append(run.id)

    async with asyncio.TaskGroup() as group:
        for name in "abcd":
            group.create_task(wait(name))
        for _ in "abcd":
            await settle()
            sandbox = factory.made[0]
            sandbox.answer(next(iter(sandbox.runs.values())))
    assert order == list("abcd")


async def test_nobody_overtakes_the_queue(make_pool: MakePool, factory: FakeFactory) -> None:
    version = a_version(limits=Limits(concurrency=1, max_instances=1))
    pool = make_pool()
    first = await lease(pool, version)
    waiting = queue(pool, version, "waits")
    await settle()
    sandbox = factory.made[0]
    del sandbox.runs[first.stream]  # room, of which nobody has been told yet
    assert pool.try_run(version, an_invocation("overtakes")) is None
    sandbox.on_free()
    assert (await waiting).id == "waits"


async def test_a_full_queue_refuses_at_once(make_pool: MakePool, factory: FakeFactory) -> None:
    version = a_version(limits=Limits(concurrency=1, max_instances=1))
    pool = make_pool(queue_length=2)
    await lease(pool, version)
    tasks = [queue(pool, version) for _ in range(3)]
    await settle()
    assert [task.done() for task in tasks] == [False, False, True]
    with pytest.raises(NoCapacity, match="queue"):
        tasks[2].result()


async def test_the_wait_ends_after_the_queue_timeout(make_pool: MakePool, clock: Clock) -> None:
    version = a_version(limits=Limits(concurrency=1, max_instances=1))
    pool = make_pool(queue_timeout_seconds=3.0)
    await lease(pool, version)
    task = queue(pool, version)
    await clock.advance(2.9)
    assert not task.done()
    await clock.advance(0.2)
    with pytest.raises(NoCapacity, match="3 s"):
        task.result()


async def test_those_who_left_take_no_place_in_the_queue(make_pool: MakePool, clock: Clock) -> None:
    version = a_version(limits=Limits(concurrency=1, max_instances=1))
    pool = make_pool(queue_length=2, queue_timeout_seconds=3.0)
    await lease(pool, version)
    gone = [queue(pool, version), queue(pool, version)]
    await clock.advance(3.5)
    assert all(isinstance(task.exception(), NoCapacity) for task in gone)
    left = [queue(pool, version), queue(pool, version)]
    await settle()
    for task in left:
        task.cancel()
    await settle()
    fresh = queue(pool, version)
    await settle()
    assert not fresh.done(), "a queue in which nobody waits was called full"
    fresh.cancel()


async def test_a_worker_that_found_no_room_once_is_served_again(
    make_pool: MakePool, factory: FakeFactory, clock: Clock
) -> None:
    pool = make_pool(max_sandboxes=1, queue_length=2, queue_timeout_seconds=3.0)
    busy = await lease(pool, a_version("busy"))
    tasks = [queue(pool, a_version("cold")), queue(pool, a_version("cold"))]
    await clock.advance(3.5)
    assert all(isinstance(task.exception(), NoCapacity) for task in tasks)
    factory.made[0].answer(busy)
    await clock.advance(2.0)
    assert (await lease(pool, a_version("cold"))).id == "r"


async def test_a_group_nobody_waits_for_goes(make_pool: MakePool, clock: Clock) -> None:
    pool = make_pool(max_sandboxes=1, queue_timeout_seconds=3.0)
    await lease(pool, a_version("busy"))
    task = queue(pool, a_version("cold"))
    await clock.advance(3.5)
    assert isinstance(task.exception(), NoCapacity)
    await clock.advance(1.5)
    assert set(pool._groups) == {"busy-1.production.0"}


async def test_nobody_starts_a_sandbox_for_those_who_left(make_pool: MakePool, factory: FakeFactory) -> None:
    version = a_version(limits=Limits(concurrency=1, max_instances=4))
    factory.gate.clear()
    pool = make_pool()
    gone = [queue(pool, version, "gone") for _ in range(2)]
    await settle()
    for task in gone:
        task.cancel()
    await settle()
    last = queue(pool, version, "stays")
    await settle()
    factory.gate.set()
    await settle()
    assert (await last).id == "stays"
    assert len(factory.made) <= 2  # those already under way, and no more


async def test_those_who_leave_in_this_very_turn_count_no_more(make_pool: MakePool, factory: FakeFactory) -> None:
    pool = make_pool(max_sandboxes=3)
    for worker in "abc":
        await lease(pool, a_version(worker))
    version = a_version("cold", limits=Limits(concurrency=1, max_instances=4))
    tasks = [queue(pool, version) for _ in range(3)]
    await settle()
    for task in tasks[1:]:
        task.cancel()
    for sandbox in factory.made:
        sandbox.end()
    factory.gate.clear()
    pool.freed()
    await settle()
    factory.gate.set()
    await settle()
    assert tasks[0].done()
    assert len(factory.made) == 4


async def test_a_run_leased_as_its_caller_leaves_is_abandoned(make_pool: MakePool, factory: FakeFactory) -> None:
    version = a_version(limits=Limits(concurrency=1, max_instances=1))
    pool = make_pool()
    first = await lease(pool, version)
    waiting = queue(pool, version, "leaves")
    await settle()
    sandbox = factory.made[0]
    sandbox.answer(first)  # leases "leaves" its run; its task has not run yet
    waiting.cancel()
    await settle()
    (run,) = sandbox.runs.values()
    assert run.cancelled is not None
    with pytest.raises(RunKilled, match="client_gone"):
        await run.response


async def test_one_that_cannot_be_given_its_run_is_alone_in_it(
    make_pool: MakePool, factory: FakeFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = a_version(limits=Limits(concurrency=1, max_instances=1))
    pool = make_pool()
    first = await lease(pool, version)
    tasks = [queue(pool, version, name) for name in ("odd", "fine")]
    await settle()
    sandbox = factory.made[0]
    invoke = sandbox.invoke

    def picky(invocation: Invocation) -> Run:
        if invocation.run_id == "odd":
            raise ValueError("a header that cannot be encoded")
        return invoke(invocation)

    monkeypatch.setattr(sandbox, "invoke", picky)
    sandbox.answer(first)
    await settle()
    assert isinstance(tasks[0].exception(), ValueError)
    assert tasks[1].result().id == "fine"


# ---- starts that fail


async def test_a_version_that_throws_is_told_to_all_who_wait(make_pool: MakePool, factory: FakeFactory) -> None:
    factory.make = ThrowingSandbox
    pool = make_pool()
    tasks = [queue(pool, a_version()) for _ in range(3)]
    await settle()
    for task in tasks:
        assert isinstance(task.exception(), StartupFailed)
    assert not factory.alive


async def test_a_failed_version_is_not_started_again_for_a_second(
    make_pool: MakePool, factory: FakeFactory, clock: Clock
) -> None:
    factory.make = ThrowingSandbox
    pool = make_pool()
    for _ in range(3):
        task = queue(pool, a_version())
        await settle()
        assert isinstance(task.exception(), StartupFailed)
    assert len(factory.made) == 1
    factory.make = FakeSandbox
    await clock.advance(1.1)
    assert (await lease(pool, a_version())).id == "r"


async def test_the_box_that_cannot_start_processes_says_so(make_pool: MakePool, factory: FakeFactory) -> None:
    factory.failure = V8BoxError("no forks today")
    task = queue(make_pool(), a_version())
    await settle()
    assert isinstance(task.exception(), V8BoxError)


async def test_an_unexpected_fault_at_the_start_reaches_those_who_wait(
    make_pool: MakePool, factory: FakeFactory
) -> None:
    factory.failure = OSError(24, "Too many open files")
    task = queue(make_pool(), a_version())
    await settle()
    done = task.done()
    task.cancel()
    assert done


@pytest.mark.parametrize("fault", [V8BoxError("the blob is not there"), OSError("the disk")])
async def test_a_bundle_that_cannot_be_read_leaves_no_process(
    make_pool: MakePool, factory: FakeFactory, fault: Exception
) -> None:
    async def missing(version: Placement) -> bytes:
        raise fault

    pool = make_pool(missing)
    task = queue(pool, a_version())
    await settle()
    task.cancel()
    await settle()
    assert factory.made
    assert not factory.alive


async def test_a_second_instance_that_fails_does_not_fail_those_the_first_can_serve(
    make_pool: MakePool, factory: FakeFactory
) -> None:
    version = a_version(limits=Limits(concurrency=1, max_instances=2))
    pool = make_pool()
    first = await lease(pool, version)
    factory.make = ThrowingSandbox
    waiting = queue(pool, version, "waits")
    await settle()
    assert not waiting.done()
    factory.made[0].answer(first)
    assert (await waiting).id == "waits"


async def test_a_sandbox_that_died_as_it_became_ready_gets_no_run(make_pool: MakePool, factory: FakeFactory) -> None:
    factory.make = StillbornSandbox
    pool = make_pool()
    task = queue(pool, a_version())
    await settle()
    task.cancel()
    assert all(not sandbox.runs for sandbox in factory.made)


async def test_every_waiter_hears_of_a_failed_start_in_an_instance_of_its_own(
    make_pool: MakePool, factory: FakeFactory
) -> None:
    factory.make = ThrowingSandbox
    pool = make_pool()
    tasks = [queue(pool, a_version()) for _ in range(3)]
    await settle()
    tasks += [queue(pool, a_version()) for _ in range(3)]  # these hear of the same start, a moment later
    await settle()
    errors = [task.exception() for task in tasks]
    assert len(factory.made) == 1
    assert len({id(error) for error in errors}) == 6
    for error in errors:
        assert isinstance(error, StartupFailed)
        assert error.death is not None
        assert "no" in error.message


async def test_an_unexpected_fault_at_the_start_is_a_failed_start(
    make_pool: MakePool, factory: FakeFactory, caplog: pytest.LogCaptureFixture
) -> None:
    factory.failure = OSError(24, "Too many open files")
    task = queue(make_pool(), a_version())
    await settle()
    assert isinstance(task.exception(), StartupFailed)
    assert "Traceback" in caplog.text


async def test_a_process_that_died_as_it_became_ready_is_a_failed_start(
    make_pool: MakePool, factory: FakeFactory
) -> None:
    factory.make = StillbornSandbox
    pool = make_pool()
    task = queue(pool, a_version())
    await settle()
    error = task.exception()
    assert isinstance(error, StartupFailed)
    assert error.death is not None
    assert error.death.reason is StopReason.CRASH
    assert pool.count == 0


async def test_a_start_that_is_given_up_leaves_no_process(make_pool: MakePool, factory: FakeFactory) -> None:
    async def never(version: Placement) -> bytes:
        await asyncio.get_running_loop().create_future()
        return b""

    pool = make_pool(never)
    task = queue(pool, a_version())
    await settle()
    assert len(factory.alive) == 1
    await pool.stop(0)
    await settle()
    assert not factory.alive
    assert factory.made[0].stopped.result().reason is StopReason.SHUTDOWN
    assert pool.count == 0
    assert isinstance(task.exception(), NoCapacity)


# ---- what is killed again and again


async def break_limits(pool: Pool, factory: FakeFactory, version: Placement, times: int) -> None:
    """Each time a run is served, and its sandbox killed for it."""
    for _ in range(times):
        await lease(pool, version)
        factory.made[-1].kill(Death(reason=StopReason.CPU, detail="it spun"))
        await settle()


async def test_three_breaches_are_free(make_pool: MakePool, factory: FakeFactory) -> None:
    pool = make_pool()
    await break_limits(pool, factory, a_version(), 3)
    await lease(pool, a_version())
    assert len(factory.made) == 4


async def test_each_further_breach_puts_the_next_start_off_for_longer(
    make_pool: MakePool, factory: FakeFactory, clock: Clock
) -> None:
    pool = make_pool()
    await break_limits(pool, factory, a_version(), 4)
    for seconds in (0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0):
        task = queue(pool, a_version())
        await clock.advance(seconds - 0.01)
        assert not task.done()
        await clock.advance(0.02)
        assert task.done()
        factory.made[-1].kill(Death(reason=StopReason.CPU, detail="it spun"))
        await settle()


async def test_breaches_are_forgotten(make_pool: MakePool, factory: FakeFactory, clock: Clock) -> None:
    pool = make_pool(idle_seconds=100.0)
    version = a_version()
    await break_limits(pool, factory, version, 4)
    waiting = queue(pool, version)  # keeps the group, which is what remembers
    await clock.advance(0.2)
    assert waiting.done()
    await clock.advance(10.1)
    factory.made[-1].kill(Death(reason=StopReason.IDLE, detail="no breach"))
    await settle()
    await lease(pool, version)


async def test_neighbours_are_not_put_off(make_pool: MakePool, factory: FakeFactory) -> None:
    pool = make_pool()
    await break_limits(pool, factory, a_version("bad"), 4)
    assert (await lease(pool, a_version("good"))).id == "r"


async def test_nothing_is_started_for_those_who_gave_up_meanwhile(
    make_pool: MakePool, factory: FakeFactory, clock: Clock
) -> None:
    pool = make_pool(queue_timeout_seconds=0.05)
    await break_limits(pool, factory, a_version(), 4)
    task = queue(pool, a_version())
    await clock.advance(0.06)
    assert isinstance(task.exception(), NoCapacity)
    await clock.advance(0.1)
    assert len(factory.made) == 4


async def test_what_is_no_longer_live_is_not_put_off(make_pool: MakePool, factory: FakeFactory) -> None:
    pool = make_pool()
    pool.follow(routes_of(a_version()))
    await break_limits(pool, factory, a_version(), 4)
    task = queue(pool, a_version())
    await settle()
    assert not task.done()
    pool.follow(routes_of())
    await settle()
    assert task.done()


async def test_what_is_live_again_is_put_off_again(make_pool: MakePool, factory: FakeFactory) -> None:
    pool = make_pool()
    await break_limits(pool, factory, a_version(), 4)
    pool.follow(routes_of())
    pool.follow(routes_of(a_version()))
    task = queue(pool, a_version())
    await settle()
    assert not task.done()


async def test_a_stopping_box_waits_for_no_cool_down(make_pool: MakePool, factory: FakeFactory) -> None:
    pool = make_pool()
    await break_limits(pool, factory, a_version(), 4)
    task = queue(pool, a_version())
    await settle()
    await pool.stop(5.0)
    assert isinstance(task.exception(), NoCapacity)
    assert len(factory.made) == 4


# ---- deaths


async def test_a_death_fails_its_runs_and_its_place_is_free(make_pool: MakePool, factory: FakeFactory) -> None:
    factory.make = CrashingSandbox
    pool = make_pool()
    run = await lease(pool, a_version())
    await settle()
    with pytest.raises(RunKilled, match="crash"):
        await run.response
    assert pool.count == 0


async def test_waiters_get_a_new_sandbox_when_theirs_dies(make_pool: MakePool, factory: FakeFactory) -> None:
    version = a_version(limits=Limits(concurrency=1, max_instances=1))
    pool = make_pool()
    await lease(pool, version)
    waiting = queue(pool, version, "waits")
    await settle()
    factory.made[0].end()
    await settle()
    assert (await waiting).id == "waits"
    assert len(factory.made) == 2


# ---- room


async def test_the_longest_idle_is_evicted_for_another_worker(
    make_pool: MakePool, factory: FakeFactory, clock: Clock
) -> None:
    pool = make_pool(max_sandboxes=2)
    for worker in "ab":
        run = await lease(pool, a_version(worker))
        await clock.advance(1.0)
        factory.made[-1].answer(run)
    await lease(pool, a_version("c"))
    a, b, _ = factory.made
    assert a.stopped.result().reason is StopReason.EVICTED
    assert not b.stopped.done()


async def test_a_busy_box_refuses_and_serves_when_there_is_room(
    make_pool: MakePool, factory: FakeFactory, clock: Clock
) -> None:
    pool = make_pool(max_sandboxes=1)
    run = await lease(pool, a_version("a"))
    waiting = queue(pool, a_version("b"), "waits")
    await settle()
    assert not waiting.done()
    assert len(factory.made) == 1
    factory.made[0].answer(run)
    await clock.advance(1.0)
    assert (await waiting).id == "waits"


async def test_blanks_are_no_way_around_max_sandboxes(make_pool: MakePool, factory: FakeFactory) -> None:
    pool = make_pool(max_sandboxes=3, blanks=1)
    await settle()
    for number in range(10):
        run = await lease(pool, a_version(f"w{number}"))
        next(sandbox for sandbox in factory.made if run in sandbox.runs.values()).answer(run)
        await settle()
        assert len(factory.alive) <= 3


async def test_two_cold_starts_at_once_evict_two(make_pool: MakePool, factory: FakeFactory, clock: Clock) -> None:
    factory.make = LingeringSandbox
    pool = make_pool(max_sandboxes=2)
    for worker in "ab":
        run = await lease(pool, a_version(worker))
        factory.made[-1].answer(run)
        await clock.advance(0.2)
    tasks = [queue(pool, a_version(worker)) for worker in "cd"]
    await settle()
    dying = [sandbox for sandbox in factory.made if sandbox.state is SandboxState.DEAD]
    for task in tasks:
        task.cancel()
    assert len(dying) == 2


async def test_nothing_drifts_over_many_lives(make_pool: MakePool, factory: FakeFactory, clock: Clock) -> None:
    pool = make_pool(max_sandboxes=4, idle_seconds=5.0)
    for number in range(20):
        run = await lease(pool, a_version(f"w{number}"))
        sandbox = next(sandbox for sandbox in factory.made if run in sandbox.runs.values())
        if number % 3:
            sandbox.answer(run)
        else:
            sandbox.end()
        await settle()
        assert pool.count == len(factory.alive) <= 4
    await clock.advance(6.0)
    await clock.advance(1.0)
    assert pool.count == 0
    assert not factory.alive
    assert not pool._groups


async def test_a_blank_that_is_being_started_takes_a_place(make_pool: MakePool, factory: FakeFactory) -> None:
    factory.gate.clear()
    pool = make_pool(max_sandboxes=1, blanks=1)
    await settle()
    task = queue(pool, a_version())
    await settle()
    assert pool.count == 1
    assert not task.done()
    factory.gate.set()
    await settle()
    assert task.done(), "the blank is ready, and nobody told those who wait"
    assert len(factory.made) == 1


async def test_a_draining_sandbox_takes_a_place(make_pool: MakePool, factory: FakeFactory) -> None:
    pool = make_pool(max_sandboxes=1)
    run = await lease(pool, a_version("a"))
    pool.follow(routes_of())
    assert factory.made[0].state is SandboxState.DRAINING
    task = queue(pool, a_version("b"))
    await settle()
    assert len(factory.made) == 1
    factory.made[0].answer(run)
    await settle()
    assert task.done()


async def test_whatever_comes_there_are_never_too_many(make_pool: MakePool, factory: FakeFactory, clock: Clock) -> None:
    pool = make_pool(max_sandboxes=4, blanks=2)
    for number in range(60):
        permissions = NO_NET if number % 3 == 0 else None
        task = queue(pool, a_version(f"w{number % 7}", permissions=permissions))
        for _ in range(10):
            await settle(1)
            assert len([each for each in factory.made if each.state is not SandboxState.DEAD]) <= 4
        await clock.advance(0.1)
        for sandbox in factory.alive:
            if number % 5 == 0 and sandbox.runs:
                sandbox.end()
            for run in tuple(sandbox.runs.values()):
                sandbox.answer(run)
        assert pool.count <= 4
        assert task.done()


async def test_whoever_looks_sees_what_goes_on_and_memory_only_when_asked(
    make_pool: MakePool, factory: FakeFactory
) -> None:
    version = a_version(limits=Limits(concurrency=1, max_instances=1, memory_mb=100))
    pool = make_pool()
    await lease(pool, version)
    waits = asyncio.create_task(pool.queue_run(version, an_invocation()))
    await settle()
    factory.made[0].memory_share = 0.5
    (state,) = pool.look()
    assert (state.placement.worker, state.sandboxes, state.inflight, state.waiting) == (version.worker, 1, 1, 1)
    assert (state.memory_bytes, state.most_memory_bytes) == (0, 0)
    (state,) = pool.look(memory=True)
    assert (state.memory_bytes, state.most_memory_bytes) == (52_428_800, 52_428_800)
    waits.cancel()
    await asyncio.gather(waits, return_exceptions=True)


# ---- blanks


async def test_blanks_wait_and_are_refilled(make_pool: MakePool, factory: FakeFactory) -> None:
    pool = make_pool(blanks=2)
    await settle()
    assert len(factory.made) == 2
    await lease(pool, a_version())
    assert factory.made[0].placement is not None
    await settle()
    assert pool.states()["blank"] == 2


async def test_another_profile_gets_a_process_of_its_own(make_pool: MakePool, factory: FakeFactory) -> None:
    pool = make_pool(blanks=1)
    await settle()
    await lease(pool, a_version(permissions=NO_NET))
    assert factory.made[0].state is SandboxState.BLANK
    assert factory.made[1].profile == Profile(net="none")


async def test_a_blank_that_died_is_replaced_and_never_leased(make_pool: MakePool, factory: FakeFactory) -> None:
    pool = make_pool(blanks=1)
    await settle()
    factory.made[0].end()
    await settle()
    assert len(factory.alive) == 1
    await lease(pool, a_version())
    assert factory.made[0].placement is None


async def test_blanks_that_do_not_start_are_tried_again_later(
    make_pool: MakePool, factory: FakeFactory, clock: Clock
) -> None:
    factory.failure = V8BoxError("not now")
    pool = make_pool(blanks=1)
    await settle()
    assert (pool.states()["blank"], pool.fault) == (0, "not now")
    factory.failure = None
    await clock.advance(1.1)
    assert (pool.states()["blank"], pool.fault) == (1, "")


async def test_blanks_come_back_when_there_is_room_again(
    make_pool: MakePool, factory: FakeFactory, clock: Clock
) -> None:
    pool = make_pool(blanks=1, max_sandboxes=2)
    await settle()
    busy = [await lease(pool, a_version(worker, permissions=NO_NET)) for worker in "ab"]
    assert factory.made[0].stopped.done(), "the blank had to make room"
    for sandbox, run in zip(factory.made[1:], busy, strict=True):
        sandbox.answer(run)
        sandbox.end()
    await clock.advance(2.0)
    await lease(pool, a_version("c"))
    await clock.advance(2.0)
    assert pool.states()["blank"] == 1


async def test_blanks_come_back_as_soon_as_a_sandbox_is_gone(make_pool: MakePool, factory: FakeFactory) -> None:
    pool = make_pool(blanks=1, max_sandboxes=1)
    await settle()
    await lease(pool, a_version(permissions=NO_NET))
    await settle()
    assert pool.states()["blank"] == 0
    factory.made[1].end()
    await settle()
    assert pool.states()["blank"] == 1


async def test_a_fault_at_the_start_of_a_blank_does_not_end_the_refilling(
    make_pool: MakePool, factory: FakeFactory, clock: Clock
) -> None:
    factory.failure = OSError(24, "Too many open files")
    pool = make_pool(blanks=1)
    await settle()
    factory.failure = None
    await clock.advance(1.1)
    assert pool.states()["blank"] == 1


async def test_blanks_do_not_push_out_workers(make_pool: MakePool, factory: FakeFactory, clock: Clock) -> None:
    pool = make_pool(blanks=1, max_sandboxes=2)
    await settle()
    for worker in "ab":
        run = await lease(pool, a_version(worker))
        next(sandbox for sandbox in factory.made if run in sandbox.runs.values()).answer(run)
        await settle()
    await clock.advance(3.0)
    assert pool.states() == {"ready": 2, "blank": 0}


# ---- idle, recycled


async def test_an_idle_sandbox_goes_and_a_busy_one_stays(
    make_pool: MakePool, factory: FakeFactory, clock: Clock
) -> None:
    pool = make_pool(idle_seconds=10.0)
    run = await lease(pool, a_version("a"))
    await lease(pool, a_version("b"))
    factory.made[0].answer(run)
    await clock.advance(10.5)
    assert factory.made[0].stopped.result().reason is StopReason.IDLE
    assert not factory.made[1].stopped.done()


@pytest.mark.parametrize("wear", ["requests", "memory", "age"])
async def test_a_worn_sandbox_is_replaced_while_it_is_idle(
    make_pool: MakePool, factory: FakeFactory, clock: Clock, wear: str
) -> None:
    pool = make_pool(recycle_after_requests=5, recycle_after_hours=1, idle_seconds=100_000.0)
    run = await lease(pool, a_version())
    sandbox = factory.made[0]
    sandbox.answer(run)
    await clock.advance(1.5)
    assert not sandbox.stopped.done()
    if wear == "requests":
        sandbox.run_count = 5
    elif wear == "memory":
        sandbox.memory_share = 0.81
    else:
        await clock.advance(3601)
    await clock.advance(1.5)
    death = sandbox.stopped.result()
    assert death.reason is StopReason.RECYCLED
    assert (death.used, "v8box memory" in death.detail) == ((103.7, True) if wear == "memory" else (None, False))


async def test_a_retiring_sandbox_drains_and_another_takes_over(
    make_pool: MakePool, factory: FakeFactory, clock: Clock
) -> None:
    pool = make_pool()
    run = await lease(pool, a_version())
    factory.made[0].retiring = True
    await clock.advance(0.1)
    assert factory.made[0].state is SandboxState.DRAINING
    assert not run.response.done()
    assert (await lease(pool, a_version(), "next")) in factory.made[1].runs.values()
    factory.made[0].answer(run)
    await settle()
    assert factory.made[0].stopped.result().reason is StopReason.RECYCLED
    assert not pool._groups["hello-1.production.0"]._draining


async def test_only_busy_and_loading_sandboxes_are_judged(
    make_pool: MakePool, factory: FakeFactory, clock: Clock
) -> None:
    factory.make = lambda profile: (NeverReadySandbox if factory.made else FakeSandbox)(profile)
    pool = make_pool()
    run = await lease(pool, a_version("a"))
    loading = queue(pool, a_version("b"))
    await clock.advance(0.06)
    busy, never = factory.made
    assert (busy.ticks, never.ticks) == (1, 1)
    busy.answer(run)
    await clock.advance(0.06)
    assert (busy.ticks, never.ticks) == (1, 2)
    loading.cancel()


@pytest.mark.parametrize("wear", ["requests", "age"])
async def test_a_worn_sandbox_that_is_never_idle_is_replaced_too(
    make_pool: MakePool, factory: FakeFactory, clock: Clock, wear: str
) -> None:
    version = a_version(limits=Limits(concurrency=1, max_instances=1))
    pool = make_pool(recycle_after_requests=5, recycle_after_hours=1, queue_timeout_seconds=300.0)
    run = await lease(pool, version)
    sandbox = factory.made[0]
    if wear == "requests":
        sandbox.run_count = 5
    else:
        await clock.advance(3590)
    waiting = queue(pool, version)
    await clock.advance(0.06 if wear == "requests" else 10.1)
    assert sandbox.state is SandboxState.DRAINING
    assert not run.response.done()
    assert (await waiting) in factory.made[1].runs.values()
    sandbox.answer(run)
    await settle()
    assert sandbox.stopped.result().reason is StopReason.RECYCLED


async def test_a_retiring_sandbox_without_runs_goes(make_pool: MakePool, factory: FakeFactory, clock: Clock) -> None:
    pool = make_pool()
    run = await lease(pool, a_version())
    factory.made[0].answer(run)
    factory.made[0].retiring = True
    await clock.advance(0.06)
    assert factory.made[0].stopped.result().reason is StopReason.RECYCLED


async def test_only_idle_sandboxes_are_looked_at_while_idle(
    make_pool: MakePool, factory: FakeFactory, clock: Clock
) -> None:
    pool = make_pool(blanks=1)
    run = await lease(pool, a_version("a"))
    await lease(pool, a_version("b"))
    idle = next(sandbox for sandbox in factory.made if run in sandbox.runs.values())
    idle.answer(run)
    await clock.advance(1.1)
    assert [sandbox for sandbox in factory.made if sandbox.idle_ticks] == [idle]
    assert idle.ticks == 0


async def test_what_burns_while_idle_is_gone_at_once(
    make_pool: MakePool, factory: FakeFactory, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = make_pool(idle_seconds=1.0)
    run = await lease(pool, a_version())
    sandbox = factory.made[0]
    sandbox.answer(run)
    death = Death(reason=StopReason.CPU, detail="it burns outside of any run")
    monkeypatch.setattr(sandbox, "tick_idle", lambda now: sandbox.kill(death))
    await clock.advance(3.0)
    assert sandbox.stopped.result() is death
    assert sandbox.trims == 0


@pytest.mark.parametrize("look", ["tick_idle", "trim", "used_memory"])
async def test_a_fault_in_one_tidying_does_not_end_the_tidying(
    make_pool: MakePool, factory: FakeFactory, clock: Clock, monkeypatch: pytest.MonkeyPatch, look: str
) -> None:
    pool = make_pool(idle_seconds=10.0)
    for worker in "ab":
        run = await lease(pool, a_version(worker))
        factory.made[-1].answer(run)

    def explode(*args: float) -> None:
        raise OSError("no such process")

    monkeypatch.setattr(factory.made[0], look, explode)
    await clock.advance(2.5)
    assert factory.made[0].stopped.result().reason is StopReason.CRASH
    assert not factory.made[1].stopped.done()
    await clock.advance(8.0)
    assert factory.made[1].stopped.result().reason is StopReason.IDLE


async def test_a_sandbox_that_cannot_even_be_killed_harms_no_other(
    make_pool: MakePool, factory: FakeFactory, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = make_pool()
    await lease(pool, a_version("a"))
    await lease(pool, a_version("b"))

    def explode(*args: object) -> None:
        raise OSError("no such process")

    with monkeypatch.context() as broken:
        broken.setattr(factory.made[0], "tick", explode)
        broken.setattr(factory.made[0], "kill", explode)
        await clock.advance(0.06)
        await clock.advance(0.06)
    assert factory.made[1].ticks == 2


async def test_a_fault_while_loading_ends_that_start_alone(
    make_pool: MakePool, factory: FakeFactory, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    factory.make = lambda profile: (NeverReadySandbox if not factory.made else FakeSandbox)(profile)
    pool = make_pool()
    loading = queue(pool, a_version("a"))
    await settle()
    await lease(pool, a_version("b"))

    def explode(now: float) -> None:
        raise OSError("no such process")

    monkeypatch.setattr(factory.made[0], "tick", explode)
    await clock.advance(0.06)
    await clock.advance(0.06)
    assert isinstance(loading.exception(), StartupFailed)
    assert factory.made[1].ticks == 2


async def test_the_app_hears_of_a_loop_that_ended(
    factory: FakeFactory, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def bundle(version: Placement) -> bytes:
        return b""

    told: list[str] = []
    pool = Pool(factory, bundle, Sandboxes(blanks=0), on_failure=lambda name, error: told.append(name))
    pool.start()

    def explode() -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(pool, "freed", explode)
    await clock.advance(1.1)
    assert told == ["tidy"]
    await pool.stop(0)
    assert told == ["tidy"]


async def test_a_fault_in_one_look_does_not_end_the_looking(
    make_pool: MakePool, factory: FakeFactory, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = make_pool()
    await lease(pool, a_version("a"))
    await lease(pool, a_version("b"))

    def explode(now: float) -> None:
        raise OSError("no such process")

    monkeypatch.setattr(factory.made[0], "tick", explode)
    await clock.advance(0.06)
    await clock.advance(0.06)
    assert factory.made[1].ticks == 2
    assert factory.made[0].stopped.result().reason is StopReason.CRASH, "it would have run without limits"


# ---- what is live


async def test_a_replaced_version_drains_without_losing_anybody(make_pool: MakePool, factory: FakeFactory) -> None:
    old = a_version(number=1, limits=Limits(concurrency=1, max_instances=1))
    new = a_version(number=2)
    pool = make_pool()
    pool.follow(routes_of(old))
    running = await lease(pool, old, "running")
    waiting = queue(pool, old, "waiting")
    await settle()
    pool.follow(routes_of(new))
    sandbox = factory.made[0]
    assert sandbox.state is SandboxState.READY, "somebody still waits for it"
    sandbox.answer(running)
    assert (await waiting).id == "waiting"
    sandbox.answer(next(iter(sandbox.runs.values())))
    await settle()
    assert sandbox.stopped.result().reason is StopReason.REPLACED


@pytest.mark.parametrize(("routes", "reason"), [([], "removed"), ([a_version(number=2)], "replaced")])
async def test_what_is_not_live_stops(
    make_pool: MakePool, factory: FakeFactory, routes: list[Placement], reason: str
) -> None:
    pool = make_pool()
    run = await lease(pool, a_version())
    factory.made[0].answer(run)
    pool.follow(routes_of(*routes))
    await settle()
    assert factory.made[0].stopped.result().reason == reason


async def test_a_retired_version_that_was_starting_stops_too(make_pool: MakePool, factory: FakeFactory) -> None:
    factory.make = SlowSandbox
    pool = make_pool()
    waiting = queue(pool, a_version())
    await settle()
    waiting.cancel()
    await settle()
    pool.follow(routes_of())
    slow = factory.made[0]
    assert isinstance(slow, SlowSandbox)
    slow.loaded.set()
    await settle()
    assert not factory.alive


async def test_a_rollback_before_the_drain_keeps_the_version(make_pool: MakePool, factory: FakeFactory) -> None:
    pool = make_pool()
    run = await lease(pool, a_version(number=1))
    pool.follow(routes_of(a_version(number=2)))
    pool.follow(routes_of(a_version(number=1)))
    assert (await lease(pool, a_version(number=1), "again")).id == "again"
    factory.made[0].answer(run)
    await settle()
    assert len(factory.alive) == 1


@pytest.mark.parametrize(("wall_ms", "seconds"), [(5_000, 30), (60_000, 60)])
@pytest.mark.parametrize("reason", ["replaced", "removed", "recycled"])
async def test_a_drain_has_an_end(
    make_pool: MakePool, factory: FakeFactory, clock: Clock, wall_ms: int, seconds: int, reason: str
) -> None:
    pool = make_pool()
    run = await lease(pool, a_version(limits=Limits(wall_ms=wall_ms)))
    sandbox = factory.made[0]
    await clock.advance(100.0)  # it counts from the drain, not from the start
    if reason == "recycled":
        sandbox.retiring = True
        await clock.advance(0.05)
    else:
        pool.follow(routes_of(*([a_version(number=2)] if reason == "replaced" else [])))
    await clock.advance(seconds / 2)
    pool.follow(routes_of())  # told again, it has no more time for that
    await clock.advance(seconds / 2 - 0.1)
    assert sandbox.state is SandboxState.DRAINING
    await clock.advance(0.2)
    assert sandbox.stopped.result().reason == reason
    with pytest.raises(RunKilled, match=reason):
        await run.response
    await clock.advance(1.1)
    assert not pool._groups


async def test_the_last_who_waited_for_a_retired_version_leaves(make_pool: MakePool, factory: FakeFactory) -> None:
    version = a_version(limits=Limits(concurrency=1, max_instances=1))
    pool = make_pool()
    await lease(pool, version)
    waiting = queue(pool, version)
    await settle()
    pool.follow(routes_of())
    sandbox = factory.made[0]
    assert pool.states()["ready"] == 1
    waiting.cancel()
    await settle()
    assert sandbox.state is SandboxState.DRAINING


async def test_a_retired_version_drains_though_a_further_start_failed(
    make_pool: MakePool, factory: FakeFactory
) -> None:
    version = a_version(limits=Limits(concurrency=1, max_instances=2))
    pool = make_pool()
    await lease(pool, version)
    factory.gate.clear()
    waiting = queue(pool, version)
    await settle()
    waiting.cancel()
    await settle()
    pool.follow(routes_of())
    assert pool.states()["ready"] == 1, "a start is under way"
    factory.failure = V8BoxError("not now")
    factory.gate.set()
    await settle()
    assert factory.made[0].state is SandboxState.DRAINING


# ---- the end


async def test_stop_waits_for_runs_and_then_kills(make_pool: MakePool, factory: FakeFactory, clock: Clock) -> None:
    pool = make_pool(blanks=1)
    await settle()
    run = await lease(pool, a_version())
    stopping = asyncio.get_running_loop().create_task(pool.stop(5.0))
    await settle()
    assert not stopping.done()
    with pytest.raises(NoCapacity):
        await pool.queue_run(a_version("b"), an_invocation())
    await clock.advance(5.1)
    await stopping
    with pytest.raises(RunKilled, match="shutdown"):
        await run.response
    await settle()
    assert not factory.alive


async def test_stop_ends_as_soon_as_everything_has_drained(make_pool: MakePool, factory: FakeFactory) -> None:
    pool = make_pool()
    run = await lease(pool, a_version())
    stopping = asyncio.get_running_loop().create_task(pool.stop(5.0))
    await settle()
    factory.made[0].answer(run)
    await settle()
    assert stopping.done()
    assert not factory.alive


async def test_stop_leaves_no_sandbox_that_was_starting(
    make_pool: MakePool, factory: FakeFactory, clock: Clock
) -> None:
    factory.make = lambda profile: (SlowSandbox if factory.made else FakeSandbox)(profile)
    pool = make_pool()
    await lease(pool, a_version("a"))
    waiting = queue(pool, a_version("b"))
    await settle()
    stopping = asyncio.get_running_loop().create_task(pool.stop(5.0))
    await settle()
    slow = factory.made[1]
    assert isinstance(slow, SlowSandbox)
    slow.loaded.set()
    await clock.advance(5.1)
    await stopping
    await settle()
    waiting.cancel()
    assert not factory.alive


async def test_stop_tells_those_who_wait_at_once(make_pool: MakePool, factory: FakeFactory) -> None:
    version = a_version(limits=Limits(concurrency=1, max_instances=4))
    pool = make_pool(max_sandboxes=1)
    run = await lease(pool, version)
    waiting = [queue(pool, version), queue(pool, a_version("b"))]
    await settle()
    stopping = asyncio.get_running_loop().create_task(pool.stop(5.0))
    await settle()
    for task in waiting:
        with pytest.raises(NoCapacity, match="stopping"):
            task.result()
    factory.made[0].answer(run)
    await settle()
    assert stopping.done()
    assert len(factory.made) == 1


async def test_what_becomes_ready_while_the_box_stops_is_killed_at_once(
    make_pool: MakePool, factory: FakeFactory
) -> None:
    factory.make = lambda profile: (SlowSandbox if factory.made else FakeSandbox)(profile)
    pool = make_pool()
    await lease(pool, a_version("a"))
    queue(pool, a_version("b"))
    await settle()
    stopping = asyncio.get_running_loop().create_task(pool.stop(5.0))
    await settle()
    slow = factory.made[1]
    assert isinstance(slow, SlowSandbox)
    slow.loaded.set()
    await settle()
    assert slow.stopped.result().reason is StopReason.SHUTDOWN
    assert not stopping.done()
    stopping.cancel()


async def test_a_blank_that_is_ready_too_late_is_killed(make_pool: MakePool, factory: FakeFactory) -> None:
    pool = make_pool(blanks=2)
    await settle()
    run = await lease(pool, a_version())
    factory.gate.clear()
    factory.made[1].end()
    await settle()
    stopping = asyncio.get_running_loop().create_task(pool.stop(5.0))
    await settle()
    factory.gate.set()
    await settle()
    busy = next(sandbox for sandbox in factory.made if run in sandbox.runs.values())
    assert factory.alive == [busy]
    stopping.cancel()


async def test_the_reason_of_a_death_is_the_one_it_was_killed_for(make_pool: MakePool, factory: FakeFactory) -> None:
    pool = make_pool()
    run = await lease(pool, a_version())
    factory.made[0].kill(Death(reason=StopReason.MEMORY, detail="too much"))
    factory.made[0].kill(Death(reason=StopReason.CPU, detail="later"))
    with pytest.raises(RunKilled, match="memory"):
        await run.response


async def test_an_idle_sandbox_is_trimmed_and_a_busy_one_is_not(
    make_pool: MakePool, factory: FakeFactory, clock: Clock
) -> None:
    pool = make_pool()
    run = await lease(pool, a_version("a"))
    await lease(pool, a_version("b"))
    factory.made[0].answer(run)
    await clock.advance(1.5)
    assert factory.made[0].trims == 0
    await clock.advance(1.5)
    assert factory.made[0].trims > 0
    assert factory.made[1].trims == 0
