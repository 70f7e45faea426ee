"""The store of runs: written in batches, within its budget, and never at the cost of the box."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import apsw
import pytest
from tests.fakes.records import a_line, a_run

from v8box.storage import load_queries
from v8box.telemetry.records import LineRecord, RunRecord
from v8box.telemetry.store import LineQuery, RunQuery, RunStore, store
from v8box.telemetry.store.segment import TABLES

BUDGET = 16 * 1024 * 1024
SPAN = load_queries("v8box.telemetry.store", "query.sql")["span"]


async def open_store(folder: Path, budget_bytes: int = BUDGET, days: float = 14) -> RunStore:
    return await RunStore.open(folder, budget_bytes=budget_bytes, days=days)


@pytest.fixture
async def kept(tmp_path: Path) -> AsyncIterator[RunStore]:
    made = await open_store(tmp_path / "logs")
    yield made
    await made.close()


def files(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


async def paths(kept: RunStore) -> list[str]:
    """Of all runs, the oldest first. A search on a busy machine may say that it has not come to the end in its time."""
    items: list[RunRecord] = []
    before: bytes | None = None
    while True:
        found = await kept.runs(RunQuery(), 100_000, before)
        items += found.items
        if (before := found.resume) is None:
            return [record.path for record in reversed(items)]


async def texts(kept: RunStore) -> list[str]:
    return [each.record.text for each in reversed((await kept.lines(LineQuery(), 1_000)).items)]


def say(kept: RunStore, text: str, fields: Any = None) -> None:
    kept.line(a_line(text, fields=fields), len(text))


async def test_the_ends_of_a_file_are_found_without_reading_it(kept: RunStore) -> None:
    kept.run(a_run())
    say(kept, "here")
    await kept.flush()
    (path,) = kept.folder.glob("runs-*.db")
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    for table in TABLES:
        steps = [row[3] for row in connection.execute("explain query plan " + SPAN.format(table=table))]
        assert len([step for step in steps if step.startswith(f"SEARCH {table}")]) == 2, steps
        assert not [step for step in steps if step.startswith(f"SCAN {table}")], steps
    connection.close()


async def test_what_is_held_is_written_and_found_again_by_the_next_box(tmp_path: Path) -> None:
    for number in range(3):
        kept = await open_store(tmp_path)
        kept.run(a_run(path=f"/{number}"))
        say(kept, f"line {number}")
        await kept.close()
    kept = await open_store(tmp_path)
    assert await paths(kept) == ["/0", "/1", "/2"]
    assert await texts(kept) == ["line 0", "line 1", "line 2"]
    await kept.close()
    assert len(files(tmp_path)) == 1, "a day has one file, and nothing beside it"


async def test_what_boxes_before_had_goes(tmp_path: Path) -> None:
    for name in ("runs.jsonl", "runs.1.jsonl", "lines.jsonl"):
        (tmp_path / name).write_text("{}\n")
    kept = await open_store(tmp_path)
    await kept.close()
    assert files(tmp_path) == []


async def test_the_oldest_goes_when_the_budget_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "_MIN_SEGMENT_BYTES", 100_000)
    kept = await open_store(tmp_path, 1_000_000)
    written = 0
    for _ in range(30):
        for _ in range(500):
            kept.run(a_run(path=f"/{written:06}" + "x" * 200))
            written += 1
        await kept.flush()
        assert sum(file.stat().st_size for file in files(tmp_path) if file.suffix == ".db") <= 1_000_000
    found = [int(path[1:7]) for path in await paths(kept)]
    assert found == list(range(written - len(found), written))
    assert 1_000 < len(found) < written
    assert kept.dropped == 0, "what is too old is not what could not be written"
    await kept.close()


async def test_what_is_too_old_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = await open_store(tmp_path)
    kept.run(a_run(path="/old"))
    await kept.close()
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + 15 * 86_400)
    kept = await open_store(tmp_path)
    kept.run(a_run(path="/new"))
    assert await paths(kept) == ["/new"]
    await kept.close()


async def test_what_the_disk_does_not_take_in_time_is_dropped_and_counted(
    kept: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "MAX_HELD", 10)
    for number in range(13):
        kept.run(a_run(path=f"/{number:02}"))
        say(kept, "x")
    assert (kept.counts.dropped_runs, kept.counts.dropped_lines) == (3, 3)
    assert await paths(kept) == [f"/{number:02}" for number in range(10)]
    monkeypatch.setattr(store, "MAX_HELD_BYTES", 100)
    say(kept, "y" * 60)
    say(kept, "z" * 60)
    assert kept.counts.dropped_lines == 4


async def test_a_disk_without_room_loses_records_counts_them_and_says_so_once(
    kept: RunStore, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    kept.run(a_run(path="/before"))
    await kept.flush()
    monkeypatch.setattr(store, "RESERVE_BYTES", 1 << 60)
    for _ in range(3):
        kept.run(a_run())
        say(kept, "x")
        await kept.flush()
    assert (kept.counts.dropped_runs, kept.counts.dropped_lines) == (3, 3)
    assert await paths(kept) == ["/before"], "what is there can be read all the same"
    monkeypatch.undo()
    kept.run(a_run(path="/after"))
    assert await paths(kept) == ["/before", "/after"]
    assert [each.levelname for each in caplog.records] == ["ERROR", "WARNING"]
    assert "6 records were dropped" in caplog.text


async def test_a_write_that_sqlite_refuses_loses_its_batch_and_nothing_else(kept: RunStore) -> None:
    kept.run(a_run(path="/1"))
    await kept.flush()
    writer = kept._writer
    assert writer is not None
    connection = writer._connection
    pages = connection.pragma("page_count")
    connection.pragma("max_page_count", pages)  # the file cannot grow, as on a full disk
    for _ in range(2_000):
        kept.run(a_run(path="/" + "x" * 500))
    await kept.flush()
    assert kept.counts.dropped_runs == 2_000
    connection.pragma("max_page_count", 1 << 30)
    kept.run(a_run(path="/2"))
    assert await paths(kept) == ["/1", "/2"]


async def test_a_folder_that_is_gone_is_made_again(kept: RunStore) -> None:
    kept.run(a_run(path="/1"))
    await kept.flush()
    for file in kept.folder.iterdir():
        file.unlink()
    kept.folder.rmdir()
    kept.run(a_run(path="/2"))
    assert await paths(kept) == ["/2"]


async def test_a_folder_that_cannot_be_made_keeps_nobody_from_starting(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    folder.write_text("no folder")
    kept = await open_store(folder)
    kept.run(a_run(path="/lost"))
    await kept.flush()
    assert (kept.dropped, await paths(kept)) == (1, [])
    folder.unlink()
    kept.run(a_run(path="/2"))
    assert await paths(kept) == ["/2"]
    await kept.close()


async def test_a_record_that_cannot_be_kept_takes_no_other_with_it(kept: RunStore) -> None:
    deep: Any = []
    for _ in range(1_100):
        deep = [deep]
    lines = [a_line(f"{number}") for number in range(20)]
    for line in (*lines[:7], a_line("bad", fields=object()), *lines[7:13], a_line("deep", fields=deep), *lines[13:]):
        kept.line(line, 10)
    kept.run(a_run(path="/\ud800"))
    kept.run(a_run(path="/good"))
    await kept.flush()
    assert sorted(await texts(kept), key=int) == [line.text for line in lines]
    assert await paths(kept) == ["/good"]
    assert (kept.counts.dropped_runs, kept.counts.dropped_lines) == (1, 2)


async def test_what_a_crash_leaves_is_read_and_written_on(tmp_path: Path) -> None:
    """The files of a box that was killed: the segment with what was not yet taken into it."""
    kept = await open_store(tmp_path / "one")
    kept.run(a_run(path="/1"))
    await kept.flush()
    (tmp_path / "two").mkdir()
    for file in (tmp_path / "one").iterdir():
        (tmp_path / "two" / file.name).write_bytes(file.read_bytes())
    assert any(file.name.endswith("-wal") for file in (tmp_path / "two").iterdir())
    await kept.close()
    kept = await open_store(tmp_path / "two")
    kept.run(a_run(path="/2"))
    assert await paths(kept) == ["/1", "/2"]
    await kept.close()


@pytest.mark.parametrize("damage", [b"", b"no database at all" * 1_000, None])
async def test_a_damaged_segment_costs_what_is_in_it(tmp_path: Path, damage: bytes | None) -> None:
    kept = await open_store(tmp_path)
    for number in range(2_000):
        kept.run(a_run(path=f"/{number:04}"))
    await kept.close()
    (file,) = files(tmp_path)
    data = file.read_bytes()
    # None: pages in the middle are gone, which only a search finds out
    file.write_bytes(data[:16_384] + b"\xff" * (len(data) - 16_384) if damage is None else damage)
    kept = await open_store(tmp_path)
    kept.run(a_run(path="/new"))
    found = await paths(kept)
    assert "/new" in found or damage is None
    assert len(found) < 2_000
    await kept.close()


async def test_a_segment_of_another_version_is_read_and_left_alone(tmp_path: Path) -> None:
    kept = await open_store(tmp_path)
    kept.run(a_run(path="/1", bytes_in=7))
    await kept.close()
    (file,) = files(tmp_path)
    connection = apsw.Connection(str(file))
    connection.execute("update fields set names = replace(names, '\"client\"', '\"visitor\"')")
    connection.close()
    kept = await open_store(tmp_path)
    kept.run(a_run(path="/2"))
    found = (await kept.runs(RunQuery(), 10)).items
    assert [(each.path, each.client, each.bytes_in) for each in found] == [("/2", "203.0.113.7", 0), ("/1", "", 7)]
    assert len([file for file in files(tmp_path) if file.suffix == ".db"]) == 2
    await kept.close()


async def test_a_segment_with_another_order_of_fields_is_searched_by_them(tmp_path: Path) -> None:
    kept = await open_store(tmp_path)
    kept.run(a_run(path="/1", method="PUT", trace="a" * 32, bytes_in=7))
    await kept.close()
    (file,) = files(tmp_path)
    connection = apsw.Connection(str(file))
    for table, column in (("fields", "names"), ("runs", "rest")):
        text = connection.execute(f"select {column} from {table}").get
        connection.execute(f"update {table} set {column} = ?", (json.dumps(json.loads(text)[::-1]),))
    connection.close()
    kept = await open_store(tmp_path)
    kept.run(a_run(path="/2", method="PUT", trace="a" * 32))
    for query in (RunQuery(method="PUT"), RunQuery(trace="a" * 32)):
        assert [each.path for each in (await kept.runs(query, 10)).items] == ["/2", "/1"]
    await kept.close()


async def test_closing_waits_for_a_write_that_was_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`write_forever` is cancelled when the box stops, perhaps in the middle of a write."""
    may_write = threading.Event()
    write = RunStore._write

    def slow(self: RunStore, runs: list[RunRecord], lines: list[LineRecord]) -> None:
        may_write.wait(60)
        write(self, runs, lines)

    monkeypatch.setattr(RunStore, "_write", slow)
    kept = await open_store(tmp_path)
    kept.run(a_run(path="/1"))
    flushing = asyncio.create_task(kept.flush())
    await asyncio.sleep(0)
    flushing.cancel()
    await asyncio.gather(flushing, return_exceptions=True)
    assert flushing.cancelled()
    kept.run(a_run(path="/2"))
    closing = asyncio.create_task(kept.close())
    await asyncio.sleep(0)
    may_write.set()
    await closing
    kept = await open_store(tmp_path)
    assert await paths(kept) == ["/1", "/2"]
    await kept.close()


async def test_it_writes_by_itself(kept: RunStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "FLUSH_SECONDS", 0)
    written = asyncio.Event()
    loop = asyncio.get_running_loop()
    write = RunStore._write

    def noted(self: RunStore, runs: list[RunRecord], lines: list[LineRecord]) -> None:
        write(self, runs, lines)
        loop.call_soon_threadsafe(written.set)

    monkeypatch.setattr(RunStore, "_write", noted)
    kept.run(a_run(path="/1"))
    task = asyncio.create_task(kept.write_forever())
    async with asyncio.timeout(60):
        await written.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert kept.counts.runs == 1
