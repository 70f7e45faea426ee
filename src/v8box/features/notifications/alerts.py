"""From readings to alerts: a rule's subject fires once it has been active for long enough, and is resolved once it has
not been for a minute. Who is told, and when again, is decided here; bringing it to them is the outbox's.

What changes is written down before it is believed: a write that fails is tried again at the next look.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec

from v8box.features.notifications.model import (
    EVENTS,
    Alert,
    Channel,
    Delivery,
    Message,
    MessageType,
    Rule,
    Severity,
    Told,
)
from v8box.features.notifications.quiet import quiet_until
from v8box.features.notifications.signals import Event, Reading
from v8box.features.notifications.store import Also, Store, new_id

CLEAR_SECONDS: Final = 60.0
EVENT_SECONDS: Final = 3_600.0
"""So long an event that comes again is the same alert, and nobody is told of it twice."""
MAX_OPEN: Final = 1_000
"""Of one project, or of the box: one where everything goes wrong does not keep the others' alerts from firing."""
_MAX_FACT: Final = 500
_MAX_TEXT: Final = 2_000

Key = tuple[str, str]
"""A rule, and what it is about."""


@dataclass(slots=True)
class Changes:
    """What a look came to."""

    alerts: dict[Key, Alert] = field(default_factory=dict)
    deliveries: list[Delivery] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.alerts or self.deliveries)


class Alerts:
    """All that are open. Times are the clock's, which is the wall's: they outlive a restart."""

    def __init__(self, store: Store, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock
        self._changing = asyncio.Lock()
        self._open: dict[Key, Alert] = {(each.rule, each.subject): each for each in store.open_alerts}
        self._count_of = Counter(each.project for each in self._open.values())
        self._subjects: defaultdict[str, set[str]] = defaultdict(set)
        """Of the open ones of each rule: a look at one rule does not go through those of all others."""
        for rule, subject in self._open:
            self._subjects[rule].add(subject)
        self._pending: defaultdict[str, dict[str, float]] = defaultdict(dict)
        """By rule and subject: since when it is active, though not yet for long enough."""
        self._clearing: dict[Key, float] = {}

    def open(self, project: str) -> list[Alert]:
        """The newest first."""
        found = [each for each in self._open.values() if each.project == project]
        return sorted(found, key=lambda each: (each.fired_at, each.id), reverse=True)

    def open_in(self, projects: Collection[str] | None) -> list[Alert]:
        """Of several projects or of all, the box's among them if it is named; the newest first."""
        found = [each for each in self._open.values() if projects is None or each.project in projects]
        return sorted(found, key=lambda each: (each.fired_at, each.id), reverse=True)

    def find(self, project: str, alert_id: str) -> Alert | None:
        return next((each for each in self._open.values() if each.id == alert_id and each.project == project), None)

    # ---- looking

    async def look(self, rule: Rule, readings: Sequence[Reading]) -> bool:
        """A look at everything that a rule covers. Gives whether somebody is to be told something."""
        async with self._changing:
            changes = self._compare(rule, readings)
            self._tell_of_open(rule, changes)
            return await self._commit(changes)

    async def happened(self, rules: Iterable[Rule], event: Event) -> bool:
        """Something that these rules ask for."""
        async with self._changing:
            changes = Changes()
            for rule in rules:
                self._add(rule, event, changes)
            return await self._commit(changes)

    def _add(self, rule: Rule, event: Event, changes: Changes) -> None:
        now, key = self._clock(), (rule.id, event.subject)
        known = self._open.get(key)
        if known is not None:
            changes.alerts[key] = msgspec.structs.replace(known, last_at=now, count=known.count + 1)
        elif self._has_room(rule, changes):
            alert = _fire(rule, event.subject, event.title, event.text, event.advice, dict(event.facts), None, now)
            self._tell(alert, MessageType.EVENT, self._channels(rule, now), changes, now, key=key)

    def _has_room(self, rule: Rule, changes: Changes) -> bool:
        """For one more alert of the rule's owner."""
        return self._count_of[rule.project] + len(changes.alerts) < MAX_OPEN

    async def expire(self) -> None:
        """Events that are long past leave the list; so does what no rule looks after any more. Nobody is told."""
        async with self._changing:
            now = self._clock()
            changes = Changes()
            for key, alert in self._open.items():
                rule = self._store.rules.get(alert.rule)
                over = alert.kind in EVENTS and now - alert.last_at >= EVENT_SECONDS
                if over or rule is None or not rule.enabled:
                    changes.alerts[key] = msgspec.structs.replace(alert, resolved_at=now)
            await self._commit(changes)
            for gone in (self._pending.keys() | self._subjects.keys()) - self._store.rules.keys():
                self._pending.pop(gone, None)
                self._subjects.pop(gone, None)

    def _compare(self, rule: Rule, readings: Sequence[Reading]) -> Changes:
        now = self._clock()
        changes = Changes()
        seen = {reading.subject: reading for reading in readings}
        unknown = any(reading.subject == "*" and reading.active is None for reading in readings)
        for subject, reading in seen.items():
            key = (rule.id, subject)
            if reading.active:
                self._active(rule, key, reading, changes, now)
            else:
                self._pending[rule.id].pop(subject, None)
                if reading.active is False:
                    self._inactive(rule, key, changes, now)
        for subject in (self._subjects[rule.id] | self._pending[rule.id].keys()) - seen.keys():
            self._pending[rule.id].pop(subject, None)
            if not unknown:
                self._inactive(rule, (rule.id, subject), changes, now)
        return changes

    def _active(self, rule: Rule, key: Key, reading: Reading, changes: Changes, now: float) -> None:
        self._clearing.pop(key, None)
        known = self._open.get(key)
        if known is None:
            since = self._pending[rule.id].setdefault(key[1], now)
            if now - since < rule.for_seconds or not self._has_room(rule, changes):
                return
            facts = dict(reading.facts)
            alert = _fire(rule, key[1], reading.title, reading.text, reading.advice, facts, reading.value, now)
            changes.alerts[key] = alert
        else:  # in memory alone: how it is now is not worth a write
            self._open[key] = msgspec.structs.replace(
                known,
                title=reading.title,
                text=reading.text[:_MAX_TEXT],
                advice=reading.advice,
                value=reading.value,
                last_at=now,
                severity=rule.severity,
                rule_name=rule.name,
            )

    def _inactive(self, rule: Rule, key: Key, changes: Changes, now: float) -> None:
        known = self._open.get(key)
        if known is None or now - self._clearing.setdefault(key, now) < CLEAR_SECONDS:
            return
        alert = msgspec.structs.replace(known, resolved_at=now)
        changes.alerts[key] = alert
        told = [self._store.channels[each] for each in alert.told if each in self._store.channels]
        for channel in told:
            if channel.enabled:
                message = message_of(alert, MessageType.RESOLVED, now)
                changes.deliveries.append(self._store.delivery(channel, message, _silent(channel, alert, now)))

    # ---- telling

    def _tell_of_open(self, rule: Rule, changes: Changes) -> None:
        """Of what fires now, to those who have not heard of it, or so long ago that they are reminded."""
        now = self._clock()
        fired = {key: alert for key, alert in changes.alerts.items() if alert.resolved_at is None}
        keys = [(rule.id, subject) for subject in self._subjects[rule.id]]
        mine = {key: self._open[key] for key in keys if key not in changes.alerts}
        for key, alert in (*mine.items(), *fired.items()):
            if alert.silenced_until > now or key in self._clearing:
                continue
            due = [
                channel
                for channel in self._channels(rule, now)
                if _silent(channel, alert, now) is None and _is_due(rule, alert, channel, now)
            ]
            first = [each for each in due if each.id not in alert.told]
            again = [each for each in due if each.id in alert.told]
            told = self._tell(alert, MessageType.FIRING, first, changes, now, key=key)
            self._tell(told, MessageType.REMINDER, again, changes, now, key=key)

    def _tell(
        self,
        alert: Alert,
        kind: MessageType,
        channels: Iterable[Channel],
        changes: Changes,
        now: float,
        *,
        key: Key,
    ) -> Alert:
        """Adds what is to be said, and that it was; an event waits for the end of a channel's quiet hours."""
        told = dict(alert.told)
        for channel in channels:
            message = message_of(alert, kind, now)
            at = _silent(channel, alert, now) if kind is MessageType.EVENT else None
            changes.deliveries.append(self._store.delivery(channel, message, at))
            count = told[channel.id].count + 1 if channel.id in told else 1
            told[channel.id] = Told(at=now, count=count)
        if told != alert.told or kind is MessageType.EVENT:
            alert = msgspec.structs.replace(alert, told=told)
            changes.alerts[key] = alert
        return alert

    def _channels(self, rule: Rule, now: float) -> list[Channel]:
        """Those that may be told something now; of an owner's own only."""
        if rule.silenced_until > now:
            return []
        found = (self._store.channels.get(each) for each in rule.channels)
        return [each for each in found if each is not None and each.enabled and each.project == rule.project]

    # ---- what people do

    async def change(self, project: str, alert_id: str, change: Callable[[Alert], Alert], also: Also) -> Alert | None:
        """An open alert that somebody acknowledges or silences; None: there is none. `also` takes part in the
        transaction."""
        async with self._changing:
            known = self.find(project, alert_id)
            if known is None:
                return None
            changed = change(known)
            await self._store.put_alerts([changed], also=also)
            self._open[(changed.rule, changed.subject)] = changed
            return changed

    async def _commit(self, changes: Changes) -> bool:
        if not changes:
            return False
        await self._store.put_alerts(list(changes.alerts.values()), changes.deliveries)
        for key, alert in changes.alerts.items():
            if alert.resolved_at is None:
                self._count_of[alert.project] += key not in self._open
                self._open[key] = alert
                self._subjects[key[0]].add(key[1])
            else:
                self._count_of[alert.project] -= self._open.pop(key, None) is not None
                self._subjects[key[0]].discard(key[1])
                self._clearing.pop(key, None)
            self._pending[key[0]].pop(key[1], None)
        return bool(changes.deliveries)

    def forget(self, project: str) -> None:
        """Of a project that is gone."""
        gone = [key for key, each in self._open.items() if each.project == project]
        for key in gone:
            del self._open[key]
            self._subjects[key[0]].discard(key[1])
        del self._count_of[project]


def message_of(alert: Alert, kind: MessageType, now: float) -> Message:
    """What is said of an alert."""
    title, advice, text = alert.title, alert.advice, alert.text
    if kind is MessageType.RESOLVED:
        title, advice, text = f"Resolved: {alert.title}", "", f"It lasted {_duration(now - alert.fired_at)}."
    elif kind is MessageType.REMINDER:
        title = f"Still: {alert.title}"
    return Message(
        type=kind,
        title=title,
        text=text,
        severity=alert.severity,
        project=alert.project,
        rule=alert.rule_name,
        alert=alert.id,
        subject=alert.subject,
        advice=advice,
        facts=alert.facts,
        value=alert.value,
        threshold=alert.threshold,
        since=alert.fired_at,
        at=now,
    )


def _fire(
    rule: Rule,
    subject: str,
    title: str,
    text: str,
    advice: str,
    facts: dict[str, str],
    value: float | None,
    now: float,
) -> Alert:
    return Alert(
        id=new_id("alert"),
        project=rule.project,
        rule=rule.id,
        rule_name=rule.name,
        kind=rule.kind,
        subject=subject,
        severity=rule.severity,
        title=title[:_MAX_FACT],
        text=text[:_MAX_TEXT],
        advice=advice,
        facts={name: each[:_MAX_FACT] for name, each in facts.items()},
        value=value,
        threshold=rule.threshold if rule.threshold else None,
        fired_at=now,
        last_at=now,
    )


def _is_due(rule: Rule, alert: Alert, channel: Channel, now: float) -> bool:
    told = alert.told.get(channel.id)
    if told is None:
        return True
    if alert.acknowledged_at is not None or not rule.reminder_seconds:
        return False
    return now - told.at >= rule.reminder_seconds


def _silent(channel: Channel, alert: Alert, now: float) -> float | None:
    """Until when the channel is silent about this alert."""
    hours = channel.quiet_hours
    if hours is not None and hours.critical_passes and alert.severity is Severity.CRITICAL:
        return None
    return quiet_until(hours, now)


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    if minutes < 120:
        return f"{minutes} minutes" if minutes != 1 else "a minute"
    return f"{minutes / 60:.1f} hours"
