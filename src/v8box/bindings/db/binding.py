"""The `db` binding: calls from workers to a backend's databases, and each run's open transactions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any, ClassVar, Final, Literal, TypeVar

import msgspec

from v8box.bindings.db.interface import (
    DEFAULT_DATABASE,
    NAME,
    SCRATCH_PREFIX,
    Database,
    DatabaseId,
    Databases,
    DbLimits,
    Mode,
    Queries,
    Result,
    Statement,
    Transaction,
)
from v8box.bindings.interface import Answer, BindingError, Call, Scope

Shape = TypeVar("Shape")
Admit = Callable[[str], Awaitable[None]]
"""Whether a project may have one database more. Raises what says why not."""
Scalar = None | bool | int | float | str | dict[str, str | int | float]
_Pairs = list[tuple[str, list[Scalar] | dict[str, Scalar] | None]]
_NONE: Final[frozenset[str]] = frozenset()


class _Execute(msgspec.Struct, forbid_unknown_fields=True):
    sql: str
    args: list[Scalar] | dict[str, Scalar] | None = None
    db: str = DEFAULT_DATABASE
    tx: int = 0


class _Batch(msgspec.Struct, forbid_unknown_fields=True):
    statements: _Pairs
    mode: Mode = "deferred"
    db: str = DEFAULT_DATABASE
    tx: int = 0


class _Migrate(msgspec.Struct, forbid_unknown_fields=True):
    statements: _Pairs
    db: str = DEFAULT_DATABASE


class _Begin(msgspec.Struct, forbid_unknown_fields=True):
    mode: Mode = "write"
    db: str = DEFAULT_DATABASE


class _End(msgspec.Struct, forbid_unknown_fields=True):
    tx: int


class _Open:
    """What one run has open: transactions by their number, which only that run can name."""

    __slots__ = ("next_number", "transactions")

    def __init__(self) -> None:
        self.next_number = 1
        self.transactions: dict[int, Transaction] = {}


class DbBinding:
    name: ClassVar[str] = "db"

    def __init__(self, databases: Databases, *, limits: DbLimits | None = None, admit: Admit | None = None) -> None:
        self._databases = databases
        self._limits = limits or DbLimits()
        self._admit = admit
        self._admitted: set[DatabaseId] = set()
        self._runs: dict[Scope, _Open] = {}
        self._held: Counter[str] = Counter()  # open transactions per project

    async def start(self) -> None:
        await self._databases.start()

    async def stop(self) -> None:
        await self._databases.stop()

    async def health(self) -> None:
        await self._databases.health()

    async def call(self, call: Call) -> Answer:
        match call.operation:
            case "execute":
                one = _read(call.args, _Execute)
                return _answer(
                    await (await self._target(call.scope, one.db, one.tx)).execute(Statement(one.sql, one.args))
                )
            case "batch":
                many = _read(call.args, _Batch)
                target = await self._target(call.scope, many.db, many.tx)
                return _answer(await target.batch(self._statements(many.statements), many.mode))
            case "migrate":
                steps = _read(call.args, _Migrate)
                database = await self._database(call.scope, steps.db)
                return _answer(await database.migrate(self._statements(steps.statements)))
            case "executeMultiple":
                script = _read(call.args, _Execute)
                await (await self._target(call.scope, script.db, script.tx)).script(script.sql)
                return Answer()
            case "begin":
                begin = _read(call.args, _Begin)
                return Answer(await self._begin(call.scope, begin.db, begin.mode))
            case "commit" | "rollback" as operation:
                await self._end(call.scope, _read(call.args, _End).tx, operation)
                return Answer()
            case unknown:
                raise BindingError("UNKNOWN_OPERATION", f"db has no operation {unknown[:40]!r}")

    def keeps(self, scope: Scope) -> bool:
        return scope in self._runs

    async def end_run(self, scope: Scope) -> None:
        """Rolls back what the run left open."""
        opened = self._runs.pop(scope, None)
        if opened is None:
            return
        for transaction in opened.transactions.values():
            self._release(scope.project)
            try:
                await transaction.rollback()
            except BindingError:
                continue  # its engine died and took the transaction along

    async def _database(self, scope: Scope, name: str) -> Database:
        if not NAME.fullmatch(name):
            raise BindingError("DATABASE_NAME_INVALID", "a database name has 1 to 63 of a-z, 0-9, - and _")
        if name != DEFAULT_DATABASE and (name not in scope.grants.get("db", _NONE) or name.startswith(SCRATCH_PREFIX)):
            raise BindingError(
                "DATABASE_NOT_GRANTED",
                f"this worker may not use the database {name}: add it to permissions.databases in its v8box.toml",
            )
        if not NAME.fullmatch(scope.project):
            raise BindingError("DATABASE_NAME_INVALID", "the project's name cannot name databases")
        database = DatabaseId(scope.project, name)
        if name != DEFAULT_DATABASE and self._admit is not None and database not in self._admitted:
            # Opening makes it. Grants come from deployed manifests, so this does not grow by what callers send.
            if not await self._databases.exists(database):
                await self._admit(scope.project)
            self._admitted.add(database)
        return self._databases.open(database)

    def _statements(self, pairs: _Pairs) -> list[Statement]:
        if len(pairs) > self._limits.batch_statements:
            raise BindingError("BATCH_TOO_LARGE", f"a batch may have {self._limits.batch_statements} statements")
        return [Statement(*pair) for pair in pairs]

    async def _target(self, scope: Scope, database: str, transaction: int) -> Queries:
        return self._transaction(scope, transaction) if transaction else await self._database(scope, database)

    def _transaction(self, scope: Scope, number: int) -> Transaction:
        opened = self._runs.get(scope)
        transaction = opened.transactions.get(number) if opened else None
        if transaction is None:
            raise BindingError("TRANSACTION_CLOSED", "the transaction is closed")
        return transaction

    async def _begin(self, scope: Scope, name: str, mode: Mode) -> int:
        database = await self._database(scope, name)
        self._forget_ended(scope)
        if self._held[scope.project] >= self._limits.project_transactions:
            most = self._limits.project_transactions
            raise BindingError("TOO_MANY_TRANSACTIONS", f"a project may have {most} transactions open")
        self._held[scope.project] += 1  # before the wait, so that many at once cannot slip past
        try:
            transaction = await database.begin(mode)
        except BaseException:
            self._release(scope.project)
            raise
        opened = self._runs.setdefault(scope, _Open())
        number = opened.next_number
        opened.next_number += 1
        opened.transactions[number] = transaction
        return number

    async def _end(self, scope: Scope, number: int, operation: Literal["commit", "rollback"]) -> None:
        transaction = self._transaction(scope, number)
        try:
            await (transaction.commit() if operation == "commit" else transaction.rollback())
        finally:
            if transaction.ended is not None:
                self._drop(scope, number)

    def _forget_ended(self, scope: Scope) -> None:
        """What timed out or died no longer counts; a later use of it still hears why, while the run lives."""
        opened = self._runs.get(scope)
        for number, transaction in list(opened.transactions.items()) if opened else []:
            if transaction.ended is not None:
                self._drop(scope, number)

    def _drop(self, scope: Scope, number: int) -> None:
        opened = self._runs.get(scope)
        if opened is not None and opened.transactions.pop(number, None) is not None:
            self._release(scope.project)

    def _release(self, project: str) -> None:
        self._held[project] -= 1
        if not self._held[project]:
            del self._held[project]


def _answer(result: Result) -> Answer:
    return Answer(result.encoded, rows=result.rows, written=result.written)


def _read(args: Any, shape: type[Shape]) -> Shape:
    """The call's arguments. Only a client that is not ours sends others."""
    try:
        return msgspec.convert(args, shape)
    except msgspec.ValidationError as error:
        raise BindingError("ARGS_INVALID", str(error)) from error
