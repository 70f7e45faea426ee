"""Looks through segments for what a query wants, the newest first, for a bounded time. In a thread.

It goes back in time in windows: each is looked through in every segment that reaches into it, so that the order is
right although segments overlap (a run is written when it is over, and sorted by its start). A search that has used its
time says how far it came; what follows goes on from there.
"""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, TypeVar

import apsw
import msgspec

from v8box.storage.sql import load_queries
from v8box.telemetry.records import LineRecord, RunRecord
from v8box.telemetry.store.query import Found, LineQuery, Query, RunQuery, pattern, source_conditions
from v8box.telemetry.store.rows import id_at, id_of, line_of, millisecond_of, run_of
from v8box.telemetry.store.segment import FIRST_ID, LAST_ID, Segment, fields_of

logger = logging.getLogger(__name__)

BUDGET_SECONDS: Final = 0.25
_WINDOW_SECONDS: Final = 0.06
_LAST_RESORT_SECONDS: Final = 1.0
"""A search that came nowhere in its time gets so much more for its first, smallest window."""
_FIRST_ROWS: Final = 10_000
_MIN_ROWS: Final = 500
_ROW_BYTES: Final = 150
_SOURCES_AT_ONCE: Final = 200
_STEPS: Final = 20_000
_PRINTED_AFTER_MS: Final = 60_000
"""How long after its start a run's lines are looked for, where a text is searched in them."""
_MAX_PRINTED: Final = 10_000
_queries: Final = load_queries("v8box.telemetry.store", "query.sql")
_wheres: Final = load_queries("v8box.telemetry.store", "conditions.sql")

T = TypeVar("T")


class Line(msgspec.Struct):
    """A line, and what it is called in the store."""

    id: str
    record: LineRecord


class _Late(Exception):
    """The window was too large for the time that it had."""


class _Reader:
    """One open segment."""

    def __init__(self, segment: Segment) -> None:
        self.segment = segment
        self.connection = segment.connect()
        self.deadline = 0.0
        self.rest = fields_of(self.connection)
        rows = self.connection.execute(_queries["sources"])
        self.sources = {number: (worker, project, environment) for number, worker, project, environment in rows}
        self.connection.set_progress_handler(self._late, _STEPS)

    def _late(self) -> bool:
        return time.monotonic() > self.deadline

    def close(self) -> None:
        self.connection.close()


class Search:
    """One search over these segments: opened as they are needed, closed with it."""

    def __init__(self, segments: Sequence[Segment], budget_seconds: float = BUDGET_SECONDS) -> None:
        self._segments = sorted(segments, key=lambda each: each.start, reverse=True)
        self._readers: dict[Segment, _Reader | None] = {}
        self._began = time.monotonic()
        self._end = self._began + budget_seconds

    def close(self) -> None:
        for reader in self._readers.values():
            if reader is not None:
                reader.close()

    # ---- what can be asked

    def runs(self, query: RunQuery, limit: int, before: bytes | None = None) -> Found[RunRecord]:
        if query.run is not None:
            one = self.run(query.run)
            items = [one] if one is not None and query.matches(one) else []
            return Found([each for each in items if before is None or id_of(each.id) < before])
        if query.request is not None:
            return self._by_request(query, query.request, limit, before)

        def look(low: bytes, high: bytes, wanted: int, deadline: float) -> list[tuple[bytes, RunRecord]]:
            more: dict[str, Any] = {}
            if query.text is not None:
                more["printed"] = self._printed(query.text, low, high, deadline)
            return self._look("runs", query, _run, low, high, wanted, deadline, more)

        return self._backwards("runs", query, look, limit, before)

    def lines(self, query: LineQuery, limit: int, before: bytes | None = None) -> Found[Line]:
        def look(low: bytes, high: bytes, wanted: int, deadline: float) -> list[tuple[bytes, Line]]:
            return self._look("lines", query, _line, low, high, wanted, deadline, {})

        return self._backwards("lines", query, look, limit, before)

    def run(self, id_: str) -> RunRecord | None:
        key = id_of(id_)
        for segment in self._reaching("runs", key, key + b"\0"):
            with self._reading(segment, self._began + _LAST_RESORT_SECONDS) as reader:
                if reader is not None and (found := _fetch(reader, "runs", _run, [key])):
                    return found[0][1]
        return None

    # ---- how

    def _by_request(self, query: RunQuery, request: str, limit: int, before: bytes | None) -> Found[RunRecord]:
        """Few have the same one, so they are taken together."""
        ids: dict[bytes, RunRecord] = {}
        for segment in self._segments:
            with self._reading(segment, self._began + _LAST_RESORT_SECONDS) as reader:
                if reader is None:
                    continue
                bound = {"request": request}
                keys = [key for (key,) in reader.connection.execute(_queries["by_request"], bound)]
                ids.update(_fetch(reader, "runs", _run, [*keys[:1_000], id_of(request)]))
        found = [
            (key, record)
            for key, record in sorted(ids.items(), key=_key, reverse=True)
            if query.matches(record) and (before is None or key < before)
        ]
        shown = found[:limit]
        return Found([record for _, record in shown], shown[-1][0] if len(found) > limit else None)

    def _backwards(
        self,
        table: str,
        query: Query,
        look: Callable[[bytes, bytes, int, float], list[tuple[bytes, T]]],
        limit: int,
        before: bytes | None,
    ) -> Found[T]:
        low, high = FIRST_ID, LAST_ID if before is None else before
        if query.since is not None:
            low = id_at(-int(-query.since * 1000 // 1))
        if query.until is not None:
            high = min(high, id_at(-int(-query.until * 1000 // 1)))
        found: list[tuple[bytes, T]] = []
        rows = _FIRST_ROWS
        came = False
        while (window := self._window(table, low, high, rows)) is not None:
            start, high = window
            now = time.monotonic()
            end = self._end if came else self._began + _LAST_RESORT_SECONDS
            if now >= end and came:
                return Found([item for _, item in found], high, unfinished=True)
            patience = _WINDOW_SECONDS if rows > _MIN_ROWS else _LAST_RESORT_SECONDS
            try:
                found += look(start, high, limit + 1 - len(found), min(now + patience, max(end, now + 0.02)))
            except _Late:
                if rows <= _MIN_ROWS and not came:
                    came = True  # so little, and so slow: it is passed over, or nobody would ever get behind it
                    logger.warning("a search passed over %s to %s: reading takes too long", start.hex(), high.hex())
                    high = start
                rows = max(_MIN_ROWS, rows // 8)
                continue
            came = True
            if len(found) > limit:
                shown = found[:limit]
                return Found([item for _, item in shown], shown[-1][0])
            high = start
            if time.monotonic() - now < _WINDOW_SECONDS / 3:
                rows *= 4
        return Found([item for _, item in found])

    def _window(self, table: str, low: bytes, high: bytes, rows: int) -> tuple[bytes, bytes] | None:
        """What to look through next: about so many rows that come right before `high`. None: there are none."""
        reaching = self._reaching(table, low, high) if low < high else []
        if not reaching:
            return None
        top = min(high, max(each.spans[table][1] for each in reaching) + b"\0")
        width = min(_milliseconds(each, table, rows) for each in reaching)
        return max(low, id_at(millisecond_of(top) - width)), top

    def _reaching(self, table: str, low: bytes, high: bytes) -> list[Segment]:
        return [
            each
            for each in self._segments
            if table in each.spans and each.spans[table][0] < high and each.spans[table][1] >= low
        ]

    def _look(
        self,
        table: str,
        query: RunQuery | LineQuery,
        decode: Callable[[_Reader, Any], T],
        low: bytes,
        high: bytes,
        limit: int,
        deadline: float,
        more: dict[str, Any],
    ) -> list[tuple[bytes, T]]:
        """In one window: the first `limit`, from whichever segment."""
        keys: list[tuple[bytes, Segment]] = []
        for segment in self._reaching(table, low, high):
            with self._reading(segment, deadline) as reader:
                if reader is not None:
                    keys += [(key, segment) for key in _ids(reader, table, query, low, high, limit, more)]
        keys = sorted(keys, key=_key, reverse=True)[:limit]
        found: list[tuple[bytes, T]] = []
        for segment in {segment for _, segment in keys}:
            with self._reading(segment, deadline + _LAST_RESORT_SECONDS) as reader:
                if reader is not None:
                    found += _fetch(reader, table, decode, [key for key, owner in keys if owner is segment])
        return sorted(found, key=_key, reverse=True)

    def _printed(self, text: str, low: bytes, high: bytes, deadline: float) -> tuple[bytes, ...]:
        """The runs of this window that printed the text."""
        end = id_at(millisecond_of(high) + _PRINTED_AFTER_MS)
        runs: set[bytes] = set()
        bound = {"low": low, "high": end, "text": pattern(text)}
        for segment in self._reaching("lines", low, end):
            with self._reading(segment, deadline) as reader:
                if reader is not None:
                    rows = reader.connection.execute(_queries["runs_with_lines"], bound)
                    runs.update(run for (run,) in itertools.islice(rows, _MAX_PRINTED))
        return tuple(runs)

    @contextmanager
    def _reading(self, segment: Segment, deadline: float) -> Iterator[_Reader | None]:
        """The segment, open; None when it is no longer there, or cannot be read. Raises `_Late`."""
        if segment not in self._readers:
            try:
                self._readers[segment] = _Reader(segment)
            except apsw.Error as error:
                self._cannot_read(segment, error)
        reader = self._readers[segment]
        if reader is not None:
            reader.deadline = deadline
        try:
            yield reader
        except apsw.InterruptError as error:
            raise _Late from error
        except apsw.Error as error:
            self._cannot_read(segment, error)

    def _cannot_read(self, segment: Segment, error: apsw.Error) -> None:
        if segment.path.exists():  # else it was dropped meanwhile
            logger.warning("%s cannot be read: %s", segment.path.name, error)
        self._readers[segment] = None


def _milliseconds(segment: Segment, table: str, rows: int) -> int:
    """How long about so many of its rows took to come."""
    first, last = segment.spans[table]
    whole = max(1, segment.size // _ROW_BYTES)
    return max(1, (millisecond_of(last) - millisecond_of(first)) * rows // whole)


def _key(pair: tuple[bytes, Any]) -> bytes:
    return pair[0]


def _ids(
    reader: _Reader,
    table: str,
    query: RunQuery | LineQuery,
    low: bytes,
    high: bytes,
    limit: int,
    more: dict[str, Any],
) -> list[bytes]:
    index, conditions, values = query.conditions()
    # Each file has its own order of what has no column; what it does not know is null, which nothing equals.
    places = {f"{name}_place": reader.rest.index(name) if name in reader.rest else None for name in ("method", "trace")}
    values = {**values, **places, "low": low, "high": high, "limit": limit, **more}
    for name in ("runs", "printed"):
        if name in values:
            values[name] = apsw.carray(values[name] or (b"",))
    sources = source_conditions(reader.sources, query)
    template = _queries["run_ids" if table == "runs" else "line_ids"]
    if sources is None and index == "by_source":
        return _newest(reader, template.format(index="", conditions=conditions), values)
    numbers = list(reader.sources) if sources is None else sources
    by = f"indexed by {table}_{index}"
    found: list[bytes] = []
    for start in range(0, len(numbers), _SOURCES_AT_ONCE):
        ids = "\nunion all\n".join(
            template.format(index=by, conditions=f"{conditions}\n{_wheres['source'].format(source=number)}")
            for number in numbers[start : start + _SOURCES_AT_ONCE]
        )
        found += _newest(reader, ids, values)
    return found


def _newest(reader: _Reader, ids: str, values: dict[str, Any]) -> list[bytes]:
    rows = reader.connection.execute(_queries["newest"].format(ids=ids), values)
    return [row[0] for row in rows]


def _fetch(
    reader: _Reader, table: str, decode: Callable[[_Reader, Any], T], keys: Sequence[bytes]
) -> list[tuple[bytes, T]]:
    if not keys:
        return []
    sql = _queries[table].format(ids=", ".join("?" * len(keys)))
    return [(row[0], decode(reader, row)) for row in reader.connection.execute(sql, tuple(keys))]


def _run(reader: _Reader, row: Any) -> RunRecord:
    return run_of(row, reader.rest)


def _line(reader: _Reader, row: Any) -> Line:
    return Line(row[0].hex(), line_of(row))
