"""Captures over their API: who may take and read them, that they go after a day, and that there are never too many."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.fakes.principals import OWNER, any_project, signed_in, somebody
from tests.fakes.versions import a_version

from v8box.api.app import build_api
from v8box.api.idempotency import Idempotency
from v8box.api.operations import Operations
from v8box.api.principals import Principal, Role
from v8box.catalog.model import Placement
from v8box.features.captures import service
from v8box.features.captures.routes import build_router
from v8box.features.captures.service import CaptureKind, Captures
from v8box.features.operations.routes import build_router as operations_router
from v8box.pool.group import Profiled
from v8box.sandbox.heap import SnapshotFailed
from v8box.sandbox.interface import StartupFailed
from v8box.sandbox.ticks import TickLog
from v8box.storage import Database
from v8box.telemetry import audit


class FakePool:
    """Gives a profile of so many ticks."""

    def __init__(self) -> None:
        self.ticks = 20
        self.failure: Exception | None = None

    async def profile(self, placement: Placement, seconds: float, ticks_us: int) -> Profiled:
        if self.failure is not None:
            raise self.failure
        log = TickLog()
        log.record()
        log.feed(b"code-creation,JS,10,1,0x1000,9,f blob:x:1:1,0x1,~\n")
        for number in range(self.ticks):
            log.feed(b"tick,0x1001,%d,0,0x0,0\n" % (number * 1_000))
        return Profiled(log.recording(), 3, None)

    async def heap_snapshot(self, placement: Placement, write: Callable[[bytes], Awaitable[None]]) -> int:
        await write(b'{"snapshot":')
        if self.failure is not None:
            raise self.failure
        await write(b"{}}")
        return 15


class Box:
    def __init__(self, database: Database, folder: Path, operations: Operations) -> None:
        self.database = database
        self.folder = folder
        self.now = 1_000_000.0
        self.pool = FakePool()
        self.captures: Captures
        self.operations = operations

    async def start(self) -> None:
        async def no_map(_: Placement) -> None:
            return None

        self.captures = await Captures.open(self.database, self.folder, self.pool, no_map, clock=lambda: self.now)

    def client(self, principal: Principal = OWNER) -> httpx.AsyncClient:
        def live(project: str, worker: str, environment: str) -> Placement | None:
            return a_version() if (worker, environment) == ("hello", "production") else None

        routers = [build_router(self.captures, self.operations, live), operations_router(self.operations)]
        app = build_api(routers, project_exists=any_project)
        transport = httpx.ASGITransport(signed_in(app, principal))
        return httpx.AsyncClient(transport=transport, base_url="http://box/api/v1/")

    async def take(self) -> Any:
        async with self.client() as client:
            asked = await client.post("projects/default/workers/hello/profile", json={"seconds": 1})
            assert asked.status_code == 202, asked.text
            ended = await client.get(f"operations/{asked.json()['id']}", params={"wait": 30})
            return ended.json()

    async def list(self) -> list[str]:
        async with self.client() as client:
            found = (await client.get("projects/default/captures")).json()["items"]
            return [str(capture["id"]) for capture in found]

    @property
    def files(self) -> set[str]:
        return {file.stem for file in self.folder.iterdir()} if self.folder.exists() else set()


@pytest.fixture
async def box(tmp_path: Path) -> AsyncIterator[Box]:
    database = await Database.open(tmp_path / "catalog.db")
    await audit.open_audit(database)
    operations = await Operations.open(database)
    await Idempotency.open(database)
    made = Box(database, tmp_path / "captures", operations)
    await made.start()
    yield made
    await operations.close()
    await database.close()


async def test_a_profile_is_taken_kept_and_downloaded(box: Box) -> None:
    operation = await box.take()
    assert operation["state"] == "succeeded", operation
    capture = operation["result"]
    assert (capture["kind"], capture["worker"], capture["note"]) == ("cpuprofile", "hello", "3 runs, 20 samples")
    async with box.client() as client:
        file = await client.get(capture["file"].removeprefix("/"))
    assert len(file.json()["samples"]) == 20
    assert len(file.content) == capture["bytes"]
    assert await box.list() == [capture["id"]]


@pytest.mark.parametrize(
    ("ticks", "failure", "code"),
    [(0, None, "nothing_captured"), (5, StartupFailed("Error: no"), "capture_failed")],
)
async def test_what_cannot_be_profiled_says_why(box: Box, ticks: int, failure: Exception | None, code: str) -> None:
    box.pool.ticks, box.pool.failure = ticks, failure
    operation = await box.take()
    assert (operation["state"], operation["problem"]["code"]) == ("failed", code)
    assert await box.list() == []


async def test_a_heap_snapshot_is_for_admins_only(box: Box) -> None:
    async with box.client(somebody(Role.DEVELOPER)) as client:
        asked = await client.post("projects/default/workers/hello/heap-snapshot", json={})
        assert asked.status_code == 403
    capture = await box.captures.heap_snapshot(a_version(), OWNER.actor)
    assert (capture.kind, capture.bytes) == (CaptureKind.HEAP_SNAPSHOT, 15)
    for role, status in ((Role.DEVELOPER, 403), (Role.ADMIN, 200)):
        async with box.client(somebody(role)) as client:
            assert (await client.get(f"projects/default/captures/{capture.id}/file")).status_code == status


async def test_a_snapshot_that_fails_leaves_nothing(box: Box) -> None:
    box.pool.failure = SnapshotFailed("The process ended.")
    async with box.client() as client:
        asked = await client.post("projects/default/workers/hello/heap-snapshot", json={})
        ended = (await client.get(f"operations/{asked.json()['id']}", params={"wait": 30})).json()
    assert ended["problem"]["code"] == "snapshot_failed"
    assert box.files == set()


async def test_a_capture_of_another_project_is_not_there(box: Box) -> None:
    capture = (await box.take())["result"]
    async with box.client() as client:
        for address in (f"captures/{capture['id']}", f"captures/{capture['id']}/file"):
            assert (await client.get(f"projects/acme/{address}")).status_code == 404
        assert (await client.delete(f"projects/acme/captures/{capture['id']}")).status_code == 404
    assert len(await box.list()) == 1


async def test_captures_go_after_a_day(box: Box) -> None:
    await box.take()
    box.now += service.KEPT_SECONDS / 2
    second = (await box.take())["result"]["id"]
    box.now += service.KEPT_SECONDS / 2 + 1
    await box.captures.sweep()
    assert await box.list() == [second]
    assert box.files == {second}


async def test_too_many_or_too_large_ones_make_the_oldest_go(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = []
    for _ in range(3):
        box.now += 1
        ids.append((await box.take())["result"]["id"])
    monkeypatch.setattr(service, "MOST", 2)
    await box.captures.sweep()
    assert await box.list() == [ids[2], ids[1]]
    monkeypatch.setattr(service, "MAX_BYTES", 1)
    await box.captures.sweep()
    assert await box.list() == [ids[2]]  # the newest stays, however large
    assert box.files == {ids[2]}


async def test_captures_survive_a_start_and_strangers_in_the_folder_do_not(box: Box) -> None:
    kept = (await box.take())["result"]["id"]
    await asyncio.to_thread((box.folder / "half.tmp").write_bytes, b"x")
    await box.start()
    assert await box.list() == [kept]
    assert box.files == {kept}


async def test_a_project_takes_its_captures_with_it(box: Box) -> None:
    await box.take()
    await box.captures.forget_project("default")
    assert await box.list() == []
    assert box.files == set()
