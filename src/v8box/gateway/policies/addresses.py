"""Which addresses may call. A denied one may not, whatever else is allowed."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Final

from v8box.catalog.policies import Auth, Network
from v8box.gateway.policies.passage import Passage
from v8box.gateway.policies.refusals import IpNotAllowed

_MAX_REMEMBERED: Final = 4096


class AddressList:
    """Whether an address is within some ranges. Answers are remembered, within a bound."""

    __slots__ = ("_known", "_networks")

    def __init__(self, networks: Sequence[str]) -> None:
        self._networks: list[Network] = [ipaddress.ip_network(network) for network in networks]
        self._known: dict[str, bool] = {}

    def __contains__(self, address: str) -> bool:
        known = self._known.get(address)
        if known is None:
            if len(self._known) >= _MAX_REMEMBERED:
                self._known.clear()
            known = self._known[address] = self._holds(address)
        return known

    def _holds(self, address: str) -> bool:
        try:
            parsed = ipaddress.ip_address(address.partition("%")[0])
        except ValueError:
            return False
        if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
            parsed = parsed.ipv4_mapped
        return any(parsed in network for network in self._networks)


class AddressCheck:
    """The step."""

    __slots__ = ("_allowed", "_denied", "_known")

    def __init__(self, auth: Auth) -> None:
        self._allowed = AddressList(auth.allow_ips) if auth.allow_ips else None
        self._denied = AddressList(auth.deny_ips)
        self._known: dict[str, bool] = {}

    def ask(self, passage: Passage) -> None:
        may = self._known.get(passage.client)
        if may is None:
            may = self._look(passage.client)
        if not may:
            raise IpNotAllowed

    def _look(self, client: str) -> bool:
        if len(self._known) >= _MAX_REMEMBERED:
            self._known.clear()
        may = client not in self._denied and (self._allowed is None or client in self._allowed)
        self._known[client] = may
        return may


def compile_step(auth: Auth) -> AddressCheck | None:
    return AddressCheck(auth) if auth.allow_ips or auth.deny_ips else None


def describe(auth: Auth) -> str | None:
    told = [f"only {', '.join(auth.allow_ips)}"] if auth.allow_ips else []
    told += [f"not {', '.join(auth.deny_ips)}"] if auth.deny_ips else []
    return "; ".join(told) or None
