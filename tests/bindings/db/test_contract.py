"""What every implementation of the `db` binding does, as a worker's client sees it on the wire."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest
from tests.bindings.db.backends import DbBackend
from tests.bindings.db.conftest import patiently

from v8box.bindings.db.binding import DbBinding
from v8box.bindings.db.interface import DbLimits
from v8box.bindings.interface import BindingError, Call, Scope

Ask = Callable[..., Coroutine[Any, Any, tuple[Any, bytes | None]]]
ENDLESS = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c"


async def run(ask: Ask, db: DbBinding, sql: str, args: Any = None, **more: Any) -> Any:
    where = {"tx": more.pop("tx")} if "tx" in more else {}
    return (await ask(db, "execute", {"sql": sql, "args": args, **where}, **more))[0]


async def refusal(work: Awaitable[Any]) -> str:
    with pytest.raises(BindingError) as caught:
        await work
    assert caught.value.message
    return caught.value.code


def primary(code: str) -> str:
    """Without the extension that not every backend tells."""
    return "_".join(code.split("_")[:2]) if code.startswith("SQLITE_") else code


async def count(ask: Ask, db: DbBinding, **more: Any) -> int:
    return int((await run(ask, db, "SELECT count(*) FROM t", **more))["r"][0][0])


async def test_a_result_has_columns_types_rows_and_what_changed(db: DbBinding, ask: Ask) -> None:
    created = await run(ask, db, "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT)")
    assert created == {"c": [], "t": [], "r": [], "n": 0, "i": None}
    inserted = await run(ask, db, "INSERT INTO t (name) VALUES (?), (?)", ["a", "b"])
    assert inserted == {"c": [], "t": [], "r": [], "n": 2, "i": "2"}
    returned = await run(ask, db, "INSERT INTO t (name) VALUES (:n) RETURNING id, name", {":n": "c"})
    assert returned == {"c": ["id", "name"], "t": ["INTEGER", "TEXT"], "r": [[3, "c"]], "n": 1, "i": "3"}
    nothing = await run(ask, db, "SELECT id, name FROM t WHERE id > 9")
    assert nothing == {"c": ["id", "name"], "t": ["INTEGER", "TEXT"], "r": [], "n": 0, "i": None}
    assert (await run(ask, db, "UPDATE t SET name = 'x' WHERE id < 3"))["n"] == 2
    assert (await run(ask, db, "CREATE TABLE u (id)"))["n"] == 0
    assert (await run(ask, db, "WITH a AS (SELECT 9 AS id) INSERT INTO u SELECT id FROM a"))["n"] == 1


@pytest.mark.parametrize(
    ("sql", "args", "code"),
    [
        ("SELEC 1", None, "SQLITE_ERROR"),
        ("SELECT 1; SELECT 2", None, "SQL_MANY_STATEMENTS"),
        ("INSERT INTO t VALUES (5); DELETE FROM t", None, "SQL_MANY_STATEMENTS"),
        ("", None, "SQL_NO_STATEMENT"),
        ("-- nothing", None, "SQL_NO_STATEMENT"),
        ("SELECT ?", [], "ARGS_INVALID"),
        ("SELECT ?", [1, 2], "ARGS_INVALID"),
        ("SELECT :a", {"b": 1}, "ARGS_INVALID"),
        ("SELECT ?", [2**63], "ARGS_INVALID"),
        ("SELECT ?", [2**70], "ARGS_INVALID"),
        ("SELECT ?", [{"i": "9" * 5000}], "ARGS_INVALID"),
        ("SELECT ?", [{"b": "?"}], "ARGS_INVALID"),
        ("SELECT ?", [{"x": "1"}], "ARGS_INVALID"),
        ("SELECT ?", [[1]], "ARGS_INVALID"),
        ("INSERT INTO t VALUES (1)", None, "SQLITE_CONSTRAINT_PRIMARYKEY"),
        ("INSERT INTO t VALUES ('x')", None, "SQLITE_MISMATCH"),
        ("SELECT CAST(x'ff' AS TEXT)", None, "INVALID_TEXT"),
        ("SELECT zeroblob(100000000)", None, "SQLITE_TOOBIG"),
    ],
)
async def test_a_wrong_statement_is_refused_and_changes_nothing(
    db: DbBinding, db_backend: DbBackend, ask: Ask, sql: str, args: Any, code: str
) -> None:
    if code in db_backend.unknown_codes:
        pytest.skip(f"{db_backend.name} does not tell {code}")
    await ask(db, "executeMultiple", {"sql": "CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1);"})
    refused = await refusal(run(ask, db, sql, args))
    assert refused == (code if db_backend.extended_codes else primary(code))
    assert await count(ask, db) == 1


@pytest.mark.parametrize("sql", ["SELECT 1;", "SELECT 1 ; -- done", "/* a; */ SELECT 1 /* ; */;;", "SELECT ';' --;"])
async def test_one_statement_may_end_in_semicolons_and_comments(db: DbBinding, ask: Ask, sql: str) -> None:
    assert len((await run(ask, db, sql))["r"]) == 1


async def test_a_batch_is_all_or_nothing(db: DbBinding, ask: Ask) -> None:
    await run(ask, db, "CREATE TABLE t (id INTEGER PRIMARY KEY)")
    insert = ["INSERT INTO t VALUES (?)", [1]]
    results, _ = await ask(db, "batch", {"mode": "write", "statements": [insert, ["SELECT * FROM t", None]]})
    assert [result["r"] for result in results] == [[], [[1]]]
    code = await refusal(ask(db, "batch", {"statements": [["DELETE FROM t", None], insert, insert]}))
    assert primary(code) == "SQLITE_CONSTRAINT"
    assert await count(ask, db) == 1
    assert await refusal(ask(db, "batch", {"mode": "read", "statements": [insert]})) == "SQLITE_READONLY"
    await ask(db, "batch", {"mode": "write", "statements": [["DELETE FROM t", None]]})
    for statement in ("COMMIT", "ROLLBACK", "SAVEPOINT x"):
        assert await refusal(ask(db, "batch", {"statements": [insert, [statement, None]]})) == "SQLITE_AUTH"
    assert await count(ask, db) == 0


async def test_a_script_may_have_transactions_and_leaves_none_open(db: DbBinding, ask: Ask) -> None:
    await ask(db, "executeMultiple", {"sql": "BEGIN; CREATE TABLE t (id); INSERT INTO t VALUES (1); COMMIT;"})
    await ask(
        db, "executeMultiple", {"sql": "PRAGMA foreign_keys=OFF; BEGIN; INSERT INTO t VALUES (2); SELECT * FROM t"}
    )
    assert await count(ask, db) == 1
    insert = [["PRAGMA user_version=7", None], ["PRAGMA foreign_keys", None]]
    results, _ = await ask(db, "batch", {"statements": insert})
    assert results[1]["r"] == [[1]]
    assert (await run(ask, db, "PRAGMA user_version"))["r"] == [[7]]


async def test_a_transaction_is_seen_by_itself_alone_until_it_commits(db: DbBinding, ask: Ask) -> None:
    await run(ask, db, "CREATE TABLE t (id INTEGER PRIMARY KEY)")
    tx, _ = await ask(db, "begin", {"mode": "write"})
    await run(ask, db, "INSERT INTO t VALUES (1)", tx=tx)
    await run(ask, db, "SAVEPOINT s", tx=tx)
    await ask(db, "batch", {"statements": [["INSERT INTO t VALUES (2)", None]], "tx": tx})
    await ask(db, "executeMultiple", {"sql": "INSERT INTO t VALUES (3); INSERT INTO t VALUES (4)", "tx": tx})
    assert await refusal(run(ask, db, "COMMIT", tx=tx)) == "SQLITE_AUTH"
    duplicate = await refusal(run(ask, db, "INSERT INTO t VALUES (1)", tx=tx))
    assert primary(duplicate) == "SQLITE_CONSTRAINT"
    assert await count(ask, db, tx=tx) == 4
    assert await count(ask, db) == 0
    await ask(db, "commit", {"tx": tx})
    assert await count(ask, db) == 4
    for operation in ("commit", "rollback"):
        assert await refusal(ask(db, operation, {"tx": tx})) == "TRANSACTION_CLOSED"
    undone, _ = await ask(db, "begin", {"mode": "deferred"})
    await run(ask, db, "DELETE FROM t", tx=undone)
    await ask(db, "rollback", {"tx": undone})
    assert await count(ask, db) == 4


async def test_a_transaction_belongs_to_its_run_and_ends_with_it(db: DbBinding, ask: Ask) -> None:
    await run(ask, db, "CREATE TABLE t (id)")
    tx, _ = await ask(db, "begin", {"mode": "write"})
    await run(ask, db, "INSERT INTO t VALUES (1)", tx=tx)
    assert await refusal(run(ask, db, "SELECT * FROM t", tx=tx, run="another")) == "TRANSACTION_CLOSED"
    await db.end_run(Scope("one", "worker", "version", "production", "run-1"))
    assert await refusal(run(ask, db, "SELECT * FROM t", tx=tx)) == "TRANSACTION_CLOSED"
    await run(ask, db, "INSERT INTO t VALUES (2)")  # the write lock is free
    assert (await run(ask, db, "SELECT id FROM t"))["r"] == [[2]]


async def test_a_run_is_known_by_its_worker_and_version_too(db: DbBinding, ask: Ask) -> None:
    """Should two runs ever have one id, neither reaches nor ends what the other has open."""
    await run(ask, db, "CREATE TABLE t (id)")
    tx, _ = await ask(db, "begin", {"mode": "write"})
    for other in (
        Scope("two", "worker", "version", "production", "run-1"),
        Scope("one", "other", "version", "production", "run-1"),
        Scope("one", "worker", "other", "production", "run-1"),
    ):
        assert await refusal(db.call(Call(other, "execute", {"sql": "SELECT 1", "tx": tx}))) == "TRANSACTION_CLOSED"
        await db.end_run(other)
    await run(ask, db, "INSERT INTO t VALUES (1)", tx=tx)
    await ask(db, "commit", {"tx": tx})
    assert await count(ask, db) == 1


async def test_an_idle_transaction_is_rolled_back(make_db: Callable[..., Any], ask: Ask) -> None:
    async with make_db(DbLimits(lease_seconds=0.05)) as db:
        await run(ask, db, "CREATE TABLE t (id)")

        async def begun() -> Any:
            tx, _ = await ask(db, "begin", {"mode": "write"})
            await run(ask, db, "INSERT INTO t VALUES (1)", tx=tx)
            return tx

        tx = await patiently(begun)
        await run(ask, db, "INSERT INTO t VALUES (2)", run="waits for the lock")
        assert await refusal(run(ask, db, "SELECT 1", tx=tx)) == "TRANSACTION_TIMEOUT"
        assert (await run(ask, db, "SELECT id FROM t"))["r"] == [[2]]


async def test_a_transaction_may_not_stay_open_however_busy(make_db: Callable[..., Any], ask: Ask) -> None:
    async with make_db(DbLimits(transaction_seconds=0.1)) as db:
        tx, _ = await ask(db, "begin", {"mode": "write"})

        async def keep_busy() -> None:
            while True:
                await run(ask, db, "SELECT 1", tx=tx)

        with pytest.raises(BindingError, match="stay open"):
            await keep_busy()


async def test_a_project_may_open_so_many_transactions(make_db: Callable[..., Any], ask: Ask) -> None:
    async with make_db(DbLimits(project_transactions=2)) as db:
        opened = [(await ask(db, "begin", {"mode": "read"}, run=f"r{n}"))[0] for n in range(2)]
        assert await refusal(ask(db, "begin", {"mode": "read"})) == "TOO_MANY_TRANSACTIONS"
        await ask(db, "begin", {"mode": "read"}, project="two")
        await ask(db, "rollback", {"tx": opened[0]}, run="r0")
        await ask(db, "begin", {"mode": "read"})


async def test_a_statement_has_a_deadline(make_db: Callable[..., Any], ask: Ask) -> None:
    async with make_db(DbLimits(statement_seconds=0.2)) as db, asyncio.timeout(60):
        assert await refusal(run(ask, db, ENDLESS)) == "SQLITE_INTERRUPT"
        await patiently(lambda: run(ask, db, "CREATE TABLE IF NOT EXISTS t (id)"))
        assert await refusal(run(ask, db, f"INSERT INTO t {ENDLESS}")) == "SQLITE_INTERRUPT"

        async def wait_for_the_lock() -> str:
            tx, _ = await ask(db, "begin", {"mode": "write"})
            refused = await refusal(run(ask, db, "INSERT INTO t VALUES (1)", run="waits for the lock"))
            await run(ask, db, "INSERT INTO t VALUES (2)", tx=tx)
            await ask(db, "commit", {"tx": tx})
            return refused

        while (refused := await patiently(wait_for_the_lock)) == "SQLITE_INTERRUPT":
            pass  # the machine took so long to come to the lock
        assert refused == "SQLITE_BUSY"
        assert (await patiently(lambda: run(ask, db, "SELECT DISTINCT id FROM t")))["r"] == [[2]]


async def test_a_slow_query_holds_up_no_other(make_db: Callable[..., Any], db_backend: DbBackend, ask: Ask) -> None:
    if not db_backend.interrupts:
        pytest.skip(f"{db_backend.name} has no deadline for what waits")
    async with make_db(DbLimits(statement_seconds=600)) as db:
        await run(ask, db, "CREATE TABLE t (id)")
        await run(ask, db, "CREATE TABLE t (id)", project="two")
        slow = asyncio.create_task(run(ask, db, ENDLESS))
        slow_write = asyncio.create_task(run(ask, db, f"INSERT INTO t {ENDLESS}", project="two"))
        for _ in range(20):
            await count(ask, db)
            await run(ask, db, "INSERT INTO t VALUES (1)")
        assert not slow.done()
        assert not slow_write.done()
        slow.cancel()
        slow_write.cancel()
        await asyncio.gather(slow, slow_write, return_exceptions=True)


async def test_a_cancelled_call_stops_its_statement(
    make_db: Callable[..., Any], db_backend: DbBackend, ask: Ask
) -> None:
    if not db_backend.interrupts:
        pytest.skip(f"{db_backend.name} cannot stop a statement")
    async with make_db(DbLimits(statement_seconds=600)) as db:
        await run(ask, db, "CREATE TABLE t (id)")
        scope = Scope("one", "worker", "version", "production", "run-1")
        writing = asyncio.create_task(db.call(Call(scope, "execute", {"sql": f"INSERT INTO t {ENDLESS}"})))
        behind = asyncio.create_task(run(ask, db, "INSERT INTO t VALUES (1)"))
        await count(ask, db)  # both have been sent by now: the socket keeps their order
        assert not writing.done()
        writing.cancel()
        async with asyncio.timeout(60):  # well before the deadline of the first
            await behind
        assert await count(ask, db) == 1


async def test_foreign_keys_are_on(db: DbBinding, ask: Ask) -> None:
    for sql in ("CREATE TABLE p (id INTEGER PRIMARY KEY)", "CREATE TABLE c (p REFERENCES p ON DELETE CASCADE)"):
        await run(ask, db, sql)
    assert primary(await refusal(run(ask, db, "INSERT INTO c VALUES (7)"))) == "SQLITE_CONSTRAINT"
    await run(ask, db, "INSERT INTO p VALUES (7)")
    tx, _ = await ask(db, "begin", {"mode": "write"})
    await run(ask, db, "INSERT INTO c VALUES (7)", tx=tx)
    await run(ask, db, "DELETE FROM p", tx=tx)
    assert (await run(ask, db, "SELECT p FROM c", tx=tx))["r"] == []


async def test_a_migration_runs_with_foreign_keys_off(db: DbBinding, ask: Ask) -> None:
    await ask(
        db, "executeMultiple", {"sql": "CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE c (p REFERENCES p)"}
    )
    insert = ["INSERT INTO c VALUES (?)", [7]]
    assert (await refusal(ask(db, "batch", {"statements": [insert]}))).startswith("SQLITE_CONSTRAINT")
    results, _ = await ask(db, "migrate", {"statements": [insert, ["SELECT p FROM c", None]]})
    assert results[1]["r"] == [[7]]
    assert (await refusal(ask(db, "batch", {"statements": [insert]}))).startswith("SQLITE_CONSTRAINT")
    assert await refusal(ask(db, "migrate", {"statements": [["SELECT 1", None]] * 1001})) == "BATCH_TOO_LARGE"


async def test_other_databases_are_those_that_the_manifest_grants(db: DbBinding, ask: Ask) -> None:
    granted = Scope("one", "worker", "version", "production", "run-1", {"db": frozenset({"crm", "scratch-1"})})
    args = {"sql": "CREATE TABLE t (id)", "db": "crm"}
    await db.call(Call(granted, "execute", args))
    tx = (await db.call(Call(granted, "begin", {"db": "crm"}))).result
    await db.call(Call(granted, "execute", {"sql": "INSERT INTO t VALUES (1)", "tx": tx}))
    await db.call(Call(granted, "commit", {"tx": tx}))
    answer = await db.call(Call(granted, "execute", {"sql": "SELECT id FROM t", "db": "crm"}))
    assert answer.rows == 1
    with pytest.raises(BindingError, match=r"permissions\.databases"):
        await ask(db, "execute", args)
    for name in ("billing", "scratch-1"):
        assert await refusal(db.call(Call(granted, "execute", {"sql": "SELECT 1", "db": name}))) == (
            "DATABASE_NOT_GRANTED"
        )
    with pytest.raises(BindingError, match="no such table"):
        await db.call(Call(granted, "execute", {"sql": "SELECT id FROM t"}))  # the default one is another


async def test_the_meter_hears_of_rows_and_writes(db: DbBinding, ask: Ask) -> None:
    scope = Scope("one", "worker", "version", "production", "run-1")
    await run(ask, db, "CREATE TABLE t (id)")
    written = await db.call(Call(scope, "execute", {"sql": "INSERT INTO t VALUES (1), (2)"}))
    assert (written.rows, written.written) == (0, 2)
    both = [["SELECT id FROM t", None], ["DELETE FROM t RETURNING id", None]]
    answer = await db.call(Call(scope, "batch", {"statements": both}))
    assert (answer.rows, answer.written) == (4, 2)


async def test_a_result_has_a_largest_size(make_db: Callable[..., Any], ask: Ask) -> None:
    async with make_db(DbLimits(result_bytes=100_000)) as db:
        numbers = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT {}) SELECT x FROM c"
        assert len((await run(ask, db, numbers.format(1000)))["r"]) == 1000
        assert await refusal(run(ask, db, numbers.format(10**9))) == "RESPONSE_TOO_LARGE"
        large = ["SELECT zeroblob(40000)", None]
        await ask(db, "batch", {"statements": [large]})
        assert await refusal(ask(db, "batch", {"statements": [large, large]})) == "RESPONSE_TOO_LARGE"


async def test_a_database_has_a_largest_size(make_db: Callable[..., Any], db_backend: DbBackend, ask: Ask) -> None:
    if not db_backend.database_quota:
        pytest.skip(f"{db_backend.name} keeps no quota of the box's")
    async with make_db(DbLimits(database_bytes=200_000)) as db:
        await run(ask, db, "CREATE TABLE t (data)")
        await run(ask, db, "INSERT INTO t VALUES (zeroblob(100000))")
        assert await refusal(run(ask, db, "INSERT INTO t VALUES (zeroblob(200000))")) == "SQLITE_FULL"
        assert await refusal(run(ask, db, "PRAGMA max_page_count=1000000")) == "SQLITE_AUTH"
        assert await count(ask, db) == 1


async def test_projects_do_not_see_each_other(db: DbBinding, ask: Ask) -> None:
    await run(ask, db, "CREATE TABLE t (id)")
    with pytest.raises(BindingError, match="no such table"):
        await run(ask, db, "SELECT * FROM t", project="two")
    for name in ("other", "../one/default", "", "A", "default\n"):
        assert (await refusal(ask(db, "execute", {"sql": "SELECT 1", "db": name}))).startswith("DATABASE_")
    for project in ("..", "", "a/b", "A", "one\n"):
        assert await refusal(run(ask, db, "SELECT 1", project=project)) == "DATABASE_NAME_INVALID"


async def test_unknown_operations_and_arguments_are_refused(db: DbBinding, ask: Ask) -> None:
    assert await refusal(ask(db, "drop", {})) == "UNKNOWN_OPERATION"
    wrong: tuple[Any, ...] = (None, [], {}, {"sql": 5}, {"sql": "SELECT 1", "more": 1}, {"sql": "SELECT 1", "tx": "1"})
    for args in wrong:
        assert await refusal(ask(db, "execute", args)) == "ARGS_INVALID"
    assert await refusal(ask(db, "batch", {"statements": [["SELECT 1", None]] * 1001})) == "BATCH_TOO_LARGE"


async def test_it_is_healthy(db: DbBinding, ask: Ask) -> None:
    await db.health()
    await run(ask, db, "SELECT 1")
    await db.health()
