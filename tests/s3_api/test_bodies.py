"""Bodies in any pieces: the chunked coding and the checksums that the standard library lacks."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.s3_api.raw import chunk

from v8box.features.s3_api.chunked import ChunkedDecoder
from v8box.features.s3_api.crc import CRC32C, CRC64NVME, Crc, Fold, Polynomial
from v8box.features.s3_api.errors import S3Error

POLYNOMIALS = [
    pytest.param(CRC32C, 0x11EDC6F41, 0xE3069283, id="crc32c"),
    pytest.param(CRC64NVME, 0x1AD93D23594C93659, 0xAE8B14860A799888, id="crc64nvme"),
]


def reduce(value: int, polynomial: int) -> int:
    """The remainder of a polynomial over GF(2)."""
    degree = polynomial.bit_length() - 1
    while value.bit_length() > degree:
        value ^= polynomial << (value.bit_length() - 1 - degree)
    return value


def power_of_x(exponent: int, polynomial: int) -> int:
    """x^exponent, modulo the polynomial: by squaring, which spreads the bits."""
    result = 1
    for bit in bin(exponent)[2:]:
        squared = int(bin(result)[2:], 4)
        result = reduce(squared << 1 if bit == "1" else squared, polynomial)
    return result


@pytest.mark.parametrize(("crc", "polynomial", "check"), POLYNOMIALS)
def test_the_congruences_hold(crc: Polynomial, polynomial: int, check: int) -> None:
    for fold in crc.folds:
        terms = 0
        for exponent in fold.exponents:
            terms ^= power_of_x(exponent, polynomial)
        assert power_of_x(fold.m, polynomial) == terms


@pytest.mark.parametrize(("crc", "polynomial", "check"), POLYNOMIALS)
def test_the_check_value(crc: Polynomial, polynomial: int, check: int) -> None:
    digest = Crc(crc)
    digest.update(b"123456789")
    assert int.from_bytes(digest.digest(), "big") == check
    assert Crc(crc).digest() == bytes(crc.bits // 8)


@pytest.mark.parametrize(("crc", "polynomial", "check"), POLYNOMIALS)
@given(data=st.binary(max_size=3_000), repeat=st.sampled_from([1, 7, 90]), cut=st.integers(0, 300_000))
def test_folding_is_dividing(crc: Polynomial, polynomial: int, check: int, data: bytes, repeat: int, cut: int) -> None:
    data *= repeat
    digest = Crc(crc)
    digest.update(data[:cut])
    digest.update(data[cut:])
    slow = Polynomial(int(f"{polynomial & crc.all_bits:0{crc.bits}b}"[::-1], 2), crc.bits, [NEVER])
    register = slow.advance(crc.all_bits, data)
    assert digest.digest() == (register ^ crc.all_bits).to_bytes(crc.bits // 8, "big")


NEVER = Fold(1 << 60, (0,))  # too far to be applied: only the table is left


@given(st.lists(st.binary(min_size=1, max_size=300), max_size=8), st.lists(st.integers(1, 64), min_size=1, max_size=50))
def test_chunks_may_arrive_in_any_pieces(chunks: list[bytes], cuts: list[int]) -> None:
    body = b"".join(map(chunk, chunks)) + b"0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n"
    trailers: list[tuple[str, str]] = []
    decoder = ChunkedDecoder(None, trailing=True, on_trailer=lambda name, value: trailers.append((name, value)))
    received = b""
    turn = 0
    while body:
        size = cuts[turn % len(cuts)]
        received += b"".join(decoder.feed(body[:size]))
        body = body[size:]
        turn += 1
    decoder.finish()
    assert received == b"".join(chunks)
    assert trailers == [("x-amz-checksum-crc32", "AAAAAA==")]


@given(st.binary(max_size=300) | st.text("0123456789abc;chunk-signature=\r\n:x").map(str.encode))
def test_any_body_is_decoded_or_refused(body: bytes) -> None:
    decoder = ChunkedDecoder(None, trailing=True)
    with contextlib.suppress(S3Error):
        for piece in (body[:7], body[7:]):
            assert sum(map(len, decoder.feed(piece))) <= len(body)
        decoder.finish()


def test_lines_are_bounded() -> None:
    def refused(before: bytes, piece: bytes) -> str:
        decoder = ChunkedDecoder(None, trailing=True)
        list(decoder.feed(before))
        try:
            for _ in range(600):
                list(decoder.feed(piece))
        except S3Error as error:
            return error.code
        return "nothing"

    assert refused(b"", b"1") == "InvalidRequest"
    assert refused(b"0\r\n", b"x") == "InvalidRequest"
    assert refused(b"0\r\n", b"x-a:b\r\n") == "MalformedTrailerError"
