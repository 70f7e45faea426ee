"""What makes two requests the same to the cache: the address with its normalised query, and the headers that the answer
varies by.

A parameter that is not a part of the key is not given to the worker either, or one client could choose what others get.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import Final, NamedTuple
from urllib.parse import unquote_plus

from v8box.catalog.policies import CacheRules

MAX_VARY_NAMES: Final = 8
MAX_PARAMETERS: Final = 256

_ESCAPE: Final = re.compile(r"%([0-9A-Fa-f]{2})?")
_UNRESERVED: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_CODING: Final = re.compile(r"\s*([A-Za-z0-9*_-]{1,32})\s*(?:;\s*q\s*=\s*([01](?:\.[0-9]{0,3})?))?\s*")


class Key(NamedTuple):
    """`scope`: whose answers they are, and of which version. `place`: the host and what stands before the path."""

    scope: str
    place: str
    path: str
    query: str
    variant: bytes = b""

    @property
    def size(self) -> int:
        return len(self.scope) + len(self.place) + len(self.path) + len(self.query) + len(self.variant)

    def digest(self) -> bytes:
        """Stands for the key where it would be too long."""
        hashed = blake2b(digest_size=16)
        for part in (self.scope, self.place, self.path, self.query):
            coded = part.encode("utf-8", "surrogateescape")
            hashed.update(b"%d:" % len(coded))
            hashed.update(coded)
        hashed.update(self.variant)
        return hashed.digest()


def key_query(query: str, rules: CacheRules) -> str | None:
    """The query as keys have it: only the parameters that count, in the order of their names, escapes in one form. The
    order of equal names stays. None when there are too many."""
    if not query:
        return ""
    if query.count("&") >= MAX_PARAMETERS:
        return None
    counts = _counting(rules.vary_by_query, rules.ignore_query)
    pairs = [(name, pair) for name, pair in _pairs(_ESCAPE.sub(_escape, query)) if counts is None or counts(name)]
    pairs.sort(key=lambda each: each[0])
    return "&".join(pair for _, pair in pairs)


def passed_query(query: str, rules: CacheRules) -> str:
    """The query as the worker gets it: as it came, without the parameters that do not count."""
    counts = _counting(rules.vary_by_query, rules.ignore_query)
    if not query or counts is None:
        return query
    return "&".join(pair for name, pair in _pairs(query) if counts(name))


def _pairs(query: str) -> Iterable[tuple[str, str]]:
    for pair in query.split("&"):
        if pair:
            yield unquote_plus(pair.partition("=")[0], errors="surrogateescape"), pair


def _escape(match: re.Match[str]) -> str:
    if match[1] is None:
        return "%25"  # it stands for itself, and must not begin an escape with what comes to stand behind it
    char = chr(int(match[1], 16))
    return char if char in _UNRESERVED else match[0].upper()


@lru_cache(maxsize=1_024)
def _counting(only: tuple[str, ...], ignored: tuple[str, ...]) -> Callable[[str], bool] | None:
    """Whether a parameter of this name counts; None when all do."""
    if not only and not ignored:
        return None
    wanted, dropped = matcher(only), matcher(ignored)
    return lambda name: (not only or wanted(name)) and not dropped(name)


@lru_cache(maxsize=1_024)
def matcher(patterns: tuple[str, ...]) -> Callable[[str], bool]:
    """Whether a name is one of these; a `*` at the end stands for anything."""
    exact = frozenset(each for each in patterns if not each.endswith("*"))
    prefixes = tuple(each[:-1] for each in patterns if each.endswith("*"))
    return lambda name: name in exact or (bool(prefixes) and name.startswith(prefixes))


def vary_names(lines: Iterable[bytes]) -> tuple[str, ...]:
    """The request headers that an answer varies by, each once, in order."""
    names = {name.strip().lower() for line in lines for name in line.decode("latin-1").split(",")}
    return tuple(sorted(names - {""}))


def variant(names: Sequence[str], headers: Iterable[tuple[str, str]]) -> bytes:
    """What stands in a key for the values of these request headers."""
    found: dict[str, list[str]] = {name: [] for name in names}
    for name, value in headers:
        if name in found:
            found[name].append(value)
    hashed = blake2b(digest_size=16)
    for name in names:
        value = ",".join(found[name])
        value = _codings(value) if name == "accept-encoding" else value.strip()
        hashed.update(f"{name}:{len(found[name]) > 0}:{len(value)}:{value}".encode())
    return hashed.digest()


def _codings(header: str) -> str:
    """Which encodings a client takes, without its order and weights: else every browser had an answer of its own."""
    taken: set[str] = set()
    for part in header.split(","):
        match = _CODING.fullmatch(part)
        if match is not None:
            refused = match[2] is not None and float(match[2]) == 0
            taken.add(f"-{match[1].lower()}" if refused else match[1].lower())
    return ",".join(sorted(taken))
