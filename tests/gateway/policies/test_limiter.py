"""The algorithm against an exact model in fractions, and nodes that share what they know."""

from __future__ import annotations

import asyncio
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from v8box.bindings.interface import BindingError
from v8box.catalog.policies import RateLimit
from v8box.gateway.policies.limit_sync import LimitSync
from v8box.gateway.policies.limiter import Cell, Limiter

NOW = 1_800_000_000.0


def hit(limiter: Limiter, cell: Cell, now: float, key: str = "k") -> bool:
    bucket = limiter.bucket(key, cell)
    if limiter.wait_seconds(bucket, cell, now):
        return False
    limiter.take(bucket, cell, now)
    return True


def a_cell(limit: int, window: int = 60, burst: int = 0) -> Cell:
    return Cell(RateLimit(limit=limit, window_seconds=window, burst=burst))


@given(
    st.integers(1, 50),
    st.integers(1, 100),
    st.integers(0, 60),
    st.lists(st.integers(0, 4_000), max_size=80),
)
def test_the_decisions_are_those_of_the_exact_model(limit: int, window: int, burst: int, gaps: list[int]) -> None:
    """Times are in 64ths of a second, which floats hold exactly, so that only the algorithm is compared."""
    limiter, cell = Limiter(), a_cell(limit, window, burst)
    interval = Fraction(window, limit)
    tolerance = interval * (burst or limit)
    tat, now = Fraction(0), Fraction(int(NOW))
    for gap in gaps:
        now += Fraction(gap, 64)
        ahead = max(tat, now) + interval - now - tolerance
        if abs(ahead) < Fraction(1, 100_000):
            continue  # at the very edge either is right
        assert hit(limiter, cell, float(now)) == (ahead <= 0)
        if ahead <= 0:
            tat = max(tat, now) + interval


def test_a_burst_then_an_even_rate() -> None:
    limiter, cell = Limiter(), a_cell(60, 60, burst=3)
    assert [hit(limiter, cell, NOW) for _ in range(5)] == [True, True, True, False, False]
    assert [hit(limiter, cell, NOW + 1 + i / 4) for i in range(8)] == [True, False, False, False] * 2


def test_what_is_left_and_when_to_come_back() -> None:
    limiter, cell = Limiter(), a_cell(5)
    bucket = limiter.bucket("k", cell)
    assert [limiter.take(bucket, cell, NOW) for _ in range(5)] == pytest.approx([12, 24, 36, 48, 60])
    assert limiter.wait_seconds(bucket, cell, NOW) == pytest.approx(12)
    assert limiter.wait_seconds(bucket, cell, NOW + 11) == pytest.approx(1)
    assert limiter.wait_seconds(bucket, cell, NOW + 12) == 0


def test_a_clock_that_goes_back_locks_nobody_out() -> None:
    limiter, cell = Limiter(), a_cell(5)
    while hit(limiter, cell, NOW):
        pass
    bucket = limiter.bucket("k", cell)
    assert limiter.wait_seconds(bucket, cell, NOW - 3_600) <= cell.interval
    assert hit(limiter, cell, NOW - 3_600 + cell.interval)


def test_buckets_are_bounded() -> None:
    limiter, cell = Limiter(max_buckets=10), a_cell(1)
    assert hit(limiter, cell, NOW, "first")
    for index in range(9):
        hit(limiter, cell, NOW, f"k{index}")
    assert not hit(limiter, cell, NOW, "first")  # used again, so it stays
    for index in range(9, 18):
        hit(limiter, cell, NOW, f"k{index}")
    assert len(limiter) == 10
    assert not hit(limiter, cell, NOW, "first")


# ---- together


class Shared:
    """What `limit_sync.lua` does, on a dict; `away` makes it fail."""

    def __init__(self) -> None:
        self.known: dict[str, float] = {}
        self.away = False
        self.commands: list[str] = []

    async def execute(self, command: Any) -> Any:
        self.commands.append(command[0])
        if self.away:
            raise BindingError("UNAVAILABLE", "away")
        if command[0] == "PING":
            return b"PONG"
        count = int(command[2])
        keys, (now, *rest) = command[3 : 3 + count], map(float, command[3 + count :])
        merged = []
        for index, key in enumerate(keys):
            owed, since, known, burst = rest[4 * index : 4 * index + 4]
            tat = self.known.get(key, 0.0)
            if owed > 0:
                tat = max(tat, since) + owed
            tat = self.known[key] = min(max(tat, known), now + burst)
            merged.append(f"{tat:.6f}".encode())
        return merged


class Node:
    def __init__(self, shared: Shared, clock: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
        self.limiter = Limiter()
        self.sync = LimitSync(self.limiter, shared.execute)
        self.clock = clock
        monkeypatch.setattr("v8box.gateway.policies.limit_sync.time.time", lambda: clock[0])

    def hits(self, cell: Cell, count: int) -> int:
        return sum(hit(self.limiter, cell, self.clock[0]) for _ in range(count))


@pytest.fixture
def clock() -> list[float]:
    return [NOW]


async def test_one_node_alone_keeps_its_own_count(clock: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    shared = Shared()
    node, cell = Node(shared, clock, monkeypatch), a_cell(10, 60)
    for _ in range(20):
        node.hits(cell, 1)
        before = node.limiter.bucket("k", cell).tat
        assert await node.sync.sync()
        assert node.limiter.bucket("k", cell).tat == pytest.approx(before, abs=1e-5)
        clock[0] += 0.7
    assert node.limiter.bucket("k", cell).owed == 0


async def test_two_nodes_let_through_what_one_would(clock: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    shared, cell = Shared(), a_cell(10, 600)
    one, two = Node(shared, clock, monkeypatch), Node(shared, clock, monkeypatch)
    assert one.hits(cell, 4) + two.hits(cell, 3) == 7
    for node in (one, two, one):
        assert await node.sync.sync()
    assert one.limiter.bucket("k", cell).tat == pytest.approx(two.limiter.bucket("k", cell).tat, abs=1e-5)
    assert one.hits(cell, 9) == 3
    assert await one.sync.sync()
    assert await two.sync.sync()
    assert two.hits(cell, 9) == 0


async def test_a_restart_gives_nobody_a_new_window(clock: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    shared, cell = Shared(), a_cell(5, 600)
    before = Node(shared, clock, monkeypatch)
    assert before.hits(cell, 9) == 5
    await before.sync.stop()
    after = Node(shared, clock, monkeypatch)
    assert after.hits(cell, 1) == 1  # it is not known yet who this is
    assert after.sync._wake.is_set()
    assert await after.sync.sync()
    assert after.hits(cell, 9) == 0


async def test_what_was_let_through_while_nobody_could_be_told(
    clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    shared, cell = Shared(), a_cell(10, 600)
    one, two = Node(shared, clock, monkeypatch), Node(shared, clock, monkeypatch)
    shared.away = True
    assert one.hits(cell, 4) == 4
    for _ in range(3):
        assert not await one.sync.sync()
    assert one.limiter.down_since == NOW
    assert one.limiter.bucket("k", cell).owed == pytest.approx(240)
    assert two.hits(cell, 5) == 5
    shared.away = False
    for node in (one, two, one, two):
        assert await node.sync.sync()
    assert one.limiter.down_since is None
    assert one.hits(cell, 9) == 1
    assert one.limiter.bucket("k", cell).tat == pytest.approx(NOW + 600)


async def test_a_server_that_forgot_the_script_is_given_it(clock: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    shared = Shared()
    node = Node(shared, clock, monkeypatch)

    async def forgetful(command: Any) -> Any:
        if command[0] == "EVALSHA":
            raise BindingError("NOSCRIPT", "No matching script")
        return await shared.execute(command)

    node.sync._execute = forgetful
    node.hits(a_cell(5), 1)
    assert await node.sync.sync()
    assert shared.commands == ["EVAL"]


async def test_a_client_that_went_quiet_is_asked_for_no_more(
    clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    node = Node(Shared(), clock, monkeypatch)
    node.hits(a_cell(5), 1)
    for _ in range(Limiter.QUIET_ROUNDS + 2):
        await node.sync.sync()
    assert not node.limiter.is_waiting


async def test_hits_while_the_others_are_being_told_are_owed_next_time(
    clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    shared, cell = Shared(), a_cell(10, 600)
    node = Node(shared, clock, monkeypatch)
    asked, go = asyncio.Event(), asyncio.Event()

    async def slow(command: Any) -> Any:
        asked.set()
        await go.wait()
        return await shared.execute(command)

    node.sync._execute = slow
    node.hits(cell, 2)
    telling = asyncio.ensure_future(node.sync.sync())
    await asked.wait()
    node.hits(cell, 3)
    go.set()
    assert await telling
    bucket = node.limiter.bucket("k", cell)
    assert bucket.owed == pytest.approx(180)
    assert bucket.tat == pytest.approx(NOW + 300)
    await node.sync.sync()
    assert bucket.owed == 0
    assert list(shared.known.values()) == pytest.approx([NOW + 300])


async def test_a_sync_that_is_cancelled_loses_nothing(clock: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    node, cell = Node(Shared(), clock, monkeypatch), a_cell(10)

    async def never(command: Any) -> Any:
        await asyncio.get_running_loop().create_future()

    node.sync._execute = never
    node.hits(cell, 1)
    telling = asyncio.ensure_future(node.sync.sync())
    await asyncio.sleep(0)
    telling.cancel()
    await asyncio.gather(telling, return_exceptions=True)
    assert node.limiter.is_waiting
    assert node.limiter.bucket("k", cell).owed == pytest.approx(6)
