"""What `v8box doctor` is made of: a check is one row of its table."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Mark(StrEnum):
    """How a check went."""

    GOOD = "✓"
    WARNING = "!"
    FAILED = "✗"
    UNUSED = "-"


@dataclass(frozen=True, slots=True)
class Check:
    """One row."""

    mark: Mark
    name: str
    found: str
    advice: str = ""
