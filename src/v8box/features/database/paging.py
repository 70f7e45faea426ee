"""One page of a table's rows, however long the table is.

From a cursor, the rows after or before one row are found by its key and the value it is sorted by: with an index at
once, without one by a single scan, wherever in the table it is. By an offset, all rows before are counted off; far into
an order that has no index the rows are numbered instead, since SQLite would keep each of them sorted by insertion.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import msgspec

from v8box.bindings.db.interface import Database, Result, Statement
from v8box.bindings.interface import BindingError
from v8box.errors import BadRequest
from v8box.features.database.conditions import Condition
from v8box.features.database.names import quoted
from v8box.features.database.structure import Shape
from v8box.features.database.values import Table, many, one, tagged

DEFAULT_LIMIT: Final = 100
COUNTED_ROWS: Final = 100_000
"""Rows of a condition are counted up to here: counting reads them. Those of a whole table are counted at once."""
READ_SECONDS: Final = 30.0
_NUMBERED_FROM: Final = 2_000
_MAX_CURSOR: Final = 4_096
_SHORT_VALUE: Final = 1_000

Order = Literal["asc", "desc"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Which rows of all that are meant, and in which order."""

    limit: int = DEFAULT_LIMIT
    offset: int = 0
    order_by: str | None = None
    order: Order = "asc"
    count: bool = False
    cursor: str | None = None
    """Of `next` or `previous`; then `offset` says nothing."""
    backwards: bool = False
    """The rows before the cursor, or without one the last."""


class _Place(msgspec.Struct, array_like=True):
    """A row that a page begins or ends at. Values are tagged as arguments of statements are."""

    id: Any
    value: Any = None
    known: bool = True
    """Whether `value` is told; a long one is looked up again."""


@dataclass(frozen=True, slots=True)
class Read:
    """How one table is read."""

    database: Database
    found: Shape
    chosen: str
    """The columns, as SELECT has them."""
    key: str | None
    """What names one row, quoted; None where nothing does."""
    by: str | None
    """What the rows are sorted by besides, quoted."""
    by_is_indexed: bool
    condition: Condition

    async def page(self, page: Page) -> dict[str, Any]:
        """The rows and where to go on. Raises `query_timeout`."""
        try:
            async with asyncio.timeout(READ_SECONDS):
                return await self._page(page)
        except TimeoutError as error:
            raise BindingError(
                "query_timeout",
                f"this took longer than {READ_SECONDS:g} s and was stopped: sort and filter by columns that have an "
                "index, or ask for less in SQL",
            ) from error

    async def _page(self, page: Page) -> dict[str, Any]:
        if (page.cursor is not None or page.backwards) and self.key is None:
            raise BadRequest(f"{self.found.name} has no key that a cursor could hold: use offset.")
        results: Sequence[Result]
        if page.cursor is None and not page.backwards:
            results = [await self.database.execute(self._by_offset(page))]
        else:
            results = await self._by_cursor(page)
        tables = [await one(each) for each in results]
        rows = [row for table in tables for row in table.rows]
        raw = [row for each in results for row in tagged(each)]
        if page.backwards:
            rows.reverse()
            raw.reverse()
        table = replace_rows(tables[0], rows)
        answer: dict[str, Any] = {"columns": table.columns, "rows": table.objects(), **self._cursors(table, raw, page)}
        if page.count:
            answer |= await self._count()
        return answer

    # ---- by offset

    def _by_offset(self, page: Page) -> Statement:
        name, where = quoted(self.found.name), self.condition.sql
        args = list(self.condition.args)
        order = self._order(page.order)
        deep = page.offset >= _NUMBERED_FROM and self.by is not None and not self.by_is_indexed
        if not deep or self.key is None:
            place = f" limit {page.limit:d} offset {page.offset:d}"
            return Statement(f"select {self.chosen} from {name}{where}{order}{place}", args)  # noqa: S608 - quoted
        inner = f"select {self.key} as k, row_number() over ({order.strip()}) as n from {name}{where}"  # noqa: S608
        last = page.offset + page.limit
        within = f"select k from ({inner}) where n > {page.offset:d} and n <= {last:d}"  # noqa: S608
        return Statement(f"select {self.chosen} from {name} where {self.key} in ({within}){order}", args)  # noqa: S608

    # ---- by cursor

    async def _by_cursor(self, page: Page) -> Sequence[Result]:
        order: Order = page.order if not page.backwards else _turned(page.order)
        place = None if page.cursor is None else await self._located(_decoded(page.cursor))
        results: list[Result] = []
        left = page.limit
        for text, args in self._phases(place, order):
            found = await self.database.execute(self._slice(text, args, order, left))
            results.append(found)
            left -= found.rows
            if left <= 0:
                break
        return results

    def _slice(self, text: str, args: Sequence[Any], order: Order, limit: int) -> Statement:
        name = quoted(self.found.name)
        where = self.condition.sql
        if text:
            where += f"{' and' if where else ' where'} ({text})"
        tail = f"{self._order(order)} limit {limit:d}"
        return Statement(f"select {self.chosen} from {name}{where}{tail}", [*self.condition.args, *args])  # noqa: S608

    def _phases(self, place: _Place | None, order: Order) -> Sequence[tuple[str, Sequence[Any]]]:
        """Conditions whose rows, one after the other, are those behind a place. NULL comes before every value, and is
        apart, since with an OR no index would lead to the place."""
        if place is None:
            return [("", [])]
        sign = ">" if order == "asc" else "<"
        key, by = self.key, self.by
        if by is None:
            return [(f"{key} {sign} ?", [place.id])]
        if place.value is None:
            same = (f"{by} is null and {key} {sign} ?", [place.id])
            return [same, (f"{by} is not null", [])] if order == "asc" else [same]
        after = (f"{by} {sign}= ? and ({by} {sign} ? or {key} {sign} ?)", [place.value, place.value, place.id])
        return [after] if order == "asc" else [after, (f"{by} is null", [])]

    async def _located(self, place: _Place) -> _Place:
        if place.known or self.by is None:
            return place
        text = f"select {self.by} from {quoted(self.found.name)} where {self.key} = ?"  # noqa: S608
        found = tagged(await self.database.execute(Statement(text, [place.id])))
        if not found:
            raise BadRequest("The row that the cursor stands at is gone: begin at the first page.")
        return _Place(place.id, found[0][0])

    def _cursors(self, table: Table, raw: Sequence[Sequence[Any]], page: Page) -> dict[str, Any]:
        """Where the next page begins and the one before ends; null where there is none for sure."""
        if self.key is None or not raw:
            return {"next": None, "previous": None}
        columns = [each.lower() for each in table.columns]
        at = columns.index((self.found.id_column or "").lower())
        by = None if page.order_by is None or self.by is None else columns.index(page.order_by.lower())
        full = len(raw) >= page.limit
        behind = page.backwards and page.cursor is not None
        begins = page.cursor is None and not page.backwards and page.offset == 0
        return {
            "next": _encoded(raw[-1], at, by) if behind or (not page.backwards and full) else None,
            "previous": None if begins or (page.backwards and not full) else _encoded(raw[0], at, by),
        }

    def _order(self, order: Order) -> str:
        by = [each for each in (self.by, self.key) if each is not None]
        return f" order by {', '.join(f'{each} {order}' for each in by)}" if by else ""

    # ---- how many

    async def _count(self) -> dict[str, Any]:
        name, where = quoted(self.found.name), self.condition.sql
        if not where:
            text, bound = f"select count(*) from {name}", None  # noqa: S608
        else:
            text = f"select count(*) from (select 1 from {name}{where} limit {COUNTED_ROWS + 1})"  # noqa: S608
            bound = COUNTED_ROWS
        [found] = await many(await self.database.batch([Statement(text, list(self.condition.args))], "read"))
        total = found.rows[0][0]
        exact = bound is None or total <= bound
        return {"total": total if exact or bound is None else bound, "totalIsExact": exact}


def replace_rows(table: Table, rows: list[list[Any]]) -> Table:
    return Table(table.columns, table.types, rows, table.changed, table.last_rowid)


def _turned(order: Order) -> Order:
    return "desc" if order == "asc" else "asc"


def _encoded(row: Sequence[Any], at: int, by: int | None) -> str | None:
    if row[at] is None:
        return None  # a primary key that holds NULL leads nowhere
    value = None if by is None else row[by]
    place = _Place(row[at], value)
    if len(msgspec.json.encode(value)) > _SHORT_VALUE:
        place = _Place(row[at], None, known=False)
    text = base64.urlsafe_b64encode(msgspec.json.encode(place)).decode().rstrip("=")
    return text if len(text) <= _MAX_CURSOR else None


def _decoded(cursor: str) -> _Place:
    try:
        data = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        place = msgspec.json.decode(data, type=_Place)
    except (ValueError, msgspec.DecodeError) as error:
        raise BadRequest("The cursor is none that a page gave.") from error
    if not _is_argument(place.id) or not _is_argument(place.value):
        raise BadRequest("The cursor is none that a page gave.")
    return place


def _is_argument(value: Any) -> bool:
    if isinstance(value, dict):
        return len(value) == 1 and set(value) <= {"i", "f", "b"} and isinstance(next(iter(value.values())), str | float)
    return value is None or (isinstance(value, str | int | float) and not isinstance(value, bool))
