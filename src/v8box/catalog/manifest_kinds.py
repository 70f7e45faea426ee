"""What a key of the manifest may hold: each kind reads a value, tells its faults, and knows its JSON Schema.

The keys themselves are in `manifest_keys`. Both sides come from one place, so the editor and the box cannot disagree.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Generic, Protocol, TypeVar

T = TypeVar("T")
R = TypeVar("R", covariant=True)
KeyPath = tuple[str | int, ...]
JsonSchema = dict[str, Any]
REQUIRED: Final = object()
"""The default of a key that must be there."""


class At:
    """A place in a manifest: where faults are gathered, and where files that it names are read from."""

    __slots__ = ("_files", "faults", "path")

    def __init__(self, faults: list[tuple[str, KeyPath]], files: Callable[[str], bytes], path: KeyPath = ()) -> None:
        self.faults = faults
        self._files = files
        self.path = path

    def __truediv__(self, part: str | int) -> At:
        return At(self.faults, self._files, (*self.path, part))

    def unheard(self) -> At:
        """The same place, where nobody hears of faults."""
        return At([], self._files, self.path)

    @property
    def name(self) -> str:
        """`rate_limit[1].by`, as faults have it."""
        parts = [f"[{part}]" if isinstance(part, int) else f".{part:.60}" for part in self.path]
        return "".join(parts).lstrip(".") or "the manifest"

    def fault(self, message: str, *, joined: str = " ") -> None:
        self.faults.append((f"{self.name}{joined}{message}", self.path))

    def read_file(self, name: str) -> bytes:
        """A file beside the manifest. Raises `OSError`, `ValueError`."""
        return self._files(name)


class Kind(Protocol[R]):
    """One kind of value."""

    def read(self, value: Any, at: At) -> R:
        """The value as records have it; after a fault was told, something of its type."""

    def schema(self) -> JsonSchema:
        """What an editor is told of it."""


@dataclass(frozen=True)
class Whole:
    """A whole number."""

    low: int
    high: int

    def read(self, value: Any, at: At) -> int:
        if isinstance(value, int) and not isinstance(value, bool) and self.low <= value <= self.high:
            return value
        at.fault(f"must be a whole number from {self.low} to {self.high}")
        return self.low

    def schema(self) -> JsonSchema:
        return {"type": "integer", "minimum": self.low, "maximum": self.high}


@dataclass(frozen=True)
class Share:
    """A number from 0 to 1."""

    def read(self, value: Any, at: At) -> float:
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1:
            return float(value)
        at.fault("must be a number from 0 to 1")
        return 1.0

    def schema(self) -> JsonSchema:
        return {"type": "number", "minimum": 0, "maximum": 1}


@dataclass(frozen=True)
class Flag:
    """true or false."""

    def read(self, value: Any, at: At) -> bool:
        if isinstance(value, bool):
            return value
        at.fault("must be true or false")
        return False

    def schema(self) -> JsonSchema:
        return {"type": "boolean"}


@dataclass(frozen=True)
class Word:
    """One of a few words."""

    words: Sequence[str]

    def read(self, value: Any, at: At) -> Any:
        if isinstance(value, str) and value in self.words:
            return value
        *most, last = (f'"{word}"' for word in self.words)
        at.fault(f"must be {', '.join(most)} or {last}")
        return self.words[0]

    def schema(self) -> JsonSchema:
        return {"enum": list(self.words)}


@dataclass(frozen=True)
class Text(Generic[T]):
    """A text that `parse` takes; it raises `ValueError` with what is wrong. `pattern` is what editors check."""

    parse: Callable[[str], T]
    empty: T
    pattern: str = ""

    def read(self, value: Any, at: At) -> T:
        if not isinstance(value, str):
            at.fault("must be a text, in quotes")
            return self.empty
        try:
            return self.parse(value)
        except ValueError as error:
            at.fault(str(error))
            return self.empty

    def schema(self) -> JsonSchema:
        return {"type": "string", **({"pattern": self.pattern} if self.pattern else {})}


def matching(pattern: str, wanted: str) -> Text[str]:
    """A text of one form."""
    compiled = re.compile(pattern)

    def parse(value: str) -> str:
        if compiled.fullmatch(value) is None:
            raise ValueError(f"must be {wanted}")
        return value

    return Text(parse, "", f"^(?:{pattern})$")


@dataclass(frozen=True)
class Each(Generic[T]):
    """A list. A fault of an item is told with the list's name and the item."""

    parse: Callable[[Any], T]
    most: int
    of: str
    item: Mapping[str, Any]
    unique: bool = True

    def read(self, value: Any, at: At) -> tuple[T, ...]:
        if not isinstance(value, list) or len(value) > self.most:
            at.fault(f"must be a list of up to {self.most} {self.of}")
            return ()
        found: list[T] = []
        for index, item in enumerate(value):
            try:
                found.append(self.parse(item))
            except ValueError as error:
                at.faults.append((f"{at.name}: {item!r:.80} {error}", (*at.path, index)))
        return tuple(dict.fromkeys(found) if self.unique else found)

    def schema(self) -> JsonSchema:
        return {"type": "array", "maxItems": self.most, "items": dict(self.item)}


def texts(parse: Callable[[str], T], most: int, of: str, pattern: str = "") -> Each[T]:
    """A list of texts."""

    def parse_item(value: Any) -> T:
        if not isinstance(value, str):
            raise ValueError("must be a text")
        return parse(value)

    return Each(parse_item, most, of, {"type": "string", **({"pattern": pattern} if pattern else {})})


@dataclass(frozen=True)
class Key:
    """A key of a table."""

    name: str
    kind: Kind[Any]
    default: Any
    doc: str
    """What it means, for the reference and for editors."""
    field: str = ""
    """The record's field, where it is called otherwise."""
    shown: str = ""
    """The default in words, where the value does not say it."""


@dataclass(frozen=True)
class Table(Generic[T]):
    """A table of known keys. `make` builds the record of what was read; `check` looks at it as a whole."""

    make: Callable[..., T]
    keys: tuple[Key, ...]
    check: Callable[[T, At], None] | None = None

    def read(self, value: Any, at: At) -> T:
        told = len(at.faults)
        found: dict[str, Any] = {}
        table = value if isinstance(value, dict) else {}
        if table is not value:
            at.fault("must be a table")
        tell_unknown(table, [key.name for key in self.keys], at)
        for key in self.keys:
            if key.name in table:
                found[key.field or key.name] = key.kind.read(table[key.name], at / key.name)
            elif key.default is REQUIRED:
                if table is value:
                    (at / key.name).fault("is missing")
                found[key.field or key.name] = key.kind.read(None, at.unheard())
            else:
                found[key.field or key.name] = key.default
        record = self.make(**found)
        if self.check is not None and len(at.faults) == told:
            self.check(record, at)
        return record

    def schema(self) -> JsonSchema:
        properties: dict[str, Any] = {}
        for key in self.keys:
            properties[key.name] = {"description": key.doc, **key.kind.schema()}
            if isinstance(key.default, str | int | bool) and key.default != "" and not key.shown:
                properties[key.name]["default"] = key.default
        found: JsonSchema = {"type": "object", "additionalProperties": False, "properties": properties}
        if required := [key.name for key in self.keys if key.default is REQUIRED]:
            found["required"] = required
        return found


@dataclass(frozen=True)
class Tables(Generic[T]):
    """`[[name]]`, several tables of one kind; where `single` is allowed, `[name]` is a list of one."""

    table: Table[T]
    most: int
    single: bool = False

    def read(self, value: Any, at: At) -> tuple[T, ...]:
        if self.single and isinstance(value, dict):
            return (self.table.read(value, at),)
        if not isinstance(value, list) or len(value) > self.most:
            at.fault(f"must be up to {self.most} tables: [[{at.name}]]")
            return ()
        return tuple(self.table.read(item, at / index) for index, item in enumerate(value))

    def schema(self) -> JsonSchema:
        several: JsonSchema = {"type": "array", "maxItems": self.most, "items": self.table.schema()}
        return {"anyOf": [self.table.schema(), several]} if self.single else several


@dataclass(frozen=True)
class Map(Generic[T]):
    """A table whose keys are the user's own."""

    read_item: Callable[[str, Any, At], T]
    most: int
    of: str
    item: Mapping[str, Any]
    name_pattern: str
    check: Callable[[Mapping[str, T], At], None] | None = None

    def read(self, value: Any, at: At) -> Mapping[str, T]:
        if not isinstance(value, dict):
            at.fault("must be a table")
            return MappingProxyType({})
        if len(value) > self.most:
            at.fault(f"may hold {self.most} {self.of}")
        found = {key: self.read_item(key, item, at / key) for key, item in value.items()}
        if self.check is not None:
            self.check(found, at)
        return MappingProxyType(found)

    def schema(self) -> JsonSchema:
        return {
            "type": "object",
            "maxProperties": self.most,
            "propertyNames": {"pattern": self.name_pattern},
            "additionalProperties": dict(self.item),
        }


def tell_unknown(table: Mapping[str, Any], known: Sequence[str], at: At) -> None:
    """Keys that are not known are faults: a misspelled limit would be no limit."""
    for key in table:
        if key not in known:
            near = difflib.get_close_matches(key, sorted(known), n=1)
            (at / key).fault(f"is not known{f'; did you mean {near[0]}?' if near else ''}")
