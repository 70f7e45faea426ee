from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from v8box.kit.sourcemap import (
    Position,
    Segment,
    SourceMap,
    SourceMapError,
    decode_mappings,
    encode_mappings,
    map_stack,
)

numbers = st.integers(0, 2**20)
segments = st.builds(Segment, numbers) | st.builds(
    Segment, numbers, st.integers(0, 9), numbers, numbers, st.none() | st.integers(0, 9)
)
lines_of_segments = st.lists(
    st.lists(segments, max_size=6, unique_by=lambda each: each.column).map(lambda s: sorted(s, key=lambda e: e.column)),
    min_size=1,
    max_size=8,
)


def _map(lines: list[list[Segment]]) -> SourceMap:
    sources = [f"functions/{i}.ts" for i in range(10)]
    names = [f"name{i}" for i in range(10)]
    text = {"version": 3, "sources": sources, "names": names, "mappings": encode_mappings(lines)}
    return SourceMap.parse(json.dumps(text))


@given(lines_of_segments)
def test_decoding_undoes_encoding(lines: list[list[Segment]]) -> None:
    assert decode_mappings(encode_mappings(lines)) == lines


@given(lines_of_segments, st.integers(-1, 9), st.integers(-1, 2**20 + 1))
def test_find_is_the_last_segment_at_or_before(lines: list[list[Segment]], line: int, column: int) -> None:
    before = [each for each in lines[line] if each.column <= column] if 0 <= line < len(lines) else []
    found = _map(lines).find(line, column)
    if not before or before[-1].source is None:
        assert found is None
    else:
        last = before[-1]
        name = None if last.name is None else f"name{last.name}"
        assert found == Position(f"functions/{last.source}.ts", last.source_line, last.source_column, name)


@given(st.text(alphabet="AbCg+/9=,;!\x00é", max_size=60))
@example("A" * 100)
@example("gggggggggggggB")
@example("////////////B")
@example("D")
@example("AADA")
def test_hostile_mappings_decode_or_are_refused(mappings: str) -> None:
    try:
        lines = decode_mappings(mappings)
    except SourceMapError:
        return
    for segment in (segment for line in lines for segment in line):
        assert segment.column >= 0
        assert (segment.source or 0) >= 0
        assert segment.source_line >= 0


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        "[]",
        '{"version": 2, "mappings": ""}',
        '{"version": 3}',
        '{"version": 3, "sources": 5, "mappings": ""}',
        '{"version": 3, "sources": [5], "mappings": ""}',
        '{"version": 3, "sources": [], "mappings": "AAAA"}',
        '{"version": 3, "sources": ["a"], "names": [], "mappings": "AAAAA"}',
        "[" * 100_000,
    ],
)
def test_what_is_no_source_map(text: str) -> None:
    with pytest.raises(SourceMapError):
        SourceMap.parse(text)


URL = "blob:null/6e1c0b9e-3c5b-4a2f-9f0e-2f6f1d1f8d11"
STACK = f"""\
Error: line one
    at the second line, which is no frame
    at inner ({URL}:1:11)
    at async Promise.all (index 0)
    at Array.map (<anonymous>)
    at new Thing ({URL}:1:30)
    at eval (eval at inner ({URL}:1:11), <anonymous>:1:1)
    at glue ({URL}:1:3)
    at {URL}:2:1
    at async {URL}:2:1
    at node:internal/timers:5:5
    at Object.runMicrotasks (ext:core/01_core.js:1:1)
    at invoke (file:///somewhere/runtime/main.js:3:4)
    at data:text/javascript,x:1:1"""


def test_a_stack_is_told_in_the_users_files() -> None:
    lines = [[Segment(0), Segment(5, 0, 41, 2), Segment(20, 1, 6, 0)], [Segment(0, 2, 0, 15)]]
    assert (
        map_stack(STACK, _map(lines))
        == """\
Error: line one
    at the second line, which is no frame
    at inner (functions/0.ts:42:3)
    at async Promise.all (index 0)
    at Array.map (<anonymous>)
    at new Thing (functions/1.ts:7:1)
    at eval (functions/0.ts:42:3)
    at functions/2.ts:1:16
    at async functions/2.ts:1:16"""
    )


def test_only_the_bundles_own_address_is_mapped() -> None:
    stack = f"Error\n    at f (blob:null/other:1:1)\n    at g ({URL}:1:1)"
    mapped = map_stack(stack, _map([[Segment(0, 3, 0, 0)]]), module=URL)
    assert mapped == "Error\n    at f (blob:null/other:1:1)\n    at g (functions/3.ts:1:1)"


@given(st.text(max_size=200), lines_of_segments)
def test_any_text_may_come_as_a_stack(stack: str, lines: list[list[Segment]]) -> None:
    assert len(map_stack(stack, _map(lines)).split("\n")) <= len(stack.split("\n"))
