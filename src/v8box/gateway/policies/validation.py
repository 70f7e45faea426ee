"""Checking a request's params against the worker's JSON Schema, before a sandbox is woken.

A body that becomes params is read here, up to a bound that depends on what the schema costs, and handed on unchanged.
Other bodies are not touched: then the params are the query.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from v8box.catalog.json_schema import MAX_VALUE_DEPTH, compile_schema, cost_of
from v8box.catalog.policies import ParamsSchema
from v8box.errors import RequestTimeout, V8BoxError
from v8box.gateway.policies.params import (
    Coerce,
    body_kind,
    coerced,
    coercion_of,
    form_params,
    json_params,
    query_params,
)
from v8box.gateway.policies.passage import Passage, Receive
from v8box.gateway.policies.refusals import BadParams, BodyTooLarge, SchemaMismatch

_log: Final = logging.getLogger(__name__)

MAX_BODY_BYTES: Final = 1_048_576
MIN_BODY_BYTES: Final = 16_384
BODY_COST: Final = 16 * 1_048_576
"""Bytes times the checks that one value may cost: about a tenth of a second at most."""
MAX_ERRORS: Final = 20
_MAX_MESSAGE: Final = 300
_BODY_SECONDS: Final = 30.0
_MAX_REMEMBERED: Final = 1024
_MAX_REMEMBERED_LENGTH: Final = 256


class NoValidation:
    """Any params will do."""

    __slots__ = ()

    async def read(self, passage: Passage, receive: Receive) -> Receive:
        return receive

    def check(self, passage: Passage, body: bytes) -> None:
        """Nothing."""


class Validation:
    """What one schema asks."""

    __slots__ = ("_coercions", "_good", "_is_valid", "_validator", "max_body_bytes")

    def __init__(self, text: str) -> None:
        schema = msgspec.json.decode(text)
        self._validator = compile_schema(schema)
        self._is_valid = self._validator.is_valid
        self._good: set[str] = set()
        """Queries that fit, within a bound: a query says all there is to check."""
        self._coercions = _coercions(schema)
        self.max_body_bytes = max(MIN_BODY_BYTES, min(MAX_BODY_BYTES, BODY_COST // cost_of(schema)))

    async def read(self, passage: Passage, receive: Receive) -> Receive:
        """Reads the body if it becomes params, and checks them. Gives what reads it once more."""
        headers = passage.headers
        if passage.invocation.method in ("GET", "HEAD") or body_kind(headers.get("content-type")) is None:
            self.check(passage, b"")
            return receive
        length = passage.incoming.content_length
        if length is not None and length > self.max_body_bytes:
            raise self._too_large()
        body = bytearray()
        more = True
        try:
            async with asyncio.timeout(_BODY_SECONDS):
                while more:
                    message = await receive()
                    if message["type"] != "http.request":
                        raise BadParams("The request body did not arrive as a whole.")
                    body += message.get("body", b"")
                    more = message.get("more_body", False)
                    if len(body) > self.max_body_bytes:
                        raise self._too_large()
        except TimeoutError:
            raise RequestTimeout from None
        whole = bytes(body)
        self.check(passage, whole)
        return _replayed(whole, receive)

    def check(self, passage: Passage, body: bytes) -> None:
        """Raises `SchemaMismatch`, `BadParams`."""
        url = passage.invocation.url
        at = url.find("?") + 1
        query = url[at:] if at else ""
        if not body and query in self._good:
            return
        params = coerced(query_params(query), self._coercions)
        if body:
            content_type = passage.headers["content-type"]
            if body_kind(content_type) == "json":
                params = json_params(params, body)
                if _depth(params) > MAX_VALUE_DEPTH:
                    raise BadParams(f"The request body is nested more than {MAX_VALUE_DEPTH} deep.")
            else:
                params = form_params(params, body, content_type, self._coercions)
        if not self._is_valid(params):
            raise self._mismatch(params)
        if not body and len(query) <= _MAX_REMEMBERED_LENGTH:
            if len(self._good) >= _MAX_REMEMBERED:
                self._good.clear()
            self._good.add(query)

    def _mismatch(self, params: Mapping[str, Any]) -> SchemaMismatch:
        errors: list[dict[str, str]] = []
        for error in self._validator.iter_errors(params):
            if len(errors) == MAX_ERRORS:
                break
            errors.append({"pointer": _pointer(error.instance_path), "message": error.message[:_MAX_MESSAGE]})
        first = errors[0] if errors else {"pointer": "#", "message": "they do not fit"}
        where = "" if first["pointer"] == "#" else f"{first['pointer']}: "
        detail = f"The params do not fit what this worker takes: {where}{first['message']}."
        return SchemaMismatch(detail, fields={"errors": errors})

    def _too_large(self) -> BodyTooLarge:
        return BodyTooLarge(
            f"A body that this worker has checked may have {self.max_body_bytes} bytes.",
            fields={"limit": self.max_body_bytes},
        )


def _replayed(body: bytes, receive: Receive) -> Receive:
    """Gives the body that was read, then what comes after it."""
    first: dict[str, Any] | None = {"type": "http.request", "body": body, "more_body": False}

    async def replay() -> Any:
        nonlocal first
        if first is None:
            return await receive()
        message, first = first, None
        return message

    return replay


def _depth(value: Any) -> int:
    """How deep a value is nested. Level by level: it may be deeper than Python's stack."""
    depth = 0
    level = [value]
    while level:
        depth += 1
        level = [
            item
            for each in level
            for item in (each.values() if isinstance(each, dict) else each)
            if isinstance(item, dict | list)
        ]
    return depth


def _pointer(path: list[str | int]) -> str:
    return "#" + "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)


def _coercions(schema: Any) -> dict[str, Coerce]:
    """How the texts of a query become what the schema asks for, by the name of the param."""
    found: dict[str, Coerce] = {}
    for node in _same_value(schema, schema):
        for name, sub in node.get("properties", {}).items():
            types = _types(schema, sub)
            item = None
            for each in _same_value(schema, sub):
                if "items" in each:
                    item = coercion_of(_types(schema, each["items"]))
            if (coerce := coercion_of(types, item)) is not None:
                found.setdefault(name, coerce)
    return found


def _types(root: Any, schema: Any) -> frozenset[str]:
    """The types that a schema speaks of, its alternatives' among them."""
    found: set[str] = set()
    for node in _same_value(root, schema):
        kind = node.get("type", [])
        found.update([kind] if isinstance(kind, str) else kind)
        values = [*node.get("enum", []), *([node["const"]] if "const" in node else [])]
        if "type" not in node:
            found.update(_NAMES.get(type(value), "") for value in values)
    return frozenset(found)


_NAMES: Final = {str: "string", bool: "boolean", int: "integer", float: "number"}


def _same_value(root: Any, schema: Any) -> list[dict[str, Any]]:
    """The schema, and those it refers to or combines, that speak of the same value. The checks of `catalog.json_schema`
    have seen to it that they end."""
    found: list[dict[str, Any]] = []
    waiting = [schema]
    while waiting and len(found) < 200:
        node = waiting.pop()
        if not isinstance(node, dict):
            continue
        found.append(node)
        for key in ("allOf", "anyOf", "oneOf"):
            waiting += node.get(key, [])
        if "$ref" in node:
            waiting.append(_resolved(root, node["$ref"]))
    return found


def _resolved(root: Any, reference: str) -> Any:
    value = root
    for part in reference.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        value = value[int(name)] if isinstance(value, list) else value[name]
    return value


def compile_check(schema: ParamsSchema | None) -> Validation | NoValidation:
    """Raises `V8BoxError` for a schema that was good when it was deployed and is not now."""
    if schema is None:
        return NoValidation()
    try:
        return Validation(schema.params)
    except ValueError as error:
        _log.error("a schema cannot be used any more, deploy its worker again: %s", error)
        raise V8BoxError from error
