"""What people do with notifications: make, change, test and delete channels and rules; acknowledge and silence alerts.

Every change is in the audit log, in the same transaction; no secret is.
"""

from __future__ import annotations

import ipaddress
import time
from collections import deque
from collections.abc import Callable
from typing import Any, ClassVar, Final
from urllib.parse import urlsplit

import msgspec

from v8box.errors import BadRequest, NotFound, V8BoxError
from v8box.features.notifications.model import (
    BOX,
    Alert,
    Channel,
    ChannelKind,
    Delivery,
    DeliveryState,
    Message,
    MessageType,
    Rule,
    RuleKind,
    Secrets,
    Severity,
    plain,
)
from v8box.features.notifications.senders.webhook import make_secret
from v8box.features.notifications.service import Notifications
from v8box.features.notifications.store import Also, new_id
from v8box.kit.addresses import is_public
from v8box.kit.tasks import to_its_end
from v8box.telemetry.actors import Actor
from v8box.telemetry.audit import MASK, Event, append

MOST_CHANNELS: Final = 50
MOST_RULES: Final = 200
"""Of one project, or of the box."""
MOST_BY_HAND: Final = 10
"""Tests and repeated deliveries of one project in a minute."""


class ChannelNotFound(NotFound):
    """There is no notification channel with this id here."""

    code = "notification_channel_not_found"


class RuleNotFound(NotFound):
    """There is no notification rule with this id here."""

    code = "notification_rule_not_found"


class AlertNotFound(NotFound):
    """There is no open alert with this id here."""

    code = "alert_not_found"


class DeliveryNotFound(NotFound):
    """There is no delivery with this id here, or it is so old that it is forgotten."""

    code = "delivery_not_found"


class TooManyNotifications(V8BoxError):
    """There are as many as there may be: delete some first."""

    status = 409
    code = "too_many_notifications"


class TooManyMessages(V8BoxError):
    """So many messages by hand are enough for a minute: wait a little."""

    status = 429
    code = "too_many_messages"
    retry_after: ClassVar[int] = 60


class ChannelInUse(V8BoxError):
    """Rules send to this channel: take it out of them first, or delete them."""

    status = 409
    code = "notification_channel_in_use"


class Desk:
    """`private`: whether projects' channels may lead to addresses that are not public."""

    def __init__(
        self, notifications: Notifications, *, private: bool, has_mail: bool, clock: Callable[[], float] = time.time
    ) -> None:
        self._notifications = notifications
        self._store = notifications.store
        self._private = private
        self._has_mail = has_mail
        self._clock = clock
        self._by_hand: dict[str, deque[float]] = {}
        """When messages were last sent by hand, by project."""

    # ---- channels

    def channels(self, project: str) -> list[Channel]:
        return [each for each in self._store.channels.values() if each.project == project]

    def channel(self, project: str, channel_id: str) -> Channel:
        """Raises `ChannelNotFound`."""
        found = self._store.channels.get(channel_id)
        if found is None or found.project != project:
            raise ChannelNotFound
        return found

    async def create_channel(self, project: str, fields: dict[str, Any], secrets: Secrets, actor: Actor) -> Channel:
        """Raises `TooManyNotifications`, `BadRequest`."""
        if fields["kind"] is ChannelKind.WEBHOOK and not secrets.signing:
            secrets = msgspec.structs.replace(secrets, signing=make_secret())
        channel = Channel(
            id=new_id("channel"),
            project=project,
            shows="",
            created_at=self._clock(),
            created_by=actor.name,
            **fields,
        )
        return await to_its_end(self._create_channel(self._checked(channel, secrets), secrets, actor))

    async def _create_channel(self, channel: Channel, secrets: Secrets, actor: Actor) -> Channel:
        async with self._store.changing:
            if len(self.channels(channel.project)) >= MOST_CHANNELS:
                raise TooManyNotifications
            self._check_name(channel, self.channels(channel.project))
            after = {**plain(channel), "secret": MASK}
            note = self._audited("notification_channel.create", channel, actor, after=after)
            await self._store.put_channel(channel, secrets, note)
            return channel

    async def change_channel(
        self, project: str, channel_id: str, fields: dict[str, Any], secrets: dict[str, Any], actor: Actor
    ) -> Channel:
        """What is not named stays. Who turns a channel on takes its note away."""
        return await to_its_end(self._change_channel(project, channel_id, fields, secrets, actor))

    async def _change_channel(
        self, project: str, channel_id: str, fields: dict[str, Any], new: dict[str, Any], actor: Actor
    ) -> Channel:
        async with self._store.changing:
            before = self.channel(project, channel_id)
            secrets = msgspec.structs.replace(await self._store.secrets(before), **new)
            if fields.get("enabled"):
                fields = {**fields, "note": "", "failing_since": None}
            channel = self._checked(msgspec.structs.replace(before, **fields), secrets)
            self._check_name(channel, self.channels(project))
            told = {"secret": f"{MASK} (changed)"} if new else {}
            note = self._audited(
                "notification_channel.change", channel, actor, before=plain(before), after={**plain(channel), **told}
            )
            await self._store.put_channel(channel, secrets, note)
            return channel

    async def rotate(self, project: str, channel_id: str, overlap_seconds: float, actor: Actor) -> tuple[str, float]:
        """A new signing secret, and until when messages are signed with the one before as well. Raises `BadRequest`."""
        return await to_its_end(self._rotate(project, channel_id, overlap_seconds, actor))

    async def _rotate(self, project: str, channel_id: str, overlap_seconds: float, actor: Actor) -> tuple[str, float]:
        async with self._store.changing:
            channel = self.channel(project, channel_id)
            if channel.kind is not ChannelKind.WEBHOOK:
                raise BadRequest("Only a webhook has a signing secret.")
            secrets = await self._store.secrets(channel)
            until = self._clock() + overlap_seconds
            rotated = msgspec.structs.replace(
                secrets, signing=make_secret(), previous_signing=secrets.signing, previous_until=until
            )
            note = self._audited(
                "notification_channel.rotate", channel, actor, after={"overlap_seconds": overlap_seconds}
            )
            await self._store.put_channel(channel, rotated, note)
            return rotated.signing, until

    async def signing_secret(self, channel: Channel) -> str:
        """For the answer to whoever has just made the channel."""
        return (await self._store.secrets(channel)).signing

    async def delete_channel(self, project: str, channel_id: str, actor: Actor) -> None:
        """Raises `ChannelInUse`."""
        await to_its_end(self._delete_channel(project, channel_id, actor))

    async def _delete_channel(self, project: str, channel_id: str, actor: Actor) -> None:
        async with self._store.changing:
            channel = self.channel(project, channel_id)
            if using := [rule.name for rule in self.rules(project) if channel_id in rule.channels]:
                raise ChannelInUse(f"Rules send to this channel: {', '.join(using[:10])}. Take it out of them first.")
            note = self._audited("notification_channel.delete", channel, actor, before=plain(channel))
            await self._store.delete_channel(channel, note)

    async def test(self, project: str, channel_id: str, actor: Actor) -> Delivery:
        """Sends a message at once, also through a channel that is turned off, and tells how that went."""
        channel = self.channel(project, channel_id)
        now = self._clock()
        self._check_pace(project, now)
        message = Message(
            type=MessageType.TEST,
            title="A test of this channel",
            text=f"{actor.name} sent it to see whether messages arrive. They do.",
            severity=Severity.INFO,
            project=project,
            since=now,
            at=now,
        )
        return await self._notifications.outbox.attempt(self._store.delivery(channel, message), once=True)

    def _checked(self, channel: Channel, secrets: Secrets) -> Channel:
        """With what is shown of where it leads. Raises `BadRequest`."""
        private = self._private or channel.project == BOX
        if channel.kind is ChannelKind.EMAIL:
            email = channel.email
            if email is None or not email.to:
                raise BadRequest("An e-mail channel needs addresses: email.to")
            if secrets.url or secrets.signing:
                raise BadRequest("An e-mail channel has neither url nor signing_secret.")
            if not email.host and not self._has_mail:
                raise BadRequest("The box has no mail server: name one in email.host, or set V8BOX_SMTP_URL.")
            if not email.host and (email.username or secrets.password):
                raise BadRequest("email.username and email.password are for a server of the channel's own: email.host")
            if email.security == "none" and (email.username or not private):
                raise BadRequest("Without TLS there is no password, and no server outside: use starttls or tls.")
            return msgspec.structs.replace(channel, shows=", ".join(email.to))
        if channel.email is not None or secrets.password:
            raise BadRequest("email is for channels of the kind email.")
        if channel.kind is not ChannelKind.WEBHOOK and secrets.signing:
            raise BadRequest("signing_secret is for channels of the kind webhook.")
        return msgspec.structs.replace(channel, shows=check_url(secrets.url, private=private))

    def _check_name(self, item: Channel | Rule, others: list[Channel] | list[Rule]) -> None:
        if any(each.name == item.name and each.id != item.id for each in others):
            raise BadRequest(f"There is one called {item.name!r} already: choose another name.")

    # ---- rules

    def rules(self, project: str) -> list[Rule]:
        return [each for each in self._store.rules.values() if each.project == project]

    def rule(self, project: str, rule_id: str) -> Rule:
        """Raises `RuleNotFound`."""
        found = self._store.rules.get(rule_id)
        if found is None or found.project != project:
            raise RuleNotFound
        return found

    async def create_rule(self, project: str, fields: dict[str, Any], actor: Actor) -> Rule:
        """Raises `TooManyNotifications`, `BadRequest`."""
        await self._check_checks(fields)
        rule = Rule(id=new_id("rule"), project=project, created_at=self._clock(), created_by=actor.name, **fields)
        return await to_its_end(self._put_rule(rule, None, actor))

    async def change_rule(self, project: str, rule_id: str, fields: dict[str, Any], actor: Actor) -> Rule:
        before = self.rule(project, rule_id)
        await self._check_checks(fields)
        return await to_its_end(self._put_rule(msgspec.structs.replace(before, **fields), before, actor))

    async def _put_rule(self, rule: Rule, before: Rule | None, actor: Actor) -> Rule:
        async with self._store.changing:
            if before is None and len(self.rules(rule.project)) >= MOST_RULES:
                raise TooManyNotifications
            if before is not None:
                self.rule(rule.project, rule.id)  # it may be gone meanwhile
            self._check_name(rule, self.rules(rule.project))
            self._check_rule(rule)
            action = f"notification_rule.{'create' if before is None else 'change'}"
            old = None if before is None else plain(before)
            await self._store.put_rule(rule, self._audited(action, rule, actor, before=old, after=plain(rule)))
            return rule

    async def _check_checks(self, fields: dict[str, Any]) -> None:
        """One that is not there would never fail. Raises `BadRequest`."""
        wanted = fields.get("checks")
        if not wanted:
            return
        known = await self._notifications.check_names()
        if unknown := [each for each in wanted if each not in known]:
            raise BadRequest(f"There is no check {unknown[0]!r} here. There are {', '.join(known)}.")

    def _check_rule(self, rule: Rule) -> None:
        """Raises `BadRequest`."""
        if rule.project != BOX and rule.kind is RuleKind.HEALTH:
            raise BadRequest("health is for the rules of the box: /api/v1/box/notifications/rules")
        if rule.project != BOX and rule.projects != "*":
            raise BadRequest("projects is for the rules of the box.")
        if rule.kind in (RuleKind.ERROR_RATE, RuleKind.QUOTA) and not 0 <= rule.threshold <= 1_000:
            raise BadRequest("threshold is a per cent here.")
        if rule.kind in (RuleKind.LATENCY_P95, RuleKind.QUOTA) and rule.threshold <= 0:
            raise BadRequest("threshold has to be above 0 here.")
        unknown = [each for each in rule.channels if each not in {known.id for known in self.channels(rule.project)}]
        if unknown:
            raise BadRequest(f"There is no channel {unknown[0]} here: GET …/notifications/channels lists them.")

    async def delete_rule(self, project: str, rule_id: str, actor: Actor) -> None:
        """What it has found is over at the next look; nobody is told."""

        async def delete() -> None:
            async with self._store.changing:
                rule = self.rule(project, rule_id)
                note = self._audited("notification_rule.delete", rule, actor, before=plain(rule))
                await self._store.delete_rule(rule, note)

        await to_its_end(delete())

    # ---- alerts

    @property
    def now(self) -> float:
        return self._clock()

    async def alert(self, project: str, alert_id: str) -> Alert:
        """Raises `AlertNotFound`."""
        found = self._notifications.alerts.find(project, alert_id) or await self._store.alert(project, alert_id)
        if found is None:
            raise AlertNotFound("There is no alert with this id here, or it is so old that it is forgotten.")
        return found

    async def acknowledge(self, project: str, alert_id: str, actor: Actor) -> Alert:
        """Somebody looks after it: no more reminders. Raises `AlertNotFound`."""
        now = self._clock()

        def change(alert: Alert) -> Alert:
            return msgspec.structs.replace(alert, acknowledged_at=now, acknowledged_by=actor.name)

        return await self._change_alert(project, alert_id, change, "alert.acknowledge", {}, actor)

    async def silence(self, project: str, alert_id: str, seconds: float, actor: Actor) -> Alert:
        """Nobody is told of it for so long; 0: from now on they are again. Raises `AlertNotFound`."""
        until = self._clock() + seconds if seconds else 0.0

        def change(alert: Alert) -> Alert:
            return msgspec.structs.replace(alert, silenced_until=until)

        return await self._change_alert(project, alert_id, change, "alert.silence", {"seconds": seconds}, actor)

    async def _change_alert(
        self,
        project: str,
        alert_id: str,
        change: Callable[[Alert], Alert],
        action: str,
        after: dict[str, Any],
        actor: Actor,
    ) -> Alert:
        event = Event(
            action=action, resource=f"alert/{alert_id}", project=project or None, actor=actor, after=after or None
        )
        alerts = self._notifications.alerts
        changed = await to_its_end(alerts.change(project, alert_id, change, lambda sql: append(sql, event)))
        if changed is None:
            raise AlertNotFound
        return changed

    # ---- deliveries

    async def redeliver(self, project: str, delivery_id: str) -> Delivery:
        """Sends once more what has ended, under the same id. Raises `DeliveryNotFound`, `ChannelNotFound`."""
        found = await self._store.find_delivery(project, delivery_id)
        if found is None:
            raise DeliveryNotFound
        self.channel(project, found.channel)
        if found.state is DeliveryState.PENDING:
            return found
        self._check_pace(project, self._clock())
        again = msgspec.structs.replace(
            found, state=DeliveryState.PENDING, next_at=self._clock(), ended_at=None, attempts=()
        )
        await self._store.put_delivery(again)
        self._notifications.outbox.wake()
        return again

    def _check_pace(self, project: str, now: float) -> None:
        """The box's mail server is not for sending to anybody as often as one likes. Raises `TooManyMessages`."""
        sent = self._by_hand.setdefault(project, deque(maxlen=MOST_BY_HAND))
        if len(sent) == MOST_BY_HAND and now - sent[0] < 60:
            raise TooManyMessages
        sent.append(now)

    async def forget(self, project: str) -> None:
        """Everything of a project that is deleted."""
        await self._store.forget(project)
        self._by_hand.pop(project, None)
        self._notifications.alerts.forget(project)

    def _audited(
        self, action: str, item: Channel | Rule, actor: Actor, *, before: Any = None, after: Any = None
    ) -> Also:
        kind = "channel" if isinstance(item, Channel) else "rule"
        event = Event(
            action=action,
            resource=f"notification_{kind}/{item.id}",
            project=item.project or None,
            actor=actor,
            before=before,
            after=after,
        )
        return lambda sql: append(sql, event)


def check_url(url: str, *, private: bool) -> str:
    """Its host, which is all that is shown of it. Raises `BadRequest`."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port, parts = "", None, urlsplit("")
    if not host or parts.scheme not in ("https", "http") or parts.username is not None or not url.isascii():
        raise BadRequest("url has to be an address such as https://hooks.example.com/…, without a user in it.")
    if not private and parts.scheme != "https":
        raise BadRequest("url has to begin with https:// here.")
    if not private and (host == "localhost" or host.endswith(".localhost") or _is_private(host)):
        raise BadRequest("url has to lead to the public internet, unless the box allows more (V8BOX_NOTIFY_PRIVATE).")
    return f"{parts.scheme}://{host}" + (f":{port}" if port else "") + "/…"


def _is_private(host: str) -> bool:

    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return not is_public(host)
