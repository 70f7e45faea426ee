"""Purges of the CDN after another release of a site is live: in the background, one request at a time, tried again.

A deploy never waits for it. What is to be purged is kept by site, so a site that goes live twice while the CDN is away
is purged once; beyond the bound the newest is refused, which the log says. A box that ends forgets what was waiting.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, NamedTuple

from v8box.catalog.sites import SiteTable
from v8box.features.cdn.client import MAX_HOSTS, CdnClient, CdnFault
from v8box.telemetry.actors import BOX
from v8box.telemetry.audit import Event

_log = logging.getLogger(__name__)

MAX_WAITING: Final = 1_000
TRIES: Final = 6
_FIRST_WAIT: Final = 1.0
_LONGEST_WAIT: Final = 60.0

Record = Callable[[Event], Awaitable[None]]
Sleep = Callable[[float], Awaitable[None]]


class Purges:
    """Follows the snapshots of the sites."""

    def __init__(
        self,
        client: CdnClient,
        table: SiteTable,
        host: Callable[[str], str],
        record: Record,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        """`host`: the host name of a site's label. `record` writes into the audit log."""
        self._client = client
        self._live = _live(table)
        self._host = host
        self._record = record
        self._sleep = sleep
        self._waiting: dict[str, tuple[str, Sequence[str]]] = {}
        self._woken = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    def follow(self, table: SiteTable) -> None:
        """The sites have changed: whichever has another live release, came or went, is purged."""
        before, self._live = self._live, _live(table)
        for site in before.keys() | self._live.keys():
            was, now = before.get(site), self._live.get(site)
            one = now or was
            if one is not None and (was is None or now is None or was.key != now.key):
                domains = {*(was.domains if was else ()), *(now.domains if now else ())}
                self._add(site, one.project, sorted(domains))

    async def settle(self) -> None:
        """Waits until nothing waits."""
        await self._idle.wait()

    async def run(self) -> None:
        """Purges what waits, for ever."""
        while True:
            if not self._waiting:
                self._idle.set()
                self._woken.clear()
                await self._woken.wait()
            site = next(iter(self._waiting))
            project, hosts = self._waiting.pop(site)
            await self._purge(site, project, hosts)

    def _add(self, site: str, project: str, domains: Sequence[str]) -> None:
        if site not in self._waiting and len(self._waiting) >= MAX_WAITING:
            _log.warning("the CDN is not told of %s: %d sites wait to be purged already", site, MAX_WAITING)
            return
        _, before = self._waiting.get(site, (project, ()))
        self._waiting[site] = (project, list(dict.fromkeys([self._host(site), *domains, *before])))
        self._idle.clear()
        self._woken.set()

    async def _purge(self, site: str, project: str, hosts: Sequence[str]) -> None:
        problem = ""
        try:
            for start in range(0, len(hosts), MAX_HOSTS):
                await self._try(site, hosts[start : start + MAX_HOSTS])
                if self._client.kind == "bunny":
                    break  # a pull zone goes as a whole
        except CdnFault as error:
            problem = str(error)
            _log.error("the CDN still has what it kept of %s: %s", site, problem)
        else:
            _log.info("the CDN has thrown away what it kept of %s", site)
        after: dict[str, Any] = {"cdn": self._client.kind, "hosts": list(hosts)}
        after |= {"error": problem} if problem else {}
        action = "cdn.purge_failed" if problem else "cdn.purge"
        try:
            await self._record(Event(action=action, resource=f"site/{site}", project=project, actor=BOX, after=after))
        except Exception:
            _log.exception("the audit log does not have the purge of %s", site)

    async def _try(self, site: str, hosts: Sequence[str]) -> None:
        """Once, and again while that may help. Raises the last `CdnFault`."""
        wait = _FIRST_WAIT
        for left in reversed(range(TRIES)):
            try:
                await self._client.purge(hosts)
                return
            except CdnFault as error:
                if not error.again or not left:
                    raise
                pause = wait if error.after is None else error.after
                _log.warning("the CDN does not purge %s: %s; again in %.0f s", site, error, pause)
                await self._sleep(pause)
                wait = min(wait * 3, _LONGEST_WAIT)


class _Live(NamedTuple):
    """What is live of a site, and the host names of its own."""

    key: str
    project: str
    domains: Sequence[str]


def _live(table: SiteTable) -> dict[str, _Live]:
    """By site."""
    domains: dict[str, list[str]] = {}
    for host, route in table.domains.items():
        domains.setdefault(route.site, []).append(host)
    return {name: _Live(route.key, route.project, domains.get(name, ())) for name, route in table.sites.items()}
