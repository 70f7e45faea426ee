"""What is live, as the gateway reads it: one table, replaced whole with every change; and who follows the changes.

Only the catalog changes it. Reading it costs nothing and never waits.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from v8box.catalog.deployments import Where
from v8box.catalog.model import PRODUCTION, HeldVersion, Route, RouteTable, Share, Version, place

_log: Final = logging.getLogger(__name__)

Subscriber = Callable[[RouteTable], None]
Revision = Callable[[str, str, str], int]
"""The revision of the variables of a project, an environment and a worker; it grows with every change."""


class Snapshot:
    """`routes` is the table of now."""

    def __init__(self, revision: Revision) -> None:
        self.routes = RouteTable(MappingProxyType({}))
        self._revision = revision
        self._held: Mapping[str, HeldVersion] = {}
        self._subscribers: list[Subscriber] = []

    def subscribe(self, subscriber: Subscriber) -> Callable[[], None]:
        """Call `subscriber` with every new snapshot, right after it took effect; gives what ends the subscription.

        It must return at once. One that fails is logged and called again at the next change: compare, don't count.
        """
        self._subscribers.append(subscriber)
        return lambda: self._subscribers.remove(subscriber)

    def placed(self, where: Where, shares: Sequence[tuple[Version, int]], sticky: str) -> Route:
        """The route of what is deployed there."""
        revision = self._revision(where.project, where.environment, where.worker)
        return Route(
            project=where.project,
            worker=where.worker,
            environment=where.environment,
            shares=tuple(Share(place(version, where.environment, revision), weight) for version, weight in shares),
            sticky=sticky,
        )

    def placed_again(self, route: Route) -> Route:
        """With the variables of now; the same route where they have not changed."""
        revision = self._revision(route.project, route.environment, route.worker)
        if all(share.placement.revision == revision for share in route.shares):
            return route
        shares = tuple(
            Share(place(share.placement, route.environment, revision), share.weight) for share in route.shares
        )
        return replace(route, shares=shares)

    def hold(self, held: Mapping[str, HeldVersion]) -> None:
        """The versions that releases of sites hold, by `held_key`: they are on the routes from here on, and those that
        were before are not. Takes effect at once, without waiting for anything."""
        if held.keys() != self._held.keys():
            self._held = held
            self.swap(dict(self.routes.workers), self.routes.generation)

    def live_at_sites(self, project: str, worker: str) -> set[str]:
        """The versions of a worker that are functions of what is live of a site, by id."""
        wanted = (project, worker, PRODUCTION)
        held = ((each.version, each.environment) for each in self._held.values())
        return {version.id for version, where in held if (version.project, version.worker, where) == wanted}

    def _held_routes(self) -> dict[str, Route]:
        found = {}
        for key, each in self._held.items():
            version, environment = each.version, each.environment
            revision = self._revision(version.project, environment, version.worker)
            known = self.routes.workers.get(key)
            if known is None or known.newest.revision != revision:
                known = Route(
                    project=version.project,
                    worker=version.worker,
                    environment=environment,
                    shares=(Share(place(version, environment, revision), 100),),
                    held=True,
                )
            found[key] = known
        return found

    def swap(self, routes: dict[str, Route], generation: int) -> None:
        """Makes `routes`, of what is deployed, the table of now, and tells. What is held goes with it."""
        if self._held or any(route.held for route in routes.values()):
            routes = {key: route for key, route in routes.items() if not route.held} | self._held_routes()
        self.routes = RouteTable(MappingProxyType(routes), generation)
        for subscriber in tuple(self._subscribers):
            try:
                subscriber(self.routes)
            except Exception:
                _log.exception("a subscriber of the catalog failed")
