from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from v8box.kit.jsonc import JsonSyntaxError, parse

TEXT = """\
// a comment with { and "
{
  "imports": { "a": "b" }, /* more
  of it */ "v8box": {
    "entry": "x.ts",
    "rate_limit": [
      { "limit": 1 },
      {
        "limit": 2,
      },
    ],
  },
}
"""


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("imports", "a"), 3),
        (("v8box",), 4),
        (("v8box", "entry"), 5),
        (("v8box", "rate_limit", 0, "limit"), 7),
        (("v8box", "rate_limit", 1), 8),
        (("v8box", "rate_limit", 1, "limit"), 9),
        (("v8box", "rate_limit", 1, "by"), 8),
        (("v8box", "missing"), 4),
    ],
)
def test_the_line_of_a_key(path: tuple[str | int, ...], line: int) -> None:
    value, lines = parse(TEXT)
    assert value["v8box"]["rate_limit"] == [{"limit": 1}, {"limit": 2}]
    assert lines.of(*path) == line


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", 1),
        ("{", 1),
        ('{"a": 1', 1),
        ('{\n"a" 1}', 2),
        ('{"a": 1\n "b": 2}', 2),
        ("{'a': 1}", 1),
        ('{"a": NaN}', 1),
        ('{"a": "\\x"}', 1),
        ('{"a": "open\n"}', 1),
        ('{"a": 1,\n"a": 2}', 2),
        ("1 2", 1),
        ("/* open", 1),
        ("[" * 5000, 1),
    ],
)
def test_bad_json_is_one_error_with_a_line(text: str, line: int) -> None:
    with pytest.raises(JsonSyntaxError) as caught:
        parse(text)
    assert caught.value.message
    assert caught.value.line == line


anything: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(anything, st.sampled_from([None, 2]), st.booleans())
def test_all_json_is_read(value: Any, indent: int | None, ascii_only: bool) -> None:
    assert parse(json.dumps(value, indent=indent, ensure_ascii=ascii_only))[0] == value


@given(st.text(alphabet='{}[]",:/*\\ \n1ea'))
def test_any_text_is_a_value_or_an_error(text: str) -> None:
    with contextlib.suppress(JsonSyntaxError):
        parse(text)
