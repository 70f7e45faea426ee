"""One record per run and the lines its worker printed: written in batches, off the hot path, within a budget on disk.

`data/logs/runs.jsonl` and `data/logs/lines.jsonl`; a file that has its share of the budget is turned over, the oldest
goes. What comes faster than the disk takes it is dropped and counted, never held without bound.
"""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any, Final

import msgspec

logger = logging.getLogger(__name__)

FLUSH_SECONDS: Final = 0.25
MAX_HELD: Final = 100_000
_FILES: Final = 4  # the live one and three turned over, per kind


class RunRecord(msgspec.Struct):
    """One execution of a worker. Times in milliseconds, `time` is Unix time at its start."""

    id: str
    time: float
    worker: str
    version: str
    trigger: str
    method: str
    path: str
    status: int
    outcome: str
    duration: float
    cold: float
    cpu: float
    bytes_out: int
    client: str


class LineRecord(msgspec.Struct):
    """One line a worker printed; `stack` lines are mapped to the user's own files already."""

    time: float
    run: str | None
    worker: str
    version: str
    level: str
    text: str
    fields: Any = None


class RunLog:
    """Takes records on the loop, writes them from a thread."""

    def __init__(self, folder: Path, budget_bytes: int) -> None:
        self._runs = _Rotating(folder / "runs.jsonl", budget_bytes // 2)
        self._lines = _Rotating(folder / "lines.jsonl", budget_bytes // 2)
        self._held_runs: list[RunRecord] = []
        self._held_lines: list[LineRecord] = []
        self.dropped = 0

    def run(self, record: RunRecord) -> None:
        if len(self._held_runs) < MAX_HELD:
            self._held_runs.append(record)
        else:
            self.dropped += 1

    def line(self, record: LineRecord) -> None:
        if len(self._held_lines) < MAX_HELD:
            self._held_lines.append(record)
        else:
            self.dropped += 1

    async def write_forever(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            await self.flush()

    async def flush(self) -> None:
        """Writes what is held. A full disk loses log lines, not requests."""
        runs, lines = self._held_runs, self._held_lines
        if not runs and not lines:
            return
        self._held_runs, self._held_lines = [], []
        try:
            await asyncio.to_thread(self._write, runs, lines)
        except OSError as error:
            self.dropped += len(runs) + len(lines)
            logger.error("the run log cannot be written: %s", error)

    def _write(self, runs: list[RunRecord], lines: list[LineRecord]) -> None:
        self._runs.write(runs)
        self._lines.write(lines)

    async def close(self) -> None:
        await self.flush()
        self._runs.close()
        self._lines.close()


class _Rotating:
    """An append-only JSON-lines file with a few turned-over predecessors."""

    def __init__(self, path: Path, budget_bytes: int) -> None:
        self._path = path
        self._share = max(64 * 1024, budget_bytes // _FILES)
        self._file: Any = None
        self._size = 0
        self._encoder = msgspec.json.Encoder()

    def write(self, records: list[Any]) -> None:
        # In pieces, so that a burst neither holds the interpreter for long nor builds one huge string.
        for start in range(0, len(records), 500):
            self._append(self._encoder.encode_lines(records[start : start + 500]))

    def _append(self, data: bytes) -> None:
        if self._file is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = open(self._path, "ab", buffering=0)
            self._size = self._path.stat().st_size
        if self._size + len(data) > self._share and self._size:
            self._turn_over()
        self._file.write(data)
        self._size += len(data)

    def _turn_over(self) -> None:
        self._file.close()
        for number in range(_FILES - 1, 0, -1):
            older = self._path.with_suffix(f".{number - 1}.jsonl") if number > 1 else self._path
            if older.exists():
                older.replace(self._path.with_suffix(f".{number}.jsonl"))
        self._file = open(self._path, "ab", buffering=0)
        self._size = 0

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
