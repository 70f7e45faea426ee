"""One thread per connection: what runs the calls, one after the other, and what holds an interactive transaction.

A slow query so delays at most what waits for the same lane of the same database. The GIL is free while SQLite works.
`database.py` says which lane a call goes to.
"""

from __future__ import annotations

import itertools
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Final

from v8box.bindings.db.interface import DbLimits
from v8box.bindings.db.session import HRANA, NOTHING, WORKER, Encoded, Session, StatementError, Stop
from v8box.bindings.db.wire import Reply, Request

_numbers = itertools.count(1)

Answer = Callable[[Reply, bytes], None]


class Job:
    """One request on its way: who answers it, and the flag that stops it."""

    __slots__ = ("_taken", "answer", "encoding", "queued_at", "request", "stop")

    def __init__(self, request: Request, answer: Answer) -> None:
        self.request = request
        self.encoding = HRANA if request.hrana else WORKER
        self.stop = Stop()
        self.queued_at = time.monotonic()
        self.answer = answer
        self._taken = threading.Lock()

    def take(self) -> bool:
        """Whether the caller is the first who wants to run it, or to refuse it unrun."""
        return self._taken.acquire(blocking=False)

    def reply(self, outcome: Encoded | StatementError, ended: int = 0) -> tuple[Reply, bytes]:
        """What goes back to the gateway."""
        number = self.request.id
        if isinstance(outcome, Encoded):
            return Reply(number, "", "", ended, outcome.rows, outcome.written), outcome.body
        return Reply(number, outcome.code, outcome.message, ended, 0, 0, outcome.raw_code, outcome.index), b""

    def done(self, result: Encoded) -> None:
        self.answer(*self.reply(result))

    def failed(self, error: StatementError, ended: int = 0) -> None:
        self.answer(*self.reply(error, ended))

    def again(self) -> Job:
        """The same for another lane, as if it had not been taken."""
        job = Job(self.request, self.answer)
        job.stop, job.queued_at = self.stop, self.queued_at
        return job

    def abort(self, code: str, message: str) -> None:
        """Stops it where it runs; answers it at once where it only waits."""
        self.stop.ask(code, message)
        if self.take():
            begun = self.request.operation == "begin"
            self.failed(StatementError(code, message), self.request.transaction if begun else 0)


class Checkpoint:
    """Asks a lane to move the write-ahead log into the file."""


CHECKPOINT: Final = Checkpoint()


class Lane:
    """A thread with a connection. The connection is opened by the thread itself, at its first job."""

    def __init__(self, path: Path, limits: DbLimits, *, query_only: bool) -> None:
        self._path = path
        self._limits = limits
        self._query_only = query_only
        self._session: Session | None = None
        self._jobs: SimpleQueue[Job | Checkpoint | None] = SimpleQueue()
        self._giving = threading.Lock()  # so that nothing is given behind the end
        self._using = threading.Lock()  # the session: the lane's own thread has it, or who borrows the lane
        self._closed = False
        self.waiting = 0  # jobs given and not yet answered; only a hint to choose a lane by
        self.busy_session: Session | None = None  # set while a job runs, for the watchdog
        self._thread = threading.Thread(target=self._work, name=f"lane-{next(_numbers)}", daemon=True)
        self._thread.start()

    def give(self, job: Job) -> None:
        refusal = "too many calls are waiting for this database"
        if self.waiting < self._limits.queued:
            with self._giving:
                if not self._closed:
                    self.waiting += 1
                    self._jobs.put(job)
                    return
            refusal = "the database was closed meanwhile: try again"
        job.failed(StatementError("SQLITE_BUSY", refusal))

    def close(self) -> None:
        """Lets what was given finish, then closes the connection. Returns at once."""
        with self._giving:
            self._closed = True
            self._jobs.put(None)

    def join(self, timeout_seconds: float) -> bool:
        """Whether the lane has ended, and with it its connection."""
        self._thread.join(timeout_seconds)
        return not self._thread.is_alive()

    def borrow(self) -> bool:
        """Lets the calling thread use an idle lane for one call, without waking the lane's own: see `run_here`."""
        if self.waiting or self._session is None or not self._using.acquire(blocking=False):
            return False
        with self._giving:
            if not self._closed and not self.waiting:
                self.waiting = 1
                return True
        self._using.release()
        return False

    def run_here(self, job: Job, on_slow: Callable[[], None]) -> tuple[Reply, bytes] | None:
        """Runs a call on a borrowed lane and gives the lane back. None when the call was passed on."""
        try:
            return self._outcome(job, on_slow)
        finally:
            self.busy_session = None
            with self._giving:
                if self._session is not None and self._session.wants_checkpoint and not self._closed:
                    self._jobs.put(CHECKPOINT)  # the lane stays taken until that is done
                else:
                    self.waiting -= 1
            self._using.release()

    def _work(self) -> None:
        while (job := self._next()) is not None:
            if isinstance(job, Checkpoint) or job.take():
                with self._using:
                    if isinstance(job, Job) and (answer := self._outcome(job, None)) is not None:
                        self.busy_session = None
                        job.answer(*answer)
                    self.busy_session = None
                    if self._session is not None and self._session.wants_checkpoint:
                        self._session.checkpoint()
            with self._giving:
                self.waiting -= 1
        with self._using:
            if self._session is not None:
                self._session.close()
                self._session = None

    def _next(self) -> Job | Checkpoint | None:
        return self._jobs.get()

    def _outcome(self, job: Job, on_slow: Callable[[], None] | None) -> tuple[Reply, bytes] | None:
        try:
            session = self._session
            if session is None:
                session = self._session = Session(self._path, self._limits, query_only=self._query_only)
            session.restart_clock(on_slow)
            self.busy_session = session
            return job.reply(self._run(session, job))
        except StatementError as error:
            return self._refused(job, error)
        except Exception:
            traceback.print_exc()  # a fault of ours: the caller must not wait for ever, the log must have it
            return self._refused(job, StatementError("INTERNAL", "the database engine failed"))

    def _run(self, session: Session, job: Job) -> Encoded:
        request = job.request
        match request.operation:
            case "execute":
                return session.execute(request.statements[0], job.stop, job.encoding)
            case "batch":
                return session.batch(request.statements, request.mode, job.stop, job.encoding)
            case "migrate":
                return session.batch(request.statements, "write", job.stop, job.encoding, foreign_keys=False)
            case "describe":
                return session.describe(request.statements[0].sql, job.stop, job.encoding)
            case "script":
                session.script(request.statements[0].sql, job.stop)
                return NOTHING
            case operation:
                raise StatementError("SQLITE_MISUSE", f"{operation} needs a transaction")

    def _refused(self, job: Job, error: StatementError) -> tuple[Reply, bytes] | None:
        return job.reply(error)


class ReaderLane(Lane):
    """Reads only. What turns out to write (`WITH … INSERT`) is passed on, to the writer."""

    def __init__(self, path: Path, limits: DbLimits, pass_on: Callable[[Job], None]) -> None:
        self._pass_on = pass_on
        super().__init__(path, limits, query_only=True)

    def _refused(self, job: Job, error: StatementError) -> tuple[Reply, bytes] | None:
        # A batch in mode `read` refuses to write by itself, whatever connection it runs on.
        wanted = job.request.operation == "execute" or job.request.mode != "read"
        if wanted and error.code.startswith("SQLITE_READONLY"):
            self._pass_on(job.again())
            return None
        return super()._refused(job, error)


class TransactionLane(Lane):
    """Holds one interactive transaction at a time. Idle longer than the lease, or open too long, it is rolled back."""

    def __init__(self, path: Path, limits: DbLimits, ended: Callable[[TransactionLane, int, str], None]) -> None:
        self._ended = ended  # told the lane, the transaction's number, and why if nobody asked for it
        self._number = 0
        self._idle_deadline = self._last_deadline = 0.0
        super().__init__(path, limits, query_only=False)

    def _next(self) -> Job | Checkpoint | None:
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

    def _run(self, session: Session, job: Job) -> Encoded:
        request = job.request
        if request.operation == "begin":
            session.begin(request.mode, job.stop)
            self._number = request.transaction
            self._last_deadline = time.monotonic() + self._limits.transaction_seconds
            self._renew()
            return NOTHING
        if request.transaction != self._number:
            raise StatementError("TRANSACTION_CLOSED", "the transaction is closed")
        try:
            return self._run_inside(session, job)
        finally:
            self._renew()
            if not session.in_transaction:  # committed, rolled back, or SQLite gave it up (disk full, out of memory)
                self._finish("")

    def _run_inside(self, session: Session, job: Job) -> Encoded:
        request = job.request
        match request.operation:
            case "execute":
                return session.execute_inside(request.statements[0], job.stop, job.encoding)
            case "batch":
                return session.batch_inside(request.statements, job.stop, job.encoding)
            case "describe":
                return session.describe(request.statements[0].sql, job.stop, job.encoding)
            case "script":
                session.script(request.statements[0].sql, job.stop, inside=True)
            case "commit":
                session.commit()
            case "rollback":
                session.rollback()
            case operation:
                raise StatementError("SQLITE_MISUSE", f"{operation} is not for transactions")
        return NOTHING

    def _refused(self, job: Job, error: StatementError) -> tuple[Reply, bytes] | None:
        begun = job.request.operation == "begin"
        over = begun or job.request.transaction != self._number
        if begun:
            self._ended(self, job.request.transaction, "")
        return job.reply(error, job.request.transaction if over else 0)

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
