"""The cache's routes: who may what, bad input, binary and odd names, changes that do not overwrite, the audit log."""

from __future__ import annotations

from base64 import b64encode, urlsafe_b64encode
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.fakes.principals import any_project, signed_in, somebody

from v8box.api.app import build_api
from v8box.api.operations import Operations, State
from v8box.api.principals import Role, Scope
from v8box.bindings.cache.binding import CacheBinding
from v8box.bindings.cache.spaces import Space
from v8box.bindings.cache.valkey_store import ValkeyStore
from v8box.bindings.valkey import PrivateValkey
from v8box.features.cache.routes import build_router
from v8box.storage import Database
from v8box.telemetry import audit

ODD = ["<script>alert(1)</script>", "emoji 🦕/a", "a&b=c#d?e%2F", "line\nbreak", "'; drop", "日本:語"]
BINARY = b"\xff\x00\x80:x"


class Box:
    def __init__(self, valkey: PrivateValkey, database: Database, operations: Operations) -> None:
        self.database = database
        self.operations = operations
        self.cache = CacheBinding(ValkeyStore(valkey.url))
        router = build_router(self.cache.keys, operations, partial(audit.record, database))
        self.app = build_api([router], project_exists=any_project)
        self.client = self.as_who()

    def as_who(self, **who: Any) -> httpx.AsyncClient:
        app = signed_in(self.app, somebody(**who)) if who else signed_in(self.app)
        return httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://box/api/v1/projects/default/cache"
        )

    async def put(self, key: str, value: Any, space: str = "cache", headers: Any = None, **more: Any) -> httpx.Response:
        params = {"key": key, "space": space}
        return await self.client.put("/value", params=params, json={"value": value, **more}, headers=headers)

    async def read(self, key: str, **more: Any) -> httpx.Response:
        return await self.client.get("/value", params={"key": key, **more})

    async def change(self, key: str, **body: Any) -> httpx.Response:
        return await self.client.post("/items", params={"key": key}, json=body)

    async def items(self, key: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await self.read(key)).json()["items"]
        return [{name: value for name, value in each.items() if value is not None} for each in found]

    async def entries(self) -> list[audit.Entry]:
        rows = await self.database.read(lambda sql: sql.rows("select * from audit order by number"))
        return [audit.read(row) for row in rows]


@pytest.fixture
async def box(tmp_path: Path, valkey: PrivateValkey) -> AsyncIterator[Box]:
    database = await Database.open(tmp_path / "catalog.db")
    await audit.open_audit(database)
    operations = await Operations.open(database)
    made = Box(valkey, database, operations)
    await made.cache.start()
    yield made
    await made.client.aclose()
    await operations.close()
    await made.cache.stop()
    await database.close()


BAD: list[tuple[str, str, Any, Any]] = [
    ("GET", "/keys", {"space": "kv:"}, None),
    ("GET", "/keys", {"space": "kv:a:b"}, None),
    ("GET", "/keys", {"space": "other"}, None),
    ("GET", "/keys", {"limit": "0"}, None),
    ("GET", "/keys", {"limit": "501"}, None),
    ("GET", "/keys", {"cursor": "here"}, None),
    ("GET", "/keys", {"prefix": "a", "prefix_base64": "YQ"}, None),
    ("GET", "/keys", {"prefix_base64": "?"}, None),
    ("GET", "/keys", {"type": "a b"}, None),
    ("GET", "/value", {}, None),
    ("GET", "/value", {"key": "x" * 4_097}, None),
    ("GET", "/value", {"key": "x" * 600, "space": "kv:NS"}, None),
    ("PUT", "/value", {"key": "k"}, {}),
    ("PUT", "/value", {"key": "k"}, {"value": 1}),
    ("PUT", "/value", {"key": "k"}, {"value": "v", "more": 1}),
    ("PUT", "/value", {"key": "k"}, {"value": {"base64": "!"}}),
    ("PUT", "/value", {"key": "k"}, {"value": "v", "ttl_seconds": 0}),
    ("PUT", "/value", {"key": "k"}, {"value": "v", "metadata": {}}),
    ("PUT", "/ttl", {"key": "k"}, {}),
    ("PUT", "/ttl", {"key": "k"}, {"ttl_seconds": -1}),
    ("PUT", "/ttl", {"key": "k"}, {"ttl_seconds": 1e12}),
    ("POST", "/items", {"key": "k"}, {"type": "hash", "action": "set", "name": "f"}),
    ("POST", "/items", {"key": "k"}, {"type": "set", "action": "append", "name": "f"}),
    ("POST", "/items", {"key": "k"}, {"type": "list", "action": "set", "value": "f"}),
    ("POST", "/items", {"key": "k"}, {"type": "zset", "action": "set", "name": "f"}),
    ("POST", "/items", {"key": "k"}, {"type": "zset", "action": "set", "name": "f", "score": 1, "was": "much"}),
    ("POST", "/items", {"key": "k"}, {"type": "set", "action": "set", "name": "f", "was": "f", "new": True}),
    ("POST", "/items", {"key": "k"}, {"type": "stream", "action": "set", "entry": []}),
    ("POST", "/items", {"key": "k"}, {"type": "stream", "action": "remove", "id": "1"}),
    ("POST", "/items", {"key": "k"}, {"type": "string", "action": "set"}),
    ("POST", "/rename", {"key": "k"}, {"to": ""}),
    ("POST", "/delete", {}, {}),
    ("POST", "/delete", {}, {"prefix": "a", "everything": True}),
    ("DELETE", "/keys", {"key": ""}, None),
]


async def test_bad_input_is_refused(box: Box) -> None:
    for method, path, params, body in BAD:
        response = await box.client.request(method, path, params=params, json=body)
        assert response.status_code == 400, (method, path, params, body, response.text)
        assert response.json()["detail"]
    assert await box.entries() == []


async def test_what_is_not_there_is_not_found(box: Box) -> None:
    for response in (
        await box.read("none"),
        await box.client.put("/ttl", params={"key": "none"}, json={"ttl_seconds": 1}),
        await box.client.post("/rename", params={"key": "none"}, json={"to": "other"}),
        await box.client.delete("/keys", params={"key": "none"}),
        await box.change("none", type="hash", action="remove", name="f"),
    ):
        assert (response.status_code, response.json()["code"]) == (404, "cache_key_not_found")
    assert await box.entries() == []


async def test_a_viewer_sees_names_and_figures_and_no_values(box: Box) -> None:
    await box.put("session:1", "secret")
    viewer = box.as_who(role=Role.VIEWER)
    assert (await viewer.get("/spaces")).status_code == 200
    assert (await viewer.get("/keys")).json()["items"][0]["key"] == "session:1"
    for method, path, body in (
        ("GET", "/value", None),
        ("PUT", "/value", {"value": "v"}),
        ("PUT", "/ttl", {"ttl_seconds": 1}),
        ("POST", "/items", {"type": "set", "action": "set", "name": "m"}),
        ("POST", "/rename", {"to": "x"}),
        ("POST", "/delete", {"prefix": "session:", "dry_run": True}),
        ("DELETE", "/keys", None),
    ):
        response = await viewer.request(method, path, params={"key": "session:1"}, json=body)
        assert response.status_code == 403
        assert "secret" not in response.text
    reader = box.as_who(role=Role.DEVELOPER, scopes=frozenset({Scope.READ}))
    assert (await reader.get("/value", params={"key": "session:1"})).json()["value"] == "secret"
    refused = await reader.put("/value", params={"key": "session:1"}, json={"value": "v"})
    assert (refused.status_code, "scope data" in refused.json()["detail"]) == (403, True)


@pytest.mark.parametrize("space", ["cache", "kv:NS"])
async def test_odd_names_and_values_go_in_and_out(box: Box, space: str) -> None:
    for key in ODD:
        await _goes_in_and_out(box, key, space)


async def _goes_in_and_out(box: Box, key: str, space: str) -> None:
    for value in (*ODD, "", {"base64": b64encode(BINARY).decode()}):
        assert (await box.put(key, value, space, ttl_seconds=100)).status_code == 200
        found = (await box.read(key, space=space)).json()
        assert (found["key"], found["value"], found["cut"]) == (key, value, False)
        assert 0 < found["ttl_seconds"] <= 100
    listed = (await box.client.get("/keys", params={"space": space, "prefix": key})).json()
    assert [each["key"] for each in listed["items"]] == [key]
    assert (await box.client.delete("/keys", params={"key": key, "space": space})).status_code == 204
    assert (await box.read(key, space=space)).status_code == 404


async def test_a_name_that_is_no_text(box: Box) -> None:
    params = {"key_base64": urlsafe_b64encode(BINARY).decode().rstrip("=")}
    assert (await box.client.put("/value", params=params, json={"value": "v"})).status_code == 200
    [item] = (await box.client.get("/keys", params={"folders": True})).json()["items"]
    assert item["key"] == {"base64": b64encode(BINARY).decode()}
    assert (await box.client.get("/value", params=params)).json()["value"] == "v"
    assert (await box.client.delete("/keys", params=params)).status_code == 204
    assert [entry.event.after["key"] for entry in await box.entries()] == ["\\xff\x00\\x80:x"] * 2


async def test_folders(box: Box) -> None:
    for key in ("user:1:name", "user:2", "a/b", "plain"):
        await box.put(key, "v")
    page = (await box.client.get("/keys", params={"folders": True})).json()
    assert page["folders"] == [{"prefix": "a/", "keys": 1}, {"prefix": "user:", "keys": 2}]
    assert [each["key"] for each in page["items"]] == ["plain"]
    assert page["next_cursor"] is None


async def test_nobodys_newer_value_is_overwritten(box: Box) -> None:
    first = await box.put("k", "1", headers={"if-none-match": "*"}, ttl_seconds=None)
    assert first.status_code == 201
    again = await box.put("k", "1", headers={"if-none-match": "*"})
    assert (again.status_code, again.json()["code"]) == (409, "cache_key_exists")
    tag = (await box.read("k")).headers["etag"]
    await box.put("k", "somebody else's")
    late = await box.put("k", "mine", headers={"if-match": tag})
    assert (late.status_code, late.json()["code"]) == (412, "precondition_failed")
    gone = await box.client.delete("/keys", params={"key": "k"}, headers={"if-match": tag})
    assert gone.status_code == 412
    assert (await box.read("k")).json()["value"] == "somebody else's"
    tag = (await box.read("k")).headers["etag"]
    mine = await box.put("k", "mine", headers={"if-match": tag})
    assert (mine.status_code, mine.headers["etag"]) == (200, (await box.read("k")).headers["etag"])
    kept = await box.put("p", "v", "kv:NS", metadata=[1])
    assert kept.headers["etag"] == (await box.read("p", space="kv:NS")).headers["etag"]
    for bad in ("*", "mine", 'W/"x"'):
        assert (await box.put("k", "x", headers={"if-match": bad})).status_code == 400


async def test_collections(box: Box) -> None:
    binary = {"base64": b64encode(BINARY).decode()}
    assert (await box.change("h", type="hash", action="create", name="<b>", value=binary)).json()["key"]["length"] == 1
    again = await box.change("h", type="hash", action="create", name="x", value="y")
    assert again.status_code == 409
    late = await box.change("h", type="hash", action="set", name="<b>", value="2", was="not that")
    assert late.status_code == 412
    assert (await box.change("h", type="hash", action="set", name="<b>", value="2", was=binary)).status_code == 200
    assert await box.items("h") == [{"name": "<b>", "value": "2", "cut": False, "bytes": 4}]

    for value in ("a", "b"):
        await box.change("l", type="list", action="append", value=value)
    assert (await box.change("l", type="list", action="remove", index=0, was="a")).status_code == 200
    assert await box.items("l") == [{"value": "b", "index": 0, "cut": False, "bytes": 1}]

    await box.change("z", type="zset", action="create", name="m", score=1.5)
    await box.change("z", type="zset", action="set", name="m", score="inf", was="1.5")
    assert await box.items("z") == [{"name": "m", "index": 0, "score": "inf", "cut": False, "bytes": 1}]

    made = (await box.change("s", type="stream", action="create", entry=[["f", binary]])).json()["id"]
    assert await box.items("s") == [{"id": made, "entry": [["f", binary]], "cut": False, "bytes": 6}]
    assert (await box.change("s", type="stream", action="remove", id=made)).status_code == 200

    await box.change("m", type="set", action="create", name="🦕")
    last = (await box.change("m", type="set", action="remove", name="🦕")).json()
    assert last == {"key": None, "id": None}  # with its last member the key is gone


async def test_a_field_alone_is_shown_whole(box: Box) -> None:
    await box.change("h", type="hash", action="set", name="long", value="ä" * 20_000)
    [item] = await box.items("h")
    assert (item["cut"], item["bytes"], set(item["value"])) == (True, 40_004, {"ä"})
    whole = (await box.read("h", field="long")).json()["items"][0]
    assert (whole["cut"], len(whole["value"])) == (False, 20_000)


async def test_a_value_of_any_length_is_a_file(box: Box) -> None:
    long = "x" * 1_500_000 + "ä"
    await box.put("k", long)
    await box.put("k", {"base64": b64encode(BINARY).decode()}, "kv:NS")
    cut = (await box.read("k")).json()
    assert (cut["cut"], cut["length"], "etag" in (await box.read("k")).headers) == (True, 1_500_002, False)
    for space, data in (("cache", long.encode()), ("kv:NS", BINARY)):
        file = await box.client.get("/value/file", params={"key": "k", "space": space})
        assert file.content == data
        assert file.headers["content-type"] == "application/octet-stream"
        assert file.headers["content-disposition"].startswith("attachment")
    await box.change("h", type="hash", action="set", name="f", value="v")
    assert (await box.client.get("/value/file", params={"key": "h"})).status_code == 400
    assert (await box.client.get("/value/file", params={"key": "none"})).status_code == 404
    viewer = box.as_who(role=Role.VIEWER)
    assert (await viewer.get("/value/file", params={"key": "k"})).status_code == 403


async def test_time_to_live_name_and_metadata(box: Box) -> None:
    await box.put("k", "v")
    changed = await box.client.put("/ttl", params={"key": "k"}, json={"ttl_seconds": 100})
    assert 0 < changed.json()["ttl_seconds"] <= 100
    changed = await box.client.put("/ttl", params={"key": "k"}, json={"ttl_seconds": None})
    assert changed.json()["ttl_seconds"] is None
    await box.put("taken", "t")
    taken = await box.client.post("/rename", params={"key": "k"}, json={"to": "taken"})
    assert taken.status_code == 409
    renamed = await box.client.post("/rename", params={"key": "k"}, json={"to": "new:🦕"})
    assert renamed.json()["key"] == "new:🦕"
    await box.put("p", "v", "kv:NS", metadata={"a": ["<b>"]})
    assert (await box.read("p", space="kv:NS")).json()["metadata"] == {"a": ["<b>"]}
    long = await box.put("p", "v", "kv:NS", metadata="x" * 2_000)
    assert (long.status_code, long.json()["code"]) == (413, "cache_value_too_large")


async def test_spaces_and_figures(box: Box, valkey: PrivateValkey) -> None:
    other_node = CacheBinding(ValkeyStore(valkey.url))
    await other_node.keys.editor.put(Space("default", "NS"), b"p", b"v", metadata=None, ttl=None)
    await other_node.stop()
    found = (await box.client.get("/spaces")).json()
    assert [(each["space"], each["keys"]) for each in found["items"]] == [("cache", 0), ("kv:NS", 1)]
    assert (found["quota_bytes"], found["measurable"]) == (128_000_000, True)
    assert found["bytes"] >= found["items"][1]["bytes"] > 0
    assert found["server"]["memory_bytes"] > 0
    # What the server does for others is nothing for those who belong to one project.
    member = box.as_who(role=Role.ADMIN, project="default")
    assert (await member.get("/spaces")).json()["server"] is None


async def test_delete_below_a_prefix(box: Box) -> None:
    for number in range(5):
        await box.put(f"<s>:{number}", "v")
    await box.put("keep", "v")

    async def done(**body: Any) -> Any:
        response = await box.client.post("/delete", json=body)
        assert response.status_code == 202
        operation = await box.operations.get(response.json()["id"], 30)
        assert operation.state is State.SUCCEEDED
        return operation.result

    assert await done(prefix="<s>:", dry_run=True) == {"keys": 5}
    assert await done(dry_run=True) == {"keys": 6}
    assert await done(prefix="<s>:") == {"keys": 5}
    assert (await box.read("keep")).status_code == 200
    assert await done(everything=True) == {"keys": 1}
    events = [entry.event for entry in await box.entries() if entry.event.action == "cache.delete"]
    assert [event.after for event in events] == [
        {"prefix": "<s>:", "everything": False},
        {"prefix": "", "everything": True},
    ]


async def test_changes_are_in_the_audit_log_and_values_are_not(box: Box) -> None:
    await box.put("k", "SECRET")
    await box.change("h", type="hash", action="set", name="f", value="SECRET")
    await box.client.put("/ttl", params={"key": "k"}, json={"ttl_seconds": 100})
    await box.client.post("/rename", params={"key": "k"}, json={"to": "l"})
    await box.client.delete("/keys", params={"key": "l"})
    await box.read("h")
    entries = await box.entries()
    assert [entry.event.action for entry in entries] == [
        "cache.set",
        "cache.item.set",
        "cache.ttl",
        "cache.rename",
        "cache.delete",
    ]
    assert {entry.event.resource for entry in entries} == {"cache/cache"}
    assert all(entry.event.project == "default" for entry in entries)
    assert "SECRET" not in str(entries)
