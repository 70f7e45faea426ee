"""The engine processes: killed, out of memory, stuck, and what is left of the data."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from tests.bindings.db.conftest import patiently

from v8box.bindings.db import embedded as engines
from v8box.bindings.db.binding import DbBinding
from v8box.bindings.db.interface import DbLimits
from v8box.bindings.interface import BindingError

Ask = Callable[..., Coroutine[Any, Any, tuple[Any, bytes | None]]]
Children = list[asyncio.subprocess.Process]
ENDLESS = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c"


async def test_no_engine_runs_before_the_first_call(embedded: DbBinding, ask: Ask, children: Children) -> None:
    assert children == []
    await ask(embedded, "execute", {"sql": "SELECT 1"})
    assert len(children) == 1


async def test_a_killed_engine_is_replaced_and_what_was_committed_is_there(
    embedded: DbBinding, ask: Ask, children: Children
) -> None:
    await ask(embedded, "execute", {"sql": "CREATE TABLE t (id INTEGER PRIMARY KEY)"})
    for round_ in range(3):
        tx, _ = await ask(embedded, "begin", {"mode": "read"})
        await ask(embedded, "execute", {"sql": "INSERT INTO t VALUES (?)", "args": [round_]})
        calls = [asyncio.create_task(ask(embedded, "execute", {"sql": ENDLESS})) for _ in range(3)]
        calls.append(asyncio.create_task(ask(embedded, "execute", {"sql": f"INSERT INTO t {ENDLESS}"})))
        await ask(embedded, "execute", {"sql": "SELECT 1", "tx": tx})  # the endless ones have been sent before
        children[-1].send_signal(signal.SIGKILL)
        for outcome in await asyncio.gather(*calls, return_exceptions=True):
            assert isinstance(outcome, BindingError)
            assert outcome.code == "ENGINE_DIED"
        with pytest.raises(BindingError, match="ENGINE_DIED"):
            await ask(embedded, "execute", {"sql": "SELECT 1", "tx": tx})
        rows, _ = await ask(embedded, "execute", {"sql": "SELECT id FROM t ORDER BY id"})
        assert rows["r"] == [[number] for number in range(round_ + 1)]
        check, _ = await ask(embedded, "execute", {"sql": "PRAGMA integrity_check"})
        assert check["r"] == [["ok"]]
    assert len(children) == 4


async def test_every_answered_write_outlives_a_kill_at_any_moment(
    embedded: DbBinding, ask: Ask, children: Children
) -> None:
    await ask(embedded, "execute", {"sql": "CREATE TABLE t (id INTEGER PRIMARY KEY)"})
    answered: list[int] = []

    async def write(first: int) -> None:
        for number in range(first, first + 200):
            await ask(embedded, "execute", {"sql": "INSERT INTO t VALUES (?)", "args": [number]})
            answered.append(number)
            if len(answered) == 150:
                children[-1].kill()

    outcomes = await asyncio.gather(*(write(1000 * lane) for lane in range(4)), return_exceptions=True)
    assert any(isinstance(outcome, BindingError) for outcome in outcomes)
    rows, _ = await ask(embedded, "execute", {"sql": "SELECT id FROM t"})
    assert {row[0] for row in rows["r"]} >= set(answered)


async def test_a_query_that_wants_all_memory_is_refused_and_the_engine_lives(
    make_embedded: Callable[..., Any], ask: Ask, children: Children
) -> None:
    async with make_embedded(DbLimits(heap_bytes=32_000_000)) as embedded:
        await ask(embedded, "execute", {"sql": "CREATE TABLE t (id)"})
        greedy = (
            "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 1000000) "
            "SELECT x, hex(randomblob(100)) AS h FROM c ORDER BY h"
        )
        with pytest.raises(BindingError, match="SQLITE_NOMEM"):
            await ask(embedded, "execute", {"sql": greedy})
        rows, _ = await ask(embedded, "execute", {"sql": "SELECT count(*) FROM t"})
        assert rows["r"] == [[0]]
        assert _peak_kb(children[0].pid) < 100_000
    assert len(children) == 1


async def test_an_engine_that_cannot_be_interrupted_is_ended(
    make_embedded: Callable[..., Any], ask: Ask, children: Children
) -> None:
    """One instr() is one step of SQLite's machine, however long it searches."""
    async with make_embedded(DbLimits(statement_seconds=0.1)) as embedded:
        many = "replace(hex(zeroblob({})), '0', 'a')"
        stuck = f"SELECT instr({many.format(4_000_000)}, {many.format(2_000_000)} || 'b')"
        with pytest.raises(BindingError, match="ENGINE_DIED"):
            await ask(embedded, "execute", {"sql": stuck})
        await patiently(lambda: ask(embedded, "execute", {"sql": "SELECT 1"}))
    assert children[0].returncode == 70


def _wait_stopped(pid: int) -> None:
    """Until every thread has taken the signal: until then one may still answer."""
    deadline = time.monotonic() + 60
    for task in Path(f"/proc/{pid}/task").iterdir():
        while (task / "stat").read_text().rpartition(")")[2].split()[0] != "T":
            assert time.monotonic() < deadline
            time.sleep(0.001)


async def test_an_engine_that_does_not_answer_is_not_healthy(
    embedded: DbBinding, ask: Ask, children: Children, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ask(embedded, "execute", {"sql": "SELECT 1"})
    children[0].send_signal(signal.SIGSTOP)
    _wait_stopped(children[0].pid)
    with monkeypatch.context() as short:
        short.setattr(engines, "_HEALTH_SECONDS", 0.2)
        with pytest.raises(BindingError, match="ENGINE_SILENT"):
            await embedded.health()
    children[0].send_signal(signal.SIGCONT)
    await embedded.health()


async def test_engines_end_with_the_gateway(make_embedded: Callable[..., Any], ask: Ask, children: Children) -> None:
    async with make_embedded(engines=3) as embedded:
        projects = [f"p{number}" for number in range(12)]
        await asyncio.gather(*(ask(embedded, "execute", {"sql": "SELECT 1"}, project=project) for project in projects))
        assert len(children) == 3
    assert [child.returncode for child in children] == [0, 0, 0]


async def test_few_databases_stay_open(make_embedded: Callable[..., Any], ask: Ask, children: Children) -> None:
    async with make_embedded(DbLimits(open_databases=3)) as embedded:
        for number in range(20):
            await ask(embedded, "execute", {"sql": "CREATE TABLE t (id)"}, project=f"p{number}")
        rows, _ = await ask(embedded, "execute", {"sql": "SELECT count(*) FROM t"}, project="p0")
        assert rows["r"] == [[0]]
        descriptors = Path(f"/proc/{children[0].pid}/fd")
        deadline = time.monotonic() + 60
        while len(_open_databases(descriptors)) > 3:  # a lane closes its file on its own thread
            assert time.monotonic() < deadline
            await ask(embedded, "execute", {"sql": "SELECT 1"}, project="p0")
        assert _open_databases(descriptors)


def _peak_kb(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1])


def _open_databases(descriptors: Path) -> set[str]:
    names = set()
    for descriptor in descriptors.iterdir():
        try:
            target = os.readlink(descriptor)
        except FileNotFoundError:
            continue  # closed meanwhile
        if target.endswith(".db"):
            names.add(target)
    return names


async def test_a_start_that_fails_says_so(tmp_path: Path) -> None:
    from v8box.bindings.db.embedded import EmbeddedDatabases
    from v8box.bindings.db.interface import DatabaseId, Statement

    async def refuse(*_: object) -> asyncio.subprocess.Process:
        raise FileNotFoundError("no such program")

    async def broken(*_: object) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec("false")

    for launch in (refuse, broken):
        databases = EmbeddedDatabases(tmp_path, launch)
        with pytest.raises(BindingError, match="ENGINE_DIED"):
            await databases.open(DatabaseId("one")).execute(Statement("SELECT 1"))
        await databases.stop()
    gc.collect()  # a socket left open would warn now
