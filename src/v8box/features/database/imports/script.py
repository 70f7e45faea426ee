"""A file of SQL as its statements, one at a time, without those that begin and end transactions."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from typing import BinaryIO, Final

from v8box.features.database.imports.formats import ImportRefused

MAX_STATEMENT_BYTES: Final = 1_000_000
_OUTSIDE: Final = ("BEGIN", "COMMIT", "END", "PRAGMA", "ROLLBACK", "VACUUM", "ANALYZE")
"""Statements of a dump that have no place within a transaction of ours."""


def statements(file: BinaryIO, *, whole: bool = True) -> Iterator[tuple[int, str]]:
    """(line, statement). Raises `ImportRefused`."""
    held: list[str] = []
    begin, size = 1, 0
    number = 0
    while line := file.readline(MAX_STATEMENT_BYTES + 1):
        number += 1
        size += len(line)
        if size > MAX_STATEMENT_BYTES:
            raise ImportRefused(f"a statement is longer than {MAX_STATEMENT_BYTES} bytes", begin)
        try:
            text = line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            if not whole and not line.endswith(b"\n"):
                return
            raise ImportRefused("this is no SQL in UTF-8", number) from error
        if not held and not text.strip():
            size = 0
            continue
        if not held:
            begin = number
        held.append(text)
        if text.rstrip().endswith(";") and sqlite3.complete_statement(statement := "".join(held)):
            if belongs(statement):
                yield begin, statement.strip()
            held, size = [], 0
    rest = "".join(held)
    if whole and rest.strip() and belongs(rest):
        yield begin, rest.strip()


def belongs(statement: str) -> bool:
    """Whether it is more than a comment, and none that begins or ends a transaction."""
    lines = [line for line in _lines(statement) if line.strip() and not line.lstrip().startswith("--")]
    first = lines[0].strip().split(None, 1)[0].rstrip(";").upper() if lines else ""
    return first != "" and first not in _OUTSIDE


def _lines(statement: str) -> Iterable[str]:
    return statement.strip().splitlines()
