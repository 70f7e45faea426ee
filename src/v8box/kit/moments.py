"""Moments as people write them: `now-1h`, `now-7d/d`, RFC 3339, Unix seconds.

`/h` rounds to the hour in UTC: down, or up where the end of something is asked for, so that `now-1d/d` to `now-1d/d` is
all of yesterday.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

_SECONDS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_RELATIVE: Final = re.compile(r"now((?:[+-][0-9]{1,6}[smhdw])*)(?:/([smhdw]))?")
_OFFSET: Final = re.compile(r"([+-])([0-9]{1,6})([smhdw])")
_UNIX: Final = re.compile(r"[0-9]{1,11}(\.[0-9]{1,6})?")
_MONDAY: Final = 4 * 86_400
"""1970 began on a Thursday."""
_LAST: Final = 253_402_300_799.0
"""The end of the year 9999."""


class NotAMoment(ValueError):
    """`str` says what would be one."""

    def __init__(self) -> None:
        super().__init__("write now, now-1h, now-7d/d, 2026-01-31T12:00:00Z or seconds since 1970")


def parse_moment(text: str, now: float, *, end: bool = False) -> float:
    """The moment as Unix time. `end`: it is the end of a stretch. Raises `NotAMoment`."""
    if (match := _RELATIVE.fullmatch(text)) is not None:
        at = now
        for sign, count, unit in _OFFSET.findall(match[1]):
            at += int(f"{sign}{count}") * _SECONDS[unit]
        return _bounded(_rounded(at, match[2], end) if match[2] else at)
    if _UNIX.fullmatch(text):
        return _bounded(float(text))
    try:
        moment = datetime.fromisoformat(text)
        return _bounded((moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp())
    except (ValueError, OverflowError):
        raise NotAMoment from None


def _rounded(at: float, unit: str, end: bool) -> float:
    size = _SECONDS[unit]
    shift = _MONDAY if unit == "w" else 0
    begin = (at - shift) // size * size + shift
    return begin + size if end else begin


def _bounded(at: float) -> float:
    if not 0 <= at <= _LAST:
        raise NotAMoment
    return at
