"""The rings: numbers that go on, bounds that hold, and a project that floods loses its own."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as some
from tests.fakes.records import a_line, a_run

from v8box.telemetry.meter import Span
from v8box.telemetry.records import LineRecord, RunError
from v8box.telemetry.ring import ProjectRing, Rings


def texts(ring: ProjectRing, position: int = 0, limit: int = 1_000) -> list[str]:
    return [each.text for each in ring.read(position, limit).records if isinstance(each, LineRecord)]


@given(some.lists(some.booleans(), max_size=60), some.integers(0, 70), some.integers(1, 9), some.integers(1, 20))
def test_a_read_is_what_comes_next_of_what_is_still_there(
    steps: list[bool], position: int, limit: int, size: int
) -> None:
    """True adds, False lets the oldest go."""
    ring, model, gone = ProjectRing(), list[str](), 0
    for number, adds in enumerate(steps):
        if adds:
            ring.append(a_line(f"{number}"), size)
            model.append(f"{number}")
        elif len(ring):
            assert ring.drop_oldest(1, 0) == (1, size)
            gone += 1
    position = min(position, len(model))
    read = ring.read(position, limit)
    start = max(position, gone)
    assert (read.missed, read.first) == (start - position, start)
    assert texts(ring, position, limit) == model[start : start + limit]
    assert read.position == start + len(read.records)
    assert ring.bytes == size * len(ring)


def test_a_project_that_floods_loses_its_own() -> None:
    rings = Rings(max_records=1_000)
    for number in range(5):
        rings.line(a_line(f"quiet {number}", project="quiet"), 10)
    for number in range(20_000):
        rings.line(a_line(f"{number}", project="loud"), 10)
    assert texts(rings.of("quiet")) == [f"quiet {number}" for number in range(5)]
    held = len(rings.of("loud"))
    assert 995 - 1_000 // 64 - 1 <= held <= 995
    assert texts(rings.of("loud")) == [f"{number}" for number in range(20_000 - held, 20_000)]
    assert rings.of("loud").read(0, 1).missed == 20_000 - held


def test_bytes_are_bounded_also_by_runs_with_much_to_say() -> None:
    rings = Rings(max_bytes=100_000)
    for _ in range(500):
        spans = [Span("db", "query", 0.0)] * 20
        rings.runs([a_run(path="x" * 1_000, spans=spans, error=RunError("E", "m" * 500, "s" * 500))])
    assert len(rings.of("default")) < 20
    rings.line(a_line("y"), 200_000)
    assert len(rings.of("default")) == 0, "what is larger than all of it is not held either"


async def test_who_waits_is_woken_by_what_comes() -> None:
    ring = ProjectRing()
    assert not await ring.wait(0, 0)
    waiting = asyncio.create_task(ring.wait(0, 60))
    await asyncio.sleep(0)
    ring.append(a_line(), 1)
    assert await waiting
    assert await ring.wait(0, 0)
    assert not ring.waiting
