"""What is kept: everything, a share of the runs, no lines, and of a flood so much."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.fakes.records import a_line, a_run

from v8box.telemetry.intake import Intake, Kept
from v8box.telemetry.records import LineRecord
from v8box.telemetry.ring import Rings
from v8box.telemetry.store import LineQuery, RunQuery, RunStore


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[RunStore]:
    made = await RunStore.open(tmp_path / "logs", budget_bytes=1 << 24, days=14)
    yield made
    await made.close()


async def test_a_share_of_the_runs_is_kept_and_all_that_failed(store: RunStore) -> None:
    rings = Rings()
    log = Intake(store, rings)
    log.follow({"v1": Kept(sampling=0.1)})
    for number in range(2_000):
        log.runs([a_run(status=500 if number % 100 == 0 else 200, worker="sampled")])
        log.runs([a_run(version="v2", worker="other")])
    sampled = (await store.runs(RunQuery(worker="sampled"), 10_000)).items
    assert len([each for each in sampled if each.failed]) == 20
    assert 120 < len(sampled) < 320
    assert {each.sampling for each in sampled} == {0.1}
    other = (await store.runs(RunQuery(worker="other"), 10_000)).items
    assert (len(other), {each.sampling for each in other}) == (2_000, {1.0})
    assert rings.of("default").next == 4_000, "those who follow see every run"


async def test_runs_of_one_trace_are_kept_together(store: RunStore) -> None:
    log = Intake(store, Rings())
    log.follow({"v1": Kept(sampling=0.5), "v2": Kept(sampling=0.5)})
    for number in range(200):
        trace = f"{number * 0x9E3779B97F4A7C15 & (1 << 128) - 1:032x}"
        log.runs([a_run(trace=trace, worker="caller")])
        log.runs([a_run(trace=trace, worker="called", version="v2")])
    caller, called = [(await store.runs(RunQuery(worker=name), 1_000)).items for name in ("caller", "called")]
    assert {each.trace for each in caller} == {each.trace for each in called}
    assert 0 < len(caller) < 200


@pytest.mark.parametrize(("share", "kept"), [(0.0, 0), (1.0, 100)])
async def test_none_and_all_are_shares_too(store: RunStore, share: float, kept: int) -> None:
    log = Intake(store, Rings())
    log.follow({"v1": Kept(sampling=share)})
    for _ in range(100):
        log.runs([a_run()])
    assert len((await store.runs(RunQuery(), 200)).items) == kept


async def test_lines_that_nobody_wants_are_not_kept(store: RunStore) -> None:
    log = Intake(store, Rings())
    log.follow({"v1": Kept(logs=False)})
    log.line(a_line("unwanted"))
    log.line(a_line("wanted", version="v2"))
    assert await texts(store) == ["wanted"]


async def test_of_a_flood_so_much_is_kept_and_a_line_says_how_much_is_not(
    store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1_000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    log = Intake(store, Rings(), lines_per_second=10)
    for number in range(80):
        log.line(a_line(f"{number}"))
    log.line(a_line("of another", worker="quiet"))
    log.tell()
    log.tell()
    assert await texts(store) == [
        *(f"{number}" for number in range(50)),
        "of another",
        "30 lines were left out: this worker prints more than 10 a second",
    ]
    now += 0.5
    for number in range(10):
        log.line(a_line(f"later {number}"))
    assert [text for text in await texts(store) if text.startswith("later")] == [f"later {each}" for each in range(5)]
    now += 100
    log.tell()
    log.tell()
    assert not log._paces
    assert (await texts(store))[-1].startswith("5 lines were left out")


async def texts(store: RunStore) -> list[str]:
    records: list[LineRecord] = [each.record for each in (await store.lines(LineQuery(), 1_000)).items]
    return [each.text for each in reversed(records)]
