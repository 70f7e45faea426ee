"""Lines that workers printed as OTLP's log records, each with the trace and span of its run."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final

from v8box.telemetry.otlp.values import field, nanoseconds, quoted, request, text
from v8box.telemetry.records import LineRecord

_NAMES: Final = ("resourceLogs", "scopeLogs", "logRecords")
_SEVERITIES: Final = {"debug": 5, "info": 9, "warn": 13, "error": 17}


def encode_lines(records: Sequence[LineRecord], version: str) -> bytes:
    """An `ExportLogsServiceRequest`."""
    return request(records, partial(_lines, observed=nanoseconds(time.time())), _NAMES, version)


def _lines(record: LineRecord, observed: str) -> tuple[str]:
    found = [] if record.run is None else [text("faas.invocation_id", record.run)]
    if isinstance(record.fields, Mapping):
        found += [field(str(name), value) for name, value in record.fields.items()]
    elif record.fields is not None:
        found.append(field("fields", record.fields))
    place = f',"traceId":"{record.trace}","spanId":"{record.span}"' if record.trace else ""
    severity = _SEVERITIES.get(record.level, _SEVERITIES["info"])
    return (
        f'{{"timeUnixNano":{nanoseconds(record.time)},"observedTimeUnixNano":{observed},"severityNumber":{severity},'
        f'"severityText":{quoted(record.level.upper())},"body":{{"stringValue":{quoted(record.text)}}},'
        f'"attributes":[{",".join(found)}]{place}}}',
    )
