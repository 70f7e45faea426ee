"""Files of rows, read piece by piece: whatever their size, a row and a buffer are in memory. A row knows its line."""

from __future__ import annotations

import codecs
import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, BinaryIO, Final, Literal

from v8box.errors import BadRequest

Format = Literal["csv", "json", "jsonl", "sql"]
MAX_ROW_BYTES: Final = 10_000_000
"""One row, as one value of a database."""
MAX_COLUMNS: Final = 500
_CHUNK: Final = 256 * 1024
_DELIMITERS: Final = ",;\t|"
_SPACE: Final = " \t\r\n"

csv.field_size_limit(MAX_ROW_BYTES)  # of the whole process; nothing else here reads CSV


class ImportRefused(BadRequest):
    """The file cannot be imported, and nothing of it was."""

    code = "import_refused"

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message if line is None else f"Line {line}: {message}")
        self.line = line
        """Where in the file, from 1."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row, at the line where it begins. Values by position (CSV) or by name (JSON)."""

    line: int
    values: list[Any] | dict[str, Any]


def format_of(name: str) -> Format | None:
    """By a file's name."""
    ending = name.rpartition(".")[2].lower()
    known: Mapping[str, Format] = {
        "csv": "csv",
        "tsv": "csv",
        "txt": "csv",
        "json": "json",
        "jsonl": "jsonl",
        "ndjson": "jsonl",
        "sql": "sql",
    }
    return known.get(ending)


def rows_of(file: BinaryIO, kind: Format, delimiter: str, *, whole: bool = True) -> Iterator[Row]:
    """The rows of a file; of CSV also the first, which may name the columns. What is not `whole` may end in the middle
    of one, which is left out. Raises `ImportRefused`."""
    match kind:
        case "csv":
            return _csv_rows(file, delimiter, whole)
        case "json":
            return _json_rows(file, whole)
        case "jsonl":
            return _json_lines(file, whole)
        case _:
            raise ImportRefused("SQL has statements, not rows.")


def guess_delimiter(sample: bytes) -> str:
    """The one that makes the most columns, as many in each of the first lines."""
    text = sample.decode("utf-8-sig", "replace")
    best, most = ",", 1
    for delimiter in _DELIMITERS:
        try:
            widths = [len(row) for row in islice(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), 20)]
        except csv.Error:
            continue
        widths = widths[:-1] or widths  # the last may be cut off
        if widths and min(widths) == max(widths) > most:
            best, most = delimiter, widths[0]
    return best


# ---- CSV


def _lines(file: BinaryIO, whole: bool) -> Iterator[str]:
    """Lines with their ends, as text. In a file that is cut off, one without an end is left out."""
    number = 0
    while line := file.readline(MAX_ROW_BYTES + 1):
        number += 1
        if len(line) > MAX_ROW_BYTES:
            raise ImportRefused(f"it is longer than {MAX_ROW_BYTES} bytes", number)
        if not whole and not line.endswith(b"\n"):
            return
        if number == 1:
            if line.startswith((b"\xff\xfe", b"\xfe\xff")):
                raise ImportRefused("the file is in UTF-16: save it as UTF-8.")
            line = line.removeprefix(b"\xef\xbb\xbf")
        try:
            yield line.decode()
        except UnicodeDecodeError as error:
            raise ImportRefused(f"byte {error.start + 1} is not UTF-8: save the file as UTF-8", number) from error


def _csv_rows(file: BinaryIO, delimiter: str, whole: bool) -> Iterator[Row]:
    reader = csv.reader(_lines(file, whole), delimiter=delimiter, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            values = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            if not whole and "unexpected end" in str(error):
                return
            raise ImportRefused(f"this is no CSV: {error}", line) from error
        if values:
            if len(values) > MAX_COLUMNS:
                raise ImportRefused(f"it has {len(values)} columns; a table may have {MAX_COLUMNS}", line)
            yield Row(line, list(values))


# ---- JSON


def _refuse(constant: str) -> Any:
    raise ValueError(f"JSON has no {constant}")


_decoder: Final = json.JSONDecoder(parse_constant=_refuse)


def _json_lines(file: BinaryIO, whole: bool) -> Iterator[Row]:
    for number, line in enumerate(_lines(file, whole), 1):
        if not line.strip():
            continue
        try:
            value = _decoder.decode(line)
        except (ValueError, RecursionError) as error:
            raise ImportRefused(f"this is no JSON: {_why(error)}", number) from error
        yield _object(value, number)


def _json_rows(file: BinaryIO, whole: bool) -> Iterator[Row]:
    """The objects of one array, as they come."""
    text = _Text(file, whole)
    first = text.peek()
    if first is None:
        raise ImportRefused("The file is empty: it should be an array of objects.")
    if first != "[":
        raise ImportRefused(f"an array of objects begins with [, not with {first}", text.line)
    text.skip(1)
    if text.peek() == "]":
        text.skip(1)
    else:
        while True:
            text.peek()
            line = text.line
            value = text.value()
            if value is _CUT:
                return
            yield _object(value, line)
            sign = text.peek()
            if sign is None and not whole:
                return
            if sign not in (",", "]"):
                found = "the end of the file" if sign is None else sign
                raise ImportRefused(f"after an object comes , or ], not {found}", text.line)
            text.skip(1)
            if sign == "]":
                break
    if (rest := text.peek()) is not None:
        raise ImportRefused(f"after the array there is {rest}: only one array can be imported", text.line)


def _object(value: Any, line: int) -> Row:
    if not isinstance(value, dict):
        raise ImportRefused('each row is an object such as {"name": "Ada"}', line)
    if len(value) > MAX_COLUMNS:
        raise ImportRefused(f"it has {len(value)} fields; a table may have {MAX_COLUMNS} columns", line)
    return Row(line, value)


_CUT: Final = object()


class _Text:
    """JSON text that is read on when it is needed."""

    def __init__(self, file: BinaryIO, whole: bool) -> None:
        self._file = file
        self._whole = whole
        self._decode = codecs.getincrementaldecoder("utf-8-sig")().decode
        self._held = ""
        self._at = 0
        self._ended = False
        self.line = 1

    def peek(self) -> str | None:
        """The next sign that is no space; None at the end."""
        while True:
            while self._at < len(self._held):
                sign = self._held[self._at]
                if sign not in _SPACE:
                    return sign
                self.line += sign == "\n"
                self._at += 1
            if not self._more():
                return None

    def skip(self, count: int) -> None:
        self._at += count

    def value(self) -> Any:
        """The value that begins here."""
        while True:
            try:
                value, end = _decoder.raw_decode(self._held, self._at)
            except (ValueError, RecursionError) as error:
                # It may only not be all here yet.
                line = self.line + self._held.count("\n", self._at, getattr(error, "pos", self._at))
                if len(self._held) - self._at <= MAX_ROW_BYTES and self._more():
                    continue
                if not self._whole and self._ended:
                    return _CUT
                raise ImportRefused(f"this is no JSON: {_why(error)}", line) from error
            if end - self._at > MAX_ROW_BYTES:
                raise ImportRefused(f"a row is longer than {MAX_ROW_BYTES} characters", self.line)
            self.line += self._held.count("\n", self._at, end)
            self._at = end
            return value

    def _more(self) -> bool:
        if self._ended:
            return False
        try:
            # As much again as is held: a long value is not parsed anew for each little piece.
            data = self._file.read(max(_CHUNK, len(self._held) - self._at))
            read = self._decode(data, final=self._whole and not data)
        except UnicodeDecodeError as error:
            raise ImportRefused("the file is not UTF-8 from here on: save it as UTF-8", self.line) from error
        self._held, self._at = self._held[self._at :] + read, 0
        self._ended = not data
        return bool(data)


def _why(error: BaseException) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg[:1].lower()}{error.msg[1:]}"
    return "it is nested too deeply" if isinstance(error, RecursionError) else str(error)


def names_of(first: Iterable[Row], *, header: bool) -> list[str]:
    """What the columns are called: the first row of a CSV, else numbers; of JSON every name that there is, in order."""
    names: dict[str, None] = {}
    for row in first:
        if isinstance(row.values, dict):
            names.update(dict.fromkeys(row.values))
            continue
        if not header:
            return [f"column{number}" for number in range(1, len(row.values) + 1)]
        found: list[str] = []
        for number, value in enumerate(row.values, 1):
            name = free = str(value).strip() or f"column{number}"
            again = 2
            while free.lower() in {each.lower() for each in found}:
                free, again = f"{name}_{again}", again + 1
            found.append(free)
        return found
    return list(names)[:MAX_COLUMNS]
