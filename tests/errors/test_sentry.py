"""Errors on their way to Sentry: what they look like there, where they go, what happens when it does not take them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from tests.errors.conftest import STACK, Versions
from tests.errors.sentry_server import KEY, Sentry, sentry_server
from tests.servers.ports import free_port

from v8box import __version__
from v8box.catalog.variables import VariablesUnavailable
from v8box.features.errors.fingerprints import fingerprint
from v8box.features.errors.intake import Intake
from v8box.features.errors.sentry import Forwarder, forwarder, lane
from v8box.features.errors.sentry.lane import Answer, ForwardingState, limit_of
from v8box.features.errors.stacks import read_frames
from v8box.kit.tasks import TaskSet
from v8box.telemetry.records import DeathRecord, LineRecord, RunError, RunRecord

SOURCE = b"\n".join(b"line %d" % number for number in range(1, 31))


class Dsns:
    """What workers' variables say."""

    def __init__(self) -> None:
        self.of_worker: dict[str, str] = {}
        self.number = 0
        self.asked = 0
        self.broken = False

    def set(self, worker: str, dsn: str) -> None:
        self.of_worker[worker] = dsn
        self.number += 1

    def revision(self, project: str, environment: str, worker: str) -> object:
        return self.number

    async def of(self, project: str, environment: str, worker: str) -> str | None:
        self.asked += 1
        if self.broken:
            raise VariablesUnavailable
        return self.of_worker.get(worker)


class World:
    """An intake whose errors are forwarded."""

    def __init__(self, dsns: Dsns, **options: Any) -> None:
        self.dsns = dsns
        self.versions = Versions()
        self.intake = Intake()
        self.forwarder = Forwarder(dsns, self.versions, self.versions.source, server_name="example.com", **options)
        self.intake.watch(self.forwarder.take)
        self.tasks = TaskSet()
        self.tasks.forever(self.forwarder.run(), "forwarder")

    async def stop(self) -> None:
        await self.tasks.cancel()
        await self.forwarder.stop()

    def throw(self, name: str = "TypeError", worker: str = "shop", stack: str = STACK, **more: Any) -> None:
        self.intake.take()  # as if it had been written down
        record = RunRecord("r1", "q1", 1.5, worker, "v7", "http", "GET", "/buy", 500, "exception", 1.0, 0, 0, 0, "")
        for field, value in more.items():
            setattr(record, field, value)
        record.error = RunError(name, "no such thing", stack)
        self.intake.runs([record])

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(60):
            while not condition():  # noqa: ASYNC110 - what it waits for has no event, and comes over a socket
                await asyncio.sleep(0.005)

    def state(self, worker: str = "shop") -> ForwardingState:
        (found,) = [each for each in self.forwarder.status("default") if each.worker == worker]
        return found.state


@pytest.fixture
async def sentry() -> AsyncIterator[Sentry]:
    async with sentry_server() as running:
        yield running
        assert running.refusals == []


MakeWorld = Callable[..., World]


@pytest.fixture
async def make_world(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[MakeWorld]:
    monkeypatch.setattr(lane, "FIRST_PAUSE_SECONDS", 0.0)
    async with AsyncExitStack() as stack:

        def make(**options: Any) -> World:
            world = World(Dsns(), **options)
            stack.push_async_callback(world.stop)
            return world

        yield make


@pytest.fixture
async def world(make_world: MakeWorld, sentry: Sentry) -> World:
    """One whose worker `shop` has a DSN, at an address that it may name."""
    made = make_world(allow_private=True)
    made.dsns.set("shop", sentry.dsn())
    return made


# ---- what is sent


async def test_an_event(world: World, sentry: Sentry) -> None:
    world.versions.sources["v7/functions/shop.ts"] = SOURCE
    world.throw(environment="staging", trace="a" * 32, span="b" * 16, parent="c" * 16)
    event = await sentry.next()
    assert event.pop("_project") == "42"
    assert len(event.pop("event_id")) == 32
    group = fingerprint("default", "shop", "TypeError", "no such thing", read_frames(STACK))
    assert event == {
        "timestamp": 1.5,
        "platform": "javascript",
        "level": "error",
        "logger": "v8box",
        "server_name": "example.com",
        "release": "shop@7",
        "dist": "v7",
        "environment": "staging",
        "transaction": "/buy",
        "request": {"method": "GET"},
        "fingerprint": [group],
        "exception": {
            "values": [
                {
                    "type": "TypeError",
                    "value": "no such thing",
                    "mechanism": {"type": "generic", "handled": False},
                    "stacktrace": {
                        "frames": [
                            {
                                "filename": "functions/shop.ts",
                                "abs_path": "app:///functions/shop.ts",
                                "function": "default",
                                "in_app": True,
                                "lineno": 3,
                                "colno": 3,
                                "pre_context": ["line 1", "line 2"],
                                "context_line": "line 3",
                                "post_context": [f"line {number}" for number in range(4, 9)],
                            },
                            {
                                "filename": "functions/shop.ts",
                                "abs_path": "app:///functions/shop.ts",
                                "function": "find",
                                "in_app": True,
                                "lineno": 10,
                                "colno": 5,
                                "pre_context": [f"line {number}" for number in range(5, 10)],
                                "context_line": "line 10",
                                "post_context": [f"line {number}" for number in range(11, 16)],
                            },
                        ]
                    },
                }
            ]
        },
        "tags": {
            "project": "default",
            "worker": "shop",
            "kind": "exception",
            "run": "r1",
            "request_id": "q1",
            "trigger": "http",
            "status": "500",
        },
        "contexts": {
            "runtime": {"name": "deno"},
            "trace": {
                "type": "trace",
                "trace_id": "a" * 32,
                "span_id": "b" * 16,
                "parent_span_id": "c" * 16,
                "op": "http.server",
            },
        },
        "sdk": {"name": "v8box", "version": __version__},
    }


async def test_frames_of_others_are_not_the_apps(world: World, sentry: Sentry) -> None:
    world.throw(stack="    at parse (npm:zod@4.0.0/index.js:1:2)\n    at Array.map (<anonymous>)")
    (frame, inner) = (await sentry.next())["exception"]["values"][0]["stacktrace"]["frames"]
    assert frame == {"filename": "<anonymous>", "function": "Array.map", "in_app": False}
    assert inner == {
        "filename": "npm:zod@4.0.0/index.js",
        "function": "parse",
        "in_app": False,
        "lineno": 1,
        "colno": 2,
    }


async def test_a_kill_and_a_line(world: World, sentry: Sentry) -> None:
    world.intake.death(DeathRecord(2.5, "shop", "v7", "memory", "it reached 140 MB", 128, 140.5))
    event = await sentry.next()
    (exception,) = event["exception"]["values"]
    assert (event["level"], exception["type"], exception["value"]) == ("fatal", "Killed: memory", "it reached 140 MB")
    assert "stacktrace" not in exception
    assert event["contexts"]["limit"] == {"limit": 128, "used": 140.5}
    assert "transaction" not in event
    world.intake.line(LineRecord(2.5, "r9", "shop", "v7", "error", f"Uncaught (in promise) RangeError: no\n{STACK}"))
    event = await sentry.next()
    (exception,) = event["exception"]["values"]
    assert exception["mechanism"] == {"type": "onunhandledrejection", "handled": False}
    assert (event["tags"]["run"], event["tags"]["kind"], event["transaction"] if "transaction" in event else None) == (
        "r9",
        "unhandled",
        None,
    )


async def test_of_a_flood_only_the_first_are_sent(world: World, sentry: Sentry) -> None:
    record = RunRecord("r", "r", 1.0, "shop", "v7", "http", "GET", "/", 500, "exception", 1.0, 0, 0, 0, "")
    record.error = RunError("Error", "no", STACK)
    for _ in range(10_000):
        world.intake.runs([record])
    for _ in range(3):
        await sentry.next()
    world.throw("Last")
    assert (await sentry.next())["exception"]["values"][0]["type"] == "Last"


# ---- where to


async def test_the_workers_own_comes_before_the_boxs(make_world: MakeWorld, sentry: Sentry) -> None:
    world = make_world(box_dsn=sentry.dsn("1"), allow_private=True)
    world.dsns.set("shop", sentry.dsn("2"))
    world.dsns.set("quiet", "none")
    world.throw(worker="quiet")
    world.throw(worker="shop")
    assert (await sentry.next())["_project"] == "2"
    world.throw(worker="other")
    assert (await sentry.next())["_project"] == "1"
    await world.until(lambda: all(each.sent for each in world.forwarder.status("default")))
    assert [(each.worker, each.of_box, each.sent) for each in world.forwarder.status("default")] == [
        ("other", True, 1),
        ("shop", False, 1),
    ]
    assert world.forwarder.status("acme") == []
    assert KEY not in repr(world.forwarder.status("default"))


async def test_another_dsn_counts_at_once(world: World, sentry: Sentry) -> None:
    for _ in range(3):
        world.throw()
        await sentry.next()
    assert world.dsns.asked == 1, "it is remembered"
    world.dsns.set("shop", sentry.dsn("43"))
    world.throw()
    assert (await sentry.next())["_project"] == "43"


async def test_nowhere_to_go(make_world: MakeWorld, sentry: Sentry) -> None:
    world = make_world()
    world.throw()
    await world.until(lambda: world.dsns.asked == 1)
    world.throw()
    world.dsns.set("shop", "")
    world.throw()
    await world.until(lambda: world.dsns.asked == 2)
    assert world.forwarder.status("default") == []
    assert sentry.requests == 0


async def test_a_dsn_that_is_none_is_said_once(
    make_world: MakeWorld, sentry: Sentry, caplog: pytest.LogCaptureFixture
) -> None:
    world = make_world()
    world.dsns.set("shop", "https://sentry.example.com/no-key")
    for _ in range(3):
        world.throw()
        await world.until(lambda: world.dsns.asked == 1 and not world.forwarder._waiting)
    assert caplog.text.count("SENTRY_DSN of shop in production, project default cannot be used") == 1


async def test_variables_that_cannot_be_read(world: World, sentry: Sentry) -> None:
    world.throw()
    await sentry.next()
    world.dsns.broken = True
    world.dsns.number += 1
    world.throw("Second")  # to where it went before
    assert (await sentry.next())["exception"]["values"][0]["type"] == "Second"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "2130706433", "0.0.0.0"])
async def test_a_worker_cannot_make_the_box_reach_its_own_network(
    make_world: MakeWorld, sentry: Sentry, host: str
) -> None:
    world = make_world()
    world.dsns.set("shop", sentry.dsn(host=host))
    world.throw()
    await world.until(lambda: bool(world.forwarder.status("default")) and world.state() is not ForwardingState.OK)
    assert world.state() in (ForwardingState.BLOCKED, ForwardingState.UNREACHABLE)
    await world.until(lambda: world.forwarder.status("default")[0].dropped == 1)
    assert sentry.requests == 0


async def test_the_box_may_name_whatever_it_likes(make_world: MakeWorld, sentry: Sentry) -> None:
    world = make_world(box_dsn=sentry.dsn())
    world.throw()
    await sentry.next()
    world.dsns.set("shop", sentry.dsn())  # the same, but said by a worker
    world.throw()
    await world.until(lambda: world.state() is ForwardingState.BLOCKED)
    assert sentry.requests == 1


async def test_redirects_are_not_followed(world: World, sentry: Sentry) -> None:
    sentry.answers = [(307, {"location": "/api/43/envelope/"})]
    world.throw()
    await world.until(lambda: bool(world.forwarder.status("default")) and world.state() is ForwardingState.REFUSED)
    assert sentry.requests == 1


# ---- when it does not take them


async def test_a_wrong_dsn_is_said_once_and_not_asked_again(
    world: World, sentry: Sentry, caplog: pytest.LogCaptureFixture
) -> None:
    sentry.answers = [(401, {})] * 5
    world.throw()
    await world.until(lambda: bool(world.forwarder.status("default")) and world.state() is ForwardingState.REFUSED)
    for number in range(3):
        world.throw()
        await world.until(lambda number=number: world.forwarder.status("default")[0].dropped == 2 + number)  # type: ignore[misc]
    assert sentry.requests == 1
    assert caplog.text.count("it answers 401: see that SENTRY_DSN is right") == 1
    assert KEY not in caplog.text
    sentry.answers = []
    world.dsns.set("shop", sentry.dsn("43"))
    world.throw()
    assert (await sentry.next())["_project"] == "43", "a new one is asked at once"


@pytest.mark.parametrize(
    "headers",
    [
        {"retry-after": "600"},
        {"x-sentry-rate-limits": "600::organization"},
        {"x-sentry-rate-limits": "600:error;transaction:key, 10:session:key"},
        {},
    ],
)
async def test_rate_limits_are_kept(world: World, sentry: Sentry, headers: dict[str, str]) -> None:
    sentry.answers = [(429, headers)]
    world.throw()
    await world.until(lambda: bool(world.forwarder.status("default")) and world.state() is ForwardingState.RATE_LIMITED)
    world.throw()
    await world.until(lambda: world.forwarder.status("default")[0].dropped == 2)
    assert sentry.requests == 1


async def test_a_limit_may_come_with_a_good_answer(world: World, sentry: Sentry) -> None:
    sentry.answers = [(200, {"x-sentry-rate-limits": "600:error:project"})]
    world.throw()
    await sentry.next()
    await world.until(lambda: world.state() is ForwardingState.RATE_LIMITED)
    world.throw()
    await world.until(lambda: world.forwarder.status("default")[0].dropped == 1)
    assert sentry.requests == 1


async def test_limits_on_other_things_do_not_count(world: World, sentry: Sentry) -> None:
    sentry.answers = [(200, {"x-sentry-rate-limits": "600:transaction;replay:project"})]
    for _ in range(2):
        world.throw()
        await sentry.next()
    assert world.state() is ForwardingState.OK


async def test_a_server_that_fails_is_tried_again(
    world: World, sentry: Sentry, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    sentry.answers = [(503, {}), (502, {}), (429, {"retry-after": "0"})]
    world.throw()
    await sentry.next()
    await world.until(lambda: world.forwarder.status("default")[0].sent == 1)
    assert sentry.requests == 4
    assert world.state() is ForwardingState.OK
    assert caplog.text.count("errors do not reach Sentry") == 1
    assert caplog.text.count("errors reach Sentry at") == 1


async def test_one_that_cannot_be_reached_is_given_up_for_a_while(
    make_world: MakeWorld, caplog: pytest.LogCaptureFixture
) -> None:
    world = make_world(box_dsn=f"http://{KEY}@127.0.0.1:{free_port()}/1")
    world.throw()
    world.throw("Second")
    await world.until(
        lambda: bool(world.forwarder.status("default")) and world.forwarder.status("default")[0].dropped >= 2
    )
    assert world.state() is ForwardingState.UNREACHABLE
    assert caplog.text.count("errors do not reach Sentry") == 1


async def test_an_event_that_is_too_large_for_it_stops_nothing(world: World, sentry: Sentry) -> None:
    sentry.answers = [(413, {})]
    world.throw()
    await world.until(lambda: sentry.requests == 1)
    world.throw("Second")
    assert (await sentry.next())["exception"]["values"][0]["type"] == "Second"


async def test_one_that_hangs_keeps_nobody_elses(world: World, sentry: Sentry) -> None:
    async with sentry_server() as hanging:
        hanging.gate.clear()
        world.dsns.set("stuck", hanging.dsn())
        world.throw(worker="stuck")
        await hanging.next_request()
        for number in range(lane.MAX_HELD + 20):
            world.throw(f"Error{number}", worker="stuck")
            await world.until(lambda: not world.forwarder._waiting)
        world.throw(worker="shop")
        await sentry.next()
        (stuck,) = [each for each in world.forwarder.status("default") if each.worker == "stuck"]
        assert stuck.dropped == 21, "what is held has a bound"
        hanging.gate.set()


async def test_what_waits_has_a_bound(make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forwarder, "MAX_WAITING", 10)
    world = make_world()
    for number in range(15):
        world.throw(f"Error{number}")
    assert (len(world.forwarder._waiting), world.forwarder.dropped) == (10, 5)


async def test_many_dsns_have_a_bound(make_world: MakeWorld, sentry: Sentry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forwarder, "_MAX_LANES", 3)
    monkeypatch.setattr(forwarder, "_MAX_WORKERS", 3)
    world = make_world(allow_private=True)
    for number in range(8):
        world.dsns.set(f"w{number}", sentry.dsn(str(number)))
        world.throw(worker=f"w{number}")
        await sentry.next()
        await world.until(lambda: all(each.sent for each in world.forwarder.status("default")))
    assert len(world.forwarder._lanes) <= 4
    assert len(world.forwarder._known) == 3


@pytest.mark.parametrize(
    ("status", "headers", "seconds"),
    [
        (200, {}, 0),
        (200, {"retry-after": "9"}, 0),
        (429, {"retry-after": "9"}, 9),
        (429, {"retry-after": "soon"}, 60),
        (429, {"retry-after": "Thu, 01 Jan 1970 00:01:49 GMT"}, 9),
        (429, {"retry-after": "Thu, 01 Jan 1970 00:00:09 GMT"}, 0),
        (429, {"retry-after": "999999999"}, 86_400),
        (429, {"retry-after": "5", "x-sentry-rate-limits": "9:error:key"}, 9),
        (429, {"x-sentry-rate-limits": "9:session:key"}, 60),
        (200, {"x-sentry-rate-limits": "9:Error:key:reason"}, 9),
        (200, {"x-sentry-rate-limits": "9::key, 12:default:organization:x, 99:transaction:key"}, 12),
        (200, {"x-sentry-rate-limits": "2.5:error:key"}, 2.5),
        (200, {"x-sentry-rate-limits": "nonsense, :error:, -5:error:key"}, 0),
        (200, {"x-sentry-rate-limits": ""}, 0),
    ],
)
def test_what_it_asks_for(status: int, headers: dict[str, str], seconds: float) -> None:
    limit = limit_of(Answer(status, headers), 1_000.0, 100.0)
    assert limit in ((0.0, 1_000.0) if not seconds else (1_000.0 + seconds,))


async def test_an_event_that_cannot_be_written_keeps_none_behind_it(
    world: World, sentry: Sentry, caplog: pytest.LogCaptureFixture
) -> None:
    world.throw("\ud800")
    world.throw("Second")
    assert (await sentry.next())["exception"]["values"][0]["type"] == "Second"
    assert "cannot be written as an event" in caplog.text
