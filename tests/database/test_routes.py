"""The founding product's routes, as its clients call them."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import httpx
import pytest
from tests.database.answers import data, error

from v8box.bindings.db.embedded import EmbeddedDatabases
from v8box.bindings.db.interface import Databases

USERS = {
    "tableName": "users",
    "columns": [
        {"name": "id", "type": "INTEGER", "primaryKey": True, "autoIncrement": True},
        {"name": "name", "type": "TEXT", "nullable": False},
        {"name": "email", "type": "VARCHAR(100)", "unique": True},
        {"name": "score", "type": "REAL", "default": 1.5},
        {"name": "made", "type": "TEXT", "default": "current_timestamp"},
        {"name": "note", "type": "TEXT", "default": "it's"},
    ],
}


@pytest.fixture
async def users(client: httpx.AsyncClient) -> httpx.AsyncClient:
    data(await client.post("databases/global/tables", json=USERS), 201)
    people = [{"name": name, "email": f"{name}@x"} for name in ("Ada", "Bob", "Cyd")]
    data(await client.post("databases/global/tables/users/rows", json={"data": people}), 201)
    return client


async def test_databases_come_and_go(client: httpx.AsyncClient) -> None:
    assert [(each["name"], each["default"]) for each in data(await client.get("databases"))] == [("default", True)]
    assert data(await client.post("databases", json={"name": "crm"}), 201)["name"] == "crm"
    error(await client.post("databases", json={"name": "crm"}), 409, "DATABASE_EXISTS")
    for name in ("global", "default"):
        error(await client.post("databases", json={"name": name}), 409, "DATABASE_EXISTS")
    data(await client.post("query/crm", json={"query": "create table t (x)"}))
    listed = {each["name"]: each["sizeBytes"] for each in data(await client.get("databases"))}
    assert set(listed) == {"crm", "default"}
    assert listed["crm"] > 0
    assert data(await client.delete("databases/crm")) == {"deleted": "crm"}
    error(await client.delete("databases/crm"), 404, "DATABASE_NOT_FOUND")
    error(await client.get("databases/crm/tables"), 404, "DATABASE_NOT_FOUND")
    assert [each["name"] for each in data(await client.get("databases"))] == ["default"]


async def test_the_default_database_has_two_names_and_is_emptied_rather_than_deleted(users: httpx.AsyncClient) -> None:
    tables = data(await users.get("databases/default/tables"))
    assert tables == data(await users.get("databases/global/tables"))
    assert [each["name"] for each in tables] == ["users"]
    data(await users.delete("databases/global"))
    assert data(await users.get("databases/global/tables")) == []


@pytest.mark.parametrize("name", ["", "A", "../x", "a b", "x" * 64, "é", "-a", "a/b", 'a"b', "a.db"])
async def test_what_cannot_name_a_database(client: httpx.AsyncClient, name: str) -> None:
    error(await client.post("databases", json={"name": name}), 400, "bad_request")


async def test_the_platforms_own_databases_are_not_to_be_had(client: httpx.AsyncClient) -> None:
    error(await client.post("databases", json={"name": "scratch-1"}), 404, "DATABASE_NOT_FOUND")
    error(await client.get("databases/scratch-1/tables"), 404, "DATABASE_NOT_FOUND")


async def test_a_table_is_made_as_it_was_described(users: httpx.AsyncClient) -> None:
    row = data(await users.get("databases/global/tables/users/rows/1"))
    assert (row["id"], row["name"], row["score"], row["note"]) == (1, "Ada", 1.5, "it's")
    assert row["made"].startswith("20")
    rows = "databases/global/tables/users/rows"
    error(await users.post(rows, json={"data": {"name": None}}), 400, "SQLITE_CONSTRAINT_NOTNULL")
    error(await users.post(rows, json={"data": {"name": "x", "email": "Ada@x"}}), 409, "SQLITE_CONSTRAINT_UNIQUE")
    error(await users.post("databases/global/tables", json=USERS), 409, "TABLE_EXISTS")
    [table] = data(await users.get("databases/global/tables"))
    assert (table["name"], table["type"], table["columns"]) == ("users", "table", 6)
    assert data(await users.delete("databases/global/tables/users")) == {"deleted": "users"}
    error(await users.delete("databases/global/tables/users"), 404, "TABLE_NOT_FOUND")


async def test_a_table_with_a_key_of_two_columns(client: httpx.AsyncClient) -> None:
    columns = [
        {"name": "a", "type": "TEXT", "primaryKey": True},
        {"name": "b", "type": "DECIMAL(10, 2)", "primaryKey": True},
    ]
    made = data(await client.post("databases/global/tables", json={"tableName": "p", "columns": columns}), 201)
    assert 'primary key ("a", "b")' in made["sql"]
    rows = "databases/global/tables/p/rows"
    error(await client.post(rows, json={"data": {"a": "x"}}), 400, "SQLITE_CONSTRAINT_NOTNULL")
    data(await client.post(rows, json={"data": {"a": "x", "b": 1}}), 201)
    page = data(await client.get(rows))
    assert page["idColumn"] == "rowid"
    assert page["rows"] == [{"rowid": 1, "a": "x", "b": 1}]
    assert data(await client.get(f"{rows}/1")) == {"rowid": 1, "a": "x", "b": 1}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"tableName": "sqlite_x"}, "reserved"),
        ({"tableName": "_V8box_migrations"}, "reserved"),
        ({"tableName": ""}, "cannot be a table"),
        ({"tableName": "a\nb"}, "cannot be a table"),
        ({"columns": []}, "columns"),
        ({"columns": [{"name": "a"}, {"name": "A"}]}, "Two columns"),
        ({"columns": [{"name": "a", "type": "TEXT, b TEXT"}]}, "no type"),
        ({"columns": [{"name": "a", "type": "TEXT); drop table x; --"}]}, "no type"),
        ({"columns": [{"name": "a", "type": "INTEGER PRIMARY KEY"}]}, "no type"),
        ({"columns": [{"name": "a", "type": "TEXT DEFAULT x"}]}, "no type"),
        ({"columns": [{"name": "a", "type": "TEXT", "primaryKey": True, "autoIncrement": True}]}, "autoIncrement"),
        ({"columns": [{"name": "a", "default": 2**63}]}, "64 bits"),
        ({"columns": [{"name": "a", "default": {"sql": "1"}}]}, "default"),
        ({"columns": [{"name": "a", "nulable": True}]}, "nulable"),
    ],
)
async def test_what_does_not_make_a_table(client: httpx.AsyncClient, change: dict[str, Any], told: str) -> None:
    assert told in error(await client.post("databases/global/tables", json={**USERS, **change}), 400, "bad_request")
    assert data(await client.get("databases/global/tables")) == []


async def test_rows_page_by_page_in_a_fixed_order(users: httpx.AsyncClient) -> None:
    rows = "databases/global/tables/users/rows"
    page = data(await users.get(rows, params={"limit": 2, "offset": 1, "orderBy": "name", "order": "desc", "count": 1}))
    assert [row["name"] for row in page["rows"]] == ["Bob", "Ada"]
    assert (page["limit"], page["offset"], page["total"], page["idColumn"]) == (2, 1, 3, "id")
    assert data(await users.get(rows, params={"limit": 2, "offset": 3}))["rows"] == []
    assert "total" not in data(await users.get(rows))
    error(await users.get(rows, params={"orderBy": "nope"}), 404, "COLUMN_NOT_FOUND")
    error(await users.get(rows, params={"orderBy": "name; drop table users"}), 404, "COLUMN_NOT_FOUND")
    for params in ({"limit": 0}, {"limit": 1001}, {"offset": -1}, {"limit": "x"}, {"order": "up"}, {"offset": 2**60}):
        error(await users.get(rows, params=params), 400, "bad_request")
    error(await users.get("databases/global/tables/nope/rows"), 404, "TABLE_NOT_FOUND")


async def test_rows_by_condition(users: httpx.AsyncClient) -> None:
    rows = "databases/global/tables/users/rows"
    found = data(await users.post(f"{rows}/search", json={"where": "name > ? and id < ?", "whereArgs": ["Ada", 3]}))
    assert [row["name"] for row in found["rows"]] == ["Bob"]
    body = {"where": "name like ?", "whereArgs": ["%"], "orderBy": "name", "order": "desc", "limit": 1, "count": True}
    found = data(await users.post(f"{rows}/search", json=body))
    assert ([row["name"] for row in found["rows"]], found["total"]) == (["Cyd"], 3)
    assert len(data(await users.post(f"{rows}/search", json={}))["rows"]) == 3

    changed = data(await users.put(rows, json={"data": {"score": 9}, "where": "name <> ?", "whereArgs": ["Ada"]}))
    assert changed == {"rowsAffected": 2}
    deleted = data(await users.request("DELETE", rows, json={"where": "score = ? -- all of them", "whereArgs": [9]}))
    assert deleted == {"rowsAffected": 2}
    assert [row["name"] for row in data(await users.get(rows))["rows"]] == ["Ada"]


async def test_changing_every_row_has_to_be_said(users: httpx.AsyncClient) -> None:
    rows = "databases/global/tables/users/rows"
    for where in ({}, {"where": None}, {"where": ""}, {"where": "  "}, {"where": "-- all"}, {"where": "/* all */"}):
        error(await users.put(rows, json={"data": {"score": 0}, **where}), 400, "bad_request")
        error(await users.request("DELETE", rows, json=where), 400, "bad_request")
    assert data(await users.request("DELETE", rows, json={"where": "1 = 1"})) == {"rowsAffected": 3}


async def test_one_row_by_its_key(users: httpx.AsyncClient) -> None:
    row = "databases/global/tables/users/rows/2"
    assert data(await users.get(row))["name"] == "Bob"
    assert data(await users.put(row, json={"data": {"name": "Rob"}})) == {"rowsAffected": 1}
    assert data(await users.get(row))["name"] == "Rob"
    assert data(await users.delete(row)) == {"rowsAffected": 1}
    for answer in (await users.get(row), await users.delete(row), await users.put(row, json={"data": {"name": "x"}})):
        assert "'2'" in error(answer, 404, "ROW_NOT_FOUND")
    error(await users.put("databases/global/tables/users/rows/1", json={"data": {}}), 400, "bad_request")
    error(await users.put("databases/global/tables/users/rows/1", json={"data": {"nope": 1}}), 404, "COLUMN_NOT_FOUND")
    error(await users.get("databases/global/tables/users/rows/1 or 1=1"), 404, "ROW_NOT_FOUND")


@pytest.mark.parametrize(
    ("columns", "keys"),
    [
        ("(k text primary key)", ["a/b", "1", "it's", "ä", "?", "%2F", "a b", "x", "x\n", "a\nb"]),
        ("(k primary key)", [5, "five", 2.5]),
        ("(k blob primary key)", ["abc"]),
        ("(k varchar(9) primary key) without rowid", ["x"]),
        ("(k any primary key) strict", ["x"]),
        ("(k numeric primary key)", [7, "x"]),
    ],
)
async def test_keys_of_every_kind_name_their_rows(client: httpx.AsyncClient, columns: str, keys: list[Any]) -> None:
    data(await client.post("query", json={"query": f"create table t {columns}"}))
    for key in keys:
        data(await client.post("databases/global/tables/t/rows", json={"data": {"k": key}}), 201)
        address = f"databases/global/tables/t/rows/{quote(str(key), safe='')}"
        assert data(await client.get(address)) == {"k": key}
        assert data(await client.put(address, json={"data": {"k": key}})) == {"rowsAffected": 1}
    for key in keys:
        address = f"databases/global/tables/t/rows/{quote(str(key), safe='')}"
        assert data(await client.delete(address)) == {"rowsAffected": 1}


async def test_a_table_whose_rows_have_no_name(client: httpx.AsyncClient) -> None:
    data(await client.post("query", json={"query": "create table pair (a, b, primary key (a, b)) without rowid"}))
    data(await client.post("query", json={"query": "create view v as select 1 as x"}))
    for table in ("pair", "v"):
        assert "where" in error(await client.get(f"databases/global/tables/{table}/rows/1"), 400, "bad_request")
        assert data(await client.get(f"databases/global/tables/{table}/rows"))["idColumn"] is None
    error(await client.post("databases/global/tables/v/rows", json={"data": {"x": 1}}), 400, "SQLITE_ERROR")
    assert data(await client.delete("databases/global/tables/v")) == {"deleted": "v"}


async def test_a_column_called_rowid_does_not_hide_the_rows(client: httpx.AsyncClient) -> None:
    data(await client.post("query", json={"query": 'create table t ("rowid" text, _ROWID_ text)'}))
    data(await client.post("databases/global/tables/t/rows", json={"data": {"rowid": "7"}}), 201)
    page = data(await client.get("databases/global/tables/t/rows"))
    assert (page["idColumn"], page["rows"]) == ("oid", [{"oid": 1, "rowid": "7", "_ROWID_": None}])
    assert data(await client.get("databases/global/tables/t/rows/1"))["rowid"] == "7"


async def test_inserting_many_is_all_or_nothing(users: httpx.AsyncClient) -> None:
    rows = "databases/global/tables/users/rows"
    inserted = data(await users.post(rows, json={"data": [{"name": "D"}, {"name": "E"}]}), 201)
    assert inserted == {"rowsAffected": 2, "lastInsertRowid": 5}
    body = {"data": [{"name": "F"}, {"name": "G", "email": "Ada@x"}]}
    error(await users.post(rows, json=body), 409, "SQLITE_CONSTRAINT_UNIQUE")
    assert data(await users.get(rows, params={"count": True}))["total"] == 5
    error(await users.post(rows, json={"data": []}), 400, "bad_request")
    error(await users.post(rows, json={"data": {}}), 400, "SQLITE_CONSTRAINT_NOTNULL")


async def test_values_come_back_exactly(client: httpx.AsyncClient, databases: Databases) -> None:
    data(await client.post("query", json={"query": "create table v (id integer primary key, v)"}))
    rows = "databases/global/tables/v/rows"
    cases: list[tuple[Any, Any]] = [
        *((None, None), (True, 1), (False, 0), (0, 0), (-5, -5), (2**53 - 1, 2**53 - 1), (2**53, str(2**53))),
        *((2**63 - 1, str(2**63 - 1)), (-(2**63), str(-(2**63))), (1.5, 1.5), (2.0, 2.0), (1e300, 1e300)),
        *(("", ""), ("a\x00b", "a\x00b"), ("😀", "😀"), ({"base64": "AP8="}, {"base64": "AP8="})),
        ({"base64": ""}, {"base64": ""}),
    ]
    for given, expected in cases:
        made = data(await client.post(rows, json={"data": {"v": given}}), 201)
        assert data(await client.get(f"{rows}/{made['lastInsertRowid']}"))["v"] == expected
    kinds = data(await client.post("query", json={"query": "select distinct typeof(v) as k from v where v = 2.0"}))
    assert kinds["rows"] == [{"k": "real"}]
    infinite = data(await client.post("query", json={"query": "select 9e999 as a, -9e999 as b"}))
    told = ("Infinity", "-Infinity") if isinstance(databases, EmbeddedDatabases) else ("NaN", "NaN")
    assert infinite["rows"] == [{"a": told[0], "b": told[1]}]


@pytest.mark.parametrize("value", [2**63, [1], {"base64": "?"}, {"base64": 1}, {"a": 1}, {"base64": "", "x": 1}])
async def test_what_is_no_value_is_refused_with_its_place(users: httpx.AsyncClient, value: Any) -> None:
    rows = "databases/global/tables/users/rows"
    assert "data.name" in error(await users.post(rows, json={"data": {"name": value}}), 400, "bad_request")
    body = {"where": "name = ?", "whereArgs": [value]}
    assert "whereArgs" in error(await users.post(f"{rows}/search", json=body), 400, "bad_request")
    assert "args[0]" in error(
        await users.post("query", json={"query": "select ?", "args": [value]}), 400, "bad_request"
    )


async def test_json_that_python_takes_and_others_do_not(users: httpx.AsyncClient) -> None:
    headers = {"content-type": "application/json"}
    for number in ("NaN", "Infinity", "-Infinity"):
        body = f'{{"query": "select ?", "args": [{number}]}}'
        error(await users.post("query", content=body, headers=headers), 400, "bad_request")


async def test_queries(users: httpx.AsyncClient) -> None:
    for address, body in (
        ("query/global", {}),
        ("query/default", {}),
        ("query", {}),
        ("query", {"database": "global"}),
        ("query/global", {"database": "global"}),
    ):
        answer = data(await users.post(address, json={"query": "select id, name from users where id = 1", **body}))
        assert (answer["columns"], answer["rows"]) == (["id", "name"], [{"id": 1, "name": "Ada"}])
    answer = data(await users.post("query", json={"query": "select 1 as a, 2 as a, 3 as a"}))
    assert answer["rows"] == [{"a": 1, "a:1": 2, "a:2": 3}]
    answer = data(await users.post("query", json={"query": "select :x as x", "args": {"x": 7}}))
    assert answer["rows"] == [{"x": 7}]
    answer = data(await users.post("query", json={"query": "insert into users (name) values (?)", "args": ["Z"]}))
    assert (answer["rowsAffected"], answer["lastInsertRowid"], answer["rows"]) == (1, 4, [])
    error(await users.post("query/crm", json={"query": "select 1"}), 404, "DATABASE_NOT_FOUND")
    error(await users.post("query/global", json={"query": "select 1", "database": "crm"}), 400, "bad_request")


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        ("selec 1", "SQLITE_ERROR"),
        ("select * from nope", "SQLITE_ERROR"),
        ("select 1; drop table users", "SQL_MANY_STATEMENTS"),
        ("", "SQL_NO_STATEMENT"),
        ("-- nothing", "SQL_NO_STATEMENT"),
        ("select ?", "ARGS_INVALID"),
        ("attach 'x' as y", "SQLITE_AUTH"),
        ("pragma journal_mode = delete", "SQLITE_AUTH"),
        ("begin", "SQLITE_AUTH"),
        ("select load_extension('x')", "SQLITE_ERROR"),
    ],
)
async def test_bad_sql_is_the_callers_fault(users: httpx.AsyncClient, sql: str, code: str) -> None:
    response = await users.post("query", json={"query": sql})
    assert response.status_code == 400, response.json()
    assert response.json()["code"] in (code, "SQLITE_AUTH")
    assert [each["name"] for each in data(await users.get("databases/global/tables"))] == ["users"]


async def test_a_result_that_is_too_large_is_refused(client: httpx.AsyncClient) -> None:
    query = "with recursive n(i) as (select 1 union all select i + 1 from n limit 30) select zeroblob(900000) from n"
    error(await client.post("query", json={"query": query}), 413, "RESPONSE_TOO_LARGE")
    large = "with recursive n(i) as (select 1 union all select i + 1 from n limit 50000) select i from n"
    assert len(data(await client.post("query", json={"query": large}))["rows"]) == 50_000


async def test_a_table_whose_name_has_slashes(client: httpx.AsyncClient) -> None:
    name = "<b>odd</b> 🦆/x"
    made = {"tableName": name, "columns": [{"name": "id", "type": "integer", "primaryKey": True}, {"name": "a"}]}
    assert (await client.post("databases/default/tables", json=made)).status_code == 201
    assert (await client.post("databases/default/tables", json={**made, "tableName": "<b>odd<"})).status_code == 201
    base = f"databases/default/tables/{quote(name, safe='')}"
    assert (await client.post(f"{base}/rows", json={"data": {"id": 1, "a": "x/rows/y"}})).status_code == 201
    assert (await client.put(f"{base}/rows/1", json={"data": {"a": "z"}})).status_code == 200
    found = await client.post(f"{base}/rows/search", json={})
    assert found.json()["data"]["rows"] == [{"id": 1, "a": "z"}]
    assert (await client.get(f"{base}/export")).text == "id,a\r\n1,z\r\n"
    # Asked to delete rows without saying which, nothing is dropped.
    assert (await client.request("DELETE", f"{base}/rows", json={})).status_code == 400
    assert (await client.post(f"{base}/rows/search", json={})).status_code == 200
    plain = "databases/default/tables/" + quote("<b>odd<", safe="")
    assert (await client.delete(plain)).status_code == 200
    gone = await client.post(f"{plain}/rows/search", json={})
    assert gone.status_code == 404
