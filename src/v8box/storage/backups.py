"""Copies of the platform's database, each checked before it counts, and putting one back when the file is damaged.

A copy is made while the box runs, of one moment of the database. The newest seven are kept. A box whose database is
damaged, or gone while there are copies, does not start on what is left: it says which copy is good and how to put it
back. What was damaged is moved aside, never deleted.
"""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import apsw

from v8box.errors import V8BoxError
from v8box.kit.files import sync_folder, temporary_beside

KEPT: Final = 7
EVERY_SECONDS: Final = 86_400.0
FIRST_SECONDS: Final = 60.0  # a start has other things to do
_PAGES: Final = 1_000
_GONE: Final = "it is gone"
_EMPTY: Final = "there is nothing in it"
_SUFFIXES: Final = ("", "-wal", "-shm")
_log: Final = logging.getLogger(__name__)


class DatabaseDamaged(V8BoxError):
    """The box's database is damaged. Nothing was changed."""

    code = "database_damaged"


class NoBackup(V8BoxError):
    """There is no good copy of the database."""

    status = 404
    code = "no_backup"


def check(path: Path, backups: Path) -> None:
    """Whether the database may be opened; one that is not there yet may, unless there are copies of it. Blocking, some
    milliseconds for each megabyte. Raises `DatabaseDamaged` saying what to do."""
    fault = _fault(path)
    if fault in (_GONE, _EMPTY) and not _copies(path, backups):
        return  # the first start, or one that was cut off before it wrote anything
    if fault is not None:
        advice = _advice(path, backups)
        raise DatabaseDamaged(f"{path} is damaged ({fault}), and the box does not start on it. {advice}")


async def back_up(path: Path, backups: Path) -> Path:
    """Makes a copy, and removes the oldest. The database may be in use. Raises `DatabaseDamaged`."""
    return await asyncio.to_thread(_back_up, path, backups)


async def back_up_forever(
    path: Path, backups: Path, *, first_seconds: float = FIRST_SECONDS, every_seconds: float = EVERY_SECONDS
) -> None:
    """Once a day, and after a start when the newest copy is older than that. Until cancelled; a failure is logged."""
    wait = first_seconds
    while True:
        await asyncio.sleep(wait)
        wait = every_seconds
        age = time.time() - await asyncio.to_thread(newest_time, path, backups)
        if 0 <= age < every_seconds:
            wait = every_seconds - age
            continue
        try:
            await back_up(path, backups)
        except (V8BoxError, OSError) as error:
            _log.error("%s could not be copied: %s", path, error)


def put_back(path: Path, backups: Path, chosen: Path | None = None) -> tuple[Path, Path | None]:
    """Puts the newest good copy in the place of the database, or `chosen`; gives it, and where what was there lies
    now. No box may be running. Raises `NoBackup`."""
    copy = chosen if chosen is not None else _newest_good(path, backups)
    if copy is None or _fault(copy) is not None:
        raise NoBackup(f"{chosen} is no good copy of the database." if chosen is not None else None)
    aside = None
    if any(path.with_name(path.name + suffix).exists() for suffix in _SUFFIXES):
        aside = path.with_name(f"{path.name}.damaged-{_stamp()}")
        for suffix in _SUFFIXES:
            old = path.with_name(path.name + suffix)
            if old.exists():
                old.rename(aside.with_name(aside.name + suffix))
    incoming = temporary_beside(path)
    shutil.copyfile(copy, incoming)
    incoming.chmod(0o600)
    _sync(incoming)
    os.replace(incoming, path)
    sync_folder(path.parent)
    return copy, aside


def _back_up(path: Path, backups: Path) -> Path:
    backups.mkdir(mode=0o700, parents=True, exist_ok=True)
    target = backups / f"{path.stem}-{_stamp()}.db"
    incoming = temporary_beside(target)
    try:
        source = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
        copy = apsw.Connection(str(incoming))
        try:
            with copy.backup("main", source, "main") as job:
                while not job.done:
                    job.step(_PAGES)
            copy.execute("pragma journal_mode = delete")
        finally:
            copy.close()
            source.close()
        incoming.chmod(0o600)
        fault = _fault(incoming)
        if fault is not None:
            raise DatabaseDamaged(f"The copy of {path} is not whole ({fault}): look after the disk.")
        _sync(incoming)
        os.replace(incoming, target)
    except apsw.Error as error:
        raise DatabaseDamaged(f"{path} could not be copied: {error}") from error
    finally:
        incoming.unlink(missing_ok=True)
    sync_folder(backups)
    for old in _copies(path, backups)[:-KEPT]:
        old.unlink(missing_ok=True)
    return target


def _fault(path: Path) -> str | None:
    """What is wrong with a database; None when it is whole."""
    if not path.exists():
        return _GONE
    try:
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
        try:
            connection.set_busy_timeout(5_000)
            (found,) = next(iter(connection.execute("pragma quick_check(1)")))
            tables = next(iter(connection.execute("select count(*) from sqlite_schema")))[0]
        finally:
            connection.close()
    except (apsw.Error, OSError) as error:
        return str(error)
    if found != "ok":
        return str(found).splitlines()[0][:200]
    return None if tables else _EMPTY


def _copies(path: Path, backups: Path) -> Sequence[Path]:
    """Oldest first: their names begin with the time."""
    return sorted(backups.glob(f"{path.stem}-[0-9]*.db"))


def newest_time(path: Path, backups: Path) -> float:
    return max((copy.stat().st_mtime for copy in _copies(path, backups)), default=0.0)


def _newest_good(path: Path, backups: Path) -> Path | None:
    return next((copy for copy in reversed(_copies(path, backups)) if _fault(copy) is None), None)


def _advice(path: Path, backups: Path) -> str:
    good = _newest_good(path, backups)
    if good is None:
        return (
            f"There is no copy of it in {backups}. Put it back from a backup of your own; to begin with an empty one, "
            "move it away."
        )
    made = datetime.fromtimestamp(good.stat().st_mtime, UTC).isoformat(timespec="minutes")
    return f"The last good copy is {good.name}, of {made}: `v8box recover` puts it back and keeps the damaged file."


def _stamp() -> str:
    return datetime.now(UTC).strftime("%Y%m%dT%H%M%S%fZ")


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
