"""Lines that workers printed as OTLP's log records, each with the trace and span of its run."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

import msgspec

from v8box.telemetry.otlp.values import any_value, attributes, by_resource, nanoseconds, text
from v8box.telemetry.records import LineRecord

_SEVERITIES: Final = {"debug": 5, "info": 9, "warn": 13, "error": 17}


def encode_lines(records: Sequence[LineRecord], version: str) -> bytes:
    """An `ExportLogsServiceRequest`."""
    encode = partial(_lines, observed=nanoseconds(time.time()))
    return msgspec.json.encode({"resourceLogs": by_resource(records, encode, "scopeLogs", "logRecords", version)})


def _lines(record: LineRecord, observed: str) -> list[dict[str, Any]]:
    line: dict[str, Any] = {
        "timeUnixNano": nanoseconds(record.time),
        "observedTimeUnixNano": observed,
        "severityNumber": _SEVERITIES.get(record.level, _SEVERITIES["info"]),
        "severityText": record.level.upper(),
        "body": {"stringValue": record.text},
    }
    found = [] if record.run is None else [text("faas.invocation_id", record.run)]
    if isinstance(record.fields, Mapping):
        found += attributes(record.fields)
    elif record.fields is not None:
        found.append({"key": "fields", "value": any_value(record.fields)})
    line["attributes"] = found
    if record.trace:
        line["traceId"], line["spanId"] = record.trace, record.span
    return [line]
