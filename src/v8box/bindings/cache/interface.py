"""What a backend of the `cache` binding must do: run one command that has been confined already."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

Reply = None | int | bytes | list["Reply"]
"""A reply as RESP2 has it; a status is bytes too."""


class CacheStore(Protocol):
    """A Valkey or Redis. `execute` raises `BindingError`: the server's own error with its first word as the code, or
    `CACHE_UNAVAILABLE` within a second or so when the server is away.

    Commands of one `lane` (a project) run in the order they were given.
    """

    async def start(self) -> None: ...
    async def stop(self) -> None: ...
    async def health(self) -> None: ...
    async def execute(self, lane: str, command: Sequence[str | bytes]) -> Reply: ...
