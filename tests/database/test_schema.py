"""The structure for screens, and that the OpenAPI document's models are what really comes."""

from __future__ import annotations

from urllib.parse import quote

import httpx
from tests.database.answers import data, error

from v8box.bindings.db.embedded import EmbeddedDatabases
from v8box.bindings.db.interface import Databases, DbLimits
from v8box.features.database.schemas import DatabaseSchema, MigrationReport, QueryAnswer, RowPage, TableEntry

STATEMENTS = [
    "create table teams (id integer primary key, name text not null unique)",
    "create table players (team int references teams on delete cascade, number int, name text default 'x', "
    "upper text generated always as (upper(name)), primary key (team, number)) strict, without rowid",
    "create index by_name on players (name desc, lower(name)) where name is not null",
    "create view v as select name from teams",
    "create view broken as select nope from gone",
    "create virtual table docs using fts5(body)",
    "create trigger tr after insert on teams begin delete from players; end",
    "insert into teams (name) values ('a'), ('b')",
]


async def test_the_whole_structure(client: httpx.AsyncClient) -> None:
    for statement in STATEMENTS:
        data(await client.post("query", json={"query": statement}))
    found = data(await client.get("databases/global/schema"))
    schema = DatabaseSchema.model_validate(found)
    tables = {table.name: table for table in schema.tables}
    assert set(tables) == {"teams", "players", "docs"}
    assert (tables["teams"].rowCount, tables["teams"].rowCountIsExact) == (2, True)
    players = tables["players"]
    assert (players.strict, players.withoutRowid) == (True, True)
    assert [(column.name, column.type, column.primaryKey, column.nullable) for column in players.columns] == [
        ("team", "INT", 1, False),
        ("number", "INT", 2, False),
        ("name", "TEXT", 0, True),
        ("upper", "TEXT", 0, True),
    ]
    assert [column.default for column in players.columns] == [None, None, "'x'", None]
    assert [column.generated for column in players.columns] == [False, False, False, True]
    [key] = players.foreignKeys
    assert (key.table, key.columns, key.references, key.onDelete) == ("teams", ["team"], [None], "CASCADE")
    index = next(index for index in players.indexes if index.name == "by_name")
    assert (index.unique, index.partial, index.origin) == (False, True, "c")
    assert [(part.name, part.descending) for part in index.columns] == [("name", True), (None, False)]
    views = {view.name: view for view in schema.views}
    assert views["v"].error is None
    assert [column.name for column in views["v"].columns] == ["name"]
    assert "gone" in (views["broken"].error or "")
    assert [(trigger.name, trigger.table) for trigger in schema.triggers] == [("tr", "teams")]
    assert schema.sizeBytes > 0
    without = data(await client.get("databases/global/schema", params={"counts": False}))
    assert {table["rowCount"] for table in without["tables"]} == {None}
    for entry in data(await client.get("databases/global/tables")):
        TableEntry.model_validate(entry)


async def test_an_empty_database_has_an_empty_structure(client: httpx.AsyncClient) -> None:
    schema = DatabaseSchema.model_validate(data(await client.get("databases/global/schema")))
    assert (schema.tables, schema.views, schema.triggers) == ([], [], [])
    error(await client.get("databases/nope/schema"), 404, "DATABASE_NOT_FOUND")


async def test_any_name_that_sqlite_takes_is_shown(client: httpx.AsyncClient) -> None:
    """Whatever a worker has called its tables: one odd name must not hide the others."""
    names = ["line\nend", "👩\u200d🚀", "nbsp\u00a0", "x" * 200, "a/b", "tab\t", '"']
    for name in names:
        quoted = name.replace('"', '""')
        data(
            await client.post("query", json={"query": f'create table "{quoted}" (id integer primary key, "{quoted}")'})
        )
        address = f"databases/global/tables/{quote(name, safe='')}/rows"
        data(await client.post(address, json={"data": {name: "v"}}), 201)
        [row] = data(await client.post(f"{address}/search", json={"orderBy": name, "count": True}))["rows"]
        assert row == {"id": 1, name: "v"}
        assert data(await client.put(f"{address}/1", json={"data": {name: "w"}})) == {"rowsAffected": 1}
    schema = DatabaseSchema.model_validate(data(await client.get("databases/global/schema")))
    assert {table.name: table.rowCount for table in schema.tables} == dict.fromkeys(names, 1)
    for name in names:
        data(await client.delete(f"databases/global/tables/{quote(name, safe='')}"))
    # What is made here is to be read and typed by people.
    for name in ("line\nend", "", "x" * 129):
        made = {"tableName": name, "columns": [{"name": "a", "type": "TEXT"}]}
        assert (await client.post("databases/global/tables", json=made)).status_code == 400
    joined = {"tableName": "👩\u200d🚀", "columns": [{"name": "a", "type": "TEXT"}]}
    assert (await client.post("databases/global/tables", json=joined)).status_code == 201


async def test_counting_is_bounded(client: httpx.AsyncClient) -> None:
    data(await client.post("query", json={"query": "create table big (x)"}))
    fill = "insert into big with recursive n(i) as (select 1 union all select i + 1 from n limit 10001) select i from n"
    data(await client.post("query", json={"query": fill}))
    [table] = data(await client.get("databases/global/schema"))["tables"]
    assert (table["rowCount"], table["rowCountIsExact"]) == (10_000, False)


async def test_the_documents_models_are_what_comes(client: httpx.AsyncClient) -> None:
    QueryAnswer.model_validate(data(await client.post("query", json={"query": "select 1 as a"})))
    data(await client.post("query", json={"query": "create table t (x)"}))
    RowPage.model_validate(data(await client.get("databases/global/tables/t/rows", params={"count": True})))
    report = data(await client.post("databases/global/migrations", json={"migrations": [], "dryRun": True}))
    MigrationReport.model_validate(report)


async def test_how_large_a_database_may_grow(client: httpx.AsyncClient, databases: Databases) -> None:
    found = (await client.get("databases/default/schema")).json()["data"]
    bound = DbLimits().database_bytes if isinstance(databases, EmbeddedDatabases) else None
    if bound is not None:
        assert bound - 65_536 < found["maxBytes"] <= bound
    assert found["sizeBytes"] < (found["maxBytes"] or 2**60)
