"""The records of what is deployed: limits, permissions, manifest, version, and the snapshot the gateway reads.

All are immutable; a change makes a new version or a new snapshot.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Final, Literal

from v8box.catalog.policies import NO_CACHE, NO_RULES, CacheRules, PolicyRules, QueueConsumer, Schedule

DEFAULT_PROJECT: Final = "default"
PRODUCTION: Final = "production"
PREVIEW: Final = "preview"
"""Where the functions of a site run at its previews: with this environment's variables, not with production's."""


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


BindingKind = Literal["database", "kv", "bucket", "site", "service"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvBinding:
    """A service as a property of `env`: a database in D1's shape, a KV namespace of the cache, a bucket in R2's, the
    files of a site, another worker."""

    kind: BindingKind
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Observability:
    """What is kept of a worker's runs. `slow_ms`: a run that takes longer is in the slow log; 0: none is. `sampling`:
    the share of the runs whose record is kept, beside those that failed. `logs`: whether what it prints is."""

    slow_ms: int = 1_000
    sampling: float = 1.0
    logs: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """One worker's manifest (`[workers.<name>]` in v8box.toml). `entry` is relative to the served folder."""

    entry: str
    limits: Limits = Limits()
    permissions: Permissions = Permissions()
    env: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    env_required: tuple[str, ...] = ()
    """Variables without which it does not start."""
    bindings: Mapping[str, EnvBinding] = field(default_factory=lambda: MappingProxyType({}))
    rules: PolicyRules = NO_RULES
    cache: CacheRules = NO_CACHE
    observability: Observability = Observability()
    schedules: tuple[Schedule, ...] = ()
    queues: tuple[QueueConsumer, ...] = ()


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
    SHA-256 in hex, the blob store's keys. `number` counts a worker's versions from 1; people say v12.
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
    number: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionInfo:
    """A version with what people say about it, which may change: tags (each names one version of the worker), a pin
    (retention leaves it), a message."""

    version: Version
    created_by: str
    message: str
    tags: tuple[str, ...]
    pinned: bool
    bundle_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement(Version):
    """A version where it is live: in one environment, with the variables of one revision. It is what a sandbox runs;
    `key` is the same for two that may share sandboxes, and differs when a variable changed."""

    environment: str = PRODUCTION
    revision: int = 0
    key: str = ""


def place(version: Version, environment: str, revision: int) -> Placement:
    """The version as it is live there."""
    known = {each.name: getattr(version, each.name) for each in fields(Version)}
    return Placement(**known, environment=environment, revision=revision, key=f"{version.id}.{environment}.{revision}")


@dataclass(frozen=True, slots=True)
class Share:
    """A part of a route's requests, in per cent."""

    placement: Placement
    weight: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Where requests for a worker in an environment go. One share has all of it; of two the first is the older."""

    project: str
    worker: str
    environment: str
    shares: tuple[Share, ...]
    sticky: str = ""
    """What keeps a caller on one version of a split: `ip`, `header:<name>`, `cookie:<name>`; empty: nothing but the
    header `V8Box-Version-Key`."""
    held: bool = False
    """Whether it is a version that a site's release holds, which answers at the site only, under a `held_key`."""

    @property
    def newest(self) -> Placement:
        return self.shares[-1].placement


@dataclass(frozen=True, slots=True)
class RouteTable:
    """What the gateway reads on every request: the route of each `route_key`. Swapped whole, never changed."""

    workers: Mapping[str, Route]
    generation: int = 0

    def of(self, project: str = DEFAULT_PROJECT, environment: str = PRODUCTION) -> dict[str, Placement]:
        """The newest live version of every worker of a project in an environment, by the worker's name."""
        routes = self.workers.values()
        return {
            each.worker: each.newest
            for each in routes
            if (each.project, each.environment) == (project, environment) and not each.held
        }

    def live(self, worker: str, project: str = DEFAULT_PROJECT, environment: str = PRODUCTION) -> Placement | None:
        """The newest live version of one worker."""
        route = self.workers.get(route_key(project, worker, environment))
        return None if route is None else route.newest


def route_key(project: str, worker: str, environment: str) -> str:
    """`hello`, `hello@staging`, `acme:hello`, `acme:hello@staging`: as it stands in an address behind `/run/`."""
    key = worker if project == DEFAULT_PROJECT else f"{project}:{worker}"
    return key if environment == PRODUCTION else f"{key}@{environment}"


def held_key(project: str, worker: str, environment: str, version: str) -> str:
    """Of one version of a worker, whatever is deployed. No address has such a key."""
    return f"{route_key(project, worker, environment)}#{version}"


@dataclass(frozen=True, slots=True)
class HeldVersion:
    """A version that a release of a site holds, in an environment where it answers."""

    version: Version
    environment: str


class Change(StrEnum):
    """What happened to a worker."""

    DEPLOYED = "deployed"  # a version was built and went live
    SPLIT = "split"  # the weights changed
    PROMOTED = "promoted"  # the same bytes as in another environment
    ROLLED_BACK = "rolled_back"
    CANARY = "canary"  # a canary's step
    REMOVED = "removed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """What is live of a worker in an environment. `number` counts the changes; `shares` are (version id, per cent), and
    `versions` the numbers of these versions."""

    project: str
    worker: str
    environment: str
    number: int
    shares: tuple[tuple[str, int], ...]
    versions: tuple[int, ...]
    sticky: str
    changed_at: datetime
    changed_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSummary:
    """A worker that has versions: how many, and which is the newest."""

    project: str
    worker: str
    versions: int
    number: int
    version: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryEntry:
    """One line of a worker's history. `version` is the one that went live, or that was live when it was removed.
    `number` is the deployment's from then on; `id` is the line's own, in the order of all changes of the box."""

    change: Change
    version: str
    at: datetime
    number: int = 0
    shares: tuple[tuple[str, int], ...] = ()
    by: str = ""
    message: str = ""
    id: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerChange:
    """A line of the history, and whose it is. `version_number` is None for a version that was forgotten since."""

    worker: str
    environment: str
    entry: HistoryEntry
    version_number: int | None
