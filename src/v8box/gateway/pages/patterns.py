"""Paths with placeholders, as `_redirects` and `_headers` have them: `:name` is one segment, `*` is the rest.

Many patterns are matched at once by a tree of segments, so that ten thousand cost no more than a few. A segment is
compared decoded, and never divided by what it decodes to: `%2F` is no slash. A `*` that does not stand at the end
(`/docs/*.html`) is matched by an expression, in linear time (RE2).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final
from urllib.parse import quote, unquote

import re2

PLACEHOLDER: Final = re.compile(r":([A-Za-z]\w*)", re.ASCII)
_WHOLE_PLACEHOLDER: Final = re.compile(r":[A-Za-z]\w*", re.ASCII)
SPLAT: Final = "splat"
_SAFE: Final = "-._~!$&'()*+,;=:@"
MAX_SEGMENTS: Final = 100


class PatternError(ValueError):
    """The text is no pattern; the message says why."""


def segments_of(path: str) -> list[str]:
    """The decoded segments of a path as it was sent, the slash at its end left out."""
    parts = path.strip("/").split("/") if path.strip("/") else []
    return [unquote(part, errors="surrogateescape") if "%" in part else part for part in parts]


def encoded(segment: str) -> str:
    """A decoded segment as it stands in a URL; a slash within it stays a part of it."""
    return quote(segment, safe=_SAFE, errors="surrogateescape")


def check_pattern(pattern: str) -> None:
    """Raises `PatternError` for what `PatternTree` cannot hold."""
    if not pattern.startswith("/"):
        raise PatternError("a path begins with a slash")
    parts = segments_of(pattern)
    if len(parts) > MAX_SEGMENTS:
        raise PatternError(f"a path has {MAX_SEGMENTS} segments at most")
    names = PLACEHOLDER.findall(pattern)
    if len(set(names)) != len(names) or SPLAT in names:
        raise PatternError("a placeholder stands once, and none is called :splat")
    if pattern.count("*") > 1:
        raise PatternError("a path has one * at most")


class _Node:
    """Where the tree is after some segments. Rules by their place in the list."""

    __slots__ = ("ends", "literal", "mixed", "named", "splats", "starts")

    def __init__(self) -> None:
        self.literal: dict[str, _Node] = {}
        self.named: list[tuple[str, _Node]] = []
        self.mixed: list[tuple[re.Pattern[str], tuple[str, ...], _Node]] = []
        """A placeholder with text around it, as in `/:year-:month`."""
        self.ends: list[int] = []
        self.splats: list[int] = []
        self.starts: list[tuple[str, int]] = []
        """`/img*`: a segment that begins so, and all that follows."""


Match = tuple[int, Mapping[str, str]]
"""A pattern's place in the list, and what its placeholders stand for, encoded as in a URL."""


class PatternTree:
    """Finds the patterns that a path fits."""

    def __init__(self, patterns: Sequence[tuple[int, str]], *, ignore_case: bool = False) -> None:
        """`patterns`: each with the place by which it is told. All have passed `check_pattern`."""
        self._root = _Node()
        self._ignore_case = ignore_case
        self._loose: list[tuple[int, re2._Regexp]] = []
        for place, pattern in patterns:
            self._add(place, pattern.lower() if ignore_case else pattern)

    def _add(self, place: int, pattern: str) -> None:
        if "*" in pattern[:-1]:
            self._loose.append((place, _expression(pattern)))
            return
        node = self._root
        parts = segments_of(pattern)
        splat = bool(parts) and parts[-1].endswith("*")
        last = parts.pop()[:-1] if splat else ""
        for part in parts:
            node = _step(node, part)
        if not splat:
            node.ends.append(place)
        elif last:
            node.starts.append((last, place))
        else:
            node.splats.append(place)

    def matches(self, path: str) -> list[Match]:
        """Every pattern that fits, in the order of their places."""
        parts = segments_of(path.lower() if self._ignore_case else path)
        if len(parts) > 4 * MAX_SEGMENTS:
            return []
        found = list(_walk(self._root, parts, 0, {}))
        if self._loose:
            whole = "/" + "/".join(map(encoded, parts))
            for place, expression in self._loose:
                if (fits := expression.fullmatch(whole)) is not None:
                    found.append((place, {name: value or "" for name, value in fits.groupdict().items()}))
        found.sort(key=lambda match: match[0])
        return found


def _expression(pattern: str) -> re2._Regexp:
    """For a pattern with a `*` in the middle; it is matched against the encoded path."""
    written = "/" + "/".join(
        "*".join(":".join(encoded(text) for text in piece.split(":")) for piece in part.split("*"))
        for part in segments_of(pattern)
    )
    text = re2.escape(written).replace(re2.escape("*"), f"(?P<{SPLAT}>.*)")
    colon = re2.escape(":")
    return re2.compile(re.sub(rf"{re.escape(colon)}([A-Za-z]\w*)", r"(?P<\1>[^/]+)", text, flags=re.ASCII))


def _step(node: _Node, part: str) -> _Node:
    if not PLACEHOLDER.search(part):
        return node.literal.setdefault(part, _Node())
    if _WHOLE_PLACEHOLDER.fullmatch(part):
        name = part[1:]
        for known, child in node.named:
            if known == name:
                return child
        child = _Node()
        node.named.append((name, child))
        return child
    names = tuple(PLACEHOLDER.findall(part))
    pieces = PLACEHOLDER.split(part)[::2]
    # Each placeholder stops at the text behind it, so that no path can make this slow.
    expression = "".join(
        re.escape(piece) + (f"([^{re.escape(pieces[index + 1][0])}]+)" if pieces[index + 1] else "(.+)")
        for index, piece in enumerate(pieces[:-1])
    ) + re.escape(pieces[-1])
    pattern = re.compile(expression, re.DOTALL)
    for other, other_names, child in node.mixed:
        if (other.pattern, other_names) == (expression, names):
            return child
    child = _Node()
    node.mixed.append((pattern, names, child))
    return child


def _walk(node: _Node, parts: Sequence[str], at: int, held: dict[str, str]) -> Iterator[Match]:
    for place in node.splats:
        yield place, {**held, SPLAT: "/".join(map(encoded, parts[at:]))}
    if at == len(parts):
        for place in node.ends:
            yield place, dict(held)
        return
    part = parts[at]
    for start, place in node.starts:
        if part.startswith(start):
            rest = (part[len(start) :], *parts[at + 1 :])
            yield place, {**held, SPLAT: "/".join(map(encoded, rest))}
    child = node.literal.get(part)
    if child is not None:
        yield from _walk(child, parts, at + 1, held)
    if not part:
        return
    for name, child in node.named:
        yield from _walk(child, parts, at + 1, {**held, name: encoded(part)})
    for pattern, names, child in node.mixed:
        fits = pattern.fullmatch(part)
        if fits is not None:
            yield from _walk(
                child, parts, at + 1, {**held, **dict(zip(names, map(encoded, fits.groups()), strict=True))}
            )
