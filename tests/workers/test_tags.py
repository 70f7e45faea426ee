"""Tags on workers, what the list is filtered and ordered by, and how much a long list asks of the database."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from tests.api.conftest import problem
from tests.catalog.conftest import ADA, MANIFEST, Kept, build
from tests.workers.conftest import As, FakeFolder, developer

from v8box.api.access import Role
from v8box.api.deployed import DeployFault
from v8box.catalog.listing import MAX_TAGS
from v8box.storage import Transaction, load_queries

LIST = "http://localhost/api/v1/projects/default/workers"
TAGS = "http://localhost/api/v1/projects/default/worker-tags"


async def names(client: httpx.AsyncClient, **params: Any) -> list[str]:
    answer = await client.get(LIST, params=params)
    assert answer.status_code == 200, answer.text
    return [each["name"] for each in answer.json()["items"]]


@pytest.mark.parametrize("tag", ["", "Shop", "a b", "-a", "ä", "<b>", "a" * 64, "a\n"])
async def test_what_is_no_tag_is_refused(client: httpx.AsyncClient, kept: Kept, tag: str) -> None:
    await kept.deploy("one")
    problem(await client.patch("a", json={"tags": [tag]}), 400, "bad_request")
    problem(await client.post(TAGS, json={"workers": ["a"], "add": [tag]}), 400, "bad_request")
    assert (await client.get("a")).json()["tags"] == []


async def test_tags_of_several_change_together_or_not_at_all(client: httpx.AsyncClient, kept: Kept) -> None:
    for name in ("a", "b", "full"):
        await kept.deploy("one", worker=name)
    many = [f"t{number:02}" for number in range(MAX_TAGS)]
    assert (await client.patch("full", json={"tags": many})).json()["tags"] == many
    problem(await client.patch("full", json={"tags": [*many, "more"]}), 400, "bad_request")
    problem(await client.post(TAGS, json={"workers": ["a", "full"], "add": ["shop"]}), 400, "bad_request")
    problem(await client.post(TAGS, json={"workers": ["a", "nothing"], "add": ["shop"]}), 404, "not_found")
    problem(await client.post(TAGS, json={"workers": [], "add": ["shop"]}), 400, "bad_request")
    problem(await client.post(TAGS.replace("default", "nothing"), json={"workers": ["a"]}), 404, "project_not_found")
    assert [await names(client, tag=tag) for tag in ("shop", "t00")] == [[], ["full"]]
    before = await kept.actions()
    assert (await client.post(TAGS, json={"workers": ["a", "b"], "add": ["shop", "eu"]})).status_code == 204
    assert (await client.post(TAGS, json={"workers": ["b"], "add": ["mail"], "remove": ["shop", "x"]})).is_success
    assert (await client.get("a")).json()["tags"] == ["eu", "shop"]
    assert (await client.get(TAGS)).json()["items"][:3] == [
        {"tag": "eu", "workers": 2},
        {"tag": "mail", "workers": 1},
        {"tag": "shop", "workers": 1},
    ]
    assert await names(client, tag=["eu", "mail"]) == ["b"]
    assert (await kept.actions())[len(before) :] == ["worker.tag"] * 3
    assert (await client.post(TAGS, json={"workers": ["a"], "add": ["eu"]})).is_success
    assert (await kept.actions())[len(before) :] == ["worker.tag"] * 3  # nothing changed


async def test_a_change_of_somebody_else_is_not_undone(client: httpx.AsyncClient, kept: Kept) -> None:
    await kept.deploy("one")
    etag = (await client.get("a")).headers["etag"]
    assert (await client.patch("a", json={"tags": ["x"]}, headers={"if-match": etag})).is_success
    problem(await client.patch("a", json={"tags": ["y"]}, headers={"if-match": etag}), 412, "precondition_failed")
    assert (await client.get("a")).json()["tags"] == ["x"]


async def test_tags_stay_with_the_worker_and_go_with_it(client: httpx.AsyncClient, kept: Kept) -> None:
    first, _ = await kept.deploy("one", "two")
    await client.patch("a", json={"tags": ["shop"]})
    await kept.catalog.roll_back("a", actor=ADA)
    assert kept.live() == [(first, 100)]
    assert (await client.get("a")).json()["tags"] == ["shop"]
    assert (await client.delete("a")).status_code == 204
    assert (await client.get(TAGS)).json()["items"] == []
    await kept.deploy("one")
    assert (await client.get("a")).json()["tags"] == []


async def test_a_viewer_looks_only(client: httpx.AsyncClient, kept: Kept, app: As) -> None:
    await kept.deploy("one")
    developer(app, Role.VIEWER)
    problem(await client.patch("a", json={"tags": ["x"]}), 403, "forbidden")
    problem(await client.post(TAGS, json={"workers": ["a"], "add": ["x"]}), 403, "forbidden")
    assert (await client.get(TAGS)).json()["items"] == []


async def test_the_list_shows_what_is_asked_for(client: httpx.AsyncClient, kept: Kept, folder: FakeFolder) -> None:
    await kept.deploy("one", worker="mail")
    await kept.deploy("one", worker="shop")
    await kept.deploy("one", worker="cart", environment="staging")
    await kept.store("x", worker="stored")
    await client.patch("cart", json={"tags": ["shopping"]})
    folder.workers = {"mail", "broken"}
    folder.failed = {"broken": DeployFault(message="SyntaxError")}
    assert await names(client, search=" SHOP ") == ["cart", "shop"]
    assert await names(client, search="%") == []
    assert await names(client, source="folder") == ["broken", "mail"]
    assert await names(client, environment="staging") == ["cart"]
    assert await names(client, state="broken") == ["broken"]
    assert await names(client, state="not_live") == ["broken", "stored"]
    assert await names(client, state="live", source="api") == ["cart", "shop"]
    assert await names(client, order="-deployed_at") == ["cart", "shop", "mail", "stored", "broken"]
    problem(await client.get(LIST, params={"order": "size"}), 400, "bad_request")
    problem(await client.get(LIST, params={"state": "x"}), 400, "bad_request")

    page = (await client.get(LIST, params={"order": "-deployed_at", "limit": 2})).json()
    assert ([each["name"] for each in page["items"]], page["total"]) == (["cart", "shop"], 5)
    rest = await names(client, order="-deployed_at", limit=200, cursor=page["next_cursor"])
    assert rest == ["mail", "stored", "broken"]
    problem(await client.get(LIST, params={"cursor": page["next_cursor"], "limit": 2}), 400, "bad_request")


async def test_a_long_list_asks_no_more_than_a_short_one(
    client: httpx.AsyncClient, kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    rows = Transaction.rows

    def counted(self: Transaction, sql: str, *rest: Any) -> Any:
        asked.append(sql)
        return rows(self, sql, *rest)

    monkeypatch.setattr(Transaction, "rows", counted)
    await kept.deploy("one", worker="w000")
    asked.clear()
    assert len(await names(client, limit=200)) == 1
    few = len(asked)
    for number in range(1, 120):
        await kept.deploy("one", worker=f"w{number:03}")
    asked.clear()
    assert len(await names(client, limit=200)) == 120
    assert len(asked) == few < 15


async def test_what_is_live_is_found_by_the_worker(kept: Kept) -> None:
    """Not by looking through all that is live in the project."""
    sql = "explain query plan " + load_queries("v8box.catalog")["deployments"]
    rows = await kept.database.read(lambda at: at.rows(sql, {"project": "p", "worker": "w"}))
    assert "deployments_of_worker (project=? AND worker=?)" in str(rows)


async def test_what_was_never_deployed_has_no_tags(client: httpx.AsyncClient, folder: FakeFolder) -> None:
    folder.workers = {"broken"}
    folder.failed = {"broken": DeployFault(message="SyntaxError")}
    told = problem(await client.patch("broken", json={"tags": ["x"]}), 404, "not_found")
    assert "never deployed" in told["detail"]


async def test_another_project_has_its_own(client: httpx.AsyncClient, kept: Kept) -> None:
    await kept.deploy("one")
    await kept.catalog.deploy("a", build("x"), MANIFEST, project="acme", actor=ADA)
    await client.post(TAGS.replace("default", "acme"), json={"workers": ["a"], "add": ["theirs"]})
    assert (await client.get("a")).json()["tags"] == []
    assert (await client.get(LIST.replace("default", "acme"), params={"tag": "theirs"})).json()["total"] == 1
