"""What the box tells the rules of: deploys, canaries, groups of errors, quotas; each with whom it is about."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.catalog.conftest import ADA
from tests.notifications.conftest import World

from v8box.app.notifications import NotificationParts, quotas_of
from v8box.catalog.projects import Projects, Usage
from v8box.catalog.projects.quotas import Quotas
from v8box.features.deploy import DeployFailed
from v8box.features.deploy.events import Place, Removed
from v8box.features.errors.model import ErrorKind, ErrorState, Group, VersionRef
from v8box.features.notifications.model import RuleKind
from v8box.features.projects.room import Holding
from v8box.features.workers.canary_model import Canary, Guards, State


@pytest.fixture
async def parts(world: World) -> NotificationParts:
    for kind in (RuleKind.DEPLOY_FAILED, RuleKind.CANARY_ROLLED_BACK, RuleKind.ERRORS):
        await world.rule(kind, await world.channel(name=kind))
    return NotificationParts(notifications=world.notifications, desk=world.desk)


async def alerts(world: World) -> list[tuple[str, str, str]]:
    await world.go(10)
    return [(each.title, each.text, each.facts.get("worker", "")) for each in world.alerts.open("default")]


async def test_a_deploy_of_the_folder_that_fails(world: World, parts: NotificationParts) -> None:
    parts.deploy_event(Removed("old"))
    assert await alerts(world) == []
    parts.deploy_event(DeployFailed("shop", "it does not bundle", Place("functions/shop.ts", 3)))
    told = ("shop was not deployed", "functions/shop.ts:3: it does not bundle", "shop")
    assert await alerts(world) == [told]


def a_canary(state: State) -> Canary:
    return Canary(
        project="default",
        worker="shop",
        environment="production",
        old="a",
        new="b",
        old_number=1,
        new_number=2,
        interval_seconds=60,
        guards=Guards(),
        state=state,
        reason="canary of v2 at 5 %: error rate 50.0 % is above 5.0 %",
        started_at=0,
        started_by="ada",
        stepped_at=0,
    )


async def test_a_canary_that_was_rolled_back_and_no_other_end(world: World, parts: NotificationParts) -> None:
    for state in (State.SUCCEEDED, State.ABORTED, State.SUPERSEDED, State.FAILED):
        parts.canary_ended(a_canary(state))
    assert await alerts(world) == []
    parts.canary_ended(a_canary(State.ROLLED_BACK))
    assert await alerts(world) == [("shop: v2 was rolled back", a_canary(State.ROLLED_BACK).reason, "shop")]


def a_group(message: str = "x is not a function") -> Group:
    return Group(
        id="err_1",
        project="default",
        worker="shop",
        kind=next(iter(ErrorKind)),
        name="TypeError",
        message=message,
        top=None,
        state=ErrorState.OPEN,
        ignored_until=None,
        resolved_at=None,
        regressed_at=None,
        changed_by="",
        first_seen=0,
        last_seen=0,
        count=3,
        first_version=VersionRef(id="a", number=1),
        last_version=VersionRef(id="b", number=2),
        environments=("production",),
    )


@pytest.mark.parametrize(("change", "word"), [("new", "new"), ("regressed", "is back")])
async def test_a_group_of_errors(world: World, parts: NotificationParts, change: str, word: str) -> None:
    parts.error_group(change, a_group())
    told = (f"shop: TypeError: x is not a function ({word})", "Seen 3 times, last in v2.", "shop")
    assert await alerts(world) == [told]


async def test_a_long_message_is_cut(world: World, parts: NotificationParts) -> None:
    parts.error_group("new", a_group("y" * 10_000))
    ((title, _, _),) = await alerts(world)
    assert len(title) < 200


class FixedRoom:
    async def holds(self, project: str) -> Holding:
        return Holding(databases=3, buckets=0, storage_bytes=512 * 1_048_576)


class TwoWorkers:
    async def workers(self, project: str) -> Sequence[Any]:
        return [type("Worker", (), {"worker": name}) for name in ("a", "b", "b")]


async def test_what_a_project_uses_of_the_quotas_that_it_has(world: World, tmp_path: Path) -> None:
    projects = await Projects.open(world.database, Quotas(storage_mb=1_024, workers=4, requests_per_day=1_000))
    await projects.create("acme", actor=ADA)
    usage = await Usage.open(world.database, projects)
    usage.add("acme", 1.5, 250)
    room: Any = FixedRoom()
    catalog: Any = TwoWorkers()
    used = {each.quota: (each.used, each.limit) for each in await quotas_of("acme", projects, usage, room, catalog)}
    assert used == {"storage_mb": (512, 1_024), "workers": (2, 4), "requests_per_day": (250, 1_000)}
    assert await quotas_of("nobody", projects, usage, room, catalog) == []
    assert await quotas_of("default", projects, usage, room, catalog) == []  # it has no bounds
