"""What a check found, in the words that people and programs read: `ok`, `warn` or `fail`, a value, and what to do."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """How a check went."""

    OK = "ok"
    WARN = "warn"  # it goes on, and somebody should look
    FAIL = "fail"


_WORST_LAST = (Status.OK, Status.WARN, Status.FAIL)


@dataclass(frozen=True, slots=True)
class Finding:
    """What one look found. `advice` is what to do next; empty where there is nothing to do. `share` is how much of what
    there is is used, from 0 to 1, of what can be used up."""

    status: Status
    value: str = ""
    advice: str = ""
    share: float | None = None


Ask = Callable[[], Awaitable[Finding]]
"""Looks once. What it raises is a failure, and its text the value."""


@dataclass(frozen=True, slots=True)
class Result:
    """A finding with its name, and how long looking took."""

    name: str
    finding: Finding
    latency_ms: float

    @property
    def status(self) -> Status:
        return self.finding.status


def worst(results: Sequence[Result]) -> Status:
    """The worst of them; `ok` of none."""
    return max((each.status for each in results), key=_WORST_LAST.index, default=Status.OK)
