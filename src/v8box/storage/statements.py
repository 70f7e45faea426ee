"""SQL as text: where a statement ends, and what parameters and brackets it has. Nothing here runs or understands SQL.

Comments, strings and quoted names are skipped as SQLite's tokenizer does it (https://www.sqlite.org/lang_comment.html,
lang_keywords.html); statements end as `sqlite3_complete` has it: the body of a trigger belongs to its CREATE TRIGGER.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal["blank", "string", "name", "word", "parameter", "semicolon", "open", "close", "other", "unclosed"]

_TOKEN: Final = re.compile(
    r"""
      (?P<blank>     [ \t\n\f\r]++ | --[^\n]*+ | /\*(?:.*?\*/|.*\Z) )
    | (?P<string>    [xX]?'(?:[^']|'')*+' )
    | (?P<name>      "(?:[^"]|"")*+" | `(?:[^`]|``)*+` | \[[^\]]*+\] )
    | (?P<unclosed>  ['"`\[] )
    | (?P<parameter> \?[0-9]*+ | [:@$\#][A-Za-z0-9_$\u0080-\U0010ffff]++ (?:::[A-Za-z0-9_$\u0080-\U0010ffff]++)*+ )
    | (?P<word>      [A-Za-z0-9_$\u0080-\U0010ffff]++ )
    | (?P<semicolon> ; )
    | (?P<open>      \( )
    | (?P<close>     \) )
    | (?P<other>     . )
    """,
    re.VERBOSE | re.DOTALL,
)


_BLANKS: Final = " \t\n\f\r"
"""SQLite's; Python knows more of them, and SQLite refuses those."""


@dataclass(frozen=True, slots=True)
class Part:
    """One statement of a script: its text without what stands around it, and the line it begins on (from 1)."""

    sql: str
    line: int


def tokens(sql: str) -> Iterator[tuple[Kind, str]]:
    """Every piece of the text in order. `unclosed` is a quote that nothing closes; what follows it means nothing."""
    for match in _TOKEN.finditer(sql):
        yield match.lastgroup, match[0]  # type: ignore[misc] # every alternative is a named group


def split(script: str) -> list[Part]:
    """The statements of a script without their semicolons; what holds only comments is left out. An unclosed quote or
    trigger makes the rest one statement, which SQLite then refuses in its own words."""
    parts: list[Part] = []
    line, begins_on = 1, 0  # 0: only blanks so far
    text: list[str] = []
    trigger = _Trigger()
    unclosed = False
    for kind, token in tokens(script):
        unclosed = unclosed or kind == "unclosed"
        if kind == "semicolon" and not unclosed and trigger.ends_at_semicolon():
            if begins_on:
                parts.append(Part("".join(text).rstrip(_BLANKS), begins_on))
            text, begins_on, trigger = [], 0, _Trigger()
        else:
            if kind != "blank":
                begins_on = begins_on or line
                trigger.see(kind, token)
            if begins_on:
                text.append(token)
        line += token.count("\n")
    if begins_on:
        parts.append(Part("".join(text).rstrip(_BLANKS), begins_on))
    return parts


class _Trigger:
    """Whether a semicolon ends the statement: in a CREATE TRIGGER only the one after `; END` does."""

    _BEGINNING: Final = re.compile(r"(?:explain )?(?:query plan )?create (?:temp |temporary )?trigger ")

    def __init__(self) -> None:
        self._words = ""  # the first few, to tell a trigger by
        self._inside = False
        self._last: tuple[Kind, str] = ("other", "")
        self._before_last: tuple[Kind, str] = ("other", "")

    def see(self, kind: Kind, token: str) -> None:
        if not self._inside and kind == "word" and len(self._words) < 80:
            self._words += token.lower() + " "
            self._inside = self._BEGINNING.match(self._words) is not None
        elif not self._inside:
            self._words = "-" * 80  # something else than a word stands there: this is no trigger
        self._before_last, self._last = self._last, (kind, token)

    def ends_at_semicolon(self) -> bool:
        if not self._inside:
            return True
        return self._before_last[0] == "semicolon" and self._last[0] == "word" and self._last[1].lower() == "end"
