"""Saved queries: kept per project and database, shared by the members, and gone with what they belong to."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.fakes.principals import signed_in, somebody

from v8box.api.access import Role
from v8box.api.app import build_api
from v8box.bindings.db.interface import DatabaseId
from v8box.features.saved_queries import SavedQueries, service
from v8box.features.saved_queries.routes import build_router
from v8box.storage import Database
from v8box.telemetry import audit

QUERIES = "saved-queries"


class OneDatabase:
    """All that the routes ask of databases."""

    async def exists(self, database: DatabaseId) -> bool:
        return database == DatabaseId("default", "crm")


async def exists(project: str) -> bool:
    return project in ("default", "acme")


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = await Database.open(tmp_path / "catalog.db")
    await audit.open_audit(opened)
    yield opened
    await opened.close()


@pytest.fixture
async def queries(database: Database) -> SavedQueries:
    return await SavedQueries.open(database)


@pytest.fixture
async def client(queries: SavedQueries) -> AsyncIterator[httpx.AsyncClient]:
    databases: Any = OneDatabase()
    app = build_api([build_router(queries, databases)], project_exists=exists)
    base = "http://box/api/v1/projects/default/"
    async with httpx.AsyncClient(transport=httpx.ASGITransport(signed_in(app)), base_url=base) as made:
        yield made


async def save(client: httpx.AsyncClient, name: str = "best 🦆", **body: Any) -> httpx.Response:
    return await client.post(QUERIES, json={"name": name, "sql": "select 1", **body})


async def test_a_query_is_kept_changed_and_deleted(client: httpx.AsyncClient, database: Database) -> None:
    made = await save(client, database="crm")
    assert made.status_code == 201, made.text
    query = made.json()
    assert made.headers["location"] == f"/api/v1/projects/default/saved-queries/{query['id']}"
    assert (query["database"], query["name"], query["sql"]) == ("crm", "best 🦆", "select 1")
    assert query["created_by"] == query["updated_by"] != ""
    shown = await client.get(f"{QUERIES}/{query['id']}")
    assert (shown.json(), shown.headers["etag"]) == (query, made.headers["etag"])

    changed = await client.patch(
        f"{QUERIES}/{query['id']}", json={"sql": "select 2"}, headers={"if-match": shown.headers["etag"]}
    )
    assert (changed.status_code, changed.json()["sql"], changed.json()["name"]) == (200, "select 2", "best 🦆")
    late = await client.patch(
        f"{QUERIES}/{query['id']}", json={"sql": "select 3"}, headers={"if-match": shown.headers["etag"]}
    )
    assert (late.status_code, late.json()["code"]) == (412, "precondition_failed")
    renamed = await client.patch(f"{QUERIES}/{query['id']}", json={"name": "other"})
    assert (renamed.json()["name"], renamed.json()["sql"]) == ("other", "select 2")
    assert (await client.patch(f"{QUERIES}/{query['id']}", json={"name": "other"})).json() == renamed.json()

    assert (await client.delete(f"{QUERIES}/{query['id']}")).status_code == 204
    for gone in (client.get, client.delete):
        assert (await gone(f"{QUERIES}/{query['id']}")).json()["code"] == "saved_query_not_found"
    rows = await database.read(lambda sql: sql.rows("select action from audit order by number"))
    assert [str(row[0]) for row in rows] == [
        "saved_query.create",
        "saved_query.change",
        "saved_query.change",
        "saved_query.delete",
    ]


async def test_names_are_unique_in_their_database(client: httpx.AsyncClient) -> None:
    first = (await save(client, "a")).json()
    assert first["database"] == "default"
    for again in (await save(client, "a"), await save(client, "a", database="global")):
        assert (again.status_code, again.json()["code"]) == (409, "saved_query_exists")
    assert (await save(client, "a", database="crm")).status_code == 201
    other = (await save(client, "b")).json()
    taken = await client.patch(f"{QUERIES}/{other['id']}", json={"name": "a"})
    assert taken.json()["code"] == "saved_query_exists"
    listed = (await client.get(QUERIES, params={"database": "global"})).json()["items"]
    assert [each["name"] for each in listed] == ["a", "b"]
    page = (await client.get(QUERIES, params={"limit": 2})).json()
    rest = (await client.get(QUERIES, params={"limit": 2, "cursor": page["next_cursor"]})).json()
    found = [(each["database"], each["name"]) for each in page["items"] + rest["items"]]
    assert found == [("crm", "a"), ("default", "a"), ("default", "b")]


@pytest.mark.parametrize(
    "body",
    [
        {"name": ""},
        {"name": " a"},
        {"name": "a\nb"},
        {"name": "x" * 101},
        {"sql": ""},
        {"sql": "x" * 100_001},
        {"sql": None},
        {"database": "../x"},
        {"database": "scratch-1"},
        {"owner": "me"},
    ],
)
async def test_nonsense_is_refused(client: httpx.AsyncClient, body: dict[str, Any]) -> None:
    assert (await client.post(QUERIES, json={"name": "a", "sql": "select 1", **body})).status_code == 400
    assert (await client.get(QUERIES)).json()["items"] == []


async def test_where_there_is_no_such_database_or_project(client: httpx.AsyncClient) -> None:
    assert (await save(client, database="nope")).status_code == 404
    assert (await client.get(f"http://box/api/v1/projects/nope/{QUERIES}")).status_code == 404


async def test_another_projects_query_is_not_found(client: httpx.AsyncClient) -> None:
    query = (await save(client)).json()
    other = f"http://box/api/v1/projects/acme/{QUERIES}/{query['id']}"
    for answer in (await client.get(other), await client.patch(other, json={"sql": "x"}), await client.delete(other)):
        assert answer.status_code == 404
    assert (await client.get(QUERIES)).json()["items"] == [query]


async def test_a_project_has_no_end_of_them_neither(
    client: httpx.AsyncClient, queries: SavedQueries, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "MOST_PER_PROJECT", 2)
    for name in ("a", "b"):
        assert (await save(client, name)).status_code == 201
    assert (await save(client, "c")).json()["code"] == "too_many_saved_queries"
    assert (await save(client, "c", database="crm")).status_code == 429
    await queries.forget_database("default", "default")
    assert (await save(client, "c", database="crm")).status_code == 201
    await queries.forget_project("acme")
    assert len(await queries.list("default")) == 1
    await queries.forget_project("default")
    assert await queries.list("default") == []


async def test_who_may_only_view_does(queries: SavedQueries) -> None:
    databases: Any = OneDatabase()
    app = build_api([build_router(queries, databases)], project_exists=exists)
    base = "http://box/api/v1/projects/default/"
    viewer = somebody(Role.VIEWER)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(signed_in(app, viewer)), base_url=base) as looking:
        assert (await looking.get(QUERIES)).status_code == 200
        assert (await save(looking)).status_code == 403
