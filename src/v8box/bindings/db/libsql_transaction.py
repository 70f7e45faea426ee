"""An interactive transaction on a LibSQL server: a Hrana stream that lives from answer to answer by its baton.

The server ends a stream whose connection is lost while a request runs, and one that was idle for ten seconds. So a
statement that is stopped, at its deadline or with its run, takes its transaction along.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Final

import msgspec

from v8box.bindings.db.hrana import Ask, Close, Describe, Execute, Failed, GetAutocommit, PipelineAnswer, Sequence, Stmt
from v8box.bindings.db.interface import Encoding, Mode, Result, Statement
from v8box.bindings.db.libsql_admission import Gate
from v8box.bindings.db.libsql_errors import stream_is_lost
from v8box.bindings.db.libsql_guard import Place
from v8box.bindings.db.libsql_keys import Access
from v8box.bindings.db.libsql_namespace import Namespace
from v8box.bindings.db.libsql_statements import (
    Prepared,
    in_order,
    in_transaction,
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
from v8box.bindings.interface import BindingError

_CLOSED: Final = ("TRANSACTION_CLOSED", "the transaction is closed")
_LOST: Final = "the server has dropped the transaction: it was restarted, or the transaction sat idle for too long"
_EMPTY: Final = Result(msgspec.Raw(b"[]"))


class LibsqlTransaction:
    """See `interface.Transaction`. Calls that come at once are done one after the other."""

    def __init__(
        self,
        namespace: Namespace,
        mode: Mode,
        *,
        encoding: Encoding,
        statement_seconds: float,
        batch_seconds: float,
        transaction_seconds: float,
    ) -> None:
        self._namespace = namespace
        self._limits = namespace.limits
        self._mode: Mode = mode
        self._encoding: Encoding = encoding
        self._statement_seconds = statement_seconds
        self._batch_seconds = batch_seconds
        self._transaction_seconds = transaction_seconds
        self._loop = asyncio.get_running_loop()
        self._turn = asyncio.Lock()
        self._baton: str | None = None
        self._lock: Gate | None = None  # the write lock, once it is held
        self._lease: asyncio.TimerHandle | None = None
        self._last = 0.0  # when it may not stay open any longer
        self._ended: tuple[str, str] | None = None
        self._wrote = False

    @property
    def ended(self) -> tuple[str, str] | None:
        return self._ended

    async def begin(self, sql: str) -> None:
        """Opens it. Raises `BindingError`, and leaves nothing behind when it does, or is cancelled."""
        slots = self._namespace.backend.transactions
        await slots.enter()
        try:
            if self._mode == "write":
                await self._take_lock()
            answer = await self._namespace.ask(
                [Execute(Stmt(sql))], seconds=self._statement_seconds, access=self._access()
            )
            read_done(answer.results[0], self._limits)
        except BaseException:
            self._give_lock()
            slots.leave()
            raise
        self._baton = answer.baton
        self._last = self._loop.time() + self._transaction_seconds
        self._namespace.transactions.add(self)
        self._start_lease()

    async def execute(self, statement: Statement) -> Result:
        prepared = await prepare(statement, Place.TRANSACTION, self._limits)
        async with self._turn:
            await self._admit([prepared])
            answer = await self._ask([Execute(prepared.stmt)], self._statement_seconds)
            try:
                result, _ = await read_result(answer.results[0], prepared, self._encoding, self._limits)
            except BindingError as error:
                raise await self._told(error) from error
            return result

    async def batch(self, statements: list[Statement], mode: Mode) -> Result:
        prepared = await prepare_all(statements, Place.TRANSACTION, self._limits)
        async with self._turn:
            await self._admit(prepared)
            if not prepared:
                return _EMPTY
            seconds = min(self._batch_seconds, self._statement_seconds * len(prepared))
            answer = await self._ask([in_order([], prepared, [])], seconds)
            try:
                result, _ = await read_results(answer.results[0], prepared, self._encoding, self._limits, offset=0)
            except BindingError as error:
                if isinstance(answer.results[0], Failed):
                    raise await self._placed(error, prepared) from error
                raise await self._told(error) from error
            return result

    async def script(self, sql: str) -> None:
        writes = await judge_script(sql, Place.SCRIPT_INSIDE, self._limits)
        async with self._turn:
            await self._admit([Prepared(Stmt(sql), writes)])
            answer = await self._ask([Sequence(sql)], self._batch_seconds)
            try:
                read_done(answer.results[0], self._limits)
            except BindingError as error:
                raise await self._told(error) from error

    async def describe(self, sql: str) -> Result:
        await judge_script(sql, Place.TRANSACTION, self._limits)
        async with self._turn:
            await self._admit([])
            answer = await self._ask([Describe(sql)], self._statement_seconds)
            return read_description(answer.results[0], self._encoding, self._limits)

    async def commit(self) -> None:
        async with self._turn:
            await self._admit([])
            self._stop_lease()
            try:
                answer = await self._namespace.ask(
                    [Execute(Stmt("COMMIT")), Close()], seconds=self._statement_seconds, baton=self._baton
                )
                if self._wrote:
                    self._namespace.wrote(read_index(answer.results[0]))
                read_done(answer.results[0], self._limits)
            except BindingError as error:
                self._finish(*_CLOSED)
                raise self._as_lost(error) from error
            except BaseException:
                self._abandon(*_CLOSED)
                raise
            self._finish(*_CLOSED)

    async def rollback(self) -> None:
        async with self._turn:
            if self._ended is None:
                await asyncio.shield(self._abandon(*_CLOSED))

    def end_with(self, code: str, message: str) -> None:
        """Its database is gone: whoever uses it hears this, and the server has dropped it by itself."""
        self._finish(code, message)

    async def _admit(self, prepared: list[Prepared]) -> None:
        """Before every request: that it is open, may write if it is about to, and has the write lock for it."""
        if self._ended is None and self._loop.time() > self._last:
            await self._expire("stay open", self._transaction_seconds)
        if self._ended is not None:
            raise BindingError(*self._ended)
        if self._mode == "read":
            refuse_writes(prepared)
        elif any(one.writes for one in prepared):
            if self._lock is None:
                self._stop_lease()
                try:
                    await self._take_lock()
                finally:
                    self._start_lease()
            self._wrote = True

    async def _ask(self, requests: list[Ask], seconds: float) -> PipelineAnswer:
        self._stop_lease()
        try:
            answer = await self._namespace.ask(
                [*requests, GetAutocommit()], seconds=seconds, baton=self._baton, access=self._access()
            )
        except BindingError as error:
            told = self._as_lost(error)
            self._finish("TRANSACTION_CLOSED", f"rolled back: {told.message}")
            raise told from error
        except BaseException:
            self._abandon("TRANSACTION_CLOSED", "rolled back: a statement was stopped because its run ended")
            raise
        self._baton = answer.baton
        if self._ended is not None:
            raise BindingError(*self._ended)  # the database was deleted under it
        if answer.baton is None or not in_transaction(answer.results[-1]):
            self._finish(*_CLOSED)  # SQLite gave it up: disk full, ON CONFLICT ROLLBACK
        else:
            self._start_lease()
        return answer

    async def _told(self, error: BindingError) -> BindingError:
        """The error with the extended code that the server keeps to itself; asked within, where the schema is ours."""
        if error.code == "TRANSACTION_TIMEOUT":  # another node waited for the write lock, and the server gave it away
            self._finish(error.code, f"rolled back: {error.message}")
            return error
        query = which_key(error)
        if query is None or self._ended is not None:
            return error
        try:
            answer = await self._ask([query], self._statement_seconds)
        except BindingError:
            return error  # as far as it is known
        return with_key(error, answer.results[0], self._limits)

    async def _placed(self, error: BindingError, prepared: list[Prepared]) -> BindingError:
        """The error with the place of the statement for which the whole batch was refused."""
        if self._ended is not None:
            return error
        try:
            answer = await self._ask(which_statement(prepared), self._statement_seconds)
        except BindingError:
            return error  # as far as it is known
        return with_statement(error, answer.results)

    def _as_lost(self, error: BindingError) -> BindingError:
        """What a baton that the server does not know any more means."""
        return BindingError("TRANSACTION_CLOSED", _LOST) if stream_is_lost(error) else error

    def _access(self) -> Access:
        return "ro" if self._mode == "read" else "rw"

    async def _take_lock(self) -> None:
        lock = self._namespace.write_lock()
        await lock.enter(self._statement_seconds)
        if self._ended is not None:  # while it waited
            lock.leave()
            raise BindingError(*self._ended)
        self._lock = lock

    def _give_lock(self) -> None:
        lock, self._lock = self._lock, None
        if lock is not None:
            lock.leave()

    def _start_lease(self) -> None:
        if self._ended is not None:
            return
        now = self._loop.time()
        idle_until = now + self._limits.lease_seconds
        what, seconds = "sit idle", self._limits.lease_seconds
        if idle_until > self._last:
            what, seconds = "stay open", self._transaction_seconds
        self._lease = self._loop.call_at(min(idle_until, self._last), self._lease_over, what, seconds)

    def _stop_lease(self) -> None:
        lease, self._lease = self._lease, None
        if lease is not None:
            lease.cancel()

    def _lease_over(self, what: str, seconds: float) -> None:
        self._lease = None
        if self._ended is None:
            closing = self._expire(what, seconds)
            self._namespace.backend.tasks.add(closing, "expire-libsql-transaction")

    def _expire(self, what: str, seconds: float) -> Coroutine[Any, Any, None]:
        """Over from this moment; what is returned rolls it back."""
        self._ended = ("TRANSACTION_TIMEOUT", f"rolled back: a transaction may {what} for {seconds:g} s")
        return self._close(*self._ended)

    def _abandon(self, code: str, message: str) -> asyncio.Task[None]:
        """Over from this moment; the task tells the server. A request that is cancelled while it waits for its turn was
        never sent, so hanging up has not ended the stream, and with it the write lock."""
        self._ended = self._ended or (code, message)
        return self._namespace.backend.tasks.add(self._close(*self._ended), "close-libsql-transaction")

    async def _close(self, code: str, message: str) -> None:
        """Rolls back. That the server cannot be reached changes nothing: it ends the stream by itself."""
        self._ended = (code, message)  # from now on, while the write lock is held until the server has let go
        self._stop_lease()
        try:
            await self._namespace.ask([Close()], seconds=self._statement_seconds, baton=self._baton)
        except BindingError:
            return
        finally:
            self._finish(code, message)

    def _finish(self, code: str, message: str) -> None:
        """It is over: nothing of it is left on this node. The first reason stays."""
        self._stop_lease()
        self._ended = self._ended or (code, message)
        if self in self._namespace.transactions:
            self._namespace.transactions.discard(self)
            self._namespace.backend.transactions.leave()
        self._give_lock()
