"""Migrations over HTTP on real databases: whole or not there, once however many ask, undone, tried on a copy."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from tests.database.answers import data, error
from tests.database.conftest import made_application
from tests.fakes.current import Current

from v8box.bindings.db.interface import Databases

MIGRATIONS = "databases/global/migrations"
ONE: dict[str, Any] = {
    "number": 1,
    "name": "users",
    "sql": "create table users (id integer primary key)",
    "down": "drop table users",
}
TWO: dict[str, Any] = {
    "number": 2,
    "name": "mail",
    "sql": "alter table users add mail text;\ncreate index m on users (mail);",
    "down": "drop index m; alter table users drop column mail",
}


@pytest.fixture
def served() -> tuple[FastAPI, Current]:
    """Each test's own: who waits for a dry run to end waits in the test's event loop."""
    return made_application()


async def migrate(client: httpx.AsyncClient, *migrations: dict[str, Any], dry: bool = False) -> httpx.Response:
    return await client.post(MIGRATIONS, json={"migrations": list(migrations), "dryRun": dry})


async def tables(client: httpx.AsyncClient) -> list[str]:
    return [each["name"] for each in data(await client.get("databases/global/tables"))]


async def applied(client: httpx.AsyncClient) -> list[int]:
    return [each["number"] for each in data(await client.get(MIGRATIONS))]


async def test_what_is_pending_is_applied_in_order(client: httpx.AsyncClient) -> None:
    assert data(await client.get(MIGRATIONS)) == []
    first = data(await migrate(client, TWO, ONE))
    assert first == {"dryRun": False, "migrations": ["0001_users.sql", "0002_mail.sql"], "schemaChanges": None}
    assert data(await migrate(client, ONE, TWO))["migrations"] == []
    history = data(await client.get(MIGRATIONS))
    assert [(each["number"], each["name"], each["reversible"]) for each in history] == [
        (1, "users", True),
        (2, "mail", True),
    ]
    assert history[0]["appliedAt"].endswith("Z")
    assert await tables(client) == ["users"]


async def test_a_migration_that_fails_is_not_there_and_is_named_with_its_line(client: httpx.AsyncClient) -> None:
    broken = {"number": 3, "name": "broken", "sql": "create table a (x);\n\ninsert into a values (1);\ncreate tabel b;"}
    response = await migrate(client, ONE, TWO, broken)
    told = error(response, 400, "SQLITE_ERROR")
    assert told.startswith("0003_broken.sql, line 4: ")
    assert response.json()["details"] == {"file": "0003_broken.sql", "line": 4}
    assert await applied(client) == [1, 2]
    assert await tables(client) == ["users"]


async def test_a_migration_may_be_long_and_has_no_transactions_of_its_own(client: httpx.AsyncClient) -> None:
    inserts = "".join(f"insert into users (id) values ({number});\n" for number in range(1, 1_501))
    data(await migrate(client, {**ONE, "sql": ONE["sql"] + ";\n" + inserts}))
    counted = data(await client.post("query", json={"query": "select count(*) as n from users"}))
    assert counted["rows"] == [{"n": 1_500}]
    for statement in ("commit", "rollback", "begin"):
        other = {"number": 2, "name": "own", "sql": f"create table b (x);\n{statement};\ncreate table c (x)"}
        response = await client.post(
            MIGRATIONS, json={"migrations": [{**ONE, "sql": ONE["sql"] + ";\n" + inserts}, other]}
        )
        assert "0002_own.sql, line 2" in error(response, 400, "SQLITE_AUTH")
    assert await tables(client) == ["users"]


async def test_drift_is_refused(client: httpx.AsyncClient) -> None:
    data(await migrate(client, ONE, TWO))
    error(await migrate(client, {**ONE, "sql": "create table users (id)"}, TWO), 409, "migration_drift")
    error(await migrate(client, ONE), 409, "migration_drift")
    error(await migrate(client, ONE, {**ONE, "name": "again"}), 400, "migration_fault")
    error(await migrate(client, {**ONE, "number": 0}), 400, "bad_request")
    error(await migrate(client, {**ONE, "name": "a b"}), 400, "bad_request")
    error(await migrate(client, {**ONE, "name": "a\n"}), 400, "bad_request")
    assert await applied(client) == [1, 2]


async def test_a_dry_run_tells_what_would_be_and_leaves_no_trace(
    client: httpx.AsyncClient, databases: Databases
) -> None:
    data(await migrate(client, ONE))
    report = data(await migrate(client, ONE, TWO, dry=True))
    assert (report["dryRun"], report["migrations"]) == (True, ["0002_mail.sql"])
    changes = {(each["change"], each["type"], each["name"]) for each in report["schemaChanges"]}
    assert changes == {("created", "index", "m"), ("changed", "table", "users")}
    changed = next(each for each in report["schemaChanges"] if each["change"] == "changed")
    assert "mail" not in changed["before"]
    assert "mail" in changed["after"]
    broken = {"number": 2, "name": "bad", "sql": "nope"}
    assert "0002_bad.sql, line 1" in error(await migrate(client, ONE, broken, dry=True), 400, "SQLITE_ERROR")
    assert await applied(client) == [1]
    assert [each.name for each in await databases.names("default")] == ["default"]
    undone = data(await client.post(f"{MIGRATIONS}/rollback", json={"dryRun": True}))
    assert [(each["change"], each["name"]) for each in undone["schemaChanges"]] == [("dropped", "users")]
    assert await applied(client) == [1]


async def test_undoing(client: httpx.AsyncClient) -> None:
    data(await migrate(client, ONE, TWO))
    assert data(await client.post(f"{MIGRATIONS}/rollback", json={}))["migrations"] == ["0002_mail.sql"]
    assert await applied(client) == [1]
    error(await client.post(f"{MIGRATIONS}/rollback", json={"steps": 2}), 400, "migration_fault")
    data(await migrate(client, ONE, TWO))
    undone = data(await client.post(f"{MIGRATIONS}/rollback", json={"steps": 2}))
    assert undone["migrations"] == ["0002_mail.sql", "0001_users.sql"]
    assert await tables(client) == []


async def test_what_has_no_way_back_stops_the_whole_undoing(client: httpx.AsyncClient) -> None:
    data(await migrate(client, {**ONE, "down": None}, TWO))
    told = error(await client.post(f"{MIGRATIONS}/rollback", json={"steps": 2}), 400, "migration_fault")
    assert "0001_users.sql was applied without a .down.sql" in told
    assert await applied(client) == [1, 2]
    fails = {"number": 3, "name": "c", "sql": "create table c (x)", "down": "drop table c;\ndrop table nope"}
    data(await migrate(client, {**ONE, "down": None}, TWO, fails))
    told = error(await client.post(f"{MIGRATIONS}/rollback", json={"steps": 2}), 400, "SQLITE_ERROR")
    assert told.startswith("0003_c.down.sql, line 2")
    assert await applied(client) == [1, 2, 3]


async def test_many_who_migrate_at_once_apply_each_once(client: httpx.AsyncClient) -> None:
    many = [
        {"number": number, "name": "m", "sql": f"create table t{number} (x); insert into t1 values ({number})"}
        for number in range(1, 11)
    ]
    answers = await asyncio.gather(*(migrate(client, *many) for _ in range(5)))
    done = [file for answer in answers for file in data(answer)["migrations"]]
    assert sorted(done) == sorted({f"{number:04}_m.sql" for number in range(1, 11)})
    counted = data(await client.post("query", json={"query": "select count(*) as n from t1"}))
    assert counted["rows"] == [{"n": 10}]


async def test_the_history_is_no_table_like_others(client: httpx.AsyncClient) -> None:
    data(await migrate(client, ONE))
    assert await tables(client) == ["users"]
    history = "databases/global/tables/_v8box_migrations"
    error(await client.delete(history), 400, "bad_request")
    error(await client.post(f"{history}/rows", json={"data": {"number": 9}}), 400, "bad_request")
    error(await client.request("DELETE", f"{history}/rows", json={"where": "1"}), 400, "bad_request")
    assert data(await client.get(f"{history}/rows"))["rows"][0]["name"] == "users"


async def test_migrations_of_a_database_of_its_own(client: httpx.AsyncClient) -> None:
    error(await client.post("databases/crm/migrations", json={"migrations": [ONE]}), 404, "DATABASE_NOT_FOUND")
    data(await client.post("databases", json={"name": "crm"}), 201)
    data(await client.post("databases/crm/migrations", json={"migrations": [ONE]}))
    assert await tables(client) == []
    assert [each["name"] for each in data(await client.get("databases/crm/tables"))] == ["users"]


async def test_a_client_that_leaves_leaves_no_half_migration(client: httpx.AsyncClient, databases: Databases) -> None:
    numbers = "with recursive n(i) as (select 1 union all select i + 1 from n limit 3000000) select i from n"
    slow = f"create table s as {numbers}"
    for dry in (False, True):
        asking = asyncio.create_task(migrate(client, {"number": 1, "name": "slow", "sql": slow}, dry=dry))
        await asyncio.sleep(0)
        while not asking.done() and not (await client.get("databases")).is_success:
            pass
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        assert await applied(client) == []
        assert await tables(client) == []
        assert [each.name for each in await databases.names("default")] == ["default"]
