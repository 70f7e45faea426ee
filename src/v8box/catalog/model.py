"""The records of what is deployed: limits, permissions, manifest, version, and the snapshot the gateway reads.

All are immutable; a change makes a new version or a new snapshot.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Final, Literal

DEFAULT_PROJECT: Final = "default"
PRODUCTION: Final = "production"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one worker may use. Every figure has a unit in its name; the defaults are those of the public contract."""

    wall_ms: int = 30_000
    cpu_ms: int = 10_000
    memory_mb: int = 128
    startup_ms: int = 10_000
    subrequests: int = 1_000
    log_kb: int = 256
    response_mb: int = 100
    binding_calls: int = 10_000
    binding_mb: int = 4_096
    concurrency: int = 100
    max_instances: int = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Permissions:
    """What a worker may reach. `net`: any public address, nothing, or only the listed `host[:port]` entries.
    `databases` and `buckets` of its project, beyond the default ones."""

    net: Literal["public", "none"] | tuple[str, ...] = "public"
    databases: tuple[str, ...] = ()
    buckets: tuple[str, ...] = ()


BindingKind = Literal["database", "kv", "bucket"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvBinding:
    """A service as a property of `env`: a database in D1's shape, a KV namespace of the cache, a bucket in R2's."""

    kind: BindingKind
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """One worker's manifest (`[workers.<name>]` in v8box.toml). `entry` is relative to the served folder."""

    entry: str
    limits: Limits = Limits()
    permissions: Permissions = Permissions()
    env: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    bindings: Mapping[str, EnvBinding] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """What a deploy brings: the bundle and everything it came from.

    `sources` are the user's own files, by path relative to the served folder. `fingerprint` is what the build depended
    on, as path (or tool) to hash (or version): when none of it changed, building again would give the same.
    """

    bundle: bytes
    source_map: bytes | None = None
    sources: Mapping[str, bytes] = field(default_factory=lambda: MappingProxyType({}))
    lock: bytes | None = None
    fingerprint: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One immutable version of a worker: its bundle, sources, lock and manifest.

    `id` is derived from the content, so deploying the same bytes and manifest again gives the same version. Hashes are
    SHA-256 in hex, the blob store's keys.
    """

    id: str
    worker: str
    project: str
    manifest: Manifest
    bundle_hash: str
    source_map_hash: str | None
    created_at: datetime
    sources: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))  # path -> hash of its text
    lock_hash: str | None = None  # deno.lock as it was resolved for this bundle


@dataclass(frozen=True, slots=True)
class RouteTable:
    """What the gateway reads on every request: worker name to live version. Swapped whole, never changed."""

    workers: Mapping[str, Version]
    generation: int = 0


class Change(StrEnum):
    """What happened to a worker."""

    DEPLOYED = "deployed"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryEntry:
    """One line of a worker's history. `version` is the one that went live, or that was live when it was removed."""

    change: Change
    version: str
    at: datetime
