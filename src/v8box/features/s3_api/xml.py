"""S3's XML: written as text, read by a parser that refuses what no S3 client sends: a DOCTYPE, entities, depth."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final
from xml.parsers import expat

from v8box.features.s3_api.errors import S3Error

NAMESPACE: Final = "http://s3.amazonaws.com/doc/2006-03-01/"
_PROLOG: Final = '<?xml version="1.0" encoding="UTF-8"?>\n'
_SPECIAL: Final = re.compile('[&<>"\x00-\x08\x0b-\x1f\ufffe\uffff]')
_ENTITIES: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"}
_MAX_DEPTH: Final = 6
_MAX_TEXT: Final = 4_096


def text(name: str, value: str | int | bool) -> str:
    """An element with a text. Characters that XML 1.0 has no place for are written as S3 does, by their number; clients
    that have such keys ask for `encoding-type=url`."""
    shown = ("true" if value else "false") if isinstance(value, bool) else str(value)
    return f"<{name}>{_SPECIAL.sub(_escape, shown)}</{name}>"


def _escape(match: re.Match[str]) -> str:
    character = match[0]
    return _ENTITIES.get(character) or f"&#x{ord(character):x};"


def element(name: str, *children: str) -> str:
    return f"<{name}>{''.join(children)}</{name}>"


def document(name: str, *children: str) -> bytes:
    """A whole answer."""
    return f'{_PROLOG}<{name} xmlns="{NAMESPACE}">{"".join(children)}</{name}>'.encode()


def error_document(fields: Iterable[tuple[str, str]]) -> bytes:
    """An error. S3 gives it no namespace."""
    return (_PROLOG + element("Error", *(text(name, value) for name, value in fields))).encode()


@dataclass(slots=True)
class Tree:
    """What was read: the texts right below the root, and the elements there that have elements of their own."""

    texts: dict[str, str] = field(default_factory=dict)
    records: list[dict[str, str]] = field(default_factory=list)


def read(data: bytes, root: str, record: str, most: int) -> Tree:
    """Reads `<root>` with up to `most` of `<record>`. Raises `S3Error`."""
    reader = _Reader(root, record, most)
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.characters
    parser.StartDoctypeDeclHandler = _refuse
    parser.EntityDeclHandler = _refuse
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, UnicodeError) as error:
        raise S3Error("MalformedXML") from error
    return reader.tree


def _refuse(*_: object) -> None:
    raise S3Error("MalformedXML", "A document type declaration is not accepted.")


class _Reader:
    def __init__(self, root: str, record: str, most: int) -> None:
        self.tree = Tree()
        self._root = root
        self._record = record
        self._most = most
        self._path: list[str] = []
        self._text = ""

    def start(self, name: str, _: dict[str, str]) -> None:
        local = name.rpartition(":")[2]
        if not self._path and local != self._root:
            raise S3Error("MalformedXML")
        if len(self._path) >= _MAX_DEPTH:
            raise S3Error("MalformedXML")
        if len(self._path) == 1 and local == self._record:
            if len(self.tree.records) >= self._most:
                raise S3Error("MalformedXML", f"There may be {self._most} {self._record} elements.")
            self.tree.records.append({})
        self._path.append(local)
        self._text = ""

    def characters(self, data: str) -> None:
        if len(self._text) + len(data) > _MAX_TEXT:
            raise S3Error("MalformedXML")
        self._text += data

    def end(self, _: str) -> None:
        name = self._path.pop()
        if len(self._path) == 1 and name != self._record:
            self.tree.texts[name] = self._text
        elif len(self._path) == 2 and self._path[1] == self._record:
            fields = self.tree.records[-1]
            if name in fields:
                raise S3Error("MalformedXML")
            fields[name] = self._text
        self._text = ""
