"""Source maps, version 3: decoding, looking up a position, and a JavaScript stack in terms of the user's own files.

Lines and columns are counted from 0 inside a map, as the format does, and from 1 in a stack, as V8 does.
"""

from __future__ import annotations

import bisect
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

_DIGITS: Final = {c: i for i, c in enumerate("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")}
_LETTERS: Final = tuple(_DIGITS)
_CONTINUES: Final = 32
_MAX_VALUE: Final = 2**31 - 1  # what the format allows; beyond it a map is broken or hostile

_FRAME: Final = re.compile(r"^(?P<indent>\s*at )(?P<where>.*)$")
_CALL: Final = re.compile(r"^(?P<name>.*) \((?P<place>.*)\)$")
_PLACE: Final = re.compile(r"^(?P<url>.*):(?P<line>\d{1,9}):(?P<column>\d{1,9})$")
_EVAL: Final = re.compile(r"^(?:(?P<name>.*?) \()?eval at .*?\((?P<place>[^()]+:\d+:\d+)\)")
_PLATFORM: Final = ("ext:", "node:", "file:", "data:", "deno:", "checkin:")


class SourceMapError(ValueError):
    """The text is no source map, or its mappings are broken."""


@dataclass(frozen=True, slots=True)
class Segment:
    """From `column` of a generated line on, the code comes from this place. `source` is None: from nowhere."""

    column: int
    source: int | None = None
    source_line: int = 0
    source_column: int = 0
    name: int | None = None


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a source. Line and column count from 0."""

    source: str
    line: int
    column: int
    name: str | None = None


class SourceMap:
    """A decoded map. `lines[i]` are the segments of the generated line i, by column."""

    def __init__(self, sources: Sequence[str], names: Sequence[str], lines: Sequence[Sequence[Segment]]) -> None:
        self.sources = tuple(sources)
        self.names = tuple(names)
        self._lines = lines
        self._columns: dict[int, list[int]] = {}

    @classmethod
    def parse(cls, data: bytes | str) -> SourceMap:
        """Raises `SourceMapError`."""
        try:
            raw: Any = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise SourceMapError("not JSON") from error
        if not isinstance(raw, dict) or raw.get("version") != 3 or not isinstance(raw.get("mappings"), str):
            raise SourceMapError("not a source map of version 3")
        sources = _texts(raw.get("sources", []))
        names = _texts(raw.get("names", []))
        lines = decode_mappings(raw["mappings"])
        for segment in (segment for line in lines for segment in line):
            if segment.source is not None and segment.source >= len(sources):
                raise SourceMapError("a mapping points to a source that is not there")
            if segment.name is not None and segment.name >= len(names):
                raise SourceMapError("a mapping points to a name that is not there")
        return cls(sources, names, lines)

    def find(self, line: int, column: int) -> Position | None:
        """Where the code at a generated position comes from; None when it comes from no source."""
        if not 0 <= line < len(self._lines):
            return None
        segments = self._lines[line]
        if line not in self._columns:
            self._columns[line] = [segment.column for segment in segments]
        index = bisect.bisect_right(self._columns[line], column) - 1
        if index < 0 or (source := segments[index].source) is None:
            return None
        found = segments[index]
        name = None if found.name is None else self.names[found.name]
        return Position(self.sources[source], found.source_line, found.source_column, name)


def decode_mappings(mappings: str) -> list[list[Segment]]:
    """The `mappings` of a map: for each generated line its segments, by column. Raises `SourceMapError`."""
    lines: list[list[Segment]] = []
    source = line = column = name = 0
    for text in mappings.split(";"):
        generated = 0
        segments: list[Segment] = []
        for part in text.split(",") if text else ():
            values = _decode_numbers(part)
            if len(values) not in (1, 4, 5):
                raise SourceMapError("a segment has 1, 4 or 5 fields")
            generated += values[0]
            if len(values) == 1:
                segment = Segment(generated)
            else:
                source, line, column = source + values[1], line + values[2], column + values[3]
                name += values[4] if len(values) == 5 else 0
                segment = Segment(generated, source, line, column, name if len(values) == 5 else None)
            if min(generated, source, line, column, name) < 0 or max(generated, line, column) > _MAX_VALUE:
                raise SourceMapError("a position is out of range")
            segments.append(segment)
        segments.sort(key=lambda each: each.column)
        lines.append(segments)
    return lines


def encode_mappings(lines: Iterable[Iterable[Segment]]) -> str:
    """The inverse of `decode_mappings`."""
    written: list[str] = []
    source = line = column = name = 0
    for segments in lines:
        generated = 0
        parts: list[str] = []
        for each in segments:
            values = [each.column - generated]
            generated = each.column
            if each.source is not None:
                values += [each.source - source, each.source_line - line, each.source_column - column]
                source, line, column = each.source, each.source_line, each.source_column
                if each.name is not None:
                    values.append(each.name - name)
                    name = each.name
            parts.append("".join(map(_encode_number, values)))
        written.append(",".join(parts))
    return ";".join(written)


def map_stack(stack: str, source_map: SourceMap, *, module: str = "blob:") -> str:
    """A stack as V8 wrote it, in terms of the user's files. `module` begins the address of the bundle.

    Frames of the platform and of the bundler's own glue are dropped; those of the language itself (`Array.map`) stay,
    and so does every line that is no frame: messages may have several lines.
    """
    kept: list[str] = []
    for line in stack.split("\n"):
        match = _FRAME.match(line)
        frame = line if match is None else _map_frame(match, source_map, module)
        if frame is not None:
            kept.append(frame)
    return "\n".join(kept)


def _map_frame(frame: re.Match[str], source_map: SourceMap, module: str) -> str | None:
    where = frame["where"]
    call = _EVAL.match(where) or _CALL.match(where)
    name, place = (call["name"], call["place"]) if call else (None, where.removeprefix("async "))
    at = _PLACE.match(place)
    if at is None:
        return None if place.startswith(_PLATFORM) else frame[0]
    if not at["url"].startswith(module):
        return None if at["url"].startswith(_PLATFORM) else frame[0]
    found = source_map.find(int(at["line"]) - 1, int(at["column"]) - 1)
    if found is None:
        return None
    written = f"{found.source}:{found.line + 1}:{found.column + 1}"
    if name is None:
        prefix = "async " if where.startswith("async ") else ""
        return f"{frame['indent']}{prefix}{written}"
    return f"{frame['indent']}{name} ({written})"


def _texts(values: Any) -> list[str]:
    if not isinstance(values, list) or not all(isinstance(value, str | None) for value in values):
        raise SourceMapError("sources and names must be lists of texts")
    return [value or "" for value in values]


def _decode_numbers(text: str) -> list[int]:
    numbers: list[int] = []
    value = shift = 0
    for letter in text:
        digit = _DIGITS.get(letter)
        if digit is None:
            raise SourceMapError("a mapping holds a letter that is not base64")
        value |= (digit & 31) << shift
        if digit & _CONTINUES:
            shift += 5
            if shift > 30:
                raise SourceMapError("a number of a mapping is too large")
        else:
            numbers.append(-(value >> 1) if value & 1 else value >> 1)
            value = shift = 0
    if shift:
        raise SourceMapError("a mapping ends inside a number")
    return numbers


def _encode_number(number: int) -> str:
    value = (-number << 1) | 1 if number < 0 else number << 1
    letters: list[str] = []
    while True:
        digit, value = value & 31, value >> 5
        letters.append(_LETTERS[digit | _CONTINUES if value else digit])
        if not value:
            return "".join(letters)
