"""Runs that workers ask for: whom they reach, what is written down, how they end, and that none waits for itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import pytest
from tests.fakes.clock import settle
from tests.fakes.sandboxes import FakeSandbox
from tests.fakes.versions import a_version, route_of
from tests.gateway.conftest import MakeWorld, World

from v8box.bindings.interface import BindingError, Scope
from v8box.bindings.services.interface import ServiceAnswer, ServiceRequest
from v8box.catalog.model import Limits, RouteTable, route_key
from v8box.errors import NotFound, StopReason, V8BoxError
from v8box.gateway import services
from v8box.gateway.origins import Origins
from v8box.gateway.policies.order import Unmetered
from v8box.gateway.services import MAX_DEPTH, ServiceCalls
from v8box.sandbox.channel import Inbound
from v8box.sandbox.interface import Death, Invocation, RunFailed
from v8box.sandbox.run import Response, Run
from v8box.telemetry.meter import Span
from v8box.telemetry.origin import Origin

CALLER = Scope("default", "front", "v", "production", "caller-run")


def an_origin() -> Origin:
    return Origin("q1", "1.2.3.4", f"00-{'a' * 32}-{'b' * 16}-01", state="k=v")


class Calling:
    """A world whose worker `hello` others call."""

    def __init__(self, world: World, over: Callable[[str], V8BoxError | None] = lambda _: None) -> None:
        class Usage(Unmetered):
            def over(self, project: str) -> Any:
                return over(project)

        self.world = world
        self.calls = ServiceCalls(lambda: world.routes(), Usage(), Origins(), 1_000_000)
        self.calls.attach(world.pool, world.app.perform)

    async def fetch(self, path: str = "/", **more: Any) -> ServiceAnswer:
        asked: dict[str, Any] = {
            "caller": CALLER,
            "service": "hello",
            "method": "GET",
            "url": f"http://hello{path}",
            "headers": [],
            "body": None,
            "origin": an_origin(),
            "span": None,
        }
        return await self.calls(ServiceRequest(**asked | more))


@pytest.fixture
async def calling(world: World) -> AsyncIterator[Calling]:
    calling = Calling(world)
    yield calling
    await calling.calls.stop()


async def refused(fetching: Any) -> BindingError:
    with pytest.raises(BindingError) as caught:
        await fetching
    return caught.value


async def test_a_call_is_a_run_of_its_own_in_the_callers_trace(calling: Calling) -> None:
    span = Span("services", "fetch", 0.0)
    headers = [
        ("x-a", "b"), ("x-forwarded-for", "9.9.9.9"), ("traceparent", "00-x"), ("x-request-id", "other"),
        ("x-v8box-secret", "1"), ("connection", "close"), ("host", "elsewhere"), ("content-length", "7"),
    ]  # fmt: skip
    answer = await calling.fetch("/a?x=1", headers=headers, span=span)
    assert (answer.status, answer.body) == (200, b"hi")
    assert dict(answer.headers) == {"content-type": "text/plain", "content-length": "2"}
    (seen,) = calling.world.seen
    (record,) = calling.world.records.runs
    assert (seen.url, seen.trigger) == ("http://hello/a?x=1", "service")
    assert dict(seen.headers) == {
        "x-a": "b",
        "x-forwarded-for": "9.9.9.9",
        "host": "hello",
        "x-request-id": "q1",
        "traceparent": f"00-{'a' * 32}-{record.span}-01",
        "tracestate": "k=v",
    }
    assert (record.worker, record.trigger, record.request_id, record.path, record.status, record.client) == (
        "hello", "service", "q1", "/a", 200, "1.2.3.4",
    )  # fmt: skip
    assert (record.trace, record.parent) == ("a" * 32, span.id)
    assert record.id not in ("q1", "caller-run")


async def test_a_body_reaches_the_worker_whole_or_as_it_comes(calling: Calling) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"one"
        yield b"two"

    await calling.fetch(method="POST", body=b"whole")
    await calling.fetch(method="POST", body=chunks(), length=6)
    answered = asyncio.ensure_future(calling.fetch(method="POST", body=chunks()))
    await answered
    whole, known, streamed = calling.world.seen
    assert (whole.body, known.body, streamed.body) == (b"whole", b"onetwo", None)
    lengths = [dict(each.headers).get("content-length") for each in (whole, known, streamed)]
    assert lengths == ["5", "6", None]


async def test_a_body_that_fails_ends_the_call_with_its_own_error(calling: Calling) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"one"
        raise BindingError("CALL_BYTES_LIMIT", "too much")

    error = await refused(calling.fetch(method="POST", body=chunks(), length=6))
    assert error.code == "CALL_BYTES_LIMIT"
    assert calling.world.seen == []
    assert calling.world.records.runs[0].outcome == StopReason.CLIENT_GONE


async def test_nobody_outside_of_the_callers_project_and_environment_is_reached(calling: Calling) -> None:
    version = replace(calling.world.version, project="acme")
    staged = replace(calling.world.version, environment="staging")
    calling.world.routes = lambda: RouteTable(
        {route_key(each.project, each.worker, each.environment): route_of(each) for each in (version, staged)}
    )
    for caller in (CALLER, replace(CALLER, project="acme", environment="staging")):
        error = await refused(calling.fetch(caller=caller))
        assert error.code == "service_not_found"
    for service in ("acme:hello", "hello@staging"):
        assert (await refused(calling.fetch(service=service))).code == "service_not_found"
    assert (await calling.fetch(caller=replace(CALLER, environment="staging"))).status == 200


async def test_a_version_can_be_named(calling: Calling) -> None:
    other = a_version(number=2)
    route = route_of(calling.world.version, other, weights=(100, 0))
    calling.world.routes = lambda: RouteTable({"hello": route})
    await calling.fetch(headers=[("v8box-version", "hello=v2")])
    assert calling.world.records.runs[0].version == "hello-2"
    assert (await refused(calling.fetch(headers=[("v8box-version", "hello=v9")]))).code == "bad_request"


async def test_the_projects_quota_counts(world: World) -> None:
    calling = Calling(world, lambda project: NotFound(f"{project} is over"))
    error = await refused(calling.fetch())
    assert (error.code, error.message) == ("not_found", "default is over")
    assert world.seen == []


async def test_the_depth_is_bounded(calling: Calling) -> None:
    origin = an_origin()
    origin.above = tuple(str(number) for number in range(MAX_DEPTH - 2))
    await calling.fetch(origin=origin)
    origin.above = (*origin.above, "one more")
    assert (await refused(calling.fetch(origin=origin))).code == "service_loop"


async def test_the_runs_of_one_request_are_bounded(calling: Calling, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "MAX_RUNS", 3)
    origin = an_origin()
    await calling.fetch(origin=origin)
    await calling.fetch(origin=origin)
    assert (await refused(calling.fetch(origin=origin))).code == "service_limit"
    await calling.fetch()


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (RunFailed("TypeError", "no", None, None, caller=False), "service_threw"),
        (RunFailed("Error", "gone", None, 410, caller=False), None),
    ],
)
async def test_what_a_worker_throws(calling: Calling, error: RunFailed, code: str | None) -> None:
    async def throws(sandbox: FakeSandbox, run: Run, invocation: Invocation) -> None:
        raise error

    calling.world.worker = throws
    if code is None:
        assert (await calling.fetch()).status == 410
    else:
        assert (await refused(calling.fetch())).code == code


async def test_a_worker_that_is_killed(calling: Calling) -> None:
    async def dies(sandbox: FakeSandbox, run: Run, invocation: Invocation) -> None:
        sandbox.kill(Death(reason=StopReason.MEMORY, detail="too much", limit=128, used=200))
        await asyncio.get_running_loop().create_future()

    calling.world.worker = dies
    error = await refused(calling.fetch())
    assert (error.code, error.details) == ("service_killed", {"reason": "memory", "limit": 128, "used": 200})


async def test_a_call_that_is_cancelled_ends_its_run(calling: Calling) -> None:
    async def waits(sandbox: FakeSandbox, run: Run, invocation: Invocation) -> None:
        await asyncio.get_running_loop().create_future()

    calling.world.worker = waits
    asked = asyncio.ensure_future(calling.fetch())
    await settle()
    (run,) = calling.world.sandbox.runs.values()
    asked.cancel()
    await settle()
    assert run.cancelled is not None
    assert calling.world.records.runs[0].outcome == StopReason.CLIENT_GONE


async def test_a_stream_is_read_as_it_comes_and_ends_its_run_when_it_is_left(calling: Calling) -> None:
    async def streams(sandbox: FakeSandbox, run: Run, invocation: Invocation) -> None:
        run.body = Inbound(sandbox.channel, run.stream)
        run.body.feed(b"first", False)
        run.response.set_result(Response(200, [], run.body))
        await asyncio.get_running_loop().create_future()

    calling.world.worker = streams
    answer = await calling.fetch()
    assert not isinstance(answer.body, bytes)
    assert await anext(answer.body) == b"first"
    (run,) = calling.world.sandbox.runs.values()
    await answer.body.aclose()  # type: ignore[attr-defined]
    await settle()
    assert run.cancelled is not None


# ---- circles


def calls_itself(calling: Calling, outcomes: list[str], *, hold: asyncio.Event | None = None) -> Any:
    """A worker whose runs from outside call it once more; those that were called answer when they may."""

    async def work(sandbox: FakeSandbox, run: Run, invocation: Invocation) -> None:
        if invocation.trigger == "service":
            sandbox.respond(run, b"inner")
            return
        if hold is not None:
            await hold.wait()
        caller = replace(CALLER, worker="hello", run=run.id)
        try:
            await calling.fetch(caller=caller, origin=invocation.origin)
            outcomes.append("ok")
        except BindingError as error:
            outcomes.append(error.code)
        sandbox.respond(run, b"outer")

    return work


async def test_a_worker_with_one_place_cannot_wait_for_itself(make_world: MakeWorld) -> None:
    world = make_world(limits=Limits(concurrency=1, max_instances=1))
    calling, outcomes = Calling(world), list[str]()
    world.worker = calls_itself(calling, outcomes)
    assert (await world.get()).body == b"outer"
    assert outcomes == ["service_loop"]


async def test_with_a_second_place_it_can(make_world: MakeWorld) -> None:
    world = make_world(limits=Limits(concurrency=1, max_instances=2))
    calling, outcomes = Calling(world), list[str]()
    world.worker = calls_itself(calling, outcomes)
    await world.get()
    assert outcomes == ["ok"]


async def test_of_two_that_hold_every_place_one_is_told_and_the_other_goes_on(make_world: MakeWorld) -> None:
    world = make_world(limits=Limits(concurrency=2, max_instances=1))
    calling, outcomes, both = Calling(world), list[str](), asyncio.Event()
    world.worker = calls_itself(calling, outcomes, hold=both)
    clients = [world.connect(), world.connect()]
    await settle()
    assert len(world.seen) == 2
    both.set()
    await settle()
    assert all(client.served.done() for client in clients)
    assert sorted(outcomes) == ["ok", "service_loop"]
