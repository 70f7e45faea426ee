"""Which JSON Schemas the gateway takes for a worker's params, and what checking a request against one may cost.

The gateway checks requests of every tenant in one process, so a schema must not be able to hold it up: references stay
within the schema, patterns run in linear time, and what one value may cost is counted before anything is compiled.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

MAX_BYTES: Final = 64 * 1024
MAX_DEPTH: Final = 32
MAX_VALUE_DEPTH: Final = 64
"""How deep a value may be nested that is checked against a schema: a check goes down with it."""
MAX_COST: Final = 2_000
"""Subschemas and keywords that may look at one value, alternatives and references written out."""
REGEX_BYTES: Final = 1 << 18
"""What one compiled pattern may take."""

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_DIALECTS: Final = (DIALECT, DIALECT + "#")
_REFUSED: Final = (
    "$id",
    "$anchor",
    "$dynamicRef",
    "$dynamicAnchor",
    "$recursiveRef",
    "$recursiveAnchor",
    "$vocabulary",
)

# Where a keyword's subschemas stand, and what they look at: the same value, or a part of it.
_SAME_LISTS: Final = ("allOf", "anyOf", "oneOf")
_SAME: Final = ("not", "if", "then", "else")
_SAME_MAPS: Final = ("dependentSchemas",)
_ITEM_LISTS: Final = ("prefixItems",)
_ITEMS: Final = ("items", "contains", "unevaluatedItems")
_OTHER_MEMBERS: Final = ("additionalProperties", "unevaluatedProperties")
_MEMBERS: Final = ("propertyNames",)
_UNEVALUATED: Final = ("unevaluatedItems", "unevaluatedProperties")


class BadSchema(ValueError):
    """What is wrong with a schema, in words that go on from its name."""


def check_schema(schema: Any) -> str:
    """The schema as it is stored: JSON whose order does not depend on how it was written. Raises `BadSchema`."""
    if not isinstance(schema, dict | bool):
        raise BadSchema("must be a JSON Schema: an object, true or false")
    try:
        text = json.dumps(schema, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        size = len(text.encode())
    except (ValueError, TypeError, RecursionError) as error:
        raise BadSchema(f"is no JSON: {error}") from None
    if size > MAX_BYTES:
        raise BadSchema(f"is longer than {MAX_BYTES // 1024} KB")
    _Graph(schema).check()
    compile_schema(schema)
    return text


def cost_of(schema: Any) -> int:
    """How many subschemas and keywords look at one value at most."""
    return _Graph(schema).cost()


def compile_schema(schema: Any) -> Any:
    """The validator. Raises `BadSchema`."""
    import jsonschema_rs  # only boxes that have a worker with a schema need it

    options = jsonschema_rs.RegexOptions(size_limit=REGEX_BYTES, dfa_size_limit=REGEX_BYTES)
    try:
        return jsonschema_rs.Draft202012Validator(
            schema, validate_formats=True, retriever=_no_retrieving, pattern_options=options
        )
    except jsonschema_rs.ValidationError as error:
        where = "/".join(str(part) for part in error.instance_path)
        raise BadSchema(f"is no JSON Schema: {error.message[:200]}{f' at {where[:200]}' if where else ''}") from None
    except (ValueError, jsonschema_rs.ReferencingError) as error:
        raise BadSchema(f"is no JSON Schema: {str(error)[:200]}") from None


def _no_retrieving(uri: str) -> Any:
    raise ValueError(f"{uri} is outside the schema")


class _Graph:
    """A schema's subschemas and how they lead to each other. Each is known by its JSON pointer."""

    def __init__(self, root: Any) -> None:
        self._root = root
        self._costs: dict[str, int] = {}
        self._open: set[str] = set()

    def check(self) -> None:
        self._walk(self._root, 0)
        if (cost := self.cost()) > MAX_COST:
            raise BadSchema(f"may cost {cost} checks of one value; {MAX_COST} are allowed: it repeats itself too often")
        self._check_recursion()

    def cost(self) -> int:
        """The dearest of all values: subschemas of its parts look at other values."""
        return max((self._cost(pointer) for pointer in self._nodes()), default=1)

    def _walk(self, value: Any, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise BadSchema(f"is nested more than {MAX_DEPTH} deep")
        if isinstance(value, dict):
            for key, item in value.items():
                if key in _REFUSED and isinstance(item, str) and depth:
                    raise BadSchema(f"uses {key}; references are written as #/$defs/<name> here")
                self._walk(item, depth + 1)
            dialect = value.get("$schema")
            if not depth and dialect is not None and dialect not in _DIALECTS:
                raise BadSchema(f"must be of the dialect {DIALECT}")
            if not depth and any(key in value for key in _REFUSED[1:]):
                raise BadSchema("uses anchors; references are written as #/$defs/<name> here")
        elif isinstance(value, list):
            for item in value:
                self._walk(item, depth + 1)

    # ---- cost

    def _cost(self, pointer: str) -> int:
        known = self._costs.get(pointer)
        if known is not None:
            return known
        if pointer in self._open:
            raise BadSchema(f"refers to itself without going deeper, at {pointer or '#'}")
        if len(self._open) >= MAX_DEPTH:
            raise BadSchema(f"refers on more than {MAX_DEPTH} times for one value")
        self._open.add(pointer)
        node = self._at(pointer)
        cost = max(1, len(node)) if isinstance(node, dict) else 1
        below = sum(min(self._cost(target), MAX_COST + 1) for target in self._same(pointer, node))
        cost += below * (2 if _is_unevaluated(node) else 1)  # what is left over is found by looking again
        self._open.discard(pointer)
        self._costs[pointer] = min(cost, MAX_COST + 1)
        return self._costs[pointer]

    def _nodes(self) -> list[str]:
        """Every subschema that can be reached from the root."""
        found: dict[str, None] = {}
        waiting = [""]
        while waiting:
            pointer = waiting.pop()
            if pointer not in found:
                found[pointer] = None
                waiting += self._next(pointer)
        return list(found)

    def _same(self, pointer: str, node: Any) -> list[str]:
        """The subschemas that look at the same value."""
        if not isinstance(node, dict):
            return []
        found = [self._target(node["$ref"])] if "$ref" in node else []
        found += [f"{pointer}/{key}" for key in _SAME if key in node]
        for key in _SAME_LISTS:
            found += [f"{pointer}/{key}/{index}" for index in range(len(_as_list(node.get(key))))]
        for key in _SAME_MAPS:
            found += [f"{pointer}/{key}/{_escaped(name)}" for name in _as_map(node.get(key))]
        return found

    def _parts(self, pointer: str, node: Any) -> Iterator[tuple[str, str]]:
        """The subschemas that look at a part of the value, and which: `[]` an item, `.name` the member of that name,
        `*` a member of another name than those in `properties`, `{}` any member."""
        if not isinstance(node, dict):
            return
        for key in _ITEM_LISTS:
            for index in range(len(_as_list(node.get(key)))):
                yield f"{pointer}/{key}/{index}", "[]"
        yield from ((f"{pointer}/{key}", "[]") for key in _ITEMS if key in node)
        yield from ((f"{pointer}/{key}", "*") for key in _OTHER_MEMBERS if key in node)
        yield from ((f"{pointer}/{key}", "{}") for key in _MEMBERS if key in node)
        for name in _as_map(node.get("properties")):
            yield f"{pointer}/properties/{_escaped(name)}", f".{name}"
        for name in _as_map(node.get("patternProperties")):
            yield f"{pointer}/patternProperties/{_escaped(name)}", "{}"

    # ---- recursion

    def _check_recursion(self) -> None:
        """A value's part must not be looked at along two ways that lead back to the same subschema: each level would
        double the work."""
        groups = self._groups()
        for pointer in groups:
            items = everywhere = 0
            members: list[tuple[dict[str, int], int]] = []  # of each subschema: by name, and of all other names
            for here in self._looking(pointer):
                node = self._at(here)
                named = dict.fromkeys(_as_map(node.get("properties")) if isinstance(node, dict) else (), 0)
                others = 0
                for target, part in self._parts(here, node):
                    back = int(groups[target] == groups[pointer])
                    if part == "[]":
                        items += back
                    elif part == "{}":
                        everywhere += back
                    elif part == "*":
                        others += back
                    else:
                        named[part[1:]] += back
                members.append((named, others))
            names = {name for named, _ in members for name in named}
            other = sum(others for _, others in members)
            ways = [sum(named.get(name, others) for named, others in members) for name in names]
            if max(items, everywhere + max(ways, default=0), everywhere + other) > 1:
                raise BadSchema("is recursive in several of its alternatives at once; checking it could take for ever")

    def _looking(self, pointer: str) -> Iterator[str]:
        """All subschemas that look at a value which one looks at, each as often as it does."""
        waiting = [pointer]
        while waiting:
            here = waiting.pop()
            node = self._at(here)
            yield here
            waiting += self._same(here, node) * (2 if _is_unevaluated(node) else 1)

    def _groups(self) -> dict[str, str]:
        """Of each subschema, the group of those that lead to each other in a circle (Kosaraju's algorithm)."""
        ahead = {pointer: self._next(pointer) for pointer in self._nodes()}
        back: dict[str, list[str]] = {pointer: [] for pointer in ahead}
        for pointer, targets in ahead.items():
            for target in targets:
                back[target].append(pointer)
        order: list[str] = []
        seen: set[str] = set()
        for start in ahead:
            waiting = [(start, False)]
            while waiting:
                pointer, done = waiting.pop()
                if done:
                    order.append(pointer)
                elif pointer not in seen:
                    seen.add(pointer)
                    waiting.append((pointer, True))
                    waiting += [(target, False) for target in ahead[pointer]]
        groups: dict[str, str] = {}
        for start in reversed(order):
            reached = [start]
            while reached:
                pointer = reached.pop()
                if pointer not in groups:
                    groups[pointer] = start
                    reached += back[pointer]
        return groups

    def _next(self, pointer: str) -> list[str]:
        node = self._at(pointer)
        return [*self._same(pointer, node), *(target for target, _ in self._parts(pointer, node))]

    # ---- pointers

    def _target(self, reference: Any) -> str:
        if not isinstance(reference, str) or not (reference == "#" or reference.startswith("#/")):
            raise BadSchema(f"refers to {reference!r:.80}: only references within it (#/$defs/<name>) are followed")
        pointer = reference[1:]
        if not isinstance(self._at(pointer), dict | bool):
            raise BadSchema(f"refers to {reference!r:.80}, which is no schema")
        return pointer

    def _at(self, pointer: str) -> Any:
        value = self._root
        for part in pointer.split("/")[1:]:
            name = part.replace("~1", "/").replace("~0", "~")
            try:
                value = value[int(name)] if isinstance(value, list) else value[name]
            except (KeyError, IndexError, ValueError, TypeError):
                raise BadSchema(f"refers to #{pointer[:80]}, which is not there") from None
        return value


def _is_unevaluated(node: Any) -> bool:
    return isinstance(node, dict) and any(key in node for key in _UNEVALUATED)


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _as_map(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")
