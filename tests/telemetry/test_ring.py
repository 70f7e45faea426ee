"""The rings: numbers that go on, bounds that hold, and a project that floods loses its own."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from hypothesis import given
from hypothesis import strategies as some
from tests.fakes.records import a_line, a_run

from v8box.telemetry.meter import Span
from v8box.telemetry.records import Finding, LineRecord, RunError
from v8box.telemetry.ring import BLOCK, ProjectRing, Record, Rings


def texts(ring: ProjectRing, position: int = 0, limit: int = 1_000) -> list[str]:
    return [each.text for each in ring.read(position, limit).records if isinstance(each, LineRecord)]


@given(
    some.lists(some.booleans(), max_size=60),
    some.integers(0, 70),
    some.integers(1, 9),
    some.integers(1, 20),
    some.sampled_from((1, 2, 3, 100)),
)
def test_a_read_is_what_comes_next_of_what_is_still_there(
    steps: list[bool], position: int, limit: int, size: int, block: int
) -> None:
    """True adds, False lets the oldest go. Some are packed, `block` together."""
    ring, model, gone = ProjectRing(block), list[str](), 0
    for number, adds in enumerate(steps):
        if adds:
            before = ring.bytes
            ring.append(a_line(f"{number}"), size)
            model.append(f"{number}")
            assert block < 100 or ring.bytes == before + size
        elif len(ring):
            dropped, freed = ring.drop_oldest(1, 0)
            assert dropped in (1, block)
            assert block < 100 or freed == size
            gone += dropped
    assert (len(ring), ring.first, ring.next) == (len(model) - gone, gone, len(model))
    assert (ring.bytes > 0) == (len(ring) > 0)
    position = min(position, len(model))
    read = ring.read(position, limit)
    start = max(position, gone)
    assert (read.missed, read.first) == (start - position, start)
    assert texts(ring, position, limit) == model[start : start + limit]
    assert read.position == start + len(read.records)
    backwards = [(number, record.text) for number, record in ring.backwards() if isinstance(record, LineRecord)]
    assert backwards == [(number, model[number]) for number in range(len(model) - 1, gone - 1, -1)]


_texts = some.text(some.characters(codec="utf-8"), max_size=20)
_values = some.recursive(
    some.none()
    | some.booleans()
    | some.integers(-(2**70), 2**70)
    | some.floats(allow_nan=False, allow_infinity=False)
    | _texts,
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(_texts, inner, max_size=3),
    max_leaves=5,
)


@given(some.lists(some.tuples(some.booleans(), _texts, _values), min_size=2, max_size=8))
def test_what_is_packed_comes_out_as_it_went_in(given: list[tuple[bool, str, Any]]) -> None:
    """Numbers larger than 64 bits, too."""
    records: list[Record] = [
        a_line(text, fields=value, trace="t")
        if line
        else a_run(
            path=text,
            spans=(Span("db", "query", 0.5, what=text),),
            error=RunError("E", text, text),
            findings=(Finding("slow", text, count=3),),
            sampled=False,
        )
        for line, text, value in given
    ]
    ring = ProjectRing(1)
    ring.extend(records, [1] * len(records))
    assert ring.read(0, 100).records == records


def test_looking_back_ends_where_all_was_there_before() -> None:
    ring = ProjectRing(2)
    for number in range(8):
        ring.append(a_line(f"{number}"), 1)
    assert len(list(ring.backwards())) == 8
    assert len(list(ring.backwards(time.time() + 60))) == 2, "those that are not packed"


def test_a_project_that_floods_loses_its_own() -> None:
    rings = Rings(max_records=1_000)
    for number in range(5):
        rings.line(a_line(f"quiet {number}", project="quiet"), 10)
    for number in range(20_000):
        rings.line(a_line(f"{number}", project="loud"), 10)
    assert texts(rings.of("quiet")) == [f"quiet {number}" for number in range(5)]
    held = len(rings.of("loud"))
    assert 995 - 2 * BLOCK <= held <= 995
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
