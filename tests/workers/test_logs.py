"""…/logs over HTTP: the last ones as JSON, those to come as events."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from tests.api.conftest import problem
from tests.catalog.conftest import Kept
from tests.fakes.records import a_run, run_id
from tests.workers.conftest import As

from v8box.api import events
from v8box.telemetry.intake import Intake
from v8box.telemetry.records import LineRecord


async def test_lines_and_runs_are_shown(client: httpx.AsyncClient, kept: Kept, log: Intake) -> None:
    (version,) = await kept.deploy("one")
    id_ = run_id(2.0)
    log.line(LineRecord(1.0, id_, "a", version, "warn", "careful", {"n": 1}))
    log.runs([a_run(2.0, id=id_, worker="a", version=version, status=503, outcome="memory", duration=12.0)])
    log.line(LineRecord(3.0, "r2", "a", version, "info", "of acme", None, "acme"))
    items = (await client.get("a/logs")).json()["items"]
    assert [(each["kind"], each["level"], each["run"]) for each in items] == [
        ("line", "warn", id_),
        ("run", "error", id_),
    ]
    assert (items[0]["text"], items[0]["fields"], items[0]["time"]) == ("careful", {"n": 1}, "1970-01-01T00:00:01.000Z")
    assert (items[1]["status"], items[1]["outcome"], items[1]["duration_ms"]) == (503, "memory", 12.0)
    only = (await client.get("a/logs", params={"kind": "run", "since": "1970-01-01T00:00:02Z", "limit": 1})).json()
    assert len(only["items"]) == 1
    problem(await client.get("nothing/logs"), 404, "not_found")
    for wrong in ("level=loud", "limit=0", "limit=1001", "since=yesterday", "kind=x"):
        problem(await client.get(f"a/logs?{wrong}"), 400, "bad_request")


@pytest.mark.parametrize("leaves", [True, False])
async def test_those_to_come_are_events_until_the_client_leaves(
    app: As, kept: Kept, log: Intake, leaves: bool, monkeypatch: pytest.MonkeyPatch
) -> None:

    await kept.deploy("one")
    log.line(LineRecord(1.0, None, "a", "v", "info", "before"))
    sent: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    gone = asyncio.Event()
    asked = iter([{"type": "http.request", "body": b"", "more_body": False}])

    async def receive() -> Any:
        for message in asked:
            return message
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.put_nowait(dict(message))

    if not leaves:
        monkeypatch.setattr(events, "FOLLOW_SECONDS", 0.01)
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "method": "GET",
        "path": "/api/v1/projects/default/workers/a/logs",
        "raw_path": b"/api/v1/projects/default/workers/a/logs",
        "query_string": b"follow=true",
        "headers": [(b"host", b"localhost")],
        "scheme": "http",
        "server": ("localhost", 80),
        "client": ("127.0.0.1", 1),
        "root_path": "",
    }
    serving = asyncio.create_task(app(scope, receive, send))
    start = await sent.get()
    assert (b"content-type", b"text/event-stream") in start["headers"]
    assert (await sent.get())["body"] == b": nothing new\n\n"
    if leaves:
        assert b'"text":"before"' in (await sent.get())["body"]
        log.runs([a_run(worker="a")])
        assert b'\nevent: run\ndata: {"kind":"run"' in (await sent.get())["body"]
        gone.set()
    await serving
