"""A SQLite file of the platform's own, used from one thread and spoken to with `await`.

For the platform's data only (catalog, runs): users' SQL never runs here, it has processes of its own. A commit is on
the disk when `write` returns. One connection and one thread: SQLite has one writer anyway, and our reads are short.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, Protocol, TypeVar

import apsw

from v8box.errors import V8BoxError
from v8box.storage.migrations import Applied, Migration, MigrationDrift, MigrationFailed, next_pending
from v8box.storage.sql import load_queries

T = TypeVar("T")
Value = str | int | float | bytes | None
Bindings = Mapping[str, Value] | Sequence[Value]
Row = tuple[Value, ...]

_BUSY_MILLISECONDS: Final = 5_000
_queries: Final = load_queries("v8box.storage", "history.sql")


class DatabaseError(V8BoxError):
    """The platform's database failed."""

    code = "database"


class Transaction(Protocol):
    """What a function given to `read` or `write` may do. It runs in the database's thread, so it cannot await."""

    def execute(self, sql: str, bindings: Bindings = ()) -> None: ...
    def rows(self, sql: str, bindings: Bindings = ()) -> list[Row]: ...
    def row(self, sql: str, bindings: Bindings = ()) -> Row | None: ...


class Database:
    """One open file. `open` it, `migrate` it, then `read` and `write` with functions that take a `Transaction`."""

    def __init__(self, connection: apsw.Connection, thread: ThreadPoolExecutor) -> None:
        self._connection = connection
        self._thread = thread

    @classmethod
    async def open(cls, path: Path) -> Database:
        """Open or create the file. What a crash left half done is undone by this."""
        thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"sql-{path.stem}")
        try:
            connection = await asyncio.get_running_loop().run_in_executor(thread, _connect, path)
        except BaseException:
            thread.shutdown(wait=False)
            raise
        return cls(connection, thread)

    async def close(self) -> None:
        """Close the file once what was asked before is done. Nothing may be asked after."""
        await self._run(self._connection.close)
        self._thread.shutdown(wait=False)

    async def migrate(self, scope: str, migrations: Sequence[Migration]) -> None:
        """Bring `scope`'s tables to the newest step. Each step happens whole or not at all."""
        await self._run(lambda: self._migrate(scope, migrations))

    async def read(self, function: Callable[[Transaction], T]) -> T:
        """Run `function` on one consistent state of the database."""
        return await self._run(lambda: self._transact("begin deferred", function))

    async def write(self, function: Callable[[Transaction], T]) -> T:
        """Run `function` and commit what it did, or nothing of it when it raises."""
        return await self._run(lambda: self._transact("begin immediate", function))

    async def _run(self, function: Callable[[], T]) -> T:
        """In the thread, to its end: a cancelled caller does not leave the thread in the middle of a transaction. The
        function sees the caller's context variables."""
        context = contextvars.copy_context()
        running = asyncio.get_running_loop().run_in_executor(self._thread, context.run, function)
        running.add_done_callback(lambda done: done.cancelled() or done.exception())  # a gone caller asks no more
        try:
            return await asyncio.shield(running)
        except apsw.Error as error:
            raise DatabaseError(f"{type(error).__name__}: {error}") from error

    def _transact(self, begin: str, function: Callable[[Transaction], T]) -> T:
        with self._transaction(begin):
            return function(_Cursor(self._connection))

    @contextlib.contextmanager
    def _transaction(self, begin: str) -> Iterator[None]:
        self._connection.execute(begin)
        try:
            yield
            self._connection.execute("commit")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("rollback")
            raise

    def _migrate(self, scope: str, migrations: Sequence[Migration]) -> None:
        self._connection.execute(_queries["create"])
        try:
            while self._migrate_one(scope, migrations):
                pass
        except (MigrationDrift, MigrationFailed) as error:
            raise DatabaseError(f"{scope}: {error.detail}") from error

    def _migrate_one(self, scope: str, migrations: Sequence[Migration]) -> bool:
        """One step in a transaction of its own, which also finds out which one it is. False when there is none left."""
        with self._transaction("begin immediate"):
            applied = [Applied(*row) for row in self._connection.execute(_queries["applied"], (scope,))]
            if {each.number for each in applied} - {each.number for each in migrations}:
                raise DatabaseError(f"{scope}: the data was written by a newer V8Box ({len(applied)} migrations)")
            step = next_pending(migrations, applied)
            if step is None:
                return False
            for part in step.statements():
                try:
                    self._connection.execute(part.sql)
                except apsw.Error as error:
                    raise MigrationFailed(step.file, part.line, f"{type(error).__name__}: {error}") from error
            self._connection.execute(_queries["record"], (scope, step.number, step.name, step.checksum))
            return True


class _Cursor:
    """`Transaction` on a connection."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection

    def execute(self, sql: str, bindings: Bindings = ()) -> None:
        self._connection.execute(sql, bindings)

    def rows(self, sql: str, bindings: Bindings = ()) -> list[Row]:
        return [tuple(row) for row in self._connection.execute(sql, bindings)]

    def row(self, sql: str, bindings: Bindings = ()) -> Row | None:
        return next(iter(self.rows(sql, bindings)), None)


def _connect(path: Path) -> apsw.Connection:
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        connection = apsw.Connection(str(path))
        connection.set_busy_timeout(_BUSY_MILLISECONDS)
        connection.execute("pragma journal_mode = wal")
        connection.execute(
            "pragma synchronous = full"
        )  # in WAL mode, `normal` may lose the last commits in a power cut
        connection.execute("pragma foreign_keys = on")
    except (apsw.Error, OSError) as error:
        raise DatabaseError(f"{path.name} cannot be opened: {error}") from error
    return connection
