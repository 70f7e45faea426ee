from __future__ import annotations

import sqlite3

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from v8box.storage.statements import split, tokens

PIECES = [
    *(
        "select 1",
        ";",
        "\n",
        " ",
        "-- a;\n",
        "/* ; */",
        "/* open",
        "'a;b'",
        "'it''s'",
        '"x;y"',
        "`z;`",
        "[a;b]",
        "x'00'",
    ),
    *(
        "'",
        '"',
        "create trigger t after insert on a begin",
        "CREATE TEMP TRIGGER t begin",
        "end",
        "END",
        "case",
        "when",
    ),
    *("insert into a values (?1)", "create table t (a)", "explain create trigger", ":name", "@x", "$y::z", "?", "\x00"),
]
scripts = st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=5))).map(" ".join)


@given(scripts)
def test_the_tokens_are_the_text(script: str) -> None:
    assert "".join(token for _, token in tokens(script)) == script


@given(scripts)
@example("\x0b;0")  # no blank for SQLite
def test_every_statement_but_the_last_is_one_by_sqlites_own_judgement(script: str) -> None:
    parts = split(script)
    for part in parts[:-1]:
        if "\x00" not in part.sql:  # there SQLite's own function stops looking
            assert sqlite3.complete_statement(part.sql + "\n;")
            assert len(split(part.sql)) == 1
    lines = script.split("\n")
    for part in parts:
        assert (
            lines[part.line - 1].endswith(part.sql.split("\n")[0].rstrip())
            or part.sql.split("\n")[0].rstrip() in (lines[part.line - 1])
        )


def test_statements_and_the_lines_they_begin_on() -> None:
    script = """-- the first
create table a (x text default ';');

/* and
   the second */ create trigger t after insert on a begin
  insert into a values ('x');
  select case when 1 then 2 end;
end;
;
insert into a values (1) -- the last
"""
    parts = split(script)
    assert [part.line for part in parts] == [2, 5, 10]
    assert parts[0].sql == "create table a (x text default ';')"
    assert parts[1].sql.startswith("create trigger")
    assert parts[1].sql.endswith("end")
    assert parts[2].sql == "insert into a values (1) -- the last"


@pytest.mark.parametrize("script", ["", " \n", "-- only this", "/* and this", ";;;"])
def test_a_script_without_a_statement(script: str) -> None:
    assert split(script) == []


def test_what_nothing_closes_is_one_statement() -> None:
    assert [part.sql for part in split("select 1; select 'a; select 2; select 3")] == [
        "select 1",
        "select 'a; select 2; select 3",
    ]
    assert len(split("create trigger t after insert on a begin select 1; select 2;")) == 1
