"""One thread per connection, and which connection a call runs on: a writer, one of the readers, a transaction's own.

SQLite lets many read and one write. A lane runs its calls one after the other; a slow query so delays at most what
waits for the same lane of the same database. The GIL is free while SQLite works.
"""

from __future__ import annotations

import itertools
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Final

from v8box.bindings.db.interface import DbLimits
from v8box.bindings.db.session import Session, StatementError, Stop, reads_only
from v8box.bindings.db.wire import Reply, Request

QUEUE_SECONDS: Final = 10.0  # a call that waited longer is refused: its caller has a deadline of its own
_SPARE_LANES: Final = 2  # kept per database for the next transactions: opening a connection costs a millisecond
_numbers = itertools.count(1)

Answer = Callable[[Reply, bytes], None]


@dataclass(slots=True)
class Job:
    """One request on its way: who answers it, and the flag that stops it."""

    request: Request
    answer: Answer
    stop: Stop = field(default_factory=Stop)
    queued_at: float = field(default_factory=time.monotonic)

    def done(self, body: bytes) -> None:
        self.answer(Reply(self.request.id), body)

    def failed(self, code: str, message: str, ended: int = 0) -> None:
        self.answer(Reply(self.request.id, code, message, ended), b"")


class Lane:
    """A thread with a connection. The connection is opened by the thread itself, at its first job."""

    def __init__(self, path: Path, limits: DbLimits, *, query_only: bool) -> None:
        self._path = path
        self._limits = limits
        self._query_only = query_only
        self._session: Session | None = None
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self.waiting = 0  # jobs given and not yet answered; only a hint to choose a lane by
        self.busy_session: Session | None = None  # set while a job runs, for the watchdog
        self._thread = threading.Thread(target=self._work, name=f"lane-{next(_numbers)}", daemon=True)
        self._thread.start()

    def give(self, job: Job) -> None:
        if self.waiting >= self._limits.queued:
            job.failed("SQLITE_BUSY", "too many calls are waiting for this database")
            return
        self.waiting += 1
        self._jobs.put(job)

    def close(self) -> None:
        """Lets what was given finish, then closes the connection. Returns at once."""
        self._jobs.put(None)

    def join(self, timeout_seconds: float) -> None:
        self._thread.join(timeout_seconds)

    def _work(self) -> None:
        while (job := self._next()) is not None:
            try:
                self._serve(job)
            finally:
                self.busy_session = None
                self.waiting -= 1
        if self._session is not None:
            self._session.close()

    def _next(self) -> Job | None:
        return self._jobs.get()

    def _serve(self, job: Job) -> None:
        if job.stop.asked:
            job.failed("CANCELLED", "the run ended")
            return
        if time.monotonic() - job.queued_at > QUEUE_SECONDS:
            job.failed("SQLITE_BUSY", f"the database was busy with other calls for {QUEUE_SECONDS:g} s")
            return
        try:
            if self._session is None:
                self._session = Session(self._path, self._limits, query_only=self._query_only)
            self._session.restart_clock()
            self.busy_session = self._session
            body = self._run(self._session, job)
        except StatementError as error:
            self._refused(job, error)
        except Exception:
            traceback.print_exc()  # a fault of ours: the caller must not wait for ever, the log must have it
            self._refused(job, StatementError("INTERNAL", "the database engine failed"))
        else:
            job.done(body)

    def _run(self, session: Session, job: Job) -> bytes:
        request = job.request
        match request.operation:
            case "execute":
                return session.execute(request.statements[0], job.stop)
            case "batch":
                return b"[" + b",".join(session.batch(request.statements, request.mode, job.stop)) + b"]"
            case "script":
                session.script(request.statements[0].sql, job.stop)
                return b"null"
            case operation:
                raise StatementError("SQLITE_MISUSE", f"{operation} needs a transaction")

    def _refused(self, job: Job, error: StatementError) -> None:
        job.failed(error.code, error.message)


class ReaderLane(Lane):
    """Reads only. What turns out to write (`WITH … INSERT`) goes on to the writer."""

    def __init__(self, path: Path, limits: DbLimits, writer: Lane) -> None:
        self._writer = writer
        super().__init__(path, limits, query_only=True)

    def _refused(self, job: Job, error: StatementError) -> None:
        if error.code.startswith("SQLITE_READONLY"):
            self._writer.give(job)
        else:
            super()._refused(job, error)


class TransactionLane(Lane):
    """Holds one interactive transaction at a time. Idle longer than the lease, or open too long, it is rolled back."""

    def __init__(self, path: Path, limits: DbLimits, ended: Callable[[TransactionLane, int, str], None]) -> None:
        self._ended = ended  # told the lane, the transaction's number, and why if nobody asked for it
        self._number = 0
        self._idle_deadline = self._last_deadline = 0.0
        super().__init__(path, limits, query_only=False)

    def _next(self) -> Job | None:
        while self._number:
            left = min(self._idle_deadline, self._last_deadline) - time.monotonic()
            try:
                job = self._jobs.get(timeout=max(0.0, left))
            except Empty:
                self._expire()
            else:
                if time.monotonic() > self._last_deadline:
                    self._expire()  # never idle, so never caught waiting
                return job
        return self._jobs.get()

    def _run(self, session: Session, job: Job) -> bytes:
        request = job.request
        if request.operation == "begin":
            session.begin(request.mode, job.stop)
            self._number = request.transaction
            self._last_deadline = time.monotonic() + self._limits.transaction_seconds
            self._renew()
            return b"null"
        if request.transaction != self._number:
            raise StatementError("TRANSACTION_CLOSED", "the transaction is closed")
        try:
            return self._run_inside(session, job)
        finally:
            self._renew()
            if not session.in_transaction:  # committed, rolled back, or SQLite gave it up (disk full, out of memory)
                self._finish("")

    def _run_inside(self, session: Session, job: Job) -> bytes:
        request = job.request
        match request.operation:
            case "execute":
                return session.execute_inside(request.statements, job.stop)[0]
            case "batch":
                return b"[" + b",".join(session.execute_inside(request.statements, job.stop)) + b"]"
            case "script":
                session.script(request.statements[0].sql, job.stop, inside=True)
            case "commit":
                session.commit()
            case "rollback":
                session.rollback()
        return b"null"

    def _refused(self, job: Job, error: StatementError) -> None:
        begun = job.request.operation == "begin"
        over = begun or job.request.transaction != self._number
        job.failed(error.code, error.message, job.request.transaction if over else 0)
        if begun:
            self._ended(self, job.request.transaction, "")

    def _renew(self) -> None:
        self._idle_deadline = time.monotonic() + self._limits.lease_seconds

    def _expire(self) -> None:
        idle = self._idle_deadline <= self._last_deadline
        seconds = self._limits.lease_seconds if idle else self._limits.transaction_seconds
        session = self._session
        if session is not None:
            session.rollback()
        self._finish(f"rolled back: a transaction may {'sit idle' if idle else 'stay open'} for {seconds:g} s")

    def _finish(self, why: str) -> None:
        number, self._number = self._number, 0
        self._ended(self, number, why)


class DatabaseLanes:
    """The lanes of one database file."""

    def __init__(self, path: Path, limits: DbLimits) -> None:
        self._path = path
        self._limits = limits
        self._writer = Lane(path, limits, query_only=False)
        self._readers: list[Lane] = []
        self._spare: list[TransactionLane] = []
        self._held: set[TransactionLane] = set()
        self._lock = threading.Lock()  # transactions end on their own threads

    @property
    def idle(self) -> bool:
        return not self._held and not any(lane.waiting for lane in (self._writer, *self._readers))

    def lanes(self) -> list[Lane]:
        with self._lock:
            return [self._writer, *self._readers, *self._spare, *self._held]

    def run(self, job: Job) -> None:
        request = job.request
        if request.operation == "execute" and reads_only(request.statements[0].sql):
            self._reader().give(job)
        else:
            self._writer.give(job)

    def hold(self, ended: Callable[[TransactionLane, int, str], None]) -> TransactionLane:
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

    def _reader(self) -> Lane:
        best = min(self._readers, key=lambda lane: lane.waiting, default=None)
        if (best is None or best.waiting) and len(self._readers) < self._limits.readers:
            best = ReaderLane(self._path, self._limits, self._writer)
            self._readers.append(best)
        return best or self._writer
