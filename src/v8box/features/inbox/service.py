"""Notices from several sources, as one list with the newest first."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

MAX_NOTICES: Final = 50
"""So many are shown; whoever wants more looks at the lists that they come from."""

Projects = Sequence[str | None] | None
"""Those that somebody may see: None among them is the box itself, None instead of them is everything."""


class NoticeKind(StrEnum):
    """What a notice is about."""

    ALERT = "alert"  # it fires
    ERROR = "error"  # a group of errors is new, or is back
    OPERATION = "operation"  # long work failed


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One thing. `at` is a Unix time."""

    kind: NoticeKind
    id: str
    """The alert's, the error's or the operation's."""
    project: str | None
    """None: it is the box's."""
    severity: str
    """`info`, `warning` or `critical`."""
    title: str
    text: str
    at: float
    worker: str = ""


Source = Callable[[Projects, int], Awaitable[Sequence[Notice]]]
"""Gives the newest notices of these projects, so many at most."""


class Inbox:
    """All sources together."""

    def __init__(self, sources: Sequence[Source], running: Callable[[Projects], int]) -> None:
        self._sources = sources
        self._running = running

    async def notices(self, projects: Projects) -> list[Notice]:
        """The newest first."""
        if projects is not None and not projects:
            return []
        found = await asyncio.gather(*(source(projects, MAX_NOTICES) for source in self._sources))
        notices = [notice for each in found for notice in each]
        return sorted(notices, key=lambda each: (each.at, each.id), reverse=True)[:MAX_NOTICES]

    def running(self, projects: Projects) -> int:
        """How many operations go on."""
        return self._running(projects)
