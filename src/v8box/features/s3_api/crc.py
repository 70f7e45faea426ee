"""CRC-32C and CRC-64/NVME, which the standard library lacks, as fast as Python's long integers shift and add.

A block is one polynomial over GF(2). Its high powers are folded onto the low ones by a congruence x^m = x^a + x^b + …
that has few terms, so a block costs some shifts and XORs of whole integers instead of a table look-up per byte. The
congruences were found by search; a test checks each of them, and the check values of both CRCs.
"""

from __future__ import annotations

from typing import Final

BLOCK_BYTES: Final = 65_536


class Fold:
    """x^m = the sum of x^e for the exponents e, modulo the CRC's polynomial."""

    __slots__ = ("exponents", "m")

    def __init__(self, m: int, exponents: tuple[int, ...]) -> None:
        self.m = m
        self.exponents = exponents

    def doubled(self, times: int) -> Fold:
        """The same with all powers doubled so often: squaring keeps a congruence over GF(2)."""
        return Fold(self.m << times, tuple(exponent << times for exponent in self.exponents))

    def apply(self, value: int, length: int) -> tuple[int, int]:
        """A polynomial of `length` bits brought close to m of them. Bit 0 is its highest power."""
        reach = self.exponents[-1]
        while length > self.m + reach:
            taken = min(length - self.m, self.m - reach)
            high = value & ((1 << taken) - 1)
            value >>= taken
            length -= taken
            for exponent in self.exponents:
                value ^= high << (self.m - exponent - taken)
        return value, length


class Polynomial:
    """A CRC on reflected bits, whose register has all bits set at the start and is inverted at the end."""

    def __init__(self, reflected: int, bits: int, folds: list[Fold]) -> None:
        self.bits = bits
        self.folds = folds
        self.all_bits = (1 << bits) - 1
        self._table = [_table_entry(byte, reflected) for byte in range(256)]

    def advance(self, register: int, block: bytes | memoryview) -> int:
        """The register after a block, which should not be longer than `BLOCK_BYTES`."""
        rest: bytes | memoryview = block
        length = len(block) * 8
        if length > self.folds[-1].m * 2:
            value = int.from_bytes(block, "little") ^ register
            register = 0
            for fold in self.folds:
                value, length = fold.apply(value, length)
            missing = -length % 8  # the highest powers, which are zero now: to have whole bytes again
            rest = (value << missing).to_bytes((length + missing) // 8, "little")
        table = self._table
        for byte in rest:
            register = table[(register ^ byte) & 0xFF] ^ (register >> 8)
        return register


def _table_entry(byte: int, reflected: int) -> int:
    for _ in range(8):
        byte = (byte >> 1) ^ (reflected if byte & 1 else 0)
    return byte


def _folds(*given: tuple[int, int, tuple[int, ...]]) -> list[Fold]:
    """From (doublings, m, exponents), the longest first: each with all its doublings."""
    return [Fold(m, exponents).doubled(times) for most, m, exponents in given for times in range(most, -1, -1)]


CRC32C: Final = Polynomial(
    0x82F63B78,
    32,
    _folds(
        (2, 73_444, (0, 3, 20, 25, 27)),
        (3, 6_305, (0, 12, 18, 19, 20, 28, 29)),
        (3, 685, (0, 3, 11, 15, 19, 23, 25, 26, 31)),
    ),
)
CRC64NVME: Final = Polynomial(
    0x9A6C9329AC4BC9B5,
    64,
    _folds(
        (0, 282_936, (0, 4, 5, 13, 16, 20, 24, 26, 29, 30, 36, 40, 41, 45, 46, 50)),
        (1, 63_550, (0, 11, 18, 21, 22, 25, 31, 32, 38, 43, 44, 46, 50, 51, 55, 58, 63)),
        (5, 865, (0, 2, 3, 4, 6, 7, 13, 16, 18, 20, 29, 30, 31, 33, 37, 40, 41, 43, 59)),
    ),
)


class Crc:
    """A running CRC with the methods of `hashlib`'s objects that are needed here. It holds up to a block back: folding
    is worth the more, the longer the block."""

    def __init__(self, polynomial: Polynomial) -> None:
        self._polynomial = polynomial
        self._register = polynomial.all_bits
        self._waiting = bytearray()

    def update(self, data: bytes, /) -> None:
        self._waiting += data
        whole = len(self._waiting) // BLOCK_BYTES * BLOCK_BYTES
        if whole:
            self._advance(whole)
            del self._waiting[:whole]

    def digest(self) -> bytes:
        """The CRC of everything. Call it once, at the end."""
        self._advance(len(self._waiting))
        self._waiting.clear()
        return (self._register ^ self._polynomial.all_bits).to_bytes(self._polynomial.bits // 8, "big")

    def _advance(self, end: int) -> None:
        with memoryview(self._waiting) as view:
            for start in range(0, end, BLOCK_BYTES):
                self._register = self._polynomial.advance(self._register, view[start : min(start + BLOCK_BYTES, end)])
