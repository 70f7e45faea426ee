"""…/workers: what there is, where it is live, and deleting it."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from tests.api.conftest import problem
from tests.catalog.conftest import ADA, MANIFEST, Kept, build
from tests.workers.conftest import As, FakeFolder, developer

from v8box.api.access import Role
from v8box.api.deployed import DeployFault
from v8box.features.workers.retention import retain_forever

LIST = "http://localhost/api/v1/projects/default/workers"


async def test_the_list_has_every_worker_with_where_it_is_live(
    client: httpx.AsyncClient, kept: Kept, folder: FakeFolder
) -> None:
    one, two = await kept.deploy("one", "two")
    await kept.deploy("one", environment="staging")
    await kept.store("x", worker="stored")
    folder.workers = {"a", "broken"}
    folder.failed = {"broken": DeployFault(message="SyntaxError", file="functions/broken.ts", line=2, column=7)}
    await kept.catalog.deploy("foreign", build("x"), MANIFEST, project="acme", actor=ADA)
    items = (await client.get(LIST)).json()["items"]
    assert [(each["name"], each["source"], each["versions"]) for each in items] == [
        ("a", "folder", 2),
        ("broken", "folder", 0),
        ("stored", "api", 1),
    ]
    a, broken, stored = items
    assert a["url"] == "http://localhost:8000/run/a"
    assert a["newest"]["version"] == two
    places = {each["environment"]: each for each in a["environments"]}
    assert places["production"]["versions"] == [{"version": two, "number": 2, "weight": 100}]
    assert places["staging"]["url"] == "http://localhost:8000/run/a@staging"
    assert places["staging"]["versions"][0]["version"] == one
    assert a["deployed_at"].endswith("Z")
    assert broken["error"] == {"message": "SyntaxError", "file": "functions/broken.ts", "line": 2, "column": 7}
    assert (stored["environments"], stored["deployed_at"]) == ([], None)
    assert (await client.get("a")).json() == a
    first = (await client.get(LIST, params={"limit": 2})).json()
    rest = (await client.get(LIST, params={"limit": 2, "cursor": first["next_cursor"]})).json()
    assert first["items"] + rest["items"] == items


async def test_of_a_project_that_is_none_there_are_no_workers(client: httpx.AsyncClient) -> None:
    problem(await client.get(LIST.replace("default", "nothing")), 404, "project_not_found")
    problem(await client.post(LIST.replace("default", "nothing") + "/prune", json={}), 404, "project_not_found")
    assert (await client.get(LIST.replace("default", "acme"))).json()["items"] == []


@pytest.mark.parametrize("name", ["nothing", "A", "a%2Fb", "a" * 64, "%00", "..%2f"])
async def test_a_worker_that_is_none_is_not_found(client: httpx.AsyncClient, name: str) -> None:
    for path in (name, f"{name}/versions", f"{name}/deployments", f"{name}/versions/1"):
        assert (await client.get(path)).status_code in (400, 404)


async def test_deleting_needs_an_admin_and_leaves_nothing(client: httpx.AsyncClient, kept: Kept, app: As) -> None:
    await kept.deploy("one")
    developer(app)
    problem(await client.delete("a"), 403, "forbidden")
    developer(app, Role.ADMIN)
    assert (await client.delete("a")).status_code == 204
    problem(await client.get("a"), 404, "not_found")
    problem(await client.delete("a"), 404, "not_found")
    assert kept.live() == []


async def test_a_worker_of_the_folder_goes_with_its_file_or_not_at_all(
    client: httpx.AsyncClient, kept: Kept, folder: FakeFolder, forgotten: list[tuple[str, str]]
) -> None:
    await kept.deploy("one")
    folder.workers = {"a", "broken"}
    folder.failed = {"broken": DeployFault(message="no")}
    assert "files=true" in problem(await client.delete("a"), 409, "comes_from_folder")["detail"]
    assert kept.live() != []
    assert (await client.delete("a?files=true")).status_code == 204
    assert (await client.delete("broken?files=true")).status_code == 204
    assert folder.deleted == ["a", "broken"]
    assert forgotten == [("default", "a"), ("default", "broken")]
    assert kept.live() == []


async def test_old_versions_go_by_hand(client: httpx.AsyncClient, kept: Kept, app: As) -> None:
    await kept.store("1", "2", "3")
    await kept.store("1", "2", worker="b")
    assert (await client.post("a/prune", json={"keep": 2})).json() == {"removed": 1}
    assert (await client.post("prune", json={})).json() == {"removed": 0}  # the box keeps a hundred
    assert (await client.post("prune", json={"keep": 1})).json() == {"removed": 2}
    problem(await client.post("nothing/prune", json={}), 404, "not_found")
    developer(app)
    problem(await client.post("prune", json={"keep": 0}), 403, "forbidden")


async def test_old_versions_go_by_themselves(kept: Kept, caplog: pytest.LogCaptureFixture) -> None:
    await kept.store("1", "2", "3")
    days: list[str] = []
    third = asyncio.Event()

    async def sweep() -> int:
        days.append("day")
        if len(days) == 3:
            third.set()
        raise OSError("the disk is away")

    kept.catalog.versions.sweep = sweep  # type: ignore[method-assign]
    task = asyncio.create_task(retain_forever(kept.catalog.versions, 1, first_seconds=0, every_seconds=0))
    await third.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert len(await kept.catalog.versions.list("default", "a")) == 1
    assert "could not be removed" in caplog.text
