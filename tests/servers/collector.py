"""An OpenTelemetry collector on loopback: takes OTLP over HTTP as JSON and reads it with OpenTelemetry's own messages.

The JSON of OTLP differs from protobuf's in one point, the ids: hex instead of base64. What else is not to the letter of
the messages is refused, so a field of another name or type fails the test that sends it.
"""

from __future__ import annotations

import base64
import gzip
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from google.protobuf import json_format
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

WAIT_SECONDS = 60.0
_IDS = {"traceId": 16, "spanId": 8, "parentSpanId": 8}
_HEX = re.compile(r"[0-9a-f]+")


@dataclass
class SpanSeen:
    """A span with the resource it came under. Times in nanoseconds."""

    trace: str
    id: str
    parent: str
    name: str
    kind: int
    start: int
    end: int
    status: int
    message: str
    resource: dict[str, Any]
    attributes: dict[str, Any]
    events: list[tuple[str, dict[str, Any]]] = field(default_factory=list)


@dataclass
class LineSeen:
    trace: str
    span: str
    severity: int
    text: str
    resource: dict[str, Any]
    attributes: dict[str, Any]


class Collector:
    """Serves from `start` until `stop`. `answers`: what the next requests get instead of 200, as (status, headers,
    body)."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.spans: list[SpanSeen] = []
        self.lines: list[LineSeen] = []
        self.faults: list[str] = []
        self.answers: list[tuple[int, dict[str, str], bytes]] = []
        self._changed = threading.Condition()
        collector = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                status, more, content = collector.take(self.path, headers, body)
                self.send_response(status)
                for name, value in more.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: Any) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def start(self) -> Collector:
        self._thread.start()
        return self

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def take(self, path: str, headers: dict[str, str], body: bytes) -> tuple[int, dict[str, str], bytes]:
        with self._changed:
            self.requests.append((path, headers))
            try:
                answer = self.answers.pop(0) if self.answers else (200, {"content-type": "application/json"}, b"{}")
                if answer[0] == 200:
                    self._read(path, headers, body)
            except Exception as error:
                self.faults.append(f"{path}: {error!r}")
                answer = (400, {}, b"")
            self._changed.notify_all()
            return answer

    def _read(self, path: str, headers: dict[str, str], body: bytes) -> None:
        assert headers["content-type"] == "application/json"
        if headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        message = json.loads(body, object_hook=_with_base64)
        if path == "/v1/traces":
            traces = json_format.ParseDict(message, ExportTraceServiceRequest())
            for of in traces.resource_spans:
                resource = _attributes(of.resource.attributes)
                self.spans += [_span(each, resource) for scope in of.scope_spans for each in scope.spans]
        elif path == "/v1/logs":
            logs = json_format.ParseDict(message, ExportLogsServiceRequest())
            for of_logs in logs.resource_logs:
                resource = _attributes(of_logs.resource.attributes)
                self.lines += [_line(each, resource) for scope in of_logs.scope_logs for each in scope.log_records]
        else:
            raise AssertionError("no such address")

    def wait(self, condition: Callable[[], Any]) -> Any:
        """Until it is true; what it gave."""
        deadline = time.monotonic() + WAIT_SECONDS
        with self._changed:
            while not (found := condition()):
                assert not self.faults, self.faults
                left = deadline - time.monotonic()
                assert left > 0, f"it never came true; {len(self.spans)} spans, {len(self.lines)} lines"
                self._changed.wait(left)
            return found

    def span(self, **wanted: Any) -> SpanSeen:
        """Waits for the first span with these values."""

        def find() -> SpanSeen | None:
            return next(
                (each for each in self.spans if all(getattr(each, key) == value for key, value in wanted.items())), None
            )

        found: SpanSeen = self.wait(find)
        return found


def _with_base64(table: dict[str, Any]) -> dict[str, Any]:
    for key, size in _IDS.items():
        if key in table:
            assert len(table[key]) == 2 * size, f"{key} {table[key]!r}"
            assert _HEX.fullmatch(table[key]), f"{key} {table[key]!r}"
            table[key] = base64.b64encode(bytes.fromhex(table[key])).decode()
    return table


def _span(span: Any, resource: dict[str, Any]) -> SpanSeen:
    return SpanSeen(
        span.trace_id.hex(),
        span.span_id.hex(),
        span.parent_span_id.hex(),
        span.name,
        span.kind,
        span.start_time_unix_nano,
        span.end_time_unix_nano,
        span.status.code,
        span.status.message,
        resource,
        _attributes(span.attributes),
        [(event.name, _attributes(event.attributes)) for event in span.events],
    )


def _line(line: Any, resource: dict[str, Any]) -> LineSeen:
    assert line.time_unix_nano
    assert line.observed_time_unix_nano
    return LineSeen(
        line.trace_id.hex(),
        line.span_id.hex(),
        line.severity_number,
        line.body.string_value,
        resource,
        _attributes(line.attributes),
    )


def _attributes(pairs: Any) -> dict[str, Any]:
    return dict(_pairs(pairs))


def _pairs(pairs: Any) -> Iterator[tuple[str, Any]]:
    for pair in pairs:
        yield pair.key, _value(pair.value)


def _value(value: Any) -> Any:
    match value.WhichOneof("value"):
        case None:
            return None
        case "array_value":
            return [_value(each) for each in value.array_value.values]
        case "kvlist_value":
            return _attributes(value.kvlist_value.values)
        case kind:
            return getattr(value, kind)
