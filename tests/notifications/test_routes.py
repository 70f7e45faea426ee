"""The API: channels whose secrets are taken and never shown, rules, alerts, deliveries; each project for itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.fakes.principals import signed_in
from tests.notifications.conftest import SECRET, World

from v8box.api.app import build_api
from v8box.features.notifications.routes import build_routers
from v8box.features.notifications.senders.interface import Outcome
from v8box.features.notifications.signals import CheckState

WHSEC = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BOX, DEFAULT, ACME = "box/notifications", "projects/default/notifications", "projects/acme/notifications"


async def exists(project: str) -> bool:
    return project in ("default", "acme")


@pytest.fixture
async def api(world: World) -> AsyncIterator[httpx.AsyncClient]:
    app = build_api(build_routers(world.notifications, world.desk), project_exists=exists)
    transport = httpx.ASGITransport(signed_in(app))
    async with httpx.AsyncClient(transport=transport, base_url="http://box/api/v1/") as client:
        yield client


async def make(api: httpx.AsyncClient, where: str = DEFAULT, what: str = "channels", **body: Any) -> dict[str, Any]:
    own = {"name": "ops", "kind": "slack", "url": SECRET} if what == "channels" else {"name": "rule"}
    answer = await api.post(f"{where}/{what}", json={**own, **body})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    assert answer.headers["location"] == f"/api/v1/{where}/{what}/{made['id']}"
    return made


EMAIL = {"to": ["ops@example.com"], "host": "mail.example.com", "username": "box", "password": "hunter2-hunter2"}


@pytest.mark.parametrize("where", [BOX, DEFAULT])
async def test_a_channels_secrets_are_never_shown_nor_kept_in_the_open(
    api: httpx.AsyncClient, world: World, where: str, tmp_path: Path
) -> None:
    await make(api, where)
    await make(api, where, name="hook", kind="webhook", url="https://x.example.com/S3CRET-2", signing_secret=WHSEC)
    mail = await make(api, where, name="mail", kind="email", url=None, email=EMAIL)
    await api.patch(f"{where}/channels/{mail['id']}", json={"email": {**EMAIL, "password": "hunter3-hunter3"}})
    shown = (await api.get(f"{where}/channels")).text
    kept = await asyncio.to_thread(lambda: b"".join(each.read_bytes() for each in tmp_path.glob("catalog.db*")))
    for secret in ("S3CRET", "hunter2", "hunter3", WHSEC, WHSEC[6:]):
        assert secret not in shown
        assert secret.encode() not in kept
    assert b"notification_channel.create" in kept  # in the audit log, but for the secrets
    shows = {each["name"]: each["shows"] for each in (await api.get(f"{where}/channels")).json()["items"]}
    assert shows == {"ops": "https://hooks.example.com/…", "hook": "https://x.example.com/…", "mail": "ops@example.com"}


async def test_a_made_up_signing_secret_is_shown_once(api: httpx.AsyncClient) -> None:
    made = await make(api, kind="webhook")
    assert made["signing_secret"].startswith("whsec_")
    assert "signing_secret" not in (await api.get(f"{DEFAULT}/channels/{made['id']}")).json()
    rotated = (await api.post(f"{DEFAULT}/channels/{made['id']}/rotate", json={"overlap_seconds": 60})).json()
    assert rotated["signing_secret"] not in ("", made["signing_secret"])
    assert rotated["previous_valid_until"].endswith("Z")
    slack = await make(api, name="slack")
    assert (await api.post(f"{DEFAULT}/channels/{slack['id']}/rotate", json={})).status_code == 400


async def test_what_is_left_out_of_a_change_stays(api: httpx.AsyncClient, world: World) -> None:
    quiet = {"start": "22:00", "end": "07:00", "timezone": "Europe/Berlin", "days": ["sat", "mon"]}
    made = await make(api, quiet_hours=quiet)
    assert made["quiet_hours"]["days"] == ["mon", "sat"]
    path = f"{DEFAULT}/channels/{made['id']}"
    assert (await api.patch(path, json={"name": "people"})).json()["quiet_hours"]["start"] == "22:00"
    assert (await world.store.secrets(world.store.channels[made["id"]])).url == SECRET
    assert (await api.patch(path, json={"quiet_hours": None})).json()["quiet_hours"] is None
    changed = (await api.patch(path, json={"url": "https://other.example.com/x"})).json()
    assert (changed["name"], changed["shows"]) == ("people", "https://other.example.com/…")


async def test_if_match_guards_a_change(api: httpx.AsyncClient) -> None:
    made = await make(api)
    path = f"{DEFAULT}/channels/{made['id']}"
    etag = (await api.get(path)).headers["etag"]
    assert (await api.patch(path, json={"name": "a"}, headers={"if-match": etag})).status_code == 200
    assert (await api.patch(path, json={"name": "b"}, headers={"if-match": etag})).status_code == 412


BAD_CHANNELS: list[dict[str, Any]] = [
    {"kind": "slack"},
    {"kind": "pigeon", "url": SECRET},
    {"kind": "slack", "url": SECRET, "more": 1},
    {"kind": "slack", "url": "ftp://example.com/"},
    {"kind": "slack", "url": "http://example.com/"},
    {"kind": "slack", "url": "https://user:pw@example.com/"},
    {"kind": "slack", "url": "https://127.0.0.1/x"},
    {"kind": "slack", "url": "https://[::1]/x"},
    {"kind": "slack", "url": "https://[::ffff:10.0.0.1]/x"},
    {"kind": "slack", "url": "https://169.254.169.254/latest"},
    {"kind": "slack", "url": "https://localhost/x"},
    {"kind": "slack", "url": "https://exämple.com/"},
    {"kind": "slack", "url": "https://[::1"},
    {"kind": "slack", "url": SECRET, "signing_secret": WHSEC},
    {"kind": "slack", "url": SECRET, "email": EMAIL},
    {"kind": "slack", "url": SECRET, "name": "two\nlines"},
    {"kind": "slack", "url": SECRET, "quiet_hours": {"start": "25:00", "end": "07:00"}},
    {"kind": "slack", "url": SECRET, "quiet_hours": {"start": "22:00", "end": "07:00", "timezone": "Mars"}},
    {"kind": "webhook", "url": SECRET, "signing_secret": "whsec_c2hvcnQ="},
    {"kind": "webhook", "url": SECRET, "signing_secret": "not one"},
    {"kind": "email"},
    {"kind": "email", "email": {"to": []}},
    {"kind": "email", "email": {"to": ["ops@example.com"]}},  # the box has no mail server
    {"kind": "email", "email": {**EMAIL, "to": ["ops@example.com\r\nBcc: x@example.com"]}},
    {"kind": "email", "email": {**EMAIL, "to": ["Ops <ops@example.com>"]}},
    {"kind": "email", "email": {**EMAIL, "sender": "a@example.com, b@example.com"}},
    {"kind": "email", "email": {**EMAIL, "host": "mail.example.com/x"}},
    {"kind": "email", "email": {**EMAIL, "security": "none"}},
    {"kind": "email", "email": EMAIL, "url": SECRET},
]


async def test_bad_channels(api: httpx.AsyncClient) -> None:
    for body in BAD_CHANNELS:
        answer = await api.post(f"{DEFAULT}/channels", json={"name": "ops", **body})
        assert answer.status_code == 400, (body, answer.text)
        assert "S3CRET" not in answer.text
        assert "hunter2" not in answer.text
    assert (await api.get(f"{DEFAULT}/channels")).json()["items"] == []


async def test_a_channel_of_the_box_may_lead_into_its_own_network(api: httpx.AsyncClient) -> None:
    await make(api, BOX, url="http://127.0.0.1:9000/hook")
    answer = await api.post(f"{BOX}/channels", json={"name": "x", "kind": "slack", "url": "file:///etc/passwd"})
    assert answer.status_code == 400


async def test_names_are_given_once(api: httpx.AsyncClient) -> None:
    await make(api)
    await make(api, ACME)
    again = await api.post(f"{DEFAULT}/channels", json={"name": "ops", "kind": "slack", "url": SECRET})
    assert again.status_code == 400


BAD_RULES: list[dict[str, Any]] = [
    {"kind": "health"},
    {"kind": "nothing"},
    {"kind": "quota"},
    {"kind": "latency_p95"},
    {"kind": "error_rate", "threshold": -1},
    {"kind": "error_rate", "threshold": 5_000},
    {"kind": "error_rate", "window_seconds": 5},
    {"kind": "error_rate", "worker": "Shop"},
    {"kind": "error_rate", "projects": "acme"},
    {"kind": "error_rate", "channels": ["channel_of_somebody_else"]},
    {"kind": "terminations", "reasons": ["bad luck"]},
    {"kind": "terminations", "reasons": ["idle"]},  # nobody is told of it
    {"kind": "quota", "threshold": 90, "quotas": ["luck"]},
    {"kind": "errors", "changes": ["old"]},
    {"kind": "errors", "who": "me"},
]


async def test_bad_rules(api: httpx.AsyncClient) -> None:
    for body in BAD_RULES:
        answer = await api.post(f"{DEFAULT}/rules", json={"name": "rule", **body})
        assert answer.status_code == 400, (body, answer.text)
    assert (await api.get(f"{DEFAULT}/rules")).json()["items"] == []
    told = (
        await api.post(f"{DEFAULT}/rules", json={"name": "rule", "kind": "terminations", "reasons": ["luck"]})
    ).json()
    assert told["detail"].startswith("reasons[0]: must be one of wall, cpu, memory")


async def test_a_check_that_is_not_there_would_never_fail(api: httpx.AsyncClient, world: World) -> None:
    world.checks = [CheckState("disk", "ok", "9 GB free", "")]
    refused = await api.post(f"{BOX}/rules", json={"name": "rule", "kind": "health", "checks": ["disc"]})
    assert (refused.status_code, "There are disk." in refused.json()["detail"]) == (400, True)
    made = await make(api, BOX, what="rules", kind="health", checks=["disk"])
    changed = await api.patch(f"{BOX}/rules/{made['id']}", json={"checks": ["disk", "disc"]})
    assert changed.status_code == 400


async def test_a_rule_is_made_changed_silenced_and_deleted(api: httpx.AsyncClient, world: World) -> None:
    channel = await make(api)
    made = await make(
        api,
        what="rules",
        kind="error_rate",
        threshold=5,
        worker="shop-*",
        channels=[channel["id"]],
        severity="critical",
    )
    assert (made["threshold"], made["worker"], made["channels"]) == (5.0, "shop-*", [channel["id"]])
    path = f"{DEFAULT}/rules/{made['id']}"
    refused = await api.delete(f"{DEFAULT}/channels/{channel['id']}")
    assert (refused.status_code, refused.json()["code"]) == (409, "notification_channel_in_use")
    changed = (await api.patch(path, json={"threshold": 2.5, "silence_seconds": 3600})).json()
    assert (changed["threshold"], changed["worker"]) == (2.5, "shop-*")
    assert changed["silenced_until"] is not None
    assert (await api.patch(path, json={"silence_seconds": 0})).json()["silenced_until"] is None
    assert (await api.delete(path)).status_code == 204
    assert (await api.get(path)).status_code == 404
    assert (await api.delete(f"{DEFAULT}/channels/{channel['id']}")).status_code == 204
    actions = await world.rows("select action from audit where action like 'notification%' order by number")
    assert actions[-2:] == ["notification_rule.delete", "notification_channel.delete"]


async def test_a_project_sees_and_changes_its_own_only(api: httpx.AsyncClient) -> None:
    channel = await make(api)
    rule = await make(api, what="rules", kind="errors")
    for where in (BOX, ACME):
        assert (await api.get(f"{where}/channels")).json()["items"] == []
        for path in (f"channels/{channel['id']}", f"rules/{rule['id']}"):
            assert (await api.get(f"{where}/{path}")).status_code == 404
            assert (await api.patch(f"{where}/{path}", json={"name": "mine"})).status_code == 404
            assert (await api.delete(f"{where}/{path}")).status_code == 404
        assert (await api.post(f"{where}/channels/{channel['id']}/test")).status_code == 404
        taken = await api.post(f"{where}/rules", json={"name": "x", "kind": "errors", "channels": [channel["id"]]})
        assert taken.status_code == 400


async def test_a_test_tells_how_it_went_and_is_in_the_log(api: httpx.AsyncClient, world: World) -> None:
    made = await make(api, enabled=False)
    tested = (await api.post(f"{DEFAULT}/channels/{made['id']}/test")).json()
    assert (tested["state"], tested["type"], tested["channel"]) == ("delivered", "test", "ops")
    world.sender.outcomes = [Outcome(status=404, error="HTTP 404: no_service", final=True)]
    failed = (await api.post(f"{DEFAULT}/channels/{made['id']}/test")).json()
    assert failed["state"] == "failed"
    assert failed["attempts"][0]["status"] == 404
    assert failed["attempts"][0]["error"] == "HTTP 404: no_service"
    log = (await api.get(f"{DEFAULT}/deliveries")).json()["items"]
    assert {each["id"] for each in log} == {tested["id"], failed["id"]}
    only = (await api.get(f"{DEFAULT}/deliveries", params={"state": "failed"})).json()["items"]
    assert [each["id"] for each in only] == [failed["id"]]
    again = (await api.post(f"{DEFAULT}/deliveries/{failed['id']}/redeliver")).json()
    assert (again["state"], again["id"]) == ("pending", failed["id"])


async def test_so_many_messages_by_hand_are_enough_for_a_minute(api: httpx.AsyncClient, world: World) -> None:
    made, other = await make(api), await make(api, ACME)
    statuses = [(await api.post(f"{DEFAULT}/channels/{made['id']}/test")).status_code for _ in range(11)]
    assert statuses == [200] * 10 + [429]
    assert (await api.post(f"{ACME}/channels/{other['id']}/test")).status_code == 200
    world.now += 60
    assert (await api.post(f"{DEFAULT}/channels/{made['id']}/test")).status_code == 200


async def test_the_log_comes_in_pages(api: httpx.AsyncClient, world: World) -> None:
    made = await make(api)
    for _ in range(5):
        world.now += 1
        await api.post(f"{DEFAULT}/channels/{made['id']}/test")
    seen: list[str] = []
    cursor = None
    while True:
        page = (
            await api.get(f"{DEFAULT}/deliveries", params={"limit": 2, **({"cursor": cursor} if cursor else {})})
        ).json()
        seen += [each["created_at"] for each in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == sorted(set(seen), reverse=True)
    assert len(seen) == 5


async def test_alerts_are_listed_acknowledged_and_silenced(api: httpx.AsyncClient, world: World) -> None:
    channel = await make(api, BOX)
    await make(api, BOX, what="rules", kind="health", channels=[channel["id"]])
    world.checks = [CheckState("disk", "fail", "0.1 GB free", "make room")]
    await world.go(10)
    (alert,) = (await api.get(f"{BOX}/alerts")).json()["items"]
    assert (alert["state"], alert["subject"], alert["advice"]) == ("firing", "disk", "make room")
    assert (await api.get(f"{DEFAULT}/alerts")).json()["items"] == []
    assert (await api.get(f"{BOX}/alerts/{alert['id']}")).json() == alert
    assert (await api.get(f"{DEFAULT}/alerts/{alert['id']}")).status_code == 404
    assert (await api.post(f"{DEFAULT}/alerts/{alert['id']}/acknowledge")).status_code == 404
    assert (await api.post(f"{BOX}/alerts/{alert['id']}/acknowledge")).json()["acknowledged_by"] == "ada"
    silenced = (await api.post(f"{BOX}/alerts/{alert['id']}/silence", json={"hours": 2})).json()
    assert silenced["silenced_until"] is not None
    world.now += 7_200
    assert (await api.get(f"{BOX}/alerts/{alert['id']}")).json()["silenced_until"] is None
    assert (await api.post(f"{BOX}/alerts/{alert['id']}/silence", json={"hours": 1000})).status_code == 400
    world.checks = []
    await world.go(100)
    assert (await api.get(f"{BOX}/alerts")).json()["items"] == []
    (over,) = (await api.get(f"{BOX}/alerts", params={"state": "all"})).json()["items"]
    assert (await api.get(f"{BOX}/alerts/{alert['id']}")).json() == over
    assert (over["id"], over["state"]) == (alert["id"], "resolved")


async def test_there_are_so_many_and_no_more(api: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("v8box.features.notifications.desk.MOST_CHANNELS", 2)
    for number in range(2):
        await make(api, name=f"c{number}")
    more = await api.post(f"{DEFAULT}/channels", json={"name": "one more", "kind": "slack", "url": SECRET})
    assert (more.status_code, more.json()["code"]) == (409, "too_many_notifications")


async def test_a_project_takes_everything_with_it(api: httpx.AsyncClient, world: World) -> None:
    channel = await make(api, ACME)
    await make(api, ACME, what="rules", kind="errors", channels=[channel["id"]])
    await api.post(f"{ACME}/channels/{channel['id']}/test")
    await make(api)
    await world.desk.forget("acme")
    for table in ("channels", "rules", "deliveries"):
        assert await world.rows(f"select count(*) from notification_{table} where project = 'acme'") == [0]
    assert (await api.get(f"{ACME}/channels")).json()["items"] == []
    assert len((await api.get(f"{DEFAULT}/channels")).json()["items"]) == 1


async def test_secrets_are_sealed_anew_with_new_keys(api: httpx.AsyncClient, world: World) -> None:
    made = await make(api)
    before = await world.rows("select sealed from notification_channels")
    rotated = await world.encryption.rotate(data_keys=True)
    assert rotated.resealed == 1
    assert await world.rows("select sealed from notification_channels") != before
    assert (await world.store.secrets(world.store.channels[made["id"]])).url == SECRET
