"""What is compressed is what it was, within what every client bears."""

from __future__ import annotations

import gzip
import os
import random

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from v8box.features.pages.optimise.compress import compress


@given(st.binary(min_size=1, max_size=400), st.integers(1, 200))
def test_the_bytes_come_back(piece: bytes, times: int) -> None:
    data = piece * times
    forms = compress(data)
    assert all(len(form) <= len(data) * 0.95 for form in forms.values())
    if "br" in forms:
        assert brotli.decompress(forms["br"]) == data
    if "zstd" in forms:
        assert zstandard.ZstdDecompressor().decompress(forms["zstd"]) == data
    if "gzip" in forms:
        assert gzip.decompress(forms["gzip"]) == data


def test_what_gains_nothing_is_not_kept() -> None:
    assert compress(os.urandom(4_096)) == {}


def test_the_same_bytes_give_the_same_bytes() -> None:
    data = b"<p>hello</p>" * 500
    assert compress(data) == compress(data)


@pytest.mark.parametrize("size", [1_000, 2_000_000, 17_000_000])
def test_no_client_needs_more_than_eight_megabytes_for_it(size: int) -> None:
    words = [random.Random(1).randbytes(12).hex().encode() for _ in range(500)]
    data = (b" ".join(words) * (size // 12_000 + 1))[:size]
    form = compress(data)["zstd"]
    assert zstandard.get_frame_parameters(form).window_size <= 8 * 1024 * 1024
    assert zstandard.ZstdDecompressor().decompress(form) == data
