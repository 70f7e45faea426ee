"""The generated types are TypeScript that Deno takes, whatever tables and columns are called."""

from __future__ import annotations

import subprocess
from pathlib import Path

import httpx
import pytest
from tests.fakes.principals import signed_in

from v8box.api.app import build_api
from v8box.bindings.db.interface import DatabaseId, Databases, Statement
from v8box.features.database.types import build_router, table_types
from v8box.sandbox.runtime import find_deno


@pytest.fixture
async def filled(databases: Databases) -> Databases:
    sql = databases.open(DatabaseId("default", "main"))
    for statement in (
        "CREATE TABLE order_items (id INTEGER PRIMARY KEY, title TEXT NOT NULL, note VARCHAR(9), price REAL, raw BLOB,"
        ' amount DECIMAL(9,2), "naïve */ key" TEXT, untyped)',
        'CREATE TABLE "order-items" (a INT NOT NULL)',
        'CREATE TABLE "2 */ } evil" (b INT)',
        "CREATE VIEW titles AS SELECT title FROM order_items",
    ):
        await sql.execute(Statement(statement))
    return databases


async def test_rows_have_the_types_of_their_columns(filled: Databases) -> None:
    made = await table_types(filled, "default")
    assert "interface OrderItems {" in made
    assert "      title: string;" in made
    assert "      note: string | null;" in made
    assert "      price: number | null;" in made
    assert "      raw: ArrayBuffer | null;" in made
    assert '"na\\u00efve */ key": string | null;' in made
    assert "interface Titles {" in made
    assert "interface OrderItems2 {" in made


async def test_an_editor_takes_them(filled: Databases, tmp_path: Path) -> None:
    transport = httpx.ASGITransport(app=signed_in(build_api([build_router(filled)])))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        answer = await client.get("/api/v1/projects/default/types")
    assert answer.headers["content-type"].startswith("text/plain")
    (tmp_path / "v8box.d.ts").write_text(answer.text)
    use = 'const row = { title: "a" } as Tables.Main.Titles;\nexport const length: number = row.title?.length ?? 0;\n'
    (tmp_path / "right.ts").write_text('/// <reference path="./v8box.d.ts" />\n' + use)
    (tmp_path / "wrong.ts").write_text('/// <reference path="./v8box.d.ts" />\n' + use.replace("title?.", "nothing?."))
    assert _check(tmp_path / "right.ts") == 0
    assert _check(tmp_path / "wrong.ts") != 0


def _check(file: Path) -> int:
    argv = [str(find_deno()), "check", "--quiet", str(file)]
    env = {"DENO_DIR": str(file.parent / "deno"), "NO_COLOR": "1"}
    return subprocess.run(argv, env=env, cwd=file.parent, check=False, capture_output=True).returncode
