"""`v8box db export` and `import`: what goes out comes in the same, all of it or nothing."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.real import Shell

from v8box.cli.dump import split

SCRIPT = """PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE authors (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL);
CREATE TABLE "odd ""name" (k TEXT PRIMARY KEY, v) WITHOUT ROWID;
INSERT INTO authors (name) VALUES ('Åda; "quoted" ''it'''), ('two
lines');
INSERT INTO "odd ""name" VALUES ('int', 7), ('big', 9223372036854775807), ('real', 0.1), ('blob', x'00ff'),
  ('null', NULL), ('nul', CAST(x'610062' AS TEXT));
CREATE INDEX by_name ON authors (name);
CREATE VIEW names AS SELECT name FROM authors;
CREATE TRIGGER shout AFTER INSERT ON authors BEGIN
  UPDATE authors SET name = upper(name) WHERE id = new.id;
END;
COMMIT;
"""


@pytest.fixture
def databases(shell: Shell) -> Iterator[Shell]:
    for name in ("one", "two"):
        assert shell.call("db", "create", name).returncode == 0
    yield shell
    for name in ("one", "two"):
        shell.call("db", "delete", name, "--yes")


def test_a_database_goes_out_and_comes_in_the_same(databases: Shell, tmp_path: Path) -> None:
    (tmp_path / "in.sql").write_text(SCRIPT)
    assert databases.data("db", "import", str(tmp_path / "in.sql"), "-d", "one")["statements"] == 7
    out = tmp_path / "out.sql"
    assert databases.call("db", "export", "-d", "one", "-o", str(out)).returncode == 0
    local = sqlite3.connect(":memory:")
    local.executescript(out.read_text())
    assert [row[0] for row in local.execute('select typeof(v) from "odd ""name" order by k')] == [
        *("integer", "blob", "integer", "text", "null", "real"),
    ]
    assert local.execute('select hex(v) from "odd ""name" where k = \'nul\'').fetchone() == ("610062",)
    assert local.execute("select name from names").fetchall() == [("Åda; \"quoted\" 'it'",), ("two\nlines",)]
    local.close()
    assert databases.call("db", "import", str(out), "-d", "two").returncode == 0
    again = databases.call("db", "export", "-d", "two")
    assert again.stdout == out.read_text()
    assert "already" in databases.fails(5, "db", "export", "-o", str(out))
    assert databases.data("db", "token", "list") == []


def test_a_sqlite_file_and_a_csv_come_in(databases: Shell, tmp_path: Path) -> None:
    file = tmp_path / "mine.db"
    local = sqlite3.connect(file)
    local.executescript("create table t (a, b blob); insert into t values (1, x'ff'), ('x', null);")
    local.close()
    assert databases.call("db", "import", str(file), "-d", "one").returncode == 0
    assert databases.call("db", "export", "-t", "t", "-d", "one").stdout == "a,b\n1,/w==\nx,\n"
    (tmp_path / "rows.csv").write_text('a,b\n"many, words",2\n')
    assert databases.data("db", "import", str(tmp_path / "rows.csv"), "-t", "t", "-d", "one")["rows"] == 1
    made = databases.data("db", "import", str(tmp_path / "rows.csv"), "-t", "new one", "--create", "-d", "one")
    assert (made["table"], made["rows"], made["created"]) == ("new one", 1, True)
    (tmp_path / "rows.jsonl").write_text('{"a": 1, "b": null}\n{"a": 2, "b": "ä 🦆"}\n')
    options = ("-t", "lines", "--create", "--key", "a", "-d", "one")
    assert databases.data("db", "import", str(tmp_path / "rows.jsonl"), *options)["rows"] == 2
    assert databases.call("db", "export", "-t", "lines", "-d", "one").stdout == "a,b\n1,\n2,ä 🦆\n"


def test_many_rows_go_in_pages(databases: Shell, tmp_path: Path) -> None:
    lines = "".join(f"{n},{'x' * 50}\n" for n in range(1_234))
    (tmp_path / "many.csv").write_text(f"n,text\n{lines}")
    databases.data("db", "import", str(tmp_path / "many.csv"), "-t", "many", "--create", "-d", "one")
    assert databases.call("db", "export", "-t", "many", "-d", "one").stdout == f"n,text\n{lines}"


def test_a_fault_brings_nothing_in(databases: Shell, tmp_path: Path) -> None:
    (tmp_path / "bad.sql").write_text("create table t (a); insert into t values (1);\ninsert into nope values (1);\n")
    assert "nope" in databases.fails(1, "db", "import", str(tmp_path / "bad.sql"), "-d", "one")
    assert databases.data("db", "tables", "-d", "one")["tables"] == []
    (tmp_path / "bad.csv").write_text("a,b\n1,2\n1\n")
    told = databases.fails(1, "db", "import", str(tmp_path / "bad.csv"), "-t", "t", "--create", "-d", "one")
    assert "Line 3: 1 values for 2 columns" in told
    assert databases.data("db", "tables", "-d", "one")["tables"] == []


@pytest.mark.parametrize(
    ("code", "words", "told"),
    [
        (1, ("import", "nope.sql"), "cannot be read"),
        (2, ("import", "nope.csv"), "--table"),
        (3, ("export", "-t", "nope"), "no table nope"),
        (3, ("export", "-d", "nope"), "nope"),
    ],
)
def test_mistakes_are_told(shell: Shell, code: int, words: tuple[str, ...], told: str) -> None:
    assert told in shell.fails(code, "db", *words)


def test_statements_are_told_apart_and_transactions_left_out() -> None:
    statements = list(split(SCRIPT))
    assert [each.split()[0] for each in statements] == [
        "CREATE",
        "CREATE",
        "INSERT",
        "INSERT",
        "CREATE",
        "CREATE",
        "CREATE",
    ]
    assert statements[-1].endswith("END;")
    assert list(split("-- only a comment\n")) == []
    assert list(split("select 1")) == ["select 1"]
