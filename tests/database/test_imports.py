"""Files into tables: what is guessed, what goes in, and that a refused file leaves nothing behind."""

from __future__ import annotations

import asyncio
import contextlib
import csv
import io
import json
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fakes.current import Current
from tests.fakes.principals import OWNER, any_project, signed_in, somebody

from v8box.api.app import build_api
from v8box.api.asgi import ASGIApp
from v8box.api.operations import Operations
from v8box.api.principals import Principal, Role
from v8box.api.staging import Staging
from v8box.bindings.db.interface import Databases
from v8box.bindings.interface import BindingError
from v8box.catalog.projects import StorageQuotaExceeded
from v8box.features.database.imports import formats, work
from v8box.features.database.imports.formats import ImportRefused, rows_of
from v8box.features.database.imports.plan import ImportOptions
from v8box.features.database.imports.routes import build_router
from v8box.features.database.imports.script import statements
from v8box.features.database.routes import build_router as database_router
from v8box.storage import Database

MARKUP = '<img src=x onerror="throw 1"> 🦆, "quoted"\nsecond line'


class Importer:
    """A box that imports."""

    def __init__(self, app: ASGIApp, databases: Databases, operations: Operations) -> None:
        self.operations = operations
        self.admitted: list[int] = []
        self.full = False
        self.databases = databases
        self.app = app

    async def admit(self, project: str, more: int) -> None:
        if self.full:
            raise StorageQuotaExceeded(project, 10, 9.5)
        self.admitted.append(more)

    def client(self, who: Principal = OWNER) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(app=signed_in(self.app, who))
        return httpx.AsyncClient(transport=transport, base_url="http://localhost/admin/database/", timeout=30)

    async def send(self, content: bytes, **options: Any) -> httpx.Response:
        form: dict[str, Any] = {"options": (None, json.dumps(options)), "file": ("rows", content)}
        async with self.client() as client:
            return await client.post("databases/default/import", files=form)

    async def run(self, content: bytes, **options: Any) -> Any:
        answer = await self.send(content, **options)
        assert answer.status_code == 202, answer.text
        return await self.operations.get(answer.json()["data"]["id"], wait_seconds=30)

    async def ask(self, sql: str) -> list[dict[str, Any]]:
        async with self.client() as client:
            answer = await client.post("query", json={"query": sql})
        assert answer.status_code == 200, answer.text
        rows: list[dict[str, Any]] = answer.json()["data"]["rows"]
        return rows

    async def preview(self, content: bytes, **query: Any) -> httpx.Response:
        async with self.client() as client:
            return await client.post("databases/default/import/preview", params=query, content=content)


@dataclass
class Served:
    """The application, and what it serves."""

    databases: Any = field(default_factory=Current)
    staging: Any = field(default_factory=Current)
    operations: Any = field(default_factory=Current)
    importer: Any = field(default_factory=Current)

    def __post_init__(self) -> None:
        importing = build_router(self.databases, self.staging, self.operations, self._admit)
        self.app = build_api([database_router(self.databases), importing], project_exists=any_project)

    async def _admit(self, project: str, more: int) -> None:
        await self.importer.admit(project, more)


@pytest.fixture(scope="module")
def importing() -> Served:
    return Served()


@pytest.fixture
async def importer(importing: Served, databases: Databases, tmp_path: Path) -> AsyncIterator[Importer]:
    state = await Database.open(tmp_path / "catalog.db")
    operations = await Operations.open(state)
    staging = Staging(tmp_path / "staged")
    await staging.open()
    made = Importer(importing.app, databases, operations)
    importing.databases.real, importing.staging.real = databases, staging
    importing.operations.real, importing.importer.real = operations, made
    yield made
    await operations.close()
    await state.close()


def csv_of(*rows: list[Any]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


async def test_a_new_table_of_a_csv(importer: Importer) -> None:
    content = csv_of(["id", "name <b>", "zip", "score", ""], [1, MARKUP, "01234", "1.5", "x"], [2, "Ada", "1", "", "y"])
    found = (await importer.preview(content, whole=True)).json()["data"]
    assert [(each["name"], each["type"], each["empty"]) for each in found["columns"]] == [
        ("id", "INTEGER", False),
        ("name <b>", "TEXT", False),
        ("zip", "TEXT", False),  # a leading zero is no number's
        ("score", "REAL", True),
        ("column5", "TEXT", False),
    ]
    assert found["rows"][1] == ["2", "Ada", "1", "", "y"]
    done = await importer.run(content, table='new "table"', create=True, primaryKey="id")
    assert (done.state, done.result) == ("succeeded", {"table": 'new "table"', "rows": 2, "created": True})
    assert await importer.ask('select * from "new ""table"""') == [
        {"id": 1, "name <b>": MARKUP, "zip": "01234", "score": 1.5, "column5": "x"},
        {"id": 2, "name <b>": "Ada", "zip": "1", "score": None, "column5": "y"},
    ]


async def test_into_a_table_that_is_there_with_columns_of_other_names(importer: Importer) -> None:
    await importer.ask("create table people (id integer primary key, name text not null, note text default 'none')")
    content = "Name;Ignored;Nummer\r\nAda;x;7\r\n;y;8\r\n".encode("utf-8-sig")
    columns = [
        {"source": "Name", "target": "name"},
        {"source": "Ignored", "target": None},
        {"source": "Nummer", "target": "id"},
    ]
    refused = await importer.run(content, table="people", columns=columns)
    assert (refused.state, refused.problem["code"], refused.problem["line"]) == ("failed", "import_refused", 3)
    assert "NOT NULL" in refused.problem["detail"]
    assert await importer.ask("select * from people") == []
    done = await importer.run(content, table="people", columns=columns, emptyIsNull=False)
    assert done.result["rows"] == 2
    assert await importer.ask("select * from people") == [
        {"id": 7, "name": "Ada", "note": "none"},
        {"id": 8, "name": "", "note": "none"},
    ]


async def test_json_keeps_its_types(importer: Importer) -> None:
    rows = [
        {"a": 1, "b": True, "c": MARKUP, "d": None, "e": 2**60, "f": {"x": [1]}},
        {"a": 1.5, "c": "", "blob": {"base64": "AP8="}},
    ]
    expected = [
        {"a": 1, "b": 1, "c": MARKUP, "d": None, "e": str(2**60), "f": '{"x":[1]}', "blob": None},
        {"a": 1.5, "b": None, "c": "", "d": None, "e": None, "f": None, "blob": {"base64": "AP8="}},
    ]
    lines = "\n\n".join(json.dumps(each) for each in rows)
    for kind, content in (("json", json.dumps(rows, indent=2)), ("jsonl", lines)):
        done = await importer.run(content.encode(), table=f"of_{kind}", create=True, format=kind)
        assert done.state == "succeeded", done.problem
        assert await importer.ask(f"select * from of_{kind}") == expected


@pytest.mark.parametrize(
    ("kind", "content", "line", "why"),
    [
        ("csv", b"a,b\n1,2\n\n3\n", 4, "1 values for 2 columns"),
        ("csv", b'a,b\n1,"2\n3,4\n', 2, "no CSV"),
        ("csv", b"a,b\n1,\xff\n", 2, "not UTF-8"),
        ("csv", "a,b\n1,2\n".encode("utf-16"), None, "UTF-16"),
        ("csv", b"", None, "empty"),
        ("csv", b"a,a\n", None, None),
        ("json", b"", None, "empty"),
        ("json", b'{"a": 1}', 1, "begins with ["),
        ("json", b'[\n{"a": 1},\n{"a": 2,}\n]', 3, "no JSON"),
        ("json", b'[{"a": 1}\n', 2, "the end of the file"),
        ("json", b'[{"a": 1}] x', 1, "only one array"),
        ("json", b"[1]", 1, "an object"),
        ("json", b'[{"a": NaN}]', 1, "NaN"),
        ("json", b'[{"a": 1e999}]', 1, "JSON has no inf"),
        ("json", b'[{"a": 1},\n{"a": 99999999999999999999}]', 2, "64 bits"),
        ("json", b"[" * 100_000, 1, None),
        ("jsonl", b'{"a": 1}\n{"a": \n', 2, "no JSON"),
        ("jsonl", b'{"a": 1}\n{"b": 1}\n', None, None),
        ("sql", b"create table t2 (a);\ninsert into t2\nvalues (1);\nselect nothing;\n", 4, "nothing"),
    ],
)
async def test_a_refused_file_names_the_line_and_leaves_nothing(
    importer: Importer, kind: str, content: bytes, line: int | None, why: str | None
) -> None:
    done = await importer.run(content, table="t1", create=True, format=kind)
    if why is None and line is None:
        assert done.state == "succeeded"
        return
    assert (done.state, done.problem["code"]) == ("failed", "import_refused"), done
    assert done.problem.get("line") == line, done.problem
    assert (why or "").lower() in done.problem["detail"].lower()
    assert await importer.ask("select name from sqlite_schema where name in ('t1', 't2')") == []


async def test_the_row_that_a_constraint_refuses_is_found_among_thousands(importer: Importer) -> None:
    await importer.ask("create table codes (code text unique)")
    lines = [f"c{number}" for number in range(3_000)]
    lines[2_345] = "c7"
    done = await importer.run(("code\n" + "\n".join(lines)).encode(), table="codes")
    assert (done.state, done.problem["line"]) == ("failed", 2_347)
    assert "UNIQUE" in done.problem["detail"]
    assert await importer.ask("select count(*) as n from codes") == [{"n": 0}]


async def test_fields_that_only_later_rows_have(importer: Importer) -> None:
    content = b"".join(b'{"a": %d}\n' % number for number in range(1_500)) + b'{"a": 0, "late": 1}\n'
    done = await importer.run(content, table="t", create=True, format="jsonl")
    assert (done.problem["line"], "late" in done.problem["detail"]) == (1_501, True)
    skipped = await importer.run(content, table="t", create=True, format="jsonl", unknown="skip")
    assert skipped.result["rows"] == 1_501


async def test_sql_runs_as_a_whole(importer: Importer) -> None:
    content = (
        "-- a dump\nPRAGMA foreign_keys=OFF;\nBEGIN TRANSACTION;\ncreate table notes (text text);\n"
        "insert into notes values ('semi;colon\n-- in a text');\n"
        "create trigger t after insert on notes begin\n  select 1;\nend;\nCOMMIT;\n"
        "insert into notes values ('last')"
    )
    done = await importer.run(content.encode(), format="sql")
    assert done.result == {"table": None, "rows": 2, "created": False}, done
    assert [each["text"] for each in await importer.ask("select * from notes")] == ["semi;colon\n-- in a text", "last"]
    found = (await importer.preview(content.encode(), format="sql")).json()["data"]["statements"]
    assert found[0].startswith("create table") or found[0].startswith("-- a dump")


async def test_a_cancelled_import_leaves_nothing_and_frees_its_place(
    importer: Importer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    entered = asyncio.Event()
    insert = work._insert

    async def slowly(*given: Any) -> None:
        await insert(*given)
        entered.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(work, "_insert", slowly)
    content = ("a\n" + "x\n" * 5_000).encode()
    answer = await importer.send(content, table="t", create=True)
    await entered.wait()
    cancelled = await importer.operations.cancel(answer.json()["data"]["id"])
    assert cancelled.state == "cancelled"
    assert await importer.ask("select name from sqlite_schema where name = 't'") == []
    assert list((tmp_path / "staged").glob("*")) == []


async def test_how_far_it_is(importer: Importer) -> None:
    content = ("a\n" + "x\n" * 5_000).encode()
    done = await importer.run(content, table="t", create=True)
    assert (done.step, done.done, done.total) == ("5000 rows", len(content), len(content))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"table": "t", "format": "xml"},
        {"table": "t", "delimiter": ",,"},
        {"table": "t", "delimiter": "\n"},
        {"table": "t", "other": 1},
        {"table": "x" * 200},
        {"table": "t", "unknown": "drop"},
    ],
)
async def test_options_that_cannot_be(importer: Importer, options: dict[str, Any]) -> None:
    assert (await importer.send(b"a\n1\n", **options)).status_code == 400


@pytest.mark.parametrize(
    "options",
    [
        {"table": "none"},
        {"table": "sqlite_evil", "create": True},
        {"table": "_v8box_migrations", "create": True},
        {"table": "there", "create": True},
        {"table": "t", "create": True, "primaryKey": "c"},
        {"table": "there", "columns": [{"source": "a", "target": "nope"}]},
        {"table": "there", "columns": [{"source": "nope", "target": "a"}]},
        {"table": "there", "columns": [{"source": "a", "target": None}]},
        {"table": "there", "columns": [{"source": "a", "target": "a"}, {"source": "b", "target": "A"}]},
        {"table": "there", "columns": [{"source": "a", "target": "made"}]},
    ],
)
async def test_places_that_rows_cannot_go_to(importer: Importer, options: dict[str, Any]) -> None:
    await importer.ask("create table there (a text, made text as (a || '!'))")
    done = await importer.run(b"a,b\n1,2\n", **options)
    assert done.state == "failed"
    assert done.problem["status"] in (400, 404, 409), done.problem
    assert await importer.ask("select * from there") == []


async def test_who_may_not_write_and_what_has_no_room(importer: Importer) -> None:
    async with importer.client(somebody(Role.VIEWER)) as client:
        form: dict[str, Any] = {"options": (None, "{}"), "file": ("rows", b"a\n")}
        assert (await client.post("databases/default/import", files=form)).status_code == 403
        assert (await client.post("databases/default/import/preview", content=b"a\n")).status_code == 403
    importer.full = True
    answer = await importer.send(b"a\n1\n", table="t", create=True)
    assert (answer.status_code, answer.json()["code"]) == (507, "quota_exceeded"), answer.text
    importer.full = False
    async with importer.client() as client:
        assert (await client.post("databases/none/import", files=form)).status_code == 404
        assert (await client.post("databases/default/import", content=b"a")).status_code == 415
        odd: Any
        for odd in ({"file": ("rows", b"a")}, {"options": (None, "{}")}, {"options": (None, "{"), "file": ("r", b"a")}):
            assert (await client.post("databases/default/import", files=odd)).status_code == 400


async def test_a_full_database_is_no_fault_of_a_line(importer: Importer, monkeypatch: pytest.MonkeyPatch) -> None:
    async def full(*_: Any) -> None:
        raise BindingError("SQLITE_FULL", "database or disk is full: a database may grow to 10 bytes")

    opened = importer.databases.open
    monkeypatch.setattr(importer.databases, "open", lambda *given: _Failing(opened(*given), full))
    done = await importer.run(b"a\n1\n", table="t")
    assert (done.problem["status"], done.problem["code"]) == (507, "SQLITE_FULL")
    assert "nothing was imported" in done.problem["detail"]


class _Failing:
    """A database whose transactions fail at their first INSERT."""

    def __init__(self, database: Any, execute: Callable[..., Awaitable[Any]]) -> None:
        self._database = database
        self._execute = execute

    async def begin(self, mode: Any) -> Any:
        transaction = await self._database.begin(mode)
        await transaction.script("create table t (a)")
        return _FailingTransaction(transaction, self._execute)


class _FailingTransaction:
    def __init__(self, transaction: Any, execute: Callable[..., Awaitable[Any]]) -> None:
        self.execute = execute
        self.batch, self.rollback, self.commit = transaction.batch, transaction.rollback, transaction.commit


async def test_a_sample_may_end_anywhere(importer: Importer) -> None:
    whole = {
        "csv": csv_of(["a", "b"], [1, "zwei ä🦆\nlines"], [3, "four"]),
        "json": json.dumps([{"a": 1, "b": "zwei ä🦆"}, {"a": 3, "b": "four"}], ensure_ascii=False).encode(),
        "jsonl": '{"a": 1, "b": "ä🦆"}\n{"a": 3, "b": "four"}\n'.encode(),
    }
    for kind, content in whole.items():
        for end in range(1, len(content)):
            with contextlib.suppress(NothingThere):
                try:
                    options = ImportOptions(format=kind)  # type: ignore[arg-type]
                    found = work.preview(io.BytesIO(content[:end]), options, whole=False)
                except ImportRefused as error:
                    raise NothingThere if "empty" in error.detail else error from error
                assert len(found.rows) <= 2


class NothingThere(Exception):
    """Not even one row."""


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=12)


@given(
    rows=st.lists(st.lists(TEXT, min_size=2, max_size=2), min_size=1, max_size=20), delimiter=st.sampled_from(",;\t|")
)
def test_csv_is_read_as_it_was_written(rows: list[list[str]], delimiter: str) -> None:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter).writerows(rows)
    content = text.getvalue().encode()
    found = list(rows_of(io.BytesIO(content), "csv", delimiter))
    assert [each.values for each in found] == rows
    assert [each.line for each in found] == sorted({each.line for each in found})


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)


@given(rows=st.lists(st.dictionaries(TEXT, VALUES, max_size=4), max_size=8), indent=st.sampled_from([None, 1]))
def test_json_is_read_in_pieces_as_it_is_as_a_whole(rows: list[dict[str, Any]], indent: int | None) -> None:
    content = json.dumps(rows, indent=indent, ensure_ascii=False).encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(formats, "_CHUNK", 3)
        assert [each.values for each in rows_of(io.BytesIO(content), "json", ",")] == rows


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    row = {"a": "some text that is somewhat long"}
    file = tmp_path / "rows.json"
    file.write_text("[" + ",\n".join([json.dumps(row)] * 200_000) + "]")  # 9 MB
    tracemalloc.start()
    with file.open("rb") as opened:
        assert sum(each.values == row for each in rows_of(opened, "json", ",")) == 200_000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4_000_000


def test_a_statement_without_an_end_is_bounded() -> None:
    with pytest.raises(ImportRefused, match="longer than"):
        list(statements(io.BytesIO(b"insert into t values ('" + b"x\n" * 1_000_000)))
