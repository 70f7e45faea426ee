"""The lanes of one database file in an engine: a writer, readers and transactions, for runs and again for operators.

SQLite lets many read and one write. Operators have lanes of their own, so that a migration of minutes holds up no run
that only reads.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

from v8box.bindings.db.interface import DbLimits
from v8box.bindings.db.lanes import Lane, ReaderLane, TransactionLane
from v8box.bindings.db.session import reads_only
from v8box.bindings.db.wire import Request

_SPARE_LANES: Final = 2  # kept per database for the next transactions: opening a connection costs a millisecond

Ended = Callable[[TransactionLane, int, str], None]


class LaneGroup:
    """The lanes for callers with the same limits. Calls come from one thread; transactions end on their own."""

    def __init__(self, path: Path, limits: DbLimits) -> None:
        self._path = path
        self._limits = limits
        self._writer: Lane | None = None
        self._readers: list[Lane] = []
        self._spare: list[TransactionLane] = []
        self._held: set[TransactionLane] = set()
        self._lock = threading.Lock()

    @property
    def idle(self) -> bool:
        return not self._held and not any(lane.waiting for lane in self._shared())

    def lanes(self) -> list[Lane]:
        with self._lock:
            return [*self._shared(), *self._spare, *self._held]

    def lane(self, request: Request) -> Lane:
        """Where a call outside of transactions runs."""
        return self._reader() if _only_reads(request) else self._writing()

    def hold(self, ended: Ended) -> TransactionLane:
        """A lane for one transaction, to be freed when `ended` is told."""
        with self._lock:
            lane = self._spare.pop() if self._spare else TransactionLane(self._path, self._limits, ended)
            self._held.add(lane)
        return lane

    def free(self, lane: TransactionLane) -> None:
        with self._lock:
            self._held.discard(lane)
            if len(self._spare) < _SPARE_LANES:
                self._spare.append(lane)
                return
        lane.close()

    def close(self) -> None:
        for lane in self.lanes():
            lane.close()

    def _shared(self) -> list[Lane]:
        return self._readers if self._writer is None else [self._writer, *self._readers]

    def _writing(self) -> Lane:
        with self._lock:  # a reader that passes a call on asks too
            if self._writer is None:
                self._writer = Lane(self._path, self._limits, query_only=False)
            return self._writer

    def _reader(self) -> Lane:
        best = min(self._readers, key=lambda lane: lane.waiting, default=None)
        if (best is None or best.waiting) and len(self._readers) < self._limits.readers:
            best = ReaderLane(self._path, self._limits, lambda job: self._writing().give(job))
            with self._lock:
                self._readers.append(best)
        return best or self._writing()


class DatabaseLanes:
    """All lanes of one database file."""

    def __init__(self, path: Path, limits: DbLimits, operators: DbLimits) -> None:
        self.path = path
        self.used_at = time.monotonic()
        self.not_here_until = 0.0  # its statements were not quick: until then the leader leaves them to the lanes
        self._runs = LaneGroup(path, limits)
        self._operators = LaneGroup(path, operators)

    @property
    def idle(self) -> bool:
        return self._runs.idle and self._operators.idle

    def lanes(self) -> list[Lane]:
        return [*self._runs.lanes(), *self._operators.lanes()]

    def lane(self, request: Request) -> Lane:
        return self._group(request).lane(request)

    def hold(self, request: Request, ended: Ended) -> TransactionLane:
        return self._group(request).hold(ended)

    def free(self, lane: TransactionLane, *, admin: bool) -> None:
        (self._operators if admin else self._runs).free(lane)

    def close(self) -> None:
        self._runs.close()
        self._operators.close()

    def _group(self, request: Request) -> LaneGroup:
        return self._operators if request.admin else self._runs


def operators(limits: DbLimits) -> DbLimits:
    """The limits for operators: their statements may run long, and nothing else differs."""
    seconds = limits.admin_seconds
    return replace(limits, statement_seconds=seconds, batch_seconds=seconds, transaction_seconds=seconds, readers=2)


def _only_reads(request: Request) -> bool:
    """Whether it looks so: a guess to choose a connection by, which enforces it."""
    match request.operation:
        case "describe":
            return True
        case "execute":
            return reads_only(request.statements[0].sql)
        case "batch" if request.mode != "write":
            return request.mode == "read" or all(reads_only(statement.sql) for statement in request.statements)
        case _:
            return False
