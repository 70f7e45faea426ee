"""How requests through the cache were answered, for each worker and site."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Final

from v8box.gateway.cache.entries import Owner

RESULTS: Final = ("hit", "stale", "collapsed", "miss", "revalidated", "bypass")
_MAX_OWNERS: Final = 10_000


class Counts:
    """Since the box started. With more workers and sites than anybody has, it begins anew."""

    def __init__(self) -> None:
        self._owners: dict[Owner, Counter[str]] = {}

    def add(self, owner: Owner, result: str) -> None:
        counts = self._owners.get(owner)
        if counts is None:
            if len(self._owners) >= _MAX_OWNERS:
                self._owners.clear()
            counts = self._owners[owner] = Counter()
        counts[result] += 1

    def all(self) -> Mapping[Owner, Counter[str]]:
        return {owner: counts.copy() for owner, counts in self._owners.copy().items()}

    def of(self, project: str) -> Mapping[Owner, Counter[str]]:
        return {owner: counts for owner, counts in self._owners.items() if owner.project == project}
