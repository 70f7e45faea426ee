"""Statements on their way to a LibSQL server and back: guarded, as Hrana's requests, and their answers as results.

Used by one-shot calls and by transactions alike; what a batch is wrapped in, and where it runs, is theirs to say.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeVar

import msgspec

from v8box.bindings.db.hrana import (
    Ask,
    AutocommitAnswer,
    Batch,
    BatchAnswer,
    BatchResult,
    DescribeAnswer,
    Done,
    Execute,
    ExecuteAnswer,
    Failed,
    HranaError,
    Step,
    StepIs,
    StepIsNot,
    Steps,
    Stmt,
    Text,
)
from v8box.bindings.db.interface import DbLimits, Encoding, Result, Statement
from v8box.bindings.db.libsql_errors import UNIQUE_FAILED, from_statement, primary_key, too_large, with_index
from v8box.bindings.db.libsql_guard import Place, judge
from v8box.bindings.db.libsql_values import replication_index, to_description, to_result, to_stmt
from v8box.bindings.interface import BindingError
from v8box.storage.sql import load_queries

QUERIES: Final = load_queries("v8box.bindings.db", "libsql.sql")
Shape = TypeVar("Shape")
_IN_A_THREAD_BYTES: Final = 256 * 1024  # a larger result would hold the event loop up while it is encoded anew
_IN_A_THREAD_CHARACTERS: Final = 16 * 1024  # nor may a longer text while it is judged
_READ_ONLY: Final = "attempt to write a readonly database"


@dataclass(frozen=True, slots=True)
class Prepared:
    """A statement that may run: in the server's encoding, and whether it seems to write."""

    stmt: Stmt
    writes: bool


async def prepare(statement: Statement, place: Place, limits: DbLimits) -> Prepared:
    """Raises `BindingError` for a statement that must not run or does not fit."""
    if len(statement.sql) > _IN_A_THREAD_CHARACTERS:
        return await asyncio.to_thread(_prepare, statement, place, limits)
    return _prepare(statement, place, limits)


async def prepare_all(statements: list[Statement], place: Place, limits: DbLimits) -> list[Prepared]:
    """The statements of a batch; an error has its `statement_index`."""
    if sum(len(statement.sql) for statement in statements) > _IN_A_THREAD_CHARACTERS:
        return await asyncio.to_thread(_prepare_all, statements, place, limits)
    return _prepare_all(statements, place, limits)


async def judge_script(sql: str, place: Place, limits: DbLimits) -> bool:
    """Whether a script, or a statement without arguments, writes. Raises `BindingError` like `prepare`."""
    return (await prepare(Statement(sql), place, limits)).writes


def _prepare(statement: Statement, place: Place, limits: DbLimits) -> Prepared:
    _check_length(statement.sql, limits)
    writes = judge(statement.sql, place)
    args = statement.args
    if args:
        for value in args.values() if isinstance(args, dict) else args:
            _check_value(value, limits)
    return Prepared(to_stmt(statement), writes)


def _prepare_all(statements: list[Statement], place: Place, limits: DbLimits) -> list[Prepared]:
    prepared = []
    for index, statement in enumerate(statements):
        try:
            prepared.append(_prepare(statement, place, limits))
        except BindingError as error:
            raise with_index(error, index) from error
    return prepared


def _check_length(sql: str, limits: DbLimits) -> None:
    if len(sql) > limits.sql_bytes or (not sql.isascii() and len(sql.encode(errors="replace")) > limits.sql_bytes):
        raise _too_big(f"the SQL text is longer than {limits.sql_bytes} bytes")


def refuse_writes(prepared: list[Prepared]) -> None:
    """For transactions of mode `read`: the server's BEGIN READONLY lets writes through."""
    for index, one in enumerate(prepared):
        if one.writes:
            raise BindingError("SQLITE_READONLY", _READ_ONLY, {"raw_code": 8, "statement_index": index})


def in_order(before: list[str], prepared: list[Prepared], after: list[str]) -> Batch:
    """A batch in which each statement runs only if the one before it succeeded."""
    texts = [*(Stmt(sql) for sql in before), *(one.stmt for one in prepared), *(Stmt(sql) for sql in after)]
    steps = [Step(stmt, StepIs(number - 1) if number else None) for number, stmt in enumerate(texts)]
    return Batch(Steps(steps))


async def read_result(
    entry: Done | Failed, prepared: Prepared, encoding: Encoding, limits: DbLimits
) -> tuple[Result, int | None]:
    """The result of one `Execute`, and the replication index that came with it. Raises its `BindingError`."""
    raw = _succeeded(entry, ExecuteAnswer, limits).result
    result, index = await _converted(raw, encoding, writes=prepared.writes)
    if not prepared.writes and len(bytes(result.encoded)) > limits.result_bytes:
        raise too_large(limits.result_bytes)  # a write has happened: better a large answer than a false one
    return result, index


async def read_results(
    entry: Done | Failed, prepared: list[Prepared], encoding: Encoding, limits: DbLimits, *, offset: int
) -> tuple[Result, int | None]:
    """The results of a batch's statements, of which the first is the step `offset`; see `read_result`."""
    batch = _succeeded(entry, BatchAnswer, limits).result
    _check_steps(batch, len(prepared), limits, offset)
    index = int(batch.replication_index) if batch.replication_index is not None else None
    parts: list[bytes] = []
    rows = written = size = 0
    for raw, one in zip(batch.step_results[offset:], prepared, strict=False):
        result, _ = await _converted(raw, encoding, writes=one.writes)
        parts.append(bytes(result.encoded))
        size += len(parts[-1])
        rows += result.rows
        written += result.written
    if size > limits.result_bytes and not any(one.writes for one in prepared):
        raise too_large(limits.result_bytes)
    return Result(msgspec.Raw(b"[" + b",".join(parts) + b"]"), rows, written), index


def read_index(entry: Done | Failed) -> int | None:
    """How far replication had got after an `Execute`; None when it failed or the server does not say."""
    return replication_index(_decode(entry.response, ExecuteAnswer).result) if isinstance(entry, Done) else None


def read_description(entry: Done | Failed, encoding: Encoding, limits: DbLimits) -> Result:
    return to_description(_succeeded(entry, DescribeAnswer, limits).result, encoding)


def read_rows(entry: Done | Failed, limits: DbLimits) -> list[list[object]]:
    """The rows of a query of the platform's own: texts and small integers."""
    raw = _succeeded(entry, ExecuteAnswer, limits).result
    result, _ = to_result(raw, "worker", writes=False)
    rows: list[list[object]] = msgspec.json.decode(result.encoded)["r"]
    return rows


def read_done(entry: Done | Failed, limits: DbLimits) -> None:
    """Raises the entry's `BindingError` if it failed."""
    if isinstance(entry, Failed):
        raise _failed(entry.error, limits)


def in_transaction(entry: Done | Failed) -> bool:
    """What `GetAutocommit` was answered."""
    return isinstance(entry, Done) and not _decode(entry.response, AutocommitAnswer).is_autocommit


def which_key(error: BindingError) -> Execute | None:
    """The query that tells whether a unique constraint's error is about a primary key, which the server keeps to
    itself; None for every other error."""
    if error.code != "SQLITE_CONSTRAINT_UNIQUE":
        return None
    return Execute(Stmt(QUERIES["is_primary_key"], args=[Text(error.message.removeprefix(UNIQUE_FAILED))]))


def with_key(error: BindingError, entry: Done | Failed, limits: DbLimits) -> BindingError:
    """The error under its own code, from what `which_key` was answered."""
    if isinstance(entry, Failed):
        return error  # as far as it is known
    return primary_key(error) if read_rows(entry, limits)[0][0] else error


def which_statement(prepared: list[Prepared]) -> list[Ask]:
    """What to ask when a batch was refused as a whole, before any of it ran, for a statement that cannot be parsed:
    each statement again, under a condition that never holds."""
    never = StepIsNot(StepIs(0))
    return [Batch(Steps([Step(Stmt(QUERIES["probe"])), Step(one.stmt, never)])) for one in prepared]


def with_statement(error: BindingError, entries: list[Done | Failed]) -> BindingError:
    """The error with its statement's place, from what `which_statement` was answered."""
    return with_index(error, next((n for n, entry in enumerate(entries) if isinstance(entry, Failed)), None))


async def _converted(raw: msgspec.Raw, encoding: Encoding, *, writes: bool) -> tuple[Result, int | None]:
    if memoryview(raw).nbytes > _IN_A_THREAD_BYTES:
        return await asyncio.to_thread(partial(to_result, raw, encoding, writes=writes))
    return to_result(raw, encoding, writes=writes)


def _check_steps(batch: BatchResult, statements: int, limits: DbLimits, offset: int) -> None:
    for number, error in enumerate(batch.step_errors):
        if error is not None:
            index = number - offset
            raise _failed(error, limits, index if 0 <= index < statements else None)


def _succeeded(entry: Done | Failed, shape: type[Shape], limits: DbLimits) -> Shape:
    if isinstance(entry, Failed):
        raise _failed(entry.error, limits)
    return _decode(entry.response, shape)


def _failed(error: HranaError, limits: DbLimits, index: int | None = None) -> BindingError:
    return from_statement(error, index=index, result_bytes=limits.result_bytes, database_bytes=limits.database_bytes)


def _decode(raw: msgspec.Raw, shape: type[Shape]) -> Shape:
    try:
        return msgspec.json.decode(raw, type=shape)
    except msgspec.DecodeError as error:
        raise BindingError("DB_UNAVAILABLE", "the LibSQL server gave an answer that is not Hrana's") from error


def _check_value(value: object, limits: DbLimits) -> None:
    size = 0
    if isinstance(value, str):
        size = len(value) if value.isascii() else len(value.encode(errors="replace"))
    elif isinstance(value, dict) and isinstance(value.get("b"), str):
        size = len(value["b"]) * 3 // 4
    if size > limits.value_bytes:
        raise _too_big("string or blob too big")


def _too_big(message: str) -> BindingError:
    return BindingError("SQLITE_TOOBIG", message, {"raw_code": 18})
