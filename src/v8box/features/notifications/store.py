"""Channels, rules, open alerts and deliveries in the box's database; the first three are in memory too, since they are
looked at every few seconds. What is secret of a channel is sealed, and opened when it is used.
"""

from __future__ import annotations

import asyncio
import secrets as random
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from v8box.features.notifications.model import (
    BOX,
    Alert,
    Channel,
    Delivery,
    DeliveryState,
    Message,
    Rule,
    Secrets,
)
from v8box.storage import Database, Transaction, load_migrations, load_queries
from v8box.storage.database import Value
from v8box.storage.encryption import Encryption, Sealer

_PURPOSE: Final = "notifications"
_KEEP_SECONDS: Final = 90 * 86_400.0
MOST_KEPT: Final = 1_000
"""Alerts that are over, and deliveries that have ended, of each project."""
MOST_WAITING: Final = 200
"""Deliveries of one channel that wait; more would only come too late."""
queries: Final = load_queries("v8box.features.notifications")

Row = dict[str, Value]
Also = Callable[[Transaction], None]
"""What else belongs into the same transaction: the audit log's entry."""


class Store:
    """`open` it before anything else."""

    def __init__(self, database: Database, encryption: Encryption, clock: Callable[[], float]) -> None:
        self._database = database
        self._encryption = encryption
        self._clock = clock
        self.changing = asyncio.Lock()
        """Held by whoever reads a channel or a rule to change it."""
        self.channels: dict[str, Channel] = {}
        self.rules: dict[str, Rule] = {}
        self.open_alerts: list[Alert] = []

    @classmethod
    async def open(cls, database: Database, encryption: Encryption, clock: Callable[[], float]) -> Store:
        await database.migrate("notifications", load_migrations("v8box.features.notifications"))
        store = cls(database, encryption, clock)

        def read(sql: Transaction) -> tuple[list[Channel], list[Rule], list[Alert]]:
            return (
                [msgspec.json.decode(str(row[0]), type=Channel) for row in sql.rows(queries["channels"])],
                [msgspec.json.decode(str(row[0]), type=Rule) for row in sql.rows(queries["rules"])],
                [msgspec.json.decode(str(row[0]), type=Alert) for row in sql.rows(queries["open_alerts"])],
            )

        channels, rules, store.open_alerts = await database.read(read)
        store.channels = {each.id: each for each in channels}
        store.rules = {each.id: each for each in rules}
        encryption.hold(store._reseal)
        return store

    # ---- channels

    async def put_channel(self, channel: Channel, secrets: Secrets, also: Also) -> None:
        sealer = self._sealer(channel.project)
        sealed = await sealer.seal(_PURPOSE, channel.id, msgspec.json.encode(secrets))
        row: Row = {"id": channel.id, "project": channel.project, "body": _encode(channel), "sealed": sealed}

        def write(sql: Transaction) -> None:
            sql.execute(queries["put_channel"], row)
            also(sql)

        await self._database.write(write)
        self.channels[channel.id] = channel

    async def note_channel(self, channel_id: str, note: Callable[[Channel], Channel]) -> None:
        """Changes what the box itself notes of a channel. One that is gone meanwhile stays so."""
        async with self.changing:
            known = self.channels.get(channel_id)
            if known is None or (channel := note(known)) == known:
                return
            row = {"id": channel_id, "body": _encode(channel)}
            await self._database.write(lambda sql: sql.execute(queries["set_channel_body"], row))
            self.channels[channel_id] = channel

    async def secrets(self, channel: Channel) -> Secrets:
        """Raises `KeyError` when the channel is gone."""
        row = await self._database.read(lambda sql: sql.row(queries["sealed"], {"id": channel.id}))
        if row is None or not isinstance(row[0], bytes):
            raise KeyError(channel.id)
        opened = self._sealer(channel.project).open(_PURPOSE, channel.id, row[0])
        return msgspec.json.decode(opened, type=Secrets)

    async def delete_channel(self, channel: Channel, also: Also) -> None:
        """What waits for it ends with it."""
        now = self._clock()

        def write(sql: Transaction) -> None:
            for row in sql.rows(queries["pending_of_channel"], {"channel": channel.id}):
                delivery = msgspec.json.decode(str(row[0]), type=Delivery)
                ended = msgspec.structs.replace(delivery, state=DeliveryState.FAILED, ended_at=now)
                sql.execute(queries["put_delivery"], _delivery_row(ended))
            sql.execute(queries["delete_channel"], {"id": channel.id})
            also(sql)

        await self._database.write(write)
        self.channels.pop(channel.id, None)

    # ---- rules

    async def put_rule(self, rule: Rule, also: Also) -> None:
        row = {"id": rule.id, "project": rule.project, "body": _encode(rule)}

        def write(sql: Transaction) -> None:
            sql.execute(queries["put_rule"], row)
            also(sql)

        await self._database.write(write)
        self.rules[rule.id] = rule

    async def delete_rule(self, rule: Rule, also: Also) -> None:
        def write(sql: Transaction) -> None:
            sql.execute(queries["delete_rule"], {"id": rule.id})
            also(sql)

        await self._database.write(write)
        self.rules.pop(rule.id, None)

    # ---- alerts

    async def put_alerts(
        self, alerts: Sequence[Alert], deliveries: Sequence[Delivery] = (), also: Also | None = None
    ) -> None:
        """Alerts with what is to be said of them: neither is there without the other."""
        before = self._clock() - _KEEP_SECONDS

        def write(sql: Transaction) -> None:
            for alert in alerts:
                sql.execute(queries["put_alert"], _alert_row(alert))
            for delivery in deliveries:
                _add(sql, delivery)
            for project in {alert.project for alert in alerts if alert.resolved_at is not None}:
                sql.execute(queries["prune_alerts"], {"project": project, "before": before, "most": MOST_KEPT})
            if also is not None:
                also(sql)

        await self._database.write(write)

    async def alerts(
        self, project: str, *, limit: int, before: tuple[float, str] | None, only_open: bool
    ) -> list[Alert]:
        """The newest first."""
        at, alert_id = before if before is not None else (None, None)
        row: Row = {"project": project, "open": int(only_open), "before": at, "before_id": alert_id, "limit": limit}
        rows = await self._database.read(lambda sql: sql.rows(queries["alerts_of_project"], row))
        return [msgspec.json.decode(str(row[0]), type=Alert) for row in rows]

    async def alert(self, project: str, alert_id: str) -> Alert | None:
        key = {"id": alert_id, "project": project}
        row = await self._database.read(lambda sql: sql.row(queries["alert"], key))
        return None if row is None else msgspec.json.decode(str(row[0]), type=Alert)

    # ---- deliveries

    def delivery(self, channel: Channel, message: Message, at: float | None = None) -> Delivery:
        """One to be put: now, or at a time."""
        now = self._clock()
        return Delivery(
            id=new_id("msg"),
            project=channel.project,
            channel=channel.id,
            message=message,
            created_at=now,
            next_at=now if at is None else at,
        )

    async def put_delivery(self, delivery: Delivery) -> None:
        before = self._clock() - _KEEP_SECONDS

        def write(sql: Transaction) -> None:
            sql.execute(queries["put_delivery"], _delivery_row(delivery))
            if delivery.state is not DeliveryState.PENDING:
                row: Row = {"project": delivery.project, "before": before, "most": MOST_KEPT}
                sql.execute(queries["prune_deliveries"], row)

        await self._database.write(write)

    async def due(self, limit: int) -> tuple[list[Delivery], float | None]:
        """Deliveries whose time has come, and when the next one's does."""
        row = {"now": self._clock(), "limit": limit}

        def read(sql: Transaction) -> tuple[list[Delivery], float | None]:
            found = [
                msgspec.json.decode(str(each[0]), type=Delivery) for each in sql.rows(queries["due_deliveries"], row)
            ]
            following = sql.row(queries["next_delivery"])
            return found, None if following is None or following[0] is None else float(str(following[0]))

        return await self._database.read(read)

    async def deliveries(
        self, project: str, *, limit: int, before: tuple[float, str] | None, channel: str | None, state: str | None
    ) -> list[Delivery]:
        """The newest first."""
        at, delivery_id = before if before is not None else (None, None)
        row: Row = {"project": project, "channel": channel, "state": state, "limit": limit}
        row |= {"before": at, "before_id": delivery_id}
        rows = await self._database.read(lambda sql: sql.rows(queries["deliveries_of_project"], row))
        return [msgspec.json.decode(str(each[0]), type=Delivery) for each in rows]

    async def find_delivery(self, project: str, delivery_id: str) -> Delivery | None:
        key = {"id": delivery_id, "project": project}
        row = await self._database.read(lambda sql: sql.row(queries["delivery"], key))
        return None if row is None else msgspec.json.decode(str(row[0]), type=Delivery)

    # ---- a project

    async def forget(self, project: str) -> None:
        """Everything of a project that is deleted."""

        def write(sql: Transaction) -> None:
            for what in ("channels", "rules", "alerts", "deliveries"):
                sql.execute(queries[f"forget_{what}"], {"project": project})

        await self._database.write(write)
        self.channels = {key: each for key, each in self.channels.items() if each.project != project}
        self.rules = {key: each for key, each in self.rules.items() if each.project != project}

    # ---- sealing

    def _sealer(self, project: str) -> Sealer:
        return self._encryption.sealer(None if project == BOX else project)

    async def _reseal(self, project: str | None) -> int:
        """`Holder` of the encryption."""
        sealer = self._encryption.sealer(project)
        await sealer.ready()
        owner = BOX if project is None else project

        def write(sql: Transaction) -> int:
            old = [
                (str(key), bytes(sealed))
                for key, sealed in sql.rows(queries["sealed_of_project"], {"project": owner})
                if isinstance(sealed, bytes) and sealer.is_old(sealed)
            ]
            for key, sealed in old:
                fresh = sealer.seal_now(_PURPOSE, key, sealer.open(_PURPOSE, key, sealed))
                sql.execute(queries["set_sealed"], {"id": key, "sealed": fresh, "before": sealed})
            return len(old)

        return await self._database.write(write)


def new_id(prefix: str) -> str:
    return f"{prefix}_{random.token_hex(10)}"


def _add(sql: Transaction, delivery: Delivery) -> None:
    """A new delivery; where too many wait for the channel already, one that has failed."""
    waiting = sql.row(queries["waiting_of_channel"], {"channel": delivery.channel})
    if waiting is not None and int(str(waiting[0])) >= MOST_WAITING:
        delivery = msgspec.structs.replace(delivery, state=DeliveryState.FAILED, ended_at=delivery.created_at)
    sql.execute(queries["put_delivery"], _delivery_row(delivery))


def _encode(value: Channel | Rule | Alert | Delivery) -> str:
    return msgspec.json.encode(value).decode()


def _alert_row(alert: Alert) -> Row:
    return {
        "id": alert.id,
        "project": alert.project,
        "rule": alert.rule,
        "fired_at": alert.fired_at,
        "resolved_at": alert.resolved_at,
        "body": _encode(alert),
    }


def _delivery_row(delivery: Delivery) -> Row:
    return {
        "id": delivery.id,
        "project": delivery.project,
        "channel": delivery.channel,
        "state": delivery.state.value,
        "created_at": delivery.created_at,
        "next_at": delivery.next_at,
        "body": _encode(delivery),
    }
