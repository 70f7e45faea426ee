"""The run log: written in batches, within its budget, and never at the cost of the box."""

from __future__ import annotations

import asyncio
import errno
import os
import threading
from pathlib import Path
from typing import Any

import msgspec
import pytest

from v8box.telemetry import runs
from v8box.telemetry.records import LineRecord, RunRecord
from v8box.telemetry.runs import RunLog

BUDGET = 8 * 64 * 1024  # the smallest that the files keep to: two kinds, four files of each


def a_run(number: int = 0, path: str = "/") -> RunRecord:
    return RunRecord(f"id-{number}", "mine", 1.0, "w", "v", "http", "GET", path, 200, "ok", 1.0, 0.0, 0.5, 2, "1.2.3.4")


def a_line(text: str = "x", fields: Any = None) -> LineRecord:
    return LineRecord(1.0, "id", "w", "v", "info", text, fields)


def read(path: Path) -> list[dict[str, Any]]:
    return [msgspec.json.decode(line) for line in path.read_bytes().splitlines()]


def file_sizes(folder: Path) -> dict[str, int]:
    return {file.name: file.stat().st_size for file in folder.iterdir()}


def ids(folder: Path) -> list[str]:
    files = sorted(folder.glob("runs*.jsonl"), key=lambda file: file.name, reverse=True)
    rotated = [file for file in files if file.name != "runs.jsonl"]
    return [record["id"] for file in [*rotated, folder / "runs.jsonl"] for record in read(file)]


async def test_what_is_held_is_written_as_one_batch(tmp_path: Path) -> None:
    log = RunLog(tmp_path / "logs", BUDGET)
    log.run(a_run(1))
    log.run(a_run(2))
    log.line(a_line("printed", {"a": [1]}))
    assert not (tmp_path / "logs").exists()
    await log.flush()
    first, second = read(tmp_path / "logs" / "runs.jsonl")
    assert (first["id"], second["id"], first["request_id"]) == ("id-1", "id-2", "mine")
    (line,) = read(tmp_path / "logs" / "lines.jsonl")
    assert (line["text"], line["fields"]) == ("printed", {"a": [1]})
    await log.flush()
    await log.close()
    assert len(read(tmp_path / "logs" / "runs.jsonl")) == 2
    assert log.dropped == 0


async def test_closing_writes_the_rest_and_a_new_log_goes_on_behind(tmp_path: Path) -> None:
    for number in range(2):
        log = RunLog(tmp_path, BUDGET)
        log.run(a_run(number))
        await log.close()
    assert ids(tmp_path) == ["id-0", "id-1"]


async def test_files_turn_over_within_the_budget(tmp_path: Path) -> None:
    log = RunLog(tmp_path, BUDGET)
    for start in range(0, 6000, 1500):
        for number in range(start, start + 1500):
            log.run(a_run(number))
        await log.flush()
    await log.close()
    sizes = file_sizes(tmp_path)
    assert set(sizes) == {"runs.jsonl", "runs.1.jsonl", "runs.2.jsonl", "runs.3.jsonl"}
    assert max(sizes.values()) <= BUDGET // 8
    kept = ids(tmp_path)
    assert kept == [f"id-{number}" for number in range(6000 - len(kept), 6000)]
    assert 900 < len(kept) < 6000


async def test_the_size_of_a_file_from_before_counts(tmp_path: Path) -> None:
    (tmp_path / "runs.jsonl").write_bytes(b"x" * (BUDGET // 8))
    log = RunLog(tmp_path, BUDGET)
    log.run(a_run())
    await log.close()
    assert (tmp_path / "runs.1.jsonl").stat().st_size == BUDGET // 8
    assert [record["id"] for record in read(tmp_path / "runs.jsonl")] == ["id-0"]


async def test_long_lines_turn_files_over_too(tmp_path: Path) -> None:
    log = RunLog(tmp_path, BUDGET)
    for number in range(40):
        log.line(a_line(f"{number}" + "x" * 20_000))
    await log.close()
    sizes = file_sizes(tmp_path)
    assert len(sizes) == 4
    assert max(sizes.values()) <= BUDGET // 8


async def test_what_the_disk_does_not_take_in_time_is_dropped_and_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "MAX_HELD", 10)
    log = RunLog(tmp_path, BUDGET)
    for number in range(13):
        log.run(a_run(number))
        log.line(a_line())
    assert log.dropped == 6
    await log.close()
    assert ids(tmp_path) == [f"id-{number}" for number in range(10)]


async def test_a_write_that_fails_loses_its_lines_and_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    folder.write_text("no folder")
    log = RunLog(folder, BUDGET)
    log.run(a_run(1))
    log.line(a_line())
    await log.flush()
    assert log.dropped == 2
    folder.unlink()
    log.run(a_run(2))
    await log.close()
    assert ids(folder) == ["id-2"]
    assert log.dropped == 2


class FullDisk:
    """A file on a disk that takes a few bytes and then no more."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self._room = 10

    def write(self, data: memoryview) -> int:
        if self._room == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        taken = min(len(data), self._room)
        self._room -= taken
        return int(self._file.write(data[:taken]))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


async def test_a_disk_that_is_full_leaves_no_half_line(tmp_path: Path) -> None:
    log = RunLog(tmp_path, BUDGET)
    log.run(a_run(1))
    await log.flush()
    whole = log._runs._file
    log._runs._file = FullDisk(whole)  # type: ignore[assignment]
    log.run(a_run(2))
    await log.flush()
    assert log.dropped == 1
    log._runs._file = whole
    log.run(a_run(3))
    await log.close()
    assert ids(tmp_path) == ["id-1", "id-3"]


async def test_a_file_that_cannot_be_turned_over_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = RunLog(tmp_path, BUDGET)
    log.run(a_run(1, "x" * (BUDGET // 8)))
    await log.flush()

    def refuse(self: Path, target: Path) -> Path:
        raise PermissionError

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", refuse)
        log.run(a_run(2))
        await log.flush()
    assert log.dropped == 1
    log.run(a_run(3))
    await log.close()
    assert ids(tmp_path) == ["id-1", "id-3"]


async def test_a_line_that_has_no_json_is_lost_and_the_log_goes_on(tmp_path: Path) -> None:
    log = RunLog(tmp_path, BUDGET)
    log.line(a_line("x", object()))
    await log.flush()
    log.line(a_line("y"))
    await log.close()
    assert [line["text"] for line in read(tmp_path / "lines.jsonl")] == ["y"]
    assert log.dropped == 1


async def test_closing_waits_for_a_write_that_was_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`write_forever` is cancelled when the box stops, perhaps in the middle of a write."""
    may_write = threading.Event()
    active: list[int] = []
    most: list[int] = []
    write = RunLog._write

    def slow(self: RunLog, *batch: Any) -> int:
        active.append(1)
        most.append(len(active))
        may_write.wait(10)
        lost = write(self, *batch)
        active.pop()
        return lost

    monkeypatch.setattr(RunLog, "_write", slow)
    log = RunLog(tmp_path, BUDGET)
    log.run(a_run(1))
    flushing = asyncio.create_task(log.flush())
    await asyncio.sleep(0)
    flushing.cancel()
    await asyncio.gather(flushing, return_exceptions=True)
    assert flushing.cancelled()
    log.run(a_run(2))
    closing = asyncio.create_task(log.close())
    await asyncio.sleep(0)
    may_write.set()
    await closing
    assert ids(tmp_path) == ["id-1", "id-2"]
    assert max(most) == 1


async def test_it_writes_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "FLUSH_SECONDS", 0)
    written = asyncio.Event()
    log = RunLog(tmp_path, BUDGET)
    note = log._written

    def noted(writing: asyncio.Future[int]) -> None:
        note(writing)
        written.set()

    monkeypatch.setattr(log, "_written", noted)
    log.run(a_run())
    task = asyncio.create_task(log.write_forever())
    await asyncio.wait_for(written.wait(), 10)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await log.close()
    assert ids(tmp_path) == ["id-0"]
