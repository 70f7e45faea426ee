"""What a LibSQL server says of a failure, in the words the embedded engine has for it.

The server knows only SQLite's primary codes, so the extended ones are told from SQLite's own messages
(https://www.sqlite.org/rescode.html); what it cannot compile it calls SQLITE_UNKNOWN or names of its own.
"""

from __future__ import annotations

import logging
import re
from typing import Final

from v8box.bindings.db.hrana import HranaError
from v8box.bindings.db.hrana_client import ServerError
from v8box.bindings.interface import BindingError

logger = logging.getLogger(__name__)

_PREFIX: Final = re.compile(r"(?:SQLite error|SQL input error|SQL string could not be parsed|Internal error): ")
_OFFSET: Final = re.compile(r" \(at offset \d+\)\Z")
_WORD: Final = re.compile(r"[A-Z][A-Z0-9_]{2,63}")
_UNSUPPORTED: Final = "unsupported statement"
UNIQUE_FAILED: Final = "UNIQUE constraint failed: "
_CONSTRAINTS: Final = (
    ("NOT NULL constraint failed: ", "SQLITE_CONSTRAINT_NOTNULL", 1299),
    ("CHECK constraint failed: ", "SQLITE_CONSTRAINT_CHECK", 275),
    ("FOREIGN KEY constraint failed", "SQLITE_CONSTRAINT_FOREIGNKEY", 787),
    ("cannot store ", "SQLITE_CONSTRAINT_DATATYPE", 3091),
    ("constraint failed", "SQLITE_CONSTRAINT", 19),
)
_RAW_CODES: Final = {
    "SQLITE_ERROR": 1,
    "SQLITE_INTERNAL": 2,
    "SQLITE_PERM": 3,
    "SQLITE_ABORT": 4,
    "SQLITE_BUSY": 5,
    "SQLITE_LOCKED": 6,
    "SQLITE_NOMEM": 7,
    "SQLITE_READONLY": 8,
    "SQLITE_INTERRUPT": 9,
    "SQLITE_IOERR": 10,
    "SQLITE_CORRUPT": 11,
    "SQLITE_FULL": 13,
    "SQLITE_CANTOPEN": 14,
    "SQLITE_SCHEMA": 17,
    "SQLITE_TOOBIG": 18,
    "SQLITE_MISMATCH": 20,
    "SQLITE_MISUSE": 21,
    "SQLITE_AUTH": 23,
    "SQLITE_RANGE": 25,
    "SQLITE_NOTADB": 26,
}
_OWN_WORDS: Final = frozenset(
    {"ARGS_INVALID", "SQL_MANY_STATEMENTS", "SQL_NO_STATEMENT", "TRANSACTION_TIMEOUT", "BLOCKED"}
)
_TOO_BIG: Final = "string or blob too big"
_UNKNOWN_BATON: Final = "invalid baton"
_NOT_UTF8: Final = "invalid utf-8"
_GONE: Final = re.compile(r"(?:Namespace `.*` doesn't exist|Requested namespace doesn't exist)")


def from_statement(
    error: HranaError, *, index: int | None = None, result_bytes: int, database_bytes: int
) -> BindingError:
    """A statement's error. `index` is its place in a batch."""
    code, message, raw = _in_words(error, result_bytes, database_bytes)
    return with_index(BindingError(code, message, {"raw_code": raw} if raw else None), index)


def with_index(error: BindingError, index: int | None) -> BindingError:
    """The error with its statement's place in a batch among its details."""
    if index is None:
        return error
    return BindingError(error.code, error.message, {**(error.details or {}), "statement_index": index})


def _in_words(error: HranaError, result_bytes: int, database_bytes: int) -> tuple[str, str, int]:
    message = _OFFSET.sub("", _PREFIX.sub("", error.message, count=1))
    code = error.code or ""
    if code == "SQLITE_CONSTRAINT":
        return _constraint(message)
    if code == "ARGS_INVALID" and message.endswith(_TOO_BIG):
        return "SQLITE_TOOBIG", _TOO_BIG, 18
    if code == "RESPONSE_TOO_LARGE":
        return code, too_large(result_bytes).message, 0
    if code in _OWN_WORDS:
        return code, message, 0
    if code == "SQLITE_FULL":
        return code, f"database or disk is full: a database may grow to {database_bytes} bytes", 13
    if message == "not authorized":
        return "SQLITE_AUTH", message, 23
    if _UNSUPPORTED in message:
        return "SQLITE_ERROR", "a LibSQL server does not take this statement", 1
    if code == "TRANSACTION_BUSY":
        return "SQLITE_BUSY", message, 5
    if code in _RAW_CODES:
        return code, message, _RAW_CODES[code]
    if code.startswith(("SQL_", "SQLITE_")) or not _WORD.fullmatch(code):
        return "SQLITE_ERROR", message, 1
    return code, message, 0


def _constraint(message: str) -> tuple[str, str, int]:
    if message.startswith(UNIQUE_FAILED):
        if message.endswith(".rowid"):
            return "SQLITE_CONSTRAINT_ROWID", message, 2579
        return "SQLITE_CONSTRAINT_UNIQUE", message, 2067
    for beginning, code, raw in _CONSTRAINTS:
        if message.startswith(beginning):
            return code, message, raw
    return "SQLITE_CONSTRAINT_TRIGGER", message, 1811  # RAISE() has the author's words


def primary_key(error: BindingError) -> BindingError:
    """A unique constraint's error that turned out to be about a primary key."""
    return BindingError("SQLITE_CONSTRAINT_PRIMARYKEY", error.message, {**(error.details or {}), "raw_code": 1555})


def too_large(result_bytes: int) -> BindingError:
    return BindingError("RESPONSE_TOO_LARGE", f"the result is larger than {result_bytes} bytes: select less, or page")


def namespace_is_gone(error: ServerError) -> bool:
    """Whether the server has no such namespace: nothing has run."""
    return error.status == 404 and _GONE.search(error.message) is not None


def stream_is_lost(error: BindingError) -> bool:
    """Whether the server does not know a stream any more: it sat idle, or the server or its database is another."""
    return error.code == "STREAM_EXPIRED"


def from_server(error: ServerError, host: str, *, key_is_ours: bool, on_stream: bool) -> BindingError:
    """An answer that is no Hrana: the whole request was refused. `on_stream`: it was to run on one that was open."""
    if error.status == 401:
        setting = "its own key: do all nodes share one key file?" if key_is_ours else "the token: see LIBSQL_AUTH_TOKEN"
        return BindingError("DB_UNAUTHORIZED", f"the LibSQL server at {host} refuses {setting} ({error.message})")
    if error.status == 403:
        return BindingError("SQLITE_READONLY", "attempt to write a readonly database", {"raw_code": 8})
    if error.status == 413:
        return BindingError("SQLITE_TOOBIG", "the SQL text and its arguments are too large", {"raw_code": 18})
    if error.status == 429:
        return BindingError("SQLITE_BUSY", f"the LibSQL server at {host} has no connection left", {"raw_code": 5})
    if namespace_is_gone(error) and not on_stream:
        return BindingError("DATABASE_NOT_FOUND", f"the LibSQL server at {host} has no namespace for this database")
    if error.code == "STREAM_EXPIRED" or _UNKNOWN_BATON in error.message or namespace_is_gone(error):
        return BindingError("STREAM_EXPIRED", "the server does not know the stream any more")
    if _NOT_UTF8 in error.message:
        return BindingError("INVALID_TEXT", "a text is not valid UTF-8: CAST it AS BLOB")
    if error.status == 400 and error.code is not None and _WORD.fullmatch(error.code):
        return BindingError(error.code, error.message)
    # Its words are for operators: they may name its files.
    logger.warning("the LibSQL server at %s failed: %s %s", host, error.status, error.message[:500])
    return BindingError("DB_UNAVAILABLE", f"the LibSQL server at {host} failed with status {error.status}")
