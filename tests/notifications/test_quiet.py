"""Quiet hours, by the wall clock of a time zone, over midnight and over the days when clocks are changed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from v8box.features.notifications.model import QuietHours
from v8box.features.notifications.quiet import parse_time, parse_zone, quiet_until

BERLIN = ZoneInfo("Europe/Berlin")
NIGHT = QuietHours(start="22:00", end="07:00", timezone="Europe/Berlin")


def at(text: str, zone: ZoneInfo = BERLIN) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()


@pytest.mark.parametrize(
    ("now", "until"),
    [
        ("2026-07-01T21:59", None),
        ("2026-07-01T22:00", "2026-07-02T07:00"),
        ("2026-07-02T03:00", "2026-07-02T07:00"),
        ("2026-07-02T06:59", "2026-07-02T07:00"),
        ("2026-07-02T07:00", None),
        ("2026-03-29T01:30", "2026-03-29T07:00"),  # an hour is left out this night
        ("2026-10-25T01:30", "2026-10-25T07:00"),  # an hour comes twice this night
    ],
)
def test_a_night(now: str, until: str | None) -> None:
    assert quiet_until(NIGHT, at(now)) == (None if until is None else at(until))


def test_none_is_never() -> None:
    assert quiet_until(None, 0.0) is None


def test_within_a_day() -> None:
    hours = QuietHours(start="12:00", end="13:00")
    assert quiet_until(hours, at("2026-07-01T12:30", ZoneInfo("UTC"))) == at("2026-07-01T13:00", ZoneInfo("UTC"))
    assert quiet_until(hours, at("2026-07-01T13:30", ZoneInfo("UTC"))) is None


def test_days_are_those_on_which_the_hours_begin() -> None:
    friday = QuietHours(start="22:00", end="07:00", timezone="Europe/Berlin", days=(4,))
    assert quiet_until(friday, at("2026-07-04T03:00")) == at("2026-07-04T07:00")  # a Saturday morning
    assert quiet_until(friday, at("2026-07-03T03:00")) is None
    assert quiet_until(friday, at("2026-07-04T23:00")) is None


def test_whole_days_follow_on_each_other() -> None:
    weekend = QuietHours(start="00:00", end="00:00", timezone="Europe/Berlin", days=(5, 6))
    assert quiet_until(weekend, at("2026-07-04T10:00")) == at("2026-07-06T00:00")
    assert quiet_until(weekend, at("2026-07-06T00:00")) is None


def test_always_is_bounded() -> None:
    until = quiet_until(QuietHours(start="00:00", end="00:00"), 0.0)
    assert until is not None
    assert until <= 9 * 86_400


@given(
    st.datetimes(datetime(2024, 1, 1), datetime(2028, 1, 1), timezones=st.just(UTC)),
    st.times().map(lambda each: f"{each.hour:02}:{each.minute:02}"),
    st.times().map(lambda each: f"{each.hour:02}:{each.minute:02}"),
    st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Pacific/Chatham"]),
    st.sets(st.integers(0, 6)),
)
def test_the_end_is_ahead_and_then_it_is_over(now: datetime, start: str, end: str, zone: str, days: set[int]) -> None:
    hours = QuietHours(start=start, end=end, timezone=zone, days=tuple(sorted(days)))
    until = quiet_until(hours, now.timestamp())
    if until is None:
        return
    assert until > now.timestamp()
    if start != end:
        assert quiet_until(hours, until) is None
        assert until - now.timestamp() <= timedelta(hours=25).total_seconds()


@pytest.mark.parametrize("text", ["", "7:00", "24:00", "12:60", "12:00:00", "noon", "12:0\u0660"])
def test_bad_times(text: str) -> None:
    with pytest.raises(ValueError, match="22:00"):
        parse_time(text)


@pytest.mark.parametrize("name", ["", "Mars/Olympus", "../../etc/passwd", "/etc/localtime", "Europe"])
def test_bad_zones(name: str) -> None:
    with pytest.raises(ValueError, match="Europe/Berlin"):
        parse_zone(name)
