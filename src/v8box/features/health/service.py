"""`/health`: is the box well? The services are asked at most every two seconds, however many ask us."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

CACHE_SECONDS: Final = 2.0
CHECK_SECONDS: Final = 2.0

Check = Callable[[], Awaitable[None]]
"""Returns when the service answers, raises when it does not."""


class Health:
    """Asks each service and remembers the answer for a moment."""

    def __init__(self, checks: Mapping[str, Check]) -> None:
        self._checks = checks
        self._answer: tuple[int, bytes] = (503, b"{}")
        self._asked_at = -CACHE_SECONDS
        self._asking = asyncio.Lock()

    async def page(self) -> tuple[int, bytes]:
        """200 when every service answers, 503 when one does not; `{status, timestamp, services: {name: …}}`."""
        if time.monotonic() - self._asked_at >= CACHE_SECONDS:
            async with self._asking:
                if time.monotonic() - self._asked_at >= CACHE_SECONDS:
                    self._answer = await self._ask()
                    self._asked_at = time.monotonic()
        return self._answer

    async def _ask(self) -> tuple[int, bytes]:
        names = tuple(self._checks)
        results = await asyncio.gather(*(self._time(self._checks[name]) for name in names))
        services = dict(zip(names, results, strict=True))
        well = all(service["status"] == "ok" for service in results)
        timestamp = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        body = {"status": "ok" if well else "degraded", "timestamp": timestamp, "services": services}
        return 200 if well else 503, msgspec.json.encode(body)

    async def _time(self, check: Check) -> dict[str, Any]:
        started = time.perf_counter()
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                await check()
        except Exception:
            status = "down"  # the reason is for the signed-in, and in the log of whoever lost it
        else:
            status = "ok"
        return {"status": status, "latency_ms": round((time.perf_counter() - started) * 1000, 2)}
