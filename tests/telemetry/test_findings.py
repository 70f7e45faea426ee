"""What is remarkable about a run: the same asked again and again, and where the time of a slow one went."""

from __future__ import annotations

import pytest

from v8box.telemetry.findings import MAX_FINDINGS, repeated, slow, split_of
from v8box.telemetry.meter import MAX_GROUPS, MAX_SPANS, Meter, Span

QUERY = "SELECT * FROM users WHERE id = ?"


def spans(count: int, binding: str = "db", operation: str = "execute", what: str = QUERY) -> list[Span]:
    return [Span(binding, operation, index * 10.0, 5.0, what=what) for index in range(count)]


def test_few_calls_are_nothing_remarkable() -> None:
    assert repeated(spans(9), {}) == []


def test_the_same_statement_again_and_again_is_named() -> None:
    [found] = repeated([*spans(57), *spans(3, what="SELECT 1")], {})
    assert (found.kind, found.binding, found.operation, found.what) == ("n_plus_one", "db", "execute", QUERY)
    assert (found.count, found.duration) == (57, 285.0)
    assert found.text.startswith(f"db.execute `{QUERY}` 57 times, 285 ms in all: ask once with IN (…)")


def test_calls_of_which_nothing_is_known_are_not_called_the_same() -> None:
    assert repeated(spans(50, "cache", "get", ""), {}) == []
    assert [each.count for each in repeated(spans(50, "fetch", "GET", ""), {})] == [50]


def test_what_took_longest_comes_first_and_there_is_an_end() -> None:
    many = [span for number in range(9) for span in spans(10 + number, what=f"SELECT {number}")]
    found = repeated(many, {})
    assert [each.what for each in found] == [f"SELECT {number}" for number in (8, 7, 6, 5, 4)]
    assert len(found) == MAX_FINDINGS


def test_calls_beyond_the_spans_are_counted_too() -> None:
    meter = Meter()
    for number in range(MAX_SPANS + 400):
        meter.end(meter.begin("db", "execute", 10, QUERY if number % 2 else "SELECT 1"))
    assert len(meter.spans) == MAX_SPANS
    assert {found.what: found.count for found in repeated(meter.spans, meter.more)} == {QUERY: 250, "SELECT 1": 250}
    assert meter.total_calls == MAX_SPANS + 400


def test_ever_new_calls_beyond_the_spans_are_bounded() -> None:
    meter = Meter()
    for number in range(MAX_SPANS + 1_000):
        meter.end(meter.begin("db", "execute", 10, f"SELECT {number}"))
    assert len(meter.more) == MAX_GROUPS


def test_a_slow_run_is_told_where_its_time_went() -> None:
    made = [
        Span("db", "execute", 100.0, 300.0),
        Span("db", "execute", 200.0, 300.0),  # beside the first
        Span("fetch", "GET", 450.0, 100.0),
        Span("s3", "get", 900.0),  # never answered
    ]
    split = split_of(1_000.0, 20.0, 30.0, made)
    assert split == {"queue": 20.0, "cold": 30.0, "db": 400.0, "fetch": 100.0, "s3": 100.0, "code": 400.0}
    found = slow(1_000.0, 500.0, split)
    assert found.text == "took 1000 ms, 400 ms of them db; slow_ms is 500"


@pytest.mark.parametrize(
    ("split", "words"),
    [
        ({"queue": 900.0, "cold": 0.0, "code": 1.0}, "waiting for a free process"),
        ({"queue": 0.0, "cold": 900.0, "code": 1.0}, "starting a process"),
        ({"queue": 0.0, "cold": 0.0, "code": 900.0}, "in its own code"),
    ],
)
def test_time_that_is_no_bindings_has_a_name(split: dict[str, float], words: str) -> None:
    assert words in slow(1_000.0, 500.0, split).text
