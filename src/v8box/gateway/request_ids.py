"""Request ids: unique, sortable by time, cheap to make."""

from __future__ import annotations

import itertools
import secrets
import time


class RequestIds:
    """Gives 24 hex digits: milliseconds since 1970 (12), this process (6, random), a counter (6)."""

    def __init__(self) -> None:
        self._process = secrets.token_hex(3)
        self._next = itertools.count(secrets.randbelow(1 << 20)).__next__

    def new(self) -> str:
        return f"{time.time_ns() // 1_000_000:012x}{self._process}{self._next() & 0xFFFFFF:06x}"
