"""Projects over the API, on real stores: who may do what with them, what a deletion takes along, where quotas hold."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.api.conftest import As, client_of, problem, user

from v8box.api.access import EVERY_PROJECT, Role, Scope
from v8box.api.app import build_api
from v8box.api.auth.accounts import Member
from v8box.api.idempotency import Idempotency
from v8box.api.operations import Operations
from v8box.bindings.db.binding import DbBinding
from v8box.bindings.db.embedded import EmbeddedDatabases
from v8box.bindings.db.interface import DatabaseId, Statement
from v8box.bindings.interface import BindingError, Call
from v8box.bindings.interface import Scope as RunScope
from v8box.bindings.s3.embedded import EmbeddedObjects
from v8box.bindings.s3.interface import BucketId, ObjectLimits, PutOptions
from v8box.catalog.projects import Projects, Quotas, Usage
from v8box.features.database.routes import build_router as database_router
from v8box.features.objects.routes import build_router as objects_router
from v8box.features.operations.routes import build_router as operations_router
from v8box.features.projects import Owned, ProjectService, Room, of_buckets, of_databases
from v8box.features.projects.routes import build_router
from v8box.storage import Database
from v8box.telemetry import audit
from v8box.telemetry.actors import BOX, Actor

MIB = 1_048_576
ROOT = user("root", {EVERY_PROJECT: Role.ADMIN})


async def launch(argv: Sequence[str], stdin: int | None, env: Mapping[str, str]) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(*argv, stdin=stdin, env=dict(env))


@dataclass
class Things:
    """Something else that projects own, whose removal can be held up and can fail."""

    of: dict[str, int] = field(default_factory=dict)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    error: Exception | None = None
    removed: list[tuple[str, str]] = field(default_factory=list)

    async def count(self, project: str) -> int:
        return self.of.get(project, 0)

    async def remove(self, project: str, actor: Actor) -> None:
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        self.of.pop(project, None)
        self.removed.append((project, actor.id))


@dataclass
class Box:
    """All that the routes stand on."""

    app: As
    client: httpx.AsyncClient
    projects: Projects
    usage: Usage
    room: Room
    databases: EmbeddedDatabases
    objects: EmbeddedObjects
    workers: Things

    async def make(self, name: str = "shop", **quotas: int | None) -> None:
        await self.projects.create(name, quotas=quotas, actor=BOX)

    async def ended(self, response: httpx.Response) -> dict[str, Any]:
        """The operation that this answer begins, at its end."""
        assert response.status_code == 202, response.text
        assert response.headers["location"] == f"/api/v1/operations/{response.json()['id']}"
        body: dict[str, Any] = (await self.client.get(f"/operations/{response.json()['id']}?wait=30")).json()
        return body


async def no_sites(_: str) -> int:
    return 0


@pytest.fixture
async def box(tmp_path: Path, database: Database) -> AsyncIterator[Box]:
    await audit.open_audit(database)
    projects = await Projects.open(database, Quotas(workers=5))
    usage = await Usage.open(database, projects)
    room = Room(projects)
    databases = EmbeddedDatabases(tmp_path / "databases", launch, engines=1)
    limits = ObjectLimits(bytes_of=room.object_bytes, buckets_of=room.buckets)
    objects = EmbeddedObjects(tmp_path / "objects", limits=limits)
    await databases.start()
    await objects.start()
    room.watch(databases, objects, no_sites)
    operations = await Operations.open(database)
    idempotency = await Idempotency.open(database)
    workers = Things()
    workers.gate.set()
    owned = (
        Owned(kind="workers", count=workers.count, remove=workers.remove),
        of_databases(databases),
        of_buckets(objects),
    )
    service = ProjectService(projects, usage, room, operations, owned)

    async def members(project: str, after: str, limit: int) -> Sequence[Member]:
        ada = Member(user_id="u1", name="ada", role=Role.OWNER, disabled=False)
        bob = Member(user_id="u2", name="bob", role=Role.VIEWER, disabled=True)
        return [each for each in (ada, bob) if each.name > after][:limit] if project == "shop" else []

    async def exists(name: str) -> bool:
        return projects.exists(name)

    app = As(
        build_api(
            [
                build_router(service, members),
                operations_router(operations),
                database_router(databases, room.check_database),
                objects_router(objects, room.check_bucket),
            ],
            idempotency=idempotency,
            project_exists=exists,
        )
    )
    app.principal = ROOT
    async with client_of(app) as client:
        yield Box(app, client, projects, usage, room, databases, objects, workers)
    await operations.close()
    await idempotency.close()
    await objects.stop()
    await databases.stop()


async def test_a_project_is_made_shown_and_changed(box: Box) -> None:
    made = await box.client.post("/projects", json={"name": "shop", "quotas": {"buckets": 2}})
    assert (made.status_code, made.headers["location"]) == (201, "/api/v1/projects/shop")
    body = made.json()
    assert (body["name"], body["title"], body["state"]) == ("shop", "shop", "active")
    assert body["quotas"]["buckets"] == 2
    assert body["quotas"]["workers"] == 5
    shown = await box.client.get("/projects/shop")
    assert (shown.json(), shown.headers["etag"]) == (body, made.headers["etag"])
    patch = {"title": "The shop", "quotas": {"workers": None, "storage_mb": 10}}
    changed = await box.client.patch("/projects/shop", json=patch, headers={"if-match": shown.headers["etag"]})
    assert changed.json()["quotas"] | {"workers": None, "storage_mb": 10, "buckets": 2} == changed.json()["quotas"]
    late = await box.client.patch("/projects/shop", json=patch, headers={"if-match": shown.headers["etag"]})
    assert problem(late, 412, "precondition_failed")["etag"] == changed.headers["etag"]
    assert [each["name"] for each in (await box.client.get("/projects")).json()["items"]] == ["default", "shop"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": "A"},
        {"name": "a_b"},
        {"name": "a\n"},
        {"name": "api"},
        {"name": "x" * 41},
        {"name": "shop", "quotas": {"workers": -1}},
        {"name": "shop", "quotas": {"wokers": 1}},
        {"name": "shop", "quotas": {"workers": 1.5}},
        {"name": "shop", "quotas": {"workers": 2**53}},
        {"name": "shop", "title": "a\u0000b"},
        {"name": "shop", "colour": "red"},
    ],
)
async def test_what_is_no_project_is_refused(box: Box, body: dict[str, Any]) -> None:
    problem(await box.client.post("/projects", json=body), 400, "bad_request")
    assert len(box.projects.all()) == 1


async def test_what_is_there_or_is_not_is_said(box: Box) -> None:
    await box.make()
    problem(await box.client.post("/projects", json={"name": "shop"}), 409, "project_exists")
    for path in ("/projects/nope", "/projects/nope/usage", "/projects/nope/members", "/projects/..%2f"):
        problem(await box.client.get(path), 404, "not_found" if "%" in path else "project_not_found")
    problem(await box.client.patch("/projects/nope", json={"title": "x"}), 404, "project_not_found")
    problem(await box.client.delete("/projects/nope"), 404, "project_not_found")
    problem(await box.client.delete("/projects/default?confirm=default"), 409, "default_project")


async def test_who_may_what(box: Box) -> None:
    await box.make()
    await box.make("other")

    async def statuses() -> tuple[list[str], list[int]]:
        listed = [each["name"] for each in (await box.client.get("/projects")).json()["items"]]
        calls = (
            box.client.get("/projects/shop"),
            box.client.get("/projects/shop/usage"),
            box.client.get("/projects/shop/members"),
            box.client.patch("/projects/shop", json={"title": "x"}),
            box.client.patch("/projects/shop", json={"quotas": {"workers": 9}}),
            box.client.post("/projects", json={"name": "shop"}),
        )
        return listed, [(await call).status_code for call in calls]

    box.app.principal = user("vera", {"shop": Role.VIEWER})
    assert await statuses() == (["shop"], [200, 200, 403, 403, 403, 403])
    box.app.principal = user("adam", {"shop": Role.ADMIN})
    assert await statuses() == (["shop"], [200, 200, 200, 200, 403, 403])
    problem(await box.client.delete("/projects/shop"), 403, "forbidden")
    box.app.principal = user("eve", {"other": Role.OWNER})
    assert await statuses() == (["other"], [403] * 6)
    box.app.principal = ROOT
    assert await statuses() == (["default", "other", "shop"], [200, 200, 200, 200, 200, 409])
    box.app.principal = user("root", {EVERY_PROJECT: Role.OWNER}, scopes={Scope.READ})
    assert (await statuses())[1] == [200, 200, 200, 403, 403, 403]
    box.app.principal = user("root", {EVERY_PROJECT: Role.OWNER}, project="shop")
    assert await statuses() == (["shop"], [200, 200, 200, 200, 403, 403])


async def test_members_come_in_pages(box: Box) -> None:
    await box.make()
    first = (await box.client.get("/projects/shop/members?limit=1")).json()
    assert first["items"] == [{"user": "u1", "name": "ada", "role": "owner", "disabled": False}]
    rest = await box.client.get("/projects/shop/members", params={"limit": 1, "cursor": first["next_cursor"]})
    assert rest.json() == {
        "items": [{"user": "u2", "name": "bob", "role": "viewer", "disabled": True}],
        "next_cursor": None,
    }


async def test_usage_says_what_is_used_of_what(box: Box) -> None:
    await box.make(storage_mb=50, requests_per_day=9)
    box.usage.add("shop", 1.25)
    box.workers.of["shop"] = 3
    await box.objects.create_bucket(BucketId("shop", "files"))
    await box.objects.put(BucketId("shop", "files"), "a", bytes(MIB), PutOptions())
    await box.databases.create(DatabaseId("shop", "crm"))
    body = (await box.client.get("/projects/shop/usage")).json()
    assert body["requests_per_day"] == {"used": 1, "limit": 9}
    assert body["cpu_seconds_per_day"] == {"used": 1.25, "limit": None}
    assert (body["workers"], body["databases"]["used"]) == ({"used": 3, "limit": 5}, 1)
    assert body["storage_mb"]["limit"] == 50
    assert 1 <= body["storage_mb"]["used"] < 2
    assert body["resets_at"].endswith("T00:00:00.000Z")
    assert [day["requests"] for day in body["days"]] == [1]


async def test_a_project_that_owns_nothing_is_deleted(box: Box) -> None:
    await box.make()
    operation = await box.ended(await box.client.delete("/projects/shop"))
    assert (operation["kind"], operation["state"], operation["project"]) == ("project.delete", "succeeded", "shop")
    problem(await box.client.get("/projects/shop"), 404, "project_not_found")


async def test_a_project_is_deleted_with_all_that_it_owns(box: Box) -> None:
    await box.make()
    await box.make("other")
    box.workers.of |= {"shop": 2, "other": 1}
    for project in ("shop", "other"):
        await box.databases.create(DatabaseId(project, "crm"))
        await box.databases.open(DatabaseId(project)).execute(Statement("create table t (a)"))
        files = BucketId(project, "files")
        await box.objects.create_bucket(files)
        await box.objects.put(files, "a", b"x", PutOptions())
        await box.objects.create_upload(files, "half", PutOptions())
        await box.objects.put(BucketId(project, "v8box"), "b", b"x", PutOptions())
    for confirm in ("", "?confirm=", "?confirm=other"):
        refused = problem(await box.client.delete(f"/projects/shop{confirm}"), 409, "project_not_empty")
        assert (refused["workers"], refused["databases"], refused["buckets"]) == (2, 2, 2)
    assert box.projects.exists("shop")
    operation = await box.ended(await box.client.delete("/projects/shop?confirm=shop"))
    assert operation["state"] == "succeeded", operation
    assert box.workers.removed == [("shop", "root")]
    assert [each.objects for each in await box.objects.buckets("shop")] in ([], [0])
    assert sum(each.size_bytes for each in await box.databases.names("shop")) == 0
    assert (await box.room.holds("other")).storage_bytes > 0
    assert len(await box.objects.list_uploads(BucketId("other", "files"))) == 1


async def test_while_it_is_deleted_nobody_can_use_it_or_delete_it_twice(box: Box) -> None:
    await box.make()
    box.workers.gate.clear()
    first = await box.client.delete("/projects/shop")
    assert not box.projects.exists("shop")
    problem(await box.client.delete("/projects/shop"), 409, "project_deleting")
    problem(await box.client.patch("/projects/shop", json={"title": "x"}), 409, "project_deleting")
    assert (await box.client.get("/projects/shop")).json()["state"] == "deleting"
    problem(await box.client.post("/projects", json={"name": "shop"}), 409, "project_exists")
    box.workers.gate.set()
    assert (await box.ended(first))["state"] == "succeeded"
    assert (await box.client.post("/projects", json={"name": "shop"})).status_code == 201


async def test_a_deletion_that_fails_can_be_begun_again(box: Box) -> None:
    await box.make()
    box.workers.of["shop"] = 1
    box.workers.error = BindingError("DB_UNAVAILABLE", "the server is away")
    operation = await box.ended(await box.client.delete("/projects/shop?confirm=shop"))
    assert (operation["state"], operation["problem"]["code"]) == ("failed", "DB_UNAVAILABLE")
    box.workers.error = None
    assert (await box.ended(await box.client.delete("/projects/shop")))["state"] == "succeeded"


# ---- where quotas hold


async def test_databases_and_buckets_are_counted(box: Box) -> None:
    await box.make(databases=1, buckets=2)
    at = "http://localhost/admin/"
    assert (await box.client.post(at + "database/databases?project=shop", json={"name": "one"})).status_code == 201
    refused = (await box.client.post(at + "database/databases?project=shop", json={"name": "two"})).json()
    assert (refused["code"], refused["details"]["limit"], refused["details"]["used"]) == ("quota_exceeded", 1, 1)
    held = len(await box.objects.buckets("shop"))
    for number in range(2 - held):
        assert (
            await box.client.post(at + "s3/buckets?project=shop", json={"name": f"bucket-{number}"})
        ).status_code == 201
    response = await box.client.post(at + "s3/buckets?project=shop", json={"name": "one-more"})
    assert (response.status_code, response.json()["code"]) == (409, "quota_exceeded")
    with pytest.raises(BindingError, match="2 buckets"):  # whoever asks: a worker, the S3 API
        await box.objects.create_bucket(BucketId("shop", "one-more"))
    await box.objects.create_bucket(BucketId("other", "free"))


async def test_buckets_hold_no_more_than_the_storage_that_databases_leave(box: Box) -> None:
    await box.make(storage_mb=2)
    files = BucketId("shop", "files")
    await box.objects.create_bucket(files)
    await box.objects.put(files, "a", bytes(MIB), PutOptions())
    table = box.databases.open(DatabaseId("shop"))
    await table.execute(Statement("create table t (a)"))
    await table.execute(Statement("insert into t values (zeroblob(900000))"))
    await box.room.measure()
    with pytest.raises(BindingError, match="quota") as refused:
        await box.objects.put(files, "b", bytes(300_000), PutOptions())
    assert refused.value.code == "quota_exceeded"
    await box.objects.put(files, "c", bytes(1_000), PutOptions())
    await box.projects.change("shop", quotas={"storage_mb": 1}, actor=BOX)
    response = await box.client.post("http://localhost/admin/database/databases?project=shop", json={"name": "two"})
    assert (response.status_code, response.json()["code"]) == (507, "quota_exceeded")


async def test_a_worker_cannot_make_more_databases_than_its_project_may_have(box: Box) -> None:
    await box.make(databases=1)
    binding = DbBinding(box.databases, admit=box.room.admit_database)
    scope = RunScope("shop", "hello", "1", "production", "run", grants={"db": frozenset({"one", "two"})})

    async def use(name: str) -> None:
        await binding.call(Call(scope, "execute", {"sql": "create table if not exists t (a)", "db": name}, None))

    await use("one")
    with pytest.raises(BindingError) as refused:
        await use("two")
    assert (refused.value.code, refused.value.details) == ("quota_exceeded", {"limit": 1, "used": 1})
    await use("one")
    await use("default")
    await box.projects.change("shop", quotas={"databases": 2}, actor=BOX)
    await use("two")
