"""From host and path to what should answer. Hosts and paths are those of the public contract.

With `DOMAIN=localhost` everything is also reachable by path on any host (`/run/<worker>`, `/health`); under a real
domain only the hosts that exist answer, and any other is a 404.
"""

from __future__ import annotations

import ipaddress
import re
import socket
import unicodedata
from collections.abc import Callable, Container
from enum import Enum, auto
from typing import Final, Literal

from v8box.catalog.model import DEFAULT_PROJECT, PRODUCTION, route_key
from v8box.errors import BadRequest, NotFound

_LABEL: Final = "[a-z0-9][a-z0-9_-]{0,62}"
_ENVIRONMENT: Final = "[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?"
_WORKER: Final = re.compile(rf"(?:({_LABEL})(?::|%3[Aa]))?({_LABEL})(?:(?:@|%40)({_ENVIRONMENT}))?")
_INTERNAL: Final = "/internal/"
_PROOF: Final = "/.well-known/v8box/"
_SITE_LABEL: Final = re.compile("[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_BOX_PAGES: Final = frozenset({"/health", "/livez", "/readyz", "/metrics"})
"""On the admin's host, what is no part of the dashboard: whoever watches the box asks there."""
_PAGES: Final = re.compile(rf"(/pages/({_SITE_LABEL.pattern}))(?=/|$)")
_API_LABEL: Final = re.compile(rf"(?:({_ENVIRONMENT})--)?api")
_HOST: Final = re.compile(rb"(\[[0-9a-fA-F:.]{2,45}\]|[A-Za-z0-9_.-]{1,253})(?::([0-9]{1,5}))?")
_HEX: Final = re.compile("0x[0-9a-f]*")
_MAX_REMEMBERED: Final = 4096
_MAX_REMEMBERED_BYTES: Final = 512


class HostKind(Enum):
    """What a host name stands for."""

    PATHS = auto()  # a box without a domain: everything by path
    ADMIN = auto()
    API = auto()
    DB = auto()
    S3 = auto()
    SITE = auto()
    DOMAIN = auto()  # somebody's own
    UNKNOWN = auto()


_HOSTS: Final = {"admin": HostKind.ADMIN, "api": HostKind.API, "db": HostKind.DB, "s3": HostKind.S3}

_WITH_FOLDERS: Final = frozenset({HostKind.SITE, HostKind.DOMAIN, HostKind.S3})
"""Hosts where a folder or a bucket may be called `internal`."""

Mount = Literal["admin", "db", "s3", "internal"]
"""An application of the box: the admin API, databases for LibSQL clients, buckets for S3 clients, and what programs on
the same machine ask (`/internal/…`)."""


class Target:
    """What should answer a request. `worker`: its `route_key`, with what it sees as its path and the prefix that was
    taken off. Or `site`: the label of a site or of a preview of one, or a host name of somebody's own (it has a dot).
    Without either it is for the box itself: an application of it (`mount`), below `prefix`, or the page at `rest`."""

    __slots__ = ("host_name", "mount", "prefix", "rest", "shared_host", "site", "worker")

    def __init__(
        self,
        host_name: str,
        shared_host: bool,
        worker: str,
        rest: str,
        prefix: str,
        mount: Mount | None = None,
        site: str | None = None,
    ) -> None:
        self.host_name = host_name
        self.shared_host = shared_host
        self.worker = worker
        self.rest = rest
        self.prefix = prefix
        self.mount = mount
        self.site = site


class Router:
    """Pure look-ups. What was asked for before is remembered, within a bound. `domains`: the host names of somebody's
    own that answer; when they change, `forget`."""

    def __init__(self, domain: str, domains: Callable[[], Container[str]] = frozenset) -> None:
        self._domain = domain
        self._domains = domains
        self._open = domain == "localhost"
        self._remembered: dict[tuple[bytes, bytes], Target] = {}

    def resolve(self, raw_host: bytes | None, raw_path: bytes) -> Target:
        """Where a request leads. Raises `NotFound`, `BadRequest`."""
        if raw_host is None:
            raise BadRequest("The request has no Host header.")
        key = (raw_host, raw_path)
        known = self._remembered.get(key)
        if known is not None:
            return known
        target = self._resolve(raw_host, raw_path)
        if len(raw_host) + len(raw_path) <= _MAX_REMEMBERED_BYTES:
            if len(self._remembered) >= _MAX_REMEMBERED:
                self._remembered.clear()
            self._remembered[key] = target
        return target

    def forget(self) -> None:
        """Host names lead elsewhere from here on."""
        self._remembered.clear()

    def _resolve(self, raw_host: bytes, raw_path: bytes) -> Target:
        match = _HOST.fullmatch(raw_host)
        name = match[1].decode("ascii").lower() if match else ""
        if match is None or int(match[2] or 0) > 65535 or not _fits_url(name):
            raise BadRequest("The Host header is not a host name.")
        host = raw_host.decode("ascii").lower()
        kind, detail = self._kind(name)
        path = raw_path.decode("latin-1")
        if path.startswith(_PROOF) or (path.startswith(_INTERNAL) and kind not in _WITH_FOLDERS):
            return Target(host, False, "", path, "", "internal")
        if kind is HostKind.UNKNOWN:
            raise NotFound("There is nothing at this host name.")
        if kind in (HostKind.SITE, HostKind.DOMAIN):
            return Target(host, False, "", path, "", site=detail)
        shared = kind is HostKind.PATHS
        if path.startswith("/run/") and kind not in (HostKind.DB, HostKind.S3):
            if kind is HostKind.ADMIN:
                raise NotFound("Workers answer under the api host, not under this one.")
            key, prefix, rest = _worker(path, detail)
            return Target(host, shared, key, rest, prefix)
        if kind is HostKind.API:
            raise NotFound("Workers are called as /run/<worker>.")
        if kind is HostKind.DB:
            return Target(host, shared, "", path, "", "db")
        if kind is HostKind.S3:
            return Target(host, shared, "", path, "", "s3")
        first = path[1:].split("/", 1)[0] if path.startswith("/") else ""
        if first in ("admin", "api") or (kind is HostKind.ADMIN and path not in _BOX_PAGES):
            return Target(host, shared, "", path, "", "admin")
        if shared and first == "pages" and (site := _PAGES.match(path)) is not None:
            return Target(host, shared, "", path[site.end(1) :], site[1], site=site[2])
        if shared and first in ("db", "s3"):
            return Target(host, shared, "", path, f"/{first}", "db" if first == "db" else "s3")
        return Target(host, shared, "", path, "")

    def _kind(self, name: str) -> tuple[HostKind, str]:
        """What a host name stands for; with it the environment of its workers, or its site."""
        name = name.rstrip(".")
        label, _, domain = name.partition(".")
        if domain == self._domain:  # first: nobody's name may stand for a part of the box
            if label in _HOSTS:
                return _HOSTS[label], PRODUCTION
            if (match := _API_LABEL.fullmatch(label)) is not None and "--" not in match[1]:
                return HostKind.API, match[1]
        if name in self._domains():
            return HostKind.DOMAIN, name
        if domain == self._domain and _SITE_LABEL.fullmatch(label):
            return HostKind.SITE, label
        if self._open and not name.endswith(".localhost"):
            return HostKind.PATHS, PRODUCTION
        return HostKind.UNKNOWN, PRODUCTION  # paths must not answer on the hosts of sites


def _fits_url(name: str) -> bool:
    """Whether a URL can hold the name: the worker's is made of it. As the URL Standard has it, but without empty
    labels."""
    try:
        if name.startswith("["):
            ipaddress.IPv6Address(name[1:-1])
            return True
        labels = name.removesuffix(".").split(".")
        if not all(labels):
            return False
        if labels[-1].isdigit() or _HEX.fullmatch(labels[-1]):  # then it has to be an IPv4 address
            socket.inet_aton(".".join(labels))
        return all(_is_international(label) for label in labels if label.startswith("xn--"))
    except (ValueError, OSError):
        return False


def _is_international(label: str) -> bool:
    text = label[4:].encode("ascii").decode("punycode")
    return (
        not text.isascii()
        and unicodedata.normalize("NFKC", text.lower()) == text
        and not unicodedata.category(text[0]).startswith("M")
        and all(unicodedata.category(character)[0] != "C" for character in text)
    )


def _worker(path: str, environment: str) -> tuple[str, str, str]:
    """`/run/[<project>:]<worker>[@<environment>][/rest]` as route key, prefix and rest."""
    slash = path.find("/", 5)
    name = path[5:] if slash < 0 else path[5:slash]
    match = _WORKER.fullmatch(name)
    if match is None or "--" in (match[3] or ""):
        raise BadRequest(
            "Workers are called as /run/<worker>, or /run/<project>:<worker>@<environment>. A worker's name is 1 to 63 "
            "of a-z, 0-9, _ and -, and begins with a letter or digit."
        )
    project, worker, named = match.groups()
    key = route_key(project or DEFAULT_PROJECT, worker, named or environment)
    return key, f"/run/{name}", "/" if slash < 0 else path[slash:]
