"""Seconds in memory, minutes and hours on the disk: nothing is lost or counted twice, nothing outgrows its bound."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.telemetry.metrics.conftest import HOUR_BEGINS, MB, Kept, run

from v8box.storage import DatabaseError
from v8box.telemetry.metrics import rollups as module
from v8box.telemetry.metrics.figures import REQUESTS, Figures, Key
from v8box.telemetry.metrics.store import HOUR, KEEP_SECONDS, MINUTE

BOX, DEFAULT = Key(""), Key("default")


def anything(_: Key) -> bool:
    return True


async def requests(kept: Kept, key: Key, step: int = MINUTE, days: int = 100) -> dict[int, float]:
    """By time since the beginning of the hour."""
    since, until = HOUR_BEGINS - days * 86_400, HOUR_BEGINS + days * 86_400
    found = await kept.rollups.read(lambda each: each == key, since, until, step)
    return {
        at - HOUR_BEGINS: figures.get(REQUESTS) for (_, at), figures in sorted(found.items(), key=lambda e: e[0][1])
    }


async def test_a_second_is_there_at_once_and_so_is_its_minute(kept: Kept) -> None:
    kept.counters.on_runs([run()])
    await kept.second()
    ((second, found),) = kept.rollups.seconds(0)
    assert second == HOUR_BEGINS
    assert [figures.get(REQUESTS) for figures in found.values()] == [1]
    assert await requests(kept, DEFAULT) == {0: 1}
    assert await requests(kept, BOX) == {0: 1}
    assert await requests(kept, BOX, HOUR) == {0: 1}


async def test_minutes_add_up_to_hours_and_workers_to_their_project_and_the_box(kept: Kept) -> None:
    for worker, project in (("a", "default"), ("b", "default"), ("c", "shop")):
        kept.counters.on_runs([run(worker, project=project)])
    await kept.minute()
    kept.counters.on_runs([run("a")])
    await kept.minute()
    assert await requests(kept, BOX) == {0: 3, 60: 1}
    assert await requests(kept, DEFAULT) == {0: 2, 60: 1}
    assert await requests(kept, Key("shop"), HOUR) == {0: 1}
    assert await requests(kept, Key("default", "production", "a", "v1", "http"), HOUR) == {0: 2}


async def test_environments_have_sums_too_and_what_has_none_counts_once(kept: Kept) -> None:
    kept.counters.on_runs([run("a", environment="staging")])
    kept.counters.on_runs([run("a")])
    kept.counters.on_runs([run("_other", environment="", version="")])  # as beyond the bound of series
    await kept.minute()
    assert await requests(kept, Key("default", "staging")) == {0: 1}
    assert await requests(kept, Key("default", "production")) == {0: 1}
    assert await requests(kept, DEFAULT) == {0: 3}
    assert await requests(kept, BOX) == {0: 3}


async def test_a_box_that_is_started_anew_goes_on_where_it_was(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    await kept.open()
    kept.counters.on_runs([run()])
    await kept.second()
    await kept.rollups.close()
    await kept.open()  # within the same minute
    kept.counters.on_runs([run()])
    await kept.second()
    assert await requests(kept, DEFAULT) == {0: 2}
    await kept.minute()
    assert await requests(kept, DEFAULT) == {0: 2}
    assert await requests(kept, DEFAULT, HOUR) == {0: 2}
    await kept.rollups.close()


async def test_a_crash_loses_the_minute_that_goes_on_and_no_other(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    await kept.open()
    kept.counters.on_runs([run()])
    await kept.minute()
    kept.counters.on_runs([run()])
    await kept.second()
    await kept.store.close()  # and nothing else is done
    await kept.open()
    assert await requests(kept, DEFAULT) == {0: 1}
    await kept.rollups.close()


async def test_minutes_wait_for_a_disk_that_is_full_and_the_oldest_go_first(
    kept: Kept, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    real = kept.store.add

    async def full(_minute: int, _figures: Mapping[Key, Figures]) -> None:
        raise DatabaseError("FullError: database or disk is full")

    monkeypatch.setattr(kept.store, "add", full)
    with caplog.at_level(logging.WARNING):
        for _ in range(17):
            kept.counters.on_runs([run()])
            await kept.minute()
    assert "wait" in caplog.text
    assert kept.rollups.dropped_minutes == 2
    assert list(await requests(kept, DEFAULT)) == [60 * minute for minute in range(2, 17)], "they can be looked at"
    monkeypatch.setattr(kept.store, "add", real)
    await kept.minute()
    assert sum((await requests(kept, DEFAULT)).values()) == 15
    assert sum((await requests(kept, DEFAULT, HOUR)).values()) == 15


async def test_a_clock_that_is_set_back_counts_nothing_twice(kept: Kept) -> None:
    kept.counters.on_runs([run()])
    await kept.minute()
    kept.counters.on_runs([run()])
    kept.time.now = HOUR_BEGINS + 30
    await kept.rollups.tick()
    await kept.rollups.write()
    kept.counters.on_runs([run()])
    await kept.minute()
    assert sum((await requests(kept, DEFAULT)).values()) == 3


async def test_gauges_are_kept_as_the_most_they_were(kept: Kept) -> None:
    worker = Key("default", "production", "hello", "v1")
    now: dict[Key, dict[str, float]] = {}
    kept.rollups.gauges = lambda: now
    for inflight in (2.0, 7.0, 3.0):
        now = {worker: {"inflight": inflight}, BOX: {"process_cpu": inflight / 10}}
        await kept.second()
    await kept.minute()
    now = {}
    found = await kept.rollups.read(anything, HOUR_BEGINS, HOUR_BEGINS + 60, MINUTE)
    assert found[(worker, HOUR_BEGINS)].peaks == {"inflight": 7.0}
    assert found[(BOX, HOUR_BEGINS)].peaks == {"process_cpu": 0.7}


async def test_of_several_workers_the_largest_sandbox_is_the_projects(kept: Kept) -> None:
    """What two workers had in flight at different times says nothing of both."""
    one, two = (Key("default", "production", name, "v1") for name in ("one", "two"))
    kept.rollups.gauges = lambda: {one: {"memory": 5.0, "inflight": 2.0}, two: {"memory": 9.0, "inflight": 1.0}}
    await kept.second()
    for ended in (False, True):
        if ended:
            await kept.minute()
        found = await kept.rollups.read(anything, HOUR_BEGINS, HOUR_BEGINS + 60, MINUTE)
        for wider in (Key("default", "production"), DEFAULT, BOX):
            assert found[(wider, HOUR_BEGINS)].peaks == {"memory": 9.0}


async def test_what_is_live_is_bounded(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MAX_LIVE_ROWS", 10)
    for _ in range(20):
        for worker in ("a", "b"):
            kept.counters.on_runs([run(worker)])
        await kept.second()
    assert len(list(kept.rollups.seconds(0))) == 5
    monkeypatch.setattr(module, "LIVE_SECONDS", 3)
    await kept.second()
    assert len(list(kept.rollups.seconds(0))) == 3


async def test_who_watches_is_told_until_it_stops(kept: Kept) -> None:
    told: list[Any] = []
    stop = kept.rollups.watch(lambda second, found: told.append((second, len(found))))
    await kept.second()
    kept.counters.on_runs([run()])
    await kept.second()
    stop()
    stop()
    await kept.second()
    assert told == [(HOUR_BEGINS, 0), (HOUR_BEGINS + 1, 1)]


async def test_a_project_that_is_deleted_leaves_nothing(kept: Kept) -> None:
    for project in ("shop", "default"):
        kept.counters.on_runs([run(project=project)])
    await kept.minute()
    for project in ("shop", "default"):
        kept.counters.on_runs([run(project=project)])
    await kept.second()
    await kept.rollups.forget_project("shop")
    found = await kept.rollups.read(anything, 0, HOUR_BEGINS + 86_400, MINUTE)
    assert {key.project for key, _ in found} == {"default", ""}
    assert all(key.project != "shop" for _, second in kept.rollups.seconds(0) for key in second)
    kept.counters.on_runs([run(project="shop")])
    await kept.minute()
    assert sum((await requests(kept, Key("shop"))).values()) == 1


async def test_what_is_old_goes(kept: Kept) -> None:
    kept.counters.on_runs([run("old", version="gone")])
    await kept.minute()
    kept.time.now += KEEP_SECONDS
    kept.counters.on_runs([run("new")])
    await kept.minute()
    await kept.store.prune(kept.time.now)
    assert {key.worker for key in kept.store.keys()} == {"", "new"}
    assert len(await requests(kept, DEFAULT)) == 1
    kept.counters.on_runs([run("old", version="gone")])
    await kept.minute()
    assert len(await requests(kept, DEFAULT)) == 2


async def test_beyond_the_budget_the_oldest_minutes_go_and_hours_stay(tmp_path: Path) -> None:
    kept = Kept(tmp_path, budget=MB // 4)
    await kept.open()
    for day in range(6):
        for minute in range(12):
            at = HOUR_BEGINS + day * 86_400 + minute * 60
            big = {Key("default", "production", f"w{n}", "v1", "http"): _bulky() for n in range(10)}
            await kept.store.add(at, big)
    before = await kept.store.bytes_used()
    assert before > MB // 4
    await kept.store.prune(HOUR_BEGINS + 6 * 86_400)
    assert await kept.store.bytes_used() <= MB // 4
    minutes = await kept.store.read(anything, 0, HOUR_BEGINS + 7 * 86_400, MINUTE)
    assert minutes, "the newest stay"
    assert min(at for _, at in minutes) > HOUR_BEGINS
    hours = await kept.store.read(anything, 0, HOUR_BEGINS + 7 * 86_400, HOUR)
    assert len(hours) == 60
    await kept.rollups.close()


def _bulky() -> Figures:
    return Figures({place: 1.5 + place for place in range(50)}, {"exception": 1}, {}, {"db": [1, 0, 2.5, 3]})
