"""`.env` files: what is read, and what is told of lines that cannot be."""

from __future__ import annotations

import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from v8box.catalog.variables import BadVariables
from v8box.errors import BadRequest, PayloadTooLarge
from v8box.features.variables.env_file import MAX_BYTES, read_env_file

FILE = b"""\xef\xbb\xbf# a comment
PLAIN=value
export EXPORTED=yes\r
SPACED = around # and a comment
EMPTY=
QUOTED='single # no comment'
ESCAPES="line one\\nline two \\"quoted\\""
LINES="one
two"
NOT_EXPANDED=$HOME/${PLAIN}
URL=https://a:b@c/?d=e#f

LAST=1"""

ENV = st.from_regex(r"\A[A-Z][A-Z0-9_]{0,20}\Z").filter(
    lambda name: not name.startswith(("V8BOX_", "DENO_", "LD_", "OTEL_"))
)
VALUE = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=60)


def faults(body: bytes) -> list[str]:
    with pytest.raises(BadVariables) as caught:
        read_env_file(body)
    return caught.value.faults


def test_a_file_as_people_write_them() -> None:
    assert read_env_file(FILE) == {
        "PLAIN": "value",
        "EXPORTED": "yes",
        "SPACED": "around",
        "EMPTY": "",
        "QUOTED": "single # no comment",
        "ESCAPES": 'line one\nline two "quoted"',
        "LINES": "one\ntwo",
        "NOT_EXPANDED": "$HOME/${PLAIN}",
        "URL": "https://a:b@c/?d=e#f",
        "LAST": "1",
    }


def test_every_bad_line_is_told_with_its_number_and_without_what_it_holds() -> None:
    body = (
        b"""A=1

    # spaced comment
hunter2
B='open
C=2
A=3
LD_PRELOAD=x
1D=x
E=has "no fault
F="closed" hunter2
G="""
        + b"x" * 16_385
    )
    told = faults(body)
    assert told == [
        "line 4: there is no = after the name",
        "line 5 is no NAME=value, or a quote in it is not closed",
        "line 7: A is set in line 1 already",
        "line 8: the name is reserved: V8BOX_ DENO_ LD_ OTEL_ belong to the platform",
        "line 9: the name is no variable's name: letters, digits and underscore, 128 bytes at most",
        "line 11 is no NAME=value, or a quote in it is not closed",
        "line 12: the value is longer than 16 KB",
    ]
    assert "hunter2" not in "".join(told)


def test_line_ends_of_every_kind_are_counted() -> None:
    assert faults(b"A=1\r\n\r\nB=2\rbad\nC=3") == ["line 4: there is no = after the name"]


def test_what_is_no_text_is_told_with_its_line() -> None:
    with pytest.raises(BadRequest, match="line 2"):
        read_env_file(b"A=1\nB=\xff\n")
    assert faults(b"A=a\0b") == ["line 1: the value must not hold a NUL character"]
    with pytest.raises(PayloadTooLarge):
        read_env_file(b"#" * (MAX_BYTES + 1))


def test_what_would_take_the_parser_long_is_refused() -> None:
    assert faults(b"A=1\nB=" + b" " * 500_000 + b"x") == [
        "line 2 has more than 64 blanks in a row: send this variable as JSON"
    ]
    read_env_file(b"\n" * 500_000)
    faults(b'A="\n' * 100_000)
    faults(b"A='\\'\n" * 100_000)


@given(st.dictionaries(ENV, VALUE, max_size=8))
def test_what_is_written_is_read(variables: dict[str, str]) -> None:
    escape = str.maketrans({"\\": "\\\\", '"': '\\"'})
    body = "\n".join(f'{name}="{value.translate(escape)}"' for name, value in variables.items())
    if not re.search(r"[^\S\r\n]{65}", body):
        assert read_env_file(body.encode()) == variables


@given(st.text(string.printable + "é\u2028", max_size=200) | st.binary(max_size=200))
def test_anything_is_read_or_told(body: str | bytes) -> None:
    data = body if isinstance(body, bytes) else body.encode()
    try:
        read = read_env_file(data)
    except BadRequest as error:
        lines = [int(number) for number in re.findall(r"\bline (\d+)", error.detail)]
        assert lines
        assert all(1 <= line <= len(re.findall(rb"\r\n|\r|\n", data)) + 1 for line in lines)
    else:
        assert all(name.isidentifier() for name in read)
