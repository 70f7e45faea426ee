"""The `params` of a request, as the worker will see them: the query, with the fields of a JSON or form body over it.

It follows `runtime/params.ts`. Texts become numbers and booleans where the schema asks for those, since a query has
nothing but texts; only what is checked changes, not what the worker gets.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Literal
from urllib.parse import parse_qsl

import msgspec
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from v8box.gateway.policies.refusals import BadParams

MAX_FIELDS: Final = 1_000

Coerce = Callable[[Any], Any]

_INTEGER: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,17})")
_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,3})?")


def query_params(query: str) -> dict[str, Any]:
    """Several values of a name become a list."""
    if not query:
        return {}
    return _gathered(_pairs(query))


def body_kind(content_type: str | None) -> Literal["json", "form"] | None:
    """Which parser a content type calls for; None for a body that is no params."""
    if content_type is None:
        return None
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "application/json" or kind.endswith("+json"):
        return "json"
    return "form" if kind in ("application/x-www-form-urlencoded", "multipart/form-data") else None


def json_params(params: dict[str, Any], body: bytes) -> dict[str, Any]:
    """The fields of a JSON body over the query; a body that is no object is `params.body`. Raises `BadParams`."""
    if not body:
        return params
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadParams(f"The request body is not valid JSON: {error}") from None
    return {**params, **value} if isinstance(value, dict) else {**params, "body": value}


def form_params(
    params: dict[str, Any], body: bytes, content_type: str, coercions: Mapping[str, Coerce]
) -> dict[str, Any]:
    """The fields of a form over the query. A file is an object with `name`, `type` and `size`. Raises `BadParams`."""
    kind, options = parse_options_header(content_type)
    if kind == b"application/x-www-form-urlencoded":
        fields = _gathered(_pairs(body.decode("utf-8", "replace")))
    else:
        fields = _gathered(_multipart(body, options.get(b"boundary", b"")))
    return {**params, **coerced(fields, coercions)}


def coerced(params: dict[str, Any], coercions: Mapping[str, Coerce]) -> dict[str, Any]:
    """The params with texts turned into what the schema asks for, where they can be."""
    for name in params:
        coerce = coercions.get(name)
        if coerce is not None:
            params[name] = coerce(params[name])
    return params


def coercion_of(types: frozenset[str], item: Coerce | None = None) -> Coerce | None:
    """How a text becomes one of these types; None where it stays as it is."""
    if "array" in types:
        one = item or _same

        def to_list(value: Any) -> Any:
            return [one(each) for each in value] if isinstance(value, list) else [one(value)]

        return None if "string" in types else to_list
    if "string" in types or not types & {"integer", "number", "boolean"}:
        return None

    def to_scalar(value: Any) -> Any:
        if not isinstance(value, str):
            return value
        if "boolean" in types and value in ("true", "false"):
            return value == "true"
        if _INTEGER.fullmatch(value) and types & {"integer", "number"}:
            return int(value)
        if "number" in types and _NUMBER.fullmatch(value):
            return float(value)
        return value

    return to_scalar


def _same(value: Any) -> Any:
    return value


def _pairs(text: str) -> list[tuple[str, Any]]:
    if "%" not in text and "+" not in text and text.isascii() and text.count("&") < MAX_FIELDS:
        found: list[tuple[str, Any]] = []
        for part in text.split("&"):
            if part:
                name, _, value = part.partition("=")
                found.append((name, value))
        return found
    try:
        return parse_qsl(text, keep_blank_values=True, errors="replace", max_num_fields=MAX_FIELDS)
    except ValueError:
        raise BadParams(f"The request has more than {MAX_FIELDS} params.") from None


def _gathered(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        before = found.get(name)
        if name not in found:
            found[name] = value
        elif isinstance(before, list):
            before.append(value)
        else:
            found[name] = [before, value]
    return found


class _Part:
    """A part of a multipart form, while it is read."""

    def __init__(self) -> None:
        self.headers: dict[bytes, bytes] = {}
        self.name = b""
        self.value = b""
        self.body = bytearray()

    def field(self) -> tuple[str, Any]:
        _, options = parse_options_header(self.headers.get(b"content-disposition", b""))
        name = options.get(b"name", b"").decode("utf-8", "replace")
        if b"filename" not in options:
            return name, self.body.decode("utf-8", "replace")
        described = {"name": options[b"filename"].decode("utf-8", "replace"), "size": len(self.body)}
        return name, {**described, "type": self.headers.get(b"content-type", b"").decode("latin-1")}


def _multipart(body: bytes, boundary: bytes) -> list[tuple[str, Any]]:
    parts: list[_Part] = []
    done = False

    def on_begin() -> None:
        if len(parts) >= MAX_FIELDS:
            raise BadParams(f"The form has more than {MAX_FIELDS} fields.")
        parts.append(_Part())

    def on_name(data: bytes, start: int, end: int) -> None:
        parts[-1].name += data[start:end]

    def on_value(data: bytes, start: int, end: int) -> None:
        parts[-1].value += data[start:end]

    def on_header_end() -> None:
        part = parts[-1]
        part.headers[part.name.lower()] = part.value
        part.name = part.value = b""

    def on_data(data: bytes, start: int, end: int) -> None:
        parts[-1].body += data[start:end]

    def on_end() -> None:
        nonlocal done
        done = True

    try:
        parser = MultipartParser(
            boundary,
            {
                "on_part_begin": on_begin,
                "on_header_field": on_name,
                "on_header_value": on_value,
                "on_header_end": on_header_end,
                "on_part_data": on_data,
                "on_end": on_end,
            },
        )
        parser.write(body)
        parser.finalize()
    except FormParserError:
        done = False
    if not done:
        raise BadParams("The request body is not a valid form.")
    return [part.field() for part in parts]
