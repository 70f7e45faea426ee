"""A table's rows as a file, as long as they come: GET …/tables/{table}/export as CSV, JSON or JSON lines.

Pages are read by cursor while the client takes them, so that memory and locks are those of one page. What is written
meanwhile may or may not be among the rows.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Annotated, Any, Final, Literal
from urllib.parse import quote

import msgspec
from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from v8box.api.access import ProjectHere, Role, needs
from v8box.bindings.db.interface import Database
from v8box.errors import BadRequest
from v8box.features.database import rows
from v8box.features.database.conditions import EVERY_ROW, Condition, parse
from v8box.features.database.paging import Order, Page

Open = Callable[[str, str], Awaitable[Database]]
"""A project's database by its name."""
Kind = Literal["csv", "json", "jsonl"]

_PAGE: Final = 1_000
_TYPES: Final = {"csv": "text/csv; charset=utf-8", "json": "application/json", "jsonl": "application/x-ndjson"}
_BODY: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {each.partition(";")[0]: {"schema": {"type": "string"}} for each in _TYPES.values()}},
    414: {
        "description": "The condition makes the address too long: the gateway says so.",
        "content": {"application/problem+json": {"schema": {"type": "object"}}},
    },
}


def add_routes(routes: APIRouter, opened: Open) -> None:
    """The route that exports, beside those of the database."""

    @routes.get(
        "/databases/{database}/tables/{table:name}/export",
        response_class=StreamingResponse,
        response_model=None,
        responses=_BODY,
        dependencies=[needs(Role.VIEWER)],
    )
    async def export_rows(
        project: ProjectHere,
        database: str,
        table: str,
        format: Annotated[Kind, Query()] = "csv",
        where: Annotated[str | None, Query(max_length=8_000, description="Only rows that this holds for.")] = None,
        whereArgs: Annotated[str, Query(max_length=8_000, description="JSON: a list, for each ? of `where`.")] = "[]",
        orderBy: Annotated[str | None, Query(max_length=200)] = None,
        order: Order = "asc",
    ) -> StreamingResponse:
        """All rows of a table or view as a file, streamed, however many they are. In CSV `null` is an empty value, a
        blob its base64."""
        source = await opened(project, database)
        condition = EVERY_ROW if where is None else parse(where, _args(whereArgs))
        pages = _pages(source, table, condition, orderBy, order)
        first = await anext(pages)  # what is wrong is told before the answer begins
        name = re.sub(r"[^A-Za-z0-9._-]", "_", table)[:100] or "table"
        encoded = quote(f"{table}.{format}", safe="")
        headers = {
            "content-disposition": f"attachment; filename=\"{name}.{format}\"; filename*=UTF-8''{encoded}",
            "cache-control": "no-store",
        }
        return StreamingResponse(_WRITERS[format](first, pages), media_type=_TYPES[format], headers=headers)


def _args(text: str) -> list[Any]:
    try:
        args = msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise BadRequest("whereArgs: a list as JSON.") from error
    if not isinstance(args, list):
        raise BadRequest("whereArgs: a list as JSON.")
    return args


Pages = AsyncIterator[dict[str, Any]]


async def _pages(source: Database, table: str, condition: Condition, order_by: str | None, order: Order) -> Pages:
    page = Page(limit=_PAGE, order_by=order_by, order=order)
    offset = 0
    while True:
        found = await rows.read(source, table, page, condition)
        yield found
        if len(found["rows"]) < _PAGE:
            return
        offset += _PAGE
        if found["next"] is not None:
            page = Page(limit=_PAGE, order_by=order_by, order=order, cursor=found["next"])
        else:  # a view has no key to go on from
            page = Page(limit=_PAGE, order_by=order_by, order=order, offset=offset)


async def _all(first: dict[str, Any], pages: Pages) -> Pages:
    yield first
    async for page in pages:
        yield page


async def _csv(first: dict[str, Any], pages: Pages) -> AsyncIterator[bytes]:
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(first["columns"])
    async for page in _all(first, pages):
        writer.writerows([_cell(row[column]) for column in first["columns"]] for row in page["rows"])
        yield text.getvalue().encode("utf-8", "replace")
        text.seek(0)
        text.truncate()


def _cell(value: Any) -> Any:
    return value["base64"] if isinstance(value, dict) else value


async def _jsonl(first: dict[str, Any], pages: Pages) -> AsyncIterator[bytes]:
    async for page in _all(first, pages):
        yield b"".join(msgspec.json.encode(row) + b"\n" for row in page["rows"])


async def _json(first: dict[str, Any], pages: Pages) -> AsyncIterator[bytes]:
    begin = b"[\n"
    async for page in _all(first, pages):
        if page["rows"]:
            yield begin + b",\n".join(msgspec.json.encode(row) for row in page["rows"])
            begin = b",\n"
    yield b"\n]\n" if begin == b",\n" else b"[]\n"


_WRITERS: Final[dict[Kind, Callable[[dict[str, Any], Pages], AsyncIterator[bytes]]]] = {
    "csv": _csv,
    "json": _json,
    "jsonl": _jsonl,
}
