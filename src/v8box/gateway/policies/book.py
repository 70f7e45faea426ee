"""The compiled policies of what is live, each made at its first request and kept while it is live."""

from __future__ import annotations

from typing import Final

from v8box.catalog.model import Placement, RouteTable
from v8box.catalog.policies import NO_RULES
from v8box.gateway.headers import Incoming
from v8box.gateway.policies.order import Parts, Policies
from v8box.gateway.policies.passage import FREE, FreePassage, Passage
from v8box.sandbox.interface import Invocation

_MAX_KEPT: Final = 4096


class PolicyBook:
    """What the gateway asks for the policies of a placement."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self._over = parts.usage.over
        self._compiled: dict[str, Policies | None] = {}

    def passage(
        self,
        placement: Placement,
        invocation: Invocation,
        incoming: Incoming,
        client: str,
        path: str,
        upgrade: bool = False,
    ) -> FreePassage:
        """The way of one request through the policies. `FREE` for a worker without any: then only its project's quota
        counts, and may raise here."""
        try:
            policies = self._compiled[placement.key]
        except KeyError:
            policies = self._compile(placement)
        if policies is not None:
            return Passage(policies, invocation, incoming, client, path, upgrade)
        if (error := self._over(placement.project)) is not None:
            raise error
        return FREE

    def _compile(self, placement: Placement) -> Policies | None:
        if len(self._compiled) >= _MAX_KEPT:
            self._compiled.clear()
        policies = None if placement.manifest.rules is NO_RULES else Policies(placement, self.parts)
        self._compiled[placement.key] = policies
        return policies

    def follow(self, routes: RouteTable) -> None:
        """Compares with what is live, and forgets what is not."""
        live = {share.placement.key for route in routes.workers.values() for share in route.shares}
        for key in self._compiled.keys() - live:
            del self._compiled[key]
