"""Database files as a whole, in an engine: made, copied and removed. No user's SQL runs here."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Final

import apsw

from v8box.bindings.db.guard import Guard, connect
from v8box.bindings.db.interface import DbLimits
from v8box.bindings.db.session import StatementError, Stop, sqlite_error
from v8box.kit.files import sync_folder, temporary_beside

_PAGES_AT_ONCE: Final = 1_000  # copied between two looks at the clock
_COMPANIONS: Final = ("-wal", "-shm", "-journal")


def create(path: Path, limits: DbLimits) -> None:
    """Makes an empty database. Raises `StatementError`, `DATABASE_EXISTS` among them."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600))  # SQLite takes an empty file
        sync_folder(path.parent)
        connect(path, Guard(), limits, query_only=False).close()
    except FileExistsError as error:
        raise _exists() from error
    except OSError as error:
        raise StatementError("SQLITE_CANTOPEN", f"the database cannot be made: {error.strerror}") from error
    except apsw.Error as error:
        raise sqlite_error(error) from error


def remove(path: Path) -> None:
    """Removes a database that nobody has open. Its write-ahead log goes last: SQLite ignores one without a file."""
    for file in (path, *(path.with_name(path.name + companion) for companion in _COMPANIONS)):
        file.unlink(missing_ok=True)
    if path.parent.exists():
        sync_folder(path.parent)


def copy(source: Path, target: Path, limits: DbLimits, stop: Stop) -> None:
    """Makes `target` what `source` is at this moment, by SQLite's online backup; it is there whole or not at all."""
    if target.exists():
        raise _exists()
    deadline = time.monotonic() + limits.admin_seconds
    temporary = temporary_beside(target)
    try:
        _back_up(source, temporary, limits, stop, deadline)
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        os.link(temporary, target)  # unlike a rename it replaces nothing
        sync_folder(target.parent)
    except FileExistsError as error:
        raise _exists() from error
    except OSError as error:
        raise StatementError("SQLITE_IOERR", f"the database cannot be copied: {error.strerror}") from error
    except apsw.FullError as error:
        raise StatementError("SQLITE_FULL", "the disk is full") from error
    except apsw.Error as error:
        raise sqlite_error(error) from error
    finally:
        remove(temporary)


def _back_up(source: Path, target: Path, limits: DbLimits, stop: Stop, deadline: float) -> None:
    reading = connect(source, Guard(), limits, query_only=True)
    try:
        # One snapshot for all steps: else a write between two of them would start the copy again.
        reading.execute("BEGIN; SELECT 1 FROM sqlite_schema")
        writing = apsw.Connection(str(target))
        try:
            # Until it has its name nobody reads it, and it is flushed before it gets that.
            writing.execute("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF")
            with writing.backup("main", reading, "main") as backup:
                while not backup.step(_PAGES_AT_ONCE):
                    if stop.code:
                        raise StatementError(stop.code, stop.message)
                    if time.monotonic() > deadline:
                        raise StatementError("SQLITE_INTERRUPT", f"a copy may take {limits.admin_seconds:g} s")
        finally:
            writing.close()
    finally:
        reading.close()


def _exists() -> StatementError:
    return StatementError("DATABASE_EXISTS", "there is a database of this name: choose another, or delete it first")
