"""An error as a Sentry event, and the event in its envelope: three lines, the second with the length of the third."""

from __future__ import annotations

import gzip
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from v8box import __version__
from v8box.features.errors.excerpt import Excerpt
from v8box.features.errors.model import ErrorKind, Occurrence
from v8box.features.errors.stacks import Frame
from v8box.kit.sentry_dsn import Dsn
from v8box.kit.times import now
from v8box.telemetry.records import DeathRecord, RunRecord

CLIENT: Final = f"v8box/{__version__}"
_SDK: Final = {"name": "v8box", "version": __version__}
_FATAL: Final = frozenset({ErrorKind.KILL, ErrorKind.STARTUP})
_MECHANISMS: Final = {
    ErrorKind.UNHANDLED: "onunhandledrejection",
    ErrorKind.WAIT_UNTIL: "onunhandledrejection",
    ErrorKind.LOG: "console",
}
_MAX_TAG: Final = 200
_MAX_TRANSACTION: Final = 200


@dataclass(frozen=True, slots=True)
class Envelope:
    """What is sent, and the event's id."""

    event_id: str
    body: bytes
    headers: Mapping[str, str]


def event_of(
    occurrence: Occurrence,
    fingerprint: str,
    frames: Sequence[Frame],
    excerpts: Mapping[Frame, Excerpt],
    number: int,
    server_name: str,
) -> dict[str, Any]:
    """`excerpts`: the code around those frames whose source is at hand. `number`: the version's, 0 if not known."""
    record = occurrence.record
    killed = occurrence.kind is ErrorKind.KILL
    exception: dict[str, Any] = {
        "type": f"Killed: {occurrence.name}" if killed else occurrence.name,
        "value": occurrence.message,
        "mechanism": {
            "type": _MECHANISMS.get(occurrence.kind, "generic"),
            "handled": occurrence.kind is ErrorKind.LOG,
        },
    }
    if frames:
        shown = [_frame(frame, excerpts.get(frame)) for frame in reversed(frames)]  # Sentry has the innermost last
        exception["stacktrace"] = {"frames": shown}
    event: dict[str, Any] = {
        "event_id": uuid.uuid4().hex,
        "timestamp": record.time,
        "platform": "javascript",
        "level": "fatal" if occurrence.kind in _FATAL else "error",
        "logger": "v8box",
        "server_name": server_name,
        "release": f"{record.worker}@{number or record.version}",
        "dist": record.version[:64],
        "environment": record.environment,
        "fingerprint": [fingerprint],
        "exception": {"values": [exception]},
        "tags": {name: str(value)[:_MAX_TAG] for name, value in _tags(occurrence).items() if value},
        "contexts": _contexts(occurrence),
        "sdk": _SDK,
    }
    if isinstance(record, RunRecord):
        event["transaction"] = record.path[:_MAX_TRANSACTION] or record.trigger
        event["request"] = {"method": record.method}
    return event


def envelope_of(event: Mapping[str, Any], dsn: Dsn) -> Envelope:
    """Packed, with the headers it is sent with."""
    payload = msgspec.json.encode(event)
    head = msgspec.json.encode({"event_id": event["event_id"], "sent_at": now(), "sdk": _SDK})
    item = msgspec.json.encode({"type": "event", "length": len(payload), "content_type": "application/json"})
    auth = f"Sentry sentry_version=7, sentry_client={CLIENT}, sentry_key={dsn.key}"
    return Envelope(
        event_id=str(event["event_id"]),
        body=gzip.compress(b"\n".join((head, item, payload, b"")), 5, mtime=0),
        headers={
            "content-type": "application/x-sentry-envelope",
            "content-encoding": "gzip",
            "user-agent": CLIENT,
            "x-sentry-auth": auth,
        },
    )


def _frame(frame: Frame, code: Excerpt | None) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "filename": frame.file,
        "function": frame.function or "<anonymous>",
        "in_app": frame.own,
    }
    if frame.own:
        shown["abs_path"] = f"app:///{frame.file.removeprefix('/')}"  # nothing that Sentry would want to fetch
    if frame.line:
        shown |= {"lineno": frame.line, "colno": frame.column}
    if code is not None:
        at = code.line - code.first
        shown |= {
            "pre_context": list(code.lines[:at]),
            "context_line": code.lines[at],
            "post_context": list(code.lines[at + 1 :]),
        }
    return shown


def _tags(occurrence: Occurrence) -> dict[str, Any]:
    record = occurrence.record
    tags: dict[str, Any] = {"project": record.project, "worker": record.worker, "kind": occurrence.kind}
    if isinstance(record, RunRecord):
        tags |= {"run": record.id, "request_id": record.request_id, "trigger": record.trigger, "status": record.status}
    elif isinstance(record, DeathRecord):
        tags |= {"reason": record.reason}
    else:
        tags |= {"run": record.run}
    return tags


def _contexts(occurrence: Occurrence) -> dict[str, Any]:
    record = occurrence.record
    contexts: dict[str, Any] = {"runtime": {"name": "deno"}}
    if isinstance(record, RunRecord) and record.trace and record.span:
        trace = {"type": "trace", "trace_id": record.trace, "span_id": record.span, "op": f"{record.trigger}.server"}
        contexts["trace"] = {**trace, **({"parent_span_id": record.parent} if record.parent else {})}
    if isinstance(record, DeathRecord) and record.limit is not None:
        contexts["limit"] = {"limit": record.limit, "used": record.used}
    return contexts
