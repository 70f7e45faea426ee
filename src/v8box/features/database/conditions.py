"""An operator's `where` and its arguments, checked so that it stays a condition.

It is SQL and may be any expression; the guard around the engine says what SQL may do. But it must not end the
condition it stands in: an unbalanced bracket, an open quote or comment, or a semicolon would change the statement
around it, and a DELETE would then not be the one that was asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from v8box.errors import BadRequest
from v8box.features.database.values import to_argument
from v8box.storage.statements import tokens

MAX_CHARACTERS: Final = 20_000


@dataclass(frozen=True, slots=True)
class Condition:
    """A whole WHERE clause, or nothing, and its positional arguments."""

    sql: str = ""
    args: tuple[Any, ...] = ()


EVERY_ROW: Final = Condition()


def parse(where: str, args: Sequence[Any]) -> Condition:
    """`where` as a clause. Raises `BadRequest` saying what is wrong with it."""
    if len(where) > MAX_CHARACTERS:
        raise BadRequest(f"where may have {MAX_CHARACTERS} characters: use a query instead.")
    depth = parameters = 0
    something = False
    for kind, text in tokens(where):
        match kind:
            case "unclosed":
                raise BadRequest(f"where has a {text} that is not closed.")
            case "semicolon":
                raise BadRequest("where is one condition: it may not hold a semicolon.")
            case "open":
                depth += 1
            case "close":
                depth -= 1
            case "parameter":
                parameters += 1
                if text != "?":
                    raise BadRequest(f"where has the parameter {text}: use plain ? and give whereArgs in order.")
            case "blank" if text.startswith("/*") and (len(text) < 4 or not text.endswith("*/")):
                raise BadRequest("where has a comment that is not closed.")
            case "other" if text == "\x00":
                raise BadRequest("where holds a NUL character.")
        if depth < 0:
            raise BadRequest("where closes a bracket that it did not open.")
        something = something or kind != "blank"
    if depth:
        raise BadRequest("where has a bracket that is not closed.")
    if not something:
        raise BadRequest("where is empty: say which rows are meant.")
    if parameters != len(args):
        raise BadRequest(f"where has {parameters} parameters (?), but whereArgs has {len(args)} values.")
    # The line end closes a comment that begins with --
    return Condition(f" where ({where}\n)", tuple(to_argument(value, "whereArgs") for value in args))
