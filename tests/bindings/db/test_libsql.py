"""What only the LibSQL backend has: keys and namespaces, the guard on a real server, deadlines that reach it."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import random
import stat
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from tests.bindings.db.conftest import patiently
from tests.bindings.db.libsql_backend import empty
from tests.servers.sqld import SqldKey, SqldServer

from v8box.bindings.db.hrana_client import ServerUrl
from v8box.bindings.db.interface import DatabaseId, DbLimits, Statement, View
from v8box.bindings.db.libsql import LibsqlServer
from v8box.bindings.db.libsql_keys import NamespaceKeys, read_or_make_secret
from v8box.bindings.db.libsql_streams import Streams
from v8box.bindings.interface import BindingError
from v8box.errors import SettingsError

ONE, TWO = DatabaseId("one"), DatabaseId("two")
ENDLESS = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c"


@pytest.fixture
def server(sqld_server: SqldServer) -> Iterator[SqldServer]:
    yield sqld_server
    empty(sqld_server)


@asynccontextmanager
async def opened(url: str, auth_token: str = "", **more: Any) -> AsyncIterator[LibsqlServer]:
    databases = LibsqlServer(url, auth_token, **more)
    await databases.start()
    try:
        yield databases
    finally:
        await databases.stop()


async def rows(databases: LibsqlServer, database: DatabaseId, sql: str, args: Any = None) -> list[list[Any]]:
    result = await databases.open(database).execute(Statement(sql, args))
    found: list[list[Any]] = msgspec.json.decode(result.encoded)["r"]
    return found


async def refusal(work: Awaitable[Any]) -> BindingError:
    with pytest.raises(BindingError) as caught:
        await work
    return caught.value


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def idle(pid: int) -> None:
    """Returns once the process has used next to no processor time for a fifth of a second."""
    async with asyncio.timeout(60):
        used = -1.0
        while cpu_seconds(pid) - used > 0.04:
            used = cpu_seconds(pid)
            await asyncio.sleep(0.2)


def ask_server(server: SqldServer, namespace: str, token: str, sql: str = "SELECT 1") -> int:
    """The status of what a client with this token gets from the server itself."""
    named = base64.b64encode(namespace.encode()).rstrip(b"=").decode()
    headers = {"x-namespace-bin": named} | ({"Authorization": f"Bearer {token}"} if token else {})
    body = {"requests": [{"type": "execute", "stmt": {"sql": sql}}, {"type": "close"}]}
    return httpx.post(f"{server.url}/v3/pipeline", json=body, headers=headers, timeout=60, trust_env=False).status_code


async def test_every_database_has_a_key_of_its_own(server: SqldServer, tmp_path: Path) -> None:
    key_file = tmp_path / "keys" / "libsql"
    async with opened(server.url, admin_url=server.admin_url, key_file=key_file) as databases:
        for database in (ONE, TWO):
            await rows(databases, database, "CREATE TABLE t (a)")
    assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
    keys = NamespaceKeys(read_or_make_secret(key_file))
    assert ask_server(server, "one.default", keys.token("one.default", "rw"), "INSERT INTO t VALUES (1)") == 200
    assert ask_server(server, "one.default", keys.token("one.default", "ro"), "SELECT * FROM t") == 200
    assert ask_server(server, "one.default", keys.token("one.default", "ro"), "DELETE FROM t") == 403
    assert ask_server(server, "one.default", keys.token("two.default", "rw")) == 401
    assert ask_server(server, "v8box", keys.token("one.default", "rw")) == 401
    assert ask_server(server, "one.default", "") == 401
    ended = NamespaceKeys(read_or_make_secret(key_file), clock=lambda: 1_000_000_000.0)
    assert ask_server(server, "one.default", ended.token("one.default", "rw")) == 401


async def test_a_copy_gets_its_own_key(server: SqldServer, tmp_path: Path) -> None:
    copy = DatabaseId("one", "copy")
    async with opened(server.url, admin_url=server.admin_url, key_file=tmp_path / "key") as databases:
        await rows(databases, ONE, "CREATE TABLE t (a)")
        await databases.copy(ONE, copy)
        assert await rows(databases, copy, "SELECT * FROM t") == []
    keys = NamespaceKeys(read_or_make_secret(tmp_path / "key"))
    assert ask_server(server, "one.copy", keys.token("one.default", "rw")) == 401
    assert ask_server(server, "one.copy", keys.token("one.copy", "rw")) == 200


async def test_a_lost_key_file_is_replaced_and_the_data_stays(server: SqldServer, tmp_path: Path) -> None:
    for key in ("old", "new"):
        async with opened(server.url, admin_url=server.admin_url, key_file=tmp_path / key) as databases:
            await rows(databases, ONE, "CREATE TABLE IF NOT EXISTS t (a)")
            await rows(databases, ONE, "INSERT INTO t VALUES (1)")
            assert len(await rows(databases, ONE, "SELECT * FROM t")) == (1 if key == "old" else 2)


@pytest.mark.parametrize("content", ["", "x" * 64, "ab", "\x00"])
async def test_a_key_file_that_holds_no_key_is_refused(server: SqldServer, tmp_path: Path, content: str) -> None:
    (tmp_path / "key").write_text(content)
    with pytest.raises(SettingsError, match="64 hexadecimal"):
        await LibsqlServer(server.url, admin_url=server.admin_url, key_file=tmp_path / "key").start()


async def test_two_nodes_agree_on_what_there_is(server: SqldServer, tmp_path: Path) -> None:
    crm = DatabaseId("one", "crm")
    both: dict[str, Any] = {"admin_url": server.admin_url, "key_file": tmp_path / "key"}
    async with opened(server.url, **both, node="a") as a, opened(server.url, **both, node="b") as b:
        await a.create(crm)
        assert await b.exists(crm)
        assert [info.name for info in await b.names("one")] == ["crm", "default"]
        assert (await refusal(b.create(crm))).code == "DATABASE_EXISTS"
        await rows(a, crm, "CREATE TABLE t (a)")
        await rows(b, crm, "INSERT INTO t VALUES (1)")
        assert await rows(a, crm, "SELECT a FROM t") == [[1]]
        await b.delete(crm)
        assert not await a.exists(crm)
        assert (await refusal(rows(a, crm, "SELECT a FROM t"))).message == "no such table: t"  # made anew, as ever
        assert await b.exists(crm)


async def test_a_node_keeps_its_hands_off_the_scratch_of_others(server: SqldServer, tmp_path: Path) -> None:
    both: dict[str, Any] = {"admin_url": server.admin_url, "key_file": tmp_path / "key"}
    scratch = DatabaseId("one", "scratch-1")
    async with opened(server.url, **both, node="a") as a:
        await a.create(scratch)
        async with opened(server.url, **both, node="b"):
            assert await a.exists(scratch)
        async with opened(server.url, **both, node="a"):
            assert not await a.exists(scratch)


async def test_without_the_admin_api_there_is_one_database(server: SqldServer) -> None:
    default = DatabaseId("default")
    async with opened(server.url) as databases:
        await rows(databases, default, "CREATE TABLE t (a)")
        assert [info.name for info in await databases.names("default")] == ["default"]
        for work in (
            databases.create(DatabaseId("default", "crm")),
            databases.delete(default),
            databases.copy(default, DatabaseId("default", "crm")),
            rows(databases, DatabaseId("default", "crm"), "SELECT 1"),
            rows(databases, ONE, "SELECT 1"),
        ):
            error = await refusal(_awaited(work))
            assert (error.code, "V8BOX_LIBSQL_ADMIN_URL" in error.message) == ("DATABASE_NOT_AVAILABLE", True)
        assert not await databases.exists(DatabaseId("default", "crm"))
    async with opened(server.url, admin_url=server.admin_url) as databases:  # it is the same with it
        assert await rows(databases, default, "SELECT * FROM t") == []


async def _awaited(work: Awaitable[Any]) -> Any:
    return await work


async def test_the_operators_token_opens_the_servers_default_namespace(tmp_path: Path) -> None:
    key = SqldKey(tmp_path)
    default = DatabaseId("default")
    with SqldServer(tmp_path / "sqld", jwt_key_file=key.file) as server:
        async with opened(server.url, "wrong") as databases:
            error = await refusal(rows(databases, default, "SELECT 1"))
            assert (error.code, "LIBSQL_AUTH_TOKEN" in error.message) == ("DB_UNAUTHORIZED", True)
        options: list[dict[str, Any]] = [{}, {"admin_url": server.admin_url, "key_file": tmp_path / "box.key"}]
        for more in options:
            async with opened(server.url, key.token(), **more) as databases:
                await rows(databases, default, "CREATE TABLE IF NOT EXISTS t (a)")
                if more:
                    await rows(databases, ONE, "CREATE TABLE t (a)")
        assert ask_server(server, "one.default", key.token()) == 401  # even the operator's token
        assert ask_server(server, "default", key.token()) == 200


DISGUISES = [
    "SELECT readfile('{file}') AS found",
    "SELECT \"readfile\"('{file}')",
    "SELECT \ufeffreadfile('{file}')",
    "SELECT sha3_query('SELECT read' || 'file(''{file}'')')",
    "SELECT writefile('{file}', 'overwritten')",
    "SELECT data FROM fsdir('{file}')",
    "SELECT data FROM 'fsdir'('{file}')",
    "CREATE VIEW v AS SELECT readfile('{file}')",
    "INSERT INTO t SELECT readfile('{file}')",
    "SELECT * FROM pragma_database_list",
    "SELECT * FROM 'pragma_database_list'()",
    "PRAGMA database_list",
    "CREATE VIRTUAL TABLE f USING fts5(a, content=pragma_database_list)",
    "CREATE VIRTUAL TABLE f USING fts5(file, content='pragma_database_list'); SELECT * FROM f",
]


@pytest.mark.parametrize("sql", DISGUISES)
async def test_no_statement_reaches_the_servers_files(server: SqldServer, tmp_path: Path, sql: str) -> None:
    file = tmp_path / "sentinel"
    file.write_text("the sentinel's words")
    text = sql.format(file=file)
    async with opened(server.url, admin_url=server.admin_url, key_file=tmp_path / "key") as databases:
        await rows(databases, ONE, "CREATE TABLE t (a)")
        database = databases.open(ONE)
        transaction = await database.begin("write")
        attempts = [
            database.execute(Statement(text)),
            database.batch([Statement("SELECT 1"), Statement(text)], "write"),
            database.migrate([Statement(text)]),
            database.script(text),
            database.describe(text),
            transaction.execute(Statement(text)),
            transaction.batch([Statement(text)], "write"),
            transaction.script(text),
            transaction.describe(text),
        ]
        for attempt in attempts:
            error = await refusal(attempt)
            assert error.code in ("SQLITE_AUTH", "SQL_MANY_STATEMENTS", "SQLITE_ERROR")
            assert str(server.directory) not in error.message
        await transaction.rollback()
        assert await rows(databases, ONE, "SELECT name FROM sqlite_schema") == [["t"]]
    assert file.read_text() == "the sentinel's words"


async def test_the_server_is_idle_after_a_deadline(server: SqldServer, tmp_path: Path) -> None:
    limits = DbLimits(statement_seconds=0.3, batch_seconds=0.3)
    async with opened(server.url, admin_url=server.admin_url, key_file=tmp_path / "key", limits=limits) as databases:
        await patiently(lambda: rows(databases, ONE, "CREATE TABLE IF NOT EXISTS t (a)"))
        database = databases.open(ONE)
        script = f"INSERT INTO t SELECT 2 WHERE NOT EXISTS (SELECT 1 FROM t); {ENDLESS}"
        transaction = await patiently(lambda: databases.open(TWO).begin("deferred"))
        works: list[Awaitable[Any]] = [
            database.execute(Statement(ENDLESS)),
            database.execute(Statement(f"INSERT INTO t {ENDLESS}")),
            database.batch([Statement("INSERT INTO t VALUES (1)"), Statement(ENDLESS)], "write"),
            database.script(script),
            transaction.execute(Statement(ENDLESS)),
        ]
        for work in works:
            assert (await refusal(work)).code == "SQLITE_INTERRUPT"
        assert transaction.ended is not None
        running = asyncio.create_task(database.execute(Statement(ENDLESS)))
        await asyncio.wait([running], timeout=0.1)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

        await idle(server.pid)
        while not (found := await patiently(lambda: rows(databases, ONE, "SELECT a FROM t"))):
            await refusal(database.script(script))  # it had not come to its first statement
        assert found == [[2]]  # the script's first statement was its own


async def test_an_operators_deadline_is_longer(server: SqldServer, tmp_path: Path) -> None:
    limits = DbLimits(statement_seconds=0.05)
    async with opened(server.url, admin_url=server.admin_url, key_file=tmp_path / "key", limits=limits) as databases:
        slow = ENDLESS.replace("FROM c)", "FROM c LIMIT 3000000)")
        with pytest.raises(BindingError):
            await databases.open(ONE).execute(Statement(slow))
        await databases.open(ONE, View(admin=True)).execute(Statement(slow))


async def test_values_come_back_as_they_were(server: SqldServer, tmp_path: Path) -> None:
    values = [None, 0, -1, {"i": "9223372036854775807"}, {"i": "-9223372036854775808"}, 1.5, 0.1, "", "ü\0€", "😀"]
    blobs = [{"b": ""}, {"b": "AA=="}, {"b": "AQI="}, {"b": "AQID"}]
    async with opened(server.url, admin_url=server.admin_url, key_file=tmp_path / "key") as databases:
        for value in [*values, *blobs]:
            assert await rows(databases, ONE, "SELECT ?", [value]) == [[value]]
        assert await rows(databases, ONE, "SELECT :a, @b, $c", {"a": 1, "@b": 2, "$c": 3}) == [[1, 2, 3]]
        assert await rows(databases, ONE, "SELECT 9e999, typeof(9e999)") == [[{"f": "nan"}, "real"]]
        error = await refusal(rows(databases, ONE, "SELECT ?", [{"f": "inf"}]))
        assert error.code == "ARGS_INVALID"
        assert (await refusal(rows(databases, ONE, "SELECT ?", ["\ud800"]))).code == "ARGS_INVALID"


@pytest.mark.parametrize(
    ("sql", "code", "raw_code"),
    [
        ("INSERT INTO t (id) VALUES (1)", "SQLITE_CONSTRAINT_PRIMARYKEY", 1555),
        ("INSERT INTO t (u) VALUES (1)", "SQLITE_CONSTRAINT_UNIQUE", 2067),
        ("INSERT INTO t (n) VALUES (NULL)", "SQLITE_CONSTRAINT_NOTNULL", 1299),
        ("INSERT INTO t (c) VALUES (0)", "SQLITE_CONSTRAINT_CHECK", 275),
        ("INSERT INTO t (r) VALUES (99)", "SQLITE_CONSTRAINT_FOREIGNKEY", 787),
        ("INSERT INTO t (c) VALUES (5)", "SQLITE_CONSTRAINT_TRIGGER", 1811),
        ("INSERT INTO s VALUES ('x')", "SQLITE_CONSTRAINT_DATATYPE", 3091),
        ("INSERT INTO k VALUES (1, 2)", "SQLITE_CONSTRAINT_PRIMARYKEY", 1555),
        ("INSERT INTO nowhere VALUES (1)", "SQLITE_ERROR", 1),
        ("SELECT nothing()", "SQLITE_ERROR", 1),
    ],
)
async def test_errors_have_sqlites_extended_codes(
    server: SqldServer, tmp_path: Path, sql: str, code: str, raw_code: int
) -> None:
    schema = """
        CREATE TABLE t (id INTEGER PRIMARY KEY, u UNIQUE, n NOT NULL DEFAULT 1, c CHECK (c > 0), r REFERENCES t (id));
        CREATE TABLE s (a INTEGER) STRICT; CREATE TABLE k (a, b, PRIMARY KEY (b, a)); INSERT INTO k VALUES (1, 2);
        CREATE TRIGGER tr BEFORE INSERT ON t WHEN new.c = 5 BEGIN SELECT RAISE(ABORT, 'no fives'); END;
        INSERT INTO t (id, u) VALUES (1, 1)
    """
    async with opened(server.url, admin_url=server.admin_url, key_file=tmp_path / "key") as databases:
        database = databases.open(ONE)
        await database.script(schema)
        error = await refusal(database.execute(Statement(sql)))
        assert (error.code, dict(error.details or {})) == (code, {"raw_code": raw_code})
        error = await refusal(database.batch([Statement("SELECT 1"), Statement(sql)], "write"))
        assert (error.code, dict(error.details or {})) == (code, {"raw_code": raw_code, "statement_index": 1})
        transaction = await database.begin("write")
        error = await refusal(transaction.execute(Statement(sql)))
        assert (error.code, dict(error.details or {})) == (code, {"raw_code": raw_code})
        assert transaction.ended is None
        await transaction.commit()


async def test_a_read_transaction_writes_nothing(server: SqldServer, tmp_path: Path) -> None:
    async with opened(server.url, admin_url=server.admin_url, key_file=tmp_path / "key") as databases:
        await rows(databases, ONE, "CREATE TABLE t (a)")
        transaction = await databases.open(ONE).begin("read")
        for work in (transaction.execute(Statement("DELETE FROM t")), transaction.script("DELETE FROM t")):
            assert (await refusal(work)).code == "SQLITE_READONLY"
        await transaction.rollback()


async def test_concurrent_writers_all_get_their_turn(server: SqldServer, tmp_path: Path) -> None:
    async with opened(server.url, admin_url=server.admin_url, key_file=tmp_path / "key") as databases:
        await rows(databases, ONE, "CREATE TABLE t (a INTEGER)")
        await rows(databases, ONE, "INSERT INTO t VALUES (0)")

        async def add() -> None:
            transaction = await databases.open(ONE).begin("write")
            found = await transaction.execute(Statement("SELECT a FROM t"))
            value = msgspec.json.decode(found.encoded)["r"][0][0]
            await transaction.execute(Statement("UPDATE t SET a = ?", [value + 1]))
            await transaction.commit()

        await asyncio.gather(*(add() for _ in range(20)), *(rows(databases, ONE, "SELECT a FROM t") for _ in range(40)))
        assert await rows(databases, ONE, "SELECT a FROM t") == [[20]]


async def test_one_projects_slow_queries_leave_room_for_others(server: SqldServer, tmp_path: Path) -> None:
    async with opened(server.url, admin_url=server.admin_url, key_file=tmp_path / "key") as databases:
        slow = [asyncio.create_task(rows(databases, ONE, ENDLESS)) for _ in range(60)]
        await asyncio.wait(slow, timeout=0.2)
        for _ in range(5):
            assert await rows(databases, TWO, "SELECT 1") == [[1]]
        for task in slow:
            task.cancel()
        await asyncio.gather(*slow, return_exceptions=True)
        await idle(server.pid)


async def test_cancelling_anything_at_any_moment_leaves_nothing_behind(server: SqldServer, tmp_path: Path) -> None:
    chance = random.Random(7)
    async with opened(server.url, admin_url=server.admin_url, key_file=tmp_path / "key") as databases:
        await rows(databases, ONE, "CREATE TABLE t (a INTEGER)")
        database = databases.open(ONE)

        async def use(kind: int) -> None:
            if kind == 0:
                await rows(databases, ONE, "SELECT count(*) FROM t")
            elif kind == 1:
                await rows(databases, ONE, "INSERT INTO t VALUES (1)")
            elif kind == 2:
                await database.batch([Statement("INSERT INTO t VALUES (1)")] * 3, "write")
            else:
                transaction = await database.begin("write" if kind == 3 else "deferred")
                try:
                    await transaction.execute(Statement("INSERT INTO t VALUES (1)"))
                    await transaction.commit()
                finally:
                    await transaction.rollback()

        for _ in range(6):
            tasks = [asyncio.create_task(use(chance.randrange(5))) for _ in range(40)]
            for task in tasks:
                asyncio.get_running_loop().call_later(chance.random() * 0.3, task.cancel)
            await asyncio.gather(*tasks, return_exceptions=True)
        opened_at_once = await asyncio.gather(*(databases.open(TWO).begin("read") for _ in range(32)))
        for transaction in opened_at_once:
            await transaction.rollback()
        await asyncio.gather(*(rows(databases, ONE, "SELECT 1") for _ in range(100)))
        await rows(databases, ONE, "INSERT INTO t VALUES (2)")  # the write lock is free, here and there
        assert await rows(databases, ONE, "SELECT count(*) FROM t WHERE a = 2") == [[1]]


@pytest.mark.parametrize(
    ("url", "base", "host", "token"),
    [
        ("libsql://db.example.com", "https://db.example.com", "db.example.com", ""),
        ("libsql://db.example.com:8080?tls=0", "http://db.example.com:8080", "db.example.com:8080", ""),
        ("wss://db.example.com/", "https://db.example.com", "db.example.com", ""),
        ("ws://[::1]:8080", "http://[::1]:8080", "[::1]:8080", ""),
        ("https://db.example.com/base/?authToken=abc", "https://db.example.com/base", "db.example.com", "abc"),
    ],
)
def test_urls_are_read_as_the_official_client_does(url: str, base: str, host: str, token: str) -> None:
    assert ServerUrl.parse(url) == ServerUrl(base, host, token)


@pytest.mark.parametrize(
    "url",
    ["", "db.example.com", "file:///x", "http://", "http://me:secret@db", "http://db?x=secret", "http://db?tls=2"],
)
def test_a_url_that_is_none_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(SettingsError, match="LIBSQL_URL") as caught:
        LibsqlServer(url)
    assert "secret" not in str(caught.value)


async def test_an_open_transaction_ends_with_its_database(server: SqldServer, tmp_path: Path) -> None:
    crm = DatabaseId("one", "crm")
    async with opened(server.url, admin_url=server.admin_url, key_file=tmp_path / "key") as databases:
        await databases.create(crm)
        transaction = await databases.open(crm).begin("write")
        running = asyncio.create_task(databases.open(crm).execute(Statement(ENDLESS)))
        await asyncio.wait([running], timeout=0.1)
        await databases.delete(crm)
        assert (await refusal(running)).code == "DATABASE_DELETED"
        assert (await refusal(transaction.execute(Statement("SELECT 1")))).code == "DATABASE_DELETED"
        await databases.create(crm)
        assert await rows(databases, crm, "SELECT count(*) FROM sqlite_schema") == [[0]]


def test_tokens_are_renewed_before_they_end() -> None:
    now = [1_000.0]
    keys = NamespaceKeys(b"x" * 32, clock=lambda: now[0])
    first = keys.token("a", "rw")
    assert keys.token("a", "rw") == first
    now[0] += 600
    second = keys.token("a", "rw")
    assert second != first
    claims = json.loads(base64.urlsafe_b64decode(second.split(".")[1] + "=="))
    assert claims == {"a": "rw", "exp": 2_500}
    assert keys.public("a") != keys.public("b")


async def test_another_nodes_new_database_is_seen_where_the_old_one_was_being_read(
    server: SqldServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server itself goes on reading the deleted one on a stream that was open."""
    monkeypatch.setattr("v8box.bindings.db.libsql_streams._LIFE_SECONDS", 0.0)
    both: dict[str, Any] = {"admin_url": server.admin_url, "key_file": tmp_path / "key"}
    async with opened(server.url, **both, node="a") as a, opened(server.url, **both, node="b") as b:
        await rows(a, ONE, "CREATE TABLE t AS SELECT 'old' AS a")
        assert await rows(b, ONE, "SELECT a FROM t") == [["old"]]
        await a.delete(ONE)
        await rows(a, ONE, "CREATE TABLE t AS SELECT 'new' AS a")
        await rows(b, ONE, "SELECT 1")  # the stream's last request
        assert await rows(b, ONE, "SELECT a FROM t") == [["new"]]


def test_streams_are_kept_for_the_next_read_and_never_more_than_so_many() -> None:
    streams = Streams(2)
    first, second = streams.take("a"), streams.take("a")
    assert first is not None
    assert second is not None
    assert streams.take("b") is None
    streams.give(first, "baton 1")
    streams.give(second, "baton 2")
    assert streams.take("b") is None
    assert streams.take("a") is second  # the last used
    streams.drop()
    assert streams.take("b") is not None
    streams.forget("a")
    assert (found := streams.take("c")) is not None
    assert found.baton is None
