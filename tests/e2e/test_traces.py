"""Issue 6's promise about traces: a collector receives linked spans across worker → worker → db from a real box."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from tests.e2e.box import RunningBox
from tests.servers.collector import Collector

TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
FRONT = """
export default {
  async fetch(request, env, ctx) {
    const url = new URL(request.url);
    if (url.pathname === "/throw") throw new TypeError("thrown on purpose");
    if (url.pathname === "/out") {
      const answered = await fetch("http://127.0.0.1:9/secret/path?token=secret").catch((error) => error.name);
      return Response.json({ answered });
    }
    console.log("asking", url.pathname);
    const answer = await env.ORDERS.fetch(request);
    return new Response(await answer.text());
  },
};
"""
ORDERS = """
export default {
  async fetch(request, env, { db, log }) {
    const { rows } = await db.execute("SELECT 42 AS answer");
    log.warn("answered", { rows: rows.length });
    return Response.json(rows[0].answer);
  },
};
"""
MANIFEST = '[workers.front.bindings]\nORDERS = { service = "orders" }\n'


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    collector = Collector().start()
    yield collector
    collector.stop()


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory, collector: Collector) -> Iterator[RunningBox]:
    directory = tmp_path_factory.mktemp("traces")
    (directory / "functions").mkdir()
    for name, source in (("front", FRONT), ("orders", ORDERS)):
        (directory / "functions" / f"{name}.ts").write_text("// @ts-nocheck\n" + source)
    (directory / "v8box.toml").write_text(MANIFEST)
    environ = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        "OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer%20the-collectors-token",
    }
    running = RunningBox(directory, environ)
    try:
        yield running.wait_ready()
    finally:
        running.stop()


def asked(box: RunningBox, path: str, flags: str = "01", trace: str = TRACE) -> httpx.Response:
    return box.run(f"front{path}", headers={"traceparent": f"00-{trace}-{CALLER}-{flags}"})


def test_spans_are_linked_across_workers_and_the_database(box: RunningBox, collector: Collector) -> None:
    answer = asked(box, "/orders")
    assert answer.text == "42"
    front = collector.span(name="GET front", trace=TRACE)
    call = collector.span(name="fetch orders", trace=TRACE)
    orders = collector.span(name="GET orders", trace=TRACE)
    query = collector.span(name="db.execute", trace=TRACE)
    assert [each.parent for each in (front, call, orders, query)] == [CALLER, front.id, call.id, orders.id]
    assert front.start <= call.start <= orders.start <= query.start
    assert query.end <= orders.end <= call.end <= front.end
    assert front.resource["service.name"] == "front"
    assert orders.resource["service.name"] == "orders"
    assert orders.attributes["v8box.trigger"] == "service"
    assert orders.attributes["v8box.request_id"] == answer.headers["x-request-id"]
    assert query.attributes["db.system.name"] == "sqlite"
    assert collector.span(name="cold start", parent=front.id).end <= front.end
    assert collector.requests[0][1]["authorization"] == "Bearer the-collectors-token"
    assert not any("the-collectors-token" in line for line in box.lines)


def test_lines_stand_beside_their_spans(box: RunningBox, collector: Collector) -> None:
    trace = "1" * 32
    asked(box, "/lines", trace=trace)
    orders = collector.span(name="GET orders", trace=trace)
    front = collector.span(name="GET front", trace=trace)
    lines = collector.wait(lambda: found if len(found := _lines(collector, trace)) == 2 else None)
    assert lines["asking /lines"].span == front.id
    assert lines["answered"].span == orders.id
    assert (lines["answered"].severity, lines["answered"].attributes["rows"]) == (13, 1)


def _lines(collector: Collector, trace: str) -> dict[str, object]:
    return {line.text: line for line in collector.lines if line.trace == trace}


def test_what_is_thrown_and_what_is_fetched(box: RunningBox, collector: Collector) -> None:
    trace = "2" * 32
    assert asked(box, "/throw", trace=trace).status_code == 500
    thrown = collector.span(trace=trace, name="GET front")
    assert (thrown.status, thrown.attributes["error.type"]) == (2, "TypeError")
    ((event, details),) = thrown.events
    assert (event, details["exception.message"]) == ("exception", "thrown on purpose")
    assert "functions/front.ts" in details["exception.stacktrace"]
    trace = "3" * 32
    asked(box, "/out", trace=trace)
    fetched = collector.span(trace=trace, name="GET", kind=3)
    assert (fetched.attributes["server.address"], fetched.attributes["server.port"]) == ("127.0.0.1", 9)
    assert fetched.status == 2
    assert "secret" not in repr(fetched)


def test_what_a_caller_does_not_sample_is_not_sent(box: RunningBox, collector: Collector) -> None:
    unsampled = "4" * 32
    asked(box, "/quiet", flags="00", trace=unsampled)
    asked(box, "/after", trace="5" * 32)
    collector.span(trace="5" * 32, name="GET orders")
    assert not [span for span in collector.spans if span.trace == unsampled]
    assert collector.faults == []
