"""What the benchmarks say must be right before what they measure can be: verdicts, figures, answers read."""

from __future__ import annotations

import math

import pytest
from benchmarks.cases import CASES
from benchmarks.open_model import _complete, percentile
from benchmarks.report import Row, Target, text
from benchmarks.servers import Answer


@pytest.mark.parametrize(
    ("value", "target", "verdict"),
    [
        (1.2, Target(bound=1.0, at_least=True), "✓"),
        (0.9, Target(bound=1.0, at_least=True), "✗"),
        (14.0, Target(bound=15), "✓"),
        (15.1, Target(bound=15), "✗"),
        (3.0, None, ""),
        (math.nan, None, "✗"),
        (math.nan, Target(bound=15), "✗"),
    ],
)
def test_a_verdict(value: float, target: Target | None, verdict: str) -> None:
    assert Row(name="x", value=value, unit="ms", target=target).verdict == verdict


def test_the_table_shows_measured_beside_target() -> None:
    table = text([Row(name="cold start", value=12.34, unit="ms", target=Target(bound=15), note="60 starts")])
    assert table.splitlines()[1].split() == ["cold", "start", "12.3", "ms", "≤", "15", "ms", "✓", "60", "starts"]


def test_percentiles() -> None:
    values = [float(number) for number in range(101)]
    assert (percentile(values, 50), percentile(values, 99), percentile(values, 100)) == (50, 99, 100)
    assert math.isnan(percentile([], 99))


def test_server_timing_is_read_by_name() -> None:
    answer = Answer(200, {"server-timing": "v8box;dur=1.5, cold;dur=9.25"}, b"", 0.0)
    assert (answer.server_timing("v8box"), answer.server_timing("cold")) == (1.5, 9.25)
    assert math.isnan(answer.server_timing("db"))


@pytest.mark.parametrize(
    ("head", "body", "complete"),
    [
        (b"http/1.1 200 ok\r\ncontent-length: 5", b"hello", True),
        (b"http/1.1 200 ok\r\ncontent-length: 5\r\nx: y", b"hell", False),
        (b"http/1.1 200 ok\r\ntransfer-encoding: chunked", b"5\r\nhello\r\n", False),
        (b"http/1.1 200 ok\r\ntransfer-encoding: chunked", b"5\r\nhello\r\n0\r\n\r\n", True),
        (b"http/1.1 204 no content", b"", True),
    ],
)
def test_the_load_client_knows_when_an_answer_is_whole(head: bytes, body: bytes, complete: bool) -> None:
    assert _complete(head, body) == complete


def test_case_names_are_unique() -> None:
    assert len({case.name for case in CASES}) == len(CASES)
