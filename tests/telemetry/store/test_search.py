"""What a search finds is what a slow, obvious look through all records finds: in order, page by page."""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from tests.fakes.records import a_line, a_run, run_id

from v8box.telemetry.records import LineRecord, RunError, RunRecord
from v8box.telemetry.store import LineQuery, RunQuery, RunStore, search, store
from v8box.telemetry.store.query import run_says
from v8box.telemetry.store.rows import id_of

BEGAN = 1_700_000_000.0

workers = some.sampled_from(["hello", "shop", "mail"])
projects = some.sampled_from(["default", "blue"])
environments = some.sampled_from(["production", "staging"])
versions = some.sampled_from(["v1", "v2"])
moments = some.integers(0, 40).map(lambda each: BEGAN + each / 4)
statuses = some.sampled_from([0, 200, 204, 302, 404, 429, 500, 503])
outcomes = some.sampled_from(["ok", "exception", "refused", "wall", "client_gone"])
triggers = some.sampled_from(["http", "http", "schedule"])
durations = some.sampled_from([0.25, 1.0, 999.999, 1_000.0, 2_500.0])
texts = some.sampled_from(["/a_b", "/A%B", "/ä", "nothing", "disk is full", "\\", "/run"])


@some.composite
def run_records(draw: some.DrawFn) -> RunRecord:
    thrown = some.builds(RunError, name=some.just("Error"), message=texts, stack=some.just("at main.ts:1"))
    return a_run(
        draw(moments),
        worker=draw(workers),
        project=draw(projects),
        environment=draw(environments),
        version=draw(versions),
        status=draw(statuses),
        outcome=draw(outcomes),
        trigger=draw(triggers),
        method=draw(some.sampled_from(["GET", "POST"])),
        duration=draw(durations),
        path=draw(texts),
        error=draw(some.none() | thrown),
    )


@some.composite
def run_batches(draw: some.DrawFn) -> list[list[RunRecord]]:
    """Each batch gets a segment of its own, and they overlap. Some requests brought an id, some of those the same."""
    batches = draw(some.lists(some.lists(run_records(), max_size=12), max_size=5))
    for record in (record for batch in batches for record in batch):
        record.request_id = draw(some.sampled_from([record.id, record.id, "mine", "yours"]))
    return batches


run_queries = some.builds(
    RunQuery,
    project=some.none() | projects,
    worker=some.none() | workers,
    environment=some.none() | environments,
    version=some.none() | versions,
    since=some.none() | moments,
    until=some.none() | moments,
    text=some.none() | texts,
    request=some.none() | some.sampled_from(["mine", "yours"]),
    status=some.none() | some.sampled_from([(200, 299), (404, 404), (500, 599), (400, 503)]),
    outcome=some.none() | outcomes | some.just("memory"),
    trigger=some.none() | triggers,
    method=some.none() | some.sampled_from(["GET", "PUT"]),
    failed=some.none() | some.booleans(),
    min_duration=some.none() | durations,
    max_duration=some.none() | durations,
)


class Kept:
    """A store in a folder of its own, whose every batch gets a segment."""

    def __init__(self) -> None:
        memory = Path("/dev/shm")
        self._folder = tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None)

    async def __aenter__(self) -> RunStore:
        self.store = await RunStore.open(Path(self._folder.name), budget_bytes=1 << 30, days=36_500)
        return self.store

    async def __aexit__(self, *_: object) -> None:
        await self.store.close()
        self._folder.cleanup()


@pytest.fixture(autouse=True, scope="module")
def small_segments() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "_MIN_SEGMENT_BYTES", 1)
        patch.setattr(store, "_MAX_SEGMENT_BYTES", 1)
        yield


@settings(max_examples=30)
@given(run_batches(), run_queries, some.integers(1, 7), some.integers(500, 1_000_000))
def test_runs_are_those_that_a_slow_filter_finds(
    batches: list[list[RunRecord]], query: RunQuery, limit: int, first_rows: int
) -> None:
    async def work() -> list[RunRecord]:
        async with Kept() as kept:
            for batch in batches:
                for record in batch:
                    kept.run(record)
                await kept.flush()
            assert kept.dropped == 0
            return [each async for each in pages(kept, query, limit)]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search, "_FIRST_ROWS", first_rows)
        found = asyncio.run(work())
    everything = sorted((record for batch in batches for record in batch), key=lambda each: each.id, reverse=True)
    assert found == [record for record in everything if query.matches(record)]


async def pages(kept: RunStore, query: RunQuery, limit: int) -> Any:
    before = None
    while True:
        found = await kept.runs(query, limit, before)
        assert len(found.items) <= limit
        for record in found.items:
            yield record
        before = found.resume
        if before is None:
            return


@some.composite
def line_batches(draw: some.DrawFn) -> list[list[LineRecord]]:
    fields = some.none() | some.dictionaries(texts, some.integers(0, 9) | texts, max_size=2)
    lines = some.builds(
        a_line,
        text=texts,
        at=moments,
        worker=workers,
        project=projects,
        environment=environments,
        version=versions,
        level=some.sampled_from(["debug", "info", "warn", "error"]),
        run=some.none() | some.sampled_from([run_id(BEGAN, 1), run_id(BEGAN, 2)]),
        fields=fields,
    )
    return draw(some.lists(some.lists(lines, max_size=12), max_size=4))


line_queries = some.builds(
    LineQuery,
    project=some.none() | projects,
    worker=some.none() | workers,
    environment=some.none() | environments,
    version=some.none() | versions,
    since=some.none() | moments,
    until=some.none() | moments,
    text=some.none() | texts,
    level=some.none() | some.sampled_from(["debug", "info", "warn", "error"]),
    runs=some.none() | some.sampled_from([(), (run_id(BEGAN, 1),), (run_id(BEGAN, 1), run_id(BEGAN, 2))]),
)


@settings(max_examples=20)
@given(line_batches(), line_queries, some.integers(1, 7))
def test_lines_are_those_that_a_slow_filter_finds(
    batches: list[list[LineRecord]], query: LineQuery, limit: int
) -> None:
    async def work() -> list[LineRecord]:
        found: list[LineRecord] = []
        async with Kept() as kept:
            for batch in batches:
                for record in batch:
                    kept.line(record, len(record.text))
                await kept.flush()
            assert kept.dropped == 0
            before = None
            while True:
                page = await kept.lines(query, limit, before)
                found += [each.record for each in page.items]
                before = page.resume
                if before is None:
                    return found

    found = asyncio.run(work())
    newest_first = [record for batch in batches[::-1] for record in batch[::-1]]
    wanted = sorted((each for each in newest_first if query.matches(each)), key=lambda each: each.time, reverse=True)
    assert found == wanted


async def test_a_text_is_found_in_what_a_run_printed_too() -> None:
    async with Kept() as kept:
        loud, quiet, other = (a_run(BEGAN + each) for each in range(3))
        for record in (loud, quiet, other):
            kept.run(record)
        for line in (a_line("Disk is FULL", BEGAN + 0.5, run=loud.id), a_line("all is well", run=quiet.id)):
            kept.line(line, 20)
        await kept.flush()
        found = await kept.runs(RunQuery(text="disk is full"), 10)
        assert found.items == [loud]
        assert not run_says(loud, "disk is full")


async def test_one_run_is_found_by_its_id_with_all_it_has() -> None:
    async with Kept() as kept:
        record = a_run(
            BEGAN,
            queue=1.25,
            memory=5_000_000,
            bytes_in=7,
            calls=2,
            call_time=0.5,
            call_bytes=9,
            trace="0af7651916cd43dd8448eb211c80319c",
            span="b7ad6b7169203331",
            error=RunError("TypeError", 'it is "broken"\n', "at main.ts:1\nat b.ts:2"),
        )
        kept.run(record)
        assert await kept.get(record.id) == record
        assert await kept.get(run_id(BEGAN, 999)) is None
        assert (await kept.runs(RunQuery(run=record.id, worker="another"), 5)).items == []
        assert (await kept.runs(RunQuery(request=record.id), 5)).items == [record]


async def test_a_search_that_would_take_long_ends_says_how_far_it_came_and_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The clock of the search jumps: each look at it is a tenth of a second later."""
    async with Kept() as kept:
        now = time.time()
        records = [a_run(now + 10 * each) for each in range(8)]
        for record in records:
            kept.run(record)
            await kept.flush()  # so many segments
        monkeypatch.setattr(search, "_FIRST_ROWS", 1)
        monkeypatch.setattr(search, "_MIN_ROWS", 1)
        monkeypatch.setattr(search, "time", Jumping(0.1))
        query = RunQuery(max_duration=0.1)
        pages = 0
        before: bytes | None = None
        while True:
            found = await kept.runs(query, 5, before)
            assert found.items == []
            pages += 1
            if found.resume is None:
                break
            assert found.unfinished
            assert before is None or found.resume < before
            before = found.resume
        assert pages > 1
        found = await kept.runs(RunQuery(), 5)
        assert all(id_of(each.id) >= (found.resume or b"") for each in found.items)


class Jumping:
    """A clock that is later each time somebody looks at it."""

    def __init__(self, step: float) -> None:
        self._now = 0.0
        self._step = step

    def monotonic(self) -> float:
        self._now += self._step
        return self._now
