"""What begins and ends transactions, and where statements end: SQLite itself is the oracle."""

from __future__ import annotations

from base64 import b64encode

import apsw
import pytest
from hypothesis import given
from hypothesis import strategies as st

from v8box.bindings.interface import BindingError
from v8box.features.hrana.control import control_of, foreign_keys_of, is_one_statement, may_control, parameters, pieces
from v8box.features.hrana.migration import with_literals

WORDS = [
    *("BEGIN", "begin", "COMMIT", "End", "ROLLBACK", "TRANSACTION", "transaction", "DEFERRED", "immediate"),
    *("EXCLUSIVE", "TO", "SAVEPOINT", "a", "'a'", '"b"', "[c]", "`d`", "'it''s'", "''", "select 1", "1", "x'00'"),
    *("CREATE", "TEMP", "TRIGGER", "EXPLAIN", "t", "AFTER", "INSERT", "ON", "case", "READONLY", "begin_", "_end", "$"),
]
GAPS = [
    " ",
    "\n",
    "\t",
    "\r",
    "\f",
    "--x\n",
    "--begin;\n",
    "/**/",
    "/* ; */",
    "/*/*/",
    ";",
    "",
    "\v",
    "\u00a0",
    "\ufeff",
]
BROKEN = ["'", '"', "`", "[", "/*", "--", "]", "*/", "/", "-", "\0", "ž", "(", ")", ",", ".", "?", ":a", "@b"]

texts = st.lists(st.sampled_from([*WORDS, *GAPS, *GAPS, *BROKEN]), max_size=12).map("".join)
neat = st.lists(st.tuples(st.sampled_from(WORDS), st.sampled_from(GAPS)), max_size=8).map(
    lambda pairs: "".join(word + gap for word, gap in pairs)
)


def in_transaction_after(sql: str, *, begun: bool) -> bool | None:
    """Whether SQLite is in a transaction after this one statement; None when it refuses it."""
    connection = apsw.Connection(":memory:")
    try:
        if begun:
            connection.execute("begin")
        connection.execute(sql)
    except (apsw.Error, UnicodeError, ValueError):
        return None
    else:
        return connection.in_transaction
    finally:
        connection.close()


@given(texts | neat)
def test_sqlite_agrees_on_what_a_control_statement_is(sql: str) -> None:
    control = control_of(sql)
    if "\0" in sql or "SAVEPOINT" in sql or len(list(pieces(sql))) > 1:
        return  # not one statement, or one that goes to SQLite, which opens a transaction for a savepoint
    begins, ends = in_transaction_after(sql, begun=False), in_transaction_after(sql, begun=True)
    assert (control is not None and control.kind == "begin") >= (begins is True)
    assert (control is not None and control.kind in ("commit", "rollback")) >= (ends is False)
    if control is not None and control.mode != "read":
        # It is never taken for one when SQLite would have run it as something else.
        assert begins is not False
        assert ends is not True


@given(texts)
def test_the_pieces_are_the_script(script: str) -> None:
    found = list(pieces(script))
    assert "".join(piece.sql for piece in found) == script
    assert all(piece.whole for piece in found[:-1])
    assert all(piece.sql for piece in found)
    if not may_control(script):
        assert not any(piece.control for piece in found)


@given(texts)
def test_sqlite_agrees_on_where_statements_end(script: str) -> None:
    if "\0" in script or "\v" in script:
        return  # for sqlite3_complete a NUL is the end of the text
    found = list(pieces(script))
    for piece in found[:-1]:
        assert apsw.complete(piece.sql)
    if found and apsw.complete(found[-1].sql):
        assert found[-1].sql.endswith(";") or not is_one_statement(found[-1].sql)


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("BEGIN", "deferred"),
        ("begin deferred transaction", "deferred"),
        ("/* x */ BEGIN\tIMMEDIATE;", "write"),
        ("begin exclusive -- now", "write"),
        ("BEGIN TRANSACTION READONLY", "read"),
        ("begin readonly", "read"),
        ("begin transaction 'a'", "deferred"),
        ("; begin/**/immediate", "write"),
        ("COMMIT", "commit"),
        ("end transaction", "commit"),
        ("rollback; -- x", "rollback"),
        ("rollback transaction a", "rollback"),
        ("rollback to a", None),
        ("rollback transaction to a", None),
        ("begin; select 1", None),
        ("begin concurrent", None),
        ("beginimmediate", None),
        ("rollbac\u212a", None),  # the Kelvin sign, which Unicode folds to a K
        ("explain begin", None),
        ("'begin'", None),
        ("", None),
    ],
)
def test_control_statements(sql: str, expected: str | None) -> None:
    control = control_of(sql)
    assert (control and (control.mode or control.kind)) == expected


def test_triggers_keep_their_semicolons() -> None:
    trigger = "create temp trigger a after insert on t begin select 1; select case 1 when 1 then 2 end; end;"
    assert [piece.sql for piece in pieces(f"begin;{trigger}commit")] == ["begin;", trigger, "commit"]
    assert is_one_statement(trigger)
    assert not is_one_statement(trigger[:-5])


@pytest.mark.parametrize("sql", ["", " -- x", "select 1; select 2", "select '", "select 1 /*", "commit", ";;"])
def test_what_is_not_one_statement(sql: str) -> None:
    assert not is_one_statement(sql)


def test_foreign_keys() -> None:
    assert foreign_keys_of("PRAGMA foreign_keys=off") is False
    assert foreign_keys_of("pragma foreign_keys = ON;") is True
    assert foreign_keys_of("pragma foreign_keys") is None
    assert foreign_keys_of("pragma foreign_keys=off; drop table t") is None


@pytest.mark.parametrize(
    "text", ["/*" * 200_000, "'" * 400_001, "[" * 400_000, "-- \n" * 100_000 + "begin", ";" * 10**5]
)
def test_long_texts_are_read_once(text: str) -> None:
    # Each would take minutes if any of it were read again for every character.
    control_of(text), may_control(text), foreign_keys_of(text), list(pieces(text)), list(parameters(text))


# ---- arguments as literals

values: st.SearchStrategy[object] = st.one_of(
    st.none(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    st.binary(),
)


@given(
    st.lists(values, min_size=1, max_size=5),
    st.sampled_from(["?", "?{n}", "/* ? */ ?", "quote('?') || quote(?)", "-- ?\n?"]),
)
def test_literals_are_what_binding_would_have_been(args: list[object], form: str) -> None:
    sql = "select " + ", ".join(form.format(n=number) for number in range(1, len(args) + 1))
    encoded = [{"b": b64encode(arg).decode()} if isinstance(arg, bytes) else arg for arg in args]
    connection = apsw.Connection(":memory:")
    written = with_literals(sql, encoded)
    assert is_one_statement(written)
    assert list(connection.execute(written)) == list(connection.execute(sql, args))
    connection.close()


@pytest.mark.parametrize(
    ("sql", "args"),
    [
        ("select ?", None),
        ("select ?", []),
        ("select ?, ?", [1]),
        ("select ?", [1, 2]),
        ("select ?0", [1]),
        ("select ?99999999", [1]),
        ("select :a", [1]),
        ("select :a", {"b": 1}),
        ("select ?", {"b": 1}),
        ("select ?", ["a\0b"]),
        ("select ?", [{"b": "*"}]),
    ],
)
def test_arguments_that_do_not_fit(sql: str, args: list[object] | dict[str, object] | None) -> None:
    with pytest.raises(BindingError):
        with_literals(sql, args)


def test_named_literals() -> None:
    assert with_literals("select :a, @b, $c, ':a'", {"a": 1, "@b": None, "c": "x"}).split() == (
        "select 1 , NULL , 'x' , ':a'".split()
    )
