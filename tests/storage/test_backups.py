"""Copies of the platform's database: whole, bounded in number, and put back when the file is damaged."""

# ruff: noqa: ASYNC240 - nobody else waits for these files

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from v8box.storage import Database, backups
from v8box.storage.backups import DatabaseDamaged, NoBackup


async def made(path: Path, *values: int) -> None:
    database = await Database.open(path)
    try:

        def write(sql: object) -> None:
            sql.execute("create table if not exists t (v integer)")  # type: ignore[attr-defined]
            for value in values:
                sql.execute("insert into t values (?)", (value,))  # type: ignore[attr-defined]

        await database.write(write)
    finally:
        await database.close()


async def read(path: Path) -> list[object]:
    database = await Database.open(path)
    try:
        return [row[0] for row in await database.read(lambda sql: sql.rows("select v from t order by v"))]
    finally:
        await database.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "catalog.db"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "backups"


async def test_a_copy_is_of_one_moment_while_somebody_writes(path: Path, folder: Path) -> None:
    await made(path, 1, 2)
    database = await Database.open(path)
    try:
        writing = [
            database.write(lambda sql, value=value: sql.execute("insert into t values (?)", (value,)))  # type: ignore[misc]
            for value in range(3, 30)
        ]
        copy, *_ = await asyncio.gather(backups.back_up(path, folder), *writing)
    finally:
        await database.close()
    found = await read(copy)
    assert found == list(range(1, len(found) + 1))
    assert copy.stat().st_mode & 0o777 == 0o600


async def test_the_newest_are_kept(path: Path, folder: Path) -> None:
    await made(path, 1)
    copies = [await backups.back_up(path, folder) for _ in range(backups.KEPT + 2)]
    assert sorted(folder.iterdir()) == copies[2:]


@pytest.mark.parametrize("harm", ["garbage", "page", "cut", "gone", "empty"])
async def test_a_damaged_database_is_told_and_put_back(path: Path, folder: Path, harm: str) -> None:
    await made(path, *range(2_000))
    copy = await backups.back_up(path, folder)
    backups.check(path, folder)
    data = path.read_bytes()
    if harm == "garbage":
        path.write_bytes(b"this is no database" * 100)
    elif harm == "page":
        path.write_bytes(data[:8_192] + b"\xff" * 4_096 + data[12_288:])
    elif harm == "cut":
        path.write_bytes(data[: len(data) // 2])
    elif harm == "empty":
        path.write_bytes(b"")
    else:
        path.unlink()
    before = path.read_bytes() if path.exists() else None
    with pytest.raises(DatabaseDamaged) as raised:
        backups.check(path, folder)
    assert copy.name in raised.value.detail
    assert "v8box recover" in raised.value.detail
    used, aside = backups.put_back(path, folder)
    assert used == copy
    assert await read(path) == list(range(2_000))
    assert (aside.read_bytes() if aside is not None else None) == before


async def test_a_copy_that_is_damaged_itself_is_passed_over(path: Path, folder: Path) -> None:
    await made(path, 1)
    good = await backups.back_up(path, folder)
    bad = await backups.back_up(path, folder)
    bad.write_bytes(b"x" * 5_000)
    path.write_bytes(b"x" * 5_000)
    with pytest.raises(DatabaseDamaged, match=good.name):
        backups.check(path, folder)
    with pytest.raises(NoBackup):
        backups.put_back(path, folder, bad)
    assert backups.put_back(path, folder)[0] == good


async def test_the_first_start_has_nothing_to_check(path: Path, folder: Path) -> None:
    backups.check(path, folder)
    path.touch()  # cut off before anything was written
    backups.check(path, folder)
    with pytest.raises(NoBackup):
        backups.put_back(path, folder)


async def test_without_a_copy_nothing_is_promised(path: Path, folder: Path) -> None:
    path.write_bytes(b"x" * 5_000)
    with pytest.raises(DatabaseDamaged, match="There is no copy"):
        backups.check(path, folder)


async def test_a_copy_a_day(path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await made(path, 1)
    done = asyncio.Event()
    count = 0
    real = backups.back_up

    async def counted(*paths: Path) -> Path:
        nonlocal count
        count += 1
        if count == 2:
            done.set()
        return await real(*paths)

    monkeypatch.setattr(backups, "back_up", counted)
    task = asyncio.create_task(backups.back_up_forever(path, folder, first_seconds=0, every_seconds=0))
    await done.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert len(list(folder.glob("catalog-*.db"))) >= 1
