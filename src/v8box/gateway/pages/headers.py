"""`_headers`: reading a file of header rules, and what a path's answer gets of them.

A path line (`/docs/*`, or `https://host/…`), then indented `Name: value` lines. All blocks that fit are merged, in
their order; the same name twice is joined with a comma; `! Name` takes one off. Headers that steer the connection, or
that the box itself answers for, cannot be set.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import msgspec

from v8box.gateway.pages.patterns import PLACEHOLDER, PatternError
from v8box.gateway.pages.redirects import Ignored
from v8box.gateway.pages.sources import HostedPatterns, check_source

MAX_BLOCKS: Final = 1_000
MAX_LINE: Final = 4_000
_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}")
_VALUE: Final = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
FORBIDDEN: Final = frozenset(
    {
        *("connection", "keep-alive", "proxy-connection", "proxy-authenticate", "te", "trailer", "transfer-encoding"),
        *("upgrade", "content-length", "content-encoding", "content-range", "accept-ranges", "date", "server", "age"),
        *("etag", "last-modified", "location", "vary", "alt-svc", "x-request-id"),
    }
)
"""Names that a site cannot set: the connection's, and those that the bytes of the answer depend on."""


class HeaderBlock(msgspec.Struct, omit_defaults=True, frozen=True):
    """The lines below one path. A value of None takes the header off."""

    line: int
    source: str
    headers: tuple[tuple[str, str | None], ...]


class TooManyBlocks(ValueError):
    """A site has up to 1,000 blocks of header rules. Use * and :name: one block stands for many paths."""


def parse(text: str) -> tuple[list[HeaderBlock], list[Ignored]]:
    """The blocks of a file and the lines that are none. Raises `TooManyBlocks`."""
    blocks: list[HeaderBlock] = []
    ignored: list[Ignored] = []
    source: tuple[int, str] | None = None
    held: list[tuple[str, str | None]] = []

    def close() -> None:
        if source is not None and held:
            blocks.append(HeaderBlock(*source, tuple(held)))
        held.clear()

    for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), 1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        try:
            if len(line) > MAX_LINE:
                raise PatternError(f"a line has up to {MAX_LINE} characters")
            if _is_source(stripped):
                close()
                source = None
                check_source(stripped)
                source = (number, stripped)
            elif source is None:
                raise PatternError("there is no path above it")
            else:
                held.append(_read(stripped))
        except PatternError as error:
            ignored.append(Ignored(number, stripped[:200], str(error)))
        if len(blocks) > MAX_BLOCKS:
            raise TooManyBlocks(TooManyBlocks.__doc__)
    close()
    return blocks, ignored


def make(line: int, source: str, headers: Sequence[tuple[str, str]]) -> HeaderBlock:
    """A block of parts, as `netlify.toml` has them. Raises `PatternError`."""
    check_source(source)
    return HeaderBlock(line, source, tuple(_checked(name, value) for name, value in headers))


def _is_source(text: str) -> bool:
    return text.startswith(("/", "https://", "http://"))


def _read(text: str) -> tuple[str, str | None]:
    if text.startswith("!"):
        name = text[1:].strip().lower()
        if not _NAME.fullmatch(name):
            raise PatternError("behind ! stands the name of a header")
        return name, None
    name, colon, value = text.partition(":")
    if not colon:
        raise PatternError("a header is written Name: value")
    return _checked(name, value)


def _checked(name: str, value: str) -> tuple[str, str]:
    lower, text = name.strip().lower(), value.strip()
    if not _NAME.fullmatch(lower):
        raise PatternError("that is no name of a header")
    if lower in FORBIDDEN or lower.startswith(("x-v8box-", "access-control-allow-private")):
        raise PatternError(f"{lower} is the box's own to set")
    if not _VALUE.fullmatch(text):
        raise PatternError("the value has characters that a header cannot hold")
    if lower == "set-cookie" and re.search(r"(?i);\s*domain\s*=", text):
        raise PatternError("a cookie of a site is for the site's own host: leave Domain out")
    return lower, text


class Headers:
    """The blocks of one release, ready to be asked."""

    def __init__(self, blocks: Sequence[HeaderBlock]) -> None:
        self._blocks = tuple(blocks)
        sources = [(place, block.source) for place, block in enumerate(blocks)]
        self._patterns = HostedPatterns(sources, ignore_case=True)

    def __bool__(self) -> bool:
        return bool(self._blocks)

    @property
    def blocks(self) -> Sequence[HeaderBlock]:
        return self._blocks

    def places(self, host: str, path: str) -> list[int]:
        """Of the blocks that fit, from 0, in their order."""
        return sorted({place for place, _ in self._patterns.matches(host, path)})

    def of(self, host: str, path: str) -> dict[str, str | None]:
        """What the answer for this path gets: by name the value, or None where the site takes the header off."""
        merged: dict[str, str | None] = {}
        seen: set[int] = set()
        for place, held in self._patterns.matches(host, path):
            if place in seen:
                continue
            seen.add(place)
            for name, value in self._blocks[place].headers:
                if value is None:
                    merged[name] = None
                    continue
                filled = PLACEHOLDER.sub(lambda match: held.get(match[1], match[0]), value) if ":" in value else value  # noqa: B023 - used at once
                before = merged.get(name)
                merged[name] = filled if before is None else f"{before}, {filled}"
        return merged
