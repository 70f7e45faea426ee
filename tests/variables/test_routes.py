"""`/api/v1/projects/{project}/variables` and `/api/v1/encryption`: who may, what is shown, what is never shown."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from types import MappingProxyType
from typing import Any

import httpx
import pytest
from tests.fakes.principals import any_project

from v8box.api.access import EVERY_PROJECT, Principal, Role, Scope, nobody
from v8box.api.app import build_api
from v8box.api.asgi import ASGIApp, Receive, Send
from v8box.api.asgi import Scope as AsgiScope
from v8box.api.idempotency import Idempotency
from v8box.catalog.model import Manifest
from v8box.catalog.variables import Variables
from v8box.features.variables import encryption_routes, routes
from v8box.storage import Database
from v8box.storage.encryption import Encryption
from v8box.telemetry import audit
from v8box.telemetry.actors import Actor, ActorKind

SECRET = "hunter2!hunter2!"
URL = "/api/v1/projects/shop/variables"
_TABLES = "select name from sqlite_schema where type = 'table'"
HERE = {"worker": "hello", "environment": "production"}


def somebody(role: Role | None = Role.DEVELOPER, *scopes: Scope, project: str = "shop") -> Principal:
    actor = Actor(kind=ActorKind.USER, id="u1", name="ada", request_id="r-1")
    roles = {} if role is None else {project: role}
    return Principal(actor=actor, user="u1", roles=roles, scopes=frozenset(scopes or Scope))


class As:
    """Every request comes from this principal."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.principal = somebody()

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        scope["principal"] = self.principal
        await self.app(scope, receive, send)


class Box:
    def __init__(self, database: Database, encryption: Encryption, variables: Variables, app: As) -> None:
        self.database = database
        self.encryption = encryption
        self.variables = variables
        self.app = app
        self.client = httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://localhost")
        self.shown: list[str] = []

    async def call(self, method: str, path: str = "", status: int = 200, **options: Any) -> Any:
        """The answer, which must have this status; what was shown is kept."""
        address = path if path.startswith("/api") else URL + path
        response = await self.client.request(method, address, **options)
        self.shown.append(f"{response.headers} {response.text}")
        assert response.status_code == status, response.text
        self.etag = response.headers.get("etag")
        return response.json() if response.content else None

    async def set(self, name: str, value: str, *, secret: bool | None = None, **level: str) -> Any:
        body = {"value": value} if secret is None else {"value": value, "secret": secret}
        response = await self.client.put(f"{URL}/{name}", json=body, params=level)
        assert response.is_success, response.text
        return response.json()


@pytest.fixture
async def box(tmp_path: Path) -> AsyncIterator[Box]:
    database = await Database.open(tmp_path / "catalog.db")
    await audit.open_audit(database)
    encryption = await Encryption.open(database, tmp_path / "keys")
    variables = await Variables.open(database, encryption)
    idempotency = await Idempotency.open(database)
    env = MappingProxyType({"GREETING": "hi", "API_TOKEN": "", "REGION": "eu"})

    def manifest(project: str, environment: str, worker: str) -> Manifest | None:
        return Manifest(entry="hello.ts", env=env) if (project, worker) == ("shop", "hello") else None

    routers = [routes.build_router(variables, manifest), encryption_routes.build_router(encryption)]
    box = Box(
        database, encryption, variables, As(build_api(routers, idempotency=idempotency, project_exists=any_project))
    )
    yield box
    await box.client.aclose()
    await idempotency.close()
    await database.close()


# ---- one at a time


async def test_a_plain_variable_is_shown_and_a_secret_never(box: Box) -> None:
    made = await box.call("PUT", "/GREETING", 201, json={"value": "hi"}, params=HERE)
    assert made.pop("updated_at").endswith("Z")
    assert made == {
        **{"name": "GREETING", "worker": "hello", "environment": "production", "secret": False, "value": "hi"},
        **{"version": 1, "updated_by": "ada"},
    }
    made = await box.call("PUT", "/TOKEN", 201, json={"value": SECRET, "secret": True}, params=HERE)
    assert (made["value"], made["secret"]) == (None, True)
    made = await box.call("PUT", "/TOKEN", json={"value": f"{SECRET}2"}, params=HERE)
    assert (made["value"], made["secret"], made["version"]) == (None, True, 2)
    listed = await box.call("GET", params=HERE)
    assert [(each["name"], each["value"]) for each in listed["items"]] == [("GREETING", "hi"), ("TOKEN", None)]
    assert (await box.call("GET"))["items"] == []
    everything = await box.call("GET", params={"every_level": "true"})
    assert [each["name"] for each in everything["items"]] == ["GREETING", "TOKEN"]
    await box.call("DELETE", "/TOKEN", 204, params=HERE)
    await box.call("DELETE", "/TOKEN", 404, params=HERE)
    assert not [text for text in box.shown if SECRET in text]


async def test_versions_and_rollback(box: Box) -> None:
    for value in ("one", "two"):
        await box.set("A", value)
    await box.set("A", SECRET, secret=True)
    versions = await box.call("GET", "/A/versions")
    assert [(each["version"], each["value"], each["current"]) for each in versions["items"]] == [
        *((3, None, True), (2, None, False), (1, None, False)),
    ]
    back = await box.call("POST", "/A/rollback", json={"version": 1})
    assert (back["version"], back["value"], back["secret"]) == (4, None, True)
    assert await box.variables.resolve("shop", "production", "x") == {"A": "one"}
    await box.call("POST", "/A/rollback", 404, json={"version": 9})
    await box.call("GET", "/B/versions", 404)


async def test_the_effective_view_tells_sources_and_what_is_missing(box: Box) -> None:
    await box.set("GREETING", "of the project")
    await box.set("GREETING", SECRET, secret=True, worker="hello")
    found = await box.call("GET", params={"effective": "true", "worker": "hello"})
    assert found["items"] == [
        {
            **{"name": "API_TOKEN", "secret": False, "value": None, "source": None, "missing": True},
            "overrides": [],
        },
        {
            **{"name": "GREETING", "secret": True, "value": None, "source": "worker", "missing": False},
            "overrides": ["project", "manifest"],
        },
        {
            **{"name": "REGION", "secret": False, "value": "eu", "source": "manifest", "missing": False},
            "overrides": [],
        },
    ]
    found = await box.call("GET", params={"effective": "true", "worker": "other", "environment": "staging"})
    assert [(each["name"], each["value"]) for each in found["items"]] == [("GREETING", "of the project")]
    await box.call("GET", "", 400, params={"effective": "true"})


# ---- many at once


async def test_many_at_once_or_none(box: Box) -> None:
    await box.set("OLD", "x")
    body = {"variables": {"A": "1", "B": {"value": SECRET, "secret": True}, "OLD": None}}
    assert await box.call("POST", json=body) == {"set": ["A", "B"], "unchanged": [], "deleted": ["OLD"]}
    assert box.etag == '"2"'
    assert await box.call("POST", json=body["variables"] and {"variables": {"A": "1"}}) == {
        **{"set": [], "unchanged": ["A"], "deleted": []},
    }
    bad = {"variables": {"A": "2", "LD_PRELOAD": "x", "C": "\0"}}
    refused = await box.call("POST", "", 400, json=bad)
    assert refused["code"] == "bad_variables"
    assert refused["detail"].startswith("Nothing was changed: ")
    assert await box.variables.resolve("shop", "production", "x") == {"A": "1", "B": SECRET}
    assert await box.call("POST", json={"variables": {"C": "3"}}, params={"replace": "true"}) == {
        **{"set": ["C"], "unchanged": [], "deleted": ["A", "B"]},
    }


@pytest.mark.parametrize("secret", [None, "true", "false"])
async def test_an_env_file(box: Box, secret: str | None) -> None:
    text = f"# mine\nTOKEN='{SECRET}'\nHOME_PAGE=$TOKEN\n"
    params = {} if secret is None else {"secret": secret}
    headers = {"content-type": "text/plain; charset=utf-8"}
    done = await box.call("POST", content=text, headers=headers, params=params)
    assert done["set"] == ["TOKEN", "HOME_PAGE"]
    assert await box.variables.resolve("shop", "production", "x") == {"TOKEN": SECRET, "HOME_PAGE": "$TOKEN"}
    listed = await box.call("GET")
    assert {each["secret"] for each in listed["items"]} == {secret != "false"}
    refused = await box.call("POST", "", 400, content=f"A=1\n{SECRET}\n", headers=headers)
    assert "line 2" in refused["detail"]
    assert SECRET not in refused["detail"]
    assert "A" not in await box.variables.resolve("shop", "production", "x")


@pytest.mark.parametrize(
    ("options", "status"),
    [
        ({"content": b"{"}, 400),
        ({"json": {}}, 400),
        ({"json": {"variables": {"A": 1}}}, 400),
        ({"json": {"variables": {"A": {"value": "x", "sekret": True}}}}, 400),
        ({"json": {"variables": {"A": {"value": SECRET * 2_000}}}}, 400),
        ({"json": {"variables": [SECRET]}}, 400),
        ({"content": b"a=b", "headers": {"content-type": "application/x-www-form-urlencoded"}}, 415),
        ({"content": b"a=b"}, 415),
        ({"content": b"\xff", "headers": {"content-type": "text/plain"}}, 400),
    ],
)
async def test_bodies_that_are_none(box: Box, options: dict[str, Any], status: int) -> None:
    if options.get("content") == b"{":
        options["headers"] = {"content-type": "application/json"}
    refused = await box.call("POST", "", status, **options)
    assert refused["type"].startswith("urn:v8box:error:")
    assert SECRET not in str(refused)
    assert (await box.call("GET"))["items"] == []


@pytest.mark.parametrize(
    ("path", "params"),
    [
        ("/1A", {}),
        ("/V8BOX_WORKER", {}),
        ("/A%00", {}),
        ("/A", {"worker": "../x"}),
        ("/A", {"environment": "a--b"}),
        ("/A", {"worker": ""}),
    ],
)
async def test_names_that_are_none(box: Box, path: str, params: dict[str, str]) -> None:
    await box.call("PUT", path, 400, json={"value": SECRET}, params=params)
    assert SECRET not in box.shown[0]


# ---- two at once


async def test_who_has_not_seen_the_last_change_is_told(box: Box) -> None:
    await box.set("A", "1")
    await box.call("GET")
    etag = box.etag
    assert etag == '"1"'
    await box.call("PUT", "/A", json={"value": "2"}, headers={"if-match": etag})
    for method, path, options in (
        ("PUT", "/A", {"json": {"value": "3"}}),
        ("POST", "", {"json": {"variables": {"A": "3"}}}),
        ("DELETE", "/A", {}),
        ("POST", "/A/rollback", {"json": {"version": 1}}),
    ):
        refused = await box.call(method, path, 412, headers={"if-match": etag}, **options)
        assert refused["code"] == "precondition_failed"
    answers = await asyncio.gather(
        *(
            box.client.put(f"{URL}/A", json={"value": f"writer {number}"}, headers={"if-match": '"2"'})
            for number in range(6)
        )
    )
    assert sorted(each.status_code for each in answers) == [200, 412, 412, 412, 412, 412]


# ---- who may


async def test_viewers_see_names_and_no_values(box: Box) -> None:
    await box.set("A", "plain-value", worker="hello")
    for principal in (somebody(Role.VIEWER), somebody(Role.OWNER, Scope.READ)):
        box.app.principal = principal
        for path, params in (
            ("", {"worker": "hello"}),
            ("", {"every_level": "true"}),
            ("", {"worker": "hello", "effective": "true"}),
            ("/A/versions", {"worker": "hello"}),
        ):
            items = (await box.call("GET", path, params=params))["items"]
            assert items
            assert {each["value"] for each in items} == {None}
        await box.call("PUT", "/A", 403, json={"value": "x"})
    assert not [text for text in box.shown if "plain-value" in text]


@pytest.mark.parametrize(
    ("principal", "status"),
    [
        (nobody(), 401),
        (somebody(None), 403),
        (somebody(Role.OWNER, project="blog"), 403),
        (somebody(Role.VIEWER), 403),
        (somebody(Role.OWNER, Scope.READ, Scope.DEPLOY, Scope.DATA, Scope.ADMIN), 403),
    ],
)
async def test_who_may_not_change_changes_nothing(box: Box, principal: Principal, status: int) -> None:
    await box.set("A", "1")
    box.app.principal = principal
    for method, path, options in (
        ("PUT", "/A", {"json": {"value": "3"}}),
        ("POST", "", {"json": {"variables": {"A": "3"}}}),
        ("POST", "", {"content": "A=3", "headers": {"content-type": "text/plain"}}),
        ("DELETE", "/A", {}),
        ("POST", "/A/rollback", {"json": {"version": 1}}),
    ):
        await box.call(method, path, status, **options)
    assert await box.variables.resolve("shop", "production", "x") == {"A": "1"}


# ---- what is left behind


async def test_a_secret_is_in_no_answer_no_log_and_no_audit_entry(box: Box, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    key = {"idempotency-key": "k1"}
    await box.call("PUT", "/A", 201, json={"value": SECRET, "secret": True})
    await box.call("PUT", "/A", json={"value": f"{SECRET}2"})
    await box.call("POST", "/A/rollback", json={"version": 1}, headers=key)
    await box.call("POST", "/A/rollback", json={"version": 1}, headers=key)
    await box.call("POST", json={"variables": {"B": {"value": SECRET, "secret": True}}})
    await box.call("POST", "", 400, json={"variables": {"B": f"{SECRET}\0"}})
    await box.call("PUT", "/C", 400, json={"value": SECRET, "sekret": True})
    await box.call("GET")
    await box.call("GET", "/A/versions")
    assert SECRET not in caplog.text
    assert not [text for text in box.shown if SECRET in text]
    dump = await box.database.read(lambda sql: [sql.rows(f"select * from {name!s}") for (name,) in sql.rows(_TABLES)])
    assert SECRET not in repr(dump)
    rows = await box.database.read(lambda sql: sql.rows("select * from audit order by number"))
    events = [audit.read(row).event for row in rows]
    assert [event.action for event in events] == [*["variable.set"] * 2, "variable.rollback", "variable.set"]
    assert {event.after["value"] for event in events} == {audit.MASK}
    assert {event.actor.request_id for event in events} == {"r-1"}


# ---- keys


async def test_the_boxs_key_is_shown_by_its_id_and_replaced(box: Box, tmp_path: Path) -> None:
    await box.set("A", SECRET, secret=True)
    box.app.principal = somebody(Role.OWNER, project=EVERY_PROJECT)
    before = await box.call("GET", "/api/v1/encryption")
    assert (before["source"], before["data_keys"]) == ("file", 1)
    rotated = await box.call("POST", "/api/v1/encryption/rotate", json={"data_keys": True})
    assert rotated == {"key_id": rotated["key_id"], "rewrapped": 1, "new_data_keys": 1, "resealed": 1}
    assert rotated["key_id"] != before["key_id"]
    assert (await box.call("GET", "/api/v1/encryption"))["key_id"] == rotated["key_id"]
    await box.call("POST", "/api/v1/encryption/rotate", 400, json={"master_key": False})
    assert await box.variables.resolve("shop", "production", "x") == {"A": SECRET}
    assert (tmp_path / "keys" / "master.key").read_text().strip() not in "".join(box.shown)
    row = await box.database.read(lambda sql: sql.row("select * from audit order by number desc limit 1"))
    assert row is not None
    event = audit.read(row).event
    assert (event.action, event.before["key_id"], event.after["key_id"]) == (
        *("encryption.rotate", before["key_id"], rotated["key_id"]),
    )


@pytest.mark.parametrize(
    "principal",
    [
        somebody(Role.OWNER),  # of a project
        somebody(Role.ADMIN, project=EVERY_PROJECT),
        somebody(Role.OWNER, Scope.SECRETS, Scope.READ, project=EVERY_PROJECT),
    ],
)
async def test_only_an_owner_of_the_box_replaces_its_key(box: Box, principal: Principal) -> None:
    box.app.principal = principal
    await box.call("POST", "/api/v1/encryption/rotate", 403, json={})
