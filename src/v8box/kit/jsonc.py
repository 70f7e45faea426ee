"""JSON with comments, as deno.json is written, with line numbers: what `kit.toml` is for TOML.

`//` and `/* */` comments and commas at the end are allowed; everything else is JSON (RFC 8259). Of two members of one
name the file is refused: which one counts would be a guess.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

from v8box.kit.toml import Lines, Path

_BLANK: Final = re.compile(r"(?:[ \t\r\n]+|//[^\n]*|/\*.*?\*/)*", re.DOTALL)
_STRING: Final = re.compile(r'"(?:[^"\\\x00-\x1f]|\\.)*"')
_WORD: Final = re.compile(r"[A-Za-z0-9+.-]+")
_MAX_DEPTH: Final = 64


class JsonSyntaxError(Exception):
    """The text is not JSON, as seen on `line`."""

    def __init__(self, message: str, line: int) -> None:
        self.message = message
        self.line = line
        super().__init__(message)


def parse(text: str) -> tuple[Any, Lines]:
    """The value of a JSON text and the lines of its keys. Raises `JsonSyntaxError`."""
    reader = _Reader(text.removeprefix("\ufeff"))
    value = reader.document()
    return value, Lines(reader.found)


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._counted = 0
        self._lines = 1
        self.found: dict[Path, int] = {}

    def document(self) -> Any:
        self._blank()
        value = self._value((), 0)
        self._blank()
        if self._at < len(self._text):
            raise self._error("something follows the end of the value")
        return value

    def _value(self, path: Path, depth: int) -> Any:
        if depth > _MAX_DEPTH:
            raise self._error("nested too deeply")
        opener = self._text[self._at : self._at + 1]
        if opener == "{":
            return self._object(path, depth)
        if opener == "[":
            return self._array(path, depth)
        match = (_STRING if opener == '"' else _WORD).match(self._text, self._at)
        if match is None:
            raise self._error("a value is missing" if opener != '"' else "a text that does not end on its line")
        try:
            value = json.loads(match[0], parse_constant=_no_constant)
        except ValueError:
            raise self._error(f"{match[0]:.40} is no JSON value") from None
        self._at = match.end()
        return value

    def _object(self, path: Path, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        self._at += 1
        while not self._ends("}"):
            match = _STRING.match(self._text, self._at)
            if match is None:
                raise self._error("a name in double quotes is missing")
            try:
                name = json.loads(match[0])
            except ValueError:
                raise self._error(f"{match[0]:.40} is no JSON text") from None
            if name in found:
                raise self._error(f"{name!r:.60} is there twice")
            line = self.found[(*path, name)] = self._line()
            self._at = match.end()
            self._blank()
            if not self._text.startswith(":", self._at):
                raise self._error("a colon is missing", line)
            self._at += 1
            self._blank()
            found[name] = self._value((*path, name), depth + 1)
            self._comma("}")
        self._at += 1
        return found

    def _array(self, path: Path, depth: int) -> list[Any]:
        found: list[Any] = []
        self._at += 1
        while not self._ends("]"):
            item = (*path, len(found))
            self.found[item] = self._line()
            found.append(self._value(item, depth + 1))
            self._comma("]")
        self._at += 1
        return found

    def _ends(self, closer: str) -> bool:
        self._blank()
        if self._at >= len(self._text):
            raise self._error(f"a {closer} is missing at the end")
        return self._text[self._at] == closer

    def _comma(self, closer: str) -> None:
        if not self._ends(closer):
            if self._text[self._at] != ",":
                raise self._error("a comma is missing")
            self._at += 1

    def _blank(self) -> None:
        match = _BLANK.match(self._text, self._at)
        self._at = match.end() if match else self._at

    def _line(self) -> int:
        self._lines += self._text.count("\n", self._counted, self._at)
        self._counted = self._at
        return self._lines

    def _error(self, message: str, line: int | None = None) -> JsonSyntaxError:
        return JsonSyntaxError(message, self._line() if line is None else line)


def _no_constant(word: str) -> Any:
    raise ValueError(f"{word} is no JSON")
