"""Notifications on a clock that only the test moves, with a sender that keeps what it is given."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.fakes.versions import a_version, routes_of

from v8box.features.notifications.alerts import Alerts
from v8box.features.notifications.desk import Desk
from v8box.features.notifications.model import Channel, ChannelKind, Rule, RuleKind, Secrets
from v8box.features.notifications.outbox import Outbox
from v8box.features.notifications.senders.interface import Outcome, Parcel
from v8box.features.notifications.service import Notifications, Sources
from v8box.features.notifications.signals import CheckState, Deaths, QuotaUse, Samples
from v8box.features.notifications.store import Store
from v8box.storage import Database, Transaction
from v8box.storage.encryption import Encryption
from v8box.telemetry import audit
from v8box.telemetry.actors import Actor, ActorKind
from v8box.telemetry.rates import Rates

NOON = 1_780_000_000.0
ADA = Actor(kind=ActorKind.USER, id="usr_1", name="ada")
SECRET = "https://hooks.example.com/services/T0P/S3CRET"


@dataclass
class KeepingSender:
    """Delivers everything, or answers what it is told to."""

    parcels: list[Parcel] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)

    async def send(self, parcel: Parcel) -> Outcome:
        self.parcels.append(parcel)
        return self.outcomes.pop(0) if self.outcomes else Outcome(status=200)

    @property
    def said(self) -> list[str]:
        """Type and title of what was sent since this was last asked."""
        told = [f"{each.message.type.value}: {each.message.title}" for each in self.parcels]
        self.parcels.clear()
        return told


class World:
    """A box's notifications. `look` is one look at the rules, with what they lead to sent."""

    def __init__(self, database: Database, encryption: Encryption) -> None:
        self.database = database
        self.encryption = encryption
        self.now = NOON
        self.version = a_version()
        self.rates = Rates(lambda: self.now)
        self.rates.follow([self.version.key])
        self.checks: list[CheckState] = []
        self.quotas: dict[str, Sequence[QuotaUse]] = {}
        self.sender = KeepingSender()

    async def open(self) -> World:
        """As at a start of the box."""
        clock: Callable[[], float] = lambda: self.now  # noqa: E731
        self.store = await Store.open(self.database, self.encryption, clock)
        self.deaths = Deaths(clock)
        self.alerts = Alerts(self.store, clock)
        senders = dict.fromkeys(ChannelKind, self.sender)
        self.outbox = Outbox(self.store, senders, disable_seconds=5 * 86_400, clock=clock, jitter=lambda: 1.0)
        samples = Samples(self.rates, lambda: routes_of(self.version), clock)
        sources = Sources(
            samples=samples,
            deaths=self.deaths,
            checks=self._checks,
            quotas=self._quotas,
            projects=lambda: ["default", "acme"],
        )
        self.notifications = Notifications(self.store, self.alerts, self.outbox, sources, steady=clock)
        self.desk = Desk(self.notifications, private=False, has_mail=False, clock=clock)
        return self

    async def _checks(self) -> Sequence[CheckState]:
        return self.checks

    async def _quotas(self, project: str) -> Sequence[QuotaUse]:
        return self.quotas.get(project, ())

    async def channel(self, project: str = "default", name: str = "ops", **fields: Any) -> Channel:
        own = {"name": name, "kind": ChannelKind.SLACK, **fields}
        return await self.desk.create_channel(project, own, Secrets(url=SECRET), ADA)

    async def rule(self, kind: RuleKind, *channels: Channel, project: str = "default", **fields: Any) -> Rule:
        own = {"name": f"rule on {kind}", "kind": kind, "channels": tuple(each.id for each in channels), **fields}
        return await self.desk.create_rule(project, own, ADA)

    async def no_rules(self) -> None:
        """Without the one that every box begins with."""
        for rule in tuple(self.store.rules.values()):
            await self.desk.delete_rule(rule.project, rule.id, ADA)

    async def go(self, seconds: float, every: float = 10.0) -> list[str]:
        """Time passes, with the looks of the box; gives what was said."""
        end = self.now + seconds
        while self.now < end:
            self.now = min(end, self.now + every)
            await self.notifications.look()
            await self.notifications.take_events()
            await self.outbox.turn()
        return self.sender.said

    def requests(self, count: int, failing: int = 0, milliseconds: float = 5.0) -> None:
        for number in range(count):
            self.rates.record(self.version.key, milliseconds, number < failing)

    async def rows(self, sql: str) -> list[Any]:
        def read(transaction: Transaction) -> list[Any]:
            return [row[0] for row in transaction.rows(sql)]

        return await self.database.read(read)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    database = await Database.open(tmp_path / "catalog.db")
    await audit.open_audit(database)
    made = await World(database, await Encryption.open(database, tmp_path / "keys")).open()
    await made.no_rules()
    yield made
    await database.close()
