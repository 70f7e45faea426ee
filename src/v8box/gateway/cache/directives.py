"""What an answer says about keeping it: Cache-Control and the headers that go before it (RFC 9111, 9213, 5861).

`judge` decides as a shared cache must. When it cannot be sure that an answer may be kept, it may not.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from v8box.gateway.pages.negotiate import read_date

RawHeaders = Iterable[tuple[bytes, bytes]]
Directives = Mapping[str, str | None]

STATUSES: Final = frozenset({200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501})
TARGETED: Final = (b"v8box-cdn-cache-control", b"cdn-cache-control")
"""In this order, and each before Cache-Control. They are for caches, so clients do not get them."""
MAX_SECONDS: Final = 2**31

_DIRECTIVE: Final = re.compile(
    r'\s*([A-Za-z0-9!#$%&\'*+.^_`|~-]+)\s*(?:=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*)))?\s*(?:,|$)'
)
_SECONDS: Final = frozenset({"max-age", "s-maxage", "stale-while-revalidate", "stale-if-error"})


@dataclass(frozen=True, slots=True)
class Freshness:
    """For how long an answer may be used. Seconds; `age` is how old it was when it came."""

    lifetime: float
    age: float = 0.0
    while_revalidating: float = 0.0
    if_error: float = 0.0
    must_revalidate: bool = False
    shared: bool = False
    """Whether requests with credentials may have it too (RFC 9111 §3.5)."""


def read_directives(values: Iterable[str]) -> dict[str, str | None]:
    """The directives of a header's lines. Two that contradict each other count as none that can be trusted."""
    found: dict[str, str | None] = {}
    for value in values:
        at = 0
        while at < len(value):
            match = _DIRECTIVE.match(value, at)
            if match is None:
                at = value.find(",", at) + 1
                if not at:
                    break
                continue
            at = match.end()
            name = match[1].lower()
            given = match[3] if match[2] is None else match[2]
            if name in found and name in _SECONDS and found[name] != given:
                given = ""
            found[name] = given
    return found


def seconds(directives: Directives, name: str) -> float | None:
    """A directive's seconds; 0 for what is no number, None when it is not there."""
    if name not in directives:
        return None
    text = directives[name] or ""
    return float(min(int(text[:12]), MAX_SECONDS)) if text.isascii() and text.isdigit() else 0.0


def judge(status: int, headers: RawHeaders, *, credentialed: bool, default_ttl: float, now: float) -> Freshness | str:
    """For how long the answer may be kept, or in a word why not. `now` is Unix time."""
    if status not in STATUSES:
        return "status"
    lines: dict[bytes, list[str]] = {}
    for name, value in headers:
        lines.setdefault(name, []).append(value.decode("latin-1"))
    if b"set-cookie" in lines:
        return "set-cookie"
    directives, targeted = _which(lines)
    if "no-store" in directives:
        return "no-store"
    if "private" in directives:
        return "private"
    if any("*" in line for line in lines.get(b"vary", ())):
        return "vary"
    shared = "public" in directives or "s-maxage" in directives or "must-revalidate" in directives
    if credentialed and not shared:
        return "authorization"
    never_stale = "must-revalidate" in directives or "proxy-revalidate" in directives or "no-cache" in directives
    lifetime = _lifetime(directives, lines, targeted, default_ttl, now)
    if lifetime is None:
        return "no-ttl"
    if "no-cache" in directives:
        lifetime = 0.0
    fresh = Freshness(
        lifetime,
        _age(lines, now),
        0.0 if never_stale else seconds(directives, "stale-while-revalidate") or 0.0,
        0.0 if never_stale else seconds(directives, "stale-if-error") or 0.0,
        never_stale,
        shared,
    )
    if fresh.lifetime <= fresh.age and not (fresh.while_revalidating or fresh.if_error):
        if b"etag" not in lines and b"last-modified" not in lines:
            return "no-ttl"
    return fresh


def _which(lines: Mapping[bytes, list[str]]) -> tuple[Directives, bool]:
    """The directives that count, and whether they are for caches such as this one (then Expires does not)."""
    for name in TARGETED:
        if name in lines and (found := read_directives(lines[name])):
            return found, True
    return read_directives(lines.get(b"cache-control", ())), False


def _lifetime(
    directives: Directives, lines: Mapping[bytes, list[str]], targeted: bool, default_ttl: float, now: float
) -> float | None:
    for name in ("s-maxage", "max-age"):
        if (given := seconds(directives, name)) is not None:
            return given
    if not targeted and b"expires" in lines:
        if len(lines[b"expires"]) > 1:
            return 0.0
        until = read_date(lines[b"expires"][0])
        return 0.0 if until is None else max(0.0, until - (_date(lines) or now))
    if default_ttl > 0:
        return default_ttl
    return 0.0 if "no-cache" in directives else None


def _age(lines: Mapping[bytes, list[str]], now: float) -> float:
    given = lines.get(b"age", ("",))[0].strip()
    age = float(min(int(given[:12]), MAX_SECONDS)) if given.isascii() and given.isdigit() else 0.0
    sent = _date(lines)
    return max(age, 0.0 if sent is None else float(int(now) - sent))


def _date(lines: Mapping[bytes, list[str]]) -> int | None:
    return read_date(lines[b"date"][0]) if b"date" in lines else None
