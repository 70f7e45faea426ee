"""Moments as people write them."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from v8box.kit.moments import NotAMoment, parse_moment

NOW = 1_767_185_999.5  # 2025-12-31T12:59:59.5Z, a Wednesday


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("now", NOW),
        ("now-1h", NOW - 3_600),
        ("now+1d-30m", NOW + 84_600),
        ("now-1h/h", 1_767_178_800.0),
        ("now/d", 1_767_139_200.0),
        ("now/w", 1_766_966_400.0),  # Monday, the 29th
        ("1767185999", 1_767_185_999.0),
        ("1767185999.25", 1_767_185_999.25),
        ("2025-12-31T12:59:59Z", 1_767_185_999.0),
        ("2025-12-31T13:59:59+01:00", 1_767_185_999.0),
        ("2025-12-31", 1_767_139_200.0),
    ],
)
def test_a_moment(text: str, expected: float) -> None:
    assert parse_moment(text, NOW) == expected


def test_an_end_is_rounded_up() -> None:
    assert parse_moment("now-1d/d", NOW, end=True) == parse_moment("now/d", NOW)
    assert parse_moment("now-1h", NOW, end=True) == NOW - 3_600


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now-",
        "now-1y",
        "-1h",
        "now - 1h",
        "yesterday",
        "now/x",
        "99999999999999",
        "now-999999w",
        "1e5",
        "nan",
        "\uff11\uff12",
    ],
)
def test_what_is_none_is_refused(text: str) -> None:
    with pytest.raises(NotAMoment):
        parse_moment(text, NOW)


@given(st.text(max_size=40))
def test_whatever_is_written_is_a_moment_or_refused(text: str) -> None:
    with contextlib.suppress(NotAMoment):
        assert parse_moment(text, NOW) >= 0
