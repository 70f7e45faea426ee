"""One SQL stream: a client's view of a connection, built on a database that hands out transactions.

Between BEGIN and COMMIT statements run in a transaction of the port, with its lease and limits; otherwise each is its
own transaction. A transaction that ended by itself (its lease ran out, the disk was full, the engine died) fails every
further statement until the client rolls back or begins anew: none of them may run outside of the transaction unnoticed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any, Final

from v8box.bindings.db.interface import Database, Mode, Queries, Result, Statement, Transaction
from v8box.bindings.interface import BindingError
from v8box.features.hrana import protocol
from v8box.features.hrana.control import Control, Piece, control_of, foreign_keys_of, may_control, pieces
from v8box.features.hrana.limits import HranaLimits
from v8box.features.hrana.migration import script_of
from v8box.features.hrana.protocol import Batch, Condition, OnStream, Stmt
from v8box.features.hrana.texts import Texts

_THREAD_CHARACTERS: Final = 50_000  # a longer script is taken apart beside the loop: some 0.4 s for a megabyte
_NO_TRANSACTION: Final = "no transaction is active"


@dataclass(slots=True)
class Allowance:
    """What is left of the limits of one pipeline, cursor or WebSocket request."""

    steps: int
    response_bytes: int

    def spend_step(self) -> None:
        """Before a statement runs; raises `BindingError` when it must not."""
        if self.steps <= 0:
            raise BindingError("BATCH_TOO_LARGE", "too many statements in one request: send several")
        if self.response_bytes <= 0:
            raise BindingError("RESPONSE_TOO_LARGE", "the answer is too large already: select less, or page")
        self.steps -= 1


class Transactions:
    """The transactions that clients from outside have open, counted per project."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._held: dict[str, set[Stream]] = {}

    def take(self, project: str, stream: Stream) -> None:
        held = self._held.setdefault(project, set())
        if len(held) >= self._most:
            held -= {each for each in held if each.autocommit}  # those that ended by themselves
        if len(held) >= self._most:
            raise BindingError("TOO_MANY_TRANSACTIONS", f"a project may have {self._most} transactions open")
        held.add(stream)

    def release(self, project: str, stream: Stream) -> None:
        held = self._held.get(project)
        if held is not None:
            held.discard(stream)
            if not held:
                del self._held[project]


class Stream:
    """Used by one request at a time; whoever owns it sees to that, and calls `close` at its end."""

    def __init__(
        self, database: Database, project: str, transactions: Transactions, limits: HranaLimits, *, read_only: bool
    ) -> None:
        self._database = database
        self._project = project
        self._transactions = transactions
        self._limits = limits
        self._read_only = read_only
        self._transaction: Transaction | None = None
        self._beginning = False

    @property
    def autocommit(self) -> bool:
        """Whether no transaction is open."""
        return not self._beginning and (self._transaction is None or self._transaction.ended is not None)

    async def close(self) -> None:
        """Rolls back what is open. Never raises `BindingError`."""
        transaction, self._transaction = self._transaction, None
        try:
            if transaction is not None:
                await transaction.rollback()
        except BindingError:
            return  # its engine died and took the transaction along
        finally:
            self._transactions.release(self._project, self)

    async def respond(self, request: OnStream, texts: Texts, allowance: Allowance) -> bytes:
        """The encoded response to one request. Raises `BindingError`."""
        match request:
            case protocol.Execute():
                allowance.spend_step()
                result = await self._execute(request.stmt, texts)
                allowance.response_bytes -= len(result)
                return b'{"type":"execute","result":%b}' % result
            case protocol.RunBatch():
                return b'{"type":"batch","result":%b}' % await self._batch(request.batch, texts, allowance)
            case protocol.Sequence_():
                await self._sequence(texts.find(request.sql, request.sql_id))
                return b'{"type":"sequence"}'
            case protocol.Describe():
                sql = texts.find(request.sql, request.sql_id)
                result = bytes((await self._open_transaction_or_database().describe(sql)).encoded)
                allowance.response_bytes -= len(result)
                return b'{"type":"describe","result":%b}' % result
            case protocol.StoreSql():
                texts.store(request.sql_id, request.sql)
                return b'{"type":"store_sql"}'
            case protocol.CloseSql():
                texts.drop(request.sql_id)
                return b'{"type":"close_sql"}'
            case protocol.GetAutocommit():
                return b'{"type":"get_autocommit","is_autocommit":%b}' % (b"true" if self.autocommit else b"false")

    # ---- statements

    async def _execute(self, stmt: Stmt, texts: Texts) -> bytes:
        sql = texts.find(stmt.sql, stmt.sql_id)
        control = control_of(sql)
        if control is not None:
            await self._control(control)
            return protocol.EMPTY_RESULT
        result = await self._run(Statement(sql, protocol.arguments(stmt)))
        if stmt.want_rows is False and result.rows:
            return protocol.without_rows(result.encoded)
        return bytes(result.encoded)

    async def _run(self, statement: Statement) -> Result:
        target = self._open_transaction_or_database()
        if target is not self._database or not self._read_only:
            return await target.execute(statement)
        many = await target.batch([statement], "read")  # the engine refuses what writes
        encoded = bytes(many.encoded)
        return Result(protocol.raw(encoded[1:-1]), many.rows, many.written)

    def _open_transaction_or_database(self) -> Queries:
        transaction = self._transaction
        if transaction is None:
            return self._database
        if transaction.ended is not None:
            raise BindingError(*transaction.ended)
        return transaction

    async def _control(self, control: Control) -> None:
        if control.mode is not None:
            await self._begin(control.mode)
        elif control.kind == "commit":
            if self._transaction is None:
                raise BindingError("SQLITE_ERROR", f"cannot commit - {_NO_TRANSACTION}")
            if self._transaction.ended is not None:
                raise BindingError(*self._transaction.ended)
            # It stays, ended, when this fails: what follows in good faith must not run outside of it.
            await self._transaction.commit()
            self._forget_transaction()
        else:
            if self._transaction is None:
                raise BindingError("SQLITE_ERROR", f"cannot rollback - {_NO_TRANSACTION}")
            try:
                await self._transaction.rollback()
            finally:
                self._forget_transaction()

    async def _begin(self, mode: Mode) -> None:
        if not self.autocommit:
            raise BindingError("SQLITE_ERROR", "cannot start a transaction within a transaction")
        self._forget_transaction()
        if self._read_only:
            if mode == "write":
                raise _may_only_read()
            mode = "read"
        self._transactions.take(self._project, self)
        self._beginning = True
        try:
            self._transaction = await self._database.begin(mode)
        finally:
            self._beginning = False
            if self._transaction is None:
                self._transactions.release(self._project, self)

    def _forget_transaction(self) -> None:
        self._transaction = None
        self._transactions.release(self._project, self)

    # ---- batches

    async def _batch(self, batch: Batch, texts: Texts, allowance: Allowance) -> bytes:
        results = [protocol.NULL] * len(batch.steps)
        errors = [protocol.NULL] * len(batch.steps)
        async for number, result in self.steps(batch, texts, allowance):
            if isinstance(result, BindingError):
                errors[number] = protocol.error_body(result.code, result.message)
            else:
                results[number] = result
        return protocol.batch_result(results, errors)

    async def steps(
        self, batch: Batch, texts: Texts, allowance: Allowance
    ) -> AsyncGenerator[tuple[int, bytes | BindingError], None]:
        """Runs the steps whose conditions hold; gives each one's number and its result or error."""
        if len(batch.steps) > self._limits.steps:
            raise BindingError("BATCH_TOO_LARGE", f"a batch may have {self._limits.steps} steps")
        for number, step in enumerate(batch.steps):
            if step.condition is not None:
                self._check(step.condition, number, 1)
        if batch.steps and self.autocommit and self._switches_foreign_keys_off(batch, texts):
            async for done in self._migrate(batch, texts, allowance):
                yield done
            return
        outcomes: list[bool | None] = []  # of a step: whether it went well, None when it was skipped
        for number, step in enumerate(batch.steps):
            if step.condition is not None and not self._holds(step.condition, outcomes):
                outcomes.append(None)
                continue
            try:
                allowance.spend_step()
                result = await self._execute(step.stmt, texts)
            except BindingError as error:
                outcomes.append(False)
                yield number, error
            else:
                outcomes.append(True)
                allowance.response_bytes -= len(result)
                yield number, result

    def _check(self, condition: Condition, step: int, depth: int) -> None:
        """Raises `BindingError` for a condition that looks ahead or nests too deeply."""
        if depth > self._limits.condition_depth:
            raise BindingError(protocol.PROTOCOL_ERROR, "the conditions of a step are nested too deeply")
        match condition:
            case protocol.IfOk() | protocol.IfError():
                if not 0 <= condition.step < step:
                    raise BindingError(protocol.PROTOCOL_ERROR, "a condition refers to a step that is not before it")
            case protocol.IfNot():
                self._check(condition.cond, step, depth + 1)
            case protocol.IfAll() | protocol.IfAny():
                for each in condition.conds:
                    self._check(each, step, depth + 1)

    def _holds(self, condition: Condition, outcomes: list[bool | None]) -> bool:
        match condition:
            case protocol.IfOk():
                return outcomes[condition.step] is True
            case protocol.IfError():
                return outcomes[condition.step] is False
            case protocol.IfNot():
                return not self._holds(condition.cond, outcomes)
            case protocol.IfAll():
                return all(self._holds(each, outcomes) for each in condition.conds)
            case protocol.IfAny():
                return any(self._holds(each, outcomes) for each in condition.conds)
            case protocol.IfAutocommit():
                return self.autocommit

    def _switches_foreign_keys_off(self, batch: Batch, texts: Texts) -> bool:
        first = batch.steps[0].stmt
        return foreign_keys_of(texts.find(first.sql, first.sql_id)) is False

    async def _migrate(
        self, batch: Batch, texts: Texts, allowance: Allowance
    ) -> AsyncGenerator[tuple[int, bytes | BindingError], None]:
        if self._read_only:
            raise _may_only_read()
        sql = [texts.find(step.stmt.sql, step.stmt.sql_id) for step in batch.steps]
        args: list[Any] = [protocol.arguments(step.stmt) for step in batch.steps]
        script = script_of(batch.steps, sql, args)
        rollback = len(batch.steps) - 2
        begin = 1
        try:
            allowance.spend_step()
            await self._database.script(script)
        except BindingError as error:
            # Which statement it was, a script does not tell. The client looks at BEGIN first.
            yield begin, error
            return
        for number in range(len(batch.steps)):
            if number != rollback:
                yield number, protocol.EMPTY_RESULT

    # ---- scripts

    async def _sequence(self, sql: str) -> None:
        """Statements in order, up to the first that fails; their rows are dropped."""
        if not may_control(sql):
            await self._script(sql)
            return
        parts = await asyncio.to_thread(_taken_apart, sql) if len(sql) > _THREAD_CHARACTERS else _taken_apart(sql)
        if self.autocommit and not self._read_only and _ends_outside(parts):
            self._open_transaction_or_database()
            await self._script(sql)  # whole: it may switch foreign keys off around its transaction
            return
        waiting: list[str] = []
        for part in parts:
            if part.control is None:
                waiting.append(part.sql)
                continue
            if waiting:
                await self._script("".join(waiting))
                waiting.clear()
            await self._control(part.control)
        if waiting:
            await self._script("".join(waiting))

    async def _script(self, sql: str) -> None:
        target = self._open_transaction_or_database()
        if target is not self._database or not self._read_only:
            await target.script(sql)
            return
        await self._begin("read")
        try:
            await self._open_transaction_or_database().script(sql)
        finally:
            await self.close()


def _may_only_read() -> BindingError:
    return BindingError("SQLITE_READONLY", "this token may only read: make one with write access")


def _taken_apart(sql: str) -> list[Piece]:
    return list(pieces(sql))


def _ends_outside(parts: list[Piece]) -> bool:
    """Whether a script that begins outside of a transaction ends outside of one."""
    inside = False
    for part in parts:
        if part.control is not None:
            inside = part.control.kind == "begin"
    return not inside
