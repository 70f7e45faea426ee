"""The ASGI application from end to end, with fakes for sandboxes: answers, bodies both ways, clients that leave."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest
from tests.fakes.clock import settle
from tests.fakes.sandboxes import FakeSandbox
from tests.gateway.conftest import Client, MakeWorld, World

from v8box.catalog.model import Limits
from v8box.errors import StopReason
from v8box.gateway.invoke import INLINE_BODY_BYTES, BrokenResponse
from v8box.sandbox.channel import Inbound, Outbound, StreamClosed
from v8box.sandbox.interface import Death, Invocation, RunFailed
from v8box.sandbox.protocol import Kind
from v8box.sandbox.run import Messages, Response, Run

POST: dict[str, Any] = {"method": "POST"}
NAVIGATE = (("sec-fetch-mode", "navigate"),)


def problem(body: bytes) -> dict[str, Any]:
    decoded: dict[str, Any] = msgspec.json.decode(body)
    return decoded


async def forever(sandbox: FakeSandbox, run: Run, invocation: Invocation) -> None:
    await asyncio.get_running_loop().create_future()


def open_stream(sandbox: FakeSandbox, run: Run, headers: list[tuple[str, str]] | None = None) -> Inbound:
    run.body = Inbound(sandbox.channel, run.stream)
    run.response.set_result(Response(200, headers or [], run.body))
    return run.body


# ---- answers


async def test_a_request_and_its_answer(world: World) -> None:
    client = await world.get("/run/hello/a", query="x=1", headers=(("accept", "*/*"), ("x-v8box-a", "1")))
    assert (client.status, client.body) == (200, b"hi")
    assert client.headers["content-length"] == "2"
    assert client.headers["content-type"] == "text/plain"
    assert client.headers["server-timing"].startswith("v8box;dur=")
    (seen,) = world.seen
    assert (seen.method, seen.url, seen.body) == ("GET", "http://localhost:8000/a?x=1", b"")
    assert dict(seen.headers) == {
        "host": "localhost:8000",
        "accept": "*/*",
        "x-forwarded-for": "1.2.3.4",
        "x-forwarded-host": "localhost:8000",
        "x-forwarded-proto": "http",
        "x-forwarded-prefix": "/run/hello",
        "x-request-id": client.headers["x-request-id"],
        "traceparent": seen.origin.header if seen.origin else "",
    }
    (record,) = world.records.runs
    assert (record.id, record.worker, record.path, record.status, record.outcome, record.bytes_out, record.client) == (
        client.headers["x-request-id"], "hello", "/a", 200, "ok", 2, "1.2.3.4",
    )  # fmt: skip


async def test_behind_a_trusted_proxy(world: World) -> None:
    headers = (("x-forwarded-for", "6.6.6.6, 1.2.3.4"), ("x-forwarded-proto", "https"))
    await world.get(peer="10.0.0.1", headers=headers)
    assert world.seen[0].url == "https://localhost:8000/"
    assert world.records.runs[0].client == "1.2.3.4"


async def test_request_ids(world: World) -> None:
    given = await world.get(headers=(("x-request-id", "mine-1"),))
    made = [await world.get() for _ in range(2)]
    ids = [client.headers["x-request-id"] for client in (given, *made)]
    assert ids[0] == "mine-1"
    assert len(set(ids)) == 3
    assert [dict(invocation.headers)["x-request-id"] for invocation in world.seen] == ids
    assert [record.request_id for record in world.records.runs] == ids
    runs = [invocation.run_id for invocation in world.seen]
    assert [record.id for record in world.records.runs] == runs
    assert runs[0] != "mine-1"
    assert runs[1:] == ids[1:]


TRACE = "0af7651916cd43dd8448eb211c80319c"
CALLER = "b7ad6b7169203331"


async def test_a_callers_trace_goes_on(world: World) -> None:
    given = (("traceparent", f"00-{TRACE}-{CALLER}-01"), ("tracestate", "a=1"), ("tracestate", "b=2"))
    await world.get(headers=given)
    (seen,) = world.seen
    (record,) = world.records.runs
    assert (record.trace, record.parent, record.sampled) == (TRACE, CALLER, True)
    assert len(record.span) == 16
    assert record.span != CALLER
    pairs = [pair for pair in seen.headers if pair[0].startswith("trace")]
    assert pairs == [("traceparent", f"00-{TRACE}-{record.span}-01"), ("tracestate", "a=1,b=2")]


async def test_a_caller_decides_whether_its_trace_is_sampled(world: World) -> None:
    await world.get(headers=(("traceparent", f"00-{TRACE}-{CALLER}-00"),))
    assert dict(world.seen[0].headers)["traceparent"].endswith("-00")
    assert not world.records.runs[0].sampled


@pytest.mark.parametrize(
    "given",
    [
        (),
        (("traceparent", f"00-{'0' * 32}-{CALLER}-01"), ("tracestate", "a=1")),
        (("traceparent", f"00-{TRACE}-{CALLER}-01"), ("traceparent", f"00-{TRACE}-{CALLER}-01")),
        (("tracestate", "a=1"),),
    ],
    ids=["none", "invalid", "two", "state alone"],
)
async def test_without_a_valid_trace_of_the_caller_one_begins(world: World, given: tuple[tuple[str, str], ...]) -> None:
    for _ in range(2):
        await world.get(headers=given)
    first, second = world.records.runs
    assert len({first.trace, second.trace, TRACE}) == 3
    assert len(first.trace) == 32
    assert (first.parent, first.sampled) == ("", True)
    assert [name for name, _ in world.seen[0].headers if name.startswith("trace")] == ["traceparent"]


async def test_a_failed_request_is_named_as_its_client_did(world: World) -> None:
    async def worker(sandbox: FakeSandbox, run: Run, invocation: Invocation) -> None:
        sandbox.kill(Death(reason=StopReason.CPU, detail="x"))
        await forever(sandbox, run, invocation)

    world.worker = worker
    client = await world.get(headers=(("x-request-id", "mine-1"),))
    assert problem(client.body)["request_id"] == client.headers["x-request-id"] == "mine-1"
    (record,) = world.records.runs
    assert record.request_id == "mine-1"
    assert record.id == world.seen[0].run_id != "mine-1"


async def test_what_a_version_does_is_counted_and_what_is_not_its_fault_is_no_error(world: World) -> None:
    def counted() -> tuple[int, int]:
        window = world.rates.window(world.version.key, 60)
        return window.requests, window.errors

    await world.get()
    assert counted() == (1, 0)

    async def refuses(sandbox: FakeSandbox, run: Run, invocation: Invocation) -> None:
        sandbox.respond(run, b"no", status=404)

    world.worker = refuses
    await world.get()
    assert counted() == (2, 0)

    async def breaks(sandbox: FakeSandbox, run: Run, invocation: Invocation) -> None:
        sandbox.respond(run, b"no", status=503)

    world.worker = breaks
    await world.get()
    assert counted() == (3, 1)

    async def dies(sandbox: FakeSandbox, run: Run, invocation: Invocation) -> None:
        sandbox.kill(Death(reason=StopReason.MEMORY, detail="x"))
        await forever(sandbox, run, invocation)

    world.worker = dies
    await world.get()
    assert counted() == (4, 2)
    await world.get("/health")
    await world.get("/run/nothing")
    assert counted() == (4, 2)


async def test_runs_of_one_request_id_are_told_apart(world: World) -> None:
    """db keeps transactions by run id: two runs of one id would share them, and the first to end rolls both back."""
    for _ in range(2):
        await world.get(headers=(("x-request-id", "same"),))
    assert len({invocation.run_id for invocation in world.seen}) == 2


async def test_a_worker_cannot_set_what_is_the_boxs(world: World) -> None:
    async def worker(sandbox: FakeSandbox, run: Run, invocation: Invocation) -> None:
        headers = [("X-V8Box-Termination", "cpu"), ("Content-Length", "99"), ("Connection", "x"), ("a", "b\r\nc: d")]
        headers += [("Server", "x"), ("X-Request-Id", "x")]
        sandbox.respond(run, b"hi", headers=headers)

    world.worker = worker
    client = await world.get(host="api.localhost")
    assert set(client.headers) == {"content-length", "x-request-id", "server-timing", "server"}
    assert (client.headers["content-length"], client.headers["server"]) == ("2", "v8box")


async def test_a_workers_own_timing_stands_beside_the_boxs(world: World) -> None:
    async def worker(sandbox: FakeSandbox, run: Run, invocation: Invocation) -> None:
        sandbox.respond(run, b"hi", headers=[("server-timing", "db;dur=5")])

    world.worker = worker
    client = await world.get()
    timings = [value for name, value in client.sent[0]["headers"] if name == b"server-timing"]
    assert timings[0] == b"db;dur=5"
    assert timings[1].startswith(b"v8box;dur=")


@pytest.mark.parametrize("status", [204, 304])
async def test_answers_without_a_body_have_no_length(world: World, status: int) -> None:
    async def worker(sandbox: FakeSandbox, run: Run, invocation: Invocation) -> None:
        sandbox.respond(run, b"", status)

    world.worker = worker
    client = await world.get()
    assert (client.status, client.body) == (status, b"")
    assert "content-length" not in client.headers


async def test_head_gets_no_length_that_is_not_gets(world: World) -> None:
    async def worker(sandbox: FakeSandbox, run: Run, invocation: Invocation) -> None:
        sandbox.respond(run, b"")

    world.worker = worker
    client = await world.get(method="HEAD")
    assert client.body == b""
    assert client.headers.get("content-length") != "0"


@pytest.mark.parametrize(("declared", "told"), [("77", "77"), ("x", None)])
async def test_head_gets_the_length_that_the_worker_gave(world: World, declared: str, told: str | None) -> None:
    async def worker(sandbox: FakeSandbox, run: Run, invocation: Invocation) -> None:
        sandbox.respond(run, b"", headers=[("content-length", declared)])

    world.worker = worker
    client = await world.get(method="HEAD")
    assert (client.body, client.headers.get("content-length")) == (b"", told)


@pytest.mark.parametrize(
    ("path", "options", "status"),
    [
        ("/run/nobody", {}, 404),
        ("/run/Bad.Name", {}, 400),
        ("/nowhere", {}, 404),
        ("/run/hello", {"host": "site.localhost"}, 404),
        ("/run/hello", {"host": "a b"}, 400),
        ("/run/hello", {"host": "999.999.999.999"}, 400),
        ("/run/hello/" + "x" * 1100, {}, 414),
        ("/run/hello", {"query": "x" * 1100}, 414),
        ("/run/hello", {"headers": (("a", "b" * 4100),)}, 431),
        ("/run/hello", {"method": "TRACE"}, 405),
        ("/run/hello", {"method": "CONNECT"}, 405),
        ("/health", {"method": "POST"}, 405),
        ("/run/hello", {"headers": (("content-length", "1"), ("content-length", "2"))}, 400),
        ("/run/hello", {"headers": (("content-length", str(2 << 20)),), "method": "POST"}, 413),
    ],
)
async def test_what_is_refused_before_a_worker_sees_it(
    world: World, path: str, options: dict[str, Any], status: int
) -> None:
    client = await world.get(path, **options)
    assert client.status == status
    assert client.headers["content-type"] == "application/problem+json"
    assert problem(client.body)["status"] == status
    assert client.headers["x-request-id"] == problem(client.body)["request_id"]
    assert world.seen == []


async def test_a_refused_head_has_no_body(world: World) -> None:
    client = await world.get("/run/nobody", method="HEAD")
    assert (client.status, client.body) == (404, b"")
    assert int(client.headers["content-length"]) > 0


async def test_a_page_of_the_box(world: World) -> None:
    client = await world.get("/health")
    assert (client.status, client.body, client.headers["content-type"]) == (200, b'{"status":"ok"}', "application/json")
    head = await world.get("/health", method="HEAD")
    assert (head.body, head.headers["content-length"]) == (b"", "15")
    assert world.records.runs == []


async def test_a_worker_that_throws(world: World) -> None:
    async def worker(sandbox: FakeSandbox, run: Run, invocation: Invocation) -> None:
        raise RunFailed("TypeError", "x is not a function", "at secret.ts:1", None, caller=False)

    world.worker = worker
    client = await world.get()
    assert client.status == 500
    assert problem(client.body)["error"] == "x is not a function"
    assert b"secret.ts" not in client.body
    assert world.records.runs[0].outcome == "exception"


async def test_a_worker_that_throws_499_is_answered(world: World) -> None:
    async def worker(sandbox: FakeSandbox, run: Run, invocation: Invocation) -> None:
        raise RunFailed("E", "m", None, 499, caller=False)

    world.worker = worker
    assert (await world.get()).status == 499


async def test_a_sandbox_that_dies(world: World) -> None:
    async def worker(sandbox: FakeSandbox, run: Run, invocation: Invocation) -> None:
        sandbox.kill(Death(reason=StopReason.MEMORY, detail="too much", limit=128, used=130.5))
        await forever(sandbox, run, invocation)

    world.worker = worker
    client = await world.get()
    assert (client.status, client.headers["x-v8box-termination"]) == (503, "memory")
    assert world.records.runs[0].outcome == "memory"


async def test_a_full_box(make_world: MakeWorld) -> None:
    world = make_world(queue_length=0)
    client = await world.get()
    assert (client.status, client.headers["retry-after"]) == (503, "1")
    assert problem(client.body)["type"] == "urn:v8box:error:no_capacity"
    assert world.records.runs[0].outcome == "refused"


async def test_an_unknown_scope_is_a_fault(world: World) -> None:
    with pytest.raises(RuntimeError, match="lifespan"):
        await world.connect(kind="lifespan").served


# ---- browsers on a host that workers share with the admin


async def test_a_browser_that_navigates_is_sent_to_the_api_host(world: World) -> None:
    client = await world.get("/run/hello/x", query="a=1", headers=NAVIGATE)
    assert (client.status, client.headers["location"]) == (307, "http://api.localhost:8000/run/hello/x?a=1")
    assert client.headers["x-request-id"]
    assert world.seen == []


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "[::1]:8000", "box.lan"])
async def test_where_there_is_no_api_host_a_browser_gets_a_sandboxed_origin(world: World, host: str) -> None:
    client = await world.get(host=host, headers=NAVIGATE)
    policy = client.headers["content-security-policy"]
    assert policy.startswith("sandbox ")
    assert "allow-same-origin" not in policy


async def test_on_a_host_of_its_own_a_worker_is_not_sandboxed(world: World) -> None:
    client = await world.get(host="api.localhost:8000", headers=NAVIGATE)
    assert client.status == 200
    assert "content-security-policy" not in client.headers


async def test_a_browser_that_does_not_say_so_is_sandboxed_too(world: World) -> None:
    """Over http://192.168.1.5 none sends Sec-Fetch-Mode, and the page would have the admin's origin."""
    client = await world.get(host="192.168.1.5:8000", headers=(("accept", "text/html"),))
    assert client.headers.get("content-security-policy", "").startswith("sandbox ")


# ---- the request's body


def length(size: int) -> tuple[tuple[str, str], ...]:
    return (("content-length", str(size)),)


async def test_a_short_body_goes_with_the_invocation(world: World) -> None:
    client = world.connect(**POST, headers=length(6))
    client.gives(b"abc", b"def")
    await settle()
    assert client.body == b"hi"
    assert world.seen[0].body == b"abcdef"


@pytest.mark.parametrize("size", [0, 1, INLINE_BODY_BYTES])
async def test_bodies_up_to_the_bound_are_inline(world: World, size: int) -> None:
    client = world.connect(**POST, headers=length(size))
    client.gives(bytes(size))
    await settle()
    assert client.status == 200
    assert world.seen[0].body == bytes(size)


@pytest.mark.parametrize("headers", [length(INLINE_BODY_BYTES + 1), (("transfer-encoding", "chunked"),)])
async def test_a_longer_body_or_one_of_unknown_length_is_streamed(
    world: World, headers: tuple[tuple[str, str], ...]
) -> None:
    streamed: list[bytes | None] = []

    async def worker(sandbox: FakeSandbox, run: Run, invocation: Invocation) -> None:
        streamed.append(invocation.body)
        run.request = Outbound(sandbox.channel, run.stream)
        await settle()
        sandbox.respond(run)

    world.worker = worker
    client = world.connect(**POST, headers=headers)
    client.gives(bytes(INLINE_BODY_BYTES), b"x")
    await settle(200)
    assert client.body == b"ok"
    assert streamed == [None]
    sent = [frame for frame in world.sandbox.channel.sent if frame[0] is Kind.BODY]
    assert sum(len(frame[4]) for frame in sent) == INLINE_BODY_BYTES + 1
    assert sent[-1][1] == 1


async def test_a_body_cut_short_reaches_no_worker(world: World) -> None:
    client = world.connect(**POST, headers=length(10))
    client.gives(b"abc", more=True)
    client.leaves()
    await settle()
    assert client.sent == []
    assert world.seen == []
    assert world.records.runs[0].outcome == "client_gone"


async def test_a_body_that_is_not_as_long_as_it_said_reaches_no_worker(world: World) -> None:
    client = world.connect(**POST, headers=length(10))
    client.gives(b"abc")
    await settle()
    assert client.served.done()
    assert world.seen == []


async def test_a_stream_that_grows_too_long_is_refused_on_the_way(world: World) -> None:
    async def worker(sandbox: FakeSandbox, run: Run, invocation: Invocation) -> None:
        run.request = Outbound(sandbox.channel, run.stream)
        run.request._credit = 1 << 30
        await forever(sandbox, run, invocation)

    world.worker = worker
    client = world.connect(**POST, headers=(("transfer-encoding", "chunked"),))
    client.gives(*[bytes(1 << 18)] * 5)
    await settle()
    assert client.status == 413
    assert Kind.CANCEL in world.sandbox.channel.sent_kinds()


async def test_a_body_the_worker_does_not_want_is_no_hindrance(world: World) -> None:
    async def worker(sandbox: FakeSandbox, run: Run, invocation: Invocation) -> None:
        run.request = Outbound(sandbox.channel, run.stream)
        sandbox.respond(run, b"no thanks", 401)

    world.worker = worker
    client = world.connect(**POST, headers=(("transfer-encoding", "chunked"),))
    client.gives(b"x" * 100, more=True)
    await settle()
    assert (client.status, client.body) == (401, b"no thanks")
    assert client.served.done()


# ---- the response as a stream


async def test_a_stream_is_passed_on_as_it_comes(world: World) -> None:
    bodies: list[Inbound] = []

    async def worker(sandbox: FakeSandbox, run: Run, invocation: Invocation) -> None:
        bodies.append(open_stream(sandbox, run))
        await forever(sandbox, run, invocation)

    world.worker = worker
    client = world.connect()
    await settle()
    assert client.status == 200
    assert "content-length" not in client.headers
    for part in (b"a", b"b"):
        bodies[0].feed(part, False)
        await settle()
        assert client.sent[-1]["body"] == part
    bodies[0].feed(b"", True)
    await settle()
    assert client.body == b"ab"
    assert client.served.done()


async def test_a_slow_client_holds_the_worker_back(world: World) -> None:
    bodies: list[Inbound] = []

    async def worker(sandbox: FakeSandbox, run: Run, invocation: Invocation) -> None:
        bodies.append(open_stream(sandbox, run))
        await forever(sandbox, run, invocation)

    world.worker = worker
    client = world.connect()
    await settle()
    client.may_send.clear()
    for _ in range(4):
        bodies[0].feed(bytes(64 * 1024), False)
    await settle()
    assert Kind.CREDIT not in world.sandbox.channel.sent_kinds()
    client.may_send.set()
    await settle()
    assert Kind.CREDIT in world.sandbox.channel.sent_kinds()


@pytest.mark.parametrize(("declared", "sent", "why"), [("5", b"abc", "less than"), ("2", b"abc", "more than")])
async def test_a_stream_unlike_its_length_breaks_the_connection(
    world: World, declared: str, sent: bytes, why: str
) -> None:
    async def worker(sandbox: FakeSandbox, run: Run, invocation: Invocation) -> None:
        open_stream(sandbox, run, [("content-length", declared)]).feed(sent, True)

    world.worker = worker
    client = world.connect()
    await settle()
    assert client.headers["content-length"] == declared
    with pytest.raises(BrokenResponse, match=f"{why} its Content-Length"):
        client.served.result()
    assert len(b"".join(message["body"] for message in client.sent[1:])) <= int(declared)
    assert world.records.runs[0].outcome == "broken"


async def test_a_stream_longer_than_its_limit_is_cut(make_world: MakeWorld) -> None:
    world = make_world(limits=Limits(response_mb=1))

    async def worker(sandbox: FakeSandbox, run: Run, invocation: Invocation) -> None:
        body = open_stream(sandbox, run)
        for _ in range(20):
            body.feed(bytes(64 * 1024), False)
            await settle(10)
        await forever(sandbox, run, invocation)

    world.worker = worker
    client = world.connect()
    await settle(400)
    assert isinstance(client.served.exception(), BrokenResponse)
    assert world.records.runs[0].outcome == "response_bytes"
    assert sum(len(message.get("body", b"")) for message in client.sent) <= 1 << 20


async def test_a_stream_whose_sandbox_dies_looks_cut(world: World) -> None:
    async def worker(sandbox: FakeSandbox, run: Run, invocation: Invocation) -> None:
        open_stream(sandbox, run).feed(b"a", False)
        await forever(sandbox, run, invocation)

    world.worker = worker
    client = world.connect()
    await settle()
    world.sandbox.end()
    await settle()
    assert isinstance(client.served.exception(), BrokenResponse)
    assert client.sent[-1]["more_body"] is True
    assert world.records.runs[0].outcome == "crash"


# ---- clients that leave


async def test_one_that_leaves_while_the_worker_thinks(world: World) -> None:
    world.worker = forever
    client = world.connect()
    await settle()
    (run,) = world.sandbox.runs.values()
    assert run.on_slow is not None
    run.on_slow()  # as the first look at the sandbox does
    client.leaves()
    await settle()
    assert client.served.done()
    assert client.sent == []
    assert run.cancelled is not None
    assert world.records.runs[0].outcome == "client_gone"


async def test_one_that_leaves_in_the_queue_gives_its_place_up(make_world: MakeWorld) -> None:
    world = make_world(limits=Limits(concurrency=1, max_instances=1))
    world.worker = forever
    first, second = world.connect(), world.connect()
    await settle()
    second.leaves()
    await settle()
    assert second.served.done()
    assert len(world.seen) == 1
    first.leaves()


async def test_one_that_leaves_in_the_middle_of_a_stream(world: World) -> None:
    async def worker(sandbox: FakeSandbox, run: Run, invocation: Invocation) -> None:
        open_stream(sandbox, run).feed(b"a", False)
        await forever(sandbox, run, invocation)

    world.worker = worker
    client = world.connect()
    await settle()
    client.leaves()
    await settle()
    assert isinstance(client.served.exception(), BrokenResponse)
    (run,) = world.sandbox.runs.values()
    assert run.death is not None
    assert run.death.reason is StopReason.CLIENT_GONE


async def test_one_that_leaves_in_the_middle_of_its_upload(world: World) -> None:
    async def worker(sandbox: FakeSandbox, run: Run, invocation: Invocation) -> None:
        run.request = Outbound(sandbox.channel, run.stream)
        await forever(sandbox, run, invocation)

    world.worker = worker
    client = world.connect(**POST, headers=(("transfer-encoding", "chunked"),))
    client.gives(b"a", more=True)
    client.leaves()
    await settle()
    assert client.served.done()
    assert world.records.runs[0].outcome == "client_gone"


async def test_a_request_that_is_cancelled_ends_its_run(world: World) -> None:
    world.worker = forever
    client = world.connect()
    await settle()
    (run,) = world.sandbox.runs.values()
    client.served.cancel()
    await settle()
    assert run.cancelled is not None
    assert client.served.cancelled()


async def test_a_send_that_fails_ends_its_run(world: World) -> None:
    async def worker(sandbox: FakeSandbox, run: Run, invocation: Invocation) -> None:
        open_stream(sandbox, run).feed(b"a", False)
        await forever(sandbox, run, invocation)

    world.worker = worker
    client = world.connect(failing_sends=True)
    await settle()
    assert isinstance(client.served.exception(), ConnectionResetError)
    (run,) = world.sandbox.runs.values()
    assert run.cancelled is not None
    assert world.records.runs[0].outcome == "client_gone"


async def test_what_a_failed_run_still_does_goes_on(world: World) -> None:
    """A worker that throws has had its answer; what it gave to waitUntil must not be cut."""

    async def worker(sandbox: FakeSandbox, run: Run, invocation: Invocation) -> None:
        run.response.set_exception(RunFailed("E", "m", None, None, caller=False))
        await forever(sandbox, run, invocation)

    world.worker = worker
    assert (await world.get()).status == 500
    (run,) = world.sandbox.runs.values()
    assert run.cancelled is None


async def test_a_run_that_begins_as_its_request_is_given_up_is_ended(make_world: MakeWorld) -> None:
    world = make_world(limits=Limits(concurrency=1, max_instances=1))
    world.worker = forever
    first, second = world.connect(), world.connect()
    await settle()
    (run,) = world.sandbox.runs.values()
    world.sandbox.finish(run)  # its place is given on in this very turn,
    second.served.cancel()  # and so is this
    await settle()
    assert second.served.cancelled()
    assert all(run.cancelled is not None for run in world.sandbox.runs.values())
    first.served.cancel()


# ---- WebSockets


def opening(world: World, **options: Any) -> Client:
    """A client that asks for a WebSocket."""
    client = world.connect(kind="websocket", **options)
    client.inbox.put_nowait({"type": "websocket.connect"})
    return client


def closes(world: World) -> list[dict[str, Any]]:
    """The closes that the worker was told of."""
    return [problem(frame[3]) for frame in world.sandbox.channel.sent if frame[0] is Kind.CLOSE]


async def upgrading(sandbox: FakeSandbox, run: Run, invocation: Invocation) -> None:
    assert invocation.upgrade
    run.upgraded = True
    run.messages = Messages(sandbox.channel, run)
    run.response.set_result(Response(101, [("sec-websocket-protocol", "chat"), ("x", "y")], b"", True))
    await forever(sandbox, run, invocation)


async def test_a_websocket_from_its_opening_to_the_workers_close(world: World) -> None:
    world.worker = upgrading
    client = world.connect(kind="websocket", headers=(("sec-websocket-key", "k"),))
    client.inbox.put_nowait({"type": "websocket.connect"})
    await settle()
    assert client.sent == [{"type": "websocket.accept", "subprotocol": "chat", "headers": []}]
    headers = dict(world.seen[0].headers)
    assert (headers["upgrade"], headers["connection"]) == ("websocket", "Upgrade")
    (run,) = world.sandbox.runs.values()
    assert run.messages is not None
    client.inbox.put_nowait({"type": "websocket.receive", "text": "in"})
    run.messages.feed(True, b"out")
    run.messages.feed(False, b"\x00")
    await settle()
    assert client.sent[1:] == [{"type": "websocket.send", "text": "out"}, {"type": "websocket.send", "bytes": b"\x00"}]
    assert (Kind.MESSAGE, 2, run.stream, b"", b"in") in world.sandbox.channel.sent
    run.messages.close(4000, "bye")
    await settle()
    assert client.sent[-1] == {"type": "websocket.close", "code": 4000, "reason": "bye"}
    assert client.served.done()
    run.finish()
    assert (world.records.runs[0].outcome, world.records.runs[0].bytes_out) == ("ok", 4)


async def test_a_client_that_closes_its_websocket(world: World) -> None:
    world.worker = upgrading
    client = world.connect(kind="websocket")
    client.inbox.put_nowait({"type": "websocket.connect"})
    await settle()
    client.inbox.put_nowait({"type": "websocket.disconnect", "code": 1001, "reason": "bye"})
    await settle()
    assert client.served.done()
    assert closes(world) == [{"code": 1001, "reason": "bye"}]
    (run,) = world.sandbox.runs.values()
    run.finish()
    assert world.records.runs[0].outcome == "ok"


async def test_a_clean_close_cancels_nothing(world: World) -> None:
    world.worker = upgrading
    client = world.connect(kind="websocket")
    client.inbox.put_nowait({"type": "websocket.connect"})
    await settle()
    client.inbox.put_nowait({"type": "websocket.disconnect", "code": 1000})
    await settle()
    assert world.sandbox.channel.sent_kinds().count(Kind.CLOSE) == 1
    assert Kind.CANCEL not in world.sandbox.channel.sent_kinds()


async def test_a_message_that_is_too_long_closes_the_websocket(world: World) -> None:
    world.worker = upgrading
    client = world.connect(kind="websocket")
    client.inbox.put_nowait({"type": "websocket.connect"})
    client.inbox.put_nowait({"type": "websocket.receive", "bytes": bytes((1 << 20) + 1)})
    await settle()
    assert (client.sent[-1]["type"], client.sent[-1]["code"]) == ("websocket.close", 1009)


@pytest.mark.parametrize(("reason", "code"), [(StopReason.CRASH, 1011), (StopReason.REPLACED, 1012)])
async def test_a_websocket_whose_sandbox_dies(world: World, reason: StopReason, code: int) -> None:
    world.worker = upgrading
    client = world.connect(kind="websocket")
    client.inbox.put_nowait({"type": "websocket.connect"})
    await settle()
    world.sandbox.kill(Death(reason=reason, detail="x"))
    await settle()
    assert client.sent[-1] == {"type": "websocket.close", "code": code, "reason": str(reason)}
    assert world.records.runs[0].outcome == reason


@pytest.mark.parametrize(
    ("path", "host"),
    [("/run/hello", "localhost"), ("/run/nobody", "localhost"), ("/health", "localhost"), ("/", "a b")],
)
async def test_a_websocket_nobody_takes_is_refused(world: World, path: str, host: str) -> None:
    client = world.connect(path, kind="websocket", host=host)
    client.inbox.put_nowait({"type": "websocket.connect"})
    await settle()
    assert client.served.done()
    assert [message["type"] for message in client.sent] == ["websocket.close"]


async def test_an_opening_that_fails_ends_its_run(world: World) -> None:
    world.worker = upgrading
    client = world.connect(kind="websocket", failing_sends=True)
    client.inbox.put_nowait({"type": "websocket.connect"})
    await settle()
    assert client.served.exception() is not None
    (run,) = world.sandbox.runs.values()
    assert run.cancelled is not None


async def test_a_client_that_leaves_before_its_websocket_opened_ends_its_run(world: World) -> None:
    world.worker = forever
    client = world.connect(kind="websocket")
    client.inbox.put_nowait({"type": "websocket.connect"})
    await settle()
    client.inbox.put_nowait({"type": "websocket.disconnect", "code": 1006})
    await settle()
    (run,) = world.sandbox.runs.values()
    cancelled = run.cancelled is not None
    client.served.cancel()
    await settle()
    assert cancelled


async def test_a_client_that_leaves_in_the_queue_gives_its_websockets_place_up(make_world: MakeWorld) -> None:
    world = make_world(limits=Limits(concurrency=1, max_instances=1))
    world.worker = forever
    first = world.connect()
    await settle()
    second = opening(world)
    await settle()
    second.inbox.put_nowait({"type": "websocket.disconnect", "code": 1006})
    await settle()
    assert second.served.done()
    assert second.sent == []
    assert len(world.seen) == 1
    assert world.records.runs[0].outcome == "client_gone"
    first.leaves()


@pytest.mark.parametrize("who", ["client", "worker"])
async def test_after_a_close_the_run_has_the_wall_time_of_any_other(world: World, who: str) -> None:
    world.worker = upgrading
    client = opening(world)
    await settle()
    (run,) = world.sandbox.runs.values()
    assert run.messages is not None
    run.progress = 0.0
    if who == "client":
        client.inbox.put_nowait({"type": "websocket.disconnect", "code": 1000})
    else:
        run.messages.close(1000, "")
    await settle()
    assert client.served.done()
    assert closes(world) == [{"code": 1000, "reason": ""}]
    assert (run.cancelled, run.done, run.upgraded) == (None, False, False)
    assert run.progress > 0


@pytest.mark.parametrize(
    ("code", "told"),
    [(1000, 1000), (1003, 1003), (1004, 1011), (1005, 1011), (1006, 1011), (1007, 1007), (1014, 1014), (1015, 1011),
     (2999, 1011), (3000, 3000), (4999, 4999), (5000, 1011), (0, 1011), (-1, 1011), (70_000, 1011)],
)  # fmt: skip
async def test_only_codes_that_may_be_sent_are_sent(world: World, code: int, told: int) -> None:
    world.worker = upgrading
    client = opening(world)
    await settle()
    (run,) = world.sandbox.runs.values()
    assert run.messages is not None
    run.messages.close(code, "\u00e9" * 100)
    await settle()
    assert client.sent[-1] == {"type": "websocket.close", "code": told, "reason": "\u00e9" * 61}


async def test_a_message_that_cannot_be_received_ends_the_run(world: World) -> None:
    world.worker = upgrading
    client = opening(world)
    await settle()
    client.inbox.put_nowait({"type": "websocket.receive", "text": "\ud800"})
    await settle()
    assert client.served.done()
    (run,) = world.sandbox.runs.values()
    assert run.death is not None
    assert run.death.reason is StopReason.CLIENT_GONE
    assert closes(world) == [{"code": 1006, "reason": "the connection broke"}]
    assert world.records.runs[0].outcome == "client_gone"


async def test_what_the_client_says_first_is_not_lost(world: World) -> None:
    world.worker = upgrading
    client = opening(world)
    client.inbox.put_nowait({"type": "websocket.receive", "text": "early"})
    client.inbox.put_nowait({"type": "websocket.receive", "bytes": b"next"})
    await settle()
    messages = [frame[4] for frame in world.sandbox.channel.sent if frame[0] is Kind.MESSAGE]
    assert messages == [b"early", b"next"]


async def test_a_message_that_cannot_be_sent_ends_the_talk(world: World) -> None:
    world.worker = upgrading
    client = opening(world)
    await settle()
    (run,) = world.sandbox.runs.values()
    assert run.messages is not None
    client.failing = True
    run.messages.feed(True, b"x")
    await settle()
    assert isinstance(client.served.exception(), ConnectionResetError)
    assert closes(world) == [{"code": 1001, "reason": "the connection is gone"}]
    assert (run.cancelled, run.upgraded) == (None, False)
    assert not world.records.runs  # the worker may still have something to do on the close
    run.finish()
    assert len(world.records.runs) == 1


async def test_a_body_instead_of_a_websocket_does_not_stay_open(world: World) -> None:
    bodies: list[Inbound] = []

    async def worker(sandbox: FakeSandbox, run: Run, invocation: Invocation) -> None:
        bodies.append(open_stream(sandbox, run))
        await forever(sandbox, run, invocation)

    world.worker = worker
    client = opening(world)
    await settle()
    assert client.served.done()
    assert [message["type"] for message in client.sent] == ["websocket.close"]
    (run,) = world.sandbox.runs.values()
    assert run.cancelled is not None
    with pytest.raises(StreamClosed):
        await bodies[0].read()


async def test_a_run_that_ends_without_a_close_closes_the_websocket(world: World) -> None:
    world.worker = upgrading
    client = opening(world)
    await settle()
    world.sandbox.finish(*world.sandbox.runs.values())
    await settle()
    assert (client.sent[-1]["type"], client.sent[-1]["code"]) == ("websocket.close", 1011)
    assert world.records.runs[0].outcome == "broken"


async def test_an_application_of_the_box(world: World) -> None:
    client = await world.get("/db/v2/pipeline", headers=(("x-request-id", "mine"),))
    assert (client.status, client.body) == (200, b"/db /db/v2/pipeline mine")
    assert (await world.get("/s3/bucket")).status == 404


async def test_databases_and_the_admin_take_websockets_and_nothing_else_does(world: World) -> None:
    accepted, closed = "websocket.accept", "websocket.close"
    for path, answer in (("/db/v3", accepted), ("/admin/x", accepted), ("/s3/x", closed), ("/nothing", closed)):
        client = world.connect(kind="websocket", path=path)
        client.inbox.put_nowait({"type": "websocket.connect"})
        await settle()
        assert client.sent[0]["type"] == answer
