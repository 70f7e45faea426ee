"""Whom a request comes from when proxies pass it on: trusted ones are believed, what a client can invent is not."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def is_trusted(address: str, networks: Iterable[Network]) -> bool:
    """Whether the address is one of a trusted proxy."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(parsed in network for network in networks)


def first_untrusted(chain: str, trusted: Iterable[Network]) -> str | None:
    """The client's address in an `X-Forwarded-For`: the right-most that is not a trusted proxy's; what is further left
    may be invented."""
    for part in reversed(chain.split(",")):
        address = part.strip()
        if not is_trusted(address, trusted):
            try:
                return str(ipaddress.ip_address(address))
            except ValueError:
                return None
    return None
