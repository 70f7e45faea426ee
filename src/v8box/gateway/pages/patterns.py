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
MAX_PATH_SEGMENTS: Final = 4 * MAX_SEGMENTS
"""Of a path that is looked for: no pattern fits a longer one, not even `/*`."""


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
    check_placeholders(pattern)


def check_placeholders(pattern: str) -> None:
    """Whether each stands once. Raises `PatternError`."""
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
            self._add(place, pattern)

    def _add(self, place: int, pattern: str) -> None:
        if "*" in pattern[:-1]:
            self._loose.append((place, _expression(pattern, ignore_case=self._ignore_case)))
            return
        node = self._root
        parts = segments_of(pattern)
        splat = bool(parts) and parts[-1].endswith("*")
        last = parts.pop()[:-1] if splat else ""
        for part in parts:
            node = _step(node, part, ignore_case=self._ignore_case)
        if not splat:
            node.ends.append(place)
        elif last:
            node.starts.append((_lower(last) if self._ignore_case else last, place))
        else:
            node.splats.append(place)

    def matches(self, path: str) -> list[Match]:
        """Every pattern that fits, in the order of their places."""
        parts = segments_of(path)
        if len(parts) > MAX_PATH_SEGMENTS:
            return []
        known = [_lower(part) for part in parts] if self._ignore_case else parts
        found = list(_walk(self._root, _Path(parts, known, "/" if path.endswith("/") else ""), 0, {}))
        if self._loose:
            whole = "/" + "/".join(map(encoded, parts))
            for place, expression in self._loose:
                if (fits := expression.fullmatch(whole)) is not None:
                    found.append((place, {name: value or "" for name, value in fits.groupdict().items()}))
        found.sort(key=lambda match: match[0])
        return found


def re2_options(*, ignore_case: bool) -> re2.Options:
    options = re2.Options()
    options.case_sensitive = not ignore_case
    options.log_errors = False
    return options


def _lower(text: str) -> str:
    """As many characters as before."""
    lower = text.lower()
    return (
        lower if len(lower) == len(text) else "".join(low if len(low := each.lower()) == 1 else each for each in text)
    )


def _expression(pattern: str, *, ignore_case: bool) -> re2._Regexp:
    """For a pattern with a `*` in the middle; it is matched against the encoded path."""
    written = "/" + "/".join(
        "*".join(":".join(encoded(text) for text in piece.split(":")) for piece in part.split("*"))
        for part in segments_of(pattern)
    )
    text = re2.escape(written).replace(re2.escape("*"), f"(?P<{SPLAT}>.*)")
    colon = re2.escape(":")
    text = re.sub(rf"{re.escape(colon)}([A-Za-z]\w*)", r"(?P<\1>[^/]+)", text, flags=re.ASCII)
    return re2.compile(text, re2_options(ignore_case=ignore_case))


def _step(node: _Node, part: str, *, ignore_case: bool) -> _Node:
    if not PLACEHOLDER.search(part):
        return node.literal.setdefault(_lower(part) if ignore_case else part, _Node())
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
    pattern = re.compile(expression, re.DOTALL | (re.IGNORECASE if ignore_case else 0))
    for other, other_names, child in node.mixed:
        if (other.pattern, other_names) == (expression, names):
            return child
    child = _Node()
    node.mixed.append((pattern, names, child))
    return child


class _Path:
    """A path that is looked for. `known`: its parts as patterns have them; `slash`: what stands at its end."""

    __slots__ = ("known", "parts", "slash")

    def __init__(self, parts: Sequence[str], known: Sequence[str], slash: str) -> None:
        self.parts = parts
        self.known = known
        self.slash = slash

    def rest(self, at: int, skip: int = 0) -> str:
        """What a `*` stands for: from a part on, less its first characters. The slash at the end belongs to it: to the
        place it leads to, `/a` and `/a/` need not be the same."""
        if at == len(self.parts):
            return ""
        return "/".join(map(encoded, (self.parts[at][skip:], *self.parts[at + 1 :]))) + self.slash


def _walk(node: _Node, path: _Path, at: int, held: dict[str, str]) -> Iterator[Match]:
    for place in node.splats:
        yield place, {**held, SPLAT: path.rest(at)}
    if at == len(path.parts):
        for place in node.ends:
            yield place, dict(held)
        return
    part, known = path.parts[at], path.known[at]
    for start, place in node.starts:
        if known.startswith(start):
            yield place, {**held, SPLAT: path.rest(at, len(start))}
    child = node.literal.get(known)
    if child is not None:
        yield from _walk(child, path, at + 1, held)
    if not part:
        return
    for name, child in node.named:
        yield from _walk(child, path, at + 1, {**held, name: encoded(part)})
    for pattern, names, child in node.mixed:
        fits = pattern.fullmatch(part)
        if fits is not None:
            yield from _walk(
                child, path, at + 1, {**held, **dict(zip(names, map(encoded, fits.groups()), strict=True))}
            )
