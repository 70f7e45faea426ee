"""Quiet hours: whether a channel is silent now, and until when. By the wall clock of their time zone, also on the days
when that is changed.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from v8box.features.notifications.model import QuietHours

_TIME: Final = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")
_MOST: Final = 8
"""So many stretches may follow on each other: a week of whole days."""


def quiet_until(hours: QuietHours | None, now: float) -> float | None:
    """When the silence ends; None: there is none. One that never ends counts as a week."""
    if hours is None:
        return None
    until: float | None = None
    at = now
    for _ in range(_MOST):
        end = _end(hours, at)
        if end is None:
            break
        until = at = end
    return until


def parse_time(text: str) -> time:
    """Raises `ValueError`."""
    match = _TIME.fullmatch(text)
    if match is None:
        raise ValueError("must be a time such as 22:00")
    return time(int(match[1]), int(match[2]))


def parse_zone(name: str) -> ZoneInfo:
    """Raises `ValueError`."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError("must be a time zone such as Europe/Berlin") from error


def _end(hours: QuietHours, now: float) -> float | None:
    """The end of the stretch that a moment lies in."""
    zone = parse_zone(hours.timezone)
    local = datetime.fromtimestamp(now, zone)
    start, end = parse_time(hours.start), parse_time(hours.end)
    over_midnight = end <= start
    for began in (local.date(), local.date() - timedelta(days=1)):
        if hours.days and began.weekday() not in hours.days:
            continue
        last = began + timedelta(days=1) if over_midnight else began
        first_moment = datetime.combine(began, start, zone).astimezone(UTC).timestamp()
        last_moment = datetime.combine(last, end, zone).astimezone(UTC).timestamp()
        if first_moment <= now < last_moment:
            return last_moment
    return None
