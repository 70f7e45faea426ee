"""Which SQL begins and ends transactions, and where the statements of a script end. Recognises; runs nothing.

A stream's transaction lives behind the database port, so BEGIN, COMMIT and ROLLBACK must be told from other statements
before SQLite sees them. What is not recognised here goes to SQLite, which refuses it: a miss cannot do harm. Grammar:
https://www.sqlite.org/lang_transaction.html, and LibSQL's READONLY; ends of statements: sqlite3_complete().
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from v8box.bindings.db.interface import Mode

Kind = Literal["begin", "commit", "rollback"]


@dataclass(frozen=True, slots=True)
class Control:
    """A statement that begins or ends a transaction. `mode` is None but for BEGIN."""

    kind: Kind
    mode: Mode | None = None


@dataclass(frozen=True, slots=True)
class Piece:
    """One statement of a script, with its semicolon and what surrounds it. `whole` is False when the text ends in the
    middle of a string, comment or trigger."""

    sql: str
    control: Control | None
    whole: bool = True


COMMIT: Final = Control("commit")
ROLLBACK: Final = Control("rollback")
_MODES: Final[dict[str, Mode]] = {
    "": "deferred",
    "DEFERRED": "deferred",
    "IMMEDIATE": "write",
    "EXCLUSIVE": "write",
    "READONLY": "read",
}

_CLOSED: Final = r"[ \t\n\f\r][ \t\n\v\f\r]*+|--[^\n]*+(?:\n|\Z)|/\*(?s:.*?)\*/"
# What a word is made of, as all but the other ASCII characters: `re` takes a hundred times as long to compile the same
# set with a range to the end of Unicode, and a box that starts would wait for that.
_PART: Final = r"(?-i:[^\x00-#%-/:-@\[-^`{-\x7f])"
_FIRST: Final = r"(?-i:[^\x00-@\[-^`{-\x7f])"
# A comment that nothing closes goes on to the end; a byte order mark is blank where no word goes on with it.
_SPACE: Final = rf"{_CLOSED}|/\*(?s:.*)\Z|(?<!(?!\ufeff){_PART})\ufeff"
_GAP: Final = rf"(?:{_SPACE})++"
_BLANK: Final = rf"(?:{_SPACE}|;)*+"
_WORD: Final = rf"{_FIRST}{_PART}*+"
_QUOTED: Final = r"'(?:[^']|'')*+'|\"(?:[^\"]|\"\")*+\"|`(?:[^`]|``)*+`|\[[^\]]*+\]"
_STOP: Final = rf"(?!{_PART})"
_NAME: Final = rf"(?!(?:TO|READONLY){_STOP})(?:{_WORD}|{_QUOTED})"
_CONTROL: Final = re.compile(
    rf"{_BLANK}(?:"
    rf"(?P<begin>BEGIN)(?:{_GAP}(?P<mode>DEFERRED|IMMEDIATE|EXCLUSIVE|READONLY))?"
    rf"(?:{_GAP}TRANSACTION{_STOP}(?:{_GAP}(?:(?P<readonly>READONLY){_STOP}|{_NAME}))?)?"
    rf"|(?P<end>COMMIT|END|ROLLBACK)(?:{_GAP}TRANSACTION{_STOP}(?:{_GAP}{_NAME})?)?"
    rf"){_STOP}{_BLANK}\Z",
    re.IGNORECASE | re.ASCII,
)
_ONLY_BLANK: Final = re.compile(rf"{_BLANK}\Z")
_FIRST_LETTERS: Final = frozenset("bBcCeErR")
_MAY_CONTROL: Final = re.compile(r"\b(?:BEGIN|COMMIT|END|ROLLBACK)\b", re.IGNORECASE | re.ASCII)
_FOREIGN_KEYS: Final = re.compile(
    rf"{_BLANK}PRAGMA{_GAP}foreign_keys(?:{_SPACE})*+=(?:{_SPACE})*+(?P<value>\w+){_BLANK}\Z", re.IGNORECASE | re.ASCII
)


def control_of(sql: str) -> Control | None:
    """What the statement does to the transaction; None for every other statement."""
    first = sql[:1]
    if first.isalpha() and first not in _FIRST_LETTERS:
        return None  # most statements
    match = _CONTROL.match(sql)
    if match is None:
        return None
    if match["begin"]:
        return Control("begin", "read" if match["readonly"] else _MODES[(match["mode"] or "").upper()])
    return ROLLBACK if match["end"].upper() == "ROLLBACK" else COMMIT


def may_control(script: str) -> bool:
    """Whether a script could hold a BEGIN, COMMIT or ROLLBACK: a quick look that may say yes for nothing."""
    return _MAY_CONTROL.search(script) is not None


def foreign_keys_of(sql: str) -> bool | None:
    """True for `PRAGMA foreign_keys = on`, False for `off`, None for every other statement."""
    match = _FOREIGN_KEYS.match(sql)
    value = match["value"].lower() if match else ""
    return True if value in ("on", "true", "yes", "1") else False if value in ("off", "false", "no", "0") else None


def is_one_statement(sql: str) -> bool:
    """Whether the text is one statement that can stand in a script: complete, and no BEGIN, COMMIT or ROLLBACK."""
    found = [piece for piece in pieces(sql) if not (piece.whole and _ONLY_BLANK.match(piece.sql))]
    return len(found) == 1 and found[0].whole and found[0].control is None


# ---- scripts

_TOKEN: Final = re.compile(
    rf"(?P<space>(?:{_CLOSED})++)|(?P<semi>;)|(?P<word>[\w$\x80-\U0010ffff]++)|(?P<quoted>{_QUOTED})"
    r"|(?P<open>/\*|['\"`\[])|.",
    re.DOTALL,
)
_PARAMETER: Final = re.compile(
    rf"{_SPACE}|{_QUOTED}|(?P<parameter>\?[0-9]*+|[:@$][\w$\x80-\U0010ffff]++)|[\w$\x80-\U0010ffff]++"
    r"|['\"`\[].*|.",  # what nothing closes goes on to the end: no second look at the same text
    re.DOTALL,
)
_KINDS: Final = {"EXPLAIN": 3, "CREATE": 4, "TEMP": 5, "TEMPORARY": 5, "TRIGGER": 6, "END": 7}
_START: Final = 1
_IN_TRIGGER: Final = (5, 6)
# The state machine of sqlite3_complete (https://www.sqlite.org/src/file/src/complete.c): a trigger's body holds
# semicolons, and only `; END ;` ends it. Columns: semicolon, space, other, EXPLAIN, CREATE, TEMP, TRIGGER, END.
_NEXT: Final = (
    (1, 0, 2, 3, 4, 2, 2, 2),  # 0 invalid
    (1, 1, 2, 3, 4, 2, 2, 2),  # 1 start
    (1, 2, 2, 2, 2, 2, 2, 2),  # 2 normal
    (1, 3, 3, 2, 4, 2, 2, 2),  # 3 explain
    (1, 4, 2, 2, 2, 4, 5, 2),  # 4 create
    (6, 5, 5, 5, 5, 5, 5, 5),  # 5 trigger
    (6, 6, 5, 5, 5, 5, 5, 7),  # 6 semicolon in a trigger
    (1, 7, 5, 5, 5, 5, 5, 5),  # 7 end in a trigger
)


def pieces(script: str) -> Iterator[Piece]:
    """The statements of a script in order; joined they are the script again."""
    state = _START
    begin = 0
    for match in _TOKEN.finditer(script):
        group = match.lastgroup
        if group == "open":
            yield Piece(script[begin:], None, whole=False)
            return
        if group == "word":
            state = _NEXT[state][_KINDS.get(match[0].upper(), 2)]
        else:
            state = _NEXT[state][0 if group == "semi" else 1 if group == "space" else 2]
        if group == "semi" and state == _START:
            yield Piece(sql := script[begin : match.end()], control_of(sql))
            begin = match.end()
    if begin < len(script):
        yield Piece(sql := script[begin:], control_of(sql), state not in _IN_TRIGGER)


def parameters(sql: str) -> Iterator[tuple[int, int, str]]:
    """Where the statement's parameters stand: begin, end, and the text (`?`, `?2`, `:name`)."""
    for match in _PARAMETER.finditer(sql):
        if match["parameter"]:
            yield match.start(), match.end(), match["parameter"]
