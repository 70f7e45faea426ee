"""The audit log and its chain: what is altered or taken out shows, and what is too old may go."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from v8box.storage import Database
from v8box.telemetry import audit, audit_chain
from v8box.telemetry.actors import BOX, Actor, ActorKind
from v8box.telemetry.audit import Entry, Event, append, open_audit, read, record

ADA = Actor(kind=ActorKind.USER, id="u1", name="ada", address="192.0.2.1", request_id="r-1")


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = await Database.open(tmp_path / "catalog.db")
    await open_audit(database)
    yield database
    await database.close()


def event(number: int = 0, **more: Any) -> Event:
    return Event(action="toy.change", resource=f"toy/{number}", actor=ADA, **more)


async def fill(database: Database, count: int) -> None:
    def write(sql: Any) -> None:
        for number in range(1, count + 1):
            append(sql, event(number))

    await database.write(write)


async def entries(database: Database) -> list[Entry]:
    return [read(row) for row in await database.read(lambda sql: sql.rows("select * from audit order by number"))]


async def first_bad(database: Database) -> int | None:
    return (await audit_chain.verify(database)).first_bad


async def run(database: Database, sql: str) -> None:
    await database.write(lambda transaction: transaction.execute(sql))


async def test_an_entry_is_read_as_it_was_written(database: Database) -> None:
    await record(database, event(1, project="shop", before={"a": [1, None]}, after={"a": "é"}))
    (entry,) = await entries(database)
    assert entry.event == event(1, project="shop", before={"a": [1, None]}, after={"a": "é"})
    assert (entry.number, entry.previous) == (1, audit.FIRST)
    verdict = await audit_chain.verify(database)
    assert (verdict.entries, verdict.head, verdict.head_hash, verdict.first_bad) == (1, 1, entry.hash, None)


async def test_an_empty_log_is_whole(database: Database) -> None:
    verdict = await audit_chain.verify(database)
    assert (verdict.entries, verdict.head, verdict.first_bad) == (0, 0, None)


async def test_an_entry_is_there_with_the_change_or_not_at_all(database: Database) -> None:
    def fail(sql: Any) -> None:
        append(sql, event())
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        await database.write(fail)
    assert await entries(database) == []
    await record(database, event())
    assert await first_bad(database) is None


async def test_what_is_long_is_cut_and_says_so(database: Database) -> None:
    long = Event(
        action="a" * 1_000,
        resource="r" * 1_000,
        actor=Actor(kind=ActorKind.USER, id="i" * 1_000, name="n" * 1_000, address="a" * 1_000, request_id="q" * 1_000),
        before="x" * 100_000,
        after={"fine": True},
    )
    await record(database, long)
    (entry,) = await entries(database)
    assert (len(entry.event.action), len(entry.event.resource), len(entry.event.actor.name)) == (500, 500, 500)
    assert (entry.event.before["cut"], entry.event.before["characters"]) == (True, 100_002)
    assert entry.event.before["beginning"].startswith('"xxx')
    assert entry.event.after == {"fine": True}
    assert await first_bad(database) is None


@pytest.mark.parametrize(
    ("tampering", "bad"),
    [
        ("update audit set after = '{}' where number = 600", 600),
        ("update audit set actor_name = 'eve' where number = 1", 1),
        ("update audit set at = '2020-01-01T00:00:00.000Z' where number = 2", 2),
        ("update audit set project = 'x' where number = 1200", 1200),
        ("update audit set hash = previous where number = 700", 700),
        ("delete from audit where number = 600", 600),
        ("delete from audit where number between 400 and 800", 400),
        ("delete from audit where number <= 10", 10),
        ("delete from audit where number = 1", 1),
        ("delete from audit where number >= 1199", 1199),
        ("delete from audit where number = 1200", 1200),
        ("delete from audit", 1),
        ("update audit set number = number + 1 where number = 1200", 1200),
        ("update audit_head set hash = 'x'", 1200),
    ],
)
async def test_what_is_altered_or_taken_out_shows(database: Database, tampering: str, bad: int) -> None:
    await fill(database, 1_200)
    assert await first_bad(database) is None
    await run(database, tampering)
    assert await first_bad(database) == bad


async def test_an_entry_put_in_by_hand_shows(database: Database) -> None:
    await fill(database, 3)
    await run(database, "update audit set number = 9 where number = 3")
    await run(
        database,
        "insert into audit select 3, at, project, actor_kind, actor_id, actor_name, address, "
        "request_id, action, 'toy/other', before, after, previous, hash from audit where number = 9",
    )
    await run(database, "delete from audit where number = 9")
    assert await first_bad(database) == 3


async def test_entries_that_are_too_old_go_and_the_chain_stays_whole(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_chain, "PASS", 4)
    monkeypatch.setattr(audit, "now", lambda: "2020-01-01T00:00:00.000Z")
    await fill(database, 10)
    monkeypatch.undo()
    monkeypatch.setattr(audit_chain, "PASS", 4)
    await record(database, event(11))
    await audit_chain.prune(database, days=365)
    left = await entries(database)
    assert [entry.event.resource for entry in left if entry.event.action == "toy.change"] == ["toy/11"]
    assert left[-1].event.action == "audit.prune"
    assert left[-1].event.after["through"] == 10
    assert await first_bad(database) is None
    await audit_chain.prune(database, days=365)
    assert await entries(database) == left
    await run(database, f"delete from audit where number = {left[0].number}")
    assert await first_bad(database) == left[0].number


async def test_a_log_of_which_all_is_old_keeps_what_says_so(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "now", lambda: "2020-01-01T00:00:00.000Z")
    await fill(database, 3)
    monkeypatch.undo()
    await audit_chain.prune(database, days=1)
    (last,) = await entries(database)
    assert (last.number, last.event.action) == (4, "audit.prune")
    assert await first_bad(database) is None
    await record(database, event())
    assert (await entries(database))[-1].number == 5
    assert await first_bad(database) is None


async def test_the_log_is_bounded_however_young_it_is(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_chain, "MAX_ENTRIES", 5)
    monkeypatch.setattr(audit_chain, "PASS", 3)
    await fill(database, 20)
    await audit_chain.prune(database, days=365)
    assert len(await entries(database)) < 5 + 3
    assert await first_bad(database) is None


async def test_whoever_says_that_old_entries_went_without_being_the_box_is_not_believed(database: Database) -> None:
    await fill(database, 3)
    second = (await entries(database))[1]
    after = {"through": 2, "hash": second.hash}
    await record(database, Event(action="audit.prune", resource="audit", actor=ADA, after=after))
    await run(database, "delete from audit where number <= 2")
    assert await first_bad(database) == 2


async def test_a_log_of_before_there_was_a_head_goes_on(tmp_path: Path) -> None:
    from v8box.storage import load_migrations

    database = await Database.open(tmp_path / "old.db")
    await database.migrate("audit", load_migrations("v8box.telemetry")[:1])
    row = audit.plain(event(1), 1, "2026-01-01T00:00:00.000+00:00")
    chain = {"previous": audit.FIRST, "hash": audit.hash_of(audit.FIRST, row)}
    await database.write(lambda sql: sql.execute(audit.queries["append"], {**row, **chain}))
    await open_audit(database)
    await record(database, event(2))
    assert [entry.number for entry in await entries(database)] == [1, 2]
    assert await first_bad(database) is None
    await database.close()


async def test_a_change_is_noted_wherever_it_is_made(database: Database) -> None:
    async def elsewhere() -> None:
        await record(database, event())

    with audit.noting() as noted:
        await database.read(lambda sql: sql.rows("select 1"))
        assert not noted.written
        await asyncio.create_task(elsewhere())
        assert noted.written
    with audit.noting() as noted:
        assert not noted.written
    await record(database, Event(action="box.start", resource="box", actor=BOX))
    assert not noted.written


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(before=json_values, after=json_values, project=st.none() | st.text(max_size=5))
async def test_whatever_is_written_is_whole(database: Database, before: Any, after: Any, project: str | None) -> None:
    try:
        for text in (str(before), str(after), str(project)):
            text.encode()
    except UnicodeEncodeError:
        return
    await record(database, event(1, project=project, before=before, after=after))
    assert await first_bad(database) is None
    entry = (await entries(database))[-1]
    assert (entry.event.before, entry.event.after, entry.event.project) == (before, after, project)
