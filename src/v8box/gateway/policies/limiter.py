"""Counting requests: the generic cell rate algorithm (GCRA), decided here and now, without asking anybody.

A bucket keeps one number, the theoretical arrival time (TAT): when the requests that were let through would all have
come, had they come evenly. It is Unix time, so nodes and restarts mean the same. What this node let through since it
last told the others is owed to them; `limit_sync` brings it to Valkey and their share back.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from v8box.catalog.policies import RateLimit

MAX_BUCKETS: Final = 100_000
_EPSILON: Final = 1e-6  # of a second: what is lost where a Unix time is a float


class Cell:
    """A rate limit as the algorithm has it."""

    __slots__ = ("burst", "interval", "limit", "rule", "window")

    def __init__(self, rule: RateLimit) -> None:
        self.rule = rule
        self.limit = rule.limit
        self.window = rule.window_seconds
        self.interval = rule.window_seconds / rule.limit
        """Seconds that one request takes up."""
        self.burst = self.interval * (rule.burst or rule.limit)
        """How far the TAT may be ahead of now."""


class Bucket:
    """What one client used up of one limit."""

    __slots__ = ("burst", "key", "owed", "quiet", "since", "tat", "waiting")

    def __init__(self, key: str, burst: float) -> None:
        self.key = key
        self.burst = burst
        self.tat = 0.0
        self.owed = 0.0
        self.since = 0.0
        """When the first of what is owed came."""
        self.quiet = 0
        """How often in a row the others had nothing new."""
        self.waiting = False


@dataclass(frozen=True, slots=True)
class Owed:
    """What is told of a bucket. `owed` was let through here from `since` on; `tat` is what this node knows."""

    bucket: Bucket
    owed: float
    since: float
    tat: float


class Limiter:
    """The buckets of this node. The least recently used go when there are too many."""

    QUIET_ROUNDS: Final = 3

    def __init__(self, *, max_buckets: int = MAX_BUCKETS) -> None:
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()
        self._max_buckets = max_buckets
        self._waiting: dict[str, Bucket] = {}
        self.down_since: float | None = None
        """Since when the others cannot be told."""
        self.on_stranger: Callable[[], None] = _nobody
        """Called when a bucket is new here, or was quiet: others, or this node before a restart, may know more."""

    def __len__(self) -> int:
        return len(self._buckets)

    def bucket(self, key: str, cell: Cell) -> Bucket:
        buckets = self._buckets
        bucket = buckets.get(key)
        if bucket is not None:
            buckets.move_to_end(key)
            return bucket
        if len(buckets) >= self._max_buckets:
            buckets.popitem(last=False)
        bucket = buckets[key] = self._waiting.get(key) or Bucket(key, cell.burst)
        self._wait(bucket)
        self.on_stranger()
        return bucket

    def hit(self, key: str, cell: Cell, now: float) -> float:
        """One request is let through, if it fits. Gives how many seconds are used up from now on; if it does not fit,
        how long until it does, as a negative number."""
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self.bucket(key, cell)
        else:
            self._buckets.move_to_end(key)
        if bucket.tat > now and (wait := self.wait_seconds(bucket, cell, now)):
            return -wait
        return self.take(bucket, cell, now)

    def wait_seconds(self, bucket: Bucket, cell: Cell, now: float) -> float:
        """How long until one more request fits; 0 when it does now."""
        tat = bucket.tat
        if tat <= now:
            return 0.0
        wait = tat + cell.interval - cell.burst - now
        if wait <= _EPSILON:
            return 0.0
        if wait > cell.interval:  # nodes that did not know of each other let too much through, or the clock went back
            bucket.tat = now + cell.burst
            return cell.interval
        return wait

    def take(self, bucket: Bucket, cell: Cell, now: float) -> float:
        """One request is let through. Gives how many seconds are used up from now on."""
        tat = (bucket.tat if bucket.tat > now else now) + cell.interval
        bucket.tat = tat
        if bucket.owed == 0.0:
            bucket.since = now
            if not bucket.waiting:
                if bucket.quiet >= self.QUIET_ROUNDS:  # others may have been called meanwhile
                    self.on_stranger()
                self._wait(bucket)
        bucket.owed += cell.interval
        return tat - now

    # ---- for `limit_sync`

    def _wait(self, bucket: Bucket) -> None:
        bucket.waiting = True
        bucket.quiet = 0
        self._waiting[bucket.key] = bucket

    @property
    def is_waiting(self) -> bool:
        return bool(self._waiting)

    def owed(self, most: int) -> Sequence[Owed]:
        """What the others are to be told next, up to so many buckets."""
        found = []
        for key in list(self._waiting)[:most]:
            bucket = self._waiting.pop(key)
            bucket.waiting = False
            found.append(Owed(bucket, bucket.owed, bucket.since, bucket.tat))
        return found

    def settle(self, told: Iterable[tuple[Owed, float]]) -> None:
        """The others were told, and this is the TAT that all know now. A bucket whose TAT moved elsewhere is asked for
        again until it is quiet."""
        for owed, shared in told:
            bucket = owed.bucket
            bucket.owed = max(0.0, bucket.owed - owed.owed)
            if bucket.owed < _EPSILON * _EPSILON:
                bucket.owed = 0.0
            moved = shared > owed.tat + _EPSILON
            bucket.tat = max(bucket.tat, shared + bucket.owed)
            quiet = 0 if moved or bucket.owed else bucket.quiet + 1
            if quiet < self.QUIET_ROUNDS and not bucket.waiting and bucket.key in self._buckets:
                self._wait(bucket)
            bucket.quiet = quiet

    def give_back(self, told: Iterable[Owed]) -> None:
        """The others could not be told: it is still owed."""
        for owed in told:
            if owed.bucket.owed and not owed.bucket.waiting:
                self._wait(owed.bucket)


def _nobody() -> None:
    """There is nobody to ask."""
