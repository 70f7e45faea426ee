"""What a call is upon, in a few words and without values: a statement's shape, a bucket, the beginning of a key.

It goes into the run's spans, for everybody who may see runs; and calls with the same words are the same call again. It
is asked at each call, so a statement that was seen before costs a look-up, and nothing here may fail.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from time import monotonic
from types import MappingProxyType
from typing import Any, Final

MAX_CHARS: Final = 200
NEW_STATEMENTS: Final = 500
"""Statements a second that were not seen before: 5 to 20 µs each. Of more nothing is said."""
_LOOKED_AT: Final = 1_000
"""Of a longer statement only its beginning is looked at."""

_PARTS: Final = re.compile(
    r"""'(?:[^']|'')*(?:'|$)"""  # a text, also one that the cut left open
    r"""|"(?:[^"]|"")*(?:"|$)"""
    r"""|--[^\n]*|/\*(?s:.*?)(?:\*/|$)"""
    r"""|(?<![\w$?])[0-9][\w.]*"""
    r"""|[\n\t\r]\s*|  +"""
)
_TABLE_FOLLOWS: Final = re.compile(r"(?:\.|\b(?:from|into|update|join|table|index|on)\s)\s*$", re.IGNORECASE)
_LONGEST_WORD: Final = 12
_LIST: Final = re.compile(r"\(\s*\?(?:\s*,\s*\?)+\s*\)")
_ROWS: Final = re.compile(r"(\(…\)|\(\?\))(?:\s*,\s*(?:\(…\)|\(\?\)))+")
_WORD: Final = re.compile(r"[A-Za-z_.-]+")
_MAX_BEGINNING: Final = 32
_MAX_NAME: Final = 63


def what_of(binding: str, operation: str, args: Any) -> str:
    """Empty where there is nothing to say, or the arguments are none that a client of ours sends."""
    describe = _DESCRIBE.get(binding)
    return "" if describe is None else describe(operation, args)


class _Busy(Exception):
    """Too many statements that were never seen before."""


class _Budget:
    """So many new statements a second are looked at: a worker that writes values into them has ever new ones."""

    def __init__(self) -> None:
        self._until = 0.0
        self._left = 0

    def spend(self) -> None:
        """Raises `_Busy`."""
        now = monotonic()
        if now >= self._until:
            self._until, self._left = now + 1.0, NEW_STATEMENTS
        self._left -= 1
        if self._left < 0:
            raise _Busy


_budget: Final = _Budget()


@lru_cache(maxsize=2_048)
def _shape(sql: str) -> str:
    _budget.spend()
    return statement_shape(sql)


def statement_shape(sql: str) -> str:
    """The statement with `?` for its literals and parameters, on one line, without comments, cut. What stands in double
    quotes may be a text for SQLite, so it is taken for one unless a table must stand there."""
    text = _PARTS.sub(_shortened, sql)
    text = " ".join(_ROWS.sub(r"\1", _LIST.sub("(…)", text)).split())
    return text if len(text) <= MAX_CHARS else text[: MAX_CHARS - 1] + "…"


def _shortened(match: re.Match[str]) -> str:
    part = match[0]
    match part[0]:
        case '"':
            start = match.start()
            before = match.string[max(0, start - _LONGEST_WORD) : start]
            return part if _TABLE_FOLLOWS.search(before) else "?"
        case "-" | "/" | " " | "\n" | "\t" | "\r":
            return " "
        case _:
            return "?"


def _of_db(_: str, args: Any) -> str:
    if type(args) is not dict:
        return ""
    sql = args.get("sql")
    if sql is None:
        statements = args.get("statements")
        if type(statements) is not list or not statements or type(statements[0]) is not list or not statements[0]:
            return ""
        sql = statements[0][0]
    if type(sql) is not str:
        return ""
    try:
        return _shape(sql if len(sql) <= _LOOKED_AT else sql[:_LOOKED_AT])
    except _Busy:
        return ""


def _of_cache(operation: str, args: Any) -> str:
    if type(args) is dict:
        name = args.get("n")
        if name is not None:  # a KV namespace
            return _named(name, args.get("k"))
        key = args.get("k")
        if key is not None:
            return _beginning(key)
        args = args.get("a")
    return _beginning(args[0]) if type(args) is list and args else ""


def _of_s3(_: str, args: Any) -> str:
    if type(args) is not dict:
        return ""
    return _named(args.get("bucket") or "default", args.get("key"))


def _named(name: Any, key: Any) -> str:
    if type(name) is not str:
        return ""
    start = _beginning(key)
    return f"{name[:_MAX_NAME]}/{start}" if start else name[:_MAX_NAME]


def _beginning(key: Any) -> str:
    """`user:…` of `user:17:name`: up to the first separator, where that is a word; a key may be a secret as a whole."""
    if type(key) is not str:
        return ""
    at = key.find(":")
    if at < 0:
        at = key.find("/")
    if not 0 < at <= _MAX_BEGINNING:
        return ""
    word = key[:at]
    return f"{key[: at + 1]}…" if word.isalpha() or _WORD.fullmatch(word) else ""


_DESCRIBE: Final[Mapping[str, Callable[[str, Any], str]]] = MappingProxyType(
    {"db": _of_db, "cache": _of_cache, "s3": _of_s3}
)
