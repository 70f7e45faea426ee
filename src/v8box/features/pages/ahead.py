"""What was sent ahead of the release that names it: which bytes a site may refer to though no release has them yet.

Only remembered: after a restart a client is told that they are missing, and sends them again.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

SECONDS: Final = 4 * 3_600.0
"""How long bytes wait for their release; less than what a sweep leaves alone."""
MAX_FILES: Final = 200_000
"""Of all sites together. Beyond it everything is forgotten: whoever is in the middle is told what is missing."""


@dataclass(slots=True)
class _Sent:
    until: float
    bytes: int = 0
    sizes: dict[str, int] = field(default_factory=dict)


class SentAhead:
    """By project and site, hashes and sizes."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._sent: dict[tuple[str, str], _Sent] = {}

    def add(self, project: str, site: str, key: str, size: int) -> None:
        self._forget_old()
        if sum(len(each.sizes) for each in self._sent.values()) >= MAX_FILES:
            self._sent.clear()
        sent = self._sent.setdefault((project, site), _Sent(self._clock() + SECONDS))
        if key not in sent.sizes:
            sent.sizes[key] = size
            sent.bytes += size

    def of(self, project: str, site: str) -> set[str]:
        """The hashes."""
        self._forget_old()
        sent = self._sent.get((project, site))
        return set() if sent is None else set(sent.sizes)

    def bytes_of(self, project: str) -> int:
        """How much waits in a project."""
        self._forget_old()
        return sum(each.bytes for (owner, _), each in self._sent.items() if owner == project)

    def forget(self, project: str, site: str) -> None:
        """They have got their release."""
        self._sent.pop((project, site), None)

    def _forget_old(self) -> None:
        now = self._clock()
        for key in [key for key, each in self._sent.items() if each.until < now]:
            del self._sent[key]
