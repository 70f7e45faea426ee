from __future__ import annotations

import asyncio
import hashlib
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import apsw
import pytest

from v8box.storage import Database, DatabaseError, Migration, Queries, Transaction, load_migrations

FIRST = Migration(1, "first", "create table t (id integer primary key, v text not null) strict;")


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = await Database.open(tmp_path / "folder" / "box.db")
    await opened.migrate("test", [FIRST])
    yield opened
    await opened.close()


async def count(database: Database) -> object:
    row = await database.read(lambda sql: sql.row("select count(*) from t"))
    return row and row[0]


async def test_a_write_happens_whole_or_not_at_all(database: Database) -> None:
    def half(sql: Transaction) -> None:
        sql.execute("insert into t (v) values ('a')")
        raise KeyError("stop")

    with pytest.raises(KeyError):
        await database.write(half)
    assert await count(database) == 0
    await database.write(lambda sql: sql.execute("insert into t (v) values (:v)", {"v": "a"}))
    assert await database.read(lambda sql: sql.rows("select id, v from t")) == [(1, "a")]
    assert await database.read(lambda sql: sql.row("select 1 where 0")) is None


async def test_the_librarys_errors_are_wrapped(database: Database) -> None:
    with pytest.raises(DatabaseError, match="NOT NULL"):
        await database.write(lambda sql: sql.execute("insert into t (v) values (null)"))
    with pytest.raises(DatabaseError, match="no such table"):
        await database.read(lambda sql: sql.rows("select * from missing"))
    assert await count(database) == 0


async def test_a_cancelled_caller_leaves_no_transaction_behind(database: Database) -> None:
    inside, go_on = threading.Event(), threading.Event()

    def slow(sql: Transaction) -> None:
        sql.execute("insert into t (v) values ('a')")
        inside.set()
        go_on.wait(60)

    task = asyncio.create_task(database.write(slow))
    assert await asyncio.to_thread(inside.wait, 60)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    go_on.set()
    assert await count(database) == 1


async def test_what_was_written_is_there_after_a_restart(tmp_path: Path) -> None:
    for expected in (0, 1, 2):
        database = await Database.open(tmp_path / "box.db")
        await database.migrate("test", [FIRST])
        assert await count(database) == expected
        await database.write(lambda sql: sql.execute("insert into t (v) values ('x')"))
        await database.close()


async def test_a_step_that_fails_leaves_the_schema_as_it_was(database: Database) -> None:
    broken = Migration(2, "broken", "create table u (id integer); create table t (id integer);")
    with pytest.raises(DatabaseError, match="already exists"):
        await database.migrate("test", [FIRST, broken])
    assert await database.read(lambda sql: sql.row("select 1 from sqlite_schema where name = 'u'")) is None
    good = Migration(2, "good", "create table u (id integer);")
    await database.migrate("test", [FIRST, good])
    await database.migrate("test", [FIRST, good])
    assert await database.read(lambda sql: sql.rows("select * from u")) == []


async def test_a_migration_that_was_edited_is_refused(database: Database) -> None:
    with pytest.raises(DatabaseError, match="migration 1"):
        await database.migrate("test", [Migration(1, "first", FIRST.sql + " ")])
    with pytest.raises(DatabaseError, match="newer V8Box"):
        await database.migrate("test", [])
    await database.migrate("other", [Migration(1, "first", "create table o (id integer);")])


async def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "box.db").write_bytes(b"nonsense" * 1000)
    with pytest.raises(DatabaseError, match="cannot be opened"):
        await Database.open(tmp_path / "box.db")


def test_queries_have_names() -> None:
    queries = Queries("-- about\n\n-- name: one\n-- why\nselect 1\n-- name: two\nselect 2\n", "here")
    assert list(queries) == ["one", "two"]
    assert queries["one"] == "-- why\nselect 1"
    with pytest.raises(KeyError, match="here has no query named three"):
        queries["three"]


@pytest.mark.parametrize(
    "text", ["select 1\n-- name: a\nselect 1", "-- name: a\n-- name: b\nselect 1", "-- name: a\nx\n-- name: a\nx"]
)
def test_queries_without_a_name_a_body_or_with_a_twin_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="here"):
        Queries(text, "here")


def test_the_catalogs_migrations_are_in_order() -> None:
    numbers = [each.number for each in load_migrations("v8box.catalog")]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) >= 3


async def test_a_step_that_fails_is_named_with_its_line(database: Database) -> None:
    broken = Migration(2, "broken", "create table u (id integer);\n\n-- why\ncreate table t (id integer);")
    with pytest.raises(DatabaseError, match=r"test: 0002_broken\.sql, line 4: .*already exists"):
        await database.migrate("test", [FIRST, broken])


async def test_the_data_directory_of_the_last_version_goes_on_working(tmp_path: Path) -> None:
    """Version 0.1.0 made the history with these words, and ran the catalog's first migration in one go."""
    first = load_migrations("v8box.catalog")[0]
    old = apsw.Connection(str(tmp_path / "box.db"))
    old.execute(
        "create table if not exists migrations (scope text not null, number integer not null, name text not null, "
        "checksum text not null, applied_at text not null default (strftime('%Y-%m-%dT%H:%M:%fZ')), "
        "primary key (scope, number)) strict, without rowid"
    )
    old.execute(first.sql)
    old.execute(
        "insert into migrations (scope, number, name, checksum) values ('catalog', 1, 'catalog', ?)",
        (hashlib.sha256(first.sql.encode()).hexdigest(),),
    )
    old.close()
    database = await Database.open(tmp_path / "box.db")
    await database.migrate("catalog", load_migrations("v8box.catalog"))
    assert await database.read(lambda sql: sql.row("select number, name from migrations")) == (1, "catalog")
    await database.close()
