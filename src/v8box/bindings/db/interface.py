"""What a backend of the `db` binding must do: run statements on a project's databases and hold transactions.

There are two: SQLite files in engine processes (`embedded.py`) and a LibSQL server (`libsql.py`). Results come back as
encoded JSON, so that the gateway never decodes a row: see `values.py` for the encodings.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol

import msgspec

DEFAULT_DATABASE: Final = "default"
SCRATCH_PREFIX: Final = "scratch-"  # databases of the platform's own, e.g. the copy a dry run works on
NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")  # also a file name and a host label, hence so strict

Mode = Literal["write", "read", "deferred"]
"""`write` takes the write lock at once, `read` refuses to write, `deferred` takes the lock at its first write."""


class Statement(msgspec.Struct, array_like=True, frozen=True):
    """One SQL statement with positional (list) or named (dict) arguments, in the encoding of `values.py`."""

    sql: str
    args: list[Any] | dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class DatabaseId:
    """Names one database. Both parts match `NAME`: whoever makes one has checked that."""

    project: str
    name: str = DEFAULT_DATABASE


@dataclass(frozen=True, slots=True)
class DatabaseInfo:
    """One database of a project, as a listing shows it."""

    name: str
    size_bytes: int


Encoding = Literal["worker", "hrana"]
"""How results are encoded: for the `db` client in workers, or as Hrana's StmtResult (and DescribeResult) in JSON."""


@dataclass(frozen=True, slots=True)
class View:
    """How a caller sees a database. With `admin`, statements and transactions have the operator's deadlines
    (`DbLimits.admin_seconds`) instead of a run's; every other guard stays."""

    encoding: Encoding = "worker"
    admin: bool = False


WORKER: Final = View()


@dataclass(frozen=True, slots=True)
class Result:
    """A result as encoded JSON that only passes through, and what the meter wants to know of it."""

    encoded: msgspec.Raw
    rows: int = 0
    """Rows given back."""
    written: int = 0
    """Rows inserted, updated or deleted."""


class Queries(Protocol):
    """What a database and an open transaction have in common. All raise `BindingError` with SQLite's code words.

    `execute` answers one encoded result, `batch` an encoded list of them. A batch on a database is one transaction and
    leaves nothing behind when a statement fails; in a transaction it runs statement by statement. `describe` compiles a
    statement without running it. An error of a batch has `statement_index` in its details, and every error that
    SQLite gave has `raw_code` (the extended result code).
    """

    async def execute(self, statement: Statement) -> Result: ...
    async def batch(self, statements: list[Statement], mode: Mode) -> Result: ...
    async def script(self, sql: str) -> None: ...
    async def describe(self, sql: str) -> Result: ...


class Transaction(Queries, Protocol):
    """An interactive transaction. `ended` is None while it is open, afterwards the (code, message) for whoever uses it.

    `commit` leaves it ended whatever comes of it; `rollback` of an ended transaction does nothing.
    """

    @property
    def ended(self) -> tuple[str, str] | None: ...
    async def commit(self) -> None: ...
    async def rollback(self) -> None: ...


class Database(Queries, Protocol):
    async def begin(self, mode: Mode) -> Transaction: ...
    async def migrate(self, statements: list[Statement]) -> Result:
        """A batch that writes, with foreign keys off while it runs: what the official client's `migrate` is."""


class Databases(Protocol):
    """All databases of all projects. `open` is cheap and does no I/O; a database comes into being at its first use.

    `names` lists a project's databases by name; the default one is always among them. `create` raises
    `DATABASE_EXISTS`. `delete` ends what is open in the database (`DATABASE_DELETED`) and raises `DATABASE_NOT_FOUND`;
    deleting the default one empties it. `copy` makes `target` a consistent copy of `source`, replacing nothing
    (`DATABASE_EXISTS`). Names that begin with `SCRATCH_PREFIX` are the platform's own: not listed, and gone after a
    restart.
    """

    async def start(self) -> None: ...
    async def stop(self) -> None: ...
    async def health(self) -> None: ...
    def open(self, database: DatabaseId, view: View = WORKER) -> Database: ...
    async def names(self, project: str) -> list[DatabaseInfo]: ...
    async def exists(self, database: DatabaseId) -> bool: ...
    async def create(self, database: DatabaseId) -> None: ...
    async def delete(self, database: DatabaseId) -> None: ...
    async def copy(self, source: DatabaseId, target: DatabaseId) -> None: ...


class Child(Protocol):
    """A started process; `asyncio.subprocess.Process` is one. Several may `wait` at once, and each may be cancelled."""

    @property
    def pid(self) -> int: ...
    def kill(self) -> None: ...
    async def wait(self) -> int: ...


Launch = Callable[[Sequence[str], int | None, Mapping[str, str]], Awaitable[Child]]
"""Starts `argv` with a file descriptor (or nothing) as standard input and exactly the given environment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DbLimits:
    """What one statement, one database and one engine process may use. Cloudflare D1's limits are the yardstick."""

    statement_seconds: float = 5.0
    """One statement, from its start; also how long it waits for the write lock."""
    batch_seconds: float = 30.0
    """All statements of one batch or script together."""
    admin_seconds: float = 600.0
    """One statement, batch or transaction of an operator: a migration may rewrite a large table."""
    lease_seconds: float = 5.0
    """How long a transaction may sit idle before it is rolled back: it may hold the write lock."""
    transaction_seconds: float = 30.0
    """How long a transaction may stay open however busy it is: the default wall time of a run."""
    result_bytes: int = 10_000_000
    """One encoded result (of all statements of a batch together); LibSQL server's own default."""
    value_bytes: int = 10_000_000
    """One string, blob or row (SQLITE_LIMIT_LENGTH): a larger one is built in one step that nothing can interrupt."""
    sql_bytes: int = 1_000_000
    """The text of one statement or script."""
    database_bytes: int = 1_000_000_000
    """One database file."""
    log_bytes: int = 128_000_000
    """The write-ahead log of one database, which grows while a long read keeps it from being emptied. Beyond it nothing
    new is written (`SQLITE_FULL`); what one transaction writes may come on top, and that is no more than the file."""
    heap_bytes: int = 256_000_000
    """SQLite's memory in one engine process, all its databases together: sorters, temporary tables, page caches."""
    batch_statements: int = 1_000
    """Statements in one batch."""
    open_databases: int = 64
    """Databases one engine keeps open; the longest unused is closed for the next."""
    idle_seconds: float = 30.0
    """How long an engine keeps a database open that nobody uses."""
    readers: int = 4
    """Reading connections per database, opened on demand; there is always one writer beside them."""
    queued: int = 1_000
    """Calls waiting for one connection."""
    project_transactions: int = 10
    """Open transactions per project."""
