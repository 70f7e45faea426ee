"""OTLP's JSON for attributes and resources: names in lowerCamelCase, whole numbers as texts, times in nanoseconds.

Written as text, piece by piece: dictionaries for every attribute took four times as long, and a busy box sends many.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, TypeVar

import msgspec

from v8box.telemetry.records import LineRecord, RunRecord

Record = TypeVar("Record", RunRecord, LineRecord)

_MAX_DEPTH: Final = 6
"""Deeper parts of a line's fields are sent as their JSON."""
_INT64: Final = 1 << 63
_encode: Final = msgspec.json.Encoder().encode


def quoted(value: str) -> str:
    return _encode(value).decode()


def nanoseconds(seconds: float) -> str:
    """With the quotes."""
    return f'"{int(seconds * 1_000_000_000)}"'


def text(name: str, value: str) -> str:
    return f'{{"key":"{name}","value":{{"stringValue":{_encode(value).decode()}}}}}'


def whole(name: str, value: int) -> str:
    return f'{{"key":"{name}","value":{{"intValue":"{value}"}}}}'


def number(name: str, value: float) -> str:
    return f'{{"key":"{name}","value":{{"doubleValue":{value!r}}}}}'


def flag(name: str, value: bool) -> str:
    return f'{{"key":"{name}","value":{{"boolValue":{"true" if value else "false"}}}}}'


def field(name: str, value: Any) -> str:
    """An attribute that somebody else named."""
    return _encode({"key": name, "value": any_value(value)}).decode()


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
        return _encode(value).decode()
    except RecursionError:
        return "…"


def request(
    records: Iterable[Record],
    encode: Callable[[Record], Sequence[str]],
    names: tuple[str, str, str],
    version: str,
) -> bytes:
    """What records become, under the worker's version that each is of. `names`: those of the lists of resources, of
    scopes, and of items."""
    resources: dict[tuple[str, str, str, str], list[str]] = {}
    for record in records:
        key = (record.project, record.worker, record.version, record.environment)
        resources.setdefault(key, []).extend(encode(record))
    outer, middle, inner = names
    scope = f'{{"name":"v8box","version":{quoted(version)}}}'
    parts = [
        f'{{"resource":{{"attributes":[{_resource(*key)}]}},"{middle}":[{{"scope":{scope},"{inner}":[{",".join(items)}]}}]}}'
        for key, items in resources.items()
    ]
    return f'{{"{outer}":[{",".join(parts)}]}}'.encode()


def _resource(project: str, worker: str, version: str, environment: str) -> str:
    return ",".join(
        (
            text("service.name", worker),
            text("service.namespace", project),
            text("service.version", version),
            text("deployment.environment.name", environment),
        )
    )
