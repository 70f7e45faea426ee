"""What no input may do, whatever it is: hypothesis looks for one that does."""

from __future__ import annotations

import sqlite3
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tests.database.answers import data

from v8box.errors import BadRequest
from v8box.features.database.conditions import parse

TEXT = st.text(st.characters(codec="utf-8"), max_size=30)
PIECES = [
    *("(", ")", ";", "'", '"', "`", "[", "]", "--", "/*", "*/", "\n", " ", "?", "?1", ":a", "1", "=", "or", "and", "x"),
    *("1=1", "'a'", "') or (1=1", "1) --", "1 /*", "*/ 1", "union select 1", "limit 1", "''", "\x00", "#", "$a", "@b"),
]
WHERE = st.lists(st.one_of(st.sampled_from(PIECES), TEXT), max_size=12).map("".join)


@given(WHERE)
@settings(max_examples=300)
def test_a_condition_stays_in_its_brackets(where: str) -> None:
    """Whatever is accepted, SQLite reads as one expression: what stands behind it stays what it is."""
    try:
        condition = parse(where, [])
    except BadRequest:
        return
    with sqlite3.connect(":memory:") as connection:
        connection.execute("create table t (x)")
        connection.executemany("insert into t values (?)", [(1,), (2,), (3,)])
        try:
            plan = connection.execute(f"select x from t{condition.sql} and 0").fetchall()
        except (sqlite3.Error, sqlite3.Warning):
            return  # no expression: refused there
        assert plan == []
    connection.close()


NAMES = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)


@example(name="#", columns=["?"], value="")
@given(name=NAMES, columns=st.lists(NAMES, min_size=1, max_size=4), value=TEXT)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_any_name_is_one_identifier_or_refused(
    client: httpx.AsyncClient, name: str, columns: list[str], value: str
) -> None:
    definition = {"tableName": name, "columns": [{"name": column, "type": "TEXT"} for column in columns]}
    made = await client.post("databases/global/tables", json=definition)
    assert made.status_code in (201, 400, 409), made.text
    if made.status_code != 201:
        return
    try:
        listed = data(await client.get("databases/global/tables"))
        assert [each["name"] for each in listed] == [name]
        schema = data(await client.get("databases/global/schema"))
        assert [column["name"] for column in schema["tables"][0]["columns"]] == columns
        if "/" not in name and name not in (".", ".."):
            rows = f"databases/global/tables/{quote(name, safe='')}/rows"
            row = {column: f"{value}{number}" for number, column in enumerate(columns)}
            assert (await client.post(rows, json={"data": row})).status_code == 201
            [found] = data(await client.get(rows, params={"orderBy": columns[-1]}))["rows"]
            assert {column: found[column] for column in columns} == row
    finally:
        data(await client.delete("databases/global"))


@pytest.fixture
async def numbers(client: httpx.AsyncClient) -> httpx.AsyncClient:
    data(await client.post("query", json={"query": "create table n (id integer primary key, same, x)"}))
    rows: list[dict[str, Any]] = [{"same": number % 3, "x": -number} for number in range(50)]
    data(await client.post("databases/global/tables/n/rows", json={"data": rows}), 201)
    return client


@given(
    limit=st.integers(1, 60),
    by=st.sampled_from(["id", "same", "x", None]),
    order=st.sampled_from(["asc", "desc"]),
)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_pages_together_are_the_whole_in_one_order(
    numbers: httpx.AsyncClient, limit: int, by: str | None, order: str
) -> None:
    rows = "databases/global/tables/n/rows"
    params = {"order": order} | ({"orderBy": by} if by else {})
    whole = data(await numbers.get(rows, params={**params, "limit": 1000}))["rows"]
    paged: list[Any] = []
    while page := data(await numbers.get(rows, params={**params, "limit": limit, "offset": len(paged)}))["rows"]:
        assert len(page) <= limit
        paged += page
    assert paged == whole
    assert len({row["id"] for row in paged}) == 50
    values = [row[by or "id"] for row in paged]
    assert values == sorted(values, reverse=order == "desc")
