"""…/deployments: who may change what is live, and how two who do so at once are kept apart."""

from __future__ import annotations

import httpx
import pytest
from tests.api.conftest import problem
from tests.catalog.conftest import Kept
from tests.workers.conftest import As, developer

from v8box.api.access import Role

PRODUCTION = "a/deployments/production"


async def test_a_split_is_set_and_shown(client: httpx.AsyncClient, kept: Kept, app: As) -> None:
    one, two = await kept.store("one", "two")
    developer(app)
    wanted = {"versions": [{"version": "v1", "weight": 90}, {"version": two[:6], "weight": 10}], "sticky": "ip"}
    made = await client.put(PRODUCTION, json={**wanted, "message": "try"})
    assert (made.status_code, made.headers["etag"]) == (200, '"1"')
    body = made.json()
    assert body["versions"] == [
        {"version": one, "number": 1, "weight": 90},
        {"version": two, "number": 2, "weight": 10},
    ]
    assert (body["sticky"], body["changed_by"], body["number"]) == ("ip", "dev", 1)
    shown = await client.get(PRODUCTION)
    assert (shown.json(), shown.headers["etag"]) == (body, '"1"')
    assert (await client.get(PRODUCTION, headers={"if-none-match": '"1"'})).status_code == 304
    assert (await client.get("a/deployments")).json()["items"] == [body]
    history = (await client.get(f"{PRODUCTION}/history")).json()["items"]
    assert [(each["change"], each["message"], each["by"]) for each in history] == [("split", "try", "dev")]


async def test_of_two_who_change_the_same_the_second_is_told(client: httpx.AsyncClient, kept: Kept) -> None:
    one, two = await kept.deploy("one", "two")
    seen = (await client.get(PRODUCTION)).headers["etag"]
    first = await client.put(
        PRODUCTION, json={"versions": [{"version": one, "weight": 100}]}, headers={"if-match": seen}
    )
    assert first.status_code == 200
    actions = {
        "put": client.put(PRODUCTION, json={"versions": [{"version": two, "weight": 100}]}, headers={"if-match": seen}),
        "rollback": client.post(f"{PRODUCTION}/rollback", json={}, headers={"if-match": seen}),
        "promote": client.post(f"{PRODUCTION}/promote", json={"from": "staging"}, headers={"if-match": seen}),
        "delete": client.delete(PRODUCTION, headers={"if-match": seen}),
    }
    for action in actions.values():
        assert problem(await action, 412, "precondition_failed")["etag"] == '"3"'
    assert kept.live() == [(one, 100)]
    only_new = await client.put(
        "a/deployments/preview-1", json={"versions": [{"version": one, "weight": 100}]}, headers={"if-match": '"0"'}
    )
    assert only_new.status_code == 200


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"versions": []}, 400),
        ({"versions": [{"version": "1", "weight": 50}]}, 400),
        ({"versions": [{"version": "1", "weight": 50}, {"version": "1", "weight": 50}]}, 400),
        ({"versions": [{"version": "1", "weight": 101}]}, 400),
        ({"versions": [{"version": "1", "weight": 1.5}, {"version": "2", "weight": 98.5}]}, 400),
        ({"versions": [{"version": each, "weight": 25} for each in "1234"]}, 400),
        ({"versions": [{"version": "9", "weight": 100}]}, 404),
        ({"versions": [{"version": "1", "weight": 100}], "sticky": "moon"}, 400),
        ({"versions": [{"version": "1", "weight": 100}], "weights": 1}, 400),
    ],
)
async def test_what_cannot_be_live_is_refused(client: httpx.AsyncClient, kept: Kept, body: object, status: int) -> None:
    await kept.store("1", "2", "3")
    response = await client.put(PRODUCTION, json=body)
    problem(response, status, "bad_request" if status == 400 else "not_found")
    assert kept.live() == []


@pytest.mark.parametrize("name", ["A", "a--b", "-a", "a" * 33, "a.b", "a%0A"])
async def test_an_environment_that_is_none_is_refused(client: httpx.AsyncClient, kept: Kept, name: str) -> None:
    await kept.store("1")
    body = {"versions": [{"version": "1", "weight": 100}]}
    problem(await client.put(f"a/deployments/{name}", json=body), 400, "bad_request")


async def test_rollback_promote_and_removal(client: httpx.AsyncClient, kept: Kept) -> None:
    one, two = await kept.deploy("one", "two")
    (three,) = await kept.deploy("three", environment="staging")
    back = await client.post(f"{PRODUCTION}/rollback", json={"message": "it was bad"})
    assert back.json()["versions"][0]["version"] == one
    promoted = await client.post(f"{PRODUCTION}/promote", json={"from": "staging"})
    assert promoted.json()["versions"][0]["version"] == three
    assert (await client.post(f"{PRODUCTION}/rollback", json={"to": "v2"})).json()["versions"][0]["version"] == two
    assert (await client.delete(PRODUCTION)).status_code == 204
    problem(await client.get(PRODUCTION), 404, "not_found")
    problem(await client.delete(PRODUCTION), 404, "not_found")
    assert (await client.post(f"{PRODUCTION}/rollback", json={})).json()["versions"][0]["version"] == two
    first = (await client.get(f"{PRODUCTION}/history?limit=4")).json()
    rest = (await client.get(f"{PRODUCTION}/history", params={"limit": 4, "cursor": first["next_cursor"]})).json()
    assert [each["change"] for each in first["items"] + rest["items"]] == [
        *("rolled_back", "removed", "rolled_back", "promoted", "rolled_back"),
        *("deployed", "deployed"),
    ]
    problem(await client.post(f"{PRODUCTION}/rollback", json={"to": "nothing"}), 404, "not_found")
    problem(await client.post(f"{PRODUCTION}/promote", json={"from": "nowhere"}), 404, "not_found")
    problem(await client.post(f"{PRODUCTION}/promote", json={"from": "production"}), 400, "bad_request")
    problem(await client.post(f"{PRODUCTION}/promote", json={}), 400, "bad_request")


async def test_a_rollback_that_is_sent_again_is_done_once(client: httpx.AsyncClient, kept: Kept) -> None:
    one, two, _ = await kept.deploy("one", "two", "three")
    for _ in range(2):
        back = await client.post(f"{PRODUCTION}/rollback", json={}, headers={"idempotency-key": "k1"})
        assert back.json()["versions"][0]["version"] == two
    assert kept.live() == [(two, 100)]
    assert one != two


async def test_a_viewer_looks_and_changes_nothing(client: httpx.AsyncClient, kept: Kept, app: As) -> None:
    one, two = await kept.deploy("one", "two")
    developer(app, Role.VIEWER)
    assert (await client.get(PRODUCTION)).status_code == 200
    for response in (
        await client.put(PRODUCTION, json={"versions": [{"version": one, "weight": 100}]}),
        await client.post(f"{PRODUCTION}/rollback", json={}),
        await client.post(f"{PRODUCTION}/promote", json={"from": "staging"}),
        await client.delete(PRODUCTION),
    ):
        problem(response, 403, "forbidden")
    assert kept.live() == [(two, 100)]
