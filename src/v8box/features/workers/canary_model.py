"""A canary as it is kept: its plan, how far it is, and what its guards say of a minute's figures."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec

from v8box.telemetry.rates import Window

DEFAULT_STEPS: Final = (1, 5, 25, 50, 100)
_P95: Final = 0.95


class State(StrEnum):
    """How a canary stands."""

    RUNNING = "running"
    PAUSED = "paused"  # it stays at its step; the guards still watch
    SUCCEEDED = "succeeded"  # the new version has all requests
    ROLLED_BACK = "rolled_back"  # a guard was broken
    ABORTED = "aborted"  # somebody went back
    SUPERSEDED = "superseded"  # somebody changed the deployment meanwhile; it was left as they made it
    FAILED = "failed"  # a step could not be made, and going back could not either


UNDER_WAY: Final = (State.RUNNING, State.PAUSED)


class Guards(msgspec.Struct, frozen=True, kw_only=True):
    """What the new version must keep to, measured over the last minute of the step; None: it does not matter."""

    max_error_rate: float | None = 0.05
    """Of its requests: those that were answered 5xx, or ended before they were over."""
    max_error_rate_increase: float | None = None
    """How much more than the old version's."""
    max_p95_ms: float | None = None
    max_p95_ratio: float | None = None
    """Times the old version's."""
    min_requests: int = 20
    """Before so many there is nothing to judge, and no next step."""

    def breach(self, new: Window, old: Window) -> str | None:
        """Which one is broken, in words."""
        if new.requests < max(1, self.min_requests):
            return None
        seen = f"of {new.requests} requests"
        if self.max_error_rate is not None and new.error_rate > self.max_error_rate:
            return f"error rate {new.error_rate:.1%} {seen} is above {self.max_error_rate:.1%}"
        p95 = new.quantile_ms(_P95)
        if self.max_p95_ms is not None and p95 > self.max_p95_ms:
            return f"p95 {p95:.0f} ms {seen} is above {self.max_p95_ms:g} ms"
        if old.requests < max(1, self.min_requests):
            return None
        increase = new.error_rate - old.error_rate
        if self.max_error_rate_increase is not None and increase > self.max_error_rate_increase:
            return (
                f"error rate {new.error_rate:.1%} {seen} is more than {self.max_error_rate_increase:.1%} above the old "
                f"version's {old.error_rate:.1%}"
            )
        before = old.quantile_ms(_P95)
        if self.max_p95_ratio is not None and p95 > self.max_p95_ratio * max(before, 1.0):
            return f"p95 {p95:.0f} ms {seen} is above {self.max_p95_ratio:g} times the old version's {before:.0f} ms"
        return None


class Canary(msgspec.Struct, frozen=True, kw_only=True):
    """One canary. Times are Unix times."""

    project: str
    worker: str
    environment: str
    old: str
    """Version ids."""
    new: str
    old_number: int
    new_number: int
    steps: tuple[int, ...] = DEFAULT_STEPS
    interval_seconds: float
    guards: Guards
    state: State = State.RUNNING
    step: int = 0
    """The index of the step that it is at."""
    number: int = 0
    """The deployment's, as the last step left it."""
    reason: str = ""
    started_at: float
    started_by: str
    stepped_at: float
    ended_at: float | None = None

    @property
    def key(self) -> tuple[str, str, str]:
        return self.project, self.worker, self.environment

    @property
    def weight(self) -> int:
        return self.steps[self.step]

    @property
    def is_last_step(self) -> bool:
        return self.step == len(self.steps) - 1

    def shares(self, weight: int) -> list[tuple[str, int]]:
        return [(self.old, 100 - weight), (self.new, weight)]
