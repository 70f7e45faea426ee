"""Notifications as the API shows and takes them. What is secret is taken and never shown."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BaseModel, Field, SecretStr

from v8box.api.v1 import Shape, Time
from v8box.catalog.projects.quotas import NAMES as QUOTAS
from v8box.features.notifications.model import (
    Alert,
    Attempt,
    Channel,
    ChannelKind,
    Delivery,
    DeliveryState,
    EmailSettings,
    MessageType,
    QuietHours,
    Rule,
    RuleKind,
    Severity,
)
from v8box.features.notifications.quiet import parse_time, parse_zone
from v8box.features.notifications.senders.email import ADDRESS
from v8box.features.notifications.senders.webhook import key_of
from v8box.features.notifications.signals import MAX_WINDOW_SECONDS, TOLD_REASONS

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
_WEEKDAYS = get_args(Weekday)
_WEEK = 7 * 86_400


def _time(value: str) -> str:
    parse_time(value)
    return value


def _zone(value: str) -> str:
    parse_zone(value)
    return value


def _address(value: str) -> str:
    if not ADDRESS.fullmatch(value) or ".." in value:
        raise ValueError("must be an e-mail address such as ops@example.com")
    return value


def _host(value: str) -> str:
    if value and (not value.isascii() or any(each in value for each in " /@\\") or not value.isprintable()):
        raise ValueError("must be the name or the address of a mail server")
    return value


def _signing(value: SecretStr) -> SecretStr:
    key_of(value.get_secret_value())
    return value


def _quota(value: str) -> str:
    if value not in QUOTAS:
        raise ValueError(f"must be one of {', '.join(QUOTAS)}")
    return value


def _reason(value: str) -> str:
    if value not in TOLD_REASONS:
        raise ValueError(f"must be one of {', '.join(TOLD_REASONS)}")
    return value


def _one_line(value: str) -> str:
    if not value.isprintable() or not value.strip():
        raise ValueError("must be one line of text")
    return value.strip()


Name = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(_one_line)]
Pattern = Annotated[str, Field(pattern=r"^[a-z0-9*?_-]{1,63}$", description="A name, or a pattern like `shop-*`.")]
Address = Annotated[str, AfterValidator(_address)]
Url = Annotated[
    SecretStr,
    Field(max_length=2_000, description="Where it is sent. Taken and never shown: it is a secret of Slack's, say."),
]
Signing = Annotated[
    SecretStr, AfterValidator(_signing), Field(description="`whsec_…`; made up where none is given.", max_length=120)
]


class QuietHoursInfo(Shape):
    """When the channel is silent. What fires then and still does at their end is told then."""

    start: Annotated[str, AfterValidator(_time)] = Field(examples=["22:00"])
    end: Annotated[str, AfterValidator(_time)] = Field(
        description="Equal to `start`: the whole day.", examples=["07:00"]
    )
    timezone: Annotated[str, Field(max_length=64), AfterValidator(_zone)] = Field(
        default="UTC", examples=["Europe/Berlin"]
    )
    days: list[Weekday] = Field(default=[], max_length=7, description="On which they begin. Empty: every day.")
    critical_passes: bool = Field(default=True, description="Whether what is critical is told all the same.")

    def record(self) -> QuietHours:
        days = tuple(sorted({_WEEKDAYS.index(day) for day in self.days}))
        return QuietHours(
            start=self.start, end=self.end, timezone=self.timezone, days=days, critical_passes=self.critical_passes
        )

    @classmethod
    def of(cls, hours: QuietHours) -> QuietHoursInfo:
        return cls(
            start=hours.start,
            end=hours.end,
            timezone=hours.timezone,
            days=[_WEEKDAYS[day] for day in hours.days],
            critical_passes=hours.critical_passes,
        )


class EmailShown(Shape):
    """To whom, and by which server."""

    to: list[Address] = Field(min_length=1, max_length=20)
    sender: Address | None = Field(default=None, description="`From`. Null: the box's.")
    host: Annotated[str, Field(max_length=253), AfterValidator(_host)] = Field(
        default="", description="A mail server of the channel's own. Empty: the box's (V8BOX_SMTP_URL)."
    )
    port: int = Field(default=587, ge=1, le=65_535)
    security: Literal["starttls", "tls", "none"] = "starttls"
    username: Annotated[str, Field(max_length=200)] = ""

    def record(self) -> EmailSettings:
        return EmailSettings(
            to=tuple(dict.fromkeys(self.to)),
            sender=self.sender or "",
            host=self.host,
            port=self.port,
            security=self.security,
            username=self.username,
        )

    @classmethod
    def shown(cls, email: EmailSettings) -> EmailShown:
        return EmailShown.model_construct(
            to=list(email.to),
            sender=email.sender or None,
            host=email.host,
            port=email.port,
            security=email.security,
            username=email.username,
        )


class EmailInfo(EmailShown):
    """To whom, by which server, and with which password."""

    password: SecretStr | None = Field(default=None, max_length=500, description="Taken and never shown.")


class NewChannel(Shape):
    """A channel to make."""

    name: Name
    kind: ChannelKind
    url: Url | None = Field(default=None, description="For `slack`, `discord` and `webhook`.")
    signing_secret: Signing | None = Field(default=None, description="For `webhook`.")
    email: EmailInfo | None = Field(default=None, description="For `email`.")
    quiet_hours: QuietHoursInfo | None = None
    enabled: bool = True


class ChannelChange(Shape):
    """What is to change of a channel; what is left out stays."""

    name: Name | None = None
    url: Url | None = None
    email: EmailInfo | None = Field(default=None, description="All of it; without a password, that stays.")
    quiet_hours: QuietHoursInfo | None = Field(default=None, description="Null: none any more.")
    enabled: bool | None = None


class ChannelInfo(BaseModel):
    """A way by which people are told."""

    id: str
    name: str
    kind: ChannelKind
    shows: str = Field(
        description="Where it leads, without what is secret of it.", examples=["https://hooks.slack.com/…"]
    )
    email: EmailShown | None
    quiet_hours: QuietHoursInfo | None
    enabled: bool
    note: str = Field(description="Why the box has turned it off.")
    failing_since: Time | None = Field(description="Since when nothing was delivered, though it was tried.")
    created_at: Time
    created_by: str

    @classmethod
    def of(cls, channel: Channel) -> ChannelInfo:
        return cls(
            id=channel.id,
            name=channel.name,
            kind=channel.kind,
            shows=channel.shows,
            email=None if channel.email is None else EmailShown.shown(channel.email),
            quiet_hours=None if channel.quiet_hours is None else QuietHoursInfo.of(channel.quiet_hours),
            enabled=channel.enabled,
            note=channel.note,
            failing_since=_moment(channel.failing_since),
            created_at=moment(channel.created_at),
            created_by=channel.created_by,
        )


class ChannelWithSecret(ChannelInfo):
    """A channel that was just made."""

    signing_secret: str | None = Field(
        description="Of a webhook: what its receiver checks signatures with. Shown once."
    )


class Rotation(Shape):
    """How a signing secret is rotated."""

    overlap_seconds: int = Field(
        default=86_400, ge=0, le=_WEEK, description="So long messages are signed with the secret of before as well."
    )


class Rotated(BaseModel):
    """A new signing secret."""

    signing_secret: str = Field(description="Shown once.")
    previous_valid_until: Time


class RuleFields(Shape):
    """What a rule of every kind has, and what is for some kinds."""

    projects: Pattern = Field(default="*", description="Of which projects, for a rule of the box.")
    worker: Pattern = Field(
        default="*", description="Of which workers. For `error_rate`, `latency_p95`, `terminations`."
    )
    environment: Pattern = "*"
    threshold: float = Field(
        default=0.0,
        ge=0,
        le=1e12,
        description="Above it is too much: per cent for `error_rate`, milliseconds for `latency_p95`. From it on: a "
        "number for `terminations` (1 at least), per cent for `quota`.",
    )
    window_seconds: int = Field(default=300, ge=30, le=MAX_WINDOW_SECONDS)
    min_requests: int = Field(default=20, ge=1, le=1_000_000, description="With fewer in the window it says nothing.")
    for_seconds: int = Field(default=0, ge=0, le=86_400, description="How long it has to last before anybody is told.")
    reasons: list[Annotated[str, AfterValidator(_reason)]] = Field(
        default=[], max_length=30, description="Of `terminations`. Empty: any."
    )
    checks: list[Annotated[str, Field(max_length=40)]] = Field(
        default=[], max_length=30, description="Of `health`. Empty: any.", examples=[["disk", "certificates"]]
    )
    status: Literal["warn", "fail"] = Field(default="fail", description="Of `health`: from which on.")
    quotas: list[Annotated[str, AfterValidator(_quota)]] = Field(
        default=[], max_length=20, description="Of `quota`. Empty: any."
    )
    changes: list[Literal["new", "regressed"]] = Field(
        default=[], max_length=2, description="Of `errors`. Empty: both."
    )
    severity: Severity = Severity.WARNING
    channels: list[Annotated[str, Field(max_length=64)]] = Field(
        default=[], max_length=20, description="Their ids. Without any it only shows in the list of alerts."
    )
    reminder_seconds: int = Field(
        default=0, ge=0, le=30 * 86_400, description="After so long they are told again; 0: not."
    )
    enabled: bool = True

    def fields(self) -> dict[str, Any]:
        """As the fields of a `Rule`."""
        given = {name: getattr(self, name) for name in type(self).model_fields}
        return plain_fields(given)


class NewRule(RuleFields):
    """A rule to make."""

    name: Name
    kind: RuleKind


class RuleChange(Shape):
    """What is to change of a rule; what is left out stays."""

    name: Name | None = None
    projects: Pattern | None = None
    worker: Pattern | None = None
    environment: Pattern | None = None
    threshold: float | None = Field(default=None, ge=0, le=1e12)
    window_seconds: int | None = Field(default=None, ge=30, le=MAX_WINDOW_SECONDS)
    min_requests: int | None = Field(default=None, ge=1, le=1_000_000)
    for_seconds: int | None = Field(default=None, ge=0, le=86_400)
    reasons: list[Annotated[str, AfterValidator(_reason)]] | None = Field(default=None, max_length=30)
    checks: list[Annotated[str, Field(max_length=40)]] | None = Field(default=None, max_length=30)
    status: Literal["warn", "fail"] | None = None
    quotas: list[Annotated[str, AfterValidator(_quota)]] | None = Field(default=None, max_length=20)
    changes: list[Literal["new", "regressed"]] | None = Field(default=None, max_length=2)
    severity: Severity | None = None
    channels: list[Annotated[str, Field(max_length=64)]] | None = Field(default=None, max_length=20)
    reminder_seconds: int | None = Field(default=None, ge=0, le=30 * 86_400)
    enabled: bool | None = None
    silence_seconds: int | None = Field(
        default=None, ge=0, le=_WEEK, description="Nobody is told anything by it for so long; 0: they are again."
    )

    def fields(self, now: float) -> dict[str, Any]:
        """As the fields of a `Rule`, those that were given."""
        given = {name: getattr(self, name) for name in self.model_fields_set}
        given = {name: value for name, value in given.items() if value is not None}
        silence = given.pop("silence_seconds", None)
        if silence is not None:
            given["silenced_until"] = now + silence if silence else 0.0
        return plain_fields(given)


def plain_fields(given: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(dict.fromkeys(value)) if isinstance(value, list) else value for name, value in given.items()}


class RuleInfo(BaseModel):
    """What is watched, and whom it tells."""

    id: str
    name: str
    kind: RuleKind
    projects: str
    worker: str
    environment: str
    threshold: float
    window_seconds: int
    min_requests: int
    for_seconds: int
    reasons: list[str]
    checks: list[str]
    status: str
    quotas: list[str]
    changes: list[str]
    severity: Severity
    channels: list[str]
    reminder_seconds: int
    enabled: bool
    silenced_until: Time | None
    created_at: Time
    created_by: str

    @classmethod
    def of(cls, rule: Rule, now: float) -> RuleInfo:
        own = {name: getattr(rule, name) for name in cls.model_fields if name not in ("created_at", "silenced_until")}
        own = {name: list(value) if isinstance(value, tuple) else value for name, value in own.items()}
        return cls(
            **own,
            created_at=moment(rule.created_at),
            silenced_until=moment(rule.silenced_until) if rule.silenced_until > now else None,
        )


class AlertInfo(BaseModel):
    """Something that a rule has found."""

    id: str
    rule_id: str
    rule: str
    kind: RuleKind
    state: Literal["firing", "resolved"]
    severity: Severity
    subject: str = Field(description="What it is about.", examples=["default/shop@production", "disk"])
    title: str
    text: str
    advice: str
    facts: dict[str, str] = Field(examples=[{"worker": "shop", "environment": "production"}])
    value: float | None
    threshold: float | None
    count: int = Field(description="How often an event has come since it fired.")
    fired_at: Time
    last_at: Time
    resolved_at: Time | None
    acknowledged_at: Time | None
    acknowledged_by: str
    silenced_until: Time | None

    @classmethod
    def of(cls, alert: Alert, now: float) -> AlertInfo:
        return cls(
            id=alert.id,
            rule_id=alert.rule,
            rule=alert.rule_name,
            kind=alert.kind,
            state="firing" if alert.resolved_at is None else "resolved",
            severity=alert.severity,
            subject=alert.subject,
            title=alert.title,
            text=alert.text,
            advice=alert.advice,
            facts=alert.facts,
            value=alert.value,
            threshold=alert.threshold,
            count=alert.count,
            fired_at=moment(alert.fired_at),
            last_at=moment(alert.last_at),
            resolved_at=_moment(alert.resolved_at),
            acknowledged_at=_moment(alert.acknowledged_at),
            acknowledged_by=alert.acknowledged_by,
            silenced_until=moment(alert.silenced_until) if alert.silenced_until > now else None,
        )


class Silence(Shape):
    """For how long nobody is told."""

    hours: float = Field(ge=0, le=7 * 24, description="0: they are told again.")


class AttemptInfo(BaseModel):
    """One try to deliver something."""

    at: Time
    status: int | None = Field(description="HTTP's or SMTP's. Null: there was no answer.")
    latency_ms: float
    error: str

    @classmethod
    def of(cls, attempt: Attempt) -> AttemptInfo:
        return cls(at=moment(attempt.at), status=attempt.status, latency_ms=attempt.latency_ms, error=attempt.error)


class DeliveryInfo(BaseModel):
    """A message on its way, or arrived, or given up."""

    id: str = Field(description="What a webhook gets as `webhook-id`.")
    channel_id: str
    channel: str | None = Field(description="Its name. Null: it is gone.")
    type: MessageType
    title: str
    alert_id: str | None
    state: DeliveryState
    created_at: Time
    next_attempt_at: Time | None
    ended_at: Time | None
    attempts: list[AttemptInfo]

    @classmethod
    def of(cls, delivery: Delivery, channel: str | None) -> DeliveryInfo:
        pending = delivery.state is DeliveryState.PENDING
        return cls(
            id=delivery.id,
            channel_id=delivery.channel,
            channel=channel,
            type=delivery.message.type,
            title=delivery.message.title,
            alert_id=delivery.message.alert or None,
            state=delivery.state,
            created_at=moment(delivery.created_at),
            next_attempt_at=moment(delivery.next_at) if pending else None,
            ended_at=_moment(delivery.ended_at),
            attempts=[AttemptInfo.of(each) for each in delivery.attempts],
        )


def moment(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)


def _moment(at: float | None) -> datetime | None:
    return None if at is None else moment(at)
