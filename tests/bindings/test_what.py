"""What a call is upon, in words: the same for the same kind of call, without a value in it, whatever is sent."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from v8box.bindings import what as module
from v8box.bindings.what import MAX_CHARS, statement_shape, what_of

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["sql", "n", "k", "a"]), inner),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("binding", "operation", "args"),
    [
        ("db", "execute", None),
        ("db", "execute", "select 1"),
        ("db", "execute", {"sql": 7}),
        ("db", "batch", {"statements": []}),
        ("db", "batch", {"statements": [[]]}),
        ("db", "batch", {"statements": ["x"]}),
        ("db", "commit", {"tx": 1}),
        ("cache", "get", []),
        ("cache", "get", [17]),
        ("cache", "kv.get", {"n": 3, "k": "a:b"}),
        ("s3", "get", {"bucket": 7, "key": "a/b"}),
        ("s3", "get", ["photos"]),
        ("nothing", "get", {"sql": "select 1"}),
    ],
)
def test_arguments_that_no_client_sends_say_nothing(binding: str, operation: str, args: Any) -> None:
    assert what_of(binding, operation, args) == ""


@given(st.sampled_from(["db", "cache", "s3", "other"]), st.text(), JSON)
def test_nothing_makes_it_fail_or_grow(binding: str, operation: str, args: Any) -> None:
    assert len(what_of(binding, operation, args)) <= MAX_CHARS


@pytest.mark.parametrize(
    ("sql", "shape"),
    [
        ("SELECT * FROM users WHERE id = 17", "SELECT * FROM users WHERE id = ?"),
        ("select a1, t2.b3 from t2 where c=-1.5e3 and d=.5", "select a1, t2.b3 from t2 where c=-? and d=.?"),
        ("insert into t values (1, 'x'), (2, 'y')", "insert into t values (…)"),
        ("select * from t where id in (1,2, 3)", "select * from t where id in (…)"),
        ("select * from t where id in (?, ?)", "select * from t where id in (…)"),
        ("select * from t where name = 'o''brien' -- mine", "select * from t where name = ?"),
        ("select /* hunter2 */ 1", "select ?"),
        ("select *\n  from t\n\twhere x = ?1", "select * from t where x = ?1"),
        ('select * from "users" where name = "hunter2"', 'select * from "users" where name = ?'),
        ("update t set x = x'0aff' where y = :name", "update t set x = x? where y = :name"),
    ],
)
def test_a_statement_is_told_without_its_values(sql: str, shape: str) -> None:
    assert statement_shape(sql) == shape


@given(st.text("abc'\"-/*\n 0159?", max_size=40), st.sampled_from(["'", '"']))
def test_a_text_is_never_shown_however_it_is_written(before: str, quote: str) -> None:
    secret = "hunter" * 3
    shape = statement_shape(f"select 1 where a = {quote}{secret}{quote} and b = '{before}")
    assert secret not in shape


def test_a_text_that_the_cut_left_open_is_not_shown() -> None:
    assert what_of("db", "execute", {"sql": "select '" + "s3cret" * 400 + "'"}) == "select ?"
    assert statement_shape("select a where b = 'unterminated") == "select a where b = ?"


def test_a_long_statement_is_cut() -> None:
    shape = what_of("db", "execute", {"sql": "select " + ", ".join(f"column_{n}_" for n in "abcdef" * 20)})
    assert len(shape) == MAX_CHARS
    assert shape.endswith("…")


def test_a_batch_is_told_by_its_first_statement() -> None:
    assert what_of("db", "batch", {"statements": [["delete from t where a = 1", None], ["x", None]]}) == (
        "delete from t where a = ?"
    )


@pytest.mark.parametrize(
    ("binding", "args", "what"),
    [
        ("cache", ["user:17:name"], "user:…"),
        ("cache", ["some-key_of/it", "value"], "some-key_of/…"),
        ("cache", {"a": ["user:17"], "raw": True}, "user:…"),
        ("cache", ["sk_live_51H8"], ""),
        ("cache", ["4f9a0c:1"], ""),
        ("cache", {"n": "sessions", "k": "4f9a0c"}, "sessions"),
        ("cache", {"n": "sessions", "k": "user:17"}, "sessions/user:…"),
        ("cache", {"k": "report:1"}, "report:…"),
        ("s3", {"bucket": "photos", "key": "holidays/1.png"}, "photos/holidays/…"),
        ("s3", {"key": "1.png"}, "default"),
        ("s3", {}, "default"),
    ],
)
def test_a_key_is_told_by_its_first_word(binding: str, args: Any, what: str) -> None:
    assert what_of(binding, "get", args) == what


def test_of_too_many_new_statements_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_budget", module._Budget())
    monkeypatch.setattr(module, "NEW_STATEMENTS", 3)
    monkeypatch.setattr(module, "monotonic", lambda: 1000.0)
    said = [what_of("db", "execute", {"sql": f"select budget_{name}"}) for name in "abcde"]
    assert said == ["select budget_a", "select budget_b", "select budget_c", "", ""]
    monkeypatch.setattr(module, "monotonic", lambda: 1001.5)
    assert what_of("db", "execute", {"sql": "select budget_e"}) == "select budget_e"
    assert what_of("db", "execute", {"sql": "select budget_a"}) == "select budget_a"
