"""What fires, what is said of it and how often: durations, reminders, quiet hours, silence, a restart."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from tests.notifications.conftest import ADA, World

from v8box.features.notifications.desk import AlertNotFound
from v8box.features.notifications.model import QuietHours, Rule, RuleKind, Severity
from v8box.features.notifications.signals import CheckState, Event, QuotaUse
from v8box.storage.database import DatabaseError
from v8box.telemetry.records import DeathRecord

FULL = CheckState("disk", "fail", "0.1 GB free", "make room")
WELL = CheckState("disk", "ok", "9 GB free", "")
TITLE = "disk is not well"


async def a_health_rule(world: World, **fields: object) -> None:
    channel = await world.channel("", name=f"channel of {len(world.store.channels)}")
    await world.rule(RuleKind.HEALTH, channel, project="", **fields)


async def test_one_message_while_it_fires_and_one_when_it_is_over(world: World) -> None:
    await a_health_rule(world)
    assert await world.go(60) == []
    world.checks = [FULL]
    assert await world.go(10) == [f"alert.firing: {TITLE}"]
    assert await world.go(3_600) == []
    world.checks = [WELL]
    assert await world.go(50) == []
    assert await world.go(30) == [f"alert.resolved: Resolved: {TITLE}"]
    assert await world.go(3_600) == []
    assert world.alerts.open("") == []


async def test_what_flaps_is_one_alert(world: World) -> None:
    await a_health_rule(world)
    said = []
    for _ in range(20):
        world.checks = [FULL]
        said += await world.go(10)
        world.checks = [WELL]
        said += await world.go(30)
    assert said == [f"alert.firing: {TITLE}"]


async def test_it_has_to_last(world: World) -> None:
    await a_health_rule(world, for_seconds=60)
    world.checks = [FULL]
    assert await world.go(50) == []
    world.checks = [WELL]
    await world.go(10)
    world.checks = [FULL]
    assert await world.go(60) == []
    assert await world.go(10) == [f"alert.firing: {TITLE}"]


async def test_reminders_until_somebody_looks_after_it(world: World) -> None:
    await a_health_rule(world, reminder_seconds=600)
    world.checks = [FULL]
    await world.go(10)
    assert await world.go(600) == [f"alert.reminder: Still: {TITLE}"]
    assert await world.go(600) == [f"alert.reminder: Still: {TITLE}"]
    (alert,) = world.alerts.open("")
    seen = await world.desk.acknowledge("", alert.id, ADA)
    assert seen.acknowledged_by == "ada"
    assert await world.go(6_000) == []
    world.checks = [WELL]
    assert await world.go(80) == [f"alert.resolved: Resolved: {TITLE}"]
    with pytest.raises(AlertNotFound):
        await world.desk.acknowledge("", alert.id, ADA)


async def test_a_silenced_alert_is_told_again_when_the_silence_is_over(world: World) -> None:
    await a_health_rule(world, reminder_seconds=60)
    world.checks = [FULL]
    await world.go(10)
    (alert,) = world.alerts.open("")
    await world.desk.silence("", alert.id, 3_600, ADA)
    assert await world.go(3_590) == []
    assert await world.go(20) == [f"alert.reminder: Still: {TITLE}"]


async def test_a_silenced_rule_says_nothing_and_still_shows(world: World) -> None:
    await a_health_rule(world)
    (rule,) = world.store.rules.values()
    await world.desk.change_rule("", rule.id, {"silenced_until": world.now + 600}, ADA)
    world.checks = [FULL]
    assert await world.go(590) == []
    assert len(world.alerts.open("")) == 1
    assert await world.go(20) == [f"alert.firing: {TITLE}"]


def berlin(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Europe/Berlin")).timestamp()


NIGHT = QuietHours(start="22:00", end="07:00", timezone="Europe/Berlin")


async def test_at_night_only_what_is_critical_is_told(world: World) -> None:
    channel = await world.channel("", quiet_hours=NIGHT)
    world.checks = [WELL, CheckState("db", "ok", "answers", "")]
    await world.rule(RuleKind.HEALTH, channel, project="", checks=("disk",))
    await world.rule(RuleKind.HEALTH, channel, project="", name="db", checks=("db",), severity=Severity.CRITICAL)
    world.now = berlin("2026-07-02T02:00")
    world.checks = [FULL, CheckState("db", "fail", "gone", "")]
    assert await world.go(600) == ["alert.firing: db is not well"]
    world.now = berlin("2026-07-02T06:59:50")
    assert await world.go(10) == [f"alert.firing: {TITLE}"]  # it still fires


async def test_what_was_over_before_the_morning_is_not_told(world: World) -> None:
    channel = await world.channel("", quiet_hours=NIGHT)
    await world.rule(RuleKind.HEALTH, channel, project="")
    world.now = berlin("2026-07-02T02:00")
    world.checks = [FULL]
    await world.go(600)
    world.checks = [WELL]
    await world.go(600)
    world.now = berlin("2026-07-02T07:00")
    assert await world.go(600) == []


async def test_the_end_of_something_waits_for_the_morning(world: World) -> None:
    channel = await world.channel("", quiet_hours=NIGHT)
    await world.rule(RuleKind.HEALTH, channel, project="")
    world.now = berlin("2026-07-01T21:00")
    world.checks = [FULL]
    assert await world.go(10) == [f"alert.firing: {TITLE}"]
    world.now = berlin("2026-07-02T02:00")
    world.checks = [WELL]
    assert await world.go(600) == []
    world.now = berlin("2026-07-02T07:00")
    assert await world.go(10) == [f"alert.resolved: Resolved: {TITLE}"]


async def test_an_event_waits_for_the_morning(world: World) -> None:
    channel = await world.channel(quiet_hours=NIGHT)
    await world.rule(RuleKind.DEPLOY_FAILED, channel)
    world.now = berlin("2026-07-02T02:00")
    world.notifications.tell(Event(kind=RuleKind.DEPLOY_FAILED, project="default", subject="x", title="x failed"))
    assert await world.go(10) == []
    world.now = berlin("2026-07-02T07:00")
    assert await world.go(10) == ["alert.event: x failed"]


async def test_a_restart_repeats_nothing_and_forgets_nothing(world: World) -> None:
    await a_health_rule(world)
    world.checks = [FULL]
    assert await world.go(10) == [f"alert.firing: {TITLE}"]
    await world.open()
    assert await world.go(600) == []
    world.checks = [WELL]
    assert await world.go(80) == [f"alert.resolved: Resolved: {TITLE}"]


async def test_a_message_that_was_not_sent_before_a_crash_is_sent_after_it(world: World) -> None:
    await a_health_rule(world)
    world.checks = [FULL]
    world.now += 10
    await world.notifications.look()  # and the box is gone before the outbox has its turn
    await world.open()
    assert await world.go(10) == [f"alert.firing: {TITLE}"]


async def test_a_database_that_cannot_be_written_delays_and_loses_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await a_health_rule(world)
    world.checks = [FULL]
    real = world.store.put_alerts

    async def fail(*_: object, **__: object) -> None:
        raise DatabaseError("the disk is full")

    monkeypatch.setattr(world.store, "put_alerts", fail)
    with pytest.raises(DatabaseError):
        await world.notifications.look()
    assert world.alerts.open("") == []
    monkeypatch.setattr(world.store, "put_alerts", real)
    assert await world.go(10) == [f"alert.firing: {TITLE}"]


async def test_a_rule_that_is_deleted_takes_its_alerts_with_it(world: World) -> None:
    await a_health_rule(world)
    world.checks = [FULL]
    await world.go(10)
    await world.no_rules()
    assert await world.go(20) == []
    assert world.alerts.open("") == []


async def test_a_rule_that_is_turned_off_takes_its_alerts_with_it(world: World) -> None:
    await a_health_rule(world)
    world.checks = [FULL]
    await world.go(10)
    (rule,) = world.store.rules.values()
    await world.desk.change_rule("", rule.id, {"enabled": False}, ADA)
    assert await world.go(3_600) == []
    assert world.alerts.open("") == []


async def test_a_warning_is_for_rules_that_ask_for_warnings(world: World) -> None:
    await a_health_rule(world)
    await world.rule(RuleKind.HEALTH, *world.store.channels.values(), project="", name="all", status="warn")
    world.checks = [CheckState("clock", "warn", "it jumped", "use NTP")]
    assert await world.go(30) == ["alert.firing: clock: look after it"]


# ---- workers


async def test_an_error_rate(world: World) -> None:
    channel = await world.channel()
    await world.rule(RuleKind.ERROR_RATE, channel, threshold=5.0, window_seconds=60, min_requests=20)
    await world.go(60)
    world.requests(100, failing=5)
    assert await world.go(20) == []  # not more than 5 %
    world.requests(100, failing=20)
    world.now += 2
    (said,) = await world.go(10)
    assert said == "alert.firing: hello: 12.5 % of requests fail"
    assert await world.go(60) == []
    (said,) = await world.go(80)
    assert said.startswith("alert.resolved: Resolved: hello: ")


async def test_few_requests_say_nothing(world: World) -> None:
    channel = await world.channel()
    await world.rule(RuleKind.ERROR_RATE, channel, threshold=5.0, window_seconds=60, min_requests=20)
    world.requests(19, failing=19)
    assert await world.go(60) == []


async def test_another_project_or_worker_is_none_of_a_rules_business(world: World) -> None:
    channel = await world.channel("acme")
    await world.rule(RuleKind.ERROR_RATE, channel, project="acme", threshold=1.0, window_seconds=60)
    own = await world.channel()
    await world.rule(RuleKind.ERROR_RATE, own, threshold=1.0, worker="shop-*")
    world.requests(100, failing=100)
    assert await world.go(60) == []


async def test_a_rule_of_the_box_covers_every_project_it_names(world: World) -> None:
    channel = await world.channel("")
    await world.rule(RuleKind.ERROR_RATE, channel, project="", threshold=1.0, projects="acme")
    await world.rule(RuleKind.ERROR_RATE, channel, project="", threshold=1.0, projects="def*", name="other")
    world.requests(100, failing=100)
    assert len(await world.go(60)) == 1


async def test_a_restart_does_not_resolve_what_it_has_not_looked_at(world: World) -> None:
    channel = await world.channel()
    await world.rule(RuleKind.ERROR_RATE, channel, threshold=5.0, window_seconds=300)
    world.requests(100, failing=50)
    assert len(await world.go(10)) == 1
    await world.open()
    assert await world.go(290) == []
    assert len(await world.go(100)) == 1  # resolved, once the window and the minute are over


async def test_latency(world: World) -> None:
    channel = await world.channel()
    await world.rule(RuleKind.LATENCY_P95, channel, threshold=100.0, window_seconds=60)
    world.requests(100, milliseconds=20)
    assert await world.go(70) == []
    world.requests(100, milliseconds=900)
    (said,) = await world.go(20)
    assert said.startswith("alert.firing: hello: p95 is ")


def a_death(reason: str = "memory") -> DeathRecord:
    return DeathRecord(time=0, worker="hello", version="v", reason=reason, detail="")


async def test_terminations(world: World) -> None:
    channel = await world.channel()
    await world.rule(RuleKind.TERMINATIONS, channel, threshold=2, window_seconds=60, reasons=("memory", "cpu"))
    world.deaths.death(a_death())
    for reason in ("replaced", "idle", "shutdown", "wall"):
        world.deaths.death(a_death(reason))
    assert await world.go(20) == []
    world.deaths.death(a_death("cpu"))
    (said,) = await world.go(10)
    assert said.startswith("alert.firing: hello: 2 sandboxes ended (")
    assert world.alerts.open("default")[0].advice == "v8box kills --worker hello"
    (said,) = await world.go(200)
    assert said.startswith("alert.resolved")


async def test_quotas(world: World) -> None:
    channel = await world.channel("acme")
    await world.rule(RuleKind.QUOTA, channel, project="acme", threshold=90.0, quotas=("storage_mb",))
    world.quotas = {"acme": [QuotaUse("storage_mb", 80, 100), QuotaUse("requests_per_day", 99, 100)]}
    assert await world.go(70) == []
    world.quotas = {"acme": [QuotaUse("storage_mb", 95, 100)], "default": [QuotaUse("storage_mb", 100, 100)]}
    assert await world.go(70) == ["alert.firing: acme has used 95 % of its storage mb"]


# ---- events


def a_group(subject: str = "err_1", change: str = "new", project: str = "default", worker: str = "shop") -> Event:
    return Event(
        kind=RuleKind.ERRORS,
        project=project,
        subject=subject,
        title=f"{worker}: TypeError",
        change=change,
        worker=worker,
        environment="production",
    )


async def test_an_event_is_told_once_an_hour_and_counted(world: World) -> None:
    await world.rule(RuleKind.ERRORS, await world.channel())
    world.notifications.tell(a_group())
    assert await world.go(10) == ["alert.event: shop: TypeError"]
    for _ in range(5):
        world.notifications.tell(a_group())
        assert await world.go(60) == []
    (alert,) = world.alerts.open("default")
    assert alert.count == 6
    assert await world.go(3_700) == []
    assert world.alerts.open("default") == []
    world.notifications.tell(a_group())
    assert await world.go(10) == ["alert.event: shop: TypeError"]


async def test_an_event_reaches_those_who_asked_for_it(world: World) -> None:
    mine, theirs, box = await world.channel(), await world.channel("acme"), await world.channel("")
    await world.rule(RuleKind.ERRORS, mine, changes=("regressed",))
    await world.rule(RuleKind.ERRORS, mine, worker="blog", name="blog")
    await world.rule(RuleKind.ERRORS, theirs, project="acme")
    await world.rule(RuleKind.CANARY_ROLLED_BACK, mine, name="canary")
    await world.rule(RuleKind.ERRORS, box, project="")
    world.notifications.tell(a_group())
    await world.go(10)
    assert await world.rows("select distinct project from notification_alerts") == [""]
    world.notifications.tell(a_group("err_2", "regressed"))
    await world.go(10)
    assert await world.rows("select distinct project from notification_alerts order by 1") == ["", "default"]


async def test_a_flood_of_events_is_bounded(world: World) -> None:
    await world.rule(RuleKind.ERRORS, await world.channel())
    for number in range(3_000):
        world.notifications.tell(a_group(f"err_{number}"))
    await world.notifications.take_events()
    assert len(world.alerts.open("default")) == 1_000
    waiting = await world.rows("select count(*) from notification_deliveries where state = 'pending'")
    assert waiting == [200]


async def test_a_project_where_everything_goes_wrong_does_not_silence_the_others(world: World) -> None:
    await a_health_rule(world)
    await world.rule(RuleKind.ERRORS, await world.channel("acme"), project="acme")
    for number in range(1_000):
        world.notifications.tell(a_group(f"err_{number}", project="acme"))
    await world.notifications.take_events()
    assert len(world.alerts.open("acme")) == 1_000
    world.checks = [FULL]
    await world.go(10)
    assert [each.title for each in world.alerts.open("")] == [TITLE]
    await world.go(3_700)  # events are over
    world.notifications.tell(a_group("another", project="acme"))
    await world.go(10)
    assert [each.subject for each in world.alerts.open("acme")] == ["another"]


async def test_the_box_is_looked_at_while_events_come_faster_than_they_are_taken(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await a_health_rule(world)
    await world.rule(RuleKind.ERRORS, await world.channel())
    world.checks = [FULL]
    looked = asyncio.Event()
    look, happened = world.notifications.look, world.alerts.happened

    async def telling(rules: Sequence[Rule], event: Event) -> bool:
        world.now += 1
        world.notifications.tell(event)
        return await happened(rules, event)

    async def looking() -> None:
        await look()
        looked.set()

    monkeypatch.setattr(world.alerts, "happened", telling)
    monkeypatch.setattr(world.notifications, "look", looking)
    world.notifications.tell(a_group())
    running = asyncio.create_task(world.notifications.run())
    async with asyncio.timeout(60):
        await looked.wait()
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    assert [each.title for each in world.alerts.open("")] == [TITLE]
