"""Paths that differ in an id only, as one: `/users/17/posts` and `/users/4/posts` are `/users/:id/posts`."""

from __future__ import annotations

import re
from typing import Final

MAX_PATTERN: Final = 200
_MAX_PARTS: Final = 12
_ID: Final = re.compile(
    r"(?:[0-9]+|[0-9a-f]{8}-[0-9a-f-]{27}|(?=[^/]*[0-9])[0-9a-fA-F]{8,}|(?=[^/]*[0-9])[A-Za-z0-9_-]{20,}|.*@.*|.{60,})"
)


def pattern_of(path: str) -> str:
    """The path with `:id` for the parts that are ids, cut after some parts."""
    parts = path[: 4 * MAX_PATTERN].split("/")
    shown = [":id" if _ID.fullmatch(part) else part for part in parts[:_MAX_PARTS]]
    if len(parts) > _MAX_PARTS:
        shown.append("…")
    return "/".join(shown)[:MAX_PATTERN]
