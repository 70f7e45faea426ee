"""TOML with line numbers: `tomllib` gives values only, and an error about a key should say on which line it stands.

`parse` returns the values and a `Lines`, which finds the line of a key path such as ("workers", "hello", "limits").
The locator reads headers and keys only. `tomllib` has checked the text before, so it may trust the syntax.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from typing import Any, Final

Path = tuple[str | int, ...]

_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")
_LINE_IN_ERROR: Final = re.compile(r"\(at line (\d+), column \d+\)")
_AT_THE_END: Final = "(at end of document)"


class TomlSyntaxError(Exception):
    """The text is not TOML, as seen on `line`."""

    def __init__(self, message: str, line: int) -> None:
        self.message = message
        self.line = line
        super().__init__(message)


class Lines:
    """Where the keys of a TOML text stand. Lines count from 1."""

    def __init__(self, found: Mapping[Path, int]) -> None:
        self._found = dict(found)
        for path, line in found.items():  # whoever does not say which item means the first that has the key
            self._found.setdefault(tuple(part for part in path if isinstance(part, str)), line)

    def of(self, *path: str | int) -> int:
        """The line of `path`, or of its nearest parent that has one. A number is the place of an item in an array, from
        0; a plain item stands where its key does."""
        keys: Path = path
        while keys:
            if (line := self._found.get(keys)) is not None:
                return line
            keys = keys[:-1]
        return 1


def parse(text: str) -> tuple[dict[str, Any], Lines]:
    """The values of a TOML text and the lines of its keys. Raises `TomlSyntaxError`."""
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        at = _LINE_IN_ERROR.search(str(error))
        message = _LINE_IN_ERROR.sub("", str(error)).removesuffix(_AT_THE_END).strip()
        raise TomlSyntaxError(message, int(at[1]) if at else text.rstrip().count("\n") + 1) from error
    except RecursionError as error:
        raise TomlSyntaxError("nested too deeply", 1) from error
    return values, Lines(_Locator(text).run())


class _Locator:
    """One pass over a text that is known to be TOML, noting each key path with the line it first stands on."""

    def __init__(self, text: str) -> None:
        self._text = text.replace("\r\n", "\n")
        self._at = 0
        self._found: dict[Path, int] = {}
        self._items: dict[Path, int] = {}  # of arrays of tables: the place of the item that is being written
        self._counted = 0  # up to here the lines are counted
        self._lines = 1

    def run(self) -> dict[Path, int]:
        table: Path = ()
        while self._skip_blank():
            if self._text[self._at] == "[":
                is_item = self._text.startswith("[[", self._at)
                self._at += 2 if is_item else 1
                line = self._line()
                table = self._key((), is_item)
                if is_item:
                    self._items[table] = self._items.get(table, -1) + 1
                    table = (*table, self._items[table])
                    self._found[table] = line
                self._at = self._end_of_line()
            else:
                self._pair(table)
        return self._found

    def _line(self) -> int:
        self._lines += self._text.count("\n", self._counted, self._at)
        self._counted = self._at
        return self._lines

    def _pair(self, table: Path) -> None:
        path = self._key(table)
        self._at += 1  # the equals sign
        self._value(path)

    def _key(self, prefix: Path, is_item: bool = False) -> Path:
        """A dotted key; leaves the position at what follows it. Each part is noted as a path of its own. Below an array
        of tables it is about the last item, unless it begins another one (`is_item`)."""
        path = prefix
        while True:
            self._skip_spaces()
            path = (*path, self._key_part())
            self._found.setdefault(path, self._line())
            self._skip_spaces()
            ends = not self._text.startswith(".", self._at)
            if path in self._items and not (ends and is_item):
                path = (*path, self._items[path])
            if ends:
                return path
            self._at += 1

    def _key_part(self) -> str:
        start = self._at
        if self._text[start] in "\"'":
            self._skip_string()
            (name,) = tomllib.loads(f"{self._text[start : self._at]} = 0")
            return str(name)
        match = _BARE.match(self._text, start)
        if match is None:
            raise AssertionError("the text was checked to be TOML")
        self._at = match.end()
        return match[0]

    def _value(self, path: Path) -> None:
        self._skip_spaces()
        opener = self._text[self._at]
        if opener == "{":
            self._inline_table(path)
        elif opener == "[":
            self._at += 1
            count = 0
            while self._skip_blank() and self._text[self._at] != "]":
                if self._text[self._at] == ",":
                    self._at += 1
                else:
                    self._found[(*path, count)] = self._line()
                    self._value((*path, count))
                    count += 1
            self._at += 1
        elif opener in "\"'":
            self._skip_string()
        else:
            while self._at < len(self._text) and self._text[self._at] not in ",]}#\n":
                self._at += 1

    def _inline_table(self, path: Path) -> None:
        self._at += 1
        while self._skip_blank() and self._text[self._at] != "}":
            if self._text[self._at] == ",":
                self._at += 1
            else:
                self._pair(path)
        self._at += 1

    def _skip_string(self) -> None:
        quote = self._text[self._at]
        fence = quote * 3 if self._text.startswith(quote * 3, self._at) else quote
        self._at += len(fence)
        while not self._text.startswith(fence, self._at):
            self._at += 2 if quote == '"' and self._text[self._at] == "\\" else 1
        self._at += len(fence)
        while len(fence) == 3 and self._text.startswith(quote, self._at):  # up to two quotes may touch the fence
            self._at += 1

    def _skip_spaces(self) -> None:
        while self._text.startswith((" ", "\t"), self._at):
            self._at += 1

    def _skip_blank(self) -> bool:
        """Skip white space, line ends and comments; tell whether anything is left."""
        while self._at < len(self._text):
            if self._text[self._at] == "#":
                self._at = self._end_of_line()
            elif self._text[self._at] in " \t\n\r":
                self._at += 1
            else:
                return True
        return False

    def _end_of_line(self) -> int:
        end = self._text.find("\n", self._at)
        return len(self._text) if end < 0 else end
