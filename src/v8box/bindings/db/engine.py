"""The engine process: `python -m v8box.bindings.db.engine <json>`. Runs users' SQL so that the gateway never does.

It reads requests from the socket that is its standard input and ends when that closes. It may be killed at any moment:
what was answered as committed is in the file, the rest is rolled back by whoever opens the file next.
"""

from __future__ import annotations

import ctypes
import os
import socket
import sys
import threading
import time
import traceback
from collections import OrderedDict, deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import Final

import apsw
import msgspec

from v8box.bindings.db import files
from v8box.bindings.db.database import DatabaseLanes, operators
from v8box.bindings.db.interface import NAME, DbLimits
from v8box.bindings.db.lanes import Job, Lane, TransactionLane
from v8box.bindings.db.session import NOTHING, StatementError
from v8box.bindings.db.wire import NOTICE, FrameBuffer, Reply, Request, frame

_READ_BYTES: Final = 256 * 1024
_STUCK_SECONDS: Final = 3.0  # beyond its deadline: the statement sits in one step that nothing interrupts
_EXIT_STUCK: Final = 70
_EXIT_FAULT: Final = 71
_LEAD_SECONDS: Final = 0.05  # until a leader is replaced that does not notice by itself how slow its statement is
_SPARE_LEADERS: Final = 4
_QUICK_SECONDS: Final = 0.0004
_AWAY_FACTOR: Final = 50
_REPLIES_AT_ONCE: Final = 16
_QUEUE_SECONDS: Final = 10.0  # a call that waited longer is refused: its caller has a deadline of its own
_END_SECONDS: Final = 10.0  # for a deleted database's calls to stop; the watchdog is quicker
_WHOLE_FILES_AT_ONCE: Final = 4
_OF_WHOLE_FILES: Final = ("create", "copy", "delete")
_DELETED: Final = ("DATABASE_DELETED", "the database was deleted")

Key = tuple[str, str]


class EngineConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The one argument of the process."""

    directory: str
    limits: DbLimits


class Turn:
    """One thread's time as the leader. `since` says when the statement that it runs itself began; 0 if it runs none."""

    __slots__ = ("since",)

    def __init__(self) -> None:
        self.since = 0.0


class Engine:
    """Requests are read by one thread, the leader, which runs what is quick by itself: handing a point read to another
    thread and back costs more than the read. As soon as a statement takes longer than a moment, another thread leads.
    """

    def __init__(self, connection: socket.socket, directory: Path, limits: DbLimits) -> None:
        self._socket = connection
        self._directory = directory
        self._limits = limits
        self._operators = operators(limits)
        self._databases: OrderedDict[Key, DatabaseLanes] = OrderedDict()  # longest unused first
        self._deleting: set[Key] = set()
        self._opening = threading.Lock()  # for these two, and for what is given to a database
        self._transactions: dict[int, tuple[DatabaseLanes, TransactionLane, bool]] = {}
        self._running: dict[int, Job] = {}
        self._sending = threading.Lock()
        # the leader's
        self._decode = msgspec.msgpack.Decoder(Request).decode
        self._frames = FrameBuffer()
        self._pending: deque[Request] = deque()
        self._replies: list[bytes] = []
        self._turn: Turn | None = None
        self._promoting = threading.Lock()
        self._spares: list[SimpleQueue[Turn]] = []
        self._ended = threading.Event()
        self._has_closed = False  # in the last round of the watchdog
        self._whole_files = ThreadPoolExecutor(_WHOLE_FILES_AT_ONCE, thread_name_prefix="files")

    def serve(self) -> None:
        """Answers requests until the gateway closes the socket."""
        self._promote(None)
        self._ended.wait()

    def watch(self) -> None:
        """Ends the process when a statement outlives its deadline (some steps of SQLite cannot be interrupted), refuses
        what waited too long, closes what nobody uses; every second."""
        next_round = 0.0
        while True:
            time.sleep(_LEAD_SECONDS)
            now = time.monotonic()
            turn = self._turn
            if turn is not None and turn.since and now - turn.since > _LEAD_SECONDS:
                self._promote(turn)  # it is in a step that does not look at the clock
            if now >= next_round:
                next_round = now + 1
                self._look_after(now)

    def _look_after(self, now: float) -> None:
        if self._has_closed:  # and the lanes have ended since
            _give_memory_back()
        self._has_closed = False
        with self._opening:
            databases = list(self._databases.values())
            for key, database in list(self._databases.items()):
                if database.idle and now - database.used_at > self._limits.idle_seconds:
                    self._databases.pop(key).close()
                    self._has_closed = True
        if any(_is_stuck(lane, now) for database in databases for lane in database.lanes()):
            sys.stderr.write("a statement does not stop at its deadline: ending the engine\n")
            sys.stderr.flush()
            os._exit(_EXIT_STUCK)
        for job in list(self._running.values()):
            if now - job.queued_at > _QUEUE_SECONDS and job.take():
                ended = job.request.transaction if job.request.operation == "begin" else 0
                busy = f"the database was busy with other calls for {_QUEUE_SECONDS:g} s"
                job.failed(StatementError("SQLITE_BUSY", busy), ended)

    def _promote(self, turn: Turn | None) -> None:
        """Ends a leader's turn, if it still is one, and begins another thread's."""
        with self._promoting:
            if self._turn is turn and (turn is None or turn.since):
                self._turn = Turn()
                if self._spares:
                    self._spares.pop().put(self._turn)
                else:
                    threading.Thread(target=self._follow, args=(self._turn,), name="leader", daemon=True).start()

    def _follow(self, turn: Turn) -> None:
        """A thread's life: leads, is replaced as it runs something slow, waits for its next turn."""
        try:
            while True:
                self._lead(turn)
                with self._promoting:
                    if len(self._spares) == _SPARE_LEADERS:
                        return
                    called: SimpleQueue[Turn] = SimpleQueue()
                    self._spares.append(called)
                turn = called.get()
        except BaseException:
            traceback.print_exc()
            os._exit(_EXIT_FAULT)  # without a leader nothing is answered any more

    def _lead(self, turn: Turn) -> None:
        """Reads requests and runs what is quick; only one thread does at a time, until `_turn` is another's."""
        while self._turn is turn:
            if self._pending:
                self._handle(self._pending.popleft(), turn)
                continue
            self._flush()
            try:
                data = self._socket.recv(_READ_BYTES)
            except ConnectionResetError:  # the gateway went without reading its last answers
                data = b""
            if not data:
                self._ended.set()
                return
            for head, _ in self._frames.feed(data):
                self._pending.append(self._decode(head))

    def _handle(self, request: Request, turn: Turn) -> None:
        match request.operation:
            case "cancel":
                if (running := self._running.get(request.id)) is not None:
                    running.abort("CANCELLED", "the statement was stopped because its run ended")
                return
            case "ping":
                self._send(Reply(request.id), b"null")
                return
        job = Job(request, self._answer)
        self._running[request.id] = job
        match request.operation:
            case "create" | "copy" | "delete":
                self._whole_file(job)
            case "begin":
                with self._opening:
                    self._begin(job)
            case _ if request.transaction:
                held = self._transactions.get(request.transaction)
                if held is None:
                    job.failed(StatementError("TRANSACTION_CLOSED", "the transaction is closed"), request.transaction)
                else:
                    held[1].give(job)
            case _:
                self._run(job, turn)

    def _run(self, job: Job, turn: Turn) -> None:
        with self._opening:
            database = self._database(job)
            if database is None:
                return
            lane = database.lane(job.request)
            if job.queued_at < database.not_here_until or not lane.borrow():
                lane.give(job)
                return
        job.take()
        turn.since = time.monotonic()
        worked = time.thread_time()  # what a busy machine takes from this thread is no fault of the statement's
        answer = lane.run_here(job, partial(self._promote, turn))
        worked = time.thread_time() - worked
        if worked > _QUICK_SECONDS:  # others wait meanwhile: so that no database takes more than its share
            database.not_here_until = turn.since + _AWAY_FACTOR * worked
        with self._promoting:
            turn.since = 0.0  # from here on nobody is promoted in its place
            leads = self._turn is turn
        if answer is None:
            return
        self._running.pop(job.request.id, None)
        if not leads:
            self._send(*answer)
            return
        self._replies.append(frame(*answer))
        if len(self._replies) == _REPLIES_AT_ONCE:
            self._flush()

    def _begin(self, job: Job) -> None:
        request = job.request
        if (database := self._database(job)) is not None:
            lane = database.hold(request, self._transaction_ended)
            self._transactions[request.transaction] = (database, lane, request.admin)  # before it can end
            lane.give(job)

    def _database(self, job: Job) -> DatabaseLanes | None:
        key = (job.request.project, job.request.database)
        database = self._databases.get(key)
        if database is None:
            if key in self._deleting:
                ended = job.request.transaction if job.request.operation == "begin" else 0
                job.failed(StatementError(*_DELETED), ended)
                return None
            path = self._path(*key)
            self._make_room()
            database = self._databases[key] = DatabaseLanes(path, self._limits, self._operators)
        else:
            self._databases.move_to_end(key)
        database.used_at = job.queued_at
        return database

    def _path(self, project: str, name: str) -> Path:
        # The gateway has checked the names; a path is not built on anyone's word all the same.
        if not NAME.fullmatch(project) or not NAME.fullmatch(name):
            raise ValueError("a database name that is none")
        return self._directory / project / f"{name}.db"

    def _make_room(self) -> None:
        while len(self._databases) >= self._limits.open_databases:
            idle = next((key for key, database in self._databases.items() if database.idle), None)
            if idle is None:
                return  # all of them work: better one too many than a refusal
            self._databases.pop(idle).close()

    def _whole_file(self, job: Job) -> None:
        request = job.request
        path = self._path(request.project, request.database)
        work: Callable[[], None]
        if request.operation == "create":
            work = partial(files.create, path, self._limits)
        elif request.operation == "copy":
            target = self._path(request.project, request.target)
            work = partial(files.copy, path, target, self._limits, job.stop)
        else:
            key = (request.project, request.database)
            work = partial(self._delete, key, path, self._end(key))
        self._whole_files.submit(self._run_whole_file, job, work)

    def _run_whole_file(self, job: Job, work: Callable[[], None]) -> None:
        if not job.take():
            return
        try:
            work()
        except StatementError as error:
            job.failed(error)
        except Exception:
            traceback.print_exc()
            job.failed(StatementError("INTERNAL", "the database engine failed"))
        else:
            job.done(NOTHING)

    def _end(self, key: Key) -> DatabaseLanes | None:
        """Stops all that uses a database and lets nobody open it until `_delete` is through with the file."""
        with self._opening:
            database = self._databases.pop(key, None)
            self._deleting.add(key)
        for job in list(self._running.values()):
            request = job.request
            if (request.project, request.database) == key and request.operation not in _OF_WHOLE_FILES:
                job.abort(*_DELETED)
        if database is not None:
            for number, (of, _, _) in list(self._transactions.items()):
                if of is database and self._transactions.pop(number, None) is not None:
                    self._send(Reply(NOTICE, *_DELETED, number), b"")
            database.close()
        return database

    def _delete(self, key: Key, path: Path, database: DatabaseLanes | None) -> None:
        try:
            for lane in database.lanes() if database is not None else ():
                if not lane.join(_END_SECONDS):
                    raise StatementError("SQLITE_BUSY", "what runs in the database does not stop: try again")
            if not path.exists():
                raise StatementError("DATABASE_NOT_FOUND", "there is no database of this name")
            files.remove(path)
        finally:
            with self._opening:
                self._deleting.discard(key)

    def _answer(self, reply: Reply, body: bytes) -> None:
        self._running.pop(reply.id, None)
        self._send(reply, body)

    def _transaction_ended(self, lane: TransactionLane, number: int, why: str) -> None:
        held = self._transactions.pop(number, None)
        if held is not None:
            held[0].free(lane, admin=held[2])
        self._send(Reply(NOTICE, "TRANSACTION_TIMEOUT" if why else "TRANSACTION_CLOSED", why, number), b"")

    def _flush(self) -> None:
        """Sends what the leader has answered; together, as a write costs as much as a small query."""
        if self._replies:
            data = b"".join(self._replies)
            self._replies.clear()
            self._write(data)

    def _send(self, reply: Reply, body: bytes) -> None:
        self._write(frame(reply, body))

    def _write(self, data: bytes) -> None:
        try:
            with self._sending:
                self._socket.sendall(data)
        except OSError:
            os._exit(0)  # the gateway is gone


def _is_stuck(lane: Lane, now: float) -> bool:
    session = lane.busy_session
    return session is not None and now > session.deadline + _STUCK_SECONDS


def _give_memory_back() -> None:
    """What closed connections leave lies in pieces between what still lives: glibc keeps it unless it is asked."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # other C libraries have none
    if trim is not None:
        trim(0)


def main() -> None:
    config = msgspec.json.decode(sys.argv[1].encode(), type=EngineConfig)
    # Process-wide, which is why engines are processes (https://www.sqlite.org/c3ref/hard_heap_limit64.html).
    apsw.hard_heap_limit(config.limits.heap_bytes)
    apsw.soft_heap_limit(config.limits.heap_bytes * 3 // 4)
    apsw.allow_missing_dict_bindings(False)
    sys.setswitchinterval(0.0005)  # a lane that encodes a large result must not hold up the others' small ones
    engine = Engine(socket.socket(fileno=sys.stdin.fileno()), Path(config.directory), config.limits)
    threading.Thread(target=engine.watch, name="watchdog", daemon=True).start()
    engine.serve()
    os._exit(0)  # lanes are daemons in the middle of anything; SQLite's files do not mind


if __name__ == "__main__":
    main()
