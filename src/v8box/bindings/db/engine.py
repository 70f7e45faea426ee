"""The engine process: `python -m v8box.bindings.db.engine <json>`. Runs users' SQL so that the gateway never does.

It reads requests from the socket that is its standard input and ends when that closes. It may be killed at any moment:
what was answered as committed is in the file, the rest is rolled back by whoever opens the file next.
"""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from collections import OrderedDict
from pathlib import Path
from typing import Final

import apsw
import msgspec

from v8box.bindings.db.interface import NAME, DbLimits
from v8box.bindings.db.lanes import DatabaseLanes, Job, TransactionLane
from v8box.bindings.db.wire import NOTICE, FrameBuffer, Reply, Request, frame

_READ_BYTES: Final = 256 * 1024
_STUCK_SECONDS: Final = 3.0  # beyond its deadline: the statement sits in one step that nothing interrupts
_EXIT_STUCK: Final = 70


class EngineConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The one argument of the process."""

    directory: str
    limits: DbLimits


class Engine:
    def __init__(self, connection: socket.socket, directory: Path, limits: DbLimits) -> None:
        self._socket = connection
        self._directory = directory
        self._limits = limits
        self._databases: OrderedDict[tuple[str, str], DatabaseLanes] = OrderedDict()  # longest unused first
        self._transactions: dict[int, tuple[DatabaseLanes, TransactionLane]] = {}
        self._running: dict[int, Job] = {}
        self._sending = threading.Lock()

    def serve(self) -> None:
        """Reads requests until the gateway closes the socket."""
        decode = msgspec.msgpack.Decoder(Request).decode
        frames = FrameBuffer()
        while data := self._socket.recv(_READ_BYTES):
            for head, _ in frames.feed(data):
                self._handle(decode(head))

    def watch(self) -> None:
        """Ends the process when a statement outlives its deadline: some steps of SQLite cannot be interrupted."""
        while True:
            time.sleep(1)
            now = time.monotonic()
            for database in list(self._databases.values()):
                for lane in database.lanes():
                    session = lane.busy_session
                    if session is not None and now > session.deadline + _STUCK_SECONDS:
                        sys.stderr.write("a statement does not stop at its deadline: ending the engine\n")
                        sys.stderr.flush()
                        os._exit(_EXIT_STUCK)

    def _handle(self, request: Request) -> None:
        match request.operation:
            case "cancel":
                if (running := self._running.get(request.id)) is not None:
                    running.stop.asked = True
                return
            case "ping":
                self._send(Reply(request.id), b"null")
                return
        job = Job(request, self._answer)
        self._running[request.id] = job
        if request.operation == "begin":
            database = self._database(request.project, request.database)
            lane = database.hold(self._transaction_ended)
            self._transactions[request.transaction] = (database, lane)  # before it can end
            lane.give(job)
        elif request.transaction:
            held = self._transactions.get(request.transaction)
            if held is None:
                job.failed("TRANSACTION_CLOSED", "the transaction is closed", request.transaction)
            else:
                held[1].give(job)
        else:
            self._database(request.project, request.database).run(job)

    def _database(self, project: str, name: str) -> DatabaseLanes:
        key = (project, name)
        database = self._databases.get(key)
        if database is None:
            # The gateway has checked the names; a path is not built on anyone's word all the same.
            if not NAME.fullmatch(project) or not NAME.fullmatch(name):
                raise ValueError("a database name that is none")
            self._make_room()
            database = self._databases[key] = DatabaseLanes(self._directory / project / f"{name}.db", self._limits)
        else:
            self._databases.move_to_end(key)
        return database

    def _make_room(self) -> None:
        while len(self._databases) >= self._limits.open_databases:
            idle = next((key for key, database in self._databases.items() if database.idle), None)
            if idle is None:
                return  # all of them work: better one too many than a refusal
            self._databases.pop(idle).close()

    def _answer(self, reply: Reply, body: bytes) -> None:
        self._running.pop(reply.id, None)
        self._send(reply, body)

    def _transaction_ended(self, lane: TransactionLane, number: int, why: str) -> None:
        held = self._transactions.pop(number, None)
        if held is not None:
            held[0].free(lane)
        self._send(Reply(NOTICE, "TRANSACTION_TIMEOUT" if why else "TRANSACTION_CLOSED", why, number), b"")

    def _send(self, reply: Reply, body: bytes) -> None:
        data = frame(reply, body)
        try:
            with self._sending:
                self._socket.sendall(data)
        except OSError:
            os._exit(0)  # the gateway is gone


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
