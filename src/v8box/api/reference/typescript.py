"""The document as TypeScript types for the dashboard's client: one line for each operation, one type for each schema.

An operation is named as people write it, `GET /api/v1/projects/{project}`. What is below /admin is told without its
envelope: the client takes it off.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

_HEAD: Final = """\
// Made of the OpenAPI document by `make gen`. Do not edit.
// deno-lint-ignore-file
"""
_NAME: Final = re.compile(r"[A-Za-z_$][\w$]*")
_REF: Final = "#/components/schemas/"
_PRIMITIVES: Final = {"string": "string", "integer": "number", "number": "number", "boolean": "boolean", "null": "null"}
_OF_THE_CLIENT: Final = frozenset({"Idempotency-Key", "v8box-project"})
"""Headers that the client sends by itself."""


def typescript(document: Mapping[str, Any]) -> str:
    """The whole file."""
    schemas: Mapping[str, Any] = document["components"]["schemas"]
    lines = [_HEAD, "export interface Operations {"]
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            lines += _operation(method.upper(), path, operation, schemas)
    lines.append("}\n")
    lines.append("/** Those that are done once for each `Idempotency-Key`. */")
    keyed = "".join(f"  {json.dumps(each)},\n" for each in _keyed(document))
    lines.append(f"export const TAKES_KEY: ReadonlySet<string> = new Set([\n{keyed}]);\n")
    for name, schema in schemas.items():
        lines.append(f"export type {_type_name(name)} = {_type(schema)};")
    return "\n".join(lines) + "\n"


def _keyed(document: Mapping[str, Any]) -> Iterator[str]:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if any(each["name"] == "Idempotency-Key" for each in operation.get("parameters", ())):
                yield f"{method.upper()} {path}"


def _operation(method: str, path: str, operation: Mapping[str, Any], schemas: Mapping[str, Any]) -> Iterator[str]:
    places: dict[str, dict[str, str]] = {"path": {}, "query": {}, "header": {}}
    for each in operation.get("parameters", ()):
        if each["in"] in places and each["name"] not in _OF_THE_CLIENT:
            mark = "" if each.get("required") else "?"
            places[each["in"]][_key(each["name"]) + mark] = _type(each["schema"])
    fields = [f"{place}: {_object(found)}" for place, found in places.items()]
    fields += [f"body: {_body(operation)}", f"answer: {_answer(path, operation, schemas)}"]
    yield f"  {json.dumps(f'{method} {path}')}: {{ {'; '.join(fields)} }};"


def _object(fields: Mapping[str, str]) -> str:
    return "{ " + "; ".join(f"{name}: {kind}" for name, kind in fields.items()) + " }" if fields else "{}"


def _body(operation: Mapping[str, Any]) -> str:
    body = operation.get("requestBody")
    if body is None:
        return "undefined"
    kinds: list[str] = []
    for media, content in body["content"].items():
        kinds.append(_type(content.get("schema", {})) if media == "application/json" else "BodyInit")
    if not body.get("required"):
        kinds.append("undefined")
    return " | ".join(dict.fromkeys(kinds))


def _answer(path: str, operation: Mapping[str, Any], schemas: Mapping[str, Any]) -> str:
    kinds: list[str] = []
    for status, answer in operation["responses"].items():
        if not status.startswith("2"):
            continue
        content = answer.get("content")
        if not content:
            kinds.append("undefined" if status == "204" else "Response")
        elif "application/json" in content:
            kinds.append(_type(_opened(path, content["application/json"].get("schema", {}), schemas)))
        else:
            kinds.append("Response")
    return " | ".join(dict.fromkeys(kinds)) or "undefined"


def _opened(path: str, schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> Mapping[str, Any]:
    """What is in the envelope of the addresses below /admin."""
    if path.startswith("/admin/") and "$ref" in schema:
        whole = schemas[schema["$ref"].removeprefix(_REF)]
        if "data" in whole.get("properties", {}):
            data: Mapping[str, Any] = whole["properties"]["data"]
            return data
    return schema


def _type(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        return _type_name(schema["$ref"].removeprefix(_REF))
    if "const" in schema:
        return json.dumps(schema["const"])
    if "enum" in schema:
        return " | ".join(json.dumps(value) for value in schema["enum"])
    for key, sign in (("anyOf", " | "), ("oneOf", " | "), ("allOf", " & ")):
        if key in schema:
            kinds = dict.fromkeys(_type(each) for each in schema[key])
            return sign.join(f"({kind})" if "|" in kind and sign == " & " else kind for kind in kinds)
    kind = schema.get("type")
    if isinstance(kind, list):
        return " | ".join(_type({**schema, "type": each}) for each in kind)
    if kind == "array":
        return f"Array<{_type(schema.get('items', {}))}>"
    if kind == "object":
        return _object_type(schema)
    return _PRIMITIVES.get(str(kind), "unknown")


def _object_type(schema: Mapping[str, Any]) -> str:
    required = schema.get("required", ())
    fields = {
        _key(name) + ("" if name in required else "?"): _type(each)
        for name, each in schema.get("properties", {}).items()
    }
    more = schema.get("additionalProperties", not fields)
    if not more:
        return _object(fields)
    record = f"Record<string, {_type(more) if isinstance(more, Mapping) else 'unknown'}>"
    return f"{_object(fields)} & {record}" if fields and more is not True else _object(fields) if fields else record


def _key(name: str) -> str:
    return name if _NAME.fullmatch(name) else json.dumps(name)


def _type_name(name: str) -> str:
    """FastAPI's own have a module or a mark for input and output in them."""
    return re.sub(r"\W+", "_", name)
