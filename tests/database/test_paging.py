"""Pages of a table by cursor: every row once, in order, from both ends, and without reading what lies before."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from v8box.bindings.db.interface import Database, Databases, Statement, View
from v8box.features.database import paging, rows
from v8box.features.database.conditions import EVERY_ROW, parse
from v8box.features.database.names import database_id
from v8box.features.database.paging import Page

TABLES = {
    "plain": "create table plain (id integer primary key, v, w text); create index plain_w on plain (w)",
    "named": "create table named (id text primary key, v, w text) without rowid; create index named_w on named (w)",
    "keyless": "create table keyless (id, v, w text)",
    "pair": "create table pair (id, v, w text, primary key (id, v))",
}
VALUES = [None, 3, 2**60, "ä 🦆", None, -1.5, 7.0, {"base64": "AP8="}, "", 3, 2**60 + 1, "x" * 3_000, "x" * 3_000 + "y"]


async def ask(client: httpx.AsyncClient, sql: str, *args: Any) -> list[dict[str, Any]]:
    answer = await client.post("query", json={"query": sql, "args": list(args)})
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["data"]["rows"]
    return found


async def search(client: httpx.AsyncClient, table: str, **body: Any) -> dict[str, Any]:
    answer = await client.post(f"databases/default/tables/{table}/rows/search", json=body)
    assert answer.status_code == 200, answer.text
    page: dict[str, Any] = answer.json()["data"]
    return page


async def filled(client: httpx.AsyncClient, table: str) -> None:
    for statement in TABLES[table].split("; "):
        await ask(client, statement)
    data = [
        {"id": f"k{n:02}" if table == "named" else n + 1, "v": v, "w": None if n % 3 else f"w{n % 4}"}
        for n, v in enumerate(VALUES)
    ]
    answer = await client.post(f"databases/default/tables/{table}/rows", json={"data": data})
    assert answer.status_code == 201, answer.text


@pytest.mark.parametrize("table", list(TABLES))
@pytest.mark.parametrize("by", [None, "id", "v", "w"])
@pytest.mark.parametrize("order", ["asc", "desc"])
async def test_every_row_once_from_both_ends(client: httpx.AsyncClient, table: str, by: str | None, order: str) -> None:
    await filled(client, table)
    asked = {"orderBy": by, "order": order}
    whole = (await search(client, table, **asked, limit=1000))["rows"]
    assert len(whole) == len(VALUES)
    for limit in (1, 4, len(VALUES)):
        forwards: list[Any] = []
        page = await search(client, table, **asked, limit=limit)
        assert page["previous"] is None
        forwards += page["rows"]
        while page["next"] is not None:
            page = await search(client, table, **asked, limit=limit, cursor=page["next"])
            forwards += page["rows"]
        assert forwards == whole
        backwards: list[Any] = []
        page = await search(client, table, **asked, limit=limit, backwards=True)
        assert page["next"] is None
        backwards = page["rows"] + backwards
        while page["previous"] is not None:
            page = await search(client, table, **asked, limit=limit, cursor=page["previous"], backwards=True)
            backwards = page["rows"] + backwards
        assert backwards == whole


async def test_there_and_back_with_a_condition_and_a_count(client: httpx.AsyncClient) -> None:
    await ask(client, "create table t (id integer primary key, a integer)")
    await ask(
        client,
        "insert into t with recursive n(i) as (select 1 union all select i + 1 from n where i < 500)"
        " select i, i % 7 from n",
    )
    asked = {"where": "a <> ?", "whereArgs": [3], "orderBy": "a", "limit": 50}
    first = await search(client, "t", **asked, count=True)
    assert (first["total"], first["totalIsExact"]) == (428, True)
    second = await search(client, "t", **asked, cursor=first["next"])
    again = await search(client, "t", **asked, cursor=second["previous"], backwards=True)
    assert again["rows"] == first["rows"]
    assert (await search(client, "t", **asked, cursor=again["next"]))["rows"] == second["rows"]


async def test_a_count_is_bounded(client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    await filled(client, "plain")
    monkeypatch.setattr(paging, "COUNTED_ROWS", 5)
    page = await search(client, "plain", where="id > 0", count=True)
    assert (page["total"], page["totalIsExact"]) == (5, False)
    assert (await search(client, "plain", count=True))["total"] == len(VALUES)


@pytest.mark.parametrize("cursor", ["", "x", "bm8", "WzEsMiwzLDRd", "W3RydWVd", "W3siaSI6WzFdfV0", "x" * 5_000])
async def test_what_is_no_cursor(client: httpx.AsyncClient, cursor: str) -> None:
    await filled(client, "plain")
    body = {"cursor": cursor}
    answer = await client.post("databases/default/tables/plain/rows/search", json=body)
    assert answer.status_code == 400, answer.text


async def test_where_no_cursor_can_be(client: httpx.AsyncClient) -> None:
    await filled(client, "plain")
    await ask(client, "create view seen as select w, v from plain")
    page = await search(client, "seen", limit=2)
    assert (page["next"], page["previous"], page["idColumn"]) == (None, None, None)
    for body in ({"backwards": True}, {"cursor": "WzFd"}):
        assert (await client.post("databases/default/tables/seen/rows/search", json=body)).status_code == 400
    both = {"offset": 5, "backwards": True}
    assert (await client.post("databases/default/tables/plain/rows/search", json=both)).status_code == 400


async def test_a_row_that_is_gone_is_said_of_a_long_value(client: httpx.AsyncClient) -> None:
    await filled(client, "plain")
    page = await search(client, "plain", orderBy="v", where="v like 'xx%'", limit=1)
    await ask(client, "delete from plain where id = 12")
    body = {"orderBy": "v", "cursor": page["next"]}
    answer = await client.post("databases/default/tables/plain/rows/search", json=body)
    assert (answer.status_code, "is gone" in answer.json()["error"]) == (400, True)


async def test_far_into_an_order_without_an_index(client: httpx.AsyncClient) -> None:
    await ask(client, "create table t (id integer primary key, a integer)")
    await ask(
        client,
        "insert into t with recursive n(i) as (select 1 union all select i + 1 from n where i < 6000)"
        " select i, 6000 - i from n",
    )
    page = await search(client, "t", orderBy="a", offset=5_990, limit=5)
    assert [each["a"] for each in page["rows"]] == [5990, 5991, 5992, 5993, 5994]


class Recording:
    """A database that keeps what it was asked."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.statements: list[Statement] = []

    async def execute(self, statement: Statement) -> Any:
        self.statements.append(statement)
        return await self._database.execute(statement)

    async def batch(self, statements: Any, mode: Any) -> Any:
        return await self._database.batch(statements, mode)


@pytest.mark.parametrize(
    ("by", "where"), [(None, None), ("id", None), ("city", None), ("city", "city >= 'c'"), (None, "amount > 2")]
)
@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("backwards", [False, True])
async def test_a_page_in_the_order_of_a_key_or_index_reads_no_more_than_it_shows(
    client: httpx.AsyncClient, databases: Databases, by: str | None, where: str | None, order: Any, backwards: bool
) -> None:
    await ask(client, "create table t (id integer primary key, city text, amount real)")
    await ask(client, "create index t_city on t (city)")
    await ask(
        client,
        "insert into t with recursive n(i) as (select 1 union all select i + 1 from n where i < 2000)"
        " select i, 'c' || (i % 20), i from n",
    )
    recording: Any = Recording(databases.open(database_id("default", "default"), View(admin=True)))
    condition = EVERY_ROW if where is None else parse(where, [])
    first = await rows.read(recording, "t", Page(limit=50, offset=1_000, order_by=by, order=order), condition)
    recording.statements.clear()
    cursor = first["previous"] if backwards else first["next"]
    page = Page(limit=50, order_by=by, order=order, cursor=cursor, backwards=backwards)
    assert len((await rows.read(recording, "t", page, condition))["rows"]) == 50
    asked = [each for each in recording.statements if "limit 50" in each.sql]
    assert len(asked) == 1  # full at the first phase
    plan = await ask(client, f"explain query plan {asked[0].sql}", *(asked[0].args or []))
    details = [str(each["detail"]) for each in plan]
    assert [each for each in details if "TEMP B-TREE" in each] == [], json.dumps(details)
    assert all(each.startswith("SEARCH") for each in details), json.dumps(details)
