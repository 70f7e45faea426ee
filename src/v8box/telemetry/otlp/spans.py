"""A run as OTLP's spans: one for itself, one for each of its calls and fetches, one for what it waited for.

Names follow OpenTelemetry's semantic conventions where there are some, and begin with `v8box.` elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from v8box.kit.trace_context import TraceIds
from v8box.telemetry.meter import Span
from v8box.telemetry.otlp.values import flag, nanoseconds, number, quoted, request, text, whole
from v8box.telemetry.records import RunRecord

_NAMES: Final = ("resourceSpans", "scopeSpans", "spans")
_INTERNAL: Final = 1
_SERVER: Final = 2
_CLIENT: Final = 3
_CONSUMER: Final = 5
_KINDS: Final = {"http": _SERVER, "service": _SERVER, "test": _SERVER, "queue": _CONSUMER}
_ERROR: Final = 2
_SYSTEMS: Final = {"db": "sqlite", "cache": "redis"}

_ids = TraceIds()


def encode_runs(records: Sequence[RunRecord], version: str) -> bytes:
    """An `ExportTraceServiceRequest`."""
    return request(records, _spans, _NAMES, version)


def _spans(record: RunRecord) -> list[str]:
    start, end = record.time, record.time + record.duration / 1000
    more = ""
    if record.error is not None:
        details = [text("exception.type", record.error.name), text("exception.message", record.error.message)]
        if record.error.stack:
            details.append(text("exception.stacktrace", record.error.stack))
        event = f'"timeUnixNano":{nanoseconds(end)},"name":"exception","attributes":[{",".join(details)}]'
        more = f',"events":[{{{event}}}]'
    if record.failed:
        more += _failed(record.error.message if record.error is not None else record.outcome)
    kind = _KINDS.get(record.trigger, _INTERNAL)
    details = _run_attributes(record)
    found = [_span(record.trace, record.span, record.parent, _name(record), kind, start, end, details, more)]
    at = start
    for name, duration in (("queue", record.queue), ("cold start", record.cold)):
        if duration > 0:
            until = at + duration / 1000
            found.append(_span(record.trace, _ids.span(), record.span, name, _INTERNAL, at, until, ()))
            at = until
    found += [_call(record, span, end) for span in record.spans]
    return found


def _span(
    trace: str,
    own: str,
    parent: str,
    name: str,
    kind: int,
    start: float,
    end: float,
    details: Sequence[str],
    more: str = "",
) -> str:
    above = f'"parentSpanId":"{parent}",' if parent else ""
    return (
        f'{{"traceId":"{trace}","spanId":"{own}",{above}"flags":1,"name":{quoted(name)},"kind":{kind},'
        f'"startTimeUnixNano":{nanoseconds(start)},"endTimeUnixNano":{nanoseconds(max(start, end))},'
        f'"attributes":[{",".join(details)}]{more}}}'
    )


def _failed(message: str) -> str:
    return f',"status":{{"code":{_ERROR},"message":{quoted(message)}}}'


def _name(record: RunRecord) -> str:
    return f"{record.method} {record.worker}" if record.method else f"{record.trigger} {record.worker}"


def _run_attributes(record: RunRecord) -> list[str]:
    found = [
        text("faas.trigger", "http" if record.trigger in ("http", "service", "test") else "other"),
        text("faas.invocation_id", record.id),
        flag("faas.coldstart", record.cold > 0),
        text("v8box.trigger", record.trigger),
        text("v8box.outcome", record.outcome),
        text("v8box.request_id", record.request_id),
        number("v8box.cpu_ms", record.cpu),
    ]
    if record.method:
        found += (text("http.request.method", record.method), text("url.path", record.path))
    if record.status:
        found.append(whole("http.response.status_code", record.status))
    if record.client:
        found.append(text("client.address", record.client))
    for name, value in (
        ("http.request.body.size", record.bytes_in),
        ("http.response.body.size", record.bytes_out),
        ("v8box.memory_bytes", record.memory),
        ("v8box.calls", record.calls),
    ):
        if value:
            found.append(whole(name, value))
    if record.failed:
        kind = record.error.name if record.error is not None else record.outcome
        found.append(text("error.type", str(record.status) if kind == "ok" else kind))
    return found


def _call(record: RunRecord, call: Span, end: float) -> str:
    start = record.time + call.start / 1000
    until = start + call.duration / 1000 if call.duration >= 0 else end
    name, details = _described(call)
    for label, value in (("v8box.bytes_in", call.bytes_in), ("v8box.bytes_out", call.bytes_out)):
        if value:
            details.append(whole(label, value))
    error = call.error or ("unanswered" if call.duration < 0 else "")
    if not error and call.status >= 400 and call.binding in ("fetch", "services"):
        error = str(call.status)
    more = ""
    if error:
        details.append(text("error.type", error))
        more = _failed(error)
    return _span(record.trace, call.id or _ids.span(), record.span, name, _CLIENT, start, until, details, more)


def _described(call: Span) -> tuple[str, list[str]]:
    """A call's name and what is said of it, by the conventions for what it called."""
    binding, operation, what = call.binding, call.operation, call.what
    if binding == "fetch":
        host, _, port = what.rpartition(":") if not what.endswith("]") and ":" in what else (what, "", "")
        details = [text("http.request.method", operation), text("server.address", host)]
        if port.isdigit():
            details.append(whole("server.port", int(port)))
        if call.status:
            details.append(whole("http.response.status_code", call.status))
        return operation, details
    details = [text("v8box.binding", binding)]
    if binding == "services":
        details.append(text("peer.service", what))
        if call.status:
            details.append(whole("http.response.status_code", call.status))
        return f"fetch {what}", details
    if (system := _SYSTEMS.get(binding)) is not None:
        details += (text("db.system.name", system), text("db.operation.name", operation))
        if what:
            details.append(text("db.query.text" if binding == "db" else "v8box.key", what))
        if call.rows:
            details.append(whole("db.response.returned_rows", call.rows))
    elif binding == "s3":
        details += (text("rpc.system", "aws-api"), text("rpc.service", "S3"), text("rpc.method", operation))
        if what:
            details.append(text("v8box.object", what))
    elif what:
        details.append(text("v8box.what", what))
    return f"{binding}.{operation}", details
