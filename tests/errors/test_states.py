"""Open, ignored, resolved, regressed; lists by filter and order; who may change it, and that it is written down."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from tests.errors.conftest import NOW, STACK, Box
from tests.fakes.principals import signed_in, somebody

from v8box.api.app import build_api
from v8box.api.principals import Role, Scope
from v8box.features.errors.routes import build_router


def at(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat()


async def resolved(box: Box, version: str = "v1") -> str:
    box.throw(version=version)
    error_id = str((await box.one())["id"])
    response = await box.set(error_id, "resolved")
    assert response.status_code == 200
    assert response.json()["state"] == "resolved"
    return error_id


async def test_it_regresses_in_a_newer_version(box: Box) -> None:
    await resolved(box)
    box.clock[0] += 60
    box.throw(version="v2")
    found = await box.one()
    assert (found["state"], found["count"]) == ("regressed", 2)
    assert found["regressed_at"].startswith(at(NOW + 60)[:19])
    assert found["resolved_at"].startswith(at(NOW)[:19])
    assert (found["new_in"]["number"], found["last_version"]["number"]) == (1, 2)
    assert [each.id for each in box.regressed] == [found["id"]]
    box.throw(version="v2")
    await box.errors.flush()
    assert len(box.regressed) == 1, "once"
    assert len(box.new) == 1


async def test_what_an_old_version_still_throws_does_not_count(box: Box) -> None:
    await resolved(box, "v2")
    box.clock[0] += 60
    box.throw(version="v2")
    box.throw(version="v1")
    found = await box.one()
    assert (found["state"], found["count"]) == ("resolved", 3)
    assert box.regressed == []


async def test_an_old_version_that_goes_live_again_brings_it_back(box: Box) -> None:
    await resolved(box)
    box.clock[0] += 60
    box.versions.live["v1"] = NOW - 60
    box.throw(version="v1")
    assert (await box.one())["state"] == "resolved", "it was live before it was resolved"
    box.versions.live["v1"] = NOW + 30
    box.throw(version="v1")
    assert (await box.one())["state"] == "regressed"


async def test_a_regressed_one_can_be_resolved_again(box: Box) -> None:
    error_id = await resolved(box)
    box.clock[0] += 60
    box.throw(version="v2")
    await box.errors.flush()
    assert (await box.set(error_id, "resolved")).json()["state"] == "resolved"
    box.clock[0] += 60
    box.throw(version="v2")
    assert (await box.one())["state"] == "resolved"
    box.throw(version="v3")
    assert (await box.one())["state"] == "regressed"
    assert len(box.regressed) == 2


async def test_ignored_for_good(box: Box) -> None:
    box.throw()
    error_id = (await box.one())["id"]
    changed = (await box.set(error_id, "ignored")).json()
    assert (changed["state"], changed["ignored_until"], changed["changed_by"]) == ("ignored", None, "ada")
    box.clock[0] += 86_400
    box.throw(version="v9")
    assert (await box.one())["state"] == "ignored"
    assert (await box.set(error_id, "open")).json()["state"] == "open"


async def test_ignored_until_a_time(box: Box) -> None:
    box.throw()
    error_id = (await box.one())["id"]
    changed = (await box.set(error_id, "ignored", ignored_until=at(NOW + 3600))).json()
    assert changed["ignored_until"].startswith(at(NOW + 3600)[:19])
    box.throw()
    assert (await box.one())["state"] == "ignored"
    box.clock[0] += 3601
    assert (await box.one(state="open"))["ignored_until"] is None
    assert await box.look(state="ignored") == []
    box.throw()
    assert (await box.one())["state"] == "open"


@pytest.mark.parametrize(
    "body",
    [
        {"state": "regressed"},
        {"state": "ignored", "ignored_until": "9999-12-31T23:59:59-14:00"},  # which no answer could write down
        {"state": "gone"},
        {},
        {"state": "open", "ignored_until": at(NOW + 60)},
        {"state": "ignored", "ignored_until": at(NOW - 60)},
        {"state": "ignored", "ignored_until": "soon"},
        {"state": "open", "assignee": "ada"},
    ],
)
async def test_states_that_cannot_be_set(box: Box, body: dict[str, Any]) -> None:
    box.throw()
    error_id = (await box.one())["id"]
    assert (await box.client.patch(f"errors/{error_id}", json=body)).status_code == 400
    assert (await box.one())["state"] == "open"
    assert await box.audited() == []


@pytest.mark.parametrize("error_id", ["0" * 16, "nothing", "0" * 15, "../audit"])
async def test_one_that_is_not_there(box: Box, error_id: str) -> None:
    assert (await box.client.get(f"errors/{error_id}")).status_code in (400, 404)
    assert (await box.client.patch(f"errors/{error_id}", json={"state": "open"})).status_code in (400, 404, 405)


async def test_every_change_is_written_down(box: Box) -> None:
    box.throw()
    error_id = (await box.one())["id"]
    for state in ("resolved", "ignored", "open"):
        await box.set(error_id, state)
    resource = f"error/{error_id}"
    assert await box.audited() == [
        ("error.resolve", resource),
        ("error.ignore", resource),
        ("error.reopen", resource),
    ]


async def test_several_at_once(box: Box) -> None:
    for name in ("One", "Two", "Three"):
        box.throw(name=name)
    box.throw(worker="other")
    found = {each["name"]: each["id"] for each in await box.look(worker="shop")}
    both = {"state": "resolved", "ids": [found["One"], found["Two"]]}
    assert (await box.client.post("errors/states", json=both)).json() == {"changed": 2, "more": False}
    assert (await box.client.post("errors/states", json=both)).json() == {"changed": 0, "more": False}
    assert {each["name"] for each in await box.look(state="resolved")} == {"One", "Two"}
    of_worker = {"state": "ignored", "worker": "shop"}
    assert (await box.client.post("errors/states", json=of_worker)).json() == {"changed": 1, "more": False}
    assert [each["name"] for each in await box.look(state="ignored")] == ["Three"]
    counts = (await box.client.get("errors/counts")).json()
    assert counts == {"open": 1, "regressed": 0, "ignored": 1, "resolved": 2}
    assert (await box.client.get("errors/counts", params={"worker": "other"})).json()["open"] == 1
    assert (await box.client.get("errors/counts", params={"environment": "staging"})).json()["open"] == 0
    assert len(await box.audited()) == 3


async def test_when_one_is_not_there_none_changes(box: Box) -> None:
    box.throw()
    error_id = (await box.one())["id"]
    response = await box.client.post("errors/states", json={"state": "resolved", "ids": [error_id, "0" * 16]})
    assert response.status_code == 404
    assert (await box.one())["state"] == "open"


@pytest.mark.parametrize(
    "body",
    [
        {"state": "resolved"},
        {"state": "resolved", "ids": ["0" * 16], "worker": "shop"},
        {"state": "resolved", "ids": []},
        {"state": "resolved", "ids": ["x"]},
    ],
)
async def test_which_ones_must_be_said(box: Box, body: dict[str, Any]) -> None:
    assert (await box.client.post("errors/states", json=body)).status_code == 400


async def test_filters(box: Box) -> None:
    box.throw(name="AError", message="the Straße is gone")
    box.throw(name="BError", worker="other", environment="staging", version="v3", stack="")
    box.die("memory")

    async def names(**query: Any) -> set[str]:
        return {each["name"] for each in await box.look(**query)}

    assert await names() == {"AError", "BError", "memory"}
    assert await names(worker="other") == {"BError"}
    assert await names(environment="staging") == {"BError"}
    assert await names(environment="staging", version="v1") == set()
    for version in ("3", "v3"):
        assert await names(version=version) == {"BError"}
    assert await names(version="v1") == {"AError", "memory"}
    assert await names(kind="kill") == {"memory"}
    assert await names(q="STRAßE") == {"AError"}
    assert await names(q="shop.ts") == {"AError"}
    assert await names(q="%") == set()
    assert await names(state=["resolved", "ignored"]) == set()
    assert await names(state=["open", "regressed"]) == {"AError", "BError", "memory"}
    for query in ({"state": "gone"}, {"sort": "name"}, {"q": "x" * 201}, {"limit": 0}):
        assert (await box.client.get("errors", params=query)).status_code == 400


@pytest.mark.parametrize("sort", ["last_seen", "first_seen", "count"])
async def test_orders_and_pages(box: Box, sort: str) -> None:
    for number in range(7):
        for _ in range(3 if number == 2 else 1):
            box.throw(name=f"E{number}", at=NOW + number % 3)
    await box.errors.flush()
    found: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        query: dict[str, Any] = {"sort": sort, "limit": 2, **({} if cursor is None else {"cursor": cursor})}
        page = (await box.client.get("errors", params=query)).json()
        found += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert sorted(each["name"] for each in found) == [f"E{number}" for number in range(7)]
    ranks = [each[sort] for each in found]
    assert ranks == sorted(ranks, reverse=True)
    assert (await box.client.get("errors", params={"cursor": "x"})).status_code == 400


async def test_who_may(box: Box) -> None:
    box.throw(stack=STACK)
    error_id = (await box.one())["id"]
    app = build_api([build_router(box.errors, box.versions.source, lambda _: [])])
    for principal, read, change in (
        (somebody(Role.VIEWER), 200, 403),
        (somebody(Role.DEVELOPER), 200, 200),
        (somebody(Role.DEVELOPER, scopes=frozenset({Scope.READ})), 200, 403),
        (somebody(Role.OWNER, "acme"), 403, 403),
    ):
        transport = httpx.ASGITransport(signed_in(app, principal))
        async with httpx.AsyncClient(transport=transport, base_url="http://box/api/v1/projects/default/") as who:
            assert (await who.get("errors")).status_code == read
            assert (await who.get(f"errors/{error_id}")).status_code == read
            assert (await who.get("errors/counts")).status_code == read
            assert (await who.patch(f"errors/{error_id}", json={"state": "resolved"})).status_code == change
            body = {"state": "open", "ids": [error_id]}
            assert (await who.post("errors/states", json=body)).status_code == change


async def test_a_worker_or_project_that_is_deleted_takes_its_errors_along(box: Box) -> None:
    box.throw(project="acme")
    box.throw()
    box.throw(worker="other")
    await box.errors.flush()
    await box.errors.forget_worker("default", "other")
    await box.errors.forget_project("acme")
    assert (await box.client.get("http://box/api/v1/projects/acme/errors")).json()["items"] == []
    assert len(await box.look()) == 1
