"""One guarded connection and the running of statements on it: results, deadlines, cancelling, SQLite's errors in words.

Used by one thread at a time. Knows nothing of queues, transactions' leases or frames.
"""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

import apsw

from v8box.bindings.db import stmt_result, values
from v8box.bindings.db.guard import Guard, Rules, connect
from v8box.bindings.db.interface import DbLimits, Mode, Statement
from v8box.bindings.db.values import BadArgument, Columns, ResultTooLarge, bindings, encode_rows

_BLANK: Final = re.compile(r"(?:\s|;|--[^\n]*+(?:\n|\Z)|/\*.*?(?:\*/|\Z))*+", re.DOTALL)
_STEPS: Final = 5_000  # virtual machine steps between two looks at the clock: some 0.1 ms of work
_BUSY_SECONDS: Final = 0.002  # between two tries for the write lock
_CHECKPOINT_PAGES: Final = 1_000  # of the log: SQLite's own default
_LONG_LOG_PAGES: Final = 4_000
_CHECKPOINT_SECONDS: Final = 0.1
_SLOW_SECONDS: Final = 0.001  # from then on nothing else should have to wait for a statement
_ANY_ARGUMENTS: Final[Any] = apsw._null_bindings  # type: ignore[attr-defined]  # apsw.ext.query_info's own way
_BEGIN: Final[dict[Mode, str]] = {"write": "BEGIN IMMEDIATE", "read": "BEGIN DEFERRED", "deferred": "BEGIN DEFERRED"}


class StatementError(Exception):
    """A statement failed. `code` is SQLite's extended code word, or one of LibSQL's; `raw_code` SQLite's own number, 0
    when the error is not SQLite's; `index` says which statement of a batch it was."""

    def __init__(self, code: str, message: str, raw_code: int = 0) -> None:
        self.code = code
        self.message = message
        self.raw_code = raw_code
        self.index = -1
        super().__init__(f"{code}: {message}")


class Stop:
    """Asks for a running statement to be stopped. Set from any thread; the statement notices at its next look."""

    __slots__ = ("code", "message")

    def __init__(self) -> None:
        self.code = self.message = ""

    def ask(self, code: str, message: str) -> None:
        """The first reason given is what the statement fails with."""
        if not self.code:
            self.message = message
            self.code = code


class Encoding(NamedTuple):
    """How a session writes what it gives back."""

    value: Callable[[apsw.SQLiteValue], Any]
    result: Callable[[Columns, bytes | bytearray, int, int | None], bytes]
    description: Description


class Description(Protocol):
    def __call__(
        self, parameters: Sequence[str | None], columns: Columns, *, is_explain: bool, is_readonly: bool
    ) -> bytes: ...


WORKER: Final = Encoding(values.as_tagged, values.encode_result, values.encode_description)
HRANA: Final = Encoding(stmt_result.as_value, stmt_result.encode_result, stmt_result.encode_description)


class Encoded(NamedTuple):
    """A result, or a list of them, as it goes out."""

    body: bytes
    rows: int = 0
    written: int = 0


NOTHING: Final = Encoded(b"null")


class Session:
    """A connection under its guard. Every public method raises `StatementError` and nothing else that SQL can cause."""

    def __init__(self, path: Path, limits: DbLimits, *, query_only: bool = False) -> None:
        self._limits = limits
        self._guard = Guard()
        self._stop = Stop()
        self._started = time.monotonic()
        self._deadline = self._unit_deadline = self._started + limits.statement_seconds
        self._on_slow: Callable[[], None] | None = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = connect(path, self._guard, limits, query_only=query_only)
        except apsw.Error as error:
            raise sqlite_error(error) from error
        except OSError as error:
            raise StatementError("SQLITE_CANTOPEN", f"the database cannot be opened: {error.strerror}") from error
        self._connection.set_progress_handler(self._must_stop, _STEPS)
        self._connection.set_busy_handler(self._wait_for_lock)
        # In place of SQLite's own checkpoints, which hold up a commit.
        self._connection.set_wal_hook(self._after_commit)
        self._log = path.with_name(path.name + "-wal")
        self._log_pages = 0
        self._most_log_pages = limits.log_bytes // self._connection.pragma("page_size")
        self._checkpoint_at = min(_CHECKPOINT_PAGES, self._most_log_pages)
        self._cursor = self._connection.cursor()
        self._cursor.exec_trace = self._before_statement
        self._text = ""
        self._offset = 0  # in the text: how far its statements have been compiled
        self._seen = 0  # statements so far; -1 in a script, where they are not counted
        self._readonly = True
        self._query_only = query_only
        self._refuses_writes = False  # for a transaction of mode `read` only
        self._columns: Columns = ()

    @property
    def in_transaction(self) -> bool:
        return self._connection.in_transaction

    @property
    def deadline(self) -> float:
        """When what runs now has to be over (monotonic seconds)."""
        return self._deadline

    def restart_clock(self, on_slow: Callable[[], None] | None = None) -> None:
        """Before a unit of work, so that nobody takes the last one's deadline for its own. `on_slow` is called once,
        on this thread, when the work turns out to take longer than a moment or to wait for a lock."""
        self._started = time.monotonic()
        self._deadline = self._started + self._limits.statement_seconds
        self._on_slow = on_slow

    @property
    def wants_checkpoint(self) -> bool:
        """The log has grown, and somebody should `checkpoint` when nobody waits for an answer."""
        return self._log_pages >= self._checkpoint_at and not self._connection.in_transaction

    def checkpoint(self) -> None:
        """Moves what the log holds into the file, as far as readers allow. A log that stays long although it is moved
        is emptied, for which writers, and for a moment this call, have to wait."""
        self.restart_clock()
        self._deadline = self._started + _CHECKPOINT_SECONDS
        self._stop = Stop()
        long = self._log_pages >= min(_LONG_LOG_PAGES, self._most_log_pages)
        mode = apsw.SQLITE_CHECKPOINT_TRUNCATE if long else apsw.SQLITE_CHECKPOINT_PASSIVE
        moved, pages = 0, self._log_pages
        try:
            pages, moved = self._connection.wal_checkpoint(mode=mode)
        except apsw.BusyError:
            pass  # a reader or writer was quicker: the next round tries again
        except apsw.Error as error:
            sys.stderr.write(f"a checkpoint failed: {error}\n")
        # A reader that sits in the log leaves a rest: try again when there is as much more of it, not at every commit.
        self._log_pages = pages if moved < pages else 0
        self._checkpoint_at = self._log_pages + _CHECKPOINT_PAGES

    def close(self) -> None:
        self._guard.rules = Rules.OWN
        self._connection.close()  # rolls an open transaction back

    def execute(self, statement: Statement, stop: Stop, encoding: Encoding) -> Encoded:
        """One statement, which is its own transaction."""
        self._start(stop, Rules.STATEMENT)
        self._connection.set_last_insert_rowid(0)
        return self._run(statement, encoding, self._limits.result_bytes)

    def execute_inside(self, statement: Statement, stop: Stop, encoding: Encoding) -> Encoded:
        """One statement of an open transaction."""
        self._start(stop, Rules.TRANSACTION)
        return self._run(statement, encoding, self._limits.result_bytes)

    def batch_inside(self, statements: list[Statement], stop: Stop, encoding: Encoding) -> Encoded:
        """Statements of an open transaction. What ran before a failing one stays."""
        self._start(stop, Rules.TRANSACTION)
        return self._run_all(statements, encoding)

    def batch(
        self, statements: list[Statement], mode: Mode, stop: Stop, encoding: Encoding, *, foreign_keys: bool = True
    ) -> Encoded:
        """All statements in one transaction, or none of them."""
        self._start(stop, Rules.STATEMENT)
        self._connection.set_last_insert_rowid(0)
        try:
            if not foreign_keys:
                self._own("PRAGMA foreign_keys=OFF")  # says nothing inside a transaction, hence before it
            self.begin(mode, stop)
            results = self._run_all(statements, encoding)
            self._deadline = time.monotonic() + self._limits.statement_seconds
            self._own("COMMIT")
        finally:
            self.rollback()
            if not foreign_keys:
                self._own("PRAGMA foreign_keys=ON")
        return results

    def describe(self, sql: str, stop: Stop, encoding: Encoding) -> Encoded:
        """What a statement would give and take, compiled and not run."""
        self._start(stop, Rules.TRANSACTION if self.in_transaction else Rules.STATEMENT)
        self._deadline = time.monotonic() + self._limits.statement_seconds
        found: list[bytes] = []

        def before(cursor: apsw.Cursor, text: str, _arguments: Any) -> bool:
            if not cursor.has_vdbe and len(text) < len(sql):
                return True  # a comment before the statement
            if cursor.has_vdbe:
                if not _BLANK.fullmatch(sql, sql.index(text) + len(text)):
                    raise StatementError("SQL_MANY_STATEMENTS", "one statement at a time")
                found.append(
                    encoding.description(
                        [_prefixed(name, sql) for name in cursor.bindings_names],
                        cursor.get_description(),
                        is_explain=bool(cursor.is_explain),
                        is_readonly=cursor.is_readonly,
                    )
                )
            return False

        cursor = self._connection.cursor()
        cursor.exec_trace = before
        try:
            cursor.execute(sql, _ANY_ARGUMENTS, can_cache=False)
        except apsw.ExecTraceAbort:
            pass  # as `before` asked
        except (apsw.Error, MemoryError, OverflowError) as error:
            raise self._in_words(error) from error
        finally:
            cursor.close(force=True)
        if not found:
            raise StatementError("SQL_NO_STATEMENT", "the SQL text holds no statement")
        return Encoded(found[0])

    def script(self, sql: str, stop: Stop, *, inside: bool = False) -> None:
        """Statements separated by semicolons, results thrown away. What a script leaves open is rolled back."""
        self._start(stop, Rules.TRANSACTION if inside else Rules.SCRIPT)
        self._seen = -1
        try:
            for _ in self._guarded(sql, None, can_cache=False):
                pass  # rows are fetched to run the statement to its end
        finally:
            self._seen = 0
            if not inside:
                self.rollback()
                self._own("PRAGMA foreign_keys=ON")

    def begin(self, mode: Mode, stop: Stop) -> None:
        """Opens a transaction; `write` waits for the write lock as long as a statement may run."""
        self._stop = stop
        self._deadline = time.monotonic() + self._limits.statement_seconds
        self._own(_BEGIN[mode])
        if mode == "read" and not self._query_only:
            self._own("PRAGMA query_only=ON")
            self._refuses_writes = True

    def commit(self) -> None:
        """Ends the transaction, also when it fails: then it is rolled back."""
        self._deadline = time.monotonic() + self._limits.statement_seconds
        try:
            self._own("COMMIT")
        finally:
            self.rollback()

    def rollback(self) -> None:
        """Back to a clean connection; harmless without a transaction."""
        self._stop = Stop()
        self._deadline = time.monotonic() + self._limits.statement_seconds
        if self._connection.in_transaction:
            self._own("ROLLBACK")
        if self._refuses_writes:
            self._refuses_writes = False
            self._own("PRAGMA query_only=OFF")

    def _start(self, stop: Stop, rules: Rules) -> None:
        self._stop = stop
        self._guard.rules = rules
        self._unit_deadline = time.monotonic() + self._limits.batch_seconds

    def _own(self, sql: str) -> None:
        # Not from the cache nor into it: a cached statement is not authorized again when a user sends the same text.
        rules, self._guard.rules = self._guard.rules, Rules.OWN
        try:
            self._connection.execute(sql, can_cache=False)
        except apsw.Error as error:
            raise self._in_words(error) from error
        finally:
            self._guard.rules = rules

    def _run_all(self, statements: list[Statement], encoding: Encoding) -> Encoded:
        results = []
        left = self._limits.result_bytes
        for index, statement in enumerate(statements):
            try:
                results.append(self._run(statement, encoding, left))
            except StatementError as error:
                error.index = index
                raise
            left -= len(results[-1].body)
        body = b"[" + b",".join([result.body for result in results]) + b"]"
        return Encoded(body, sum(result.rows for result in results), sum(result.written for result in results))

    def _run(self, statement: Statement, encoding: Encoding, cap_bytes: int) -> Encoded:
        sql = statement.sql
        self._text = sql
        self._offset = 0
        self._seen = 0
        before = self._connection.total_changes()
        # A PRAGMA's permission depends on where it stands, so it is compiled, and authorized, every time.
        can_cache = sql.lstrip()[:6].upper() != "PRAGMA"
        common = self._guard.rules
        if not can_cache and self._connection.in_transaction:
            self._guard.rules = Rules.TRANSACTION
        try:
            arguments = bindings(statement.args)
        except BadArgument as error:
            raise StatementError("ARGS_INVALID", str(error)) from error
        try:
            rows, count = encode_rows(self._guarded(sql, arguments, can_cache=can_cache), cap_bytes, encoding.value)
        except ResultTooLarge as error:
            self._cursor.close()  # else the statement stays open, and with it its read snapshot
            self._cursor = self._connection.cursor()
            self._cursor.exec_trace = self._before_statement
            cap = self._limits.result_bytes
            raise StatementError(
                "RESPONSE_TOO_LARGE", f"the result is larger than {cap} bytes: select less, or page"
            ) from error
        finally:
            self._guard.rules = common
        if not self._seen:
            raise StatementError("SQL_NO_STATEMENT", "the SQL text holds no statement")
        if self._readonly:
            return Encoded(encoding.result(self._columns, rows, 0, None), count)
        # changes() keeps the last writer's figure when a statement (CREATE TABLE) counts none.
        changes = self._connection.changes() if self._connection.total_changes() != before else 0
        rowid = self._connection.last_insert_rowid() or None
        return Encoded(encoding.result(self._columns, rows, changes, rowid), count, changes)

    def _guarded(self, sql: str, arguments: Any, *, can_cache: bool) -> Any:
        now = time.monotonic()
        self._deadline = min(now + self._limits.statement_seconds, self._unit_deadline)
        if self._on_slow is not None and now - self._started > _SLOW_SECONDS:
            self._tell_slow()
        try:
            yield from self._cursor.execute(sql, arguments, can_cache=can_cache)
        except StatementError:
            raise
        except (apsw.BindingsError, KeyError) as error:
            missing = f"no argument for {error}" if isinstance(error, KeyError) else str(error)
            raise StatementError("ARGS_INVALID", missing) from error
        except UnicodeError as error:
            raise StatementError("INVALID_TEXT", "a text is not valid UTF-8: CAST it AS BLOB") from error
        except (apsw.Error, MemoryError, OverflowError) as error:
            raise self._in_words(error) from error

    def _before_statement(self, cursor: apsw.Cursor, sql: str, _arguments: Any) -> bool:
        """Called by apsw once a statement is compiled, before it runs."""
        if self._seen < 0:  # a script: any number, each with its own deadline
            self._deadline = min(time.monotonic() + self._limits.statement_seconds, self._unit_deadline)
            if self._must_stop():
                raise self._interrupted(apsw.SQLITE_INTERRUPT)
            if not cursor.is_readonly:
                self._check_log()
            return True
        self._offset += len(sql)
        if not cursor.has_vdbe:
            return True  # only a comment or a semicolon, before the statement or after it
        if self._seen or not _BLANK.fullmatch(self._text, self._offset):
            raise StatementError("SQL_MANY_STATEMENTS", "one statement at a time: use batch() or executeMultiple()")
        self._seen = 1
        self._columns = cursor.get_description()
        self._readonly = cursor.is_readonly
        if not self._readonly:
            self._check_log()
        return True

    def _after_commit(self, _connection: apsw.Connection, _name: str, pages: int) -> int:
        if pages < self._log_pages:
            self._checkpoint_at = _CHECKPOINT_PAGES  # it has been emptied since
        self._log_pages = pages
        return apsw.SQLITE_OK

    def _check_log(self) -> None:
        if self._log_pages < self._most_log_pages:  # as of this connection's last commit, whoever wrote the rest
            return
        try:
            size = os.stat(self._log).st_size
        except FileNotFoundError:
            return
        if size > self._limits.log_bytes:
            self._log_pages = self._checkpoint_at = max(_LONG_LOG_PAGES, self._most_log_pages)
            raise StatementError(
                "SQLITE_FULL",
                f"the write-ahead log holds {size} bytes while a long read goes on: try again when it is through",
                apsw.SQLITE_FULL,
            )

    def _must_stop(self) -> bool:
        now = time.monotonic()
        if self._on_slow is not None and now - self._started > _SLOW_SECONDS:
            self._tell_slow()
        return now > self._deadline or bool(self._stop.code)

    def _tell_slow(self) -> None:
        tell, self._on_slow = self._on_slow, None
        if tell is not None:
            tell()

    def _wait_for_lock(self, _tries: int) -> bool:
        self._tell_slow()
        if self._must_stop():
            return False
        time.sleep(_BUSY_SECONDS)
        return not self._must_stop()

    def _in_words(self, error: BaseException) -> StatementError:
        raw = getattr(error, "extendedresult", 0)
        if self._stop.code and isinstance(error, apsw.InterruptError | apsw.BusyError):
            return StatementError(self._stop.code, self._stop.message)
        if isinstance(error, apsw.InterruptError):
            return self._interrupted(raw)
        if isinstance(error, apsw.AuthError):
            return StatementError("SQLITE_AUTH", f"not authorized: {self._guard.refusal or error}", raw)
        if isinstance(error, apsw.NoMemError | MemoryError):
            message = "out of memory: the query needs more than the box gives to queries"
            return StatementError("SQLITE_NOMEM", message, apsw.SQLITE_NOMEM)
        if isinstance(error, apsw.FullError):
            size = self._limits.database_bytes
            return StatementError("SQLITE_FULL", f"database or disk is full: a database may grow to {size} bytes", raw)
        if isinstance(error, apsw.Error):
            return sqlite_error(error)
        return StatementError("SQLITE_ERROR", str(error), apsw.SQLITE_ERROR)

    def _interrupted(self, raw: int) -> StatementError:
        if self._stop.code:
            return StatementError(self._stop.code, self._stop.message)
        seconds = self._limits.statement_seconds
        return StatementError("SQLITE_INTERRUPT", f"interrupted: a statement may run for {seconds:g} s", raw)


def sqlite_error(error: apsw.Error) -> StatementError:
    """SQLite's error under its own words."""
    extended = getattr(error, "extendedresult", None) or 1
    names = apsw.mapping_extended_result_codes, apsw.mapping_result_codes
    word = names[0].get(extended) or names[1].get(extended & 0xFF) or "SQLITE_ERROR"
    return StatementError(str(word), str(error), extended)


def _prefixed(name: str | None, sql: str) -> str | None:
    """A parameter with its sign, which apsw leaves out."""
    if name is None:
        return None
    if name.isdigit():
        return f"?{name}"
    return next((sign + name for sign in ":@$" if sign + name in sql), f":{name}")


def reads_only(sql: str) -> bool:
    """Whether the statement looks like one that reads: a guess to choose a connection by, which enforces it."""
    begin = _FIRST_WORD.match(sql)
    return begin is not None and begin[1].upper() in _READING


_FIRST_WORD: Final = re.compile(_BLANK.pattern + r"([a-zA-Z]+)", re.DOTALL)
_READING: Final = frozenset({"SELECT", "WITH", "VALUES", "EXPLAIN"})
