"""What SQL may do: every connection that runs a user's statements is opened here.

SQLite's own means, in layers: an authorizer asked while a statement is compiled, defensive mode, run-time limits, and a
quota on the file. The advice is https://www.sqlite.org/security.html.
"""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Final

import apsw

from v8box.bindings.db.interface import DbLimits

_ALLOWED: Final = frozenset(
    {
        apsw.SQLITE_ALTER_TABLE,
        apsw.SQLITE_ANALYZE,
        apsw.SQLITE_CREATE_INDEX,
        apsw.SQLITE_CREATE_TABLE,
        apsw.SQLITE_CREATE_TRIGGER,
        apsw.SQLITE_CREATE_VIEW,
        apsw.SQLITE_DELETE,
        apsw.SQLITE_DROP_INDEX,
        apsw.SQLITE_DROP_TABLE,
        apsw.SQLITE_DROP_TRIGGER,
        apsw.SQLITE_DROP_VIEW,
        apsw.SQLITE_DROP_VTABLE,
        apsw.SQLITE_INSERT,
        apsw.SQLITE_READ,
        apsw.SQLITE_RECURSIVE,
        apsw.SQLITE_REINDEX,
        apsw.SQLITE_SELECT,
        apsw.SQLITE_UPDATE,
    }
)
_WORDS: Final = {
    apsw.SQLITE_ATTACH: "ATTACH, DETACH and VACUUM are not available: a database is one file of the platform's",
    apsw.SQLITE_DETACH: "ATTACH, DETACH and VACUUM are not available: a database is one file of the platform's",
    apsw.SQLITE_CREATE_TEMP_TABLE: "temporary tables are not available: connections are shared between runs",
    apsw.SQLITE_CREATE_TEMP_INDEX: "temporary indexes are not available: connections are shared between runs",
    apsw.SQLITE_CREATE_TEMP_VIEW: "temporary views are not available: connections are shared between runs",
    apsw.SQLITE_CREATE_TEMP_TRIGGER: "temporary triggers are not available: connections are shared between runs",
}
_MODULES: Final = frozenset({"fts5", "fts5vocab", "geopoly", "rtree", "rtree_i32"})
_DENIED_FUNCTIONS: Final = frozenset({"load_extension", "fts3_tokenizer"})
_DENIED_TABLES: Final = frozenset({"carray", "sqlite_dbpage", "sqlite_stmt", "bytecode", "tables_used"})
_READABLE_PRAGMAS: Final = frozenset(
    "application_id collation_list compile_options data_version defer_foreign_keys encoding foreign_key_check "
    "foreign_key_list foreign_keys freelist_count function_list index_info index_list index_xinfo integrity_check "
    "max_page_count module_list optimize page_count page_size pragma_list quick_check schema_version table_info "
    "table_list table_xinfo user_version".split()
)
# These take an argument without setting anything.
_ARGUMENT_PRAGMAS: Final = frozenset(
    "foreign_key_check foreign_key_list index_info index_list index_xinfo integrity_check optimize quick_check "
    "table_info table_list table_xinfo".split()
)
_SETTABLE_PRAGMAS: Final = frozenset({"application_id", "user_version"})  # stored in the file, harmless
# WAL: readers and the writer do not wait for each other. NORMAL: a commit survives the death of any process, a power
# cut may take the last moments but never tears the file (https://www.sqlite.org/wal.html#fsync).
_SETTINGS: Final = (
    ("journal_mode", "WAL"),
    ("synchronous", "NORMAL"),
    ("foreign_keys", 1),
    ("temp_store", "MEMORY"),
    ("cache_size", -1000),
    ("journal_size_limit", 16_777_216),  # what is left of the log's file once all of it is in the database
)


class Rules(Enum):
    """What the surroundings of a statement allow beyond the common rules."""

    OWN = "own"  # the engine's own statements: everything
    STATEMENT = "statement"  # one statement or a batch, on a shared connection
    TRANSACTION = "transaction"  # inside BEGIN: savepoints too, and foreign keys may wait for COMMIT
    SCRIPT = "script"  # many statements: transactions of its own, foreign keys off; both undone afterwards


class Guard:
    """The authorizer of one connection. `refusal` says in words why the last statement was refused."""

    def __init__(self) -> None:
        self.rules = Rules.OWN
        self.refusal = ""

    def __call__(self, action: int, one: str | None, two: str | None, _database: str | None, _by: str | None) -> int:
        if self.rules is Rules.OWN or (refusal := self._judge(action, one, two)) is None:
            return apsw.SQLITE_OK
        self.refusal = refusal
        return apsw.SQLITE_DENY

    def _judge(self, action: int, one: str | None, two: str | None) -> str | None:
        if action == apsw.SQLITE_READ:
            return f"{one} cannot be read" if one in _DENIED_TABLES else None
        if action in (apsw.SQLITE_CREATE_TABLE, apsw.SQLITE_CREATE_VIEW) and (one or "").lower() in _DENIED_TABLES:
            return f"{one} is a name of SQLite's own, which could not be read: choose another one"
        if action in _ALLOWED:
            return None
        if action == apsw.SQLITE_FUNCTION:
            return f"the function {two} is not available" if (two or "").lower() in _DENIED_FUNCTIONS else None
        if action == apsw.SQLITE_PRAGMA:
            return self._judge_pragma((one or "").lower(), two)
        if action == apsw.SQLITE_CREATE_VTABLE:
            return None if (two or "").lower() in _MODULES else f"the virtual table module {two} is not available"
        if action == apsw.SQLITE_TRANSACTION:
            if self.rules is Rules.SCRIPT:
                return None
            return f"{one} is not available here: use db.batch() or db.transaction() and its commit() and rollback()"
        if action == apsw.SQLITE_SAVEPOINT:
            if self.rules in (Rules.SCRIPT, Rules.TRANSACTION):
                return None
            return "savepoints are available inside db.transaction() only"
        return _WORDS.get(action) or f"{apsw.mapping_authorizer_function.get(action, action)} is not available"

    def _judge_pragma(self, name: str, argument: str | None) -> str | None:
        if name not in _READABLE_PRAGMAS:
            return f"PRAGMA {name} is not available"
        if argument is None or name in _ARGUMENT_PRAGMAS or name in _SETTABLE_PRAGMAS:
            return None
        if name == "defer_foreign_keys" and self.rules in (Rules.TRANSACTION, Rules.SCRIPT):
            return None
        if name == "foreign_keys" and self.rules is Rules.SCRIPT:
            return None
        return f"PRAGMA {name} cannot be set here"


def connect(path: Path, guard: Guard, limits: DbLimits, *, query_only: bool) -> apsw.Connection:
    """Opens (and creates) one database file for a user's statements. Raises `apsw.Error`, also if it is no database."""
    flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE | apsw.SQLITE_OPEN_NOFOLLOW
    connection = apsw.Connection(str(path.resolve()), flags=flags)
    try:
        connection.set_busy_timeout(int(limits.statement_seconds * 1000))  # two may open a new file at once
        _harden(connection, limits)
        for setting, value in _SETTINGS:
            connection.pragma(setting, value)
        page_bytes = int(connection.pragma("page_size"))
        connection.pragma("max_page_count", max(1, limits.database_bytes // page_bytes))
        if query_only:
            connection.pragma("query_only", True)
        connection.authorizer = guard
    except BaseException:
        connection.close()
        raise
    return connection


def _harden(connection: apsw.Connection, limits: DbLimits) -> None:
    connection.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 1)
    connection.config(apsw.SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0)
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0)
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_FTS3_TOKENIZER, 0)
    # Double-quoted strings hide misspelt column names; LibSQL allows them, so code written for it needs them.
    connection.config(apsw.SQLITE_DBCONFIG_DQS_DML, 1)
    connection.config(apsw.SQLITE_DBCONFIG_DQS_DDL, 1)
    for limit, value in (
        (apsw.SQLITE_LIMIT_LENGTH, limits.value_bytes),
        (apsw.SQLITE_LIMIT_SQL_LENGTH, limits.sql_bytes),
        (apsw.SQLITE_LIMIT_ATTACHED, 0),
        (apsw.SQLITE_LIMIT_COLUMN, 500),
        (apsw.SQLITE_LIMIT_COMPOUND_SELECT, 100),
        (apsw.SQLITE_LIMIT_EXPR_DEPTH, 200),
        (apsw.SQLITE_LIMIT_FUNCTION_ARG, 100),
        (apsw.SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 1_000),
        (apsw.SQLITE_LIMIT_TRIGGER_DEPTH, 20),
        (apsw.SQLITE_LIMIT_VARIABLE_NUMBER, 32_766),
        (apsw.SQLITE_LIMIT_VDBE_OP, 1_000_000),
        (apsw.SQLITE_LIMIT_WORKER_THREADS, 0),
    ):
        connection.limit(limit, value)
