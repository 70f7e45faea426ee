"""`data/metrics.db`: what happened in each minute and hour, for each series of the counters.

A file of its own, so that what charts read and write is in nobody's way. A minute that is written twice (the box was
started anew within it) adds up. Hours are kept for 90 days, and so are minutes, as long as the file has room for them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final, Literal, NamedTuple

import msgspec

from v8box.storage import Database, Transaction, load_migrations, load_queries
from v8box.storage.database import Value
from v8box.telemetry.metrics.figures import Figures, Key

MINUTE: Final = 60
HOUR: Final = 3_600
KEEP_SECONDS: Final = 90 * 86_400
_SLICE_SECONDS: Final = 86_400
"""So much of the oldest minutes goes at a time when the file has outgrown its budget."""

Resolution = Literal["minute", "hour"]
Matches = Callable[[Key], bool]

_queries: Final = load_queries("v8box.telemetry.metrics")
_encode: Final = msgspec.msgpack.encode
_decode: Final = msgspec.msgpack.Decoder(Figures).decode


class Stretch(NamedTuple):
    """Figures of one series in the minute or hour that begins at `at`."""

    key: Key
    at: int
    figures: Figures


class MetricsStore:
    """The file. `open` it, `close` it; everything is done in its own thread."""

    def __init__(self, database: Database, budget_bytes: int) -> None:
        self._database = database
        self._budget = budget_bytes
        self._ids: dict[Key, int] = {}
        self._touched: dict[int, int] = {}

    @classmethod
    async def open(cls, path: Path, budget_bytes: int) -> MetricsStore:
        database = await Database.open(path)
        store = cls(database, budget_bytes)
        try:
            await database.migrate("metrics", load_migrations("v8box.telemetry.metrics"))
            await database.read(store._load)
        except BaseException:
            await database.close()
            raise
        return store

    def _load(self, sql: Transaction) -> None:
        for *key, id_, last_at in sql.rows(_queries["all_series"]):
            found = Key(*map(str, key))
            self._ids[found] = _integer(id_)
            self._touched[_integer(id_)] = _integer(last_at)

    async def close(self) -> None:
        await self._database.close()

    # ---- writing

    async def add(self, minute: int, figures: Mapping[Key, Figures]) -> None:
        """Adds to what there is of the minute that begins at `minute`, and to its hour. All of it, or nothing."""
        made: dict[Key, int] = {}

        def write(sql: Transaction) -> None:
            made.clear()
            hour = minute - minute % HOUR
            for key, counted in figures.items():
                id_ = self._ids.get(key) or made.get(key)
                if id_ is None:
                    id_ = made[key] = _add_series(sql, key, hour)
                elif self._touched.get(id_) != hour:
                    sql.execute(_queries["touch_series"], {"id": id_, "at": hour})
                _merge(sql, "minute", id_, minute, counted)
                _merge(sql, "hour", id_, hour, counted)

        await self._database.write(write)
        self._ids.update(made)
        hour = minute - minute % HOUR
        for key in figures:
            self._touched[self._ids[key]] = hour

    async def forget_project(self, project: str) -> None:
        """A project of the same name that comes later begins anew."""

        def write(sql: Transaction) -> None:
            for (id_,) in sql.rows(_queries["series_of_project"], {"project": project}):
                sql.execute(_queries["forget_series"], {"id": id_})

        await self._database.write(write)
        for key in [key for key in self._ids if key.project == project]:
            self._touched.pop(self._ids.pop(key), None)

    async def prune(self, now: float) -> None:
        """What is too old goes, and of the minutes the oldest ones, until the file is within its budget."""
        before = int(now) - KEEP_SECONDS
        ids = list(self._ids.values())
        for query in ("forget_minutes", "forget_hours"):
            await self._forget(query, ids, before)
        await self._database.write(lambda sql: sql.execute(_queries["forget_old_series"], {"before": before}))
        for key in [key for key, id_ in self._ids.items() if self._touched.get(id_, 0) < before]:
            self._touched.pop(self._ids.pop(key), None)
        while await self.bytes_used() > self._budget:
            oldest = await self._oldest_minute(ids)
            if oldest is None:
                return  # hours are little, and are kept
            await self._forget("forget_minutes", ids, min(oldest + _SLICE_SECONDS, int(now)))

    async def bytes_used(self) -> int:
        (used,) = (await self._database.read(lambda sql: sql.row(_queries["bytes_used"]))) or (0,)
        return _integer(used)

    async def _forget(self, query: str, ids: Sequence[int], before: int) -> None:
        for start in range(0, len(ids), 200):
            piece = ids[start : start + 200]

            def write(sql: Transaction, piece: Sequence[int] = piece) -> None:
                for id_ in piece:
                    sql.execute(_queries[query], {"series": id_, "before": before})

            await self._database.write(write)

    async def _oldest_minute(self, ids: Sequence[int]) -> int | None:
        def read(sql: Transaction) -> list[int]:
            rows = (sql.row(_queries["oldest_minute"], {"series": id_}) for id_ in ids)
            return [_integer(row[0]) for row in rows if row is not None and row[0] is not None]

        return min(await self._database.read(read), default=None)

    # ---- reading

    def keys(self) -> Sequence[Key]:
        return tuple(self._ids)

    async def read(self, wanted: Matches, since: int, until: int, step: int) -> dict[tuple[Key, int], Figures]:
        """What the wanted series have in `since <= at < until`, added up by series and steps of so many seconds since
        1970; from the hours where they are fine enough."""
        query = "hours" if step % HOUR == 0 else "minutes"
        ids = [(key, id_) for key, id_ in self._ids.items() if wanted(key)]

        def look(sql: Transaction) -> dict[tuple[Key, int], Figures]:
            found: dict[tuple[Key, int], Figures] = {}
            for key, id_ in ids:
                for at, blob in sql.rows(_queries[query], {"series": id_, "since": since, "until": until}):
                    place = key, _integer(at) - _integer(at) % step
                    figures = _decode(_bytes(blob))
                    have = found.get(place)
                    if have is None:
                        found[place] = figures
                    else:
                        have.add(figures)
            return found

        return await self._database.read(look)


def _merge(sql: Transaction, resolution: Resolution, id_: int, at: int, counted: Figures) -> None:
    row = sql.row(_queries[f"get_{resolution}"], {"series": id_, "at": at})
    if row is not None:
        have = _decode(_bytes(row[0]))
        have.add(counted)
        counted = have
    sql.execute(_queries[f"put_{resolution}"], {"series": id_, "at": at, "figures": _encode(counted)})


def _add_series(sql: Transaction, key: Key, at: int) -> int:
    values: dict[str, Value] = {**key._asdict(), "at": at}
    row = sql.row(_queries["add_series"], values)
    return 0 if row is None else _integer(row[0])


def _integer(value: Value) -> int:
    if not isinstance(value, int):
        raise TypeError(f"{value!r} is no whole number")
    return value


def _bytes(value: Value) -> bytes:
    if not isinstance(value, bytes):
        raise TypeError("these are no figures")
    return value


def total(found: Iterable[Figures]) -> Figures:
    """All of them as one."""
    sum_ = Figures()
    for each in found:
        sum_.add(each)
    return sum_
