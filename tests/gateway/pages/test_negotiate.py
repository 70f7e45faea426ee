"""Encodings, conditions and ranges, as RFC 9110 has them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from v8box.gateway.pages import negotiate

SIZES = {"br": 10, "zstd": 11, "gzip": 12}


@pytest.mark.parametrize(
    ("header", "encoding"),
    [
        (None, ""),
        ("", ""),
        ("identity", ""),
        ("gzip, deflate, br, zstd", "br"),
        ("gzip, deflate", "gzip"),
        ("gzip;q=1, br;q=0.5", "gzip"),
        ("br;q=0, gzip", "gzip"),
        ("*", "br"),
        ("*;q=0", ""),
        ("br;q=0, *", "zstd"),
        ("identity;q=1, gzip;q=0.5", ""),
        ("GZIP", "gzip"),
        ("deflate", ""),
        ("nonsense;;q=x", ""),
    ],
)
def test_encodings(header: str | None, encoding: str) -> None:
    assert negotiate.choose_encoding(header, SIZES, 100) == encoding


def test_what_would_be_larger_is_not_sent() -> None:
    assert negotiate.choose_encoding("br, gzip", SIZES, 10) == ""


@pytest.mark.parametrize(
    ("header", "variant"),
    [("image/avif,image/webp,*/*", "image/avif"), ("image/webp", "image/webp"), ("*/*", ""), ("image/avif;q=0", "")],
)
def test_variants(header: str, variant: str) -> None:
    assert negotiate.choose_variant(header, {"image/avif", "image/webp"}) == variant


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("bytes=0-9", [(0, 10)]),
        ("bytes=90-", [(90, 100)]),
        ("bytes=-5", [(95, 100)]),
        ("bytes=-500", [(0, 100)]),
        ("bytes=95-500", [(95, 100)]),
        ("bytes=0-0, 99-99", [(0, 1), (99, 100)]),
        ("bytes=100-", []),
        ("bytes=-0", []),
        ("bytes=5-1", None),
        ("bytes=a-b", None),
        ("bytes=", None),
        ("items=0-1", None),
        (None, None),
        ("bytes=" + ",".join(["0-99"] * 30), None),
        ("bytes=0-99,0-99,0-99,0-99,0-99,0-99,0-99,0-99,0-99,0-99,0-99,0-99", None),
    ],
)
def test_ranges(header: str | None, found: list[tuple[int, int]] | None) -> None:
    assert negotiate.ranges(header, 100, None, '"a"', 0) == found


def test_a_range_only_of_the_same_bytes() -> None:
    assert negotiate.ranges("bytes=0-1", 100, '"a"', '"a"', 0) == [(0, 2)]
    assert negotiate.ranges("bytes=0-1", 100, '"b"', '"a"', 0) is None
    assert negotiate.ranges("bytes=0-1", 100, 'W/"a"', '"a"', 0) is None
    date = negotiate.http_date(1_767_225_600).decode()
    assert negotiate.ranges("bytes=0-1", 100, date, '"a"', 1_767_225_600) == [(0, 2)]
    assert negotiate.ranges("bytes=0-1", 100, date, '"a"', 1_767_225_601) is None


def test_conditions() -> None:
    date = negotiate.http_date(1_000).decode()
    assert negotiate.is_known('"a"', 1_000, '"b", W/"a"', None)
    assert negotiate.is_known('"a"', 1_000, "*", None)
    assert not negotiate.is_known('"a"', 1_000, '"b"', date)
    assert negotiate.is_known('"a"', 1_000, None, date)
    assert not negotiate.is_known('"a"', 1_001, None, date)
    assert not negotiate.is_known('"a"', 1_001, None, "yesterday")
    assert negotiate.fails_precondition('"a"', 0, '"b"', None)
    assert negotiate.fails_precondition('"a"', 0, 'W/"a"', None)
    assert not negotiate.fails_precondition('"a"', 0, '"a"', None)
    assert negotiate.fails_precondition('"a"', 1_001, None, date)


@given(st.text(max_size=60), st.integers(0, 1_000))
def test_no_header_breaks_it(header: str, size: int) -> None:
    negotiate.choose_encoding(header, SIZES, size)
    negotiate.is_known('"a"', 0, header, header)
    negotiate.fails_precondition('"a"', 0, header, header)
    for first, behind in negotiate.ranges(f"bytes={header}", size, header or None, '"a"', 0) or ():
        assert 0 <= first < behind <= size
