"""How many bytes the sites of a project take. Releases share files, so each site's are counted once.

Reading every release of a site takes a while, so a site's sum is remembered for as long as it has the same releases.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable

from v8box.catalog.sites import Sites
from v8box.gateway.pages.release import Release


class SiteBytes:
    """`read` gives the release that a key stands for."""

    def __init__(self, sites: Sites, read: Callable[[str], Awaitable[Release]]) -> None:
        self._sites = sites
        self._read = read
        self._known: dict[str, tuple[set[str], int]] = {}

    async def of(self, project: str) -> int:
        """The sum of a project."""
        keys: dict[str, set[str]] = defaultdict(set)
        names = set()
        for route in self._sites.table.previews.values():  # every release is one, by its id
            names.add(route.site)
            if route.project == project:
                keys[route.site].add(route.key)
        for gone in self._known.keys() - names:
            del self._known[gone]
        for site, present in keys.items():
            known = self._known.get(site)
            if known is None or known[0] != present:
                self._known[site] = present, await self._sum(present)
        return sum(self._known[site][1] for site in keys)

    async def _sum(self, keys: Iterable[str]) -> int:
        sizes: dict[str, int] = {}
        for key in keys:
            for asset in (await self._read(key)).files.values():
                for stored in (asset.content, asset.deployed, *asset.encodings.values(), *asset.variants.values()):
                    sizes[stored.hash] = stored.size
        return sum(sizes.values())
