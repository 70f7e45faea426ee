"""One file of the store: what it is called, how it is made, filled and read. Everything here runs in a thread.

A segment is written until it is large or old enough, then closed for good: from there on it is one file that nothing
changes. One that cannot be read is put aside, and costs what is in it, nothing else.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import apsw
import msgspec

from v8box.storage.sql import load_queries
from v8box.telemetry.records import LineRecord, RunRecord

logger = logging.getLogger(__name__)

ID_BYTES: Final = 12
TABLES: Final = ("runs", "lines")
FIRST_ID: Final = b""
LAST_ID: Final = b"\xff" * ID_BYTES
_PACKAGE: Final = "v8box.telemetry.store"
_schema: Final = load_queries(_PACKAGE, "schema.sql")
_insert: Final = load_queries(_PACKAGE, "insert.sql")
_query: Final = load_queries(_PACKAGE, "query.sql")
_COLUMNS: Final = frozenset(
    {
        "id",
        "time",
        "worker",
        "project",
        "environment",
        "version",
        "trigger",
        "status",
        "outcome",
        "duration",
        "path",
        "request_id",
        "error",
    }
)
"""The fields of a run that have a column, or follow from one; the others are in `rest`."""
_RUN_FIELDS: Final = tuple(field.name for field in msgspec.structs.fields(RunRecord))
_LINE_FIELDS: Final = tuple(field.name for field in msgspec.structs.fields(LineRecord))
REST: Final = tuple(name for name in _RUN_FIELDS if name not in _COLUMNS)
_PLACES: Final = {name: str(at) for at, name in enumerate(_RUN_FIELDS)}
_INSERT_RUNS: Final = _insert["runs"].format(rest=", ".join(f"'$[{_PLACES[name]}]'" for name in REST), **_PLACES)
_INSERT_LINES: Final = _insert["lines"].format(**{name: str(at) for at, name in enumerate(_LINE_FIELDS)})
_HEX: Final = re.compile("(?:[0-9a-fA-F]{2})+")
_CLOSE_MILLISECONDS: Final = 2_000
_MAX_WORDS: Final = 100_000
_FULL: Final = (apsw.FullError, apsw.IOError, apsw.CantOpenError, apsw.ReadOnlyError, OSError)


class SegmentGone(Exception):
    """The file was dropped, or cannot be read."""


class Segment:
    """One file. `low` and `high` are the first and the last id of each table; the file is named for its start."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.start = int(path.stem.removeprefix("runs-"))
        """Milliseconds since 1970."""
        self.closed = True
        self.end = self.start
        self.size = 0
        self.spans: dict[str, tuple[bytes, bytes]] = {}

    @classmethod
    def named(cls, folder: Path, start: int) -> Segment:
        return cls(folder / f"runs-{start}.db")

    def seal(self) -> None:
        """Takes up what a crash left beside the file. Raises `apsw.Error`."""
        if self.path.with_name(self.path.name + "-wal").exists():
            connection = apsw.Connection(str(self.path), flags=apsw.SQLITE_OPEN_READWRITE)
            try:
                connection.execute("pragma journal_mode = delete")
            finally:
                connection.close()

    def learn(self) -> None:
        """Looks into a file that was there before. Raises `apsw.Error`."""
        self.size = _size(self.path)
        connection = self.connect()
        try:
            self.look(connection)
        finally:
            connection.close()

    def look(self, connection: apsw.Connection) -> None:
        """Refreshes the spans."""
        spans = {}
        for table in TABLES:
            first, last = connection.execute(_query["span"].format(table=table)).get
            if first is not None:
                spans[table] = first, last
                self.end = max(self.end, millisecond_of(last))
        self.spans = spans

    def connect(self) -> apsw.Connection:
        """For reading."""
        if not self.closed:
            connection = apsw.Connection(str(self.path), flags=apsw.SQLITE_OPEN_READONLY)
            connection.set_busy_timeout(1_000)
        else:
            flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
            connection = apsw.Connection(f"{self.path.as_uri()}?immutable=1", flags=flags)
        return connection

    def drop(self) -> None:
        for suffix in ("", "-wal", "-shm", "-journal"):
            self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)

    def put_aside(self) -> None:
        """It cannot be read: it stays for who wants to look, until its place is needed."""
        aside = self.path.with_suffix(".damaged")
        self.path.replace(aside)
        for suffix in ("-wal", "-shm", "-journal"):
            self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)


class Writer:
    """Fills one segment."""

    def __init__(self, segment: Segment, first_line: int) -> None:
        self.segment = segment
        self._next_line = first_line
        segment.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        segment.closed = False
        self._connection = apsw.Connection(str(segment.path))
        try:
            for statement in _schema["pragmas"].split(";"):
                self._connection.execute(statement)
            self._connection.execute(_schema["create"])
            self._connection.execute(_insert["fields"], (msgspec.json.encode(REST).decode(),))
            self.rest: tuple[str, ...] = fields_of(self._connection)
            if self.rest != REST:
                raise SegmentGone("written by another version")
            segment.size = _size(segment.path)
            segment.look(self._connection)
        except BaseException:
            self._connection.close()
            raise
        self._known: set[tuple[str, ...] | str] = set()

    def write(self, runs: Sequence[RunRecord], lines: Sequence[LineRecord]) -> int:
        """One transaction. Gives how many were lost; raises what a full or broken disk raises, and then nothing of it
        was kept."""
        connection = self._connection
        lost = 0
        connection.execute("begin immediate")
        try:
            if runs:
                lost += self._runs(runs)
            if lines:
                lost += self._lines(lines)
            connection.execute("commit")
        except BaseException:
            self._known.clear()
            if connection.in_transaction:
                connection.execute("rollback")
            raise
        self.segment.look(connection)
        self.segment.size = _size(self.segment.path)
        self.segment.end = max(self.segment.end, int(time.time() * 1000))
        return lost

    def _runs(self, records: Sequence[RunRecord]) -> int:
        places = {(each.worker, each.project, each.environment) for each in records}
        words = {each.version for each in records}
        words.update({each.trigger for each in records}, {each.outcome for each in records})
        self._learn(places, words)
        return self._insert(_INSERT_RUNS, records)

    def _lines(self, records: Sequence[LineRecord]) -> int:
        places = {(each.worker, each.project, each.environment) for each in records}
        self._learn(places, {each.version for each in records})
        return self._insert(_INSERT_LINES, records)

    def _learn(self, places: set[tuple[str, str, str]], words: set[str]) -> None:
        for place in places - self._known:
            self._connection.execute(_insert["source"], place)
        for word in words - self._known:
            self._connection.execute(_insert["word"], (word,))
        if len(self._known) > _MAX_WORDS:
            self._known.clear()
        self._known |= places
        self._known |= words

    def _insert(self, sql: str, records: Sequence[RunRecord] | Sequence[LineRecord]) -> int:
        """In one statement; of what cannot be said in JSON, or not be read from it, as much as can. Gives how many were
        lost."""
        lines = sql is _INSERT_LINES
        try:
            data = msgspec.json.encode(list(map(msgspec.structs.astuple, records)))
            if lines:
                self._connection.execute(sql, (data, self._next_line))
                self._next_line += len(records)
            else:
                self._connection.execute(sql, (data,))
            return len(records) - self._connection.changes()
        except _FULL:
            raise
        except Exception as error:
            if len(records) == 1:
                logger.warning("a record of %s could not be kept: %s", records[0].worker, error)
                return 1
            half = len(records) // 2
            return self._insert(sql, records[:half]) + self._insert(sql, records[half:])

    def close(self) -> int:
        """The file is complete, and no longer written. Gives the number that the next line has."""
        try:
            self._connection.set_busy_timeout(_CLOSE_MILLISECONDS)  # for a search that still reads it
            self._connection.execute("pragma wal_checkpoint(truncate)")
            self._connection.execute("pragma journal_mode = delete")
            self.segment.closed = True
        except apsw.Error as error:  # a full disk: it stays as it is, readable with what lies beside it
            logger.warning("%s could not be closed: %s", self.segment.path.name, error)
        self._connection.close()
        self.segment.size = _size(self.segment.path)
        return self._next_line

    def abandon(self) -> None:
        """The file is no longer there."""
        self._connection.close()


def fields_of(connection: apsw.Connection) -> tuple[str, ...]:
    """What `rest` holds in this file, in its order."""
    row = connection.execute(_query["fields"]).fetchone()
    return msgspec.json.decode(str(row[0]), type=tuple[str, ...]) if row is not None else ()


def millisecond_of(id_: bytes) -> int:
    return int.from_bytes(id_[:6])


def id_at(millisecond: int) -> bytes:
    """The first id of a millisecond."""
    return max(0, min(millisecond, (1 << 48) - 1)).to_bytes(6) + bytes(6)


def id_of(text: str) -> bytes:
    """How an id is kept."""
    return bytes.fromhex(text) if _HEX.fullmatch(text) else text.encode()


def text_of(id_: bytes) -> str:
    """`id_of` back again."""
    if len(id_) == ID_BYTES:
        return id_.hex()
    try:
        return id_.decode()
    except UnicodeDecodeError:
        return id_.hex()


def _size(path: Path) -> int:
    size = 0
    for suffix in ("", "-wal"):
        try:
            size += path.with_name(path.name + suffix).stat().st_size
        except FileNotFoundError:
            pass
    return size
