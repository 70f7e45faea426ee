"""What SQL may reach a LibSQL server: the embedded engine's subset, told from the text because the server asks nobody.

The server has `readfile`, `writefile` and `fsdir`, which reach its machine's files, and `sha3_query`, which runs text
made at run time, all open to whoever may write SQL. So the words that leave the database are looked for in the whole
text, comments and strings too, where no trick of quoting can hide them; everything else is judged by tokens.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Final

from v8box.bindings.interface import BindingError
from v8box.storage.statements import tokens

_BEYOND: Final = re.compile(
    r"readfile|writefile|fsdir|sha3_query|load_extension|fts3_tokenizer|sqlite_dbpage|sqlite3mc|sqlite_crypt",
    re.IGNORECASE | re.ASCII,
)
_DENIED: Final = frozenset(
    "bytecode carray fts3tokenize fts4aux sqlite_log sqlite_stmt tables_used libsql_server_database_name".split()
)
_MODULES: Final = frozenset({"fts5", "fts5vocab", "geopoly", "rtree", "rtree_i32"})
_READABLE_PRAGMAS: Final = frozenset(
    "application_id collation_list compile_options data_version defer_foreign_keys encoding foreign_key_check "
    "foreign_key_list foreign_keys freelist_count function_list index_info index_list index_xinfo integrity_check "
    "max_page_count module_list optimize page_count page_size pragma_list quick_check schema_version table_info "
    "table_list table_xinfo user_version".split()
)
# These take an argument without setting anything.
_ARGUMENT_PRAGMAS: Final = frozenset(
    "foreign_key_check foreign_key_list index_info index_list index_xinfo integrity_check optimize quick_check "
    "table_info table_list table_xinfo".split()
)
_SETTABLE_PRAGMAS: Final = frozenset({"application_id", "user_version"})
_ONE_FILE: Final = "ATTACH, DETACH and VACUUM are not available: a database is one file of the platform's"
_TEMPORARY: Final = "temporary tables, views and triggers are not available: connections are shared between runs"
_READING: Final = frozenset({"select", "values", "explain"})
_WRITING: Final = frozenset({"insert", "replace", "update", "delete"})
_CONTROL: Final = frozenset({"begin", "commit", "end", "rollback"})
_SAVEPOINTS: Final = frozenset({"savepoint", "release"})
_BOM: Final = "\ufeff"  # SQLite's tokenizer takes it for a blank, every other part of SQL for a letter
_CACHED_CHARACTERS: Final = 4_000  # longer texts are seldom sent twice


class Place(Enum):
    """Where a text is to run, and what its surroundings so allow."""

    STATEMENT = "statement"  # one statement, alone or of a batch
    TRANSACTION = "transaction"  # one statement of an open transaction: savepoints too
    SCRIPT = "script"  # many statements: transactions of its own, foreign keys off
    SCRIPT_INSIDE = "script_inside"  # many statements in an open transaction


_MANY: Final = frozenset({Place.SCRIPT, Place.SCRIPT_INSIDE})


@dataclass(frozen=True, slots=True)
class Token:
    """A word, quoted name, string or sign that means something. `text` is without quotes, and lower case in a word."""

    kind: str
    text: str


def judge(sql: str, place: Place) -> bool:
    """Whether the text writes, as far as can be seen. Raises `BindingError`: `SQLITE_AUTH` for what must not run,
    `SQLITE_ERROR` for what no tokenizer agrees on, `SQL_NO_STATEMENT` and `SQL_MANY_STATEMENTS`."""
    return _judge_cached(sql, place) if len(sql) <= _CACHED_CHARACTERS else _judge(sql, place)


def _judge(sql: str, place: Place) -> bool:
    beyond = _BEYOND.search(sql)
    if beyond is not None:
        raise refusal(f"{beyond[0]} is not available; where it stands in a text, give that text as an argument")
    writes = False
    count = 0
    in_trigger = False
    for statement in _statements(sql):
        first = statement[0].text if statement[0].kind == "word" else ""
        if in_trigger and first == "end":
            in_trigger = False
            continue
        if not in_trigger:
            count += 1
        writes = _judge_statement(statement, place) or writes
        in_trigger = in_trigger or _opens_trigger(statement)
    if place not in _MANY:
        if not count:
            raise BindingError("SQL_NO_STATEMENT", "the SQL text holds no statement")
        if count > 1:
            raise BindingError("SQL_MANY_STATEMENTS", "one statement at a time: use batch() or executeMultiple()")
    return writes


_judge_cached = lru_cache(maxsize=2_048)(_judge)


def refusal(why: str) -> BindingError:
    """What a statement that must not run is answered."""
    return BindingError("SQLITE_AUTH", f"not authorized: {why}", {"raw_code": 23})


def _statements(sql: str) -> Iterator[list[Token]]:
    """What lies between semicolons, those in a trigger's body too; empty pieces are left out."""
    found: list[Token] = []
    for token in _tokens(sql):
        if token.kind == "semicolon":
            if found:
                yield found
                found = []
        else:
            found.append(token)
    if found:
        yield found


def _tokens(sql: str) -> Iterator[Token]:
    if "\0" in sql:
        raise _unclear("\\0")
    previous = ""
    for kind, text in tokens(sql):
        match kind:
            case "blank":
                previous = kind
                continue
            case "unclosed":
                raise _unclear(text)
            case "open" if previous == "parameter":
                raise _unclear(text)  # a parameter in Tcl's manner: $name(anything, quotes too)
            case "word":
                if _BOM in text:
                    raise _unclear("U+FEFF")
                token = Token(kind, text.lower())
                _judge_name(token.text)
            case "name" | "string":
                token = Token(kind, _unquoted(text))
                _judge_name(token.text.lower())
            case "parameter" if _BOM in text:
                raise _unclear("U+FEFF")
            case _:
                token = Token(kind, text)
        previous = kind
        yield token


def _unclear(text: str) -> BindingError:
    return BindingError("SQLITE_ERROR", f'unrecognized token: "{text}"', {"raw_code": 1})


def _unquoted(text: str) -> str:
    """The name or string between the quotes; a blob's hexadecimal digits, which name nothing."""
    quote = text[0]
    if quote == "[":
        return text[1:-1]
    if quote in "xX":
        return ""
    return text[1:-1].replace(quote * 2, quote)


def _judge_name(name: str) -> None:
    # A string may stand where a table's name is wanted, so strings are looked at too.
    if name in _DENIED:
        raise refusal(f"{name} is not available")
    if name.startswith("pragma_") and name[7:].isidentifier() and name[7:] not in _READABLE_PRAGMAS:
        raise refusal(f"PRAGMA {name[7:]} is not available")


def _judge_statement(statement: list[Token], place: Place) -> bool:
    """Whether one statement writes."""
    words = [token.text if token.kind == "word" else "" for token in statement]
    explained = words[0] == "explain"
    if explained:
        start = 3 if words[1:3] == ["query", "plan"] else 1
        words, statement = words[start:], statement[start:]
        if not words:
            return False
    match words[0]:
        case "attach" | "detach" | "vacuum":
            raise refusal(_ONE_FILE)
        case "pragma":
            return _judge_pragma(statement, place)
        case "create" if words[1:2] in (["temp"], ["temporary"]):
            raise refusal(_TEMPORARY)
        case "create" if words[1:3] == ["virtual", "table"]:
            _judge_module(statement, words)
        case "rollback" if place is Place.TRANSACTION and "to" in words:
            pass  # to a savepoint
        case "rollback" if place is Place.SCRIPT_INSIDE and "to" in words:
            pass
        case word if word in _CONTROL and place is not Place.SCRIPT:
            action = "COMMIT" if word == "end" else word.upper()
            raise refusal(
                f"{action} is not available here: use db.batch() or db.transaction() and its commit() and rollback()"
            )
        case word if word in _SAVEPOINTS and place is Place.STATEMENT:
            raise refusal("savepoints are available inside db.transaction() only")
    return not explained and _writes(statement, words)


def _writes(statement: list[Token], words: list[str]) -> bool:
    if words[0] in _READING or words[0] in _CONTROL or words[0] in _SAVEPOINTS:
        return False
    if words[0] != "with":
        return True
    depth = 0
    for token in statement:
        if token.kind == "open":
            depth += 1
        elif token.kind == "close":
            depth -= 1
        elif depth == 0 and token.kind == "word" and token.text in _WRITING:
            return True
        elif depth == 0 and token.kind == "word" and token.text in _READING:
            return False
    return True


def _judge_pragma(statement: list[Token], place: Place) -> bool:
    """`PRAGMA [schema.]name`, then nothing, `= value` or `(value)`."""
    rest = statement[1:]
    if len(rest) >= 3 and rest[1].text == ".":
        rest = rest[2:]
    name = rest[0].text.lower() if rest else ""
    if name not in _READABLE_PRAGMAS:
        raise refusal(f"PRAGMA {name[:40]} is not available")
    if len(rest) == 1:
        return name == "optimize"
    if name in _ARGUMENT_PRAGMAS:
        return name == "optimize"
    if name in _SETTABLE_PRAGMAS:
        return True
    if name == "defer_foreign_keys" and place is not Place.STATEMENT:
        return False
    if name == "foreign_keys" and place is Place.SCRIPT:
        return False
    raise refusal(f"PRAGMA {name} cannot be set here")


def _judge_module(statement: list[Token], words: list[str]) -> None:
    try:
        module = statement[words.index("using") + 1].text.lower()
    except (ValueError, IndexError):
        return  # no SQL: the server says what is wrong with it
    if module not in _MODULES:
        raise refusal(f"the virtual table module {module[:40]} is not available")


def _opens_trigger(statement: list[Token]) -> bool:
    """Whether the semicolons that follow belong to a trigger's body, up to one before END."""
    words = [token.text for token in statement[:8] if token.kind == "word"]
    if words[:1] == ["explain"]:
        words = words[3:] if words[1:3] == ["query", "plan"] else words[1:]
    return words[:2] == ["create", "trigger"]
