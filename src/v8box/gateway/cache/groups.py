"""What a deploy purges: the answers of a worker in one environment, or of a site at one host.

Keys have the version in them, so an older version's answers are not found; but a rollback would find them again. So
whatever changes what is live purges them for good.
"""

from __future__ import annotations

from v8box.catalog.model import Route, RouteTable, route_key
from v8box.catalog.sites import SiteRoute, SiteTable
from v8box.gateway.cache.purges import Purges


def group_of(route: Route | SiteRoute) -> str:
    if isinstance(route, Route):
        return "worker " + route_key(route.project, route.worker, route.environment)
    return f"site {route.label}--{route.site}" if route.label else f"site {route.site}"


class Groups:
    """Compares what is live with what was. `follow_…` are called with every new snapshot."""

    def __init__(self, purges: Purges) -> None:
        self._purges = purges
        self._workers: dict[tuple[str, str], frozenset[str]] = {}
        self._sites: dict[tuple[str, str], str] = {}

    def follow_routes(self, table: RouteTable) -> None:
        live: dict[tuple[str, str], frozenset[str]] = {}
        for route in table.workers.values():
            if route.newest.manifest.cache.enabled and not route.newest.manifest.cache.keep_on_deploy:
                where = (route.project, group_of(route))  # a site's function may be there in several versions
                live[where] = live.get(where, frozenset()) | {share.placement.key for share in route.shares}
        for where, keys in self._workers.items():
            if live.get(where) != keys:
                self._purges.group(*where)
        self._workers = live

    def follow_sites(self, table: SiteTable) -> None:
        routes = (*table.sites.values(), *table.previews.values())
        live = {(each.project, group_of(each)): each.key for each in routes}
        for where, key in self._sites.items():
            if live.get(where) != key:
                self._purges.group(*where)
        self._sites = live
