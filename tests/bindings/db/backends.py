"""A backend of `db` under test, and where it may differ from the others for good reasons."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from v8box.bindings.db.interface import Databases, DbLimits


@dataclass(frozen=True)
class DbBackend:
    """What the contract suite needs to know. A test asks for a capability by name instead of for a backend."""

    name: str
    build: Callable[[DbLimits], Databases]
    """Makes the backend, not started; its data outlives it within one test."""
    extended_codes: bool = True
    """Errors carry SQLite's extended code (`SQLITE_CONSTRAINT_UNIQUE`) and its number, not only the primary one."""
    interrupts: bool = True
    """A statement past its deadline, or of a call that was cancelled, stops at once and frees its locks."""
    database_quota: bool = True
    """A database larger than `DbLimits.database_bytes` is refused (`SQLITE_FULL`)."""
    unknown_codes: frozenset[str] = frozenset()
    """Codes of refusals that this backend cannot make, or cannot tell from others."""
