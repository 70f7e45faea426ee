"""Whom a look of Prometheus asks, beside the counters."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from v8box.gateway.cache.cache import ResponseCache
from v8box.gateway.pages.counts import SiteCounts
from v8box.gateway.policies.counts import Counts
from v8box.pool.group import GroupState

STARTED: Final = time.time()


class Check(NamedTuple):
    """How a service or another check of the box's health is: `ok`, `warn` or `fail`."""

    name: str
    status: str
    seconds: float
    service: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Whom the box's families are asked from."""

    look: Callable[[bool], Sequence[GroupState]]
    """`Pool.look`."""
    states: Callable[[], Counter[str]]
    """`Pool.states`."""
    max_sandboxes: int
    checks: Callable[[], Awaitable[Sequence[Check]]]
    audited: Callable[[], Awaitable[int]]
    """How many changes the audit log has seen."""
    dropped: Callable[[], Mapping[str, int]]
    """What telemetry was lost, by kind."""
    live: Callable[[], tuple[int, int]]
    """How many workers and sites are live."""
    cache: ResponseCache
    refusals: Counts
    sites: SiteCounts
    data: Path


class Snapshot(NamedTuple):
    """What has to be asked on the loop."""

    states: Sequence[GroupState]
    sandboxes: Mapping[str, int]
    checks: Sequence[Check]
    audited: int
    dropped: Mapping[str, int]
    live: tuple[int, int]


async def ask(sources: Sources) -> Snapshot:
    """Everything that may not be asked from a thread."""
    checks, audited = await sources.checks(), await sources.audited()
    return Snapshot(sources.look(True), sources.states(), checks, audited, sources.dropped(), sources.live())
