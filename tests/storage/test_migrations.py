from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from v8box.storage.migrations import (
    Applied,
    Migration,
    MigrationDrift,
    MigrationFault,
    in_order,
    next_pending,
    read_folder,
    standings,
    to_undo,
)

ONE = Migration(1, "one", "create table a (x)", "drop table a")
TWO = Migration(2, "two", "create table b (x)")


def applied(migration: Migration) -> Applied:
    return Applied(migration.number, migration.name, migration.checksum, "2026-01-01T00:00:00.000Z", migration.down)


def test_a_folder_is_read_in_order_with_what_undoes(tmp_path: Path) -> None:
    (tmp_path / "0002_two.sql").write_text("create table b (x)")
    (tmp_path / "0001_one.sql").write_bytes(b"\xef\xbb\xbfcreate table a (x)")
    (tmp_path / "0001_one.down.sql").write_text("drop table a")
    (tmp_path / "README.md").write_text("not one")
    (tmp_path / "crm").mkdir()
    assert read_folder(tmp_path) == (ONE, TWO)


def test_every_file_that_cannot_be_one_is_named(tmp_path: Path) -> None:
    for name in ("1_one.sql", "0000_zero.sql", "0003_Three.sql", "0004_four.down.sql"):
        (tmp_path / name).write_text("select 1")
    (tmp_path / "0005_five.sql").write_bytes(b"\xff\xfe")
    with pytest.raises(MigrationFault) as caught:
        read_folder(tmp_path)
    for name in ("1_one.sql", "0000_zero.sql", "0003_Three.sql", "0004_four.sql", "0005_five.sql"):
        assert name in caught.value.detail


@pytest.mark.parametrize(
    ("second", "told"),
    [
        (Migration(1, "uno", "select 1"), "same number"),
        (Migration(2, "two", "-- nothing"), "holds no SQL"),
        (Migration(2, "two", "select 1", " "), "0002_two.down.sql holds no SQL"),
    ],
)
def test_migrations_that_do_not_fit_together(second: Migration, told: str) -> None:
    with pytest.raises(MigrationFault, match=told):
        in_order([second, ONE])


def test_a_checkout_with_other_line_ends_is_the_same_migration() -> None:
    assert Migration(1, "one", "a\r\nb").checksum == Migration(1, "one", "a\nb").checksum != ONE.checksum


def test_what_is_next() -> None:
    assert next_pending((ONE, TWO), []) == ONE
    assert next_pending((ONE, TWO), [applied(ONE)]) == TWO
    assert next_pending((ONE, TWO), [applied(ONE), applied(TWO)]) is None
    assert next_pending((), []) is None


@pytest.mark.parametrize(
    ("files", "seen", "told"),
    [
        ((Migration(1, "one", "select 2"),), (ONE,), "put its file back"),
        ((Migration(1, "uno", ONE.sql),), (ONE,), "not the one applied before"),
        ((TWO,), (ONE, TWO), "its file is not there"),
        ((ONE, TWO), (TWO,), "give it the next number"),
    ],
)
def test_drift_is_refused(files: tuple[Migration, ...], seen: tuple[Migration, ...], told: str) -> None:
    with pytest.raises(MigrationDrift, match=told):
        next_pending(files, [applied(each) for each in seen])


@given(st.integers(0, 6), st.integers(0, 6))
def test_applying_the_next_until_there_is_none_applies_all_in_order(count: int, before: int) -> None:
    files = [Migration(number + 1, "m", f"select {number}") for number in range(count)]
    history = [applied(each) for each in files[:before]]
    while (step := next_pending(files, history)) is not None:
        history.append(applied(step))
    assert [each.number for each in history] == [each.number for each in files]
    assert {each.state for each in standings(files, history)} <= {"applied"}


def test_how_each_stands() -> None:
    late = Migration(3, "late", "select 3")
    changed = Migration(2, "two", "select 2")
    new = Migration(5, "new", "select 5")
    gone = Applied(4, "gone", "0", "then")
    found = standings((ONE, changed, late, new), [applied(ONE), applied(TWO), gone])
    assert [(each.number, each.state) for each in found] == [
        (1, "applied"),
        (2, "changed"),
        (3, "late"),
        (4, "missing"),
        (5, "pending"),
    ]
    assert [each.reversible for each in found] == [True, False, False, False, False]


def test_undoing_is_all_or_nothing() -> None:
    assert to_undo([applied(ONE)], 1) == (applied(ONE),)
    with pytest.raises(MigrationFault, match="1 are applied"):
        to_undo([applied(ONE)], 2)
    with pytest.raises(MigrationFault, match=r"0002_two.sql was applied without a .down.sql"):
        to_undo([applied(ONE), applied(TWO)], 2)
