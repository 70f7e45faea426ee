"""The two halves of the wire's dictionary say the same: names, values, order."""

from __future__ import annotations

import re
from enum import IntEnum
from pathlib import Path

import pytest

import v8box
from v8box.sandbox import protocol

TYPESCRIPT = (Path(v8box.__file__).parent / "runtime/protocol.ts").read_text()
NUMBER = re.compile(r"[0-9_]+( \* [0-9_]+)*")


def numbers(text: str) -> dict[str, int]:
    """`export const NAME = 16 * 1024;`"""
    found = {}
    for name, value in re.findall(r"^export const ([A-Z_]+) = (.+);$", text, re.MULTILINE):
        assert NUMBER.fullmatch(value), f"{name} is not a number this test can read: {value}"
        product = 1
        for factor in value.split(" * "):
            product *= int(factor)
        found[name] = product
    return found


def objects(text: str) -> dict[str, dict[str, int]]:
    """`export const Kind = { HELLO: 1, … } as const;`"""
    return {
        name: {key: int(value) for key, value in re.findall(r"([A-Z_]+): (\d+),", body)}
        for name, body in re.findall(r"^export const (\w+) = \{\n(.*?)^\} as const;$", text, re.MULTILINE | re.DOTALL)
    }


def test_every_export_is_read() -> None:
    exported = re.findall(r"^export const (\w+)", TYPESCRIPT, re.MULTILINE)
    assert sorted(exported) == sorted([*numbers(TYPESCRIPT), *objects(TYPESCRIPT)])


def test_the_numbers_are_the_same() -> None:
    python = {name: value for name, value in vars(protocol).items() if name.isupper() and type(value) is int}
    assert numbers(TYPESCRIPT) == python


@pytest.mark.parametrize("words", [protocol.Kind, protocol.Flag, protocol.Level])
def test_the_words_are_the_same(words: type[IntEnum]) -> None:
    assert objects(TYPESCRIPT)[words.__name__] == {member.name: member.value for member in words}


def test_there_are_no_other_words() -> None:
    python = {name for name, value in vars(protocol).items() if isinstance(value, type) and issubclass(value, IntEnum)}
    assert set(objects(TYPESCRIPT)) == python - {"IntEnum"}


def test_the_header_is_as_long_as_it_says() -> None:
    assert len(protocol.pack_header(12, 1, 0, 0, 0, 0)) == protocol.HEADER_BYTES


def test_flags_are_single_bits() -> None:
    assert [flag.bit_count() for flag in protocol.Flag] == [1] * len(protocol.Flag)
