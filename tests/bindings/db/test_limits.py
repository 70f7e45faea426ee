"""What one database may take, and that its neighbours on the same engine do not notice when it wants more."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from v8box.bindings.db.interface import DatabaseId, Databases, DbLimits, Queries, Statement
from v8box.bindings.interface import BindingError

Children = list[asyncio.subprocess.Process]
Make = Callable[..., Any]
ONE = DatabaseId("one")
NEIGHBOUR = DatabaseId("one", "neighbour")
ENDLESS = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c"
STUCK = "SELECT instr(replace(hex(zeroblob(3000000)), '0', 'a'), replace(hex(zeroblob(1500000)), '0', 'a') || 'b')"


async def run(queries: Queries, sql: str, args: Any = None) -> Any:
    return msgspec.json.decode((await queries.execute(Statement(sql, args))).encoded)


async def code(work: Any) -> str:
    with pytest.raises(BindingError) as caught:
        await work
    return caught.value.code


@asynccontextmanager
async def busy(databases: Databases) -> AsyncIterator[list[int]]:
    """A neighbour that writes and reads its own row without an end; yields the numbers it got back."""
    database = databases.open(NEIGHBOUR)
    await run(database, "CREATE TABLE IF NOT EXISTS n (id INTEGER PRIMARY KEY, v)")
    seen: list[int] = []

    async def work() -> None:
        while True:
            await run(database, "INSERT INTO n (v) VALUES (?)", [len(seen)])
            rows = (await run(database, "SELECT v FROM n ORDER BY id DESC LIMIT 1"))["r"]
            seen.append(rows[0][0])

    task = asyncio.create_task(work())
    try:
        yield seen
    finally:
        task.cancel()
        (outcome,) = await asyncio.gather(task, return_exceptions=True)
        assert isinstance(outcome, asyncio.CancelledError), outcome
        assert seen == list(range(len(seen)))


async def until_more(seen: list[int], rounds: int = 5) -> None:
    """The neighbour gets on meanwhile."""
    wanted = len(seen) + rounds
    async with asyncio.timeout(60):
        while len(seen) < wanted:  # noqa: ASYNC110 - a list has no event
            await asyncio.sleep(0)


async def test_a_query_that_wants_all_memory_is_refused_and_a_neighbour_works_on(make_databases: Make) -> None:
    async with (
        make_databases(DbLimits(heap_bytes=48_000_000, statement_seconds=600)) as databases,
        busy(databases) as seen,
    ):
        greedy = (
            "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 1000000) "
            "SELECT x, hex(randomblob(100)) AS h FROM c ORDER BY h"
        )
        for _ in range(3):
            refused = asyncio.create_task(code(run(databases.open(ONE), greedy)))
            await until_more(seen)
            assert await refused == "SQLITE_NOMEM"
            await until_more(seen)


async def test_a_sort_never_spills_to_the_disk(make_databases: Make, children: Children) -> None:
    async with make_databases(DbLimits(heap_bytes=48_000_000, statement_seconds=600)) as databases:
        database = databases.open(ONE)
        await run(database, "SELECT 1")
        before = set(_open_files(children[0].pid))  # its log may be a file without a name
        numbers = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 150000) "
        sort = asyncio.create_task(
            run(database, f"{numbers} SELECT max(h) FROM (SELECT hex(randomblob(20)) h FROM c ORDER BY h LIMIT 140000)")
        )
        spilled: set[str] = set()
        while not sort.done():
            opened = set(_open_files(children[0].pid)) - before
            spilled |= {name for name in opened if "(deleted)" in name or "etilqs" in name}
            await asyncio.sleep(0)
        await sort
        assert spilled == set()


async def test_a_database_beyond_its_quota_is_refused_and_a_neighbour_works_on(make_databases: Make) -> None:
    async with make_databases(DbLimits(database_bytes=2_000_000)) as databases, busy(databases) as seen:
        database = databases.open(ONE)
        await run(database, "CREATE TABLE t (data)")
        refused = ""
        while not refused:
            try:
                await run(database, "INSERT INTO t VALUES (randomblob(50000))")
            except BindingError as error:
                refused = error.code
        assert refused == "SQLITE_FULL"
        await until_more(seen)
        assert (await run(database, "SELECT count(*) > 20 FROM t"))["r"] == [[1]]
        await run(database, "DELETE FROM t")  # room again
        await run(database, "INSERT INTO t VALUES (randomblob(50000))")


async def test_a_long_read_does_not_let_the_log_grow_without_bound(make_databases: Make, tmp_path: Path) -> None:
    quota, log, step = 2_000_000, 1_000_000, 100_000
    async with make_databases(DbLimits(database_bytes=quota, log_bytes=log)) as databases, busy(databases) as seen:
        database = databases.open(ONE)
        await run(database, "CREATE TABLE t (id INTEGER PRIMARY KEY, data)")
        await run(database, "INSERT INTO t VALUES (1, randomblob(?))", [step])
        reader = await database.begin("read")
        await run(reader, "SELECT * FROM t")
        refused = ""
        writes = 0
        while not refused:
            assert writes < 100
            try:
                await run(database, "UPDATE t SET data = randomblob(?)", [step])
                writes += 1
            except BindingError as error:
                refused = error.code
            assert _size(tmp_path / "databases/one/default.db") <= quota + log + 2 * step
        assert refused == "SQLITE_FULL"
        assert writes > 3
        await until_more(seen)
        assert len((await run(reader, "SELECT * FROM t"))["r"]) == 1
        await reader.rollback()
        async with asyncio.timeout(60):
            while refused:  # the log is emptied soon
                try:
                    await run(database, "UPDATE t SET data = randomblob(?)", [step])
                    refused = ""
                except BindingError as error:
                    refused = error.code
        assert _size(tmp_path / "databases/one/default.db") < log


async def test_the_log_is_moved_into_the_file_as_it_grows(make_databases: Make, tmp_path: Path) -> None:
    async with make_databases() as databases:
        database = databases.open(ONE)
        await run(database, "CREATE TABLE t (id INTEGER PRIMARY KEY, data)")
        for _ in range(60):  # 15 MB in all
            await run(database, "INSERT OR REPLACE INTO t VALUES (1, randomblob(250000))")
        log = tmp_path / "databases/one/default.db-wal"
        async with asyncio.timeout(60):
            while log.stat().st_size > 12_000_000:
                await run(database, "INSERT OR REPLACE INTO t VALUES (1, randomblob(10))")


async def test_slow_statements_of_many_databases_hold_up_no_point_read(make_databases: Make) -> None:
    """A quick statement runs on the thread that reads the socket; a slow one must not keep that thread."""
    async with make_databases(DbLimits(statement_seconds=600)) as databases, busy(databases) as seen:
        many = [databases.open(DatabaseId("one", f"d{number}")) for number in range(5)]
        await asyncio.gather(*(run(database, "SELECT 1") for database in many))
        await asyncio.gather(*(run(database, "SELECT 1") for database in many))  # their lanes are open now
        slow = [asyncio.create_task(run(database, ENDLESS)) for database in many for _ in range(3)]
        await until_more(seen, 50)
        assert not any(task.done() for task in slow)
        for task in slow:
            task.cancel()
        await asyncio.gather(*slow, return_exceptions=True)
        assert (await run(many[0], "SELECT 1"))["r"] == [[1]]


async def test_a_step_that_looks_at_no_clock_holds_up_no_neighbour(make_databases: Make) -> None:
    async with make_databases(DbLimits(statement_seconds=600)) as databases, busy(databases) as seen:
        database = databases.open(ONE)
        for _ in range(3):
            await run(database, "SELECT 1")  # opens the lane, so that the next one would run on the leader
        stuck = asyncio.create_task(run(database, STUCK))
        await until_more(seen, 20)
        assert not stuck.done()
        stuck.cancel()
        await asyncio.gather(stuck, return_exceptions=True)


async def test_every_acknowledged_write_outlives_kills_under_load(make_databases: Make, children: Children) -> None:
    async with make_databases() as databases:
        database = databases.open(ONE)
        await run(database, "CREATE TABLE t (id INTEGER PRIMARY KEY, data)")
        acknowledged: set[int] = set()
        numbers = iter(range(1_000_000))

        async def write(how: int) -> None:
            while True:
                number = next(numbers)
                insert = Statement("INSERT INTO t VALUES (?, zeroblob(500))", [number])
                if how == 0:
                    await database.execute(insert)
                elif how == 1:
                    await database.batch([insert, Statement("SELECT 1")], "write")
                else:
                    transaction = await database.begin("write")
                    await transaction.execute(insert)
                    await transaction.commit()
                acknowledged.add(number)

        for _ in range(6):
            before = len(acknowledged)
            writers = [asyncio.create_task(write(how)) for how in (0, 0, 1, 2)]
            async with asyncio.timeout(60):
                while len(acknowledged) < before + 60:  # noqa: ASYNC110 - a set has no event
                    await asyncio.sleep(0)
            os.kill(children[-1].pid, signal.SIGKILL)
            outcomes = await asyncio.gather(*writers, return_exceptions=True)
            assert all(isinstance(outcome, BindingError) for outcome in outcomes)
            rows = (await run(database, "SELECT id FROM t"))["r"]
            assert acknowledged <= {row[0] for row in rows}
            assert (await run(database, "PRAGMA integrity_check"))["r"] == [["ok"]]


async def test_a_thousand_databases_open_lazily_and_cost_nothing_idle(make_databases: Make, children: Children) -> None:
    most = 16
    async with make_databases(DbLimits(open_databases=most, idle_seconds=0.2), engines=2) as databases:
        names = [DatabaseId(f"p{number % 50}", f"d{number}") for number in range(1000)]
        handles = [databases.open(name) for name in names]
        assert children == []  # a handle costs nothing

        async def fill(part: int) -> None:
            for number in range(part, len(handles), 8):
                await run(handles[number], "CREATE TABLE t (id)")
                await run(handles[number], "INSERT INTO t VALUES (?)", [number])

        await asyncio.gather(*(fill(part) for part in range(8)))
        assert len(children) == 2
        for child in children:
            assert len(_open_databases(child.pid)) <= most + 8  # as many more as were at work
        assert (await run(handles[77], "SELECT id FROM t"))["r"] == [[77]]
        assert len(await databases.names("p7")) == 21
        deadline = time.monotonic() + 60
        while any(_open_databases(child.pid) for child in children):  # idle ones are closed, to the last
            assert time.monotonic() < deadline
            await asyncio.sleep(0)
        for child in children:
            assert _threads(child.pid) < 20
        assert (await run(handles[999], "SELECT id FROM t"))["r"] == [[999]]


def _size(path: Path) -> int:
    """Of the database and its log."""
    return sum(file.stat().st_size for file in (path, path.with_name(path.name + "-wal")) if file.exists())


def _open_files(pid: int) -> list[str]:
    names = []
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        try:
            names.append(os.readlink(descriptor))
        except FileNotFoundError:
            continue  # closed meanwhile
    return names


def _open_databases(pid: int) -> set[str]:
    return {name for name in _open_files(pid) if name.endswith(".db")}


def _threads(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/task").iterdir()))
