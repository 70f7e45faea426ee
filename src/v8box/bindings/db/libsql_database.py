"""A handle on one database of a LibSQL server: one-shot calls, each on a stream of its own that is closed with it.

Reads go to a replica where one will do. Writes wait for each other on this node, not on the server.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import msgspec

from v8box.bindings.db.hrana import Ask, Close, Describe, Execute, Failed, Sequence, Stmt
from v8box.bindings.db.interface import DbLimits, Mode, Result, Statement, View
from v8box.bindings.db.libsql_guard import Place
from v8box.bindings.db.libsql_namespace import Namespace
from v8box.bindings.db.libsql_statements import (
    QUERIES,
    Prepared,
    in_order,
    judge_script,
    prepare,
    prepare_all,
    read_description,
    read_done,
    read_index,
    read_result,
    read_results,
    refuse_writes,
    which_key,
    which_statement,
    with_key,
    with_statement,
)
from v8box.bindings.db.libsql_transaction import LibsqlTransaction
from v8box.bindings.interface import BindingError

BEGIN: Final[dict[Mode, str]] = {"write": "BEGIN IMMEDIATE", "read": "BEGIN DEFERRED", "deferred": "BEGIN DEFERRED"}
_EMPTY: Final = Result(msgspec.Raw(b"[]"))


@dataclass(frozen=True, slots=True)
class Seconds:
    """How long things may take for one kind of caller."""

    statement: float
    batch: float
    transaction: float

    @classmethod
    def of(cls, limits: DbLimits, view: View) -> Seconds:
        if view.admin:
            return cls(limits.admin_seconds, limits.admin_seconds, limits.admin_seconds)
        return cls(limits.statement_seconds, limits.batch_seconds, limits.transaction_seconds)

    def for_batch(self, statements: int) -> float:
        """The server runs a batch in one go, so its statements share the sum of their times."""
        return min(self.batch, self.statement * statements)


class LibsqlDatabase:
    """See `interface.Database`."""

    __slots__ = ("_encoding", "_limits", "_namespace", "_seconds")

    def __init__(self, namespace: Namespace, view: View) -> None:
        self._namespace = namespace
        self._limits = namespace.limits
        self._encoding = view.encoding
        self._seconds = Seconds.of(namespace.limits, view)

    async def execute(self, statement: Statement) -> Result:
        namespace = self._namespace
        prepared = await prepare(statement, Place.STATEMENT, self._limits)
        if not prepared.writes:
            answer = await namespace.read_one(Execute(prepared.stmt), self._seconds.statement)
            return (await read_result(answer.results[0], prepared, self._encoding, self._limits))[0]
        async with namespace.write_lock().entered(self._seconds.statement):
            answer = await namespace.ask([Execute(prepared.stmt), Close()], seconds=self._seconds.statement)
        try:
            result, index = await read_result(answer.results[0], prepared, self._encoding, self._limits)
        except BindingError as error:
            raise await self._told(error) from error
        namespace.wrote(index)
        return result

    async def batch(self, statements: list[Statement], mode: Mode) -> Result:
        if not statements:
            return _EMPTY
        prepared = await prepare_all(statements, Place.STATEMENT, self._limits)
        if mode == "read":
            refuse_writes(prepared)
        return await self._batch([BEGIN[mode]], prepared, locks=mode == "write")

    async def migrate(self, statements: list[Statement]) -> Result:
        if not statements:
            return _EMPTY
        prepared = await prepare_all(statements, Place.STATEMENT, self._limits)
        return await self._batch(["PRAGMA foreign_keys=OFF", BEGIN["write"]], prepared, locks=True)

    async def script(self, sql: str) -> None:
        namespace = self._namespace
        writes = await judge_script(sql, Place.SCRIPT, self._limits)
        # What is left open is rolled back with the stream; the query after it tells how far replication has got.
        requests: list[Ask] = [Sequence(sql), Execute(Stmt(QUERIES["probe"]))]
        if not writes:
            answer = await namespace.read(requests, self._seconds.batch)
            return read_done(answer.results[0], self._limits)
        async with namespace.write_lock().entered(self._seconds.statement):
            answer = await namespace.ask([*requests, Close()], seconds=self._seconds.batch)
        namespace.wrote(read_index(answer.results[1]))
        try:
            read_done(answer.results[0], self._limits)
        except BindingError as error:
            raise await self._told(error) from error

    async def describe(self, sql: str) -> Result:
        await judge_script(sql, Place.STATEMENT, self._limits)
        answer = await self._namespace.read([Describe(sql)], self._seconds.statement)
        return read_description(answer.results[0], self._encoding, self._limits)

    async def begin(self, mode: Mode) -> LibsqlTransaction:
        transaction = LibsqlTransaction(
            self._namespace,
            mode,
            encoding=self._encoding,
            statement_seconds=self._seconds.statement,
            batch_seconds=self._seconds.batch,
            transaction_seconds=self._seconds.transaction,
        )
        await transaction.begin(BEGIN[mode])
        return transaction

    async def _batch(self, before: list[str], prepared: list[Prepared], *, locks: bool) -> Result:
        namespace = self._namespace
        requests: list[Ask] = [in_order(before, prepared, ["COMMIT"])]
        seconds = self._seconds.for_batch(len(prepared))
        writes = locks or any(one.writes for one in prepared)
        if writes:
            async with namespace.write_lock().entered(self._seconds.statement):
                answer = await namespace.ask([*requests, Close()], seconds=seconds)
        else:
            answer = await namespace.read(requests, seconds)
        try:
            result, index = await read_results(
                answer.results[0], prepared, self._encoding, self._limits, offset=len(before)
            )
        except BindingError as error:
            if isinstance(answer.results[0], Failed):
                raise await self._placed(error, prepared) from error
            raise await self._told(error) from error
        if writes:
            namespace.wrote(index)
        return result

    async def _placed(self, error: BindingError, prepared: list[Prepared]) -> BindingError:
        """The error with the place of the statement for which the whole batch was refused."""
        requests = [*which_statement(prepared), Close()]
        try:
            answer = await self._namespace.ask(requests, seconds=self._seconds.statement, reads=True)
        except BindingError:
            return error  # as far as it is known
        return with_statement(error, answer.results)

    async def _told(self, error: BindingError) -> BindingError:
        """The error with the extended code that the server keeps to itself."""
        query = which_key(error)
        if query is None:
            return error
        try:
            answer = await self._namespace.ask([query, Close()], seconds=self._seconds.statement, reads=True)
        except BindingError:
            return error  # as far as it is known
        return with_key(error, answer.results[0], self._limits)
