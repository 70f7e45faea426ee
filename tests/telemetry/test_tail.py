"""The end of the log and what follows: filters, going on after a break, and what a reader misses and is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.fakes.records import a_line, a_run, run_id

from v8box.telemetry import tail as module
from v8box.telemetry.intake import Intake
from v8box.telemetry.records import LineRecord, RunRecord
from v8box.telemetry.ring import Record, Rings
from v8box.telemetry.store import RunStore
from v8box.telemetry.tail import Event, Filter, Gap, Tail, TooManyReaders

MINE = Filter(project="default", worker="hello")


class Box:
    """A store, rings, and those who follow; started anew, it has the same store and other rings."""

    def __init__(self, store: RunStore, rings: Rings) -> None:
        self.store = store
        self.log = Intake(store, rings)
        self.tail = Tail(store, rings)

    def line(self, text: str, **more: Any) -> None:
        self.log.line(a_line(text, **more))

    def run(self, path: str, **more: Any) -> RunRecord:
        record = a_run(path=path, **more)
        self.log.runs([record])
        return record

    def follow(self, wanted: Filter = MINE, limit: int = 10, last_id: str | None = None) -> AsyncIterator[Any]:
        return self.tail.follow(wanted, limit, silence_seconds=60, last_id=last_id)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[RunStore]:
    made = await RunStore.open(tmp_path / "logs", budget_bytes=1 << 24, days=36_500)
    yield made
    await made.close()


@pytest.fixture
def box(store: RunStore) -> Box:
    return Box(store, Rings())


def name(record: Record) -> str:
    return record.text if isinstance(record, LineRecord) else record.path


async def collect(stream: AsyncIterator[Any], count: int) -> list[Any]:
    """The names of so many events, or the gaps between them."""
    found = await events(stream, count)
    return [each.missed if isinstance(each, Gap) else name(each.record) for each in found]


async def events(stream: AsyncIterator[Any], count: int) -> list[Event | Gap]:
    found: list[Event | Gap] = []
    async with asyncio.timeout(60):
        while len(found) < count:
            each = await anext(stream)
            if each is not None:
                found.append(each)
    return found


async def test_the_last_ones_come_oldest_first_also_those_just_printed(box: Box) -> None:
    assert await box.tail.last(MINE, 10) == []
    for number in range(5):
        box.line(f"l{number}", at=number)
        box.run(f"r{number}", at=number + 0.5)
    assert [name(each) for each in await box.tail.last(MINE, 4)] == ["l3", "r3", "l4", "r4"]
    assert len(await box.tail.last(MINE, 100)) == 10


FILTERS: list[tuple[dict[str, Any], list[str]]] = [
    ({"kind": "line"}, ["debugged", "warned", "Found it"]),
    ({"kind": "run"}, ["good", "/shop?x"]),
    ({"level": "warn"}, ["warned", "/shop?x"]),
    ({"run": run_id(2, 7)}, ["warned", "good"]),
    ({"run": "q1"}, ["/shop?x"]),
    ({"text": "FOUND"}, ["Found it"]),
    ({"text": "/SHOP"}, ["/shop?x"]),
    ({"since": 3.0}, ["Found it", "/shop?x"]),
    ({"environment": "staging"}, []),
    ({"project": "acme"}, ["theirs"]),
    ({"worker": None}, ["debugged", "warned", "Found it", "of another worker", "good", "/shop?x"]),
]


def say_all(box: Box) -> None:
    box.line("debugged", at=1, level="debug")
    box.line("warned", at=2, level="warn", run=run_id(2, 7))
    box.line("Found it", at=3)
    box.line("of another worker", at=3, worker="other")
    box.line("theirs", at=3, project="acme")
    box.run("good", at=2, id=run_id(2, 7))
    box.run("/shop?x", at=5, status=500, outcome="exception", request_id="q1")


@pytest.mark.parametrize(("options", "wanted"), FILTERS)
async def test_a_filter_lets_through_what_it_names(box: Box, options: dict[str, Any], wanted: list[str]) -> None:
    """The same from the store as from the ring."""
    filter_ = Filter(**{"project": "default", "worker": "hello", **options})
    stream = box.follow(filter_, 0)
    assert await anext(stream) is None
    reading = asyncio.ensure_future(collect(stream, len(wanted)))
    await asyncio.sleep(0)
    say_all(box)
    if wanted:
        assert sorted(await reading) == sorted(wanted)
    else:
        reading.cancel()
    if options != {"run": run_id(2, 7)}:
        assert sorted(name(each) for each in await box.tail.last(filter_, 10)) == sorted(wanted)


async def test_who_follows_gets_the_last_ones_and_then_each_once(box: Box) -> None:
    box.line("before")
    await box.store.flush()
    box.line("held")
    stream = box.follow()
    assert await anext(stream) is None
    box.line("while the store is read")
    assert await collect(stream, 3) == ["before", "held", "while the store is read"]
    reading = asyncio.ensure_future(collect(stream, 2))
    await asyncio.sleep(0)
    box.line("of another", worker="x")
    box.run("/9")
    box.line("last")
    assert await reading == ["/9", "last"]


async def test_who_comes_back_goes_on_right_after_the_last_event(box: Box) -> None:
    stream = box.follow()
    assert await anext(stream) is None
    for number in range(4):
        box.line(f"l{number}")
    found = await events(stream, 4)
    for at, event in enumerate(found):
        again = box.follow(last_id=event.id)
        box_line = f"more {at}"
        box.line(box_line)
        expected = [f"l{number}" for number in range(at + 1, 4)] + [f"more {each}" for each in range(at + 1)]
        assert await collect(again, len(expected)) == expected
        await again.aclose()  # type: ignore[attr-defined]


async def test_what_the_ring_no_longer_has_is_a_gap_and_says_how_many(store: RunStore) -> None:
    box = Box(store, Rings(max_records=3))
    stream = box.follow()
    assert await anext(stream) is None
    reading = asyncio.ensure_future(events(stream, 1))
    await asyncio.sleep(0)
    box.line("first")
    (first,) = await reading
    for number in range(10):
        box.line(f"l{number}")
    assert await collect(stream, 4) == [7, "l7", "l8", "l9"]
    assert await collect(box.follow(last_id=first.id), 4) == [7, "l7", "l8", "l9"]


async def test_after_a_restart_there_is_a_mark_and_then_what_the_store_has_since(box: Box) -> None:
    stream = box.follow()
    assert await anext(stream) is None
    box.line("seen", at=1.0)
    box.line("missed", at=2.0)
    seen, _ = await events(stream, 2)
    await box.store.flush()
    anew = Box(box.store, Rings())
    again = anew.follow(last_id=seen.id)
    assert await collect(again, 2) == [None, "missed"]
    anew.line("after")
    assert await collect(again, 1) == ["after"]


@pytest.mark.parametrize("wrong", ["", "x", "00000000-99999999999999999-1", "é", "1-2-3"])
async def test_an_id_that_says_nothing_starts_as_after_a_restart(box: Box, wrong: str) -> None:
    box.line("before")
    assert await collect(box.follow(last_id=wrong), 2) == [None, "before"]


async def test_silence_is_told_and_readers_are_bounded(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_READERS", 1)
    stream = box.tail.follow(MINE, 10, silence_seconds=0)
    assert [await anext(stream), await anext(stream)] == [None, None]
    with pytest.raises(TooManyReaders):
        await anext(box.follow())
    await stream.aclose()  # type: ignore[attr-defined]
    assert await anext(box.follow()) is None
