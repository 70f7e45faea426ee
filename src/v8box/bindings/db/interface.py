"""What a backend of the `db` binding must do: run statements on a project's databases and hold transactions.

Two are meant: SQLite files in engine processes (`embedded.py`) and a LibSQL server. Results come back as encoded JSON,
so that the gateway never decodes a row: see `values.py` for the encoding.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol

import msgspec

DEFAULT_DATABASE: Final = "default"
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


class Queries(Protocol):
    """What a database and an open transaction have in common. All raise `BindingError` with SQLite's code words.

    `execute` answers one encoded result, `batch` an encoded list of them. A batch on a database is one transaction and
    leaves nothing behind when a statement fails; in a transaction it runs statement by statement.
    """

    async def execute(self, statement: Statement) -> msgspec.Raw: ...
    async def batch(self, statements: list[Statement], mode: Mode) -> msgspec.Raw: ...
    async def script(self, sql: str) -> None: ...


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


class Databases(Protocol):
    """All databases of all projects. `open` is cheap and does no I/O; a database comes into being at its first use."""

    async def start(self) -> None: ...
    async def stop(self) -> None: ...
    async def health(self) -> None: ...
    def open(self, database: DatabaseId) -> Database: ...


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
    heap_bytes: int = 256_000_000
    """SQLite's memory in one engine process, all its databases together: sorters, temporary tables, page caches."""
    batch_statements: int = 1_000
    """Statements in one batch."""
    open_databases: int = 64
    """Databases one engine keeps open; the longest unused is closed for the next."""
    readers: int = 4
    """Reading connections per database, opened on demand; there is always one writer beside them."""
    queued: int = 1_000
    """Calls waiting for one connection."""
    project_transactions: int = 10
    """Open transactions per project."""
