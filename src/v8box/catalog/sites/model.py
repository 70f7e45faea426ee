"""The records of sites, and the snapshot of what answers at which host. All are immutable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any

from v8box.catalog.model import HeldVersion


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A site. `live` is the key of its live release's blob; `number` counts the changes of it."""

    name: str
    project: str
    live: str | None
    live_number: int | None
    number: int
    settings: Mapping[str, Any]
    fingerprint: str
    created_at: datetime
    changed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseInfo:
    """A release as it is listed. `report`: what its deploy had to say."""

    site: str
    number: int
    id: str
    """Its address: `<id>--<site>.<domain>`."""
    key: str
    files: int
    size: int
    created_at: datetime
    created_by: str
    message: str
    pinned: bool
    report: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """A name under which a release is shown: `<label>--<site>.<domain>`."""

    site: str
    label: str
    release: int
    password_hash: str | None = field(repr=False)
    expires_at: datetime | None
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Domain:
    """A host name of somebody's own. It answers once it is verified."""

    host: str
    site: str
    token: str
    verified_at: datetime | None
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteRoute:
    """What answers at a host: a release of a site. `label`: of a preview, empty for what is live."""

    site: str
    project: str
    key: str
    label: str = ""
    password_hash: str | None = field(default=None, repr=False)
    expires_at: float | None = None
    """Unix time in seconds."""


@dataclass(frozen=True, slots=True)
class SiteTable:
    """`sites` by name; `previews` by `<label>--<site>`; `domains` by host. Swapped whole, never changed."""

    sites: Mapping[str, SiteRoute] = field(default_factory=lambda: MappingProxyType({}))
    previews: Mapping[str, SiteRoute] = field(default_factory=lambda: MappingProxyType({}))
    domains: Mapping[str, SiteRoute] = field(default_factory=lambda: MappingProxyType({}))
    held: Mapping[str, HeldVersion] = field(default_factory=lambda: MappingProxyType({}))
    """The functions of all releases, by `held_key`."""

    @property
    def keys(self) -> frozenset[str]:
        """Of all releases that answer somewhere."""
        return frozenset(route.key for each in (self.sites, self.previews, self.domains) for route in each.values())
