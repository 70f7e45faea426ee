"""Times as the API and the stores write them: RFC 3339, UTC, milliseconds, `Z`. Text in this form sorts by time."""

from __future__ import annotations

from datetime import UTC, datetime


def rfc3339(at: datetime | float) -> str:
    """A moment, or a Unix time in seconds, as `2026-01-31T12:00:00.000Z`."""
    moment = at.astimezone(UTC) if isinstance(at, datetime) else datetime.fromtimestamp(at, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def now() -> str:
    """This moment."""
    return rfc3339(datetime.now(UTC))
