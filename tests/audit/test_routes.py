"""The audit log over the API: who sees what, filters, pages, files, and the look through the chain."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from tests.api.conftest import As, client_of, problem, user

from v8box.api.access import EVERY_PROJECT, Role
from v8box.api.app import build_api
from v8box.features.audit import AuditLog, store
from v8box.features.audit.routes import build_router
from v8box.storage import Database
from v8box.telemetry import audit
from v8box.telemetry.actors import BOX, Actor, ActorKind
from v8box.telemetry.audit import Event

ADA = Actor(kind=ActorKind.USER, id="u1", name="ada", address="192.0.2.1", request_id="r-7")


@pytest.fixture
async def log(database: Database) -> Database:
    """Five entries, 1 to 5."""
    await audit.open_audit(database)
    for action, resource, project, actor, after in (
        ("box.start", "box", None, BOX, None),
        ("worker.deploy", "worker/hello", "shop", ADA, {"version": "abc"}),
        ("worker.delete", "worker/hello-2", "shop", ADA, None),
        ("secret.set", "worker/hello/KEY", "other", BOX, "••••••"),
        ("user.create", "user/=cmd|' /C calc'!A0", None, ADA, {"name": "@Bob"}),
    ):
        event = Event(action=action, resource=resource, project=project, actor=actor, after=after)
        await audit.record(database, event)
    return database


@pytest.fixture
async def app(log: Database) -> As:
    return As(build_api([build_router(AuditLog(log))]))


@pytest.fixture
async def client(app: As) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(app) as client:
        yield client


async def numbers(client: httpx.AsyncClient, **query: Any) -> list[int]:
    response = await client.get("/audit", params=query)
    assert response.status_code == 200, response.text
    return [each["number"] for each in response.json()["items"]]


async def test_an_entry_has_everything(client: httpx.AsyncClient) -> None:
    entry = (await client.get("/audit", params={"action": "worker.deploy"})).json()["items"][0]
    assert entry.pop("at").endswith("Z")
    assert len(entry.pop("hash")) == len(entry.pop("previous")) == 64
    assert entry == {
        "number": 2,
        "project": "shop",
        "actor": {"kind": "user", "id": "u1", "name": "ada"},
        "address": "192.0.2.1",
        "request_id": "r-7",
        "action": "worker.deploy",
        "resource": "worker/hello",
        "before": None,
        "after": {"version": "abc"},
    }


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, [5, 4, 3, 2, 1]),
        ({"project": "shop"}, [3, 2]),
        ({"project": "nope"}, []),
        ({"actor": "ada"}, [5, 3, 2]),
        ({"actor": "u1"}, [5, 3, 2]),
        ({"action": "worker."}, [3, 2]),
        ({"action": "worker.delete"}, [3]),
        ({"action": "orker"}, []),
        ({"action": "%"}, []),
        ({"resource": "worker/hello"}, [4, 2]),
        ({"resource": "worker"}, [4, 3, 2]),
        ({"resource": "worker/hell"}, []),
        ({"text": "ABC"}, [2]),
        ({"text": "bob"}, [5]),
        ({"text": "%"}, []),
        ({"since": "2020-01-01T00:00:00Z"}, [5, 4, 3, 2, 1]),
        ({"since": "2999-01-01"}, []),
        ({"until": "2020-01-01T00:00:00+02:00"}, []),
        ({"actor": "ada", "action": "worker.", "text": "hello-2"}, [3]),
    ],
)
async def test_filters(client: httpx.AsyncClient, query: dict[str, str], found: list[int]) -> None:
    assert await numbers(client, **query) == found


@pytest.mark.parametrize(
    "query",
    [
        {"since": "yesterday"},
        {"since": "0001-01-01T00:00:00+14:00"},
        {"text": "x" * 201},
        {"cursor": "1"},
        {"limit": 0},
    ],
)
async def test_a_filter_that_means_nothing_is_refused(client: httpx.AsyncClient, query: dict[str, Any]) -> None:
    problem(await client.get("/audit", params=query), 400, "bad_request")


@pytest.mark.parametrize("stretch", [1, 2, 5_000])
async def test_pages_follow_one_another_also_through_what_does_not_match(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, stretch: int
) -> None:
    monkeypatch.setattr(store, "STRETCH", stretch)
    monkeypatch.setattr(store, "MOST_STRETCHES", 1)
    for query, expected in (({}, [5, 4, 3, 2, 1]), ({"action": "worker."}, [3, 2]), ({"action": "box"}, [1])):
        seen: list[int] = []
        cursor: dict[str, str] = {}
        for _ in range(20):
            page = (await client.get("/audit", params={"limit": 2, **query, **cursor})).json()
            seen += [each["number"] for each in page["items"]]
            if page["next_cursor"] is None:
                break
            cursor = {"cursor": page["next_cursor"]}
        assert seen == expected


async def test_who_sees_what(client: httpx.AsyncClient, app: As) -> None:
    app.principal = user("adam", {"shop": Role.ADMIN, "other": Role.DEVELOPER})
    assert await numbers(client) == [3, 2]
    assert await numbers(client, project="shop") == [3, 2]
    problem(await client.get("/audit?project=other"), 403, "forbidden")
    problem(await client.get("/audit/verify"), 403, "forbidden")
    app.principal = user("dan", {"shop": Role.DEVELOPER, EVERY_PROJECT: Role.VIEWER})
    problem(await client.get("/audit"), 403, "forbidden")
    problem(await client.get("/audit/export"), 403, "forbidden")
    app.principal = user("root", {EVERY_PROJECT: Role.OWNER}, project="other")
    assert await numbers(client) == [4]
    problem(await client.get("/audit?project=shop"), 403, "forbidden")


async def test_the_log_as_json_lines(client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "STRETCH", 2)
    response = await client.get("/audit/export?action=worker.")
    assert response.headers["content-type"] == "application/jsonl"
    assert response.headers["content-disposition"] == 'attachment; filename="audit.jsonl"'
    lines = [json.loads(line) for line in response.text.splitlines()]
    assert [(line["number"], line["actor"]["name"]) for line in lines] == [(2, "ada"), (3, "ada")]
    assert await numbers(client, action="audit.export") == [6]


async def test_a_spreadsheet_runs_nothing_of_the_log(client: httpx.AsyncClient, log: Database) -> None:
    bad = Actor(kind=ActorKind.USER, id="+1", name="-2", address="@SUM(A1)", request_id="\t=1")
    await audit.record(log, Event(action="=1+1", resource="\r=2", actor=bad, before="=3", after=-4))
    response = await client.get("/audit/export?format=csv")
    assert response.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(response.text, newline="")))
    assert [row["number"] for row in rows] == ["1", "2", "3", "4", "5", "6", "7"]
    row = rows[5]
    assert (row["action"], row["actor_id"], row["actor_name"]) == ("'=1+1", "'+1", "'-2")
    assert (row["address"], row["request_id"], row["resource"]) == ("'@SUM(A1)", "'\t=1", "'\r=2")
    assert (row["before"], row["after"]) == ('"=3"', "'-4")
    assert rows[4]["after"] == '{"name":"@Bob"}'


async def test_a_look_through_the_chain(client: httpx.AsyncClient, log: Database) -> None:
    body = (await client.get("/audit/verify")).json()
    assert (body["ok"], body["entries"], body["head"], body["first_bad"]) == (True, 5, 5, None)
    await log.write(lambda sql: sql.execute("update audit set action = 'worker.x' where number = 3"))
    body = (await client.get("/audit/verify")).json()
    assert (body["ok"], body["first_bad"], body["reason"]) == (False, 3, "it was altered")
