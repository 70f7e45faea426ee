"""OTLP's JSON for attributes and resources: names in lowerCamelCase, whole numbers as texts, times in nanoseconds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeVar

import msgspec

from v8box.telemetry.records import LineRecord, RunRecord

Attribute = dict[str, Any]
Record = TypeVar("Record", RunRecord, LineRecord)
Encoded = dict[str, Any]

_MAX_DEPTH: Final = 6
"""Deeper parts of a line's fields are sent as their JSON."""
_INT64: Final = 1 << 63


def nanoseconds(seconds: float) -> str:
    return str(int(seconds * 1_000_000_000))


def text(name: str, value: str) -> Attribute:
    return {"key": name, "value": {"stringValue": value}}


def whole(name: str, value: int) -> Attribute:
    return {"key": name, "value": {"intValue": str(value)}}


def number(name: str, value: float) -> Attribute:
    return {"key": name, "value": {"doubleValue": value}}


def flag(name: str, value: bool) -> Attribute:
    return {"key": name, "value": {"boolValue": value}}


def attributes(values: Mapping[str, Any]) -> list[Attribute]:
    return [{"key": name, "value": any_value(value)} for name, value in values.items()]


def any_value(value: Any, depth: int = 0) -> dict[str, Any]:
    """Whatever JSON holds."""
    match value:
        case None:
            return {}
        case bool():
            return {"boolValue": value}
        case int():
            return {"intValue": str(value)} if -_INT64 <= value < _INT64 else {"stringValue": str(value)}
        case float():
            return {"doubleValue": value}
        case str():
            return {"stringValue": value}
    if depth >= _MAX_DEPTH:
        return {"stringValue": _json(value)}
    if isinstance(value, Mapping):
        pairs = [{"key": str(name), "value": any_value(each, depth + 1)} for name, each in value.items()]
        return {"kvlistValue": {"values": pairs}}
    if isinstance(value, Iterable):
        return {"arrayValue": {"values": [any_value(each, depth + 1) for each in value]}}
    return {"stringValue": str(value)}


def _json(value: Any) -> str:
    try:
        return msgspec.json.encode(value).decode()
    except RecursionError:
        return "…"


def by_resource(
    records: Iterable[Record], encode: Callable[[Record], list[Encoded]], scope_key: str, item_key: str, version: str
) -> list[Encoded]:
    """What records become, under the worker's version that each is of."""
    resources: dict[tuple[str, str, str, str], list[Encoded]] = {}
    for record in records:
        key = (record.project, record.worker, record.version, record.environment)
        resources.setdefault(key, []).extend(encode(record))
    scope = {"name": "v8box", "version": version}
    return [
        {"resource": {"attributes": _resource(*key)}, scope_key: [{"scope": scope, item_key: items}]}
        for key, items in resources.items()
    ]


def _resource(project: str, worker: str, version: str, environment: str) -> list[Attribute]:
    return [
        text("service.name", worker),
        text("service.namespace", project),
        text("service.version", version),
        text("deployment.environment.name", environment),
    ]
