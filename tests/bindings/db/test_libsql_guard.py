"""What SQL may reach a LibSQL server: judged by text, so tried with texts that mean to be misread."""

from __future__ import annotations

import contextlib
import itertools

import apsw
import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.bindings.db.test_guard import ALLOWED, FORBIDDEN
from tests.servers.sqld import SqldServer

from v8box.bindings.db import guard, libsql_guard
from v8box.bindings.db.libsql_guard import Place, judge
from v8box.bindings.interface import BindingError

PLACES = {
    "execute": Place.STATEMENT,
    "executeMultiple": Place.SCRIPT,
    "transaction": Place.TRANSACTION,
}
REFUSED_BY_THE_SERVER = ("INSERT INTO sqlite_master", "UPDATE sqlite_master")
IN_SCRIPTS = ("COMMIT", "ROLLBACK")  # which SQLite refuses where no transaction is open


def refusal(sql: str, place: Place) -> str:
    with pytest.raises(BindingError) as caught:
        judge(sql, place)
    return caught.value.code


@pytest.mark.parametrize(("sql", "place"), list(itertools.product(FORBIDDEN, PLACES)))
def test_what_the_embedded_engine_refuses_is_refused(sql: str, place: str) -> None:
    if (sql, place) in ALLOWED or (sql in IN_SCRIPTS and place == "executeMultiple"):
        judge(sql, PLACES[place])
    elif not sql.startswith(REFUSED_BY_THE_SERVER):
        assert refusal(sql, PLACES[place]) == "SQLITE_AUTH"


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT \"readfile\"('/etc/passwd')",
        "SELECT [ReadFile]('/etc/passwd')",
        "SELECT /* */ readfile /* */ ('/etc/passwd')",
        "SELECT 'a' --'\n, readfile('/etc/passwd')",
        "SELECT 1 /* ' */, readfile('/etc/passwd') /* ' */",
        "SELECT \ufeffreadfile('/etc/passwd')",
        "SELECT $a('), readfile('/etc/passwd') --')",
        "SELECT sha3_query('SELECT read' || 'file(''/etc/passwd'')')",
        "SELECT * FROM fsdir('/etc')",
        "SELECT * FROM 'fsdir'('/etc')",
        "EXPLAIN SELECT writefile('x', 'y')",
        "CREATE VIEW v AS SELECT readfile('x')",
        "CREATE TABLE t (a DEFAULT (readfile('x')))",
        "CREATE TRIGGER t AFTER INSERT ON t BEGIN SELECT 1; SELECT writefile('a', new.a); END",
        "SELECT * FROM 'pragma_database_list'",
        "SELECT * FROM `pragma_database_list`",
        "SELECT * FROM pragma_database_list()",
        "CREATE VIRTUAL TABLE f USING fts5(a, content='pragma_database_list')",
        "CREATE VIRTUAL TABLE f USING fts5(a, content=sqlite_stmt)",
        "CREATE VIRTUAL TABLE f USING 'dbstat'(main)",
        "CREATE VIRTUAL TABLE IF NOT EXISTS using USING fts4(a)",
        "PRAGMA main.database_list",
        "PRAGMA 'database_list'",
        "EXPLAIN PRAGMA foreign_keys=OFF",
        "EXPLAIN QUERY PLAN VACUUM",
        ";;ATTACH 'x' AS y",
        "UPDATE sqlite_dbpage SET data = x''",
    ],
)
@pytest.mark.parametrize("place", [Place.STATEMENT, Place.TRANSACTION, Place.SCRIPT_INSIDE])
def test_disguises_are_seen_through(sql: str, place: Place) -> None:
    assert refusal(sql, place) in ("SQLITE_AUTH", "SQLITE_ERROR")


@pytest.mark.parametrize("sql", ["SELECT 'a", 'SELECT "a', "SELECT [a", "SELECT 1\0; DROP TABLE t", "SELECT `"])
def test_what_tokenizers_may_read_in_two_ways_is_refused(sql: str) -> None:
    assert refusal(sql, Place.SCRIPT) == "SQLITE_ERROR"


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        ("", "SQL_NO_STATEMENT"),
        (" ; -- x\n;", "SQL_NO_STATEMENT"),
        ("SELECT 1; SELECT 2", "SQL_MANY_STATEMENTS"),
        ("CREATE TRIGGER a AFTER INSERT ON t BEGIN SELECT 1; END; DROP TABLE t", "SQL_MANY_STATEMENTS"),
    ],
)
def test_there_is_one_statement(sql: str, code: str) -> None:
    assert refusal(sql, Place.STATEMENT) == code
    judge(sql, Place.SCRIPT)


@pytest.mark.parametrize(
    ("sql", "writes"),
    [
        ("SELECT replace('a', 'b', 'c')", False),
        ("/* INSERT */ SELECT 'DELETE'", False),
        ("VALUES (1)", False),
        ("WITH a AS (SELECT 1), b (x) AS (SELECT * FROM a) SELECT * FROM b", False),
        ("WITH a AS (SELECT 1) INSERT INTO t SELECT * FROM a", True),
        ("WITH a AS (SELECT 1) DELETE FROM t", True),
        ("EXPLAIN DELETE FROM t", False),
        ("PRAGMA user_version", False),
        ("PRAGMA user_version = 3", True),
        ("PRAGMA table_info(t)", False),
        ("DELETE FROM t", True),
        ("REPLACE INTO t VALUES (1)", True),
        ("CREATE TABLE t (a)", True),
    ],
)
def test_reading_is_told_from_writing(sql: str, writes: bool) -> None:
    assert judge(sql, Place.STATEMENT) is writes


@pytest.mark.parametrize("name", ["_READABLE_PRAGMAS", "_ARGUMENT_PRAGMAS", "_SETTABLE_PRAGMAS", "_MODULES"])
def test_both_guards_go_by_the_same_lists(name: str) -> None:
    assert getattr(libsql_guard, name) == getattr(guard, name)


def test_a_text_that_names_a_forbidden_word_is_given_as_an_argument() -> None:
    with pytest.raises(BindingError, match="give that text as an argument"):
        judge("INSERT INTO t VALUES ('how to use readfile')", Place.STATEMENT)
    judge("INSERT INTO t VALUES ('pragma, attach, vacuum, begin')", Place.STATEMENT)


PIECES = st.sampled_from(
    """
    SELECT WITH VALUES EXPLAIN INSERT INTO t DELETE FROM CREATE TRIGGER VIEW x AFTER ON BEGIN END AS ; ; ; , * ( ) ( )
    ATTACH DETACH VACUUM PRAGMA database_list foreign_keys = OFF pragma_database_list ' ' ' '' " " `` ` [ ] -- /* */
    \n $a $a( :b @c # ? 1 0x1 1e 1.5 x'00' x' "" danger danger( danger('') 'danger' "danger"() `danger` [danger] \ufeff
    COMMIT ROLLBACK SAVEPOINT s TEMP TABLE QUERY PLAN UNION ALL CASE WHEN
    """.split(" ")
).map(str.strip)
TEXTS = st.lists(st.tuples(PIECES, st.sampled_from(["", " ", " ", "\n", "/**/"])), max_size=24).map(
    lambda pairs: "".join(piece + gap for piece, gap in pairs)
)
BAD_ACTIONS = {apsw.SQLITE_ATTACH, apsw.SQLITE_DETACH, apsw.SQLITE_CREATE_TEMP_TABLE, apsw.SQLITE_CREATE_TEMP_VIEW}


@settings(max_examples=500, deadline=None)
@given(text=TEXTS)
def test_whatever_passes_sqlite_finds_nothing_forbidden_in_it(text: str) -> None:
    """SQLite's own compiler is asked what it sees; `danger` stands for the functions that reach files."""
    text = text.replace("danger", "fts3_tokenizer")
    try:
        judge(text, Place.STATEMENT)
    except BindingError:
        return
    seen: list[str] = []

    def look(action: int, one: str | None, two: str | None, _database: str | None, _by: str | None) -> int:
        if action in BAD_ACTIONS or (action == apsw.SQLITE_TRANSACTION):
            seen.append(f"{action} {one}")
        if action == apsw.SQLITE_FUNCTION and two == "fts3_tokenizer":
            seen.append(two)
        if action == apsw.SQLITE_PRAGMA and (one == "database_list" or (one == "foreign_keys" and two)):
            seen.append(f"PRAGMA {one}={two}")
        if action == apsw.SQLITE_READ and one == "pragma_database_list":
            seen.append(one)
        return apsw.SQLITE_OK

    connection = apsw.Connection(":memory:")
    connection.create_scalar_function("fts3_tokenizer", lambda *_: None)
    connection.execute("CREATE TABLE t (x)")
    connection.authorizer = look
    with contextlib.suppress(apsw.Error, ValueError, KeyError):
        connection.execute(text)
    connection.close()
    assert not seen


QUOTES = st.sampled_from(["{}", '"{}"', "[{}]", "`{}`", "'{}'"])
FORMS = st.sampled_from(
    [
        "PRAGMA {listing}",
        "PRAGMA main . {listing}",
        "SELECT * FROM {table}",
        "SELECT * FROM {table} ( )",
        "SELECT file FROM main . {table} AS x",
        "SELECT x . * FROM sqlite_schema JOIN {table} AS x ON 1",
        "SELECT * FROM ( SELECT 1 ) LEFT JOIN {table} ON 1",
        "SELECT ( SELECT file FROM {table} )",
        "WITH x AS ( SELECT * FROM {table} ) SELECT * FROM x",
        "VALUES ( 1 , 2 , 3 ) UNION ALL SELECT * FROM {table}",
        "SELECT group_concat ( file ) FROM {table} ; ;",
    ]
)
GAPS = st.lists(
    st.sampled_from([" ", "\n", "/*'*/", "--'\n", '/*"*/', " \ufeff", "/**/", "\t"]), min_size=1, max_size=2
)


@settings(max_examples=300, deadline=None)
@given(form=FORMS, quotes=QUOTES, gaps=st.lists(GAPS, min_size=24, max_size=24), upper=st.booleans())
def test_what_the_server_would_tell_of_its_files_it_is_not_asked(
    sqld_server: SqldServer, form: str, quotes: str, gaps: list[list[str]], upper: bool
) -> None:
    """What it does not understand may pass: it is harmless, and some of the forms are no SQL."""
    names = {"listing": "database_list", "table": "pragma_database_list"}
    quoted = {key: quotes.format(name.upper() if upper else name) for key, name in names.items()}
    words = form.format(**quoted).split(" ")
    text = "".join(word + "".join(gap) for word, gap in zip(words, gaps, strict=False))
    try:
        judge(text, Place.STATEMENT)
    except BindingError:
        return
    assert not tells(sqld_server, text), text


def tells(server: SqldServer, sql: str) -> bool:
    """Whether the server's answer, without any guard, has its path in it."""
    answer = httpx.post(
        f"{server.url}/v3/pipeline",
        json={"requests": [{"type": "execute", "stmt": {"sql": sql}}, {"type": "close"}]},
        headers={"x-namespace-bin": "ZGVmYXVsdA"},  # default
        timeout=60,
        trust_env=False,
    )
    return str(server.directory) in answer.text


def test_without_the_guard_it_would_tell(sqld_server: SqldServer) -> None:
    assert tells(sqld_server, 'SELECT * FROM \ufeff"pragma_database_list"')


@settings(max_examples=200, deadline=None)
@given(text=TEXTS, place=st.sampled_from(Place))
def test_any_text_is_judged_without_a_fault(text: str, place: Place) -> None:
    with contextlib.suppress(BindingError):
        judge(text, place)
