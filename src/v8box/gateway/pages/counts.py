"""How many requests sites answered, and how many bytes they sent. Since the box started, in memory only."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from v8box.catalog.sites import SiteRoute
from v8box.gateway.invoke import Send

_MAX_SITES: Final = 10_000
_EMPTY: Final = frozenset({204, 304})


class SiteCount:
    """Of one site. `statuses`: requests by the first digit of what was answered."""

    __slots__ = ("bytes", "statuses")

    def __init__(self) -> None:
        self.bytes = 0
        self.statuses = [0] * 6


class SiteCounts:
    """By project and site. Beyond so many sites, others are not counted."""

    def __init__(self) -> None:
        self._sites: dict[tuple[str, str], SiteCount] = {}

    def __iter__(self) -> Iterator[tuple[tuple[str, str], SiteCount]]:
        return iter(tuple(self._sites.items()))

    def counting(self, route: SiteRoute, method: str, send: Send) -> Send:
        """`send`, which counts on the way. What a file is sent as (`pathsend`) is as long as the head says."""
        key = (route.project, route.site)
        count = self._sites.get(key)
        if count is None:
            if len(self._sites) >= _MAX_SITES:
                return send
            count = self._sites[key] = SiteCount()
        counted = count
        announced = 0

        async def sending(message: Any) -> None:
            nonlocal announced
            kind = message["type"]
            if kind == "http.response.body":
                if method != "HEAD":
                    counted.bytes += len(message.get("body", b""))
            elif kind == "http.response.start":
                status = message["status"]
                counted.statuses[status // 100 if 0 < status < 600 else 0] += 1
                if method != "HEAD" and status not in _EMPTY:
                    announced = _length(message["headers"])
            elif kind == "http.response.pathsend":
                counted.bytes += announced
            await send(message)

        return sending


def _length(headers: Any) -> int:
    for name, value in headers:
        if name == b"content-length":
            return int(value)
    return 0
