"""What a rule is for: the pattern of a path, or a whole URL. In its host `:name` is one label, and `*` anything."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

import re2

from v8box.gateway.pages.patterns import (
    PLACEHOLDER,
    SPLAT,
    Match,
    PatternError,
    PatternTree,
    check_pattern,
    check_placeholders,
    re2_options,
)

_URL: Final = re.compile(r"https?://(?P<host>[A-Za-z0-9.:*_-]+?)(?::[0-9]{1,5})?(?P<path>/[^?#]*)?", re.ASCII)


def split_source(source: str) -> tuple[str, str]:
    """Host and path of what a rule is for; the host is empty where it is a path alone. Raises `PatternError`."""
    if not source.startswith(("http://", "https://")):
        return "", source
    match = _URL.fullmatch(source)
    if match is None:
        raise PatternError("a URL to come from has a host and a path, nothing else")
    return match["host"].lower() if ":" not in match["host"] else match["host"], match["path"] or "/"


def check_source(source: str) -> None:
    """Whether it is a pattern of a path, or of a host and a path. Raises `PatternError`."""
    host, path = split_source(source)
    check_pattern(path)
    if host:
        check_placeholders(host + path)
        if any(not label for label in PLACEHOLDER.sub("x", host).split(".")):
            raise PatternError("a URL to come from has a host and a path, nothing else")


def placeholders_of(source: str) -> set[str]:
    """The names that may stand in where a rule leads to. Raises `PatternError`."""
    host, path = split_source(source)
    names = set(PLACEHOLDER.findall(host + path))
    return names | {SPLAT} if "*" in host + path else names


def host_that_fits(source: str) -> str:
    """A host that the rule is for; empty where it is for any."""
    return PLACEHOLDER.sub("any", split_source(source)[0]).replace("*", "any")


class HostedPatterns:
    """Patterns of paths, and of paths at some hosts."""

    def __init__(self, sources: Iterable[tuple[int, str]], *, ignore_case: bool = False) -> None:
        """`sources`: each with its place. All have passed `check_source`."""
        by_host: dict[str, list[tuple[int, str]]] = {}
        for place, source in sources:
            host, path = split_source(source)
            by_host.setdefault(host, []).append((place, path))
        trees = {host: PatternTree(found, ignore_case=ignore_case) for host, found in by_host.items()}
        self._anywhere = trees.pop("", None)
        self._hosts = {host: tree for host, tree in trees.items() if not _is_open(host)}
        self._open = [(_host_expression(host), tree) for host, tree in trees.items() if _is_open(host)]

    @property
    def ordered(self) -> bool:
        """Whether only one tree is asked, so that what it finds is in order already."""
        return not self._hosts and not self._open

    def matches(self, host: str, path: str) -> list[Match]:
        """Every pattern that fits, in the order of their places."""
        found = [] if self._anywhere is None else self._anywhere.matches(path)
        if self.ordered:
            return found
        name = host.rstrip(".")
        if (of_host := self._hosts.get(name)) is not None:
            found += of_host.matches(path)
        for expression, tree in self._open:
            fits = expression.fullmatch(name)
            if fits is not None:
                found += [(place, {**fits.groupdict(), **held}) for place, held in tree.matches(path)]
        found.sort(key=lambda match: match[0])
        return found


def _is_open(host: str) -> bool:
    return "*" in host or ":" in host


def _host_expression(host: str) -> re2._Regexp:
    """A placeholder is one label of a host or a part of it, `*` anything."""
    text = re2.escape(host).replace(re2.escape("*"), f"(?P<{SPLAT}>.*)")
    colon = re2.escape(":")
    text = re.sub(rf"{re.escape(colon)}([A-Za-z][A-Za-z0-9_]*)", r"(?P<\1>[^/.]+)", text)
    return re2.compile(text, re2_options(ignore_case=True))
