"""What a report advises: higher limits where they help, and none where they would only put the end off."""

from __future__ import annotations

from typing import Any

import pytest
from tests.kills.conftest import Box, a_run, grows

MIB = 1024 * 1024


async def advice(box: Box, reason: str, **more: Any) -> tuple[str, int | None]:
    box.dies(reason, **more)
    [kill] = await box.list()
    report = await box.show(kill["id"])
    suggestion = report["suggestion"]
    assert len(report["advice_parts"]) == len(report["advice"])
    return " ".join(report["advice"]), None if suggestion is None else suggestion["value"]


async def test_a_loop_among_quick_runs_is_no_reason_for_a_higher_limit(box: Box) -> None:
    box.runs_well(cpu=30.0)
    box.runs_well(cpu=12.0)
    said, value = await advice(box, "cpu", limit=10_000, used=10_050, runs=[a_run()], run_count=1)
    assert value is None
    assert "2 good runs of this version needed at most 30 ms of the 10.0 s" in said


async def test_a_limit_that_good_runs_come_close_to_is_too_low(box: Box) -> None:
    box.runs_well(cpu=450.0)
    said, value = await advice(box, "cpu", limit=500, used=520, runs=[a_run()], run_count=1)
    assert value == 1_000
    assert "too low" in said


async def test_without_good_runs_nobody_knows(box: Box) -> None:
    said, value = await advice(box, "cpu", limit=500, used=520, runs=[a_run()], run_count=1)
    assert value == 1_000
    assert "No run of this version has ended well yet" in said


async def test_burning_for_nobody_is_a_timer_left_behind(box: Box) -> None:
    said, value = await advice(box, "cpu", limit=500, used=520)
    assert value is None
    assert "timer" in said


async def test_memory_that_grew_all_along_is_a_leak(box: Box) -> None:
    curve = grows(*range(10, 130, 4))
    said, value = await advice(box, "memory", curve=curve, runs=[a_run()], run_count=1)
    assert value is None
    assert "leak" in said
    assert "v8box heap" in said


async def test_memory_that_jumped_in_one_run_is_not(box: Box) -> None:
    box.runs_well(memory=20 * MIB)
    curve = grows(*[20] * 20, 60, 130)
    said, value = await advice(box, "memory", curve=curve, runs=[a_run()], run_count=1)
    assert value == 260
    assert "at most 20 MiB" in said


async def test_runs_that_share_the_memory_are_named(box: Box) -> None:
    said, _ = await advice(box, "memory", runs=[a_run()], run_count=40)
    assert "40 runs shared the process" in said
    assert "limits.concurrency" in said


async def test_a_run_that_waits_is_told_for_what(box: Box) -> None:
    run = a_run(waiting_for=["db.execute", "db.execute", "cache.get"])
    said, value = await advice(box, "wall", limit=30_000, used=30_040, runs=[run], run_count=1)
    assert "db.execute, cache.get" in said
    assert value == 60_000


async def test_a_run_that_takes_far_longer_than_others_needs_no_higher_limit(box: Box) -> None:
    box.runs_well(duration=80.0)
    said, value = await advice(box, "wall", limit=30_000, used=30_040, runs=[a_run()], run_count=1)
    assert value is None
    assert "80 ms at most" in said
    assert "fetch" in said


async def test_a_loop_on_a_busy_machine_is_not_taken_for_one_who_waits(box: Box) -> None:
    run = a_run()
    run.elapsed, run.cpu = 30_040.0, 8_000.0
    said, value = await advice(box, "wall", limit=30_000, used=30_040, runs=[run], run_count=1)
    assert "8000 ms of processor time in 30.0 s" in said
    assert "v8box profile" in said
    assert "fetch" not in said
    assert value is None  # it would only go on for longer


async def test_who_computes_and_has_good_runs_that_take_as_long_may_have_more(box: Box) -> None:
    box.runs_well(duration=20_000.0)
    ended = {"runs": [a_run()], "run_count": 1, "stack": "at f (a.ts:1)"}
    said, value = await advice(box, "wall", limit=30_000, used=30_040, **ended)
    assert "the stack above" in said
    assert value == 60_000


async def test_no_more_is_suggested_than_a_manifest_may_have(box: Box) -> None:
    _, value = await advice(box, "memory", limit=4_000, used=4_001)
    assert value == 4_096
    box.now += 100
    box.dies("memory", limit=4_096, used=4_100)
    newest = (await box.list())[0]
    assert (await box.show(newest["id"]))["suggestion"] is None


@pytest.mark.parametrize(
    ("reason", "limit", "word", "value"),
    [
        ("startup", 10_000, "top-level await", 20_000),
        ("startup", None, "threw while it was loaded", None),
        ("log_bytes", 256, "log call in a loop", 520),
        ("response_bytes", 100, "presigned URL", 200),
        ("exit", None, "Deno.exit()", None),
        ("protocol", None, "report it", None),
        ("crash", None, "last output", None),
    ],
)
async def test_every_reason_has_its_advice(box: Box, reason: str, limit: float | None, word: str, value: int) -> None:
    said, suggested = await advice(box, reason, limit=limit, used=None)
    assert word in said
    assert suggested == value
