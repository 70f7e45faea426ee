"""What rules look at, made into readings: workers' last minutes, ended sandboxes, the box's checks, quotas, events.

The window of a worker is made of samples that are taken at every look, so the request path does nothing for it. Only
what a rule asks for is kept.
"""

from __future__ import annotations

import asyncio
import time
from array import array
from collections import Counter, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import add
from typing import Final, NamedTuple

from v8box.catalog.model import RouteTable
from v8box.errors import StopReason
from v8box.features.notifications.model import Rule, RuleKind
from v8box.telemetry.rates import Rates, Window
from v8box.telemetry.records import DeathRecord

MAX_WINDOW_SECONDS: Final = 3_600
MAX_EVENTS: Final = 1_000
_MAX_WORKERS: Final = 5_000
_MAX_DEATHS: Final = 20_000
_RECENT_SECONDS: Final = 600
_AT_ONCE: Final = 5
"""Workers that are looked at in one turn of the loop: about a millisecond."""
_NOTHING: Final = Window(0, 0, ())
_SELF_INFLICTED: Final = frozenset({"shutdown", "replaced", "removed", "idle", "recycled", "evicted", "client_gone"})
TOLD_REASONS: Final = tuple(each.value for each in StopReason if each not in _SELF_INFLICTED)
"""For which a sandbox may end so that a rule hears of it."""


class Where(NamedTuple):
    """A worker in an environment."""

    project: str
    environment: str
    worker: str

    @property
    def subject(self) -> str:
        return f"{self.project}/{self.worker}@{self.environment}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a rule found of one subject. `active` None: nobody can tell yet."""

    subject: str
    active: bool | None
    title: str = ""
    text: str = ""
    advice: str = ""
    value: float | None = None
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened once. Whoever knows tells `Notifications.tell`."""

    kind: RuleKind
    project: str
    subject: str
    title: str
    text: str = ""
    advice: str = ""
    worker: str = ""
    environment: str = ""
    change: str = ""
    """Of errors: `new` or `regressed`."""
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CheckState:
    """A check of the box, as a rule reads it. `status`: `ok`, `warn` or `fail`."""

    name: str
    status: str
    value: str
    advice: str


@dataclass(frozen=True, slots=True)
class QuotaUse:
    """How much of a quota a project has used."""

    quota: str
    used: float
    limit: float


AskChecks = Callable[[], Awaitable[Sequence[CheckState]]]
AskQuotas = Callable[[str], Awaitable[Sequence[QuotaUse]]]


class _History:
    """The samples of one worker: those of the last minutes as they were taken, older ones by the minute."""

    __slots__ = ("minutes", "recent")

    def __init__(self) -> None:
        self.recent: deque[tuple[int, array[int]]] = deque()
        self.minutes: deque[tuple[int, array[int]]] = deque()

    def add(self, until: int, figures: array[int] | None, keep_seconds: int) -> None:
        if figures is not None:
            self.recent.append((until, figures))
        while self.recent and self.recent[0][0] <= until - _RECENT_SECONDS:
            at, old = self.recent.popleft()
            if self.minutes and self.minutes[-1][0] // 60 == at // 60:
                _, sums = self.minutes.pop()
                old = array("Q", map(add, old, sums))
            self.minutes.append((at, old))
        for kept in (self.minutes, self.recent):
            while kept and kept[0][0] <= until - keep_seconds:
                kept.popleft()

    def since(self, after: int) -> Window:
        taken = [figures for kept in (self.minutes, self.recent) for until, figures in kept if until > after]
        if not taken:
            return _NOTHING
        sums = [sum(column) for column in zip(*taken, strict=True)]
        return Window(sums[0], sums[1], tuple(sums[2:]))


class Samples:
    """The last minutes of workers. `sample` often, at least once a minute: what `Rates` has is no older."""

    def __init__(
        self, rates: Rates, routes: Callable[[], RouteTable], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._rates = rates
        self._routes = routes
        self._clock = clock
        self._since = self._until = int(clock()) - 1
        self._kept: dict[Where, _History] = {}

    async def sample(self, wanted: Callable[[Where], int]) -> None:
        """Takes what happened since the last time. `wanted`: for how many seconds a worker's samples are to be kept,
        0: not at all. Requests go on between the workers."""
        until = int(self._clock()) - 1  # the second that is going on is not over
        if until <= self._until:
            return
        after, self._until = self._until, until
        live: set[Where] = set()
        for number, route in enumerate(self._routes().workers.values(), 1):
            where = Where(route.project, route.environment, route.worker)
            if (seconds := wanted(where)) and len(live) < _MAX_WORKERS:
                live.add(where)
                keys = [share.placement.key for share in route.shares]
                self._kept.setdefault(where, _History()).add(until, self._taken(keys, after, until), seconds)
            if number % _AT_ONCE == 0:
                await asyncio.sleep(0)
        for gone in self._kept.keys() - live:
            del self._kept[gone]

    def _taken(self, keys: Sequence[str], after: int, until: int) -> array[int] | None:
        """Of all versions that are live; None: nothing happened."""
        found = [each for each in (self._rates.between(key, after, until) for key in keys) if each.requests]
        if not found:
            return None
        rows = [(each.requests, each.errors, *each.buckets) for each in found]
        return array("Q", rows[0] if len(rows) == 1 else map(sum, zip(*rows, strict=True)))

    def covers(self, seconds: int) -> bool:
        """Whether so long a time has been looked at since the start."""
        return self._until - self._since >= seconds

    async def windows(self, rule: Rule) -> AsyncIterator[tuple[Where, Window]]:
        """The window of each worker that a rule covers. Requests go on between them."""
        after = self._until - rule.window_seconds
        for number, (where, history) in enumerate(tuple(self._kept.items()), 1):
            if rule.covers(where.project, where.worker, where.environment):
                yield where, history.since(after)
            if number % _AT_ONCE == 0:
                await asyncio.sleep(0)


class Deaths:
    """Sandboxes that were ended, for as long as a rule may ask. A listener of the feed."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kept: deque[tuple[float, Where, str, str]] = deque(maxlen=_MAX_DEATHS)
        self._since = clock()

    def death(self, record: DeathRecord) -> None:
        if record.reason not in _SELF_INFLICTED:
            where = Where(record.project, record.environment, record.worker)
            self._kept.append((self._clock(), where, record.reason, record.detail))

    def covers(self, seconds: int) -> bool:
        return self._clock() - self._since >= seconds

    def count(self, seconds: int, reasons: Sequence[str]) -> Mapping[Where, Counter[str]]:
        """By worker and reason, in the last so many seconds; reasons empty: any."""
        now = self._clock()
        while self._kept and self._kept[0][0] < now - MAX_WINDOW_SECONDS:
            self._kept.popleft()
        found: dict[Where, Counter[str]] = {}
        for at, where, reason, _ in self._kept:
            if at > now - seconds and (not reasons or reason in reasons):
                found.setdefault(where, Counter())[reason] += 1
        return found
