"""Which of a route's two versions answers a request: the one it names, else the one its key belongs to, else by chance.

The same key gives the same version for as long as the weights stay, on every node and after every restart; as the newer
version's weight grows, keys only move to it.
"""

from __future__ import annotations

import random
import zlib
from typing import Final

from v8box.catalog.model import Placement, Route
from v8box.errors import BadRequest
from v8box.gateway.headers import Incoming

_MIN_PREFIX: Final = 4
_random = random.Random()  # noqa: S311 - spreads load, guards nothing


def choose(route: Route, incoming: Incoming, client: str) -> Placement:
    """The version for this request. Raises `BadRequest` for one that it names and that is not live here."""
    if incoming.version is not None and (wanted := _named(incoming.version, route.worker)) is not None:
        return _find(route, wanted)
    shares = route.shares
    if len(shares) == 1:
        return shares[0].placement
    key = incoming.version_key or _sticky_key(route.sticky, incoming, client)
    if key is None:
        slot = _random.randrange(100)
    else:
        slot = zlib.crc32(f"{route.worker}\n{key}".encode()) % 100
    return shares[0 if slot < shares[0].weight else 1].placement


def _named(header: str, worker: str) -> str | None:
    """`a=1, hello="ab12"`: the version that is asked for of this worker."""
    for part in header.split(","):
        name, equals, version = part.partition("=")
        if equals and name.strip() == worker:
            return version.strip().strip('"')
    return None


def _find(route: Route, wanted: str) -> Placement:
    for share in route.shares:
        placement = share.placement
        if wanted in (f"v{placement.number}", str(placement.number)):
            return placement
        if len(wanted) >= _MIN_PREFIX and placement.id.startswith(wanted):
            return placement
    live = " and ".join(f"v{share.placement.number} ({share.placement.id})" for share in route.shares)
    raise BadRequest(f"The header V8Box-Version names a version of {route.worker} that is not live here. Live: {live}.")


def _sticky_key(sticky: str, incoming: Incoming, client: str) -> str | None:
    if not sticky:
        return None
    kind, _, name = sticky.partition(":")
    if kind == "ip":
        return client
    if kind == "header":
        return incoming.first(name)
    cookies = incoming.first("cookie") or ""
    for part in cookies.split(";"):
        known, equals, value = part.strip().partition("=")
        if equals and known == name:
            return value
    return None
