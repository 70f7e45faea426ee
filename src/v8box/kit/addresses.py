"""This machine's own IPv4 addresses, and the ranges that are nobody's public address."""

from __future__ import annotations

import ipaddress
from itertools import pairwise
from pathlib import Path
from typing import Final

SPECIAL_IPV4: Final = (
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
)
"""Private, loopback, link-local, shared, documentation, multicast and reserved ranges: the IANA special-purpose
registry (RFC 6890 and its successors)."""


_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
_SPECIAL_NETWORKS: Final = tuple(ipaddress.IPv4Network(each) for each in SPECIAL_IPV4)


def is_public(address: str) -> bool:
    """Whether an address is somebody's on the internet: nothing private, of this machine, or of a special use. An IPv4
    address in IPv6 clothes counts as what it is."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(parsed, ipaddress.IPv6Address):
        inner = parsed.ipv4_mapped or parsed.sixtofour or (parsed.teredo[1] if parsed.teredo else None)
        if inner is None:
            return parsed.is_global and parsed not in _NAT64
        parsed = inner
    return parsed.is_global and not any(parsed in network for network in _SPECIAL_NETWORKS)


def own_ipv4() -> tuple[str, ...]:
    """The IPv4 addresses of this machine's interfaces. Empty where the kernel does not tell.

    /proc/net/fib_trie lists a local address as a `/32 host LOCAL` line under the line of the address itself.
    """
    try:
        lines = Path("/proc/net/fib_trie").read_text().splitlines()
    except OSError:
        return ()
    found = {above.split()[-1] for above, line in pairwise(lines) if line.strip() == "/32 host LOCAL"}
    return tuple(sorted(found))
