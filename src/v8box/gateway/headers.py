"""Headers on their way through: what a worker sees of a request's, what a client sees of a response's.

Hop-by-hop headers (RFC 9110 §7.6.1) end here, `x-v8box-*` is the box's own in both directions, and forwarding headers
are believed only from trusted proxies.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from v8box.errors import BadRequest
from v8box.kit.proxies import Network, first_untrusted, is_trusted

RawHeaders = Sequence[tuple[bytes, bytes]]

_HOP_BY_HOP: Final = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-connection",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
_FORWARDED: Final = frozenset(
    {b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto", b"x-forwarded-prefix", b"x-real-ip"}
)
_DROPPED_IN: Final = _HOP_BY_HOP | _FORWARDED | {b"x-request-id", b"expect", b"traceparent", b"tracestate"}
_DROPPED_OUT: Final = frozenset(name.decode() for name in _HOP_BY_HOP) | {
    "content-length",
    "x-request-id",
    "alt-svc",
    "server",
}
SERVER: Final = (b"server", b"v8box")
"""On every answer, else the HTTP server would put its own name there."""
_TOKEN: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_REQUEST_ID: Final = re.compile(rb"[\x21-\x7e]{1,128}")
_FORBIDDEN: Final = re.compile("[\r\n\x00]")

_MAX_REMEMBERED: Final = 2048

_HOST: Final = 1
_LENGTH: Final = 2
_FETCH_MODE: Final = 3
_TRANSFER: Final = 4
_CONNECTION: Final = 5
_REQUEST: Final = 6
_FORWARD: Final = 7
_VERSION: Final = 8
_VERSION_KEY: Final = 9
_TRACE_PARENT: Final = 10
_TRACE_STATE: Final = 11
_SPECIAL: Final = {
    b"host": _HOST,
    b"content-length": _LENGTH,
    b"sec-fetch-mode": _FETCH_MODE,
    b"transfer-encoding": _TRANSFER,
    b"connection": _CONNECTION,
    b"x-request-id": _REQUEST,
    b"v8box-version": _VERSION,
    b"v8box-version-key": _VERSION_KEY,
    b"traceparent": _TRACE_PARENT,
    b"tracestate": _TRACE_STATE,
    **dict.fromkeys(_FORWARDED, _FORWARD),
}

_names_in: dict[bytes, tuple[str | None, int]] = {}
_names_out: dict[str, bytes | None] = {}


def _name_in(name: bytes) -> tuple[str | None, int]:
    """A request header's name as the worker sees it, None when it must not; and what the gateway does with it. Names
    repeat from request to request, so they are remembered."""
    lower = name.lower()
    shown = None if lower in _DROPPED_IN or lower.startswith(b"x-v8box-") else lower.decode("latin-1")
    known = (shown, _SPECIAL.get(lower, 0))
    if len(_names_in) < _MAX_REMEMBERED:
        _names_in[name] = known
    return known


class Incoming:
    """What the gateway itself needs of a request's headers, and the rest as pairs for the worker."""

    __slots__ = (
        "_chunked",
        "_forwarded",
        "_listed",
        "client",
        "content_length",
        "host",
        "navigates",
        "pairs",
        "proto",
        "request_id",
        "size",
        "trace_parent",
        "trace_state",
        "version",
        "version_key",
    )

    def __init__(self, headers: RawHeaders) -> None:
        """Raises `BadRequest` for a request that two servers could read in two ways (RFC 9112 §6.3)."""
        self.host: bytes | None = None
        self.content_length: int | None = None
        self.request_id: str | None = None
        self.version: str | None = None
        """`V8Box-Version: <worker>=<version>, …`: which of the live versions a caller asks for."""
        self.version_key: str | None = None
        """`V8Box-Version-Key`: callers with the same one get the same version of a split."""
        self.trace_parent: bytes | None = None
        """`traceparent` as it came; empty when it came more than once, which is as good as none."""
        self.trace_state: str | None = None
        self.navigates = self._chunked = False
        self.proto = "http"
        self.client: str | None = None
        """The client's address, once `forwarded` has found it."""
        self._forwarded: dict[bytes, str] | None = None
        self._listed: set[str] | None = None
        self.pairs: list[tuple[str, str]] = []
        pairs = self.pairs
        size = 0
        for name, value in headers:
            size += len(name) + len(value) + 4
            try:
                shown, special = _names_in[name]
            except KeyError:
                shown, special = _name_in(name)
            if shown is not None:
                pairs.append((shown, value.decode("latin-1")))
            if special:
                self._note(special, name, value)
        self.size = size
        if self._chunked and self.content_length is not None:
            raise BadRequest("A request has either a Content-Length or a Transfer-Encoding, not both.")
        if self._listed:
            self.pairs = [pair for pair in pairs if pair[0] not in self._listed or pair[0] == "host"]

    @property
    def has_body(self) -> bool:
        return self._chunked or bool(self.content_length)

    def first(self, name: str) -> str | None:
        """The first value of a header that the worker sees."""
        return next((value for known, value in self.pairs if known == name), None)

    def _note(self, special: int, name: bytes, value: bytes) -> None:
        if special == _HOST:
            if self.host is not None:
                raise BadRequest("The request has two Host headers.")
            self.host = value
        elif special == _LENGTH:
            if self.content_length is not None or not value.isdigit() or len(value) > 18:
                raise BadRequest("The Content-Length header is not one number.")
            self.content_length = int(value)
        elif special == _FETCH_MODE:
            self.navigates = value == b"navigate"
        elif special == _TRANSFER:
            if self._chunked or value.strip().lower() != b"chunked":
                raise BadRequest("The only transfer coding understood is 'chunked', once.")
            self._chunked = True
        elif special == _CONNECTION:
            tokens = {token.strip().lower() for token in value.decode("latin-1").split(",")}
            self._listed = (self._listed or set()) | tokens - {"keep-alive", "close", "upgrade", ""}
        elif special == _VERSION:
            self.version = (
                value.decode("latin-1") if self.version is None else f"{self.version},{value.decode('latin-1')}"
            )
        elif special == _VERSION_KEY:
            self.version_key = value.decode("latin-1")
        elif special == _TRACE_PARENT:
            self.trace_parent = value if self.trace_parent is None else b""
        elif special == _TRACE_STATE:
            state = value.decode("latin-1")
            self.trace_state = state if self.trace_state is None else f"{self.trace_state},{state}"
        elif special == _REQUEST:
            if _REQUEST_ID.fullmatch(value):
                self.request_id = value.decode("ascii")
        else:
            self._forwarded = self._forwarded or {}
            self._forwarded[name.lower()] = value.decode("latin-1")

    def forwarded(self, peer: str, scheme: str, host: str, prefix: str, trusted: Iterable[Network]) -> str:
        """Adds what the worker is told of the client; gives the client's address. A trusted proxy is believed. Asked
        again it only gives the address."""
        if self.client is not None:
            return self.client
        client, proto, outer = peer, scheme, host
        chain = peer
        given = self._forwarded
        if given and is_trusted(peer, trusted):
            before = given.get(b"x-forwarded-for", "")
            if before and not _FORBIDDEN.search(before):
                chain = f"{before}, {peer}"
                client = first_untrusted(before, trusted) or client
            proto = "https" if given.get(b"x-forwarded-proto", scheme).strip().lower() == "https" else proto
        self.proto = proto
        self.client = client
        self.pairs += (
            ("x-forwarded-for", chain),
            ("x-forwarded-proto", proto),
            ("x-forwarded-host", outer),
            ("x-forwarded-prefix", prefix),
        )
        return client


def _name_out(name: str) -> bytes | None:
    lower = name.lower()
    known = None
    if lower not in _DROPPED_OUT and not lower.startswith("x-v8box-") and _TOKEN.fullmatch(lower):
        known = lower.encode("ascii")
    if len(_names_out) < _MAX_REMEMBERED:
        _names_out[name] = known
    return known


def outgoing(headers: Iterable[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    """A worker's response headers as the client may have them. What could split a response is left out."""
    result: list[tuple[bytes, bytes]] = []
    for name, value in headers:
        try:
            known = _names_out[name]
        except KeyError:
            known = _name_out(name)
        if known is not None:
            try:
                encoded = value.encode("latin-1")
            except UnicodeEncodeError:
                continue
            if not _FORBIDDEN.search(value):
                result.append((known, encoded))
    return result


def declared_length(headers: Iterable[tuple[str, str]]) -> int | None:
    """The Content-Length a worker gave, if it is one number."""
    for name, value in headers:
        if name == "content-length":
            return int(value) if value.isascii() and value.isdigit() and len(value) <= 18 else None
    return None
