"""One record per run and the lines its worker printed: written in batches, off the hot path, within a budget on disk.

`data/logs/runs.jsonl` and `data/logs/lines.jsonl`; a file that has its share of the budget is turned over, the oldest
goes. What comes faster than the disk takes it is dropped and counted, never held without bound.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from io import FileIO
from pathlib import Path
from typing import Any, Final

import msgspec

from v8box.telemetry.records import LineRecord, RunRecord

logger = logging.getLogger(__name__)

FLUSH_SECONDS: Final = 0.25
MAX_HELD: Final = 100_000
_FILES: Final = 4  # the live one and three turned over, per kind
_PIECE: Final = 500


Watcher = Callable[[RunRecord | LineRecord], None]
"""Hears of every record as it is taken. It must return at once."""


class RunLog:
    """Takes records on the loop, writes them from a thread of its own: one batch after the other, in their order."""

    def __init__(self, folder: Path, budget_bytes: int) -> None:
        self._runs = _Rotating(folder / "runs.jsonl", budget_bytes // 2)
        self._lines = _Rotating(folder / "lines.jsonl", budget_bytes // 2)
        self._held_runs: list[RunRecord] = []
        self._held_lines: list[LineRecord] = []
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="run-log")
        self.dropped = 0
        self.folder = folder
        self._watchers: list[Watcher] = []

    @property
    def held(self) -> int:
        """Records that are not written yet."""
        return len(self._held_runs) + len(self._held_lines)

    def watch(self, watcher: Watcher) -> Callable[[], None]:
        """Tell `watcher` of every record from now on, until what this gives is called."""
        self._watchers.append(watcher)
        return lambda: self._watchers.remove(watcher)

    def run(self, record: RunRecord) -> None:
        if len(self._held_runs) < MAX_HELD:
            self._held_runs.append(record)
        else:
            self.dropped += 1
        for watcher in self._watchers:
            watcher(record)

    def line(self, record: LineRecord) -> None:
        if len(self._held_lines) < MAX_HELD:
            self._held_lines.append(record)
        else:
            self.dropped += 1
        for watcher in self._watchers:
            watcher(record)

    async def write_forever(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            await self.flush()

    async def flush(self) -> None:
        """Writes what is held. A full disk loses log lines, not requests. Who gives up waiting loses none."""
        runs, lines = self._held_runs, self._held_lines
        if not runs and not lines:
            return
        self._held_runs, self._held_lines = [], []
        writing = asyncio.get_running_loop().run_in_executor(self._thread, self._write, runs, lines)
        writing.add_done_callback(self._written)
        await asyncio.shield(writing)

    def _write(self, runs: list[RunRecord], lines: list[LineRecord]) -> int:
        """In the thread. Gives how many records were lost."""
        return self._runs.write(runs) + self._lines.write(lines)

    def _written(self, writing: asyncio.Future[int]) -> None:
        self.dropped += writing.result()

    async def close(self) -> None:
        """Writes what is held, behind what is still being written."""
        await self.flush()
        await asyncio.get_running_loop().run_in_executor(self._thread, self._close)
        self._thread.shutdown(wait=False)

    def _close(self) -> None:
        self._runs.close()
        self._lines.close()


class _Rotating:
    """An append-only JSON-lines file with a few turned-over predecessors."""

    def __init__(self, path: Path, budget_bytes: int) -> None:
        self._path = path
        self._share = max(64 * 1024, budget_bytes // _FILES)
        self._file: FileIO | None = None
        self._size = 0
        self._encoder = msgspec.json.Encoder()

    def write(self, records: Sequence[RunRecord] | Sequence[LineRecord]) -> int:
        """Gives how many records were lost."""
        lost = 0
        # In pieces, so that a burst neither holds the interpreter for long nor builds one huge string.
        for start in range(0, len(records), _PIECE):
            piece = records[start : start + _PIECE]
            try:
                self._write_piece(piece)
            except Exception as error:  # a fault of the log's is never the box's
                lost += len(piece)
                logger.error("the run log cannot be written: %s", error)
        return lost

    def _write_piece(self, records: Sequence[Any]) -> None:
        data = self._encoder.encode_lines(records)
        if len(data) > self._share and len(records) > 1:
            half = len(records) // 2
            self._write_piece(records[:half])
            self._write_piece(records[half:])
        else:
            self._append(data)

    def _append(self, data: bytes) -> None:
        file = self._open()
        if self._size + len(data) > self._share and self._size:
            self.close()
            self._turn_over()
            file = self._open()
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[file.write(rest) :]
        except OSError:
            file.truncate(self._size)  # half a line would spoil the next one too
            raise
        self._size += len(data)

    def _open(self) -> FileIO:
        if self._file is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = FileIO(self._path, "a")
            self._size = self._path.stat().st_size
        return self._file

    def _turn_over(self) -> None:
        for number in range(_FILES - 1, 0, -1):
            older = self._path.with_suffix(f".{number - 1}.jsonl") if number > 1 else self._path
            if older.exists():
                older.replace(self._path.with_suffix(f".{number}.jsonl"))

    def close(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            file.close()
