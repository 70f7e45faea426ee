"""Reading a `.env` file: every bad line is told with its number, and `$NAME` stays as it is written.

What a line holds is never repeated in a fault: it may be a piece of a secret.
"""

from __future__ import annotations

import io
import re
from typing import Final

from dotenv.parser import Binding, parse_stream

from v8box.catalog.env_names import name_faults, value_faults
from v8box.catalog.variables import BadVariables
from v8box.errors import BadRequest, PayloadTooLarge

MAX_BYTES: Final = 1024 * 1024
MAX_BLANKS: Final = 64
_BLANKS: Final = re.compile(r"[^\S\r\n]+")
_LINE_END: Final = re.compile(r"\r\n|\n|\r")


def read_env_file(body: bytes) -> dict[str, str]:
    """The variables by name. Raises `BadVariables` naming every bad line, `BadRequest`, `PayloadTooLarge`."""
    if len(body) > MAX_BYTES:
        raise PayloadTooLarge(f"A .env file may have {MAX_BYTES} bytes: send less at a time")
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = body.count(b"\n", 0, error.start) + 1
        raise BadRequest(f"Nothing was changed: the file is not UTF-8 text, in line {line}") from None
    _check_blanks(text)
    found: dict[str, str] = {}
    lines: dict[str, int] = {}
    faults: list[str] = []
    for binding in parse_stream(io.StringIO(text, newline="")):
        line = _line(binding)
        if binding.error:
            faults.append(f"line {line} is no NAME=value, or a quote in it is not closed")
        elif binding.key is None:
            continue  # a comment, or nothing
        elif bad := _faults(binding):
            faults += [f"line {line}: {each}" for each in bad]
        elif binding.key in found:
            faults.append(f"line {line}: {binding.key} is set in line {lines[binding.key]} already")
        else:
            found[binding.key] = binding.value or ""
            lines[binding.key] = line
    if faults:
        raise BadVariables(faults)
    return found


def _faults(binding: Binding) -> list[str]:
    if binding.value is None:
        return ["there is no = after the name"]
    names = [f"the name {fault}" for fault in name_faults(binding.key or "")]
    return [*names, *(f"the value {fault}" for fault in value_faults(binding.value))]


def _line(binding: Binding) -> int:
    """Where it begins: the parser counts the empty lines before it in."""
    text = binding.original.string
    return binding.original.line + len(_LINE_END.findall(text[: len(text) - len(text.lstrip())]))


def _check_blanks(text: str) -> None:
    """The parser's time grows with the square of a run of blanks, and no line needs a long one."""
    for match in _BLANKS.finditer(text):
        if match.end() - match.start() > MAX_BLANKS:
            line = len(_LINE_END.findall(text, 0, match.start())) + 1
            message = f"line {line} has more than {MAX_BLANKS} blanks in a row: send this variable as JSON"
            raise BadVariables([message])
