"""Variables: precedence, sealing, versions, revisions, all or nothing, two writers at once, what is written down."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from v8box.catalog.env_names import MAX_KEYS, MAX_VALUE_BYTES, env_faults
from v8box.catalog.projects import CountQuotaExceeded
from v8box.catalog.variables import (
    BadVariables,
    Level,
    NewValue,
    TooManyVariables,
    VariableNotFound,
    Variables,
    VariablesUnavailable,
    Wanted,
)
from v8box.catalog.variables.model import KEPT_VERSIONS, MAX_LEVEL_BYTES
from v8box.errors import BadRequest
from v8box.storage import Database
from v8box.storage.encryption import Encryption
from v8box.telemetry import audit, audit_chain
from v8box.telemetry.actors import Actor, ActorKind

ADA = Actor(kind=ActorKind.USER, id="u1", name="ada")
SECRET = "hunter2!hunter2!"
PROJECT = Level("shop")
HERE = Level("shop", "production", "hello")


class Box:
    """A database with what variables need, that can be closed and opened again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    async def start(self) -> Box:
        self.database = await Database.open(self.folder / "catalog.db")
        await audit.open_audit(self.database)
        self.encryption = await Encryption.open(self.database, self.folder / "keys")
        self.variables = await Variables.open(self.database, self.encryption)
        return self

    async def stop(self) -> None:
        await self.database.close()

    async def set(self, level: Level, /, secret: bool | None = None, **values: str) -> int:
        new = {name: NewValue(value=value, secret=secret) for name, value in values.items()}
        return (await self.variables.change(level, new, actor=ADA)).revision

    async def resolve(self, worker: str = "hello", environment: str = "production") -> Mapping[str, str]:
        return await self.variables.resolve("shop", environment, worker)

    async def audited(self) -> list[audit.Event]:
        assert (await audit_chain.verify(self.database)).first_bad is None
        rows = await self.database.read(lambda sql: sql.rows("select * from audit order by number"))
        return [audit.read(row).event for row in rows]


@pytest.fixture
async def box(tmp_path: Path) -> AsyncIterator[Box]:
    box = await Box(tmp_path).start()
    yield box
    await box.stop()


# ---- what a worker gets


async def test_later_levels_win(box: Box) -> None:
    levels = [Level("shop"), Level("shop", "production"), Level("shop", "", "hello"), HERE]
    for index, level in enumerate(levels):
        await box.set(level, None, **{f"V{number}": f"from {index}" for number in range(index, len(levels))})
    assert await box.resolve() == {"V0": "from 0", "V1": "from 1", "V2": "from 2", "V3": "from 3"}
    assert await box.resolve(environment="staging") == {
        **{"V0": "from 0", "V1": "from 0", "V2": "from 2", "V3": "from 2"},
    }
    assert await box.resolve(worker="other") == {"V0": "from 0", "V1": "from 1", "V2": "from 1", "V3": "from 1"}
    assert await box.variables.resolve("blog", "production", "hello") == {}


async def test_it_is_told_where_each_comes_from_and_what_it_hides(box: Box) -> None:
    await box.set(PROJECT, A="project")
    await box.set(Level("shop", "", "hello"), True, A=SECRET)
    await box.set(HERE, B="x")
    wanted = Wanted(env={"A": "manifest", "B": "", "C": "manifest"}, required=["A", "MISSING"])
    effective = await box.variables.effective("shop", "production", "hello", wanted)
    assert [(each.name, each.source, each.value, each.secret, each.overrides) for each in effective] == [
        ("A", "worker", None, True, ("project", "manifest")),
        ("B", "worker/production", "x", False, ()),
        ("C", "manifest", "manifest", False, ()),
        ("MISSING", None, None, False, ()),
    ]
    assert SECRET not in repr(effective)


async def test_which_values_are_secret_is_told_by_what_wins(box: Box) -> None:
    await box.set(PROJECT, True, A="secret-of-project", B="secret-too")
    await box.set(HERE, A="plain")
    loaded = await box.variables.load("shop", "production", "hello")
    assert loaded.values == {"A": "plain", "B": "secret-too"}
    assert loaded.secrets == {"secret-too"}
    assert "secret-too" not in repr(loaded)


# ---- at rest


@pytest.mark.parametrize("secret", [True, False])
async def test_no_value_lies_in_the_files_as_it_is(box: Box, secret: bool) -> None:
    await box.set(HERE, secret, TOKEN=SECRET)
    await box.set(HERE, secret, TOKEN="another value")
    await box.stop()
    for path in [box.folder / "catalog.db"]:
        data = path.read_bytes()
        assert (SECRET.encode() in data) is (not secret)  # a plain one stands in the audit log
    await box.start()
    rows = await box.database.read(lambda sql: sql.rows("select sealed from variable_values"))
    assert len(rows) == 2
    assert not [row for row in rows if SECRET.encode() in row[0]]  # type: ignore[operator]
    assert (await box.resolve())["TOKEN"] == "another value"


@pytest.mark.parametrize(
    "move",
    [
        "update variable_values set name = 'OTHER'",
        "update variable_values set worker = 'evil'",
        "update variable_values set environment = ''",
        "update variable_values set project = 'evil'",
        "update variable_values set version = 2",
        "update variable_values set sealed = x'00'",
        "update variable_values set sealed = substr(sealed, 1, length(sealed) - 1)",
    ],
)
async def test_a_value_that_was_moved_or_changed_does_not_open(
    box: Box, move: str, caplog: pytest.LogCaptureFixture
) -> None:
    await box.set(HERE, True, TOKEN=SECRET)
    names = {"name": "OTHER", "worker": "evil", "environment": "", "project": "evil"}
    moved = {key: value for key, value in names.items() if f"set {key}" in move}
    sets = ", ".join(f"{key} = '{value}'" for key, value in moved.items()) or (
        "version = 2" if "version" in move else "size = 0"
    )

    def tamper(sql: Any) -> None:
        sql.execute("pragma defer_foreign_keys = on")
        sql.execute(move)
        sql.execute(f"update variables set {sets}")

    await box.database.write(tamper)
    await box.stop()
    await box.start()
    place = {"project": "shop", "environment": "production", "worker": "hello", **moved}
    place.pop("name", None)
    place["environment"] = place["environment"] or "production"
    box.variables._revisions[Level(place["project"])] = 1  # there is something to be looked at
    with pytest.raises(VariablesUnavailable) as caught:
        await box.variables.resolve(place["project"], place["environment"], place["worker"])
    assert "TOKEN" not in caught.value.detail  # callers of the worker read it
    assert "Set it again" in caplog.text
    assert SECRET not in caplog.text


async def test_one_that_does_not_open_can_be_set_again(box: Box) -> None:
    await box.set(HERE, True, TOKEN=SECRET)
    await box.database.write(lambda sql: sql.execute("update variable_values set sealed = x'00'"))
    await box.set(HERE, TOKEN="new")
    assert await box.resolve() == {"TOKEN": "new"}


async def test_values_are_sealed_again_with_a_new_data_key(box: Box) -> None:
    await box.set(HERE, None, **{f"V{number}": f"value {number}" for number in range(MAX_KEYS)})
    await box.set(Level("blog"), A="x")
    rotated = await box.encryption.rotate(data_keys=True)
    assert (rotated.new_data_keys, rotated.resealed) == (2, MAX_KEYS + 1)
    assert (await box.encryption.rotate(data_keys=True)).resealed == MAX_KEYS + 1
    await box.stop()
    await box.start()
    assert (await box.resolve())["V7"] == "value 7"


# ---- revisions


async def test_a_revision_grows_for_those_who_get_the_change_and_nobody_else(box: Box) -> None:
    def revisions() -> tuple[int, ...]:
        places = [("production", "hello"), ("staging", "hello"), ("production", "other")]
        return tuple(box.variables.revision("shop", *place) for place in places)

    told: list[tuple[int, ...]] = []

    async def tell() -> None:
        told.append(revisions())

    unsubscribe = box.variables.subscribe(tell)
    assert revisions() == (0, 0, 0)
    await box.set(PROJECT, A="1")
    await box.set(Level("shop", "production"), A="1")
    await box.set(Level("shop", "", "hello"), A="1")
    await box.set(HERE, A="1")
    assert told == [(1, 1, 1), (2, 1, 2), (3, 2, 2), (4, 2, 2)]
    await box.set(HERE, A="1")  # the same again
    assert revisions() == (4, 2, 2)
    assert len(told) == 4
    await box.variables.change(HERE, {}, delete=["A"], actor=ADA)
    assert revisions() == (5, 2, 2)
    unsubscribe()
    await box.set(HERE, A="1")
    assert len(told) == 5
    await box.stop()
    await box.start()
    assert revisions() == (6, 2, 2)


async def test_a_subscriber_that_fails_stops_nothing(box: Box, caplog: pytest.LogCaptureFixture) -> None:
    async def fail() -> None:
        raise KeyError

    box.variables.subscribe(fail)
    assert await box.set(HERE, A="1") == 1
    assert "a subscriber of the variables failed" in caplog.text


async def test_a_caller_that_leaves_does_not_part_the_database_and_the_revision(box: Box) -> None:
    task = asyncio.create_task(box.set(HERE, A="1"))
    heard = asyncio.Event()

    async def tell() -> None:
        heard.set()

    box.variables.subscribe(tell)
    await asyncio.sleep(0)
    task.cancel()
    await heard.wait()
    assert box.variables.revision("shop", "production", "hello") == 1
    assert await box.resolve() == {"A": "1"}


# ---- changing


async def test_all_or_nothing(box: Box) -> None:
    await box.set(HERE, A="1")
    before = await box.audited()
    bad = {"B": NewValue(value="2"), "1C": NewValue(value="3"), "LD_PRELOAD": NewValue(value="x")}
    with pytest.raises(BadVariables) as caught:
        await box.variables.change(HERE, bad, actor=ADA)
    assert len(caught.value.faults) == 2
    with pytest.raises(VariableNotFound):
        await box.variables.change(HERE, {"A": NewValue(value="9")}, delete=["GONE"], actor=ADA)
    with pytest.raises(TooManyVariables):
        await box.set(HERE, None, **{f"V{number}": "x" for number in range(MAX_KEYS)})
    big = "x" * MAX_VALUE_BYTES
    with pytest.raises(TooManyVariables, match="bytes"):
        await box.set(HERE, None, **{f"V{number}": big for number in range(MAX_LEVEL_BYTES // MAX_VALUE_BYTES)})
    assert await box.resolve() == {"A": "1"}
    assert box.variables.revision("shop", "production", "hello") == 1
    assert await box.audited() == before


async def test_a_full_level_takes_other_values_for_the_same_names(box: Box) -> None:
    await box.set(HERE, None, **{f"V{number}": "x" for number in range(MAX_KEYS)})
    await box.set(HERE, V7="y")
    assert (await box.resolve())["V7"] == "y"


async def test_two_writers_who_saw_the_same_do_not_write_over_each_other(box: Box) -> None:
    revision = await box.set(HERE, A="1")

    class Changed(Exception):
        pass

    def unchanged(found: int) -> None:
        if found != revision:
            raise Changed

    async def write(value: str) -> bool:
        try:
            await box.variables.change(HERE, {"A": NewValue(value=value)}, actor=ADA, check=unchanged)
        except Changed:
            return False
        return True

    done = await asyncio.gather(*(write(f"writer {number}") for number in range(8)))
    assert done.count(True) == 1
    assert await box.resolve() == {"A": f"writer {done.index(True)}"}


async def test_what_is_once_secret_stays_so_unless_it_is_said(box: Box) -> None:
    await box.set(HERE, A="plain-value")
    await box.set(HERE, True, A="plain-value")
    await box.set(HERE, A="other-value")
    (variable,), _ = await box.variables.of_level(HERE)
    assert (variable.secret, variable.value) == (True, None)
    assert [each.value for each in await box.variables.versions(HERE, "A")] == [None, None, None]
    await box.set(HERE, False, A="shown-now")
    assert [each.value for each in await box.variables.versions(HERE, "A")] == ["shown-now", None, None, None]


async def test_a_project_has_no_more_than_its_quota(tmp_path: Path) -> None:
    database = await Database.open(tmp_path / "catalog.db")
    await audit.open_audit(database)
    encryption = await Encryption.open(database, tmp_path / "keys")
    quotas = {"shop": 2}
    variables = await Variables.open(database, encryption, quota=quotas.get)

    async def put(level: Level, *names: str) -> None:
        await variables.change(level, {name: NewValue(value=f"{names}") for name in names}, actor=ADA)

    await put(PROJECT, "A")
    with pytest.raises(CountQuotaExceeded):
        await put(HERE, "B", "C")
    await put(HERE, "B")
    assert await variables.count("shop") == 2
    quotas["shop"] = 1
    await put(HERE, "B", "B")  # another value for what is there
    with pytest.raises(CountQuotaExceeded):
        await put(HERE, "C")
    await put(Level("blog"), "A", "B", "C")
    await database.close()


# ---- versions


async def test_versions_are_kept_and_rolled_back_to(box: Box) -> None:
    for number in range(1, KEPT_VERSIONS + 4):
        await box.set(HERE, A=f"value {number}")
    versions = await box.variables.versions(HERE, "A")
    assert [each.version for each in versions] == list(range(KEPT_VERSIONS + 3, 3, -1))
    assert [each.current for each in versions] == [True] + [False] * (KEPT_VERSIONS - 1)
    assert {each.created_by for each in versions} == {"ada"}
    changed = await box.variables.roll_back(HERE, "A", 5, actor=ADA)
    assert (changed.set, changed.revision) == (("A",), KEPT_VERSIONS + 4)
    assert await box.resolve() == {"A": "value 5"}
    assert (await box.variables.versions(HERE, "A"))[0].version == KEPT_VERSIONS + 4
    assert (await box.variables.roll_back(HERE, "A", KEPT_VERSIONS + 4, actor=ADA)).unchanged == ("A",)
    with pytest.raises(VariableNotFound, match=r"kept are 5, 6"):
        await box.variables.roll_back(HERE, "A", 1, actor=ADA)
    with pytest.raises(VariableNotFound):
        await box.variables.roll_back(HERE, "B", 1, actor=ADA)


async def test_a_rolled_back_secret_stays_one(box: Box) -> None:
    await box.set(HERE, A="plain-of-old")
    await box.set(HERE, True, A=SECRET)
    await box.variables.roll_back(HERE, "A", 1, actor=ADA)
    (variable,), _ = await box.variables.of_level(HERE)
    assert (variable.secret, variable.value, variable.version) == (True, None, 3)


async def test_a_deleted_variable_takes_its_versions_along(box: Box) -> None:
    await box.set(HERE, True, A=SECRET)
    await box.variables.change(HERE, {}, delete=["A"], actor=ADA)
    with pytest.raises(VariableNotFound):
        await box.variables.versions(HERE, "A")
    assert await box.database.read(lambda sql: sql.rows("select * from variable_values")) == []


async def test_a_removed_project_and_worker(box: Box) -> None:
    await box.set(PROJECT, A="1")
    await box.set(HERE, B="2")
    await box.set(Level("blog"), A="3")
    before = box.variables.revision("shop", "production", "hello")
    await box.variables.forget_worker("shop", "hello")
    assert await box.resolve() == {"A": "1"}
    assert box.variables.revision("shop", "production", "hello") > before  # the name may come back
    assert box.variables.revision("shop", "production", "other") == 1
    await box.variables.forget_project("shop")
    assert await box.resolve() == {}
    assert box.variables.revision("shop", "production", "other") == 2
    assert box.variables.revision("blog", "production", "hello") == 1
    assert await box.variables.resolve("blog", "production", "hello") == {"A": "3"}


# ---- what is written down


async def test_the_audit_log_shows_plain_values_and_no_secret(box: Box) -> None:
    await box.set(HERE, A="one")
    await box.set(HERE, A="two")
    await box.set(HERE, True, A=SECRET)
    await box.set(HERE, False, A="three")
    await box.variables.change(HERE, {}, delete=["A"], actor=ADA)
    await box.set(PROJECT, A="x" * 5_000)

    def values(events: Iterable[audit.Event]) -> list[tuple[str, Any, Any]]:
        return [(event.action, (event.before or {}).get("value"), (event.after or {}).get("value")) for event in events]

    events = await box.audited()
    assert values(events[:5]) == [
        ("variable.set", None, "one"),
        ("variable.set", "one", "two"),
        ("variable.set", audit.MASK, audit.MASK),  # it may have become secret with the same value
        ("variable.set", audit.MASK, audit.MASK),
        ("variable.delete", "three", None),
    ]
    assert len(events[5].after["value"]) < 1_100
    assert {(event.resource, event.project, event.actor.name) for event in events} == {("variable/A", "shop", "ada")}
    assert events[0].after["worker"] == "hello"
    assert SECRET not in repr(events)


# ---- names and values


@given(st.text(max_size=140), st.text(max_size=20) | st.just("\0") | st.just("\ud800") | st.just("x" * 16_385))
def test_names_and_values_have_rules(name: str, value: str) -> None:
    faults = env_faults(name, value)
    fine = name.isascii() and name.isidentifier() and len(name) <= 128
    reserved = name.upper().startswith(("V8BOX_", "DENO_", "LD_", "OTEL_"))
    assert bool(faults) == (not fine or reserved or "\0" in value or "\ud800" in value or len(value) > 16_384)
    assert not value.isalnum() or len(value) < 6 or not any(value in fault for fault in faults)


def test_a_level_has_names() -> None:
    assert Level.of("shop", None, "hello") == Level("shop", "", "hello")
    for bad in (("Shop",), ("shop", "a--b"), ("shop", ""), ("shop", None, "a/b"), ("shop", None, "")):
        with pytest.raises(BadRequest):
            Level.of(*bad)
