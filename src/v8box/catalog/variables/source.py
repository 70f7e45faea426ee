"""Where variables come from besides the catalog: `Source` is the boundary, `NoSource` is there when nothing is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Protocol


class Source(Protocol):
    """Gives a worker's variables. Their values are taken for secrets."""

    name: str
    """The word for it in lists of where a variable comes from."""

    def revision(self, project: str, environment: str, worker: str) -> int:
        """Grows whenever `values` gives something else. From memory, never waits."""

    async def values(self, project: str, environment: str, worker: str) -> Mapping[str, str]:
        """What it has for a worker in an environment. Raises `VariablesUnavailable` when that is not known."""

    def subscribe(self, subscriber: Callable[[], Awaitable[None]]) -> None:
        """Awaits `subscriber` when a revision has changed."""


class NoSource:
    """There is nothing but the catalog."""

    name = "none"

    def revision(self, _project: str, _environment: str, _worker: str) -> int:
        return 0

    async def values(self, _project: str, _environment: str, _worker: str) -> Mapping[str, str]:
        return MappingProxyType({})

    def subscribe(self, _subscriber: Callable[[], Awaitable[None]]) -> None:
        """Nothing changes."""
