"""What notifications are made of: channels that lead to people, rules that watch, alerts that fire, deliveries.

All are kept as JSON. Times are Unix times. `project` is `BOX` for what belongs to the box itself.
"""

from __future__ import annotations

from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any, Final

import msgspec

BOX: Final = ""
"""No project has this name."""


class ChannelKind(StrEnum):
    """How a message reaches somebody."""

    EMAIL = "email"
    SLACK = "slack"
    DISCORD = "discord"
    WEBHOOK = "webhook"


class RuleKind(StrEnum):
    """What a rule watches."""

    ERROR_RATE = "error_rate"  # per cent of a worker's requests in a window
    LATENCY_P95 = "latency_p95"  # milliseconds, in a window
    TERMINATIONS = "terminations"  # sandboxes of a worker that were ended in a window
    HEALTH = "health"  # a check of the box; the box's rules only
    QUOTA = "quota"  # per cent of what a project may use
    ERRORS = "errors"  # a group of errors is new, or is back
    DEPLOY_FAILED = "deploy_failed"
    CANARY_ROLLED_BACK = "canary_rolled_back"


EVENTS: Final = frozenset({RuleKind.ERRORS, RuleKind.DEPLOY_FAILED, RuleKind.CANARY_ROLLED_BACK})
"""Kinds that something happening fires; the others watch a state, and are resolved when it has passed."""


class Severity(StrEnum):
    """How bad it is."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class QuietHours(msgspec.Struct, frozen=True, kw_only=True):
    """When a channel is silent, by the clock of a time zone. Equal times: the whole day."""

    start: str
    """`HH:MM`."""
    end: str
    timezone: str = "UTC"
    days: tuple[int, ...] = ()
    """Weekdays on which they begin, Monday is 0; empty: every day."""
    critical_passes: bool = True


class Channel(msgspec.Struct, frozen=True, kw_only=True):
    """Where messages go. What is secret of it is sealed and is not here."""

    id: str
    project: str
    name: str
    kind: ChannelKind
    shows: str
    """Where it leads, for people: a host or addresses, never the whole of a secret address."""
    email: EmailSettings | None = None
    quiet_hours: QuietHours | None = None
    enabled: bool = True
    note: str = ""
    """Why the box has turned it off."""
    failing_since: float | None = None
    created_at: float
    created_by: str


class EmailSettings(msgspec.Struct, frozen=True, kw_only=True):
    """`host` empty: by the mail server of the box's settings."""

    to: tuple[str, ...]
    sender: str = ""
    host: str = ""
    port: int = 587
    security: str = "starttls"
    """`starttls`, `tls` or `none`."""
    username: str = ""


class Secrets(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is sealed of a channel."""

    url: str = ""
    password: str = ""
    signing: str = ""
    """`whsec_…`"""
    previous_signing: str = ""
    previous_until: float = 0.0


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """What to look for, how long it has to last, and whom to tell."""

    id: str
    project: str
    name: str
    kind: RuleKind
    projects: str = "*"
    """Of which projects, for a rule of the box; a pattern."""
    worker: str = "*"
    environment: str = "*"
    threshold: float = 0.0
    window_seconds: int = 300
    min_requests: int = 20
    for_seconds: int = 0
    reasons: tuple[str, ...] = ()
    """Of terminations; empty: any."""
    checks: tuple[str, ...] = ()
    """Of health; empty: any."""
    status: str = "fail"
    """Of health: `warn` or `fail`."""
    quotas: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    """Of errors: `new`, `regressed`; empty: both."""
    severity: Severity = Severity.WARNING
    channels: tuple[str, ...] = ()
    reminder_seconds: int = 0
    enabled: bool = True
    silenced_until: float = 0.0
    created_at: float
    created_by: str

    def covers(self, project: str, worker: str = "", environment: str = "") -> bool:
        """Whether it is about this."""
        if self.project != BOX and project != self.project:
            return False
        return (
            (self.project != BOX or fnmatchcase(project, self.projects))
            and (not worker or fnmatchcase(worker, self.worker))
            and (not environment or fnmatchcase(environment, self.environment))
        )


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """When a channel was last told of an alert."""

    at: float
    count: int = 1


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a rule has found, from when it fired until it was over."""

    id: str
    project: str
    rule: str
    rule_name: str
    kind: RuleKind
    subject: str
    """What it is about, once for each rule at a time: `acme/shop@production`, `disk`."""
    severity: Severity
    title: str
    text: str = ""
    advice: str = ""
    facts: dict[str, str] = {}
    value: float | None = None
    threshold: float | None = None
    fired_at: float
    last_at: float
    count: int = 1
    """How often an event came again meanwhile."""
    resolved_at: float | None = None
    acknowledged_at: float | None = None
    acknowledged_by: str = ""
    silenced_until: float = 0.0
    told: dict[str, Told] = {}


class MessageType(StrEnum):
    """Why somebody is written to; what a webhook has as `type`."""

    FIRING = "alert.firing"
    REMINDER = "alert.reminder"
    RESOLVED = "alert.resolved"
    EVENT = "alert.event"
    TEST = "test"


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """What is said, in words that every channel can show."""

    type: MessageType
    title: str
    text: str
    severity: Severity
    project: str
    rule: str = ""
    alert: str = ""
    subject: str = ""
    advice: str = ""
    facts: dict[str, str] = {}
    value: float | None = None
    threshold: float | None = None
    since: float
    at: float


class DeliveryState(StrEnum):
    """How a delivery stands."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One try. `status` is HTTP's or SMTP's; None: there was no answer."""

    at: float
    latency_ms: float
    status: int | None = None
    error: str = ""


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """A message on its way through a channel."""

    id: str
    project: str
    channel: str
    message: Message
    state: DeliveryState = DeliveryState.PENDING
    created_at: float
    next_at: float
    attempts: tuple[Attempt, ...] = ()
    ended_at: float | None = None


def plain(value: Any) -> Any:
    """For the audit log: what is not empty."""
    return {name: each for name, each in msgspec.to_builtins(value).items() if each not in (None, "", [], (), {}, 0.0)}
