"""What a collector receives, and what happens when it is slow, full, wrong or away."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from tests.servers.collector import Collector

from v8box.settings import Otlp, Secret, ServerUrl
from v8box.telemetry.feed import Feed
from v8box.telemetry.meter import Span
from v8box.telemetry.otlp import Exporter, exporter
from v8box.telemetry.otlp.sender import NotSent, Sender, parse_headers
from v8box.telemetry.otlp.values import any_value
from v8box.telemetry.records import LineRecord, RunError, RunRecord

TRACE, SPAN, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", "00f067aa0ba902b7"
SERVER, INTERNAL, CLIENT = 2, 1, 3


def a_run(**more: Any) -> RunRecord:
    values: dict[str, Any] = {
        "id": "r1", "request_id": "q1", "time": 1_700_000_000.5, "worker": "shop", "version": "v1", "trigger": "http",
        "method": "GET", "path": "/a", "status": 200, "outcome": "ok", "duration": 20.0, "cold": 0.0, "cpu": 1.5,
        "bytes_out": 7, "client": "1.2.3.4", "trace": TRACE, "span": SPAN, "parent": CALLER,
    }  # fmt: skip
    return RunRecord(**values | more)


def a_line(text: str = "hello", **more: Any) -> LineRecord:
    values: dict[str, Any] = {
        "time": 1_700_000_000.5, "run": "r1", "worker": "shop", "version": "v1", "level": "warn", "text": text,
        "trace": TRACE, "span": SPAN,
    }  # fmt: skip
    return LineRecord(**values | more)


@pytest.fixture
def collector() -> Iterator[Collector]:
    collector = Collector().start()
    yield collector
    collector.stop()


class Exporting:
    """A feed and an exporter that listens to it; `waits` are the pauses between its tries, none of which it makes."""

    def __init__(self, endpoint: str, **more: Any) -> None:
        self.waits: list[float] = []
        self.feed = Feed()
        settings = Otlp(endpoint=ServerUrl(endpoint), **more)
        self.exporter = Exporter(settings, "1.0", sender=Sender(settings, "1.0", sleep=self._sleep))
        self.exporter.listen(self.feed)
        self.exporter.start()

    async def _sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        await asyncio.sleep(0)


@pytest.fixture
async def exporting(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Exporting]:
    monkeypatch.setattr(exporter, "DELAY_SECONDS", 0.01)
    exporting = Exporting(collector.url)
    yield exporting
    await exporting.exporter.close()


async def seen(collector: Collector, condition: Any) -> Any:
    return await asyncio.to_thread(collector.wait, condition)


async def until(condition: Any) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - what sends tells nobody when it has
            await asyncio.sleep(0.001)


async def test_a_run_is_a_server_span_and_its_calls_are_its_children(
    collector: Collector, exporting: Exporting
) -> None:
    spans = [
        Span("db", "execute", 5.0, 2.0, bytes_in=10, rows=3, what="select ?"),
        Span("fetch", "POST", 8.0, 4.0, what="api.example.com:8443", status=503, id="1111111111111111"),
        Span("services", "fetch", 13.0, 1.0, what="prices", status=200, id="2222222222222222"),
        Span("cache", "get", 15.0, 1.0, error="WRONGTYPE"),
        Span("s3", "put", 16.0),
    ]
    exporting.feed.run(a_run(spans=spans, queue=1.0, cold=3.0, calls=4, bytes_in=5, memory=9))
    await seen(collector, lambda: len(collector.spans) == 8)
    run, queued, cold, db, fetched, service, cache, s3 = collector.spans
    assert (run.trace, run.id, run.parent, run.name, run.kind, run.status) == (
        TRACE, SPAN, CALLER, "GET shop", SERVER, 0,
    )  # fmt: skip
    assert run.start == 1_700_000_000_500_000_000
    assert run.end - run.start == pytest.approx(20_000_000, abs=1_000)
    assert run.resource == {
        "service.name": "shop",
        "service.namespace": "default",
        "service.version": "v1",
        "deployment.environment.name": "production",
    }
    assert run.attributes == {
        "faas.trigger": "http",
        "faas.invocation_id": "r1",
        "faas.coldstart": True,
        "v8box.trigger": "http",
        "v8box.outcome": "ok",
        "v8box.request_id": "q1",
        "v8box.cpu_ms": 1.5,
        "http.request.method": "GET",
        "url.path": "/a",
        "http.response.status_code": 200,
        "client.address": "1.2.3.4",
        "http.request.body.size": 5,
        "http.response.body.size": 7,
        "v8box.memory_bytes": 9,
        "v8box.calls": 4,
    }
    children = (queued, cold, db, fetched, service, cache, s3)
    assert {child.parent for child in children} == {SPAN}
    assert len({child.id for child in (run, *children)}) == 8
    assert [child.kind for child in children] == [INTERNAL, INTERNAL, *[CLIENT] * 5]
    assert [child.name for child in children] == [
        "queue", "cold start", "db.execute", "POST", "fetch prices", "cache.get", "s3.put",
    ]  # fmt: skip
    assert db.attributes == {
        "v8box.binding": "db", "db.system.name": "sqlite", "db.operation.name": "execute", "db.query.text": "select ?",
        "db.response.returned_rows": 3, "v8box.bytes_in": 10,
    }  # fmt: skip
    assert db.start - run.start == pytest.approx(5_000_000, abs=1_000)
    assert (fetched.id, service.id) == ("1111111111111111", "2222222222222222")
    assert fetched.attributes == {
        "http.request.method": "POST", "server.address": "api.example.com", "server.port": 8443,
        "http.response.status_code": 503, "error.type": "503",
    }  # fmt: skip
    assert [child.status for child in (db, fetched, service, cache, s3)] == [0, 2, 0, 2, 2]
    assert cache.attributes["error.type"] == "WRONGTYPE"
    assert s3.end == run.end  # it was never answered


async def test_what_a_run_threw_is_an_event(collector: Collector, exporting: Exporting) -> None:
    error = RunError("TypeError", "no", "TypeError: no\n    at shop.ts:1:1")
    exporting.feed.run(a_run(status=500, outcome="exception", error=error))
    (span,) = await seen(collector, lambda: collector.spans)
    assert (span.status, span.message, span.attributes["error.type"]) == (2, "no", "TypeError")
    assert span.events == [
        (
            "exception",
            {
                "exception.type": "TypeError",
                "exception.message": "no",
                "exception.stacktrace": "TypeError: no\n    at shop.ts:1:1",
            },
        )
    ]


async def test_lines_are_log_records_of_their_run(collector: Collector, exporting: Exporting) -> None:
    fields = {"a": 1, "b": [True, None, 2.5, {"c": "d"}], "big": 1 << 70}
    exporting.feed.line(a_line(fields=fields))
    exporting.feed.line(a_line("outside", level="error", run=None, trace="", span="", environment="staging"))
    await seen(collector, lambda: len(collector.lines) == 2)
    first, second = collector.lines
    assert (first.trace, first.span, first.severity, first.text) == (TRACE, SPAN, 13, "hello")
    assert first.attributes == {
        "faas.invocation_id": "r1", "a": 1, "b": [True, None, 2.5, {"c": "d"}], "big": str(1 << 70),
    }  # fmt: skip
    assert (second.trace, second.severity, second.attributes) == ("", 17, {})
    assert second.resource["deployment.environment.name"] == "staging"


def test_fields_without_an_end_are_cut() -> None:
    deep: Any = {}
    for _ in range(5_000):
        deep = {"a": deep}
    value = any_value(deep)
    for _ in range(6):
        (pair,) = value["kvlistValue"]["values"]
        value = pair["value"]
    assert "stringValue" in value


async def test_what_is_not_sampled_is_not_sent(collector: Collector, exporting: Exporting) -> None:
    exporting.feed.run(a_run(sampled=False))
    exporting.feed.run(a_run(trace="", span="", parent=""))
    exporting.feed.run(a_run(id="r2"))
    await seen(collector, lambda: collector.spans)
    assert [span.attributes["faas.invocation_id"] for span in collector.spans] == ["r2"]


async def test_batches_are_compressed_and_carry_what_the_collector_asks_for(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporter, "DELAY_SECONDS", 0.01)
    exporting = Exporting(collector.url + "/", headers=Secret("Authorization=Bearer%20token,x-a=b"), logs=False)
    exporting.feed.line(a_line())
    for number in range(exporter.BATCH + 1):
        exporting.feed.run(a_run(id=str(number)))
    await until(lambda: exporting.exporter.runs.count.sent == exporter.BATCH + 1)
    await exporting.exporter.close()
    assert [path for path, _ in collector.requests] == ["/v1/traces", "/v1/traces"]
    headers = collector.requests[0][1]
    assert (headers["authorization"], headers["x-a"], headers["content-encoding"]) == ("Bearer token", "b", "gzip")
    assert collector.lines == []
    assert exporting.exporter.runs.count.sent == exporter.BATCH + 1


async def test_a_collector_that_has_trouble_is_asked_again_when_it_says(
    collector: Collector, exporting: Exporting, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    collector.answers = [
        (503, {}, b""), (429, {"retry-after": "7"}, b""), (503, {"retry-after": "Thu, 01 Jan 1970 00:00:00 GMT"}, b""),
        (502, {"retry-after": "99999999999"}, b""), (504, {"retry-after": "soon"}, b""),
    ]  # fmt: skip
    exporting.feed.run(a_run())
    await seen(collector, lambda: collector.spans)
    first, second, third, fourth, fifth = exporting.waits
    assert 0.5 <= first <= 1.0
    assert (second, third, fourth) == (7.0, 0.0, 120.0)
    assert 8.0 <= fifth <= 16.0
    await until(lambda: not exporting.exporter.runs.count.fault)
    assert exporting.exporter.dropped == 0
    said = [record.getMessage() for record in caplog.records if record.name.startswith("v8box")]
    assert said == ["traces are not sent: the collector answered 503", "traces are sent to the collector again"]


@pytest.mark.parametrize("status", [400, 401, 404, 500, 302])
async def test_what_a_collector_refuses_is_dropped_and_counted(
    collector: Collector, exporting: Exporting, status: int
) -> None:
    collector.answers = [(status, {"location": "http://127.0.0.1:9/"}, b"")]
    exporting.feed.run(a_run())
    await seen(collector, lambda: collector.requests)
    exporting.feed.run(a_run(id="r2"))
    await seen(collector, lambda: collector.spans)
    assert exporting.waits == []
    assert exporting.exporter.dropped == 1
    assert [span.attributes["faas.invocation_id"] for span in collector.spans] == ["r2"]


async def test_a_batch_that_is_too_large_is_sent_in_halves(
    collector: Collector, exporting: Exporting, monkeypatch: pytest.MonkeyPatch
) -> None:
    collector.answers = [(413, {}, b"")]
    for number in range(3):
        exporting.feed.run(a_run(id=str(number)))
    await seen(collector, lambda: len(collector.spans) == 3)
    assert len(collector.requests) == 3
    assert exporting.exporter.dropped == 0


async def test_what_a_collector_takes_in_part_is_counted(collector: Collector, exporting: Exporting) -> None:
    answer = b'{"partialSuccess":{"rejectedSpans":"1","errorMessage":"one is wrong"}}'
    collector.answers = [(200, {"content-type": "application/json"}, answer)]
    exporting.feed.run(a_run())
    exporting.feed.run(a_run())
    await seen(collector, lambda: len(collector.spans) == 2)
    await until(lambda: exporting.exporter.runs.count.sent)
    assert (exporting.exporter.runs.count.sent, exporting.exporter.dropped) == (1, 1)
    assert "one is wrong" in exporting.exporter.runs.count.fault


async def test_a_collector_that_is_away_costs_no_more_than_the_queue(caplog: pytest.LogCaptureFixture) -> None:
    exporting = Exporting("http://127.0.0.1:9", headers=Secret("authorization=hunter2hunter2"))
    for _ in range(exporter.MAX_RUNS + 5):
        exporting.feed.run(a_run())
    assert (exporting.exporter.held, exporting.exporter.dropped) == (exporter.MAX_RUNS, 5)
    await exporting.exporter.close()
    assert exporting.exporter.held == 0
    assert exporting.exporter.dropped == exporter.MAX_RUNS + 5
    assert "the collector cannot be reached" in caplog.text
    assert "hunter2" not in caplog.text


async def test_what_is_left_is_sent_when_the_box_stops(collector: Collector) -> None:
    exporting = Exporting(collector.url)
    exporting.feed.run(a_run())
    exporting.feed.line(a_line())
    await exporting.exporter.close()
    assert (len(collector.spans), len(collector.lines)) == (1, 1)


async def test_who_gives_up_says_why() -> None:
    settings = Otlp(endpoint=ServerUrl("http://127.0.0.1:9"))
    told: list[str] = []

    async def no_time(seconds: float) -> None:
        raise NotSent("the test has seen enough")

    sender = Sender(settings, "1.0", sleep=no_time)
    with pytest.raises(NotSent, match="seen enough"):
        await sender.send("v1/traces", b"{}", told.append)
    await sender.close()
    assert told == ["the collector cannot be reached (ConnectError)"]


def test_headers() -> None:
    assert parse_headers(Otlp()) == {}
    assert parse_headers(Otlp(headers=Secret("a=b%20c, d = e=f"))) == {"a": "b c", "d": "e=f"}


def test_httpx_is_imported_with_the_first_batch() -> None:
    source = sys.modules["v8box.telemetry.otlp.sender"]
    assert not hasattr(source, "httpx")
