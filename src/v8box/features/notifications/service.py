"""Notifications as a whole: looks at every rule a few times a minute, off the request path, and has the outbox tell
people.

What people do with channels, rules and alerts is in `desk`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from v8box.errors import V8BoxError
from v8box.features.notifications import readings
from v8box.features.notifications.alerts import Alerts
from v8box.features.notifications.model import BOX, EVENTS, Rule, RuleKind
from v8box.features.notifications.outbox import Outbox
from v8box.features.notifications.signals import (
    MAX_EVENTS,
    AskChecks,
    AskQuotas,
    CheckState,
    Deaths,
    Event,
    QuotaUse,
    Reading,
    Samples,
    Where,
)
from v8box.features.notifications.store import Store
from v8box.storage import DatabaseError

LOOK_SECONDS: Final = 10.0
QUOTA_SECONDS: Final = 60.0
_ANSWER_SECONDS: Final = 10.0
_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """What rules look at."""

    samples: Samples
    deaths: Deaths
    checks: AskChecks
    quotas: AskQuotas
    projects: Callable[[], Sequence[str]]


class Notifications:
    """Let `run` and the outbox's `run` go on until the box stops."""

    def __init__(
        self,
        store: Store,
        alerts: Alerts,
        outbox: Outbox,
        sources: Sources,
        *,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self.store = store
        self.alerts = alerts
        self.outbox = outbox
        self._sources = sources
        self._steady = steady
        self._events: deque[Event] = deque(maxlen=MAX_EVENTS)
        self._happened = asyncio.Event()
        self._quotas: dict[str, Sequence[QuotaUse]] = {}
        self._quotas_at: float | None = None

    def tell(self, event: Event) -> None:
        """Something happened. Returns at once; of a flood the latest are kept."""
        self._events.append(event)
        self._happened.set()

    async def check_names(self) -> list[str]:
        """Of the box's health."""
        return [each.name for each in await self._sources.checks()]

    async def run(self) -> None:
        """Until cancelled: events at once, everything else every few seconds."""
        last = self._steady()
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, last + LOOK_SECONDS - self._steady())):
                    await self._happened.wait()
            if self._steady() - last >= LOOK_SECONDS:  # also while events come faster than they are taken
                last = self._steady()
                await self._safely(self.look())
            await self._safely(self.take_events())

    async def _safely(self, work: Awaitable[None]) -> None:
        try:
            await work
        except V8BoxError as error:  # a full disk, say: the next look tries it again
            _log.warning("the rules for notifications could not be looked at: %s", error)
        except Exception:
            _log.exception("the rules for notifications could not be looked at")

    async def look(self) -> None:
        """Once at every rule that watches a state."""
        rules = [each for each in self.store.rules.values() if each.enabled and each.kind not in EVENTS]
        await self._sources.samples.sample(lambda where: _wanted(rules, where))
        checks = await self._checks(rules)
        await self._look_at_quotas(rules)
        told = False
        for rule in rules:
            found = await self._readings(rule, checks)
            if found is not None:
                told |= await self.alerts.look(rule, found)
        await self.alerts.expire()
        if told:
            self.outbox.wake()

    async def take_events(self) -> None:
        """What was told meanwhile; of a flood as much as there is time for until the next look."""
        self._happened.clear()
        until = self._steady() + LOOK_SECONDS
        told = False
        while self._events:
            if self._steady() >= until:
                self._happened.set()
                break
            event = self._events.popleft()
            try:
                told |= await self.alerts.happened(
                    [rule for rule in self.store.rules.values() if _asks_for(rule, event)], event
                )
            except DatabaseError:  # a full disk, say: it is tried again; one more alert is not one more message
                self._events.appendleft(event)
                raise
        if told:
            self.outbox.wake()

    async def _readings(self, rule: Rule, checks: Sequence[CheckState] | None) -> list[Reading] | None:
        """None: what the rule asks for could not be had."""
        sources = self._sources
        match rule.kind:
            case RuleKind.ERROR_RATE:
                return await readings.of_error_rate(rule, sources.samples)
            case RuleKind.LATENCY_P95:
                return await readings.of_latency(rule, sources.samples)
            case RuleKind.TERMINATIONS:
                return readings.of_terminations(rule, sources.deaths)
            case RuleKind.HEALTH:
                return None if checks is None else readings.of_health(rule, checks)
            case RuleKind.QUOTA:
                return readings.of_quotas(rule, self._quotas)
        return None

    async def _checks(self, rules: Sequence[Rule]) -> Sequence[CheckState] | None:
        if not any(rule.kind is RuleKind.HEALTH for rule in rules):
            return None
        return await self._sources.checks()

    async def _look_at_quotas(self, rules: Sequence[Rule]) -> None:
        """Once a minute: some of it has to be counted."""
        asking = [rule for rule in rules if rule.kind is RuleKind.QUOTA]
        now = self._steady()
        if not asking or (self._quotas_at is not None and now - self._quotas_at < QUOTA_SECONDS):
            return
        self._quotas_at = now
        found: dict[str, Sequence[QuotaUse]] = {}
        for project in self._sources.projects():
            if any(rule.covers(project) for rule in asking):
                try:
                    async with asyncio.timeout(_ANSWER_SECONDS):
                        found[project] = await self._sources.quotas(project)
                except (V8BoxError, TimeoutError) as error:
                    _log.warning("what the project %s uses cannot be told: %s", project, error)
                    found[project] = self._quotas.get(project, ())
        self._quotas = found


def _wanted(rules: Sequence[Rule], where: Where) -> int:
    """For how many seconds a worker's samples are asked for."""
    return max(
        (
            rule.window_seconds
            for rule in rules
            if rule.kind in (RuleKind.ERROR_RATE, RuleKind.LATENCY_P95)
            and rule.covers(where.project, where.worker, where.environment)
        ),
        default=0,
    )


def _asks_for(rule: Rule, event: Event) -> bool:
    if not rule.enabled or rule.kind is not event.kind or (event.project == BOX and rule.project != BOX):
        return False
    if rule.changes and event.change and event.change not in rule.changes:
        return False
    return rule.covers(event.project, event.worker, event.environment)
