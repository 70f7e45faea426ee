"""`v8box db` against a served admin API."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import Served

from v8box.cli.client import find_address
from v8box.cli.console import parse_seconds, parse_size, printable, size
from v8box.cli.exits import CommandFailed


def told(result: Any, code: int = 0) -> str:
    assert result.exit_code == code, (result.output, result.exception)
    assert "Traceback" not in result.output
    return str(result.output)


def data(result: Any) -> Any:
    told(result)
    return json.loads(result.stdout)


def test_databases_and_queries(served: Served) -> None:
    assert "default" in told(served.run("db", "list"))
    told(served.run("db", "create", "crm"))
    told(served.run("db", "query", "create table t (id integer primary key, v)", "-d", "crm"))
    assert "2 rows changed" in told(
        served.run("db", "query", "-d", "crm", "insert into t (v) values (?), (?)", "7", "a b")
    )
    found = data(served.run("db", "query", "-d", "crm", "--json", "select * from t"))
    assert found["rows"] == [{"id": 1, "v": 7}, {"id": 2, "v": "a b"}]
    shown = told(served.run("db", "query", "-d", "crm", "select id, null as n, x'00' as b from t where id = 1"))
    assert "NULL" in shown
    assert "blob: AA==" in shown
    assert "1 row" in shown
    shown = told(served.run("db", "tables", "-d", "crm"))
    assert "id, v" in shown
    assert {each["name"] for each in data(served.run("db", "list", "--json"))} == {"crm", "default"}


def test_deleting_asks_for_the_name_or_needs_yes(served: Served) -> None:
    told(served.run("db", "create", "crm"))
    assert "--yes" in told(served.run("db", "delete", "crm"), 1)
    assert len(data(served.run("db", "list", "--json"))) == 2
    assert "crm" in told(served.run("db", "delete", "crm", "--yes"))
    assert "no database crm" in told(served.run("db", "delete", "crm", "--yes"), 3)


def test_queries_are_kept_under_a_name(served: Served) -> None:
    told(served.run("db", "create", "crm"))
    assert "None yet" in told(served.run("db", "saved", "list"))
    saved = told(served.run("db", "saved", "save", "the answer", "select ? + 1 as it", "-d", "crm"))
    assert "v8box db saved run 'the answer' -d crm" in saved
    again = ("db", "saved", "save", "the answer", "select ? + 2 as it", "-d", "crm")
    assert "already" in told(served.run(*again), 5)
    told(served.run(*again, "--replace"))
    assert told(served.run("db", "saved", "show", "the answer", "-d", "crm")).strip() == "select ? + 2 as it"
    assert "42" in told(served.run("db", "saved", "run", "the answer", "40", "-d", "crm"))
    assert "crm" in told(served.run("db", "saved", "list"))
    for known in ("run", "show", "delete"):
        assert "no saved query" in told(served.run("db", "saved", known, "the answer"), 3)  # of another database
    told(served.run("db", "saved", "save", "gone", "select 1", "-d", "crm"))
    told(served.run("db", "saved", "delete", "gone", "-d", "crm"))
    assert [each["name"] for each in data(served.run("db", "saved", "list", "--json"))] == ["the answer"]
    told(served.run("db", "delete", "crm", "--yes"))
    assert data(served.run("db", "saved", "list", "--json")) == []  # they go with their database


def test_tokens(served: Served) -> None:
    told(served.run("db", "create", "crm"))
    made = data(
        served.run("db", "token", "create", "-d", "crm", "--read-only", "--label", "ci", "--expires", "30d", "--json")
    )
    assert made["token"].startswith("v8db_")
    assert (made["databases"], made["access"], made["label"]) == (["crm"], "read", "ci")
    shown = told(served.run("db", "token", "create", "-d", "global"))
    assert "v8db_" in shown
    assert "libsql://" in shown
    listed = told(served.run("db", "token", "list"))
    assert "v8db_" not in listed
    assert made["id"] in listed
    told(served.run("db", "token", "revoke", made["id"]))
    assert [each["databases"] for each in data(served.run("db", "token", "list", "--json"))] == [["default"]]
    assert "no token" in told(served.run("db", "token", "revoke", made["id"]), 3)
    assert "a time looks like" in told(served.run("db", "token", "create", "--expires", "soon"), 2)
    assert "no database called nope" in told(served.run("db", "token", "create", "-d", "nope"), 3)


def test_an_error_is_a_sentence_and_a_code(served: Served) -> None:
    assert "syntax error" in told(served.run("db", "query", "selec 1"), 1)
    assert "no database nope" in told(served.run("db", "query", "-d", "nope", "select 1"), 3)
    assert "1 to 63" in told(served.run("db", "create", "A/../b"), 1)


def test_what_is_stored_does_not_steer_the_terminal(served: Served) -> None:
    shown = told(served.run("db", "query", "select char(27) || '[31mred' || char(10) || char(155) as x"))
    assert "\x1b" not in shown
    assert "\x9b" not in shown
    assert printable("a\n\tb\u202e") == "a b\ufffd"


def write(directory: Path, **files: str) -> None:
    (directory / "migrations").mkdir(exist_ok=True)
    for name, text in files.items():
        (directory / "migrations" / name.replace("__", ".").removeprefix("m")).write_text(text)


def test_migrations_from_files(served: Served) -> None:
    assert "There is no folder" in told(served.run("db", "migrate"), 1)
    write(served.directory, m0001_a__sql="create table a (x);", m0001_a__down__sql="drop table a;")
    write(served.directory, m0002_b__sql="create table b (x);\ncreate index i on b (x);")
    assert "2 pending" in told(served.run("db", "status"))
    dry = told(served.run("db", "migrate", "--dry-run"))
    assert "would be applied" in dry
    assert "created" in dry
    assert data(served.run("db", "tables", "--json"))["tables"] == []
    assert "0002_b.sql" in told(served.run("db", "migrate"))
    assert "Nothing is pending" in told(served.run("db", "migrate", "."))
    states = data(served.run("db", "status", "--json"))
    assert [(each["state"], each["reversible"]) for each in states] == [("applied", True), ("applied", False)]

    assert "without a .down.sql" in told(served.run("db", "rollback", "--yes"), 1)
    write(served.directory, m0003_c__sql="create table c (x);", m0003_c__down__sql="drop table c;")
    told(served.run("db", "migrate"))
    assert "--yes" in told(served.run("db", "rollback"), 1)
    assert "would be undone" in told(served.run("db", "rollback", "--dry-run"))
    assert "0003_c.sql" in told(served.run("db", "rollback", "--yes"))
    assert "1 pending" in told(served.run("db", "status", str(served.directory)))


def test_a_migration_that_fails_or_changed_is_named(served: Served) -> None:
    write(served.directory, m0001_a__sql="create table a (x);\n\ncreate tabel b;")
    assert "0001_a.sql, line 3" in told(served.run("db", "migrate"), 1)
    write(served.directory, m0001_a__sql="create table a (x);")
    told(served.run("db", "migrate"))
    write(served.directory, m0001_a__sql="create table a (x, y);")
    shown = told(served.run("db", "status"), 1)
    assert "changed" in shown
    assert "put the file back" in shown
    assert "put its file back" in told(served.run("db", "migrate"), 5)


def test_migrations_of_another_database(served: Served) -> None:
    told(served.run("db", "create", "crm"))
    (served.directory / "migrations" / "crm").mkdir(parents=True)
    (served.directory / "migrations" / "crm" / "0001_a.sql").write_text("create table a (x)")
    told(served.run("db", "migrate", "--database", "crm"))
    assert [each["name"] for each in data(served.run("db", "tables", "-d", "crm", "--json"))["tables"]] == ["a"]
    assert "Nothing is pending" in told(served.run("db", "migrate"))
    assert data(served.run("db", "tables", "--json"))["tables"] == []


def test_the_box_is_found_by_its_file_its_folder_or_its_address(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"http://127.0.0.1:{served.port}"
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.chdir(empty)
    shown = told(served.run("db", "list"), 6)
    assert "v8box up" in shown
    assert "--url" in shown
    told(served.run("db", "list", "--dir", str(served.directory)))
    told(served.run("db", "list", "--url", address + "/", "--dir", str(served.directory)))
    assert "Sign in first" in told(served.run("db", "list", "--url", address), 4)
    monkeypatch.setenv("V8BOX_URL", address)
    monkeypatch.setenv("V8BOX_TOKEN", served.headers["authorization"].split()[1])
    told(served.run("db", "list"))
    assert "not valid here" in told(served.run("db", "list", "--token", "v8b_pat_nonsense"), 4)
    assert "no address" in told(served.run("db", "list", "--url", "127.0.0.1:8000"), 2)
    assert "No box answers" in told(served.run("db", "list", "--url", "http://127.0.0.1:1"), 6)


def test_the_data_directory_may_be_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "address").write_text("http://127.0.0.1:5\n")
    assert find_address(None, tmp_path, {"V8BOX_DATA_DIR": "state"}) == "http://127.0.0.1:5"
    (tmp_path / "state" / "address").write_text("nonsense\n")
    with pytest.raises(CommandFailed, match="does not hold an address"):
        find_address(None, tmp_path, {"V8BOX_DATA_DIR": "state"})


@pytest.mark.parametrize(
    ("text", "count"),
    [("1000", 1000), ("10GB", 10**10), ("1 GiB", 2**30), ("1.5k", 1500), ("2mb", 2 * 10**6), ("7b", 7)],
)
def test_sizes_are_read(text: str, count: int) -> None:
    assert parse_size(text) == count


@pytest.mark.parametrize("text", ["", "GB", "-1", "1XB", "1e3", "0x1"])
def test_what_is_no_size(served: Served, text: str) -> None:
    assert "a size looks like" in told(served.run("s3", "create", "photos", f"--quota={text}"), 2)


def test_times_are_read_and_sizes_written() -> None:
    assert [parse_seconds(text) for text in ("90s", "2m", "1h", "30d", "2w")] == [90, 120, 3600, 2592000, 1209600]
    assert [size(count) for count in (None, 0, 999, 1000, 2_500_000, 10**13)] == [
        *("?", "0 B", "999 B", "1.0 kB", "2.5 MB", "10.0 TB"),
    ]
