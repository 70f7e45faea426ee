"""The document as readers go through it: groups of operations, each with what it takes and answers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

_METHODS: Final = ("get", "head", "post", "put", "patch", "delete")


@dataclass(frozen=True, slots=True)
class Field:
    """A parameter, or a field of a body or an answer."""

    name: str
    kind: str
    """Its type in a few words."""
    required: bool
    description: str


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one address."""

    id: str
    method: str
    path: str
    summary: str
    """The first sentence of what it does."""
    description: str
    access: str
    parameters: tuple[Field, ...]
    body: tuple[Field, ...]
    body_type: str
    answers: tuple[tuple[str, str, tuple[Field, ...]], ...]
    """Status, its description, the fields of the answer."""


@dataclass(frozen=True, slots=True)
class Group:
    """Operations on one thing."""

    name: str
    operations: tuple[Operation, ...]


def outline(document: Mapping[str, Any]) -> list[Group]:
    """The groups by name, those below /api/v1 first; in each the operations by address."""
    found: dict[str, list[Operation]] = {}
    schemas = document.get("components", {}).get("schemas", {})
    for path, operations in document["paths"].items():
        for method in _METHODS:
            if method in operations:
                operation = operations[method]
                tag = (operation.get("tags") or ["other"])[0]
                found.setdefault(tag, []).append(_operation(method, path, operation, schemas))
    groups = [Group(name, tuple(sorted(each, key=_place))) for name, each in found.items()]
    return sorted(groups, key=lambda group: (not group.operations[0].path.startswith("/api/v1"), group.name))


def _place(operation: Operation) -> tuple[str, int]:
    return operation.path, _METHODS.index(operation.method.lower())


def _operation(method: str, path: str, operation: Mapping[str, Any], schemas: Mapping[str, Any]) -> Operation:
    text = " ".join(str(operation.get("description", "")).split())
    body_type, body = _content(operation.get("requestBody", {}), schemas)
    answers = []
    for status, response in sorted(operation["responses"].items()):
        if not status.endswith("XX"):
            kind, fields = _content(response, schemas)
            told = "" if response.get("description") == "Successful Response" else response.get("description", "")
            answers.append((status, " · ".join(filter(None, (told, kind))), tuple(fields)))
    return Operation(
        id=operation["operationId"],
        method=method.upper(),
        path=path,
        summary=text.partition(". ")[0].rstrip(".") or operation.get("summary", ""),
        description=text,
        access=operation.get("x-v8box-access", ""),
        parameters=tuple(_parameter(each, schemas) for each in operation.get("parameters", ())),
        body=tuple(body),
        body_type=body_type,
        answers=tuple(answers),
    )


def _parameter(parameter: Mapping[str, Any], schemas: Mapping[str, Any]) -> Field:
    schema = parameter.get("schema", {})
    description = parameter.get("description") or schema.get("description", "")
    kind = f"{parameter['in']}: {_kind(schema, schemas)}"
    return Field(parameter["name"], kind, bool(parameter.get("required")), " ".join(description.split()))


def _content(part: Mapping[str, Any], schemas: Mapping[str, Any]) -> tuple[str, list[Field]]:
    """The media types, and the fields where it is an object in JSON."""
    content = part.get("content", {})
    shown = next((each for kind, each in content.items() if "json" in kind or "form" in kind), None)
    fields = [] if shown is None else list(_fields(_resolve(shown.get("schema", {}), schemas), schemas))
    types = [_media(kind, each) for kind, each in content.items() if kind != "application/json"]
    return ", ".join(types), fields


def _media(kind: str, part: Mapping[str, Any]) -> str:
    """A media type; of a stream of events, with what they are called."""
    items = part.get("schema", {}).get("items", {}) if kind == "text/event-stream" else {}
    events = [each["properties"]["event"]["const"] for each in items.get("oneOf", [items]) if "properties" in each]
    return f"{kind} ({', '.join(events)})" if events else kind


def _fields(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> Iterator[Field]:
    required = schema.get("required", ())
    for name, each in schema.get("properties", {}).items():
        text = " ".join(str(each.get("description", "")).split())
        if "default" in each and each["default"] not in (None, "", [], {}):
            text = f"{text} Default: `{json.dumps(each['default'])}`.".strip()
        yield Field(name, _kind(each, schemas), name in required, text)


def _resolve(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> Mapping[str, Any]:
    reference = schema.get("$ref", "")
    found: Mapping[str, Any] = schemas.get(reference.rpartition("/")[2], {}) if reference else schema
    return found


def _kind(schema: Mapping[str, Any], schemas: Mapping[str, Any], depth: int = 0) -> str:
    """A type in a few words: `integer`, `list of ToyInfo`, `"a" or "b"`."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        target = schemas.get(name, {})
        return name if "enum" not in target or depth > 2 else _kind(target, schemas, depth + 1)
    if "const" in schema:
        return json.dumps(schema["const"])
    if "enum" in schema:
        return " or ".join(json.dumps(each) for each in schema["enum"])
    for word in ("anyOf", "oneOf", "allOf"):
        if word in schema:
            kinds = [_kind(each, schemas, depth + 1) for each in schema[word]]
            return " or ".join(dict.fromkeys(kinds))
    kind = schema.get("type", "any")
    if kind == "array":
        return f"list of {_kind(schema.get('items', {}), schemas, depth + 1)}"
    if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"map of {_kind(schema['additionalProperties'], schemas, depth + 1)}"
    shown = kind if isinstance(kind, str) else " or ".join(kind)
    return f"{shown} ({schema['format']})" if "format" in schema else shown
