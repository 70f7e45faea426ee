"""One file of the store: what it is called, how it is made, filled and read. Everything here runs in a thread.

A segment is written until it is large or old enough, then closed for good: from there on it is one file that nothing
changes. One that cannot be read is put aside, and costs what is in it, nothing else.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from itertools import chain
from pathlib import Path
from typing import Final, TypeVar

import apsw
import msgspec

from v8box.storage.sql import load_queries
from v8box.telemetry.records import LineRecord, RunRecord
from v8box.telemetry.store.rows import (
    ID_BYTES,
    LINE_COLUMNS,
    REST,
    RUN_COLUMNS,
    Numbers,
    Row,
    Source,
    line_row,
    millisecond_of,
    run_row,
)

logger = logging.getLogger(__name__)

TABLES: Final = ("runs", "lines")
FIRST_ID: Final = b""
LAST_ID: Final = b"\xff" * ID_BYTES
_PACKAGE: Final = "v8box.telemetry.store"
_schema: Final = load_queries(_PACKAGE, "schema.sql")
_insert: Final = load_queries(_PACKAGE, "insert.sql")
_query: Final = load_queries(_PACKAGE, "query.sql")
_CLOSE_MILLISECONDS: Final = 2_000
_ROWS: Final = 100
"""In one statement: more take no less time each, and a turn of the interpreter's is to be short."""
_STATEMENTS: Final = (_ROWS, 10, 1)
_inserts: Final = {
    (table, count): _insert[table].format(rows=", ".join([f"({', '.join('?' * columns)})"] * count))
    for table, columns in (("runs", RUN_COLUMNS), ("lines", LINE_COLUMNS))
    for count in _STATEMENTS
}
R = TypeVar("R", RunRecord, LineRecord)
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
        self._sources = Numbers(self._learn_source)
        self._words = Numbers(self._learn_word)

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
            self._sources.clear()
            self._words.clear()
            if connection.in_transaction:
                connection.execute("rollback")
            raise
        self.segment.look(connection)
        self.segment.size = _size(self.segment.path)
        self.segment.end = max(self.segment.end, int(time.time() * 1000))
        return lost

    def _runs(self, records: Sequence[RunRecord]) -> int:
        sources, words = self._sources, self._words
        return self._insert("runs", RUN_COLUMNS, records, lambda record: run_row(record, sources, words))

    def _lines(self, records: Sequence[LineRecord]) -> int:
        def row(record: LineRecord) -> Row:
            self._next_line += 1
            return line_row(record, self._next_line - 1, self._sources, self._words)

        return self._insert("lines", LINE_COLUMNS, records, row)

    def _learn_source(self, source: Source) -> int:
        return int(self._connection.execute(_insert["source"], source).get)

    def _learn_word(self, word: str) -> int:
        return int(self._connection.execute(_insert["word"], (word,)).get)

    def _insert(self, table: str, columns: int, records: Sequence[R], row: Callable[[R], Row]) -> int:
        """Of what cannot be kept everything else is. Gives how many were lost."""
        lost = 0
        rows: list[Row] = []
        for record in records:
            try:
                rows.append(row(record))
            except _FULL:
                raise
            except Exception as error:
                logger.warning("a record of %r could not be kept: %s", record.worker, error)
                lost += 1
            if len(rows) == _ROWS:
                lost += self._insert_rows(table, columns, rows)
                rows = []
        return lost + self._insert_rows(table, columns, rows)

    def _insert_rows(self, table: str, columns: int, rows: Sequence[Row]) -> int:
        lost = 0
        at = 0
        for size in _STATEMENTS:  # of few sizes, so that each is prepared once
            sql = _inserts[table, size]
            while len(rows) - at >= size:
                lost += self._execute(sql, table, rows[at : at + size])
                at += size
        return lost

    def _execute(self, sql: str, table: str, rows: Sequence[Row]) -> int:
        try:
            self._connection.execute(sql, tuple(chain.from_iterable(rows)))
        except _FULL:
            raise
        except Exception as error:  # a value that SQLite cannot take: it is known of none of them which one has it
            if len(rows) == 1:
                logger.warning("a record could not be kept: %s", error)
                return 1
            return sum(self._execute(_inserts[table, 1], table, (row,)) for row in rows)
        return len(rows) - self._connection.changes()

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


def _size(path: Path) -> int:
    size = 0
    for suffix in ("", "-wal"):
        try:
            size += path.with_name(path.name + suffix).stat().st_size
        except FileNotFoundError:
            pass
    return size
