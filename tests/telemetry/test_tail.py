"""The end of the log and what follows: filters, files that were turned over, readers that are too slow."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from v8box.telemetry import tail as module
from v8box.telemetry.records import LineRecord, RunRecord
from v8box.telemetry.runs import RunLog
from v8box.telemetry.tail import Filter, Gap, Record, Tail, TooManyReaders

MINE = Filter(project="default", worker="w")


def line(text: str, *, at: float = 1.0, worker: str = "w", level: str = "info", **more: Any) -> LineRecord:
    return LineRecord(at, more.pop("run", "r1"), worker, "v", level, text, **more)


def run(run_id: str, *, at: float = 1.0, status: int = 200, outcome: str = "ok", path: str = "/") -> RunRecord:
    return RunRecord(run_id, "q1", at, "w", "v", "http", "GET", path, status, outcome, 1.0, 0.0, 0.5, 2, "1.2.3.4")


def names(records: list[Record]) -> list[str]:
    return [each.text if isinstance(each, LineRecord) else each.id for each in records]


@pytest.fixture
async def log(tmp_path: Path) -> AsyncIterator[RunLog]:
    made = RunLog(tmp_path / "logs", 8 * 64 * 1024)
    yield made
    await made.close()


async def test_the_last_ones_come_oldest_first_also_those_just_printed(log: RunLog) -> None:
    tail = Tail(log)
    assert await tail.last(MINE, 10) == []
    for number in range(5):
        log.line(line(f"l{number}", at=number))
        log.run(run(f"r{number}", at=number + 0.5))
    assert names(await tail.last(MINE, 4)) == ["l3", "r3", "l4", "r4"]
    assert len(await tail.last(MINE, 100)) == 10


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({"kind": "line"}, ["debugged", "warned", "Found it"]),
        ({"kind": "run"}, ["good", "bad"]),
        ({"level": "warn"}, ["warned", "bad"]),
        ({"run": "r7"}, ["warned"]),
        ({"run": "q1"}, ["good", "bad"]),
        ({"text": "FOUND"}, ["Found it"]),
        ({"text": "/shop"}, ["bad"]),
        ({"since": 3.0}, ["Found it", "good", "bad"]),
        ({"environment": "staging"}, []),
        ({"project": "acme"}, ["theirs"]),
        ({"environment": "staging", "project": "acme"}, []),
    ],
)
async def test_a_filter_lets_through_what_it_names(log: RunLog, options: dict[str, Any], wanted: list[str]) -> None:
    log.line(line("debugged", at=1, level="debug"))
    log.line(line("warned", at=2, level="warn", run="r7"))
    log.line(line("Found it", at=3))
    log.line(line("of another worker", at=3, worker="ww"))
    log.line(line("theirs", at=3, project="acme"))
    log.run(run("good", at=4))
    log.run(run("bad", at=5, status=500, outcome="exception", path="/shop?x"))
    wants = {"project": "default", "worker": "w", **options}
    assert names(await Tail(log).last(Filter(**wants), 10)) == wanted


async def test_files_that_were_turned_over_are_read_on_and_broken_lines_passed_over(log: RunLog) -> None:
    for number in range(3_000):
        log.line(line(f"l{number:04}" + "x" * 50, at=number))
        if number % 200 == 0:
            await log.flush()
    await log.flush()
    assert (log.folder / "lines.1.jsonl").exists()
    broken = b'{"worker":"w", cut\n\n{"worker":"w"}\n"w"\n'
    (log.folder / "lines.jsonl").write_bytes((log.folder / "lines.jsonl").read_bytes() + broken)
    found = names(await Tail(log).last(MINE, 1_000))
    assert [text[1:5] for text in found] == [f"{number:04}" for number in range(2_000, 3_000)]


async def collect(stream: AsyncIterator[Record | Gap | None], count: int) -> list[Any]:
    found: list[Any] = []
    while len(found) < count:
        each = await anext(stream)
        if each is not None:
            found.append(each if isinstance(each, Gap) else names([each])[0])
    return found


async def test_who_follows_gets_the_last_ones_and_then_each_once(log: RunLog) -> None:
    log.line(line("before"))
    await log.flush()
    log.line(line("held"))
    stream = Tail(log).follow(MINE, 10, silence_seconds=60)
    assert await anext(stream) is None
    log.line(line("while the files are read"))
    assert await collect(stream, 3) == ["before", "held", "while the files are read"]
    reading = asyncio.ensure_future(collect(stream, 2))
    await asyncio.sleep(0)
    log.line(line("of another", worker="x"))
    log.run(run("r9", at=9))
    log.line(line("last"))
    assert await reading == ["r9", "last"]


async def test_a_reader_that_is_too_slow_is_told_what_it_missed(log: RunLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "QUEUE_LENGTH", 3)
    stream = Tail(log).follow(MINE, 10, silence_seconds=60)
    assert await anext(stream) is None
    reading = asyncio.ensure_future(collect(stream, 1))
    await asyncio.sleep(0)
    log.line(line("first"))
    assert await reading == ["first"]
    for number in range(10):
        log.line(line(f"l{number}"))
    assert await collect(stream, 4) == ["l0", "l1", "l2", Gap(7)]
    log.line(line("after"))
    assert await collect(stream, 1) == ["after"]


async def test_silence_is_told_and_readers_are_bounded(log: RunLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_READERS", 1)
    tail = Tail(log)
    stream = tail.follow(MINE, 10, silence_seconds=0)
    assert [await anext(stream), await anext(stream)] == [None, None]
    with pytest.raises(TooManyReaders):
        await anext(tail.follow(MINE, 10, silence_seconds=60))
    await stream.aclose()  # type: ignore[attr-defined]
    assert await anext(tail.follow(MINE, 10, silence_seconds=60)) is None
