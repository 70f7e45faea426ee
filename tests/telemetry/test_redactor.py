from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from v8box.telemetry.audit import MASK
from v8box.telemetry.redactor import MIN_CHARACTERS, Redactor, Redactors


@given(st.lists(st.text("abcXYZ019 _-", min_size=1, max_size=20), max_size=8), st.data())
def test_no_value_is_left_in_a_line(values: list[str], data: st.DataObject) -> None:
    pieces = data.draw(st.lists(st.sampled_from([*values, "hello", " ", "="]), max_size=10))
    told = Redactor(values).text("".join(pieces))
    assert [value for value in values if len(value) >= MIN_CHARACTERS and value in told] == []


@given(st.text(max_size=200))
def test_a_line_without_secrets_stays_the_same_object(line: str) -> None:
    assert Redactor(["hunter2!hunter2!"]).text(line) is line
    assert Redactor().text(line) is line


def test_one_that_holds_another_goes_whole() -> None:
    assert Redactor(["12345678", "0012345678"]).text("a 0012345678 b 12345678") == f"a {MASK} b {MASK}"


def test_short_values_are_left_alone() -> None:
    assert not Redactor(["on", "1234567"])
    assert Redactor(["1234567"]).text("1234567") == "1234567"


def test_a_secret_of_several_lines_is_found_line_by_line() -> None:
    key = "-----BEGIN KEY-----\nMIIBVgIBADANBgkq\n-----END KEY-----\n"
    assert Redactor([key]).text("oops MIIBVgIBADANBgkq") == f"oops {MASK}"
    assert Redactor([key]).text(f"<{key}>") == f"<{MASK}>"


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"token": "hunter2!"}, {"token": MASK}),
        ({"hunter2!": [1, None, "a hunter2!"]}, {MASK: [1, None, f"a {MASK}"]}),
        (("x", {"a": {"b": "hunter2!"}}), ["x", {"a": {"b": MASK}}]),
        (5, 5),
    ],
)
def test_fields_too(fields: Any, told: Any) -> None:
    assert Redactor(["hunter2!"]).value(fields) == told


def test_a_sandbox_of_before_is_redacted_too() -> None:
    redactors = Redactors()
    redactors.learn("shop", "production", "hello", {"first-secret"})
    redactors.learn("shop", "production", "hello", {"second-secret"})
    redactors.learn("shop", "production", "plain", ())
    assert redactors.of("shop", "production", "hello").text("first-secret second-secret") == f"{MASK} {MASK}"
    assert not redactors.of("shop", "production", "plain")
    assert not redactors.of("shop", "staging", "hello")


def test_what_is_remembered_is_bounded() -> None:
    redactors = Redactors()
    for number in range(3_000):
        redactors.learn("shop", "production", "hello", {f"secret-{number:06}"})
    redactor = redactors.of("shop", "production", "hello")
    assert redactor.text("secret-002999") == MASK
    assert redactor.text("secret-000000") == "secret-000000"
