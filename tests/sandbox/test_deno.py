"""A sandbox against a worker that writes anything, and a process that ends in every way. No process here."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.fakes.clock import Clock, settle
from tests.sandbox.conftest import Bench, a_frame

from v8box.catalog.model import Limits
from v8box.errors import StopReason
from v8box.sandbox.channel import Inbound, StreamClosed
from v8box.sandbox.interface import Death, RunFailed, RunKilled, SandboxState, StartupFailed
from v8box.sandbox.protocol import (
    CHUNK_BYTES,
    LOG_FLOOD_EXIT_CODE,
    LOG_FLOOD_FACTOR,
    MAX_OPEN_CALLS,
    WINDOW_BYTES,
    Flag,
    Kind,
    Level,
    pack_credit,
)
from v8box.sandbox.run import MAX_MESSAGE_BYTES
from v8box.telemetry.meter import MAX_SPANS

END, DONE, UPGRADE, BODY = int(Flag.END), int(Flag.DONE), int(Flag.UPGRADE), int(Flag.BODY)
GONE = Death(reason=StopReason.CLIENT_GONE, detail="the client went away")
MIB = 1024 * 1024


def response(stream: int, flags: int = END | DONE, status: Any = 200, headers: Any = (), body: bytes = b"") -> bytes:
    return a_frame(Kind.RESPONSE, flags, stream, [status, headers], body)


# ---- a run


async def test_a_run_from_invoke_to_done(bench: Bench) -> None:
    await bench.become_ready()
    run = bench.invoke("id-1")
    await settle(2)
    kind, flags, stream, head, body = bench.wire.frames[-1]
    assert (kind, flags, stream, body) == (Kind.INVOKE, END, run.stream, b"")
    assert head == b'["http","id-1","GET","http://localhost/",[["host","localhost"]]]'
    bench.says(response(run.stream, headers=[["a", "b"]], body=b"hi"))
    answer = await run.response
    assert (answer.status, answer.headers, answer.body) == (200, [("a", "b")], b"hi")
    assert run.done
    assert not bench.sandbox.runs


async def test_runs_have_even_streams_of_their_own(bench: Bench) -> None:
    await bench.become_ready()
    streams = [bench.invoke(str(number)).stream for number in range(3)]
    assert streams == [2, 4, 6]


async def test_a_stream_and_the_work_after_it(bench: Bench) -> None:
    await bench.become_ready()
    run = bench.invoke()
    bench.says(response(run.stream, flags=0, body=b"a"), a_frame(Kind.BODY, 0, run.stream, body=b"b"))
    bench.says(a_frame(Kind.BODY, END, run.stream))
    body = (await run.response).body
    assert isinstance(body, Inbound)
    assert [chunk async for chunk in body] == [b"a", b"b"]
    assert not run.done
    bench.says(a_frame(Kind.DONE, 0, run.stream))
    assert run.done


async def test_a_stream_that_is_complete_outlives_its_run(bench: Bench) -> None:
    await bench.become_ready()
    run = bench.invoke()
    bench.says(
        response(run.stream, flags=0, body=b"a"), a_frame(Kind.BODY, END, run.stream, body=b"b"),
        a_frame(Kind.DONE, 0, run.stream),
    )  # fmt: skip
    body = (await run.response).body
    assert isinstance(body, Inbound)
    assert [chunk async for chunk in body] == [b"a", b"b"]


async def test_a_stream_cut_short_is_an_error_to_its_reader(bench: Bench) -> None:
    await bench.become_ready()
    run = bench.invoke()
    bench.says(response(run.stream, flags=0, body=b"a"), a_frame(Kind.DONE, 0, run.stream))
    body = (await run.response).body
    assert isinstance(body, Inbound)
    with pytest.raises(StreamClosed):
        await body.read()
    assert bench.fault is None


async def test_a_run_that_throws(bench: Bench) -> None:
    await bench.become_ready()
    run = bench.invoke()
    failure = {"name": "TypeError", "message": "no", "stack": "at x", "status": 418, "caller": False}
    bench.says(a_frame(Kind.FAILED, 0, run.stream, failure), a_frame(Kind.DONE, 0, run.stream))
    with pytest.raises(RunFailed) as caught:
        await run.response
    assert (caught.value.name, caught.value.message, caught.value.status) == ("TypeError", "no", 418)
    assert [(line.text, line.thrown) for line in bench.observed.lines] == [("at x", True)]
    assert run.failure is caught.value
    assert run.done


async def test_the_callers_fault_is_not_logged_as_the_workers(bench: Bench) -> None:
    await bench.become_ready()
    run = bench.invoke()
    bench.says(a_frame(Kind.FAILED, 0, run.stream, {"name": "E", "message": "bad", "caller": True, "status": 400}))
    with pytest.raises(RunFailed):
        await run.response
    assert bench.observed.lines == []


@pytest.mark.parametrize("status", [0, 200, 399, 600, -1])
async def test_a_thrown_error_asks_for_an_error_status_or_none(bench: Bench, status: int) -> None:
    await bench.become_ready()
    run = bench.invoke()
    bench.says(a_frame(Kind.FAILED, 0, run.stream, {"name": "E", "message": "", "status": status}))
    with pytest.raises(RunFailed) as caught:
        await run.response
    assert caught.value.status is None


async def test_log_lines_reach_the_observer(bench: Bench) -> None:
    await bench.become_ready()
    bench.says(a_frame(Kind.LOG, head=[["r1", Level.WARN, 12.5, "text", {"a": 1}], [None, 0, 1, "x", None]]))
    assert [(line.run, line.level, line.text, line.fields) for line in bench.observed.lines] == [
        ("r1", 2, "text", {"a": 1}),
        (None, 0, "x", None),
    ]


async def test_what_the_worker_measures_reaches_the_observer(bench: Bench) -> None:
    await bench.become_ready()
    bench.says(a_frame(Kind.METRIC, head=[[0, "orders", {"shop": "a"}, 2], [2, "took", None, [0.5, 1]]]))
    assert bench.observed.measurements == [(0, "orders", {"shop": "a"}, 2), (2, "took", None, [0.5, 1])]


async def test_a_flood_of_metrics_is_not_read_until_the_next_look(bench: Bench) -> None:
    await bench.become_ready()
    bench.invoke()
    many = a_frame(Kind.METRIC, head=[[1, "depth", None, 1.0]] * 1_000)
    for _ in range(10):
        bench.says(many)
    taken = len(bench.observed.measurements)
    assert 1_000 <= taken < 5_000
    assert bench.observed.lost == 1, "it is said once"
    assert bench.sandbox.state is SandboxState.READY
    bench.sandbox.tick(bench.sandbox.started_at + 1)
    bench.says(a_frame(Kind.METRIC, head=[[1, "depth", None, 1.0]]))
    assert len(bench.observed.measurements) == taken + 1


async def test_a_runs_lines_have_its_origin(bench: Bench) -> None:
    await bench.become_ready()
    run = bench.invoke()
    bench.says(a_frame(Kind.LOG, head=[[run.id, 1, 1.0, "in it", None], ["another", 1, 1.0, "not in it", None]]))
    bench.says(a_frame(Kind.FAILED, 0, run.stream, {"name": "E", "message": "thrown"}))
    bench.says(a_frame(Kind.DONE, 0, run.stream), a_frame(Kind.LOG, head=[[run.id, 1, 1.0, "late", None]]))
    origins = {line.text: line.origin for line in bench.observed.lines}
    assert origins == {"in it": run.origin, "not in it": None, "E: thrown": run.origin, "late": None}
    assert run.origin is not None


async def test_what_a_run_fetches_becomes_spans(bench: Bench) -> None:
    await bench.become_ready()
    run = bench.invoke()
    bench.says(a_frame(Kind.FETCH, 0, run.stream, [1, "GET", "a.test", "b7ad6b7169203331"]))
    bench.says(a_frame(Kind.FETCH, 0, run.stream, [2, "P" * 99, "h" * 999, "no span of hex.."]))
    bench.says(a_frame(Kind.FETCH, 0, run.stream, [3, "GET", "slow.test", ""]))
    bench.says(
        a_frame(Kind.FETCH, END, run.stream, [1, 204, ""]), a_frame(Kind.FETCH, END, run.stream, [2, 0, "E" * 99])
    )
    bench.says(
        a_frame(Kind.FETCH, END, run.stream, [1, 500, "again"]), a_frame(Kind.FETCH, END, run.stream, [9, 200, ""])
    )
    bench.says(a_frame(Kind.FETCH, 0, 998, [1, "GET", "a.test", ""]))  # of a run that has just ended
    assert run.meter is not None
    first, second, third = run.meter.spans
    assert (first.binding, first.operation, first.what, first.status, first.error, first.id) == (
        "fetch", "GET", "a.test", 204, "", "b7ad6b7169203331",
    )  # fmt: skip
    assert first.duration >= 0
    assert (len(second.operation), len(second.what), second.error, second.id) == (64, 255, "E" * 64, "")
    assert third.duration < 0
    assert run.meter.total_calls == 0
    bench.says(response(run.stream, END), a_frame(Kind.DONE, 0, run.stream))
    assert run.done
    assert bench.fault is None


async def test_no_more_fetches_are_shown_than_a_run_has_spans(bench: Bench) -> None:
    await bench.become_ready()
    run = bench.invoke()
    for number in range(MAX_SPANS + 5):
        bench.says(a_frame(Kind.FETCH, 0, run.stream, [number, "GET", "a.test", ""]))
    assert run.meter is not None
    assert len(run.meter.spans) == MAX_SPANS


async def test_a_long_request_body_waits_for_the_workers_credit(bench: Bench) -> None:
    await bench.become_ready()
    run = bench.invoke(body=None)
    assert run.request is not None
    writing = asyncio.ensure_future(run.request.write(bytes(WINDOW_BYTES + 1)))
    await settle()
    assert not writing.done()
    bench.says(a_frame(Kind.CREDIT, 0, run.stream, body=pack_credit(1000)))
    await writing
    bench.says(a_frame(Kind.CANCEL, 0, run.stream, {"reason": "enough"}))
    with pytest.raises(StreamClosed, match="enough"):
        await run.request.write(b"more")


# ---- what no shim writes


def hostile(stream: int) -> dict[str, bytes]:
    return {
        "a RESPONSE to no run": response(998),
        "a RESPONSE on a call's stream": response(stream + 1),
        "a second RESPONSE": response(stream, END) + response(stream, END),
        "status 42": response(stream, status=42),
        "status 600": response(stream, status=600),
        "status 101 without an upgrade": response(stream, status=101),
        "a status that is no number": response(stream, status="200"),
        "a huge status": response(stream, status=10**30),
        "headers that are no pairs": response(stream, headers=[["a"]]),
        "headers that are no text": response(stream, headers=[[1, 2]]),
        "a RESPONSE without a head": a_frame(Kind.RESPONSE, END, stream),
        "a head that is no JSON": a_frame(Kind.RESPONSE, END, stream, b"{"),
        "a head that is null": a_frame(Kind.RESPONSE, END, stream, b"null"),
        "a whole body longer than a window": response(stream, END, body=bytes(WINDOW_BYTES + 1)),
        "a first chunk longer than a window": response(stream, 0, body=bytes(WINDOW_BYTES + CHUNK_BYTES + 1)),
        "a body that outruns its window": response(stream, 0)
        + a_frame(Kind.BODY, 0, stream, body=bytes(CHUNK_BYTES)) * (WINDOW_BYTES // CHUNK_BYTES + 2),
        "a BODY before its RESPONSE": a_frame(Kind.BODY, 0, stream, body=b"x"),
        "a BODY to no run": a_frame(Kind.BODY, 0, 998, body=b"x"),
        "a BODY after a whole RESPONSE": response(stream, END) + a_frame(Kind.BODY, 0, stream, body=b"x"),
        "a BODY after its end": response(stream, 0) + a_frame(Kind.BODY, END, stream) * 2,
        "DONE without a RESPONSE": a_frame(Kind.DONE, 0, stream),
        "FAILED of no run": a_frame(Kind.FAILED, 0, 998, {"name": "E", "message": ""}),
        "FAILED without a message": a_frame(Kind.FAILED, 0, stream, {"name": "E"}),
        "CREDIT without a count": a_frame(Kind.CREDIT, 0, stream),
        "CREDIT with too long a count": a_frame(Kind.CREDIT, 0, stream, body=bytes(5)),
        "HELLO twice": a_frame(Kind.HELLO, head={"protocol": 1}),
        "LOADED twice": a_frame(Kind.LOADED, head={"shape": "handler"}),
        "LOAD_FAILED out of turn": a_frame(Kind.LOAD_FAILED, head={"name": "E", "message": ""}),
        "CANCEL without a reason": a_frame(Kind.CANCEL, 0, stream),
        "a LOG of no lines": a_frame(Kind.LOG, head={"a": 1}),
        "a METRIC of no entries": a_frame(Kind.METRIC, head={"a": 1}),
        "a METRIC entry that is short": a_frame(Kind.METRIC, head=[[0, "a", None]]),
        "a METRIC that is no number": a_frame(Kind.METRIC, head=[[0, "a", None, "1"]]),
        "a METRIC whose label is a number": a_frame(Kind.METRIC, head=[[0, "a", {"b": 1}, 1]]),
        "a LOG line that is short": a_frame(Kind.LOG, head=[[None, 1, 1.0]]),
        "a FETCH without its host": a_frame(Kind.FETCH, 0, stream, [1, "GET"]),
        "a FETCH whose status is text": a_frame(Kind.FETCH, END, stream, [1, "ok", ""]),
        "a LOG level that is text": a_frame(Kind.LOG, head=[[None, "info", 1.0, "x", None]]),
        "a MESSAGE on a run without a WebSocket": a_frame(Kind.MESSAGE, 0, stream, body=b"x"),
        "a MESSAGE to no run": a_frame(Kind.MESSAGE, 0, 998, body=b"x"),
        "a CALL on a run's stream": a_frame(Kind.CALL, END, stream, [stream, "db", "x", None]),
        "a CALL without a head": a_frame(Kind.CALL, END, 1),
        "a CALL twice on one stream": a_frame(Kind.CALL, END, 1, [stream, "db", "x", None]) * 2,
        **{f"a {kind.name} from the worker": a_frame(kind, 0, stream) for kind in FROM_THE_BOX},
    }


FROM_THE_BOX = (Kind.LOAD, Kind.INVOKE, Kind.ANSWER, Kind.PING, Kind.DRAIN, Kind.TRIM)


@pytest.mark.parametrize("what", hostile(2))
async def test_what_no_shim_writes_costs_the_process_and_nothing_else(bench: Bench, what: str) -> None:
    await bench.become_ready()
    run = bench.invoke()
    bench.says(hostile(run.stream)[what])
    assert bench.fault is StopReason.PROTOCOL
    assert bench.child.kills == 1
    assert bench.wire.aborted
    assert bench.sandbox.state is SandboxState.DEAD
    bench.says(a_frame(Kind.PONG))
    bench.sandbox.channel.connection_lost(None)
    death = await bench.end(sig=9)
    assert death.reason is StopReason.PROTOCOL
    assert death.signal == 9
    assert run.done
    if run.death is not None and not run.response.cancelled() and run.response.exception() is not None:
        with pytest.raises(RunKilled, match="protocol"):
            await run.response
    assert len(bench.observed.deaths) == 1


NOT_UTF8 = {
    "a RESPONSE": lambda stream: a_frame(Kind.RESPONSE, END, stream, b'[200,[["a","\xff"]]]'),
    "a LOG": lambda stream: a_frame(Kind.LOG, 0, 0, b'[[null,1,1.0,"\xff",null]]'),
    "FAILED": lambda stream: a_frame(Kind.FAILED, 0, stream, b'{"name":"E","message":"\xff"}'),
    "a CALL": lambda stream: a_frame(Kind.CALL, END, 1, b'[2,"db","\xff",null]'),
    "CANCEL": lambda stream: a_frame(Kind.CANCEL, 0, stream, b'{"reason":"\xff"}'),
}
DEEP = b"[" * 100_000
DEEPLY_NESTED = {
    "a LOG": lambda stream: a_frame(Kind.LOG, 0, 0, b'[[null,1,1.0,"x",' + DEEP),
    "a CALL": lambda stream: a_frame(Kind.CALL, END, 1, b'[2,"db","x",' + DEEP),
}


@pytest.mark.parametrize("what", NOT_UTF8)
async def test_a_head_that_is_not_utf8_is_a_fault_of_the_worker(bench: Bench, what: str) -> None:
    await bench.become_ready()
    run = bench.invoke()
    bench.says(NOT_UTF8[what](run.stream))
    assert bench.fault is StopReason.PROTOCOL


@pytest.mark.parametrize("what", DEEPLY_NESTED)
async def test_a_head_nested_too_deep_is_a_fault_of_the_worker(bench: Bench, what: str) -> None:
    await bench.become_ready()
    run = bench.invoke()
    bench.says(DEEPLY_NESTED[what](run.stream))
    assert bench.fault is StopReason.PROTOCOL


async def test_a_blank_may_not_call(bench: Bench) -> None:
    await bench.become_blank()
    bench.says(a_frame(Kind.CALL, END, 1, [2, "db", "x", None]))
    assert bench.fault is StopReason.PROTOCOL


async def test_a_blank_cannot_be_loaded_by_itself(bench: Bench) -> None:
    await bench.become_blank()
    bench.says(a_frame(Kind.LOADED, head={"shape": "handler"}))
    assert bench.fault is StopReason.PROTOCOL


async def test_another_protocol_is_not_spoken(bench: Bench) -> None:
    hello = asyncio.ensure_future(bench.sandbox.hello(5))
    bench.says(a_frame(Kind.HELLO, head={"protocol": 2}))
    await bench.end(sig=9)
    with pytest.raises(StartupFailed):
        await hello


async def test_an_upgrade_that_nobody_asked_for_is_a_fault(bench: Bench) -> None:
    await bench.become_ready()
    run = bench.invoke(upgrade=False)
    bench.says(response(run.stream, UPGRADE, 101))
    assert bench.fault is StopReason.PROTOCOL


@pytest.mark.parametrize("kind", [Kind.CREDIT, Kind.CANCEL, Kind.CLOSE])
async def test_what_crosses_the_end_of_its_run_is_ignored(bench: Bench, kind: Kind) -> None:
    await bench.become_ready()
    run = bench.invoke()
    bench.says(response(run.stream))
    heads = {Kind.CANCEL: {"reason": "x"}, Kind.CLOSE: {"code": 1000, "reason": ""}}
    bodies = {Kind.CREDIT: pack_credit(5)}
    bench.says(a_frame(kind, 0, run.stream, heads.get(kind, b""), bodies.get(kind, b"")))
    assert bench.fault is None


async def test_done_twice_kills_nobody_else(bench: Bench) -> None:
    await bench.become_ready()
    run = bench.invoke()
    bench.says(response(run.stream), a_frame(Kind.DONE, 0, run.stream))
    assert bench.fault is None


async def test_a_flood_of_log_frames_ends_the_sandbox(bench: Bench) -> None:
    await bench.become_ready()
    run = bench.invoke()
    line = a_frame(Kind.LOG, head=[[None, 1, 1.0, "x" * MIB, None]])
    for _ in range(9):
        bench.says(line)
    assert bench.fault is StopReason.LOG_BYTES
    await bench.end(sig=9)
    with pytest.raises(RunKilled, match="log_bytes"):
        await run.response


async def test_log_frames_over_time_are_no_flood(bench: Bench) -> None:
    await bench.become_ready()
    bench.invoke()
    for _ in range(9):
        bench.says(a_frame(Kind.LOG, head=[[None, 1, 1.0, "x" * MIB, None]]))
        bench.sandbox.tick(0.0)
    assert bench.fault is None


async def test_a_run_fails_once(bench: Bench) -> None:
    await bench.become_ready()
    run = bench.invoke()
    failed = a_frame(Kind.FAILED, 0, run.stream, {"name": "E", "message": "x", "stack": "s" * MIB})
    for _ in range(20):
        bench.says(failed)
    run.response.exception()
    assert bench.fault is not None


# ---- runs that were given up


async def test_abandon_fails_who_waits_and_tells_the_worker(bench: Bench) -> None:
    await bench.become_ready()
    run = bench.invoke()
    bench.sandbox.abandon(run, GONE, "gone")
    with pytest.raises(RunKilled, match="client_gone"):
        await run.response
    await settle(2)
    assert bench.wire.frames[-1][:4] == (Kind.CANCEL, 0, run.stream, b'{"reason":"gone"}')
    assert run.stream in bench.sandbox.runs, "the worker has not said that it is over"
    bench.says(a_frame(Kind.DONE, 0, run.stream))
    assert not bench.sandbox.runs
    assert bench.fault is None


async def test_an_answer_that_crosses_the_cancel_is_dropped(bench: Bench) -> None:
    await bench.become_ready()
    run = bench.invoke()
    bench.sandbox.abandon(run, GONE, "gone")
    bench.says(response(run.stream, body=b"late"))
    assert bench.fault is None
    assert run.done


async def test_a_stream_that_crosses_the_cancel_kills_nobody_else(bench: Bench) -> None:
    """The client left while the handler computed; the handler then answers with a stream before it reads CANCEL."""
    await bench.become_ready()
    neighbour, run = bench.invoke("neighbour"), bench.invoke("gone")
    bench.sandbox.abandon(run, GONE, "gone")
    bench.says(response(run.stream, 0), a_frame(Kind.BODY, 0, run.stream, body=b"x"), a_frame(Kind.DONE, 0, run.stream))
    assert bench.fault is None
    bench.says(response(neighbour.stream))
    assert (await neighbour.response).status == 200


async def test_a_message_that_crosses_the_cancel_kills_nobody_else(bench: Bench) -> None:
    await bench.become_ready()
    run = bench.invoke(upgrade=True)
    bench.sandbox.abandon(run, GONE, "gone")
    bench.says(response(run.stream, UPGRADE, 101), a_frame(Kind.MESSAGE, 0, run.stream, body=b"welcome"))
    assert bench.fault is None


async def test_credit_for_a_request_body_that_was_given_up_is_ignored(bench: Bench) -> None:
    await bench.become_ready()
    run = bench.invoke(body=None)
    assert run.request is not None
    await run.request.write(b"0123456789")
    bench.sandbox.abandon(run, GONE, "gone")
    bench.says(a_frame(Kind.CREDIT, 0, run.stream, body=pack_credit(10)))
    assert bench.fault is None


# ---- WebSockets


async def test_messages_both_ways(bench: Bench) -> None:
    await bench.become_ready()
    run = bench.invoke(upgrade=True)
    bench.says(response(run.stream, UPGRADE, 101, [["sec-websocket-protocol", "chat"]]))
    answer = await run.response
    assert answer.upgrade
    assert run.messages is not None
    await run.messages.send(True, b"in")
    bench.says(
        a_frame(Kind.MESSAGE, Flag.TEXT, run.stream, body=b"out"),
        a_frame(Kind.MESSAGE, 0, run.stream, body=b"\x00"),
        a_frame(Kind.CLOSE, 0, run.stream, {"code": 1000, "reason": "bye"}),
    )
    assert [await run.messages.receive() for _ in range(3)] == [(True, b"out"), (False, b"\x00"), (1000, "bye")]
    await settle(2)
    assert (Kind.MESSAGE, Flag.TEXT, run.stream, b"", b"in") in bench.wire.frames
    bench.says(a_frame(Kind.DONE, 0, run.stream))
    with pytest.raises(StreamClosed):
        await run.messages.receive()


async def test_messages_that_outrun_their_window_are_a_fault(bench: Bench) -> None:
    await bench.become_ready()
    run = bench.invoke(upgrade=True)
    bench.says(response(run.stream, UPGRADE, 101))
    bench.says(a_frame(Kind.MESSAGE, 0, run.stream, body=bytes(MAX_MESSAGE_BYTES)))
    assert bench.fault is None
    bench.says(a_frame(Kind.MESSAGE, 0, run.stream, body=bytes(WINDOW_BYTES + 1)))
    assert bench.fault is StopReason.PROTOCOL


async def test_a_message_longer_than_the_longest_is_a_fault(bench: Bench) -> None:
    await bench.become_ready()
    run = bench.invoke(upgrade=True)
    bench.says(response(run.stream, UPGRADE, 101))
    bench.says(a_frame(Kind.MESSAGE, 0, run.stream, body=bytes(MAX_MESSAGE_BYTES + 1)))
    assert bench.fault is StopReason.PROTOCOL


UNBOUNDED = {
    "empty messages": lambda stream: a_frame(Kind.MESSAGE, 0, stream),
    "closes": lambda stream: a_frame(Kind.CLOSE, 0, stream, {"code": 1000, "reason": "x" * 100}),
}


@pytest.mark.parametrize("what", UNBOUNDED)
async def test_nothing_queues_up_without_bound(bench: Bench, what: str) -> None:
    await bench.become_ready()
    run = bench.invoke(upgrade=True)
    bench.says(response(run.stream, UPGRADE, 101))
    frame = UNBOUNDED[what](run.stream)
    for _ in range(100):
        bench.says(frame * 5000)
    assert run.messages is not None
    assert bench.fault is StopReason.PROTOCOL or len(run.messages._queue) <= WINDOW_BYTES


@pytest.mark.parametrize("code", [-1, 0, 999, 5000, 10**12])
async def test_a_close_code_is_one(bench: Bench, code: int) -> None:
    await bench.become_ready()
    run = bench.invoke(upgrade=True)
    bench.says(response(run.stream, UPGRADE, 101), a_frame(Kind.CLOSE, 0, run.stream, {"code": code, "reason": ""}))
    assert bench.fault is StopReason.PROTOCOL


# ---- life and death


async def test_loading(bench: Bench) -> None:
    await bench.become_blank()
    states = [bench.sandbox.state]
    loading = bench.load()
    await settle(3)
    states.append(bench.sandbox.state)
    assert states == [SandboxState.BLANK, SandboxState.LOADING]
    assert bench.wire.frames[-1] == (Kind.LOAD, 0, 0, b'{"worker":"hello"}', b"code")
    assert bench.child.data_limit is not None
    bench.says(a_frame(Kind.LOADED, head={"shape": "module"}))
    await loading
    assert (bench.sandbox.state, bench.sandbox.shape) == (SandboxState.READY, "module")


async def test_a_module_that_throws(bench: Bench) -> None:
    await bench.become_blank()
    loading = bench.load()
    await settle(3)
    bench.says(a_frame(Kind.LOAD_FAILED, head={"name": "SyntaxError", "message": "no", "stack": "at line 1"}))
    with pytest.raises(StartupFailed, match="SyntaxError: no") as caught:
        await loading
    assert (caught.value.name, caught.value.stack) == ("SyntaxError", "at line 1")
    assert bench.child.kills == 1
    death = await bench.end(sig=9)
    assert death.reason is StopReason.STARTUP
    assert [(line.text, line.thrown) for line in bench.observed.lines] == [("at line 1", True)]


async def test_a_module_that_never_finishes(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    await bench.become_blank()
    clock = Clock(monkeypatch)
    loading = bench.load(Limits(startup_ms=500))
    await clock.advance(0.4)
    assert not loading.done()
    await clock.advance(0.2)
    with pytest.raises(StartupFailed, match="500"):
        await loading
    death = await bench.end(sig=9)
    assert (death.reason, death.limit) == (StopReason.STARTUP, 500)


async def test_a_process_that_says_nothing(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    hello = asyncio.ensure_future(bench.sandbox.hello(2))
    await clock.advance(2.1)
    with pytest.raises(StartupFailed, match="in time"):
        await hello
    assert bench.child.kills == 1


async def test_a_start_that_is_given_up_leaves_no_process(bench: Bench) -> None:
    await bench.become_blank()
    loading = bench.load()
    await settle(3)
    loading.cancel()
    await settle()
    assert bench.child.kills == 1


async def test_ready_then_dead_is_dead(bench: Bench) -> None:
    await bench.become_blank()
    loading = bench.load()
    await settle(3)
    bench.says(a_frame(Kind.LOADED, head={"shape": "handler"}), a_frame(Kind.HELLO))
    with pytest.raises(StartupFailed):
        await loading
    assert bench.sandbox.state is SandboxState.DEAD


async def test_blank_then_dead_is_dead(bench: Bench) -> None:
    hello = asyncio.ensure_future(bench.sandbox.hello(5))
    await settle(3)
    bench.says(a_frame(Kind.HELLO, head={"protocol": 1}), a_frame(Kind.HELLO))
    with pytest.raises(StartupFailed):
        await hello
    assert bench.sandbox.state is SandboxState.DEAD


async def test_a_process_that_ends_as_it_becomes_ready_is_not_ready(bench: Bench) -> None:
    await bench.become_blank()
    loading = bench.load()
    await settle(3)
    bench.child.end(0)
    bench.says(a_frame(Kind.LOADED, head={"shape": "handler"}))
    with pytest.raises(StartupFailed):
        await loading


async def exits(bench: Bench, code: int | None = None, sig: int | None = None, output: bytes = b"") -> Death:
    if output:
        bench.child.write(output)
    return await bench.end(code, sig)


async def test_an_exit_is_told_to_the_runs(bench: Bench) -> None:
    await bench.become_ready()
    run = bench.invoke()
    death = await exits(bench, code=3)
    assert (death.reason, death.exit_code) == (StopReason.EXIT, 3)
    with pytest.raises(RunKilled, match="exit"):
        await run.response
    assert bench.observed.deaths == [death]


@pytest.mark.parametrize("sig", [4, 6, 11, 31])
async def test_a_signal_is_a_crash(bench: Bench, sig: int) -> None:
    await bench.become_ready()
    death = await exits(bench, sig=sig, output=b"thread panicked")
    assert (death.reason, death.signal, death.last_output) == (StopReason.CRASH, sig, "thread panicked")


@pytest.mark.parametrize("text", [b"# Fatal JavaScript out of memory: Reached heap limit", b"RangeError: OutOfMemory"])
async def test_out_of_memory_is_known_by_its_last_words(bench: Bench, text: bytes) -> None:
    await bench.become_ready(Limits(memory_mb=64))
    death = await exits(bench, sig=5, output=text)
    assert (death.reason, death.limit) == (StopReason.MEMORY, 64)


async def test_a_kill_near_the_memory_limit_is_out_of_memory(bench: Bench) -> None:
    await bench.become_ready(Limits(memory_mb=64))
    bench.invoke()
    bench.child.bytes = 50 * MIB
    bench.sandbox.tick(0.0)
    assert bench.fault is None
    assert (await exits(bench, sig=9)).reason is StopReason.MEMORY


async def test_the_shims_flood_exit_is_known_by_its_code(bench: Bench) -> None:
    await bench.become_ready(Limits(log_kb=4))
    death = await exits(bench, code=LOG_FLOOD_EXIT_CODE)
    assert (death.reason, death.limit, death.used) == (StopReason.LOG_BYTES, 4, 4 * LOG_FLOOD_FACTOR)


async def test_an_end_during_the_start_is_a_failed_start(bench: Bench) -> None:
    hello = asyncio.ensure_future(bench.sandbox.hello(5))
    await settle(3)
    assert (await exits(bench, code=1)).reason is StopReason.STARTUP
    with pytest.raises(StartupFailed):
        await hello


async def test_an_exit_while_loading_fails_the_load(bench: Bench) -> None:
    await bench.become_blank()
    loading = bench.load()
    await settle(3)
    death = await exits(bench, code=7)
    with pytest.raises(StartupFailed) as caught:
        await loading
    assert caught.value.death == death
    assert death.exit_code == 7


async def test_a_lost_socket_is_explained_by_the_exit(bench: Bench) -> None:
    await bench.become_ready()
    run = bench.invoke()
    bench.sandbox.channel.connection_lost(None)
    assert bench.sandbox.state is SandboxState.DEAD
    assert not run.response.done()
    assert (await exits(bench, code=0)).reason is StopReason.EXIT


async def test_a_process_that_only_closed_its_socket_is_killed(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    await bench.become_ready()
    clock = Clock(monkeypatch)
    bench.sandbox.channel.connection_lost(None)
    assert bench.child.kills == 0
    await clock.advance(1.1)
    assert bench.child.kills == 1


async def test_the_first_reason_stays(bench: Bench) -> None:
    await bench.become_ready()
    bench.sandbox.kill(Death(reason=StopReason.CPU, detail="first"))
    bench.sandbox.kill(Death(reason=StopReason.WALL, detail="second"))
    assert bench.child.kills == 1
    assert (await exits(bench, sig=9)).reason is StopReason.CPU


async def test_a_kill_fails_only_the_runs_that_are_there(bench: Bench) -> None:
    await bench.become_ready()
    done, running = bench.invoke("done"), bench.invoke("running")
    bench.says(response(done.stream, body=b"ok"))
    bench.sandbox.kill(Death(reason=StopReason.CPU, detail="too much"))
    await bench.end(sig=9)
    assert (await done.response).body == b"ok"
    assert done.death is None
    with pytest.raises(RunKilled, match="cpu"):
        await running.response


async def test_output_of_the_process_becomes_lines_until_it_floods(bench: Bench) -> None:
    await bench.become_ready(Limits(log_kb=1))
    bench.invoke()
    bench.child.write(b"a warning\n")
    assert [line.text for line in bench.observed.lines] == ["a warning"]
    bench.child.write(bytes(1025))
    assert len(bench.observed.lines) == 1
    assert bench.fault is None
    bench.child.write(bytes(1024 * LOG_FLOOD_FACTOR))
    assert bench.fault is StopReason.LOG_BYTES


# ---- drain


async def test_a_drain_without_runs_ends_at_once(bench: Bench) -> None:
    await bench.become_ready()
    bench.sandbox.drain(StopReason.REPLACED)
    assert bench.fault is StopReason.REPLACED


async def test_a_drain_waits_for_its_runs(bench: Bench) -> None:
    await bench.become_ready()
    run = bench.invoke()
    bench.sandbox.drain(StopReason.SHUTDOWN)
    assert bench.sandbox.state is SandboxState.DRAINING
    assert bench.fault is None
    await settle(2)
    assert bench.wire.frames[-1][3] == b'{"reason":"shutdown"}'
    bench.says(response(run.stream))
    assert bench.fault is StopReason.SHUTDOWN
    assert (await run.response).status == 200


async def test_a_drain_does_not_wait_for_the_abandoned(bench: Bench) -> None:
    await bench.become_ready()
    bench.sandbox.abandon(bench.invoke(), GONE, "gone")
    bench.sandbox.drain(StopReason.SHUTDOWN)
    assert bench.fault is StopReason.SHUTDOWN


async def test_a_second_drain_changes_nothing(bench: Bench) -> None:
    await bench.become_ready()
    run = bench.invoke()
    bench.sandbox.drain(StopReason.REPLACED)
    bench.sandbox.drain(StopReason.SHUTDOWN)
    bench.says(response(run.stream))
    assert bench.fault is StopReason.REPLACED


# ---- being looked at


async def test_on_slow_is_called_once_for_runs_that_last(bench: Bench) -> None:
    await bench.become_ready()
    run = bench.invoke()
    called: list[int] = []
    run.on_slow = lambda: called.append(1)
    bench.sandbox.tick(run.started + 0.05)
    bench.sandbox.tick(run.started + 0.1)
    assert called == [1]


async def test_an_overdue_run_is_aborted_and_then_its_sandbox_ends(bench: Bench) -> None:
    await bench.become_ready(Limits(wall_ms=1000))
    run = bench.invoke()
    bench.sandbox.tick(run.started + 0.9)
    assert not run.response.done()
    bench.sandbox.tick(run.started + 1.05)
    with pytest.raises(RunKilled, match="wall"):
        await run.response
    assert bench.fault is None
    bench.sandbox.tick(run.started + 1.2)
    assert bench.fault is StopReason.WALL


async def test_an_overdue_run_that_ends_in_time_costs_nobody_else(bench: Bench) -> None:
    await bench.become_ready(Limits(wall_ms=1000))
    run = bench.invoke()
    bench.sandbox.tick(run.started + 1.05)
    bench.says(a_frame(Kind.DONE, 0, run.stream))
    bench.sandbox.tick(run.started + 1.2)
    assert bench.fault is None
    assert not bench.sandbox.retiring


async def test_one_that_lingers_beside_others_retires_the_sandbox(bench: Bench) -> None:
    await bench.become_ready(Limits(wall_ms=1000))
    old = bench.invoke("old")
    young = bench.invoke("young")
    young.started = young.progress = old.started + 0.9
    bench.sandbox.tick(old.started + 1.05)
    bench.says(a_frame(Kind.PONG))
    bench.sandbox.tick(old.started + 1.2)
    assert bench.fault is None
    assert bench.sandbox.retiring
    bench.says(response(young.stream))
    assert (await young.response).status == 200


async def test_a_process_that_does_not_answer_gets_no_runs_until_it_does(bench: Bench) -> None:
    await bench.become_ready()
    free: list[int] = []
    bench.invoke()
    for number in range(3):
        bench.sandbox.tick(number * 0.05)
        assert not bench.sandbox.stalled, "a moment of silence is no stall"
    for number in range(3, 5):
        bench.sandbox.tick(number * 0.05)
    assert bench.sandbox.stalled
    assert bench.wire.kinds().count(Kind.PING) <= 1
    bench.sandbox.on_free = lambda: free.append(1)
    bench.says(a_frame(Kind.PONG))
    assert not bench.sandbox.stalled
    assert free == [1]


async def test_a_hog_goes_last(bench: Bench) -> None:
    await bench.become_ready()
    bench.invoke()
    for number in range(12):
        bench.child.cpu = number * 0.05
        bench.sandbox.tick(number * 0.05)
    assert bench.child.demotions == 1
    assert bench.fault is None


@pytest.mark.parametrize(("figure", "reason"), [("cpu", StopReason.CPU), ("bytes", StopReason.MEMORY)])
async def test_breaches_end_the_sandbox(bench: Bench, figure: str, reason: StopReason) -> None:
    await bench.become_ready(Limits(cpu_ms=1000, memory_mb=64))
    run = bench.invoke()
    bench.sandbox.tick(run.started + 0.05)  # what was burnt before the first look is nobody's
    setattr(bench.child, figure, 100 * MIB if figure == "bytes" else 1.2)
    bench.sandbox.tick(run.started + 0.1)
    assert bench.fault is reason


# ---- calls that nobody waits for


async def calls_left_open(bench: Bench, ending: Any) -> None:
    await bench.become_ready()
    for number in range(MAX_OPEN_CALLS + 10):
        run = bench.invoke(str(number))
        stream = number * 2 + 1
        bench.says(a_frame(Kind.CALL, END, stream, [run.stream, "cache", "incr", None]), ending(run.stream, stream))
        await settle(4)
        assert bench.fault is None, f"killed at call {number}"


async def test_a_call_nobody_awaited_is_not_left_open(bench: Bench) -> None:
    """`cache.incr("hits"); return "ok"`: CALL and RESPONSE|DONE come in one read."""
    await calls_left_open(bench, lambda run, call: response(run))


async def test_a_call_given_up_at_once_is_not_left_open(bench: Bench) -> None:
    await calls_left_open(bench, lambda run, call: a_frame(Kind.CANCEL, 0, call, {"reason": "no"}) + response(run))


async def test_an_idle_sandbox_is_asked_to_trim_once_after_its_runs(bench: Bench) -> None:
    await bench.become_ready()
    bench.says(response(bench.invoke().stream))
    for _ in range(3):
        bench.sandbox.trim()
    await settle(2)
    assert bench.wire.kinds().count(Kind.TRIM) == 1
