"""What a worker's processes use, over the API."""

from __future__ import annotations

from collections.abc import Sequence

import httpx
from tests.fakes.principals import any_project, signed_in
from tests.fakes.versions import a_version

from v8box.api.app import build_api
from v8box.features.memory.routes import build_router
from v8box.pool.pool import Process
from v8box.sandbox.interface import MemoryState

MIB = 1024 * 1024


class FakePool:
    def __init__(self) -> None:
        self.processes: list[Process] = []

    def memory(self, project: str, worker: str) -> Sequence[Process]:
        return self.processes if (project, worker) == ("default", "hello") else []

    def has(self, age: float, used: int, leak: float | None = None) -> None:
        state = MemoryState(
            used_bytes=used * MIB, peak_bytes=2 * used * MIB, limit_bytes=128 * MIB, runs=7, leak_bytes_per_run=leak
        )
        self.processes.append(Process(a_version(), "ready", age, state))


async def ask(pool: FakePool, path: str = "default/workers/hello/memory") -> httpx.Response:
    app = build_api([build_router(pool)], project_exists=any_project)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(signed_in(app)), base_url="http://box") as client:
        return await client.get(f"/api/v1/projects/{path}")


async def test_a_worker_that_sleeps_has_no_process() -> None:
    pool = FakePool()
    assert (await ask(pool)).json() == {"items": [], "next_cursor": None}
    pool.has(1.0, 10)
    assert (await ask(pool, "acme/workers/hello/memory")).json()["items"] == []
    assert (await ask(pool, "default/workers/Bad*/memory")).status_code in (400, 422)


async def test_processes_are_shown_with_what_they_use_and_whether_they_leak() -> None:
    pool = FakePool()
    pool.has(1.0, 10)
    pool.has(60.0, 28, leak=MIB / 20)
    leaking, sound = (await ask(pool)).json()["items"]
    assert (sound["memory_bytes"], sound["peak_bytes"], sound["runs"]) == (10 * MIB, 20 * MIB, 7)
    assert (sound["leak_mb_per_1000_requests"], sound["requests_left"], sound["finding"]) == (None, None, None)
    assert (leaking["leak_mb_per_1000_requests"], leaking["requests_left"]) == (50, 2_000)
    assert leaking["finding"].startswith("leaks about 50.0 MiB per 1,000 requests; the limit is reached in about 2000")


async def test_many_processes_come_in_pages() -> None:
    pool = FakePool()
    for age in range(3):
        pool.has(float(age), 10 + age)
    first = (await ask(pool, "default/workers/hello/memory?limit=2")).json()
    rest = (await ask(pool, f"default/workers/hello/memory?limit=2&cursor={first['next_cursor']}")).json()
    assert [each["age_seconds"] for each in (*first["items"], *rest["items"])] == [2, 1, 0]
