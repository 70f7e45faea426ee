"""Reads from a replica: a run never misses its own writes, and a replica that fails is nobody's error."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from tests.servers.sqld import SqldReplica, SqldServer

from v8box.bindings.db.interface import DatabaseId, Statement
from v8box.bindings.db.libsql import LibsqlServer

pytestmark = pytest.mark.usefixtures("impatience")

ONE = DatabaseId("one")


@pytest.fixture(scope="module")
def primary(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqldServer]:
    with SqldServer(tmp_path_factory.mktemp("primary")) as server:
        yield server


@pytest.fixture
def replica(tmp_path: Path, primary: SqldServer) -> Iterator[SqldReplica]:
    with SqldReplica(tmp_path / "replica", primary) as server:
        yield server


@pytest.fixture
async def databases(primary: SqldServer, replica: SqldReplica, tmp_path: Path) -> AsyncIterator[LibsqlServer]:
    backend = LibsqlServer(primary.url, admin_url=primary.admin_url, replica_url=replica.url, key_file=tmp_path / "key")
    await backend.start()
    yield backend
    for database in await backend.names("one"):
        await backend.delete(DatabaseId("one", database.name))
    await backend.stop()


async def rows(databases: LibsqlServer, sql: str, args: Any = None) -> list[list[Any]]:
    result = await databases.open(ONE).execute(Statement(sql, args))
    found: list[list[Any]] = msgspec.json.decode(result.encoded)["r"]
    return found


def served(server: SqldServer) -> float:
    """How many requests the server has answered."""
    metrics = httpx.get(f"{server.admin_url}/metrics", timeout=60, trust_env=False).text
    return sum(
        float(line.rpartition(" ")[2])
        for line in metrics.splitlines()
        if line.startswith("libsql_server_user_http_response{")
    )


async def read_from_replica(databases: LibsqlServer, primary: SqldServer, sql: str) -> list[list[Any]]:
    """Reads until a read leaves the primary alone."""
    async with asyncio.timeout(60):
        while True:
            before = served(primary)
            found = await rows(databases, sql)
            if served(primary) == before:
                return found
            await asyncio.sleep(0.02)


async def test_a_write_is_seen_at_once_and_the_replica_serves_once_it_has_it(
    databases: LibsqlServer, primary: SqldServer
) -> None:
    await rows(databases, "CREATE TABLE t (a)")
    for number in range(60):
        await rows(databases, "INSERT INTO t VALUES (?)", [number])
        for _ in range(3):
            assert await rows(databases, "SELECT count(*) FROM t") == [[number + 1]]
    assert await read_from_replica(databases, primary, "SELECT count(*) FROM t") == [[60]]
    batch = await databases.open(ONE).batch([Statement("INSERT INTO t VALUES (60)")], "write")
    assert batch.written == 1
    assert await rows(databases, "SELECT count(*) FROM t") == [[61]]
    transaction = await databases.open(ONE).begin("write")
    await transaction.execute(Statement("INSERT INTO t VALUES (61)"))
    await transaction.commit()
    assert await rows(databases, "SELECT count(*) FROM t") == [[62]]
    await databases.open(ONE).script("INSERT INTO t VALUES (62); INSERT INTO t VALUES (63)")
    assert await rows(databases, "SELECT count(*) FROM t") == [[64]]
    await databases.open(ONE).batch([Statement("SELECT 1")], "read")
    assert await read_from_replica(databases, primary, "SELECT count(*) FROM t") == [[64]]


async def test_a_replica_that_is_down_or_hangs_is_passed_over(
    databases: LibsqlServer, primary: SqldServer, replica: SqldReplica
) -> None:
    await rows(databases, "CREATE TABLE t (a)")
    await read_from_replica(databases, primary, "SELECT * FROM t")
    replica.freeze()
    assert await rows(databases, "SELECT * FROM t") == []
    replica.thaw()
    await read_from_replica(databases, primary, "SELECT * FROM t")
    replica.kill()
    assert await rows(databases, "SELECT * FROM t") == []
    await rows(databases, "INSERT INTO t VALUES (1)")
    assert await rows(databases, "SELECT a FROM t") == [[1]]
    replica.start()
    assert await read_from_replica(databases, primary, "SELECT a FROM t") == [[1]]


async def test_what_a_replica_does_not_have_yet_is_read_from_the_primary(
    databases: LibsqlServer, primary: SqldServer, replica: SqldReplica, tmp_path: Path
) -> None:
    """A second node has written nothing, so it knows of nothing that the replica may lack."""
    replica.kill()
    await rows(databases, "CREATE TABLE t (a)")
    await rows(databases, "INSERT INTO t VALUES (1)")
    replica.start()
    other = LibsqlServer(primary.url, admin_url=primary.admin_url, replica_url=replica.url, key_file=tmp_path / "key")
    await other.start()
    try:
        assert await rows(other, "SELECT a FROM t") in ([[1]], [])
        assert await read_from_replica(other, primary, "SELECT a FROM t") == [[1]]
    finally:
        await other.stop()


async def test_a_deleted_database_is_not_read_from_a_replica_that_still_has_it(
    databases: LibsqlServer, primary: SqldServer
) -> None:
    await rows(databases, "CREATE TABLE t (a)")
    await read_from_replica(databases, primary, "SELECT * FROM t")
    await databases.delete(ONE)
    assert await rows(databases, "SELECT count(*) FROM sqlite_schema") == [[0]]
