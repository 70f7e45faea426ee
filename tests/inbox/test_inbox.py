"""What wants attention, from the real stores of alerts, errors and operations, and who may see it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from tests.api.conftest import As, client_of, user
from tests.errors.conftest import Box, Versions
from tests.notifications.conftest import World, world

from v8box.api.access import EVERY_PROJECT, Role
from v8box.api.app import build_api
from v8box.api.operations import Operations, Progress
from v8box.app.inbox import build_inbox
from v8box.errors import BadRequest
from v8box.features.errors import Errors
from v8box.features.inbox.routes import build_router
from v8box.features.notifications.model import BOX, RuleKind
from v8box.features.notifications.signals import CheckState, Event

__all__ = ["world"]

ADA = user("ada", {EVERY_PROJECT: Role.OWNER})
BEN = user("ben", {"default": Role.VIEWER})


class Desk:
    """Everything that has notices, in one database."""

    def __init__(self, world: World, errors: Errors, operations: Operations) -> None:
        self.world = world
        self.errors = Box(world.database, errors, Versions(), [time.time()])
        self.operations = operations
        self.app = As(build_api([build_router(build_inbox(world.alerts, errors, operations))]))
        self.client = client_of(self.app)

    async def fail(self, project: str | None) -> None:
        async def work(_: Progress) -> None:
            raise BadRequest("the disk is full")

        started = await self.operations.start("site.deploy", project, ADA.actor, work)
        await self.operations.get(started.id, 30)

    async def look(self, **query: str) -> list[dict[str, Any]]:
        await self.errors.errors.flush()
        answer = await self.client.get("/inbox", params=query)
        assert answer.status_code == 200, answer.text
        items: list[dict[str, Any]] = answer.json()["items"]
        return items


@pytest.fixture
async def desk(world: World) -> AsyncIterator[Desk]:
    world.now = time.time()
    errors = await Errors.open(world.database, Versions(), days=90, clock=time.time)
    operations = await Operations.open(world.database)
    made = Desk(world, errors, operations)
    yield made
    await made.client.aclose()
    await made.errors.client.aclose()
    await operations.close()
    await errors.close()


async def test_nothing_is_an_empty_list_and_not_sent_again(desk: Desk) -> None:
    answer = await desk.client.get("/inbox")
    assert answer.json() == {"items": [], "running": 0}
    again = await desk.client.get("/inbox", headers={"if-none-match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


async def test_alerts_errors_and_failures_are_one_list_with_the_newest_first(desk: Desk) -> None:
    await desk.world.rule(RuleKind.DEPLOY_FAILED)
    desk.errors.throw("TypeError", "x is undefined", at=time.time() - 60)
    event = Event(
        kind=RuleKind.DEPLOY_FAILED,
        project="default",
        subject="hello",
        title="hello was not deployed",
        text="t.",
        advice="mend it",
        worker="hello",
    )
    desk.world.now = time.time() - 30
    desk.world.notifications.tell(event)
    await desk.world.notifications.take_events()
    await desk.fail("default")
    failed, alert, error = await desk.look()
    assert (failed["kind"], failed["title"], failed["text"]) == ("operation", "site.deploy", "the disk is full")
    assert (alert["kind"], alert["title"], alert["text"]) == ("alert", "hello was not deployed", "t. mend it")
    assert (error["kind"], error["title"], error["text"]) == ("error", "shop: TypeError", "x is undefined")
    assert (error["worker"], error["severity"], error["project"]) == ("shop", "warning", "default")
    assert [each["at"][-1] for each in (failed, alert, error)] == ["Z", "Z", "Z"]


async def test_an_error_that_was_resolved_is_no_notice_and_one_that_is_back_is_a_new_one(desk: Desk) -> None:
    desk.errors.throw(version="v1", at=time.time() - 600)
    [first] = await desk.look()
    await desk.errors.set(first["id"], "resolved")
    assert await desk.look() == []
    desk.errors.throw(version="v2", at=time.time() + 1)
    [back] = await desk.look()
    assert (back["id"], back["severity"]) == (first["id"], "critical")
    assert back["at"] > first["at"]
    await desk.errors.set(first["id"], "ignored")
    assert await desk.look() == []


async def test_what_came_long_ago_is_no_notice(desk: Desk) -> None:
    desk.errors.throw("Old", at=time.time() - 8 * 86_400)
    desk.errors.throw("New", at=time.time() - 6 * 86_400)
    assert [each["title"] for each in await desk.look()] == ["shop: New"]


async def test_everybody_sees_what_is_of_their_projects(desk: Desk) -> None:
    await desk.world.rule(RuleKind.HEALTH, project=BOX)
    desk.world.checks = [CheckState("disk", "fail", "no room", "make some")]
    await desk.world.notifications.look()
    desk.errors.throw("Mine")
    desk.errors.throw("Theirs", project="acme")
    await desk.fail(None)
    await desk.fail("acme")
    assert {each["project"] for each in await desk.look()} == {None, "acme", "default"}
    assert [each["kind"] for each in await desk.look(project="acme")] == ["operation", "error"]
    desk.app.principal = BEN
    assert [(each["kind"], each["project"]) for each in await desk.look()] == [("error", "default")]
    assert await desk.look(project="acme") == []
    desk.app.principal = user("nobody", {})
    assert await desk.look() == []
    desk.app.principal = user("ada", {EVERY_PROJECT: Role.OWNER}, project="acme")
    assert {each["project"] for each in await desk.look()} == {"acme"}


async def test_what_goes_on_is_counted(desk: Desk) -> None:
    gate = asyncio.Event()

    async def work(_: Progress) -> None:
        await gate.wait()

    await desk.operations.start("project.delete", "acme", ADA.actor, work)
    assert (await desk.client.get("/inbox")).json()["running"] == 1
    desk.app.principal = BEN
    assert (await desk.client.get("/inbox")).json()["running"] == 0
    gate.set()


async def test_a_list_is_bounded(desk: Desk) -> None:
    for number in range(60):
        desk.errors.throw(f"Error{number}", at=time.time() - number)
    assert len(await desk.look()) == 50


async def test_bad_questions(desk: Desk) -> None:
    response: httpx.Response = await desk.client.get("/inbox", params={"project": "x" * 64})
    assert response.status_code == 400
