"""Making, changing, rotating and deleting keys, and that what the API says is what the gateway's keyring does."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest
from tests.api_keys.conftest import Box

from v8box.features.api_keys import service
from v8box.features.api_keys.service import ApiKeyNotFound, ApiKeys
from v8box.gateway.policies.refusals import KeyExpired, KeyInvalid
from v8box.storage import Database


async def test_a_key_is_shown_once_and_works(box: Box) -> None:
    made = await box.make(workers=["shop-*"], methods=["GET"], paths=["/v1"], environments=["production"])
    assert made.status_code == 201
    body = made.json()
    assert made.headers["location"] == f"/api/v1/projects/default/api-keys/{body['id']}"
    assert body["key"].startswith(f"v8b_live_{body['id']}_")
    assert body["begins"] == f"v8b_live_{body['id']}_"
    assert (body["workers"], body["methods"], body["paths"]) == (["shop-*"], ["GET"], ["/v1"])
    assert box.keys.keyring.verify(body["key"]).id == body["id"]
    shown = await box.client.get(f"default/api-keys/{body['id']}")
    assert "key" not in shown.json()
    listed = (await box.client.get("default/api-keys")).json()["items"]
    assert [each["id"] for each in listed] == [body["id"]]
    assert body["key"][30:] not in repr(listed)
    assert await box.actions() == ["api_key.create"]


async def test_at_rest_is_a_hash(box: Box, tmp_path: Path) -> None:
    body = (await box.make()).json()
    secret = body["key"].rpartition("_")[2]
    rotated = (await box.client.post(f"default/api-keys/{body['id']}/rotate", json={"overlap_seconds": 5})).json()
    files = await asyncio.to_thread(lambda: [file.read_bytes() for file in tmp_path.glob("catalog.db*")])
    assert any(body["id"].encode() in data for data in files)
    for text in (secret, rotated["key"].rpartition("_")[2]):
        assert all(text.encode() not in data for data in files)


async def test_a_restart_changes_nothing(box: Box) -> None:
    limit = {"limit": 5, "window_seconds": 60, "burst": None}
    body = (await box.make(rate_limit=limit, allow_ips=["10.0.0.0/8"], paths=["/v1"])).json()
    rotated = (await box.client.post(f"default/api-keys/{body['id']}/rotate", json={"overlap_seconds": 60})).json()
    box.keys.keyring.verify(rotated["key"])
    await box.keys.close()
    again = await ApiKeys.open(box.database)
    key = again.keyring.verify(rotated["key"])
    assert key == again.keyring.verify(body["key"])  # the overlap is not over
    assert key.rate_limit is not None
    assert (key.rate_limit.limit, key.allow_ips, key.paths) == (5, ("10.0.0.0/8",), ("/v1",))
    assert key.used_at is not None


async def test_rotation_with_an_overlap(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    body = (await box.make()).json()
    path = f"default/api-keys/{body['id']}/rotate"
    rotated = (await box.client.post(path, json={"overlap_seconds": 3600})).json()
    assert rotated["id"] == body["id"]
    assert rotated["previous_valid_until"] is not None
    keyring = box.keys.keyring
    assert keyring.verify(body["key"]).id == keyring.verify(rotated["key"]).id
    with pytest.raises(KeyInvalid):
        keyring.verify(body["key"], time.time() + 3601)
    assert keyring.verify(rotated["key"], time.time() + 3601)
    at_once = (await box.client.post(path, json={})).json()
    for old in (body["key"], rotated["key"]):
        with pytest.raises(KeyInvalid):
            keyring.verify(old)
    assert keyring.verify(at_once["key"])
    assert at_once["previous_valid_until"] is None
    assert await box.actions() == ["api_key.create", "api_key.rotate", "api_key.rotate"]


async def test_a_change_counts_from_the_next_request_on(box: Box) -> None:
    body = (await box.make(workers=["a"], rate_limit={"limit": 1, "window_seconds": 1})).json()
    path = f"default/api-keys/{body['id']}"
    etag = (await box.client.get(path)).headers["etag"]
    changed = await box.client.patch(path, json={"workers": ["b"], "rate_limit": None}, headers={"if-match": etag})
    assert changed.status_code == 200
    assert (changed.json()["workers"], changed.json()["rate_limit"], changed.json()["name"]) == (["b"], None, "ci")
    assert box.keys.get("default", body["id"]).workers == ("b",)
    assert box.keys.keyring.verify(body["key"])
    stale = await box.client.patch(path, json={"workers": []}, headers={"if-match": etag})
    assert stale.status_code == 412
    assert box.keys.get("default", body["id"]).workers == ("b",)


async def test_that_a_key_was_used_is_no_change_of_it(box: Box) -> None:
    body = (await box.make()).json()
    path = f"default/api-keys/{body['id']}"
    before = await box.client.get(path)
    assert before.json()["last_used_at"] is None
    box.keys.keyring.verify(body["key"])
    after = await box.client.get(path)
    assert after.json()["last_used_at"] is not None
    assert after.headers["etag"] == before.headers["etag"]


async def test_a_deleted_key_opens_nothing(box: Box) -> None:
    body = (await box.make()).json()
    path = f"default/api-keys/{body['id']}"
    assert (await box.client.delete(path)).status_code == 204
    with pytest.raises(KeyInvalid):
        box.keys.keyring.verify(body["key"])
    assert (await box.client.get(path)).json()["code"] == "api_key_not_found"
    assert (await box.client.delete(path)).status_code == 404
    assert await box.actions() == ["api_key.create", "api_key.delete"]


async def test_keys_belong_to_a_project(box: Box) -> None:
    body = (await box.make()).json()
    for method, path, sent in (
        ("GET", "", None),
        ("PATCH", "", {"name": "x"}),
        ("POST", "/rotate", {}),
        ("DELETE", "", None),
    ):
        answer = await box.client.request(method, f"acme/api-keys/{body['id']}{path}", json=sent)
        assert answer.status_code == 404, method
    assert (await box.client.get("acme/api-keys")).json()["items"] == []
    assert (await box.make("nowhere")).json()["code"] == "project_not_found"


async def test_an_expired_key(box: Box) -> None:
    body = (await box.make(expires_at="2100-01-01T00:00:00Z")).json()
    assert body["expires_at"] == "2100-01-01T00:00:00.000Z"
    with pytest.raises(KeyExpired):
        box.keys.keyring.verify(body["key"], 4102444800.0)
    cleared = await box.client.patch(f"default/api-keys/{body['id']}", json={"expires_at": None})
    assert cleared.json()["expires_at"] is None
    assert box.keys.keyring.verify(body["key"], 4102444800.0)


@pytest.mark.parametrize(
    "body",
    [
        {"name": ""},
        {"name": "x" * 101},
        {"worker": ["a"]},
        {"workers": ["A"]},
        {"workers": ["a/b"]},
        {"methods": ["get"]},
        {"methods": ["TRACE"]},
        {"paths": ["v1"]},
        {"paths": ["/v1/../x"]},
        {"paths": ["/v1?x"]},
        {"paths": ["/v1/%2e%2e"]},
        {"allow_ips": ["10.0.0.1/8"]},
        {"allow_ips": ["::ffff:1.2.3.4"]},
        {"rate_limit": {"limit": 0, "window_seconds": 1}},
        {"rate_limit": {"limit": 1}},
        {"expires_at": "2001-01-01T00:00:00Z"},
        {"expires_at": "2100-01-01T00:00:00"},
        {"environments": ["Pro duction"]},
    ],
)
async def test_what_is_no_key(box: Box, body: dict[str, Any]) -> None:
    answer = await box.make(**body)
    assert answer.status_code == 400
    assert answer.json()["code"] == "bad_request"
    assert box.keys.list("default") == []
    made = (await box.make()).json()
    changed = await box.client.patch(f"default/api-keys/{made['id']}", json=body)
    assert changed.status_code == 400


async def test_a_project_has_so_many(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "MOST_PER_PROJECT", 2)
    assert [(await box.make()).status_code for _ in range(3)] == [201, 201, 429]
    assert (await box.make("acme")).status_code == 201


async def test_uses_are_written_in_batches(box: Box) -> None:
    texts = [(await box.make()).json()["key"] for _ in range(3)]
    for text in texts * 5:
        box.keys.keyring.verify(text)
    await box.keys.close()
    rows = await box.database.read(lambda sql: sql.rows("select used_at from api_keys"))
    assert all(row[0] is not None for row in rows)
    assert not box.keys.keyring.take_used()


async def test_a_key_that_cannot_be_written_is_none(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(self: Database, work: Any) -> Any:
        raise OSError("the disk is full")

    body = (await box.make()).json()
    monkeypatch.setattr(Database, "write", broken)
    with pytest.raises(OSError, match="full"):
        await box.keys.delete("default", body["id"], service_actor())
    assert box.keys.keyring.verify(body["key"])
    with pytest.raises(OSError, match="full"):
        await box.keys.rotate("default", body["id"], 0, service_actor(), lambda key: None)
    assert box.keys.keyring.verify(body["key"])


def service_actor() -> Any:
    from v8box.telemetry.actors import BOX

    return BOX


async def test_what_is_not_there(box: Box) -> None:
    with pytest.raises(ApiKeyNotFound):
        box.keys.get("default", "0" * 16)


async def test_refusals_are_listed(box: Box) -> None:
    from tests.fakes.versions import a_version

    for dry_run in (False, True, True):
        box.counts.refused(a_version(), "rate_limited", dry_run=dry_run)
    found = (await box.client.get("default/refusals")).json()["items"]
    assert found == [
        {"worker": "hello", "environment": "production", "code": "rate_limited", "dry_run": False, "count": 1},
        {"worker": "hello", "environment": "production", "code": "rate_limited", "dry_run": True, "count": 2},
    ]
    assert (await box.client.get("acme/refusals")).json()["items"] == []
