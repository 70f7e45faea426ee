"""Long work: how it is seen while it runs, and what is left of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.api.conftest import As, client_of, problem, user

from v8box.api import operations as module
from v8box.api.access import EVERY_PROJECT, Role, Scope
from v8box.api.app import build_api
from v8box.api.operations import Operations, Progress, State, TooManyOperations
from v8box.errors import NotFound
from v8box.features.operations.routes import build_router
from v8box.storage import Database

ADA = user("ada", {EVERY_PROJECT: Role.OWNER})


class Job:
    """Work that goes on when it is told to."""

    def __init__(self) -> None:
        self.entered = asyncio.Event()
        self.gate = asyncio.Event()
        self.outcome: Callable[[], Any] = lambda: {"deleted": 3}

    async def __call__(self, progress: Progress) -> Any:
        progress.step("removing")
        progress.count(1, 3)
        self.entered.set()
        await self.gate.wait()
        return self.outcome()


@pytest.fixture
async def job() -> Job:
    return Job()


@pytest.fixture
async def operations(database: Database) -> AsyncIterator[Operations]:
    operations = await Operations.open(database)
    yield operations
    await operations.close()


@pytest.fixture
async def app(operations: Operations) -> As:
    return As(build_api([build_router(operations)]))


@pytest.fixture
async def client(app: As) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(app) as client:
        yield client


async def start(operations: Operations, job: Job, project: str | None = "shop") -> str:
    return (await operations.start("project.delete", project, ADA.actor, job)).id


async def test_an_operation_is_seen_from_its_start_to_its_end(
    operations: Operations, job: Job, client: httpx.AsyncClient
) -> None:
    at = f"/operations/{await start(operations, job)}"
    await job.entered.wait()
    body = (await client.get(at)).json()
    assert (body["state"], body["ended_at"], body["result"], body["problem"]) == ("running", None, None, None)
    assert body["progress"] == {"step": "removing", "done": 1, "total": 3}
    assert body["started_by"] == {"kind": "user", "id": "ada", "name": "ada"}
    assert (await client.get("/operations?state=running")).json()["items"] == [body]
    waiting = asyncio.create_task(client.get(f"{at}?wait=30"))
    job.gate.set()
    body = (await waiting).json()
    assert (body["state"], body["result"]) == ("succeeded", {"deleted": 3})
    assert body["ended_at"].endswith("Z")
    assert (await client.get(at)).json() == body
    problem(await client.delete(at), 409, "operation_ended")


async def test_work_that_fails_tells_why_and_a_bug_does_not(
    operations: Operations, client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(error: Exception) -> Callable[[], Any]:
        def raises() -> Any:
            raise error

        return raises

    for error, code in ((NotFound("it is gone"), "not_found"), (KeyError("hunter2"), "internal")):
        job = Job()
        job.gate.set()
        job.outcome = fail(error)
        at = f"/operations/{await start(operations, job)}"
        body = (await client.get(f"{at}?wait=30")).json()
        assert (body["state"], body["problem"]["code"]) == ("failed", code)
        assert "hunter2" not in str(body)
    assert "hunter2" in caplog.text


async def test_work_can_be_cancelled(operations: Operations, job: Job, client: httpx.AsyncClient) -> None:
    at = f"/operations/{await start(operations, job)}"
    await job.entered.wait()
    body = (await client.delete(at)).json()
    assert (body["state"], body["problem"], body["progress"]["done"]) == ("cancelled", None, 1)
    assert (await client.get(at)).json() == body


async def test_work_lets_go_of_what_it_holds_also_when_it_is_cancelled_at_once(database: Database) -> None:
    operations = await Operations.open(database)
    held: list[str] = []

    async def work(_: Progress) -> None:
        held.append("took")
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            held.append("let go")

    started = await operations.start("release.create", "shop", ADA.actor, work)
    cancelled = await operations.cancel(started.id)
    assert (cancelled.state, held, operations.running) == (State.CANCELLED, ["took", "let go"], 0)
    stopped = await operations.start("release.create", "shop", ADA.actor, work)
    await operations.close()
    assert (held[2:], (await operations.get(stopped.id)).state) == (["took", "let go"], State.FAILED)


async def test_nothing_is_left_running_of_what_nobody_waited_to_see_begin(
    operations: Operations, database: Database, job: Job
) -> None:
    starting = asyncio.create_task(operations.start("release.create", "shop", ADA.actor, job))
    await asyncio.sleep(0)  # it is being written down
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    await asyncio.sleep(0)
    await database.write(lambda _: None)  # behind what was on its way
    (written,) = await operations.list(projects=None, before=None, limit=10)
    assert (written.state, operations.running, job.entered.is_set()) == (State.CANCELLED, 0, False)


async def test_what_a_stop_or_a_crash_interrupts_is_failed_after_it(database: Database, job: Job) -> None:
    stopped = await Operations.open(database)
    first = await start(stopped, job)
    await job.entered.wait()
    await stopped.close()
    crashed = await Operations.open(database)
    second = await start(crashed, job)
    again = await Operations.open(database)  # with nobody closing the one before
    for operation in (await again.get(first), await again.get(second)):
        assert operation.state is State.FAILED
        assert operation.problem is not None
        assert operation.problem["code"] == "interrupted"
        assert operation.ended_at is not None
    job.gate.set()
    await crashed.close()


async def test_who_sees_and_cancels_what(operations: Operations, job: Job, client: httpx.AsyncClient, app: As) -> None:
    shop, box = await start(operations, job), await start(operations, job, None)
    await job.entered.wait()
    seen: list[tuple[list[str], int, int]] = []
    for who in (
        ADA,
        user("vera", {EVERY_PROJECT: Role.VIEWER}),
        user("dan", {"shop": Role.DEVELOPER}),
        user("eve", {"other": Role.OWNER}),
        user("ada", {}),
    ):
        app.principal = who
        listed = [each["id"] for each in (await client.get("/operations")).json()["items"]]
        seen.append(
            (
                listed,
                (await client.get(f"/operations/{shop}")).status_code,
                (await client.get(f"/operations/{box}")).status_code,
            )
        )
    assert seen == [
        ([box, shop], 200, 200),
        ([box, shop], 200, 200),
        ([shop], 200, 404),
        ([], 404, 404),
        ([], 200, 200),  # whoever started it sees it, whatever became of their roles
    ]
    app.principal = user("dan", {"shop": Role.DEVELOPER})
    problem(await client.delete(f"/operations/{shop}"), 403, "forbidden")
    app.principal = user("ada", {EVERY_PROJECT: Role.OWNER}, scopes={Scope.READ})
    problem(await client.delete(f"/operations/{shop}"), 403, "forbidden")
    app.principal = user("ada", {EVERY_PROJECT: Role.OWNER}, project="other")
    assert (await client.get("/operations")).json()["items"] == []
    assert (await client.get("/operations?project=shop")).json()["items"] == []
    app.principal = user("sam", {"shop": Role.ADMIN})
    assert (await client.delete(f"/operations/{shop}")).json()["state"] == "cancelled"
    problem(await client.get("/operations/op_nope"), 404, "not_found")


async def test_those_of_the_same_moment_are_in_the_order_in_which_they_began(
    operations: Operations, job: Job, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "time_ns", lambda: 1_700_000_000_000_000_000)
    started = [await start(operations, job) for _ in range(8)]
    listed = [each["id"] for each in (await client.get("/operations")).json()["items"]]
    assert listed == started[::-1]


async def test_pages_go_back_in_time(operations: Operations, client: httpx.AsyncClient) -> None:
    made = []
    for _ in range(5):
        job = Job()
        job.gate.set()
        made.append(await start(operations, job))
    first = (await client.get("/operations?limit=3")).json()
    rest = (await client.get("/operations", params={"limit": 3, "cursor": first["next_cursor"]})).json()
    ids = [each["id"] for each in first["items"] + rest["items"]]
    assert sorted(ids) == sorted(made)
    assert ids == sorted(ids, reverse=True)
    assert rest["next_cursor"] is None


async def test_there_are_only_so_many(
    operations: Operations, database: Database, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_RUNNING", 2)
    monkeypatch.setattr(module, "MAX_KEPT", 1)
    first, second = await start(operations, job), await start(operations, job)
    with pytest.raises(TooManyOperations):
        await start(operations, job)
    job.gate.set()
    await asyncio.gather(*(operations.get(each, 30) for each in (first, second)), return_exceptions=True)
    kept = await operations.list(projects=None, before=None, limit=10)
    assert [each.id for each in kept] == [max(first, second)]


async def test_a_large_result_is_not_kept(operations: Operations, job: Job) -> None:
    job.outcome = lambda: "x" * module.MAX_RESULT_BYTES
    job.gate.set()
    operation = await operations.get(await start(operations, job), 30)
    assert (operation.state, operation.result) == (State.SUCCEEDED, None)


async def test_a_database_that_fails_starts_nothing(tmp_path: Path, job: Job) -> None:
    database = await Database.open(tmp_path / "other.db")
    operations = await Operations.open(database)
    await database.write(lambda sql: sql.execute("drop table operations"))
    with pytest.raises(Exception, match="no such table"):
        await start(operations, job)
    assert not job.entered.is_set()
    await database.close()
