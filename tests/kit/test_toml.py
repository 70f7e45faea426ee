from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from v8box.kit.toml import TomlSyntaxError, parse

TEXT = """\
# a comment with [brackets] and = signs
top = "a # b"

[box]
port = 8000 # why
text = \"\"\"
[workers.fake]
key = 1 \\\"\"\" \"\"\"\"
list = [
  1, # one
  { inner = 2 },
]

[workers.hello.limits]
wall_ms = 5
"quoted key" = { a.b = 1, c = '}' }
[workers."x.y"]
entry = 'lit#eral'
[[many]]
first = 1
[[many]]
second = 2
"""


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("top",), 2),
        (("box",), 4),
        (("box", "port"), 5),
        (("box", "text"), 6),
        (("box", "list"), 9),
        (("box", "list", 1, "inner"), 11),
        (("workers",), 14),
        (("workers", "hello"), 14),
        (("workers", "hello", "limits", "wall_ms"), 15),
        (("workers", "hello", "limits", "quoted key", "a", "b"), 16),
        (("workers", "hello", "limits", "quoted key", "c"), 16),
        (("workers", "x.y", "entry"), 18),
        (("many", "first"), 20),
        (("many", "second"), 22),
        (("workers", "hello", "missing"), 14),
        (("nowhere",), 1),
    ],
)
def test_the_line_of_a_key(path: tuple[str | int, ...], line: int) -> None:
    _, lines = parse(TEXT)
    assert lines.of(*path) == line


def test_windows_line_ends_count_as_one() -> None:
    _, lines = parse("a = 1\r\n[t]\r\nb = '''x\r\ny'''\r\nc = 2\r\n")
    assert [lines.of("a"), lines.of("t"), lines.of("t", "b"), lines.of("t", "c")] == [1, 2, 3, 5]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a = 1\nb = \n", 2),
        ("a = 1\na = 2\n", 2),
        ("a = 1\nx = 'open\n\n", 2),
        ("[a]\n[a]\n", 2),
        ("=", 1),
        ("k = " + "[" * 5000, 1),
    ],
)
def test_bad_toml_is_one_error_with_a_line(text: str, line: int) -> None:
    with pytest.raises(TomlSyntaxError) as caught:
        parse(text)
    assert caught.value.message
    assert caught.value.line == line


keys = st.text(min_size=1, max_size=8).filter(lambda key: "\r" not in key)
values: st.SearchStrategy[Any] = st.recursive(
    st.integers(-10, 10) | st.booleans() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=8,
)


def _inline(value: Any, gap: str) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_quoted(key)} = {_inline(item, '')}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + "".join(f"{gap}{_inline(item, gap)}," for item in value) + f"{gap}]"
    return _quoted(value) if isinstance(value, str) else json.dumps(value)


def _quoted(text: str) -> str:
    return '"' + "".join(c if c.isalnum() and c.isascii() else f"\\U{ord(c):08x}" for c in text) + '"'


@given(
    st.dictionaries(keys, st.dictionaries(keys, values, max_size=4), max_size=4),
    st.sampled_from(["", "\n", "\n # ]\n"]),
)
def test_every_key_is_found_where_it_was_written(tables: dict[str, dict[str, Any]], gap: str) -> None:
    written: dict[tuple[str, ...], int] = {}
    text = ""
    for table, entries in tables.items():
        written[(table,)] = text.count("\n") + 1
        text += f"[{_quoted(table)}] # [no.table]\n"
        for key, value in entries.items():
            written[(table, key)] = text.count("\n") + 1
            text += f"  {_quoted(key)} = {_inline(value, gap)} # a = 1\n"
    parsed, lines = parse(text)
    assert parsed == tables
    assert {path: lines.of(*path) for path in written} == written


def test_items_of_arrays_have_lines_of_their_own() -> None:
    text = """[w]
[[w.many]]
a = 1
[[w.many]]
a = 2
[w.many.below]
b = 1
[w.x]
list = [
  { c = 1 },
  { d = 1, c = 2 },
  3,
]
"""
    _, lines = parse(text)
    wanted = {
        ("w", "many"): 2,
        ("w", "many", 0): 2,
        ("w", "many", 0, "a"): 3,
        ("w", "many", 1): 4,
        ("w", "many", 1, "a"): 5,
        ("w", "many", 1, "below", "b"): 7,
        ("w", "many", 1, "missing"): 4,
        ("w", "x", "list", 0, "c"): 10,
        ("w", "x", "list", 1, "c"): 11,
        ("w", "x", "list", 2): 12,
        ("w", "x", "list", "c"): 10,
    }
    assert {path: lines.of(*path) for path in wanted} == wanted
