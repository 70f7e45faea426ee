"""From host and path to what should answer. Hosts and paths are those of the public contract.

With `DOMAIN=localhost` everything is also reachable by path on any host (`/run/<worker>`, `/health`); under a real domain
only the hosts that exist answer, and any other is a 404.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from v8box.errors import BadRequest, NotFound

WORKER_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_HOST: Final = re.compile(rb"(?:\[[0-9a-fA-F:.]{2,45}\]|[A-Za-z0-9_.-]{1,253})(?::[0-9]{1,5})?")
_MAX_REMEMBERED_HOSTS: Final = 4096


class HostKind(Enum):
    """What a host name stands for."""

    PATHS = auto()  # a box without a domain: everything by path
    ADMIN = auto()
    API = auto()
    UNKNOWN = auto()


@dataclass(frozen=True, slots=True)
class Host:
    """A host as the client named it, port included."""

    kind: HostKind
    name: str


@dataclass(frozen=True, slots=True)
class ToWorker:
    """`/run/<worker>/<rest>`: the worker, what it sees as its path, and the prefix that was taken off."""

    worker: str
    rest: str
    prefix: str


@dataclass(frozen=True, slots=True)
class ToBox:
    """A page of the box itself, e.g. `/health`."""

    path: str


class Router:
    """Pure look-ups; host names seen are remembered within a bound."""

    def __init__(self, domain: str) -> None:
        self._domain = domain
        self._open = domain == "localhost"
        self._hosts: dict[bytes, Host] = {}

    def host(self, raw: bytes | None) -> Host:
        """Classifies a Host header. Raises `BadRequest` for one that no client sends."""
        if raw is None:
            raise BadRequest("The request has no Host header.")
        known = self._hosts.get(raw)
        if known is not None:
            return known
        if not _HOST.fullmatch(raw):
            raise BadRequest("The Host header is not a host name.")
        name = raw.decode("ascii").lower()
        host = Host(self._kind(name.rsplit(":", 1)[0] if not name.endswith("]") else name), name)
        if len(self._hosts) < _MAX_REMEMBERED_HOSTS:
            self._hosts[raw] = host
        return host

    def _kind(self, name: str) -> HostKind:
        name = name.rstrip(".")
        if name == f"admin.{self._domain}":
            return HostKind.ADMIN
        if name == f"api.{self._domain}":
            return HostKind.API
        if self._open:
            # A site's host: nothing is there yet, and paths must not answer on it.
            return HostKind.UNKNOWN if name.endswith(".localhost") else HostKind.PATHS
        return HostKind.UNKNOWN

    def route(self, host: Host, raw_path: str) -> ToWorker | ToBox:
        """Where a path leads on a host. Raises `NotFound`, `BadRequest`."""
        kind = host.kind
        if kind is HostKind.UNKNOWN:
            raise NotFound("There is nothing at this host name.")
        if raw_path.startswith("/run/"):
            if kind is HostKind.ADMIN:
                raise NotFound("Workers answer under the api host, not under this one.")
            return _worker(raw_path)
        if kind is HostKind.API:
            raise NotFound("Workers are called as /run/<worker>.")
        return ToBox(raw_path)


def _worker(raw_path: str) -> ToWorker:
    slash = raw_path.find("/", 5)
    name = raw_path[5:] if slash < 0 else raw_path[5:slash]
    if not WORKER_NAME.fullmatch(name):
        raise BadRequest("A worker's name is 1 to 63 of a-z, 0-9, _ and -, and begins with a letter or digit.")
    rest = "/" if slash < 0 else raw_path[slash:]
    return ToWorker(name, rest, raw_path[: 5 + len(name)])
