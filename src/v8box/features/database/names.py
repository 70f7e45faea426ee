"""Names from outside: which database is meant, and identifiers as SQL has them."""

from __future__ import annotations

from typing import Final

from v8box.bindings.db.interface import DEFAULT_DATABASE, NAME, SCRATCH_PREFIX, DatabaseId
from v8box.bindings.interface import BindingError
from v8box.errors import BadRequest

GLOBAL: Final = "global"
"""The default database's other name, which the founding product gave it."""

HISTORY_TABLE: Final = "_v8box_migrations"
_JOINER: Final = "\u200d"
MAX_IDENTIFIER: Final = 128
"""Characters of a table's or column's name."""


def database_id(project: str, name: str) -> DatabaseId:
    """The database that a caller names. Raises `BadRequest` for what cannot be a name, and what is the platform's."""
    if name == GLOBAL:
        name = DEFAULT_DATABASE
    if not NAME.fullmatch(name):
        raise BadRequest("A database's name is 1 to 63 of a-z, 0-9, - and _, and begins with a letter or digit.")
    if name.startswith(SCRATCH_PREFIX):
        raise BindingError("DATABASE_NOT_FOUND", f"names that begin with {SCRATCH_PREFIX} are the platform's own")
    return DatabaseId(project, name)


def quoted(identifier: str) -> str:
    """The name of a table or column that is there, as SQL text: SQLite takes any, also one with line ends in it."""
    if "\x00" in identifier:
        raise BadRequest("A name cannot hold a NUL character.")
    return '"' + identifier.replace('"', '""') + '"'


def new_name(identifier: str) -> str:
    """As `quoted`, for a table or column that is to be made. Raises `BadRequest` for what nobody could read or type."""
    if not identifier or len(identifier) > MAX_IDENTIFIER or not _is_readable(identifier):
        raise BadRequest(
            f"{identifier[:40]!r} cannot be a table or column: a name has 1 to {MAX_IDENTIFIER} printable characters."
        )
    return quoted(identifier)


def new_table(name: str) -> str:
    """As `new_name`, for a table."""
    check_reserved(name)
    return new_name(name)


def check_reserved(name: str) -> None:
    """Raises `BadRequest` for a table of SQLite's or the platform's own."""
    if name.lower().startswith("sqlite_") or name.lower() == HISTORY_TABLE:
        raise BadRequest(f"The name {name} is reserved: choose another one.")


def _is_readable(text: str) -> bool:
    """Printable; emoji may be joined to one picture."""
    return text.replace(_JOINER, "").isprintable()


def same(one: str, other: str) -> bool:
    """Whether SQLite takes two identifiers for the same: it ignores the case of ASCII letters only."""
    return _folded(one) == _folded(other)


def _folded(identifier: str) -> bytes:
    return identifier.encode().lower()  # bytes.lower() is about ASCII only
