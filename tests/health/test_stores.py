"""What is said of backlogs, backups, Valkey's memory, the confinement and the pool."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from v8box.errors import V8BoxError
from v8box.features.health import stores
from v8box.features.health.model import Status
from v8box.features.health.stores import Backlog, BacklogWatch
from v8box.sandbox.rungs import Rung
from v8box.storage import Database, backups

HOUR = 3_600.0


class Queue:
    def __init__(self) -> None:
        self.waiting = self.lost = 0
        self.now = 0.0
        backlog = Backlog(
            name="run log", waiting=lambda: self.waiting, most=100, lost=lambda: self.lost, advice="look at the disk"
        )
        self.watch = BacklogWatch([backlog], clock=lambda: self.now)


async def test_a_backlog_warns_when_it_is_half_full() -> None:
    queue = Queue()
    queue.waiting = 49
    assert (await queue.watch.look()).status is Status.OK
    queue.waiting = 50
    found = await queue.watch.look()
    assert (found.status, found.value, found.advice) == (Status.WARN, "run log: 50", "look at the disk")


async def test_a_loss_is_told_for_ten_minutes_and_counted_for_good() -> None:
    queue = Queue()
    queue.lost = 7
    assert (await queue.watch.look()).status is Status.WARN
    queue.now = 601.0
    found = await queue.watch.look()
    assert (found.status, found.value) == (Status.OK, "run log: 0 (7 dropped since the start)")
    queue.lost = 8
    assert (await queue.watch.look()).status is Status.WARN


async def test_the_age_of_the_last_backup(tmp_path: Path) -> None:
    database = await Database.open(tmp_path / "catalog.db")
    await database.write(lambda sql: sql.execute("create table t (x)"))
    await database.close()
    folder = tmp_path / "backups"

    def look(up_seconds: float, now: float) -> Status:
        return stores.backup(tmp_path / "catalog.db", folder, up_seconds=up_seconds, now=now).status

    assert look(10, 0) is Status.OK  # the first is made soon
    assert look(HOUR, 0) is Status.FAIL
    copy = await backups.back_up(tmp_path / "catalog.db", folder)
    os.utime(copy, (1_000_000, 1_000_000))
    assert look(HOUR, 1_000_000 + 25 * HOUR) is Status.OK
    assert look(HOUR, 1_000_000 + 27 * HOUR) is Status.WARN
    assert look(HOUR, 1_000_000 + 80 * HOUR) is Status.FAIL


@pytest.mark.parametrize(
    ("used", "most", "policy", "status"),
    [
        (50, 100, "noeviction", Status.OK),
        (95, 100, "noeviction", Status.WARN),
        (95, 100, "allkeys-lru", Status.OK),
        (95, 0, "noeviction", Status.OK),
    ],
)
async def test_valkeys_memory(used: int, most: int, policy: str, status: Status) -> None:
    async def info() -> str:
        return f"# Memory\r\nused_memory:{used}\r\nmaxmemory:{most}\r\nmaxmemory_policy:{policy}\r\n"

    assert (await stores.valkey_memory(info)()).status is status


async def test_a_missing_rung_is_a_warning_with_its_advice() -> None:
    rungs = [Rung("Landlock", False, "not available", "use Linux 5.13")]
    found = await stores.confinement(lambda: rungs)()
    assert (found.status, found.advice) == (Status.WARN, "use Linux 5.13")
    assert (await stores.confinement(lambda: [])()).status is Status.OK


async def test_workers_cannot_run_when_something_says_why() -> None:
    reason: list[str | None] = [None]
    ask = stores.workers(lambda: 3, 64, stopped=lambda: reason[0])
    assert (await ask()).value == "3 of 64 sandboxes"
    reason[0] = "the box is stopping"
    found = await ask()
    assert (found.status, found.value) == (Status.FAIL, "the box is stopping")


@pytest.mark.parametrize(("taken", "status"), [(3, Status.WARN), (0, Status.FAIL)])
async def test_a_sandbox_that_does_not_start(taken: int, status: Status) -> None:
    found = await stores.workers(lambda: taken, 64, stopped=lambda: None, fault=lambda: "no memory")()
    assert (found.status, "no memory" in found.value, bool(found.advice)) == (status, True, True)


async def test_a_store_that_raises_is_not_swallowed() -> None:
    async def info() -> str:
        raise V8BoxError("gone")

    with pytest.raises(V8BoxError):
        await stores.valkey_memory(info)()
