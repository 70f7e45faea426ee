"""Who is let in: tokens at rest, in memory, misused, expired, deleted."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from tests.hrana.conftest import MakeWorld, World

from v8box.bindings.db.interface import DatabaseId
from v8box.features.hrana.limits import HranaLimits
from v8box.features.hrana.tokens import KEEP_SECONDS, TokenRefused, Tokens, TooManyTokens
from v8box.storage import Database


@pytest.fixture
async def database(tmp_path: Path):  # type: ignore[no-untyped-def]
    database = await Database.open(tmp_path / "tokens.db")
    yield database
    await database.close()


async def test_only_a_hash_is_kept_and_outlives_a_restart(database: Database, tmp_path: Path) -> None:
    tokens = await Tokens.open(database)
    token, text = await tokens.create("one", label="ci", access="read", databases=["crm", "crm"])
    assert tokens.verify(text) is token
    await tokens.close()
    assert text.split("_")[2].encode() not in (tmp_path / "tokens.db-wal").read_bytes()
    assert text.split("_")[2] not in repr(token)

    again = await Tokens.open(database)
    (known,) = again.list("one")
    assert (known.id, known.label, known.access, known.databases) == (token.id, "ci", "read", ("crm",))
    assert known.used_at == token.used_at
    assert again.verify(text) is known
    await again.delete("one", known.id)
    with pytest.raises(TokenRefused):
        again.verify(text)
    await again.close()
    assert not (await Tokens.open(database)).list("one")


async def test_no_other_text_is_let_in(database: Database) -> None:
    tokens = await Tokens.open(database)
    _, text = await tokens.create("one", label="", access="write", databases=None)
    _, other = await tokens.create("one", label="", access="write", databases=None)
    prefix, token_id, rest = text.split("_")
    forged = [
        *(None, "", "Bearer", text[:-1], text + "0", text.upper(), f" {text}", f"{prefix}_{token_id}_{'0' * 49}"),
        f"{prefix}_{other.split('_')[1]}_{rest}",  # another's id with this secret
        text[:-10] + ("a" if text[-10] != "a" else "b") + text[-9:],
        text + "\n",
        "\u0661" * 70,
    ]
    for each in forged:
        with pytest.raises(TokenRefused):
            tokens.verify(each)
    await tokens.close()


async def test_expired_tokens_are_refused_and_in_the_end_forgotten(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens = await Tokens.open(database)
    token, text = await tokens.create("one", label="", access="write", databases=None, expires_at=time.time() + 60)
    later = time.time() + 61
    monkeypatch.setattr(time, "time", lambda: later)
    with pytest.raises(TokenRefused, match="expired"):
        tokens.verify(text)
    assert not token.valid
    assert tokens.list("one") == [token]
    later += KEEP_SECONDS
    await tokens.create("one", label="", access="write", databases=None)
    assert token not in tokens.list("one")
    await tokens.close()
    assert len((await Tokens.open(database)).list("one")) == 1


async def test_a_project_has_a_bounded_number(database: Database) -> None:
    tokens = await Tokens.open(database, most_per_project=2)
    for _ in range(2):
        await tokens.create("one", label="", access="write", databases=None)
    with pytest.raises(TooManyTokens):
        await tokens.create("one", label="", access="write", databases=None)
    await tokens.create("two", label="", access="write", databases=None)
    await tokens.close()


async def test_the_last_use_is_written_at_most_once_a_minute(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens = await Tokens.open(database)
    token, text = await tokens.create("one", label="", access="write", databases=None)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now)
    first = now
    tokens.verify(text)
    now += 59
    tokens.verify(text)
    assert token.used_at == first
    now += 1
    tokens.verify(text)
    assert token.used_at == now
    await tokens.close()
    assert (await Tokens.open(database)).list("one")[0].used_at == now


async def test_which_database_a_token_opens(world: World) -> None:
    one, all_, two = await world.token("crm"), await world.token(), await world.token("crm", "default")
    elsewhere = await world.token("crm", project="two")
    expect = {
        (None, ""): 401,
        ("v8db_nonsense", ""): 401,
        (one, ""): 200,
        (one, "/crm"): 200,
        (one, "/default"): 403,
        (one, "/crm/x"): 404,
        (one, "/%2e%2e/crm"): 404,
        (all_, ""): 400,  # a client that loses its path must not end up in another database
        (all_, "/crm"): 200,
        (all_, "/default"): 200,
        (all_, "/nowhere"): 404,
        (all_, "/scratch-1"): 404,
        (all_, "/..%2fcrm"): 404,
        (all_, "/CRM"): 404,
        (all_, "/%ff%00"): 404,
        (one, "/%ff"): 403,
        (two, ""): 400,
        (two, "/default"): 200,
        (elsewhere, "/crm"): 404,
    }
    for (token, path), status in expect.items():
        answer = await world.post(f"{path}/v2/pipeline", {"requests": []}, token)
        assert answer.status_code == status, (path, status, answer.text)
        if status != 200:
            assert set(answer.json()) == {"message", "code", "error"}
    assert (await world.post("/v2/pipeline", {}, None)).headers["www-authenticate"].startswith("Bearer")


async def test_projects_do_not_see_each_other(world: World) -> None:
    await world.databases.create(DatabaseId("two", "crm"))
    one, two = await world.token("crm"), await world.token("crm", project="two")
    await world.pipeline(one, "create table t (v)", "insert into t values ('mine')")
    (result,) = (await world.pipeline(two, "select * from t"))["results"]
    assert result["error"]["code"] == "SQLITE_ERROR"


async def test_a_deleted_token_ends_what_is_open(make_world: MakeWorld) -> None:
    async with make_world(limits=HranaLimits(idle_seconds=60)) as world:
        token, text = await world.tokens.create("one", label="", access="write", databases=["crm"])
        await world.pipeline(text, "create table t (v)")
        answer = await world.pipeline(text, "begin immediate", "insert into t values (1)")
        assert answer["baton"]
        await world.tokens.delete("one", token.id)
        other = await world.token("crm")
        assert await world.value(other, "select count(*) from t") == "0"
        await world.pipeline(other, "insert into t values (2)")  # the write lock is free
        answer = await world.post("/v2/pipeline", {"baton": answer["baton"], "requests": []}, text)
        assert answer.status_code == 401


@pytest.mark.parametrize(
    "sql",
    [
        "insert into t values (2)",
        "update t set v = 2",
        "delete from t returning v",
        "replace into t values (2)",
        "with x as (select 2) insert into t select * from x",
        "create table u (v)",
        "create view u as select 1",
        "create virtual table u using fts5(v)",
        "drop table t",
        "alter table t rename to u",
        "pragma user_version = 7",
        "pragma query_only = off",
        "reindex",
        "analyze",
        "begin immediate",
        "begin; insert into t values (2); commit",
        "begin; pragma query_only = off; insert into t values (2); commit",
        "rollback; insert into t values (2)",
        "commit; begin immediate; insert into t values (2); commit",
        "savepoint a; insert into t values (2); release a",
    ],
)
async def test_a_token_that_reads_cannot_write(world: World, sql: str) -> None:
    token, reader = await world.token("crm"), await world.token("crm", access="read")
    await world.pipeline(token, "create table t (v)", "insert into t values (1)")
    state = "select group_concat(v) || (select count(*) from sqlite_schema) from t"
    before = await world.value(token, state), await world.value(token, "pragma user_version")
    statement = {"stmt": {"sql": sql}}
    ways: list[list[object]] = [
        [sql],
        [{"type": "sequence", "sql": sql}],
        [{"type": "batch", "batch": {"steps": [statement]}}],
        ["begin", sql, "commit"],
        ["begin", {"type": "sequence", "sql": sql}, "commit"],
        ["begin readonly", "commit", sql],
    ]
    for way in ways:
        await world.pipeline(reader, *way, {"type": "close"})
    await world.post("/v3/cursor", {"batch": {"steps": [statement]}}, reader)
    assert (await world.value(token, state), await world.value(token, "pragma user_version")) == before
    await world.pipeline(token, "insert into t values (3)")  # nothing holds the write lock
