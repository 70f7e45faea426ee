"""The lines of source around a place, where the version's sources are kept."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

SURROUNDING: Final = 5
_MAX_LINE: Final = 300
_MAX_BYTES: Final = 4 * 1024 * 1024

ReadSource = Callable[[str, str, str, str], Awaitable[bytes | None]]
"""Gives a file of a version (project, worker, version, path); None when it is not kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Excerpt:
    """Some lines of a file; `first` is the number of the first of them."""

    file: str
    line: int
    first: int
    lines: tuple[str, ...]


def excerpt(source: bytes, file: str, line: int, surrounding: int = SURROUNDING) -> Excerpt | None:
    """None when the file has no such line."""
    if len(source) > _MAX_BYTES:
        return None
    lines = source.decode("utf-8", "replace").splitlines()
    if not 1 <= line <= len(lines):
        return None
    first = max(1, line - surrounding)
    shown = lines[first - 1 : line + surrounding]
    return Excerpt(file=file, line=line, first=first, lines=tuple(each[:_MAX_LINE] for each in shown))
