"""SQL that must not run in an embedded database, and SQL that must."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from v8box.bindings.db.binding import DbBinding
from v8box.bindings.db.guard import Guard, connect
from v8box.bindings.db.interface import DbLimits
from v8box.bindings.interface import BindingError

Ask = Callable[..., Coroutine[Any, Any, tuple[Any, bytes | None]]]


FORBIDDEN = [
    "ATTACH '{dir}/x.db' AS x",
    "DETACH main",
    "VACUUM",
    "VACUUM INTO '{dir}/x.db'",
    "SELECT load_extension('x')",
    "SELECT fts3_tokenizer('simple')",
    "SELECT readfile('/etc/passwd')",
    "SELECT writefile('{dir}/x', 'x')",
    "SELECT * FROM carray(1, 1)",
    "SELECT * FROM pragma_database_list",
    "SELECT * FROM sqlite_dbpage",
    "CREATE VIRTUAL TABLE x USING csv(filename='/etc/passwd')",
    "CREATE VIRTUAL TABLE x USING fts4(a)",
    "CREATE TABLE Tables_Used (a)",
    "CREATE VIEW sqlite_stmt AS SELECT 1",
    "CREATE TEMP TABLE x (a)",
    "CREATE TEMP VIEW x AS SELECT 1",
    "INSERT INTO sqlite_master VALUES ('table', 'x', 'x', 0, 'x')",
    "UPDATE sqlite_master SET sql = ''",
    "BEGIN",
    "COMMIT",
    "ROLLBACK",
    "SAVEPOINT x",
    "PRAGMA journal_mode=DELETE",
    "PRAGMA synchronous=OFF",
    "PRAGMA writable_schema=ON",
    "PRAGMA database_list",
    "PRAGMA foreign_keys=OFF",
    "PRAGMA query_only=ON",
    "PRAGMA temp_store_directory='/'",
    "PRAGMA hard_heap_limit=0",
    "PRAGMA max_page_count=99999999",
    "PRAGMA page_size=65536",
    "PRAGMA wal_checkpoint(TRUNCATE)",
    "/**/PRAGMA locking_mode=EXCLUSIVE",
    "PRAGMA schema_version=5",
    "PRAGMA mmap_size=1000000",
    "PRAGMA trusted_schema=ON",
]
# What a script or a transaction may do there, because it is undone at the end.
ALLOWED = {
    ("BEGIN", "executeMultiple"),
    ("SAVEPOINT x", "executeMultiple"),
    ("SAVEPOINT x", "transaction"),
    ("PRAGMA foreign_keys=OFF", "executeMultiple"),
}
PLACES = ("execute", "executeMultiple", "transaction")


@pytest.mark.parametrize(
    ("sql", "operation"), [pair for pair in itertools.product(FORBIDDEN, PLACES) if pair not in ALLOWED]
)
async def test_forbidden(embedded: DbBinding, ask: Ask, tmp_path: Path, sql: str, operation: str) -> None:
    args: dict[str, Any] = {"sql": sql.replace("{dir}", str(tmp_path))}
    if operation == "transaction":
        args["tx"], _ = await ask(embedded, "begin", {"mode": "write"})
        operation = "execute"
    with pytest.raises(BindingError) as caught:
        await ask(embedded, operation, args)
    assert caught.value.code in ("SQLITE_AUTH", "SQLITE_ERROR"), caught.value
    assert os.listdir(tmp_path) == ["databases"]
    assert str(tmp_path) not in caught.value.message


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE VIRTUAL TABLE x USING fts5(a, b)",
        "CREATE VIRTUAL TABLE x USING rtree(id, a, b)",
        "CREATE VIEW x AS SELECT * FROM t",
        "CREATE TRIGGER x AFTER INSERT ON t BEGIN INSERT INTO u VALUES (new.id); END",
        "CREATE TABLE x (a, b GENERATED ALWAYS AS (a * 2)) STRICT",
        "ALTER TABLE t ADD COLUMN more TEXT",
        "CREATE INDEX x ON t (id)",
        "ANALYZE",
        "REINDEX",
        "PRAGMA table_info(t)",
        "PRAGMA table_list",
        "PRAGMA index_list(t)",
        "PRAGMA foreign_keys",
        "PRAGMA user_version=3",
        "PRAGMA optimize",
        "PRAGMA integrity_check",
        "SELECT * FROM pragma_table_info('t')",
        "EXPLAIN QUERY PLAN SELECT * FROM t",
        "SELECT json_extract('{\"a\": 1}', '$.a'), sqrt(2), strftime('%Y')",
        "SELECT * FROM json_each('[1, 2]')",
        'SELECT "text"',
        "WITH RECURSIVE c(x) AS (VALUES (1) UNION ALL SELECT x + 1 FROM c WHERE x < 9) SELECT * FROM c",
        "SELECT *, row_number() OVER (ORDER BY id) FROM t",
        "INSERT INTO t VALUES (1) ON CONFLICT DO NOTHING RETURNING *",
    ],
)
async def test_allowed(embedded: DbBinding, ask: Ask, sql: str) -> None:
    await ask(embedded, "executeMultiple", {"sql": "CREATE TABLE t (id); CREATE TABLE u (id)"})
    script = sql.replace("STRICT", "")  # the untyped columns of the example are not for STRICT
    await ask(embedded, "execute", {"sql": script})


async def test_a_statement_refused_stays_refused_where_a_script_may(embedded: DbBinding, ask: Ask) -> None:
    """A statement that was compiled where it is allowed must not be found in the cache where it is not."""
    for _ in range(2):
        await ask(embedded, "executeMultiple", {"sql": "BEGIN; COMMIT; PRAGMA foreign_keys=OFF"})
        for sql in ("BEGIN", "BEGIN DEFERRED", "BEGIN IMMEDIATE", "COMMIT", "PRAGMA foreign_keys=OFF"):
            with pytest.raises(BindingError, match="SQLITE_AUTH"):
                await ask(embedded, "execute", {"sql": sql})
        rows, _ = await ask(embedded, "execute", {"sql": "PRAGMA foreign_keys"})
        assert rows["r"] == [[1]]


def test_every_connection_has_all_settings(tmp_path: Path) -> None:
    connection = connect(tmp_path / "a.db", Guard(), DbLimits(), query_only=False)
    wanted = {"journal_mode": "wal", "synchronous": 1, "foreign_keys": 1, "temp_store": 2, "query_only": 0}
    assert {name: connection.pragma(name) for name in wanted} == wanted
    connection.close()
