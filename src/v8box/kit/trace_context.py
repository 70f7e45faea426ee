"""W3C trace context (level 1): `traceparent` and `tracestate` are read strictly, and ids are made cheaply.

Random bytes come in batches: a system call for every request would cost more than all else that a trace costs.
"""

from __future__ import annotations

import re
import secrets
from typing import Final, NamedTuple

_PARENT: Final = re.compile(rb"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-[\x21-\x7e]*)?")
_KEY: Final = r"[a-z0-9][a-z0-9_*/-]{0,240}(?:@[a-z][a-z0-9_*/-]{0,13}|[a-z0-9_*/-]{0,15})"
_MEMBER: Final = re.compile(rf"({_KEY})=([\x20-\x2b\x2d-\x3c\x3e-\x7e]{{0,255}}[\x21-\x2b\x2d-\x3c\x3e-\x7e])")
_MAX_MEMBERS: Final = 32
MAX_STATE: Final = 512
"""A longer `tracestate` is left out, as the standard allows."""

_BATCH: Final = 128
_RATIO_BITS: Final = 56
_SAMPLED: Final = 1


class Parent(NamedTuple):
    """A `traceparent` that was understood."""

    trace: str
    span: str
    sampled: bool


def parse_parent(header: bytes) -> Parent | None:
    """None for what the standard calls invalid; then its trace is not continued."""
    found = _PARENT.fullmatch(header)
    if found is None:
        return None
    version, trace, span, flags, more = found.groups()
    if version == b"ff" or (version == b"00" and more is not None):
        return None
    if not trace.strip(b"0") or not span.strip(b"0"):
        return None
    return Parent(trace.decode(), span.decode(), bool(int(flags, 16) & _SAMPLED))


def parse_state(header: str) -> str:
    """A `tracestate` as it may go on; empty for one that is invalid or too long."""
    if len(header) > MAX_STATE:
        return ""
    members: dict[str, str] = {}
    for part in header.split(","):
        member = part.strip(" \t")
        if not member:
            continue
        found = _MEMBER.fullmatch(member)
        if found is None or found[1] in members:
            return ""
        members[found[1]] = found[2]
    if len(members) > _MAX_MEMBERS:
        return ""
    return ",".join(f"{key}={value}" for key, value in members.items())


def format_parent(trace: str, span: str, sampled: bool) -> str:
    """The header for whom `span` calls."""
    return f"00-{trace}-{span}-01" if sampled else f"00-{trace}-{span}-00"


class TraceIds:
    """Makes ids, and decides which of the traces that begin here are sampled."""

    def __init__(self, ratio: float = 1.0) -> None:
        self._all = ratio >= 1
        self._below = int(ratio * (1 << _RATIO_BITS))
        self._spans: list[str] = []
        self._beginnings: list[str] = []

    def span(self) -> str:
        if not self._spans:
            digits = secrets.token_hex(8 * _BATCH)
            self._spans = [digits[at : at + 16] for at in range(0, len(digits), 16)]
        return self._spans.pop()

    def begin(self) -> str:
        """The `traceparent` of the first span of a new trace."""
        if not self._beginnings:
            digits = secrets.token_hex(24 * _BATCH)
            parts = [(digits[at : at + 32], digits[at + 32 : at + 48]) for at in range(0, len(digits), 48)]
            if self._all:
                self._beginnings = [f"00-{trace}-{span}-01" for trace, span in parts]
            else:
                self._beginnings = [format_parent(trace, span, self.sampled(trace)) for trace, span in parts]
        return self._beginnings.pop()

    def sampled(self, trace: str) -> bool:
        """By the trace's own bits, as OpenTelemetry's ratio sampler has it: every node decides the same."""
        return self._all or int(trace[18:], 16) < self._below
