"""How often policies refused, or would have in a dry run, since the box started. In memory only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from v8box.catalog.model import Placement

_MAX_COUNTERS: Final = 20_000


@dataclass(frozen=True, slots=True)
class Refusals:
    """How often one worker's requests were refused for one reason."""

    project: str
    worker: str
    environment: str
    code: str
    dry_run: bool
    count: int


class Counts:
    """Counters by worker, environment and code."""

    def __init__(self) -> None:
        self._counters: Counter[tuple[str, str, str, str, bool]] = Counter()

    def refused(self, placement: Placement, code: str, *, dry_run: bool = False) -> None:
        key = (placement.project, placement.worker, placement.environment, code, dry_run)
        if key in self._counters or len(self._counters) < _MAX_COUNTERS:
            self._counters[key] += 1

    def all(self) -> list[Refusals]:
        return [Refusals(*key, count) for key, count in self._counters.copy().items()]

    def of(self, project: str) -> Iterator[Refusals]:
        for key, count in self._counters.items():
            if key[0] == project:
                yield Refusals(*key, count)
