"""What every backend of `db` does behind the port: encodings, descriptions, operators, and databases as a whole."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from tests.bindings.db.backends import DbBackend

from v8box.bindings.db.interface import SCRATCH_PREFIX, DatabaseId, Databases, DbLimits, Queries, Statement, View
from v8box.bindings.interface import BindingError

HRANA = View(encoding="hrana")
ADMIN = View(admin=True)
ONE = DatabaseId("one")
CRM = DatabaseId("one", "crm")


@pytest.fixture
async def databases(db_backend: DbBackend) -> AsyncIterator[Databases]:
    backend = db_backend.build(DbLimits())
    await backend.start()
    yield backend
    await backend.stop()


async def run(queries: Queries, sql: str, args: Any = None) -> Any:
    return msgspec.json.decode((await queries.execute(Statement(sql, args))).encoded)


async def refusal(work: Awaitable[Any]) -> BindingError:
    with pytest.raises(BindingError) as caught:
        await work
    assert caught.value.message
    return caught.value


async def test_results_in_hranas_encoding(databases: Databases) -> None:
    database = databases.open(ONE, HRANA)
    await run(database, "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT)")
    inserted = await database.execute(Statement("INSERT INTO t (name) VALUES (?), (?)", ["a", None]))
    assert msgspec.json.decode(inserted.encoded) == {
        "cols": [],
        "rows": [],
        "affected_row_count": 2,
        "last_insert_rowid": "2",
    }
    assert (inserted.rows, inserted.written) == (0, 2)
    selected = await run(
        database, "SELECT id, name, 1.5 AS f, x'0102' AS b, 9223372036854775807 AS i, x'' AS e FROM t ORDER BY id"
    )
    assert selected["cols"][:3] == [
        {"name": "id", "decltype": "INTEGER"},
        {"name": "name", "decltype": "TEXT"},
        {"name": "f", "decltype": None},
    ]
    common = [
        {"type": "float", "value": 1.5},
        {"type": "blob", "base64": "AQI"},
        {"type": "integer", "value": "9223372036854775807"},
        {"type": "blob", "base64": ""},
    ]
    assert selected["rows"] == [
        [{"type": "integer", "value": "1"}, {"type": "text", "value": "a"}, *common],
        [{"type": "integer", "value": "2"}, {"type": "null"}, *common],
    ]


async def test_batches_and_transactions_keep_their_encoding(databases: Databases) -> None:
    database = databases.open(ONE, HRANA)
    both = await database.batch([Statement("SELECT 1 AS a"), Statement("SELECT 'x' AS a")], "read")
    rows = [result["rows"] for result in msgspec.json.decode(both.encoded)]
    assert rows == [[[{"type": "integer", "value": "1"}]], [[{"type": "text", "value": "x"}]]]
    assert both.rows == 2
    transaction = await database.begin("write")
    assert (await run(transaction, "SELECT 2"))["rows"] == [[{"type": "integer", "value": "2"}]]
    await transaction.commit()


async def test_a_statement_is_described_without_running(databases: Databases) -> None:
    plain = databases.open(ONE)
    await run(plain, "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT)")
    database = databases.open(ONE, HRANA)
    described = await database.describe("INSERT INTO t (name) VALUES (:name) RETURNING id")
    assert msgspec.json.decode(described.encoded) == {
        "params": [{"name": ":name"}],
        "cols": [{"name": "id", "decltype": "INTEGER"}],
        "is_explain": False,
        "is_readonly": False,
    }
    selecting = msgspec.json.decode((await database.describe("EXPLAIN SELECT ?, ?3, @a")).encoded)
    assert [parameter["name"] for parameter in selecting["params"]] == [None, None, "?3", "@a"]
    assert selecting["is_explain"] is True
    assert selecting["is_readonly"] is True
    assert (await run(plain, "SELECT count(*) FROM t"))["r"] == [[0]]
    in_words = msgspec.json.decode((await plain.describe("SELECT id FROM t")).encoded)
    assert in_words == {"params": [], "c": ["id"], "t": ["INTEGER"], "explain": False, "readonly": True}
    assert (await refusal(database.describe("SELECT * FROM nothing"))).code == "SQLITE_ERROR"
    transaction = await database.begin("write")
    await run(transaction, "CREATE TABLE u (id)")
    assert (await transaction.describe("SELECT id FROM u")).encoded
    await transaction.rollback()


async def test_errors_say_which_statement_and_what_number(databases: Databases, db_backend: DbBackend) -> None:
    database = databases.open(ONE)
    await run(database, "CREATE TABLE t (id INTEGER PRIMARY KEY)")
    insert = Statement("INSERT INTO t VALUES (1)")
    error = await refusal(database.batch([Statement("SELECT 1"), insert, insert], "write"))
    assert error.details is not None
    assert error.details["statement_index"] == 2
    expected = ("SQLITE_CONSTRAINT_PRIMARYKEY", 1555) if db_backend.extended_codes else ("SQLITE_CONSTRAINT", 19)
    assert (error.code, error.details["raw_code"]) == expected
    alone = await refusal(run(database, "SELEC"))
    assert alone.details == {"raw_code": 1}
    transaction = await database.begin("write")
    error = await refusal(transaction.batch([insert, insert], "write"))
    assert error.details is not None
    assert error.details["statement_index"] == 1
    assert (await run(transaction, "SELECT count(*) FROM t"))["r"] == [[1]]
    await transaction.rollback()


async def test_a_migration_has_foreign_keys_off_and_is_all_or_nothing(databases: Databases) -> None:
    database = databases.open(ONE)
    await database.script(
        "CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE c (p REFERENCES p (id) ON DELETE CASCADE);"
        "INSERT INTO p VALUES (1); INSERT INTO c VALUES (1)"
    )
    steps = [
        "CREATE TABLE p2 (id INTEGER PRIMARY KEY, name TEXT)",
        "INSERT INTO p2 SELECT id, 'x' FROM p",
        "DROP TABLE p",
        "ALTER TABLE p2 RENAME TO p",
    ]
    error = await refusal(database.migrate([*map(Statement, steps), Statement("SELEC")]))
    assert error.details is not None
    assert error.details["statement_index"] == 4
    result = await database.migrate([Statement(step) for step in steps])
    assert len(msgspec.json.decode(result.encoded)) == 4
    assert (await run(database, "SELECT p.id, name FROM p JOIN c ON c.p = p.id"))["r"] == [[1, "x"]]
    assert (await run(database, "PRAGMA foreign_keys"))["r"] == [[1]]
    assert (await refusal(run(database, "INSERT INTO c VALUES (9)"))).code.startswith("SQLITE_CONSTRAINT")


async def test_operators_have_deadlines_of_their_own(db_backend: DbBackend) -> None:
    slow = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT {}) SELECT count(*) FROM c"
    backend = db_backend.build(replace(DbLimits(), statement_seconds=0.2, batch_seconds=0.2, transaction_seconds=0.2))
    await backend.start()
    try:
        count = 200_000
        refused = ""
        while not refused:  # until a statement takes longer than a run may
            count *= 2
            try:
                await run(backend.open(ONE), slow.format(count))
            except BindingError as error:
                refused = error.code
        assert refused == "SQLITE_INTERRUPT"
        assert (await run(backend.open(ONE, ADMIN), slow.format(count)))["r"] == [[count]]
        assert await backend.open(ONE, ADMIN).batch([Statement(slow.format(count))], "write")
        transaction = await backend.open(ONE, ADMIN).begin("write")
        assert (await run(transaction, slow.format(count)))["r"] == [[count]]
        await transaction.commit()
    finally:
        await backend.stop()


async def test_databases_are_listed_made_and_deleted(databases: Databases) -> None:
    assert [info.name for info in await databases.names("one")] == ["default"]
    assert await databases.exists(ONE)
    assert not await databases.exists(CRM)
    await databases.create(CRM)
    assert await databases.exists(CRM)
    assert (await refusal(databases.create(CRM))).code == "DATABASE_EXISTS"
    assert (await refusal(databases.create(ONE))).code == "DATABASE_EXISTS"
    await run(databases.open(DatabaseId("one", "by-use")), "CREATE TABLE t (id)")
    await run(databases.open(ONE), "CREATE TABLE t (id)")
    listed = await databases.names("one")
    assert [info.name for info in listed] == ["by-use", "crm", "default"]
    assert all(info.size_bytes > 0 for info in listed)
    assert [info.name for info in await databases.names("two")] == ["default"]
    await databases.delete(CRM)
    assert not await databases.exists(CRM)
    assert (await refusal(databases.delete(CRM))).code == "DATABASE_NOT_FOUND"
    await databases.delete(ONE)
    await databases.delete(DatabaseId("never-used"))
    assert (await refusal(run(databases.open(ONE), "SELECT * FROM t"))).code == "SQLITE_ERROR"
    await databases.create(CRM)
    assert (await run(databases.open(CRM), "SELECT count(*) FROM sqlite_schema"))["r"] == [[0]]


async def test_a_deleted_database_ends_what_is_open_in_it(databases: Databases) -> None:
    await databases.create(CRM)
    database = databases.open(CRM)
    await run(database, "CREATE TABLE t (id)")
    transaction = await database.begin("write")
    await run(transaction, "INSERT INTO t VALUES (1)")
    waiting = asyncio.create_task(run(database, "INSERT INTO t VALUES (2)"))
    reading = asyncio.create_task(
        run(database, "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c")
    )
    await run(transaction, "SELECT 1")  # the others have been sent before it
    await databases.delete(CRM)
    for task in (waiting, reading):
        assert (await refusal(task)).code == "DATABASE_DELETED"
    assert (await refusal(run(transaction, "SELECT 1"))).code == "DATABASE_DELETED"
    assert transaction.ended is not None
    await transaction.rollback()
    assert not await databases.exists(CRM)
    assert (await run(database, "SELECT count(*) FROM sqlite_schema"))["r"] == [[0]]  # a new one, by its use


async def test_a_copy_is_what_the_source_was_and_replaces_nothing(databases: Databases) -> None:
    source = databases.open(ONE)
    await run(source, "CREATE TABLE t (id INTEGER PRIMARY KEY, data)")
    await run(source, "INSERT INTO t (data) SELECT randomblob(1000) FROM json_each('[1,2,3,4,5,6,7,8,9]')")
    open_write = await source.begin("write")
    await run(open_write, "DELETE FROM t")
    await databases.copy(ONE, CRM)
    await open_write.commit()
    assert (await run(databases.open(CRM), "SELECT count(*) FROM t"))["r"] == [[9]]
    assert (await run(source, "SELECT count(*) FROM t"))["r"] == [[0]]
    await run(databases.open(CRM), "INSERT INTO t (data) VALUES (1)")
    assert (await refusal(databases.copy(ONE, CRM))).code == "DATABASE_EXISTS"
    assert (await refusal(databases.copy(CRM, ONE))).code == "DATABASE_EXISTS"
    nowhere = DatabaseId("one", "nowhere")
    assert (await refusal(databases.copy(nowhere, DatabaseId("one", "other")))).code == "DATABASE_NOT_FOUND"


async def test_scratch_databases_are_not_listed_and_gone_after_a_restart(db_backend: DbBackend) -> None:
    scratch = DatabaseId("one", f"{SCRATCH_PREFIX}1")
    for _ in range(2):
        backend = db_backend.build(DbLimits())
        await backend.start()
        assert not await backend.exists(scratch)
        await run(backend.open(ONE), "CREATE TABLE IF NOT EXISTS t (id)")
        await backend.copy(ONE, scratch)
        assert await backend.exists(scratch)
        assert [info.name for info in await backend.names("one")] == ["default"]
        assert (await run(backend.open(scratch), "SELECT count(*) FROM t"))["r"] == [[0]]
        await backend.stop()
