"""Runs over the API: found, shown, exported, followed."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from tests.fakes.principals import signed_in, somebody
from tests.runs.conftest import Box

from v8box.api.asgi import ASGIApp
from v8box.api.principals import Role, nobody
from v8box.telemetry.meter import Span
from v8box.telemetry.records import Finding, RunError

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.mark.parametrize(
    ("address", "status", "code"),
    [
        ("default/runs/nothing", 404, "run_not_found"),
        ("default/runs/000000000000000000000000", 404, "run_not_found"),
        ("default/runs?cursor=rubbish", 400, "bad_request"),
        ("default/runs?status=many", 400, "bad_request"),
        ("default/runs?status=6xx", 400, "bad_request"),
        ("default/runs?limit=0", 400, "bad_request"),
        ("default/runs?min_ms=-1", 400, "bad_request"),
        ("default/runs?min_ms=1e300", 400, "bad_request"),
        ("default/runs/export?min_ms=7.6e307", 400, "bad_request"),
        ("default/runs/export?max_ms=8.4e307", 400, "bad_request"),
        ("default/runs?since=yesterday", 400, "bad_request"),
        ("default/lines?level=loud", 400, "bad_request"),
        ("default/runs/export?limit=0", 400, "bad_request"),
        ("default/tail?kind=x", 400, "bad_request"),
        ("default/runs?trace_id=4bf9", 400, "bad_request"),
        ("default/runs?trace_id=zz" + 30 * "z", 400, "bad_request"),
        ("default/logs?limit=0", 400, "bad_request"),
        ("default/logs?kind=x", 400, "bad_request"),
    ],
)
async def test_what_is_not_there_or_makes_no_sense_is_refused(box: Box, address: str, status: int, code: str) -> None:
    answer = await box.client.get(address)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_runs_are_listed_page_by_page_with_the_filters_that_were_given(box: Box) -> None:
    for number in range(10):
        box.run(at=1_000.0 + number, path=f"/{number}", status=503 if number % 2 else 200)
    box.run(project="acme", path="/theirs")
    shown: list[str] = []
    cursor = None
    while True:
        wanted = {"status": "5xx", "limit": 2, "since": "1970-01-01T00:16:42Z"} | ({"cursor": cursor} if cursor else {})
        page = await box.get("default/runs", **wanted)
        assert page["searched_until"] is None
        shown += [each["path"] for each in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert shown == ["/9", "/7", "/5", "/3"]
    assert [each["path"] for each in (await box.get("acme/runs"))["items"]] == ["/theirs"]
    other = await box.client.get("default/runs", params={"status": "4xx", "cursor": "x"})
    assert other.status_code == 400


@pytest.mark.parametrize(
    ("wanted", "paths"),
    [
        ({"worker": "shop"}, ["/shop"]),
        ({"environment": "staging"}, ["/staged"]),
        ({"version": "v9"}, ["/shop"]),
        ({"failed": True}, ["/threw"]),
        ({"failed": False, "worker": "hello", "environment": "production"}, ["/posted"]),
        ({"outcome": "exception"}, ["/threw"]),
        ({"min_ms": 900}, ["/staged"]),
        ({"max_ms": 1, "method": "POST"}, ["/posted"]),
        ({"trigger": "service"}, ["/shop"]),
        ({"text": "is NOT defined"}, ["/threw"]),
        ({"text": "disk is full"}, ["/posted"]),
        ({"request_id": "mine"}, ["/staged"]),
        ({"until": "1970-01-01T00:16:41.500Z"}, ["/threw"]),
        ({"status": "500-599"}, ["/threw"]),
        ({"trace_id": TRACE}, ["/staged"]),
        ({"trace_id": f"00-{TRACE.upper()}-00f067aa0ba902b7-01"}, ["/staged"]),
        ({"trace_id": TRACE.replace("4", "5")}, []),
    ],
)
async def test_each_filter_finds_what_it_names(box: Box, wanted: dict[str, Any], paths: list[str]) -> None:
    error = RunError("ReferenceError", "x is not defined", "at a.ts:1:1")
    box.run(at=1_001.0, path="/threw", status=500, outcome="exception", error=error)
    box.run(at=1_002.0, path="/shop", worker="shop", version="v9", trigger="service")
    box.run(at=1_003.0, path="/staged", environment="staging", request_id="mine", duration=1_000.0, trace=TRACE)
    posted = box.run(at=1_004.0, path="/posted", method="POST", duration=0.5)
    box.line("the disk is full", at=1_004.001, run=posted.id)
    assert [each["path"] for each in (await box.get("default/runs", **wanted))["items"]] == paths


async def test_a_run_is_shown_with_its_calls_and_what_it_printed(box: Box) -> None:
    spans = [Span("db", "execute", 0.5, 2.25, 10, 20, 3), Span("s3", "get", 3.0, error="NOT_FOUND")]
    run = box.run(
        at=1_000.0,
        queue=1.5,
        memory=5_000_000,
        bytes_in=3,
        calls=2,
        spans=spans,
        error=RunError("TypeError", "no", "at a.ts:1:1"),
        findings=[Finding("slow", "took 1500 ms", limit=1000.0)],
    )
    box.line("first", at=1_000.001, run=run.id, fields={"n": 1})
    box.line("second", at=1_030.0, run=run.id, level="error")
    box.line("of another run", at=1_000.002, run="another")
    shown = await box.get(f"default/runs/{run.id}")
    listed = (await box.get("default/runs"))["items"][0]
    assert {name: shown[name] for name in listed} == listed
    assert (shown["time"], shown["queue_ms"], shown["memory_bytes"]) == ("1970-01-01T00:16:40.000Z", 1.5, 5_000_000)
    assert shown["error"] == {"name": "TypeError", "message": "no", "stack": "at a.ts:1:1"}
    [found] = shown["findings"]
    assert (found["kind"], found["text"], found["limit_ms"]) == ("slow", "took 1500 ms", 1000.0)
    assert [(each["operation"], each["duration_ms"], each["error"]) for each in shown["spans"]] == [
        ("execute", 2.25, None),
        ("get", None, "NOT_FOUND"),
    ]
    assert [(each["text"], each["fields"]) for each in shown["lines"]] == [("first", {"n": 1}), ("second", None)]
    assert not shown["more_lines"]
    theirs = await box.client.get(f"acme/runs/{run.id}")
    assert theirs.status_code == 404, "a run is its project's"


async def test_the_last_of_a_whole_project_are_one_list(box: Box) -> None:
    box.run(at=1_000.0, path="/first", worker="shop")
    box.line("between", at=1_001.0)
    box.run(at=1_002.0, path="/last", status=500, outcome="exception")
    box.run(at=1_003.0, path="/theirs", project="acme")
    items = (await box.get("default/logs"))["items"]
    assert [each.get("path", each.get("text")) for each in items] == ["/first", "between", "/last"]
    assert [(each["kind"], each["worker"], each["level"]) for each in items] == [
        ("run", "shop", "info"),
        ("line", "hello", "info"),
        ("run", "hello", "error"),
    ]
    assert [each["path"] for each in (await box.get("default/logs", level="error"))["items"]] == ["/last"]
    assert [each["path"] for each in (await box.get("default/logs", limit=1))["items"]] == ["/last"]
    assert [each["path"] for each in (await box.get("default/logs", worker="shop", kind="run"))["items"]] == ["/first"]
    assert len((await box.get("default/logs", since="1970-01-01T00:16:41Z"))["items"]) == 2


async def test_the_document_says_what_the_events_are(box: Box) -> None:
    paths = (await box.client.get("http://box/api/v1/openapi.json")).json()["paths"]
    answer = paths["/api/v1/projects/{project}/tail"]["get"]["responses"]["200"]
    events = answer["content"]["text/event-stream"]["schema"]["items"]["oneOf"]
    described = {each["properties"]["event"]["const"]: each["properties"]["data"] for each in events}
    assert set(described) == {"line", "run", "gap"}
    assert "$ref" not in str(described)
    box.run(at=1_000.0, path="/shown", error=RunError("E", "m", "s"))
    box.line("said", at=1_001.0)
    entries = {each["kind"]: each for each in (await box.get("default/logs"))["items"]}
    for kind in ("line", "run"):  # what is sent has exactly the fields that are described
        fields = set(described[kind]["contentSchema"]["properties"])
        assert set(entries[kind]) | ({"id"} if kind == "line" else set()) == fields


async def test_lines_are_searched(box: Box) -> None:
    box.line("quiet", at=1_000.0, level="debug")
    box.line("It FAILED", at=1_001.0, level="error", run="0123456789abcdef01234567")
    box.line("theirs", project="acme")
    found = await box.get("default/lines", level="warn", text="failed")
    assert [(each["text"], each["run"], each["level"]) for each in found["items"]] == [
        ("It FAILED", "0123456789abcdef01234567", "error")
    ]
    assert len((await box.get("default/lines"))["items"]) == 2
    assert len((await box.get("default/lines", run="0123456789abcdef01234567"))["items"]) == 1


async def test_an_export_is_json_lines_of_all_that_match_up_to_the_limit(box: Box) -> None:
    for number in range(1_200):
        box.run(at=1_000.0 + number / 100, path=f"/{number}", status=200 if number % 2 else 404)
    answer = await box.client.get("default/runs/export", params={"status": "404"})
    assert answer.headers["content-type"] == "application/jsonl"
    exported = [json.loads(line) for line in answer.text.splitlines()]
    assert [each["path"] for each in exported] == [f"/{number}" for number in range(1_198, -1, -2)]
    answer = await box.client.get("default/runs/export", params={"limit": 3})
    assert [json.loads(line)["path"] for line in answer.text.splitlines()] == ["/1199", "/1198", "/1197"]


async def test_a_project_is_followed_with_ids_to_go_on_from(box: Box) -> None:
    box.line("before", at=1_000.0)
    stream = Stream(box, b"limit=10&level=error")
    box.line("not asked for")
    box.line("bad", level="error")
    failed = box.run(status=500, outcome="exception")
    kind, id_, data = await stream.event()
    assert (kind, data["text"]) == ("line", "bad")
    kind, _, data = await stream.event()
    assert (kind, data["id"], data["level"]) == ("run", failed.id, "error")
    await stream.leave()
    again = Stream(box, b"level=error", last_id=id_)
    kind, _, data = await again.event()
    assert (kind, data["id"]) == ("run", failed.id)
    await again.leave()
    lost = Stream(box, b"", last_id="0badc0de-5-1")
    assert (await lost.event())[::2] == ("gap", {"missed": None})
    await lost.leave()


class Stream:
    """Server-sent events, read as they come."""

    def __init__(self, box: Box, query: bytes, last_id: str | None = None) -> None:
        self._sent: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._gone = asyncio.Event()
        self._asked = iter([{"type": "http.request", "body": b"", "more_body": False}])
        path = "/api/v1/projects/default/tail"
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "method": "GET",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query,
            "headers": [(b"host", b"localhost")] + ([(b"last-event-id", last_id.encode())] if last_id else []),
            "scheme": "http",
            "server": ("localhost", 80),
            "client": ("127.0.0.1", 1),
            "root_path": "",
        }
        self._serving = asyncio.ensure_future(box.app(scope, self._receive, self._send))

    async def _receive(self) -> Any:
        for message in self._asked:
            return message
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        self._sent.put_nowait(dict(message))

    async def event(self) -> tuple[str, str, Any]:
        """The kind, the id and the data of the next one."""
        async with asyncio.timeout(60):
            while True:
                body = (await self._sent.get()).get("body", b"").decode()
                if body.startswith("id: "):
                    fields = dict(line.split(": ", 1) for line in body.splitlines() if line)
                    return fields["event"], fields["id"], json.loads(fields["data"])

    async def leave(self) -> None:
        self._gone.set()
        await self._serving


class Socket:
    """A WebSocket to the tail."""

    def __init__(self, app: ASGIApp, query: bytes, project: str = "default") -> None:
        self._sent: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._received: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._received.put_nowait({"type": "websocket.connect"})
        path = f"/api/v1/projects/{project}/tail"
        scope = {
            "type": "websocket",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "path": path,
            "raw_path": path.encode(),
            "query_string": query,
            "headers": [(b"host", b"localhost")],
            "subprotocols": [],
            "scheme": "ws",
            "server": ("localhost", 80),
            "client": ("127.0.0.1", 1),
            "root_path": "",
        }
        self.serving = asyncio.ensure_future(app(scope, self._received.get, self._send))

    async def _send(self, message: Any) -> None:
        self._sent.put_nowait(dict(message))

    async def next(self) -> Any:
        async with asyncio.timeout(60):
            message = await self._sent.get()
        return json.loads(message["text"]) if message["type"] == "websocket.send" else message

    async def leave(self) -> None:
        self._received.put_nowait({"type": "websocket.receive", "text": "bye"})
        self._received.put_nowait({"type": "websocket.disconnect", "code": 1000})
        await self.serving


async def test_a_websocket_gets_the_same_events(box: Box) -> None:
    socket = Socket(box.app, b"limit=5&level=warn")
    assert (await socket.next())["type"] == "websocket.accept"
    box.line("fine")
    box.line("bad", level="error")
    bad = await socket.next()
    assert (bad["event"], bad["data"]["text"]) == ("line", "bad")
    box.run(status=500)
    assert (await socket.next())["event"] == "run"
    await socket.leave()
    again = Socket(box.app, b"kind=run&last_event_id=" + bad["id"].encode())
    assert (await again.next())["type"] == "websocket.accept"
    assert (await again.next())["data"]["status"] == 500
    await again.leave()


@pytest.mark.parametrize("query", [b"kind=x", b"level=loud", b"limit=-1", b"limit=1001", "limit=²".encode()])
async def test_a_websocket_that_makes_no_sense_is_refused(box: Box, query: bytes) -> None:
    socket = Socket(box.app, query)
    refused = await socket.next()
    assert (refused["type"], refused["code"], refused["reason"]) == ("websocket.close", 1008, "bad_request")
    await socket.serving


async def test_a_websocket_of_somebody_without_the_right_is_refused(box: Box) -> None:
    for principal in (nobody(), somebody(Role.OWNER, "acme")):
        socket = Socket(signed_in(box.api, principal), b"")
        refused = await socket.next()
        assert (refused["type"], refused["code"]) == ("websocket.close", 1008)
        await socket.serving
    allowed = Socket(signed_in(box.api, somebody(Role.VIEWER, "acme")), b"", "acme")
    assert (await allowed.next())["type"] == "websocket.accept"
    await allowed.leave()
