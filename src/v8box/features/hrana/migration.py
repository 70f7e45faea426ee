"""`migrate()` of the official client: a batch between `PRAGMA foreign_keys=off` and `=on`.

SQLite ignores that pragma inside a transaction, and connections are shared outside of one, so the database takes it in
scripts only. Such a batch is therefore run as one script, with the arguments (Drizzle's migrator passes some) written
into it as literals. Scripts give no results: the steps get empty ones.
"""

from __future__ import annotations

from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Sequence
from typing import Any, Final

from v8box.bindings.interface import BindingError
from v8box.features.hrana.control import control_of, foreign_keys_of, is_one_statement, parameters
from v8box.features.hrana.protocol import Condition, IfAll, IfAutocommit, IfNot, IfOk, Step

_BEGIN: Final = {"write": "BEGIN IMMEDIATE", "deferred": "BEGIN"}
_UNSUPPORTED: Final = (
    "foreign keys can be switched off by the client's migrate(), or in a script (executeMultiple) that also switches "
    "them on again; nowhere else"
)


def script_of(steps: Sequence[Step], texts: Sequence[str], args: Sequence[list[Any] | dict[str, Any] | None]) -> str:
    """The script that does what such a batch asks for. Raises `BindingError` for a batch of any other shape."""
    last = len(steps) - 1
    begin = control_of(texts[1]) if last >= 4 else None
    if (
        begin is None
        or begin.mode not in _BEGIN
        or not _ends(steps, texts)
        or not all(_follows(steps[number].condition, number - 1) for number in range(2, last - 1))
    ):
        raise BindingError("SQLITE_AUTH", _UNSUPPORTED)
    lines = ["PRAGMA foreign_keys=off", _BEGIN[begin.mode]]
    for sql, values in zip(texts[2 : last - 2], args[2 : last - 2], strict=True):
        if not is_one_statement(sql):
            raise BindingError("SQL_MANY_STATEMENTS", "each entry of migrate() must be one complete statement")
        lines.append(with_literals(sql, values))
    # On lines of their own: a statement may end in a comment.
    return "\n;\n".join([*lines, "COMMIT", "PRAGMA foreign_keys=on"])


def _ends(steps: Sequence[Step], texts: Sequence[str]) -> bool:
    commit, rollback = control_of(texts[-3]), control_of(texts[-2])
    return (
        commit is not None
        and commit.kind == "commit"
        and rollback is not None
        and rollback.kind == "rollback"
        and steps[-2].condition == IfNot(IfOk(len(steps) - 3))
        and foreign_keys_of(texts[-1]) is True
        and all(step.condition is None for step in (steps[0], steps[1], steps[-1]))
    )


def _follows(condition: Condition | None, step: int) -> bool:
    """Whether a step runs exactly when the one before it went well."""
    if isinstance(condition, IfAll):
        rest = [each for each in condition.conds if each != IfNot(IfAutocommit())]
        return rest == [IfOk(step)]
    return condition == IfOk(step)


# ---- literals


def with_literals(sql: str, args: list[Any] | dict[str, Any] | None) -> str:
    """The statement with its arguments in the place of its parameters."""
    out: list[str] = []
    end = largest = 0
    for start, stop, parameter in parameters(sql):
        out.append(sql[end:start])
        end = stop
        if isinstance(args, dict):
            out.append(_literal(_named(args, parameter)))
            continue
        if parameter[0] != "?":
            raise BindingError("ARGS_INVALID", f"no argument for {parameter}")
        number = int(parameter[1:6]) if len(parameter) > 1 else largest + 1
        largest = max(largest, number)
        if args is None or not 1 <= number <= len(args):
            raise BindingError("ARGS_INVALID", f"no argument for {parameter}")
        out.append(_literal(args[number - 1]))
    if isinstance(args, list) and largest != len(args):
        raise BindingError("ARGS_INVALID", f"{len(args)} arguments for {largest} parameters")
    out.append(sql[end:])
    return "".join(out)


def _named(args: dict[str, Any], parameter: str) -> Any:
    for name in (parameter, parameter[1:]):
        if name in args:
            return args[name]
    raise BindingError("ARGS_INVALID", f"no argument for {parameter}")


def _literal(value: Any) -> str:
    """A value in SQL, in blanks: `-1` after a minus would begin a comment (https://www.sqlite.org/lang_expr.html)."""
    match value:
        case None:
            return " NULL "
        case str():
            if "\0" in value:
                raise BindingError("ARGS_INVALID", "a text argument of migrate() cannot hold NUL characters")
            return " '" + value.replace("'", "''") + "' "
        case -0x8000_0000_0000_0000:
            return " (-9223372036854775807 - 1) "  # its digits alone would be read as a float
        case int():
            return f" {value} "
        case float():
            return f" {value!r} "
        case {"b": str() as base64}:
            try:
                return f" x'{b64decode(base64, validate=True).hex()}' "
            except (ValueError, Base64Error) as error:
                raise BindingError("ARGS_INVALID", "a blob argument is not base64") from error
        case _:
            raise BindingError("ARGS_INVALID", "an argument has no literal")
