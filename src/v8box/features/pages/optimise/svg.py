"""SVG without comments, editors' notes and indentation. What is drawn stays as it is written, every number of it."""

from __future__ import annotations

import re
from typing import Final
from xml.parsers import expat

_TAG: Final = re.compile(rb"<([^\s/>]+)((?:[^>\"']|\"[^\"]*\"|'[^']*')*?)\s*(/?)>", re.DOTALL)
_ATTRIBUTE: Final = re.compile(rb"([^\s=/>\"']+)\s*=\s*(\"[^\"]*\"|'[^']*')", re.DOTALL)
_TEXTS: Final = frozenset(
    {"text", "tspan", "textPath", "title", "desc", "style", "script", "foreignObject", "tref", "altGlyph"}
)
_EDITORS: Final = {
    "inkscape": b"http://www.inkscape.org/namespaces/inkscape",
    "sodipodi": b"http://sodipodi.sourceforge.net/DTD/sodipodi-0.dtd",
    "sketch": b"http://www.bohemiancoding.com/sketch/ns",
}


class NotSvg(ValueError):
    """It is not well-formed, not in UTF-8, or declares entities: nothing of it is changed."""


def minify_svg(data: bytes) -> bytes:
    """Raises `NotSvg`."""
    return _Pass(data).run()


class _Pass:
    """One way through the file: what lies between two tags is looked at when the second is met."""

    def __init__(self, data: bytes) -> None:
        self._data = data.removeprefix(b"\xef\xbb\xbf")
        self._out: list[bytes] = []
        self._behind = 0
        """Where what has been dealt with ends."""
        self._empty: list[bool] = []
        """Of every open element, whether its start tag is its end tag, too."""
        self._kept = 0
        """How many open elements have text of their own."""
        self._dropped = 0
        """How many open elements are editors' notes or in one."""
        self._editors = tuple(name + ":" for name, space in _EDITORS.items() if space in self._data)

    def run(self) -> bytes:
        parser = expat.ParserCreate()
        self._parser = parser
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CommentHandler = self._comment
        parser.XmlDeclHandler = self._declared
        parser.StartDoctypeDeclHandler = self._doctype
        parser.StartCdataSectionHandler = self._cdata
        parser.ProcessingInstructionHandler = lambda *_: self._verbatim(b"?>")
        try:
            parser.Parse(self._data, True)
        except expat.ExpatError as error:
            raise NotSvg from error
        self._between(len(self._data))
        return b"".join(self._out)

    def _between(self, end: int) -> None:
        text = self._data[self._behind : end]
        self._behind = max(self._behind, end)
        if not self._dropped and text and (self._kept or text.strip(b" \t\r\n")):
            self._out.append(text)

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        at = self._parser.CurrentByteIndex
        self._between(at)
        match = _TAG.match(self._data, at)
        if match is None:
            raise NotSvg
        self._behind = match.end()
        note = name == "metadata" or name.startswith(self._editors)
        self._dropped += bool(self._dropped or note)
        self._empty.append(bool(match[3]))
        local = name.rpartition(":")[2]
        self._kept += bool(self._kept or local in _TEXTS or attributes.get("xml:space") == "preserve")
        if self._dropped:
            return
        pairs = [(pair[1], pair[2]) for pair in _ATTRIBUTE.finditer(match[2])]
        kept = [key + b"=" + value for key, value in pairs if not key.decode().startswith(self._editors)]
        self._out.append(b" ".join([b"<" + match[1], *kept]) + match[3] + b">")

    def _end(self, _: str) -> None:
        if not self._empty.pop():
            at = self._parser.CurrentByteIndex
            self._between(at)
            end = self._data.index(b">", at) + 1
            if not self._dropped:
                self._out.append(self._data[at:end])
            self._behind = end
        self._dropped -= bool(self._dropped)
        self._kept -= bool(self._kept)

    def _comment(self, text: str) -> None:
        at = self._parser.CurrentByteIndex
        self._between(at)
        self._behind = at + len(text.encode()) + len(b"<!---->")
        if self._data[self._behind - 3 : self._behind] != b"-->":
            self._behind = self._data.index(b"-->", at + 4) + 3  # line ends of two bytes count as one in the text

    def _verbatim(self, end: bytes) -> None:
        at = self._parser.CurrentByteIndex
        self._between(at)
        self._behind = self._data.index(end, at) + len(end)
        if not self._dropped:
            self._out.append(self._data[at : self._behind])

    def _cdata(self) -> None:
        self._verbatim(b"]]>")

    def _declared(self, _: str, encoding: str | None, __: int) -> None:
        if encoding is not None and encoding.lower() != "utf-8":
            raise NotSvg
        self._verbatim(b"?>")

    def _doctype(self, _: str, __: str | None, ___: str | None, has_subset: int) -> None:
        if has_subset:
            raise NotSvg
        self._verbatim(b">")
