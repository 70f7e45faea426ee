"""A LibSQL server that goes away and comes back: clear errors, no hung call, and what was acknowledged is there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.servers.sqld import SqldServer

from v8box.bindings.db.interface import DatabaseId, DbLimits, Statement
from v8box.bindings.db.libsql import LibsqlServer
from v8box.bindings.interface import BindingError

pytestmark = pytest.mark.usefixtures("impatience")

ONE = DatabaseId("one")
LIMITS = DbLimits(statement_seconds=600)
HANGS_SECONDS = 60.0  # well before a statement's own deadline would end it


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SqldServer]:
    with SqldServer(tmp_path / "sqld") as started:
        yield started


@pytest.fixture
async def databases(server: SqldServer, tmp_path: Path) -> AsyncIterator[LibsqlServer]:
    backend = LibsqlServer(
        f"{server.url}?authToken=secret",
        admin_url=server.admin_url,
        admin_token="secret",
        key_file=tmp_path / "key",
        limits=LIMITS,
    )
    await backend.start()
    yield backend
    await backend.stop()


async def rows(databases: LibsqlServer, sql: str, args: Any = None) -> list[list[Any]]:
    result = await databases.open(ONE).execute(Statement(sql, args))
    found: list[list[Any]] = msgspec.json.decode(result.encoded)["r"]
    return found


async def answering(databases: LibsqlServer) -> None:
    """Returns once the server is used again."""
    async with asyncio.timeout(60):
        while True:
            try:
                await rows(databases, "SELECT 1")
            except BindingError:
                await asyncio.sleep(0.05)
            else:
                return


async def unavailable(server: SqldServer, *works: Awaitable[Any]) -> None:
    """All of them fail soon, and say which server it is and no secret."""
    for work in works:
        async with asyncio.timeout(HANGS_SECONDS):
            with pytest.raises(BindingError) as caught:
                await work
        assert caught.value.code == "DB_UNAVAILABLE", caught.value
        assert "127.0.0.1:" in caught.value.message
        assert "secret" not in caught.value.message


async def test_a_server_that_is_down_is_named_and_found_again(databases: LibsqlServer, server: SqldServer) -> None:
    await rows(databases, "CREATE TABLE t (a)")
    await databases.health()
    transaction = await databases.open(ONE).begin("write")
    server.kill()
    database = databases.open(ONE)
    await unavailable(
        server,
        rows(databases, "SELECT 1"),
        rows(databases, "SELECT 1"),
        database.batch([Statement("SELECT 1")], "read"),
        database.script("SELECT 1"),
        database.describe("SELECT 1"),
        transaction.execute(Statement("SELECT 1")),
        database.begin("write"),
        databases.health(),
        databases.names("one"),
        databases.create(DatabaseId("one", "crm")),
        databases.delete(DatabaseId("one", "crm")),
        databases.open(DatabaseId("new")).execute(Statement("SELECT 1")),
    )
    assert transaction.ended is not None
    server.start()
    await rows(databases, "INSERT INTO t VALUES (1)")
    assert await rows(databases, "SELECT a FROM t") == [[1]]
    await databases.health()
    with pytest.raises(BindingError, match="TRANSACTION_CLOSED"):
        await transaction.commit()


async def test_a_box_starts_without_its_server(server: SqldServer, tmp_path: Path) -> None:
    server.kill()
    backend = LibsqlServer(server.url, admin_url=server.admin_url, key_file=tmp_path / "key", limits=LIMITS)
    async with asyncio.timeout(HANGS_SECONDS):
        await backend.start()
    try:
        await unavailable(server, rows(backend, "SELECT 1"))
        server.start()
        assert await rows(backend, "SELECT 1") == [[1]]
    finally:
        await backend.stop()


async def test_a_server_that_hangs_is_given_up(databases: LibsqlServer, server: SqldServer) -> None:
    await rows(databases, "CREATE TABLE t (a)")
    server.freeze()
    await unavailable(server, rows(databases, "SELECT 1"), databases.health())
    async with asyncio.timeout(HANGS_SECONDS):
        outcomes = await asyncio.gather(
            *(rows(databases, "INSERT INTO t VALUES (1)") for _ in range(5)),
            *(rows(databases, "SELECT 1") for _ in range(20)),
            return_exceptions=True,
        )
    assert {outcome.code for outcome in outcomes if isinstance(outcome, BindingError)} <= {
        "DB_UNAVAILABLE",
        "SQLITE_BUSY",
    }
    server.thaw()
    await answering(databases)


async def test_a_transaction_does_not_outlive_the_servers_restart(databases: LibsqlServer, server: SqldServer) -> None:
    await rows(databases, "CREATE TABLE t (a)")
    transaction = await databases.open(ONE).begin("write")
    await transaction.execute(Statement("INSERT INTO t VALUES (1)"))
    server.kill()
    server.start()
    with pytest.raises(BindingError) as caught:
        await transaction.execute(Statement("INSERT INTO t VALUES (2)"))
    assert caught.value.code in ("TRANSACTION_CLOSED", "DB_UNAVAILABLE")
    await transaction.rollback()  # harmless
    await rows(databases, "INSERT INTO t VALUES (3)")  # the write lock is free
    assert await rows(databases, "SELECT a FROM t") == [[3]]


async def test_what_was_acknowledged_survives_kills_under_load(databases: LibsqlServer, server: SqldServer) -> None:
    await rows(databases, "CREATE TABLE t (a INTEGER PRIMARY KEY)")
    acknowledged: set[int] = set()
    refusals: set[str] = set()
    stopping = asyncio.Event()

    async def write(first: int) -> None:
        number = first
        while not stopping.is_set():
            number += 10
            try:
                if number % 3:
                    await rows(databases, "INSERT INTO t VALUES (?)", [number])
                else:
                    await databases.open(ONE).batch([Statement("INSERT INTO t VALUES (?)", [number])], "write")
            except BindingError as error:
                refusals.add(error.code)
                await asyncio.sleep(0)
            else:
                acknowledged.add(number)

    async with asyncio.TaskGroup() as writers:
        for first in range(4):
            writers.create_task(write(first))
        for _ in range(4):
            enough = len(acknowledged) + 30
            async with asyncio.timeout(60):
                while len(acknowledged) < enough:  # noqa: ASYNC110 - a set has no event
                    await asyncio.sleep(0.01)
            await asyncio.to_thread(server.kill)
            await asyncio.to_thread(server.start)
        stopping.set()
    found = {row[0] for row in await rows(databases, "SELECT a FROM t")}
    assert acknowledged <= found
    assert refusals <= {"DB_UNAVAILABLE"}
    assert await rows(databases, "PRAGMA integrity_check") == [["ok"]]


async def test_an_admin_api_that_refuses_is_named_with_its_setting(server: SqldServer, tmp_path: Path) -> None:
    """The server's own port is no admin API, which is what a mistaken setting comes to."""
    backend = LibsqlServer(server.url, admin_url=server.url, key_file=tmp_path / "key")
    await backend.start()
    try:
        with pytest.raises(BindingError, match="the admin API of the LibSQL server at"):
            await rows(backend, "SELECT 1")
    finally:
        await backend.stop()
