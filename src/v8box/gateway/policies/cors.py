"""Which pages of other origins may call a worker (the Fetch standard's CORS protocol).

A preflight is answered here, without waking a sandbox. On every answer, errors too, stands what the browser needs; what
the worker says of CORS itself is left out, since two answers to one question are none. A WebSocket has no such
protocol, so one that a page of a foreign origin opens is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from v8box.catalog.policies import Cors
from v8box.gateway.policies.passage import Passage
from v8box.gateway.policies.refusals import CORS_ANSWERS, HeaderList, OriginNotAllowed, Preflight

_MAX_REMEMBERED: Final = 1024
_VARY: Final = (b"vary", b"Origin")
_NONE: Final[HeaderList] = []
_LABELS: Final = re.compile(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)*")
_PREFLIGHT_VARY: Final = (b"vary", b"Origin, Access-Control-Request-Method, Access-Control-Request-Headers")


class Origins:
    """Which origins are named: exactly, by `https://*.example.com` (any depth of subdomains), or all."""

    __slots__ = ("_exact", "_wild", "everyone")

    def __init__(self, origins: tuple[str, ...]) -> None:
        self.everyone = "*" in origins
        self._exact = frozenset(origin for origin in origins if "*" not in origin)
        self._wild = [(scheme + "://", "." + rest) for scheme, star, rest in map(_split, origins) if star]

    def __contains__(self, origin: str) -> bool:
        if self.everyone or origin in self._exact:
            return True
        for scheme, rest in self._wild:
            if origin.startswith(scheme) and origin.endswith(rest):
                return _LABELS.fullmatch(origin, len(scheme), len(origin) - len(rest)) is not None
        return False


def _split(origin: str) -> tuple[str, str, str]:
    scheme, star, rest = origin.partition("://*.")
    return scheme, star, rest


class CorsHeaders:
    """The headers for each origin. What was asked for before is remembered, within a bound."""

    __slots__ = ("_credentials", "_expose", "_known", "origins")

    def __init__(self, cors: Cors) -> None:
        self.origins = Origins(cors.origins)
        self._expose = [(b"access-control-expose-headers", ", ".join(cors.expose).encode())] if cors.expose else []
        self._credentials = [(b"access-control-allow-credentials", b"true")] if cors.credentials else []
        self._known: dict[str | None, HeaderList] = {}

    def of(self, origin: str | None) -> HeaderList:
        known = self._known.get(origin)
        if known is None:
            if len(self._known) >= _MAX_REMEMBERED:
                self._known.clear()
            known = self._known[origin] = self._make(origin)
        return known

    def _make(self, origin: str | None) -> HeaderList:
        if self.origins.everyone:
            return [(b"access-control-allow-origin", b"*"), *self._expose]
        if origin is None or origin not in self.origins:
            return [_VARY]  # a cache must not give it to somebody who may have more
        return [(b"access-control-allow-origin", origin.encode("latin-1")), *self._credentials, *self._expose, _VARY]

    def replace(self, headers: HeaderList, request: Mapping[str, str]) -> HeaderList:
        """A worker's headers with ours in place of what it says of CORS."""
        return self.add([pair for pair in headers if pair[0] not in CORS_ANSWERS], request)

    def add(self, kept: HeaderList, request: Mapping[str, str]) -> HeaderList:
        """Headers of the box's own, and ours."""
        ours = self.of(request.get("origin"))
        if ours[-1] is _VARY:
            for index, pair in enumerate(kept):
                if pair[0] == b"vary":
                    kept[index] = _with_origin(pair)
                    return kept + ours[:-1]
        return kept + ours


class NoCors:
    """Nothing is said: the worker speaks for itself."""

    __slots__ = ()

    def of(self, origin: str | None) -> HeaderList:
        return _NONE

    def replace(self, headers: HeaderList, request: Mapping[str, str]) -> HeaderList:
        return headers

    def add(self, kept: HeaderList, request: Mapping[str, str]) -> HeaderList:
        return kept


def _with_origin(pair: tuple[bytes, bytes]) -> tuple[bytes, bytes]:
    names = [name.strip().lower() for name in pair[1].split(b",")]
    return pair if b"origin" in names or b"*" in names else (pair[0], pair[1] + b", Origin")


class CorsCheck:
    """The step: answers preflights, refuses WebSockets of foreign pages."""

    __slots__ = ("_granted", "_origins")

    def __init__(self, cors: Cors) -> None:
        self._origins = Origins(cors.origins)
        self._granted: HeaderList = [
            (b"access-control-allow-methods", ", ".join(cors.methods).encode()),
            (b"access-control-allow-headers", ", ".join(cors.headers).encode()),
            (b"access-control-max-age", b"%d" % cors.max_age_seconds),
            _PREFLIGHT_VARY,
        ]

    def ask(self, passage: Passage) -> None:
        if passage.invocation.method != "OPTIONS" and not passage.upgrade:
            return
        origin = passage.headers.get("origin")
        if origin is None:
            return
        if passage.upgrade:
            if origin not in self._origins and not _is_own(origin, passage):
                raise OriginNotAllowed
        elif is_preflight(passage):
            if origin not in self._origins:
                raise OriginNotAllowed
            raise Preflight(headers=list(self._granted))


def _is_own(origin: str, passage: Passage) -> bool:
    return origin == f"{passage.incoming.proto}://{passage.headers.get('host', '').lower()}"


def is_preflight(passage: Passage) -> bool:
    """Whether a browser asks before it sends the request itself."""
    headers = passage.headers
    return passage.invocation.method == "OPTIONS" and "origin" in headers and "access-control-request-method" in headers


def compile_step(cors: Cors | None) -> CorsCheck | None:
    return None if cors is None else CorsCheck(cors)


def compile_headers(cors: Cors | None) -> CorsHeaders | NoCors:
    return NoCors() if cors is None else CorsHeaders(cors)
