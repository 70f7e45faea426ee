"""Which bindings there are, and which implementation of each the settings ask for. A new binding is a folder and a line
here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from v8box.bindings.assets.binding import AssetsBinding
from v8box.bindings.assets.interface import FetchAsset
from v8box.bindings.cache.binding import CacheBinding, CacheKeys
from v8box.bindings.cache.interface import CacheLimits, CacheStore
from v8box.bindings.cache.valkey_store import ValkeyStore
from v8box.bindings.db.binding import Admit, DbBinding
from v8box.bindings.db.embedded import EmbeddedDatabases
from v8box.bindings.db.interface import Databases, DbLimits, Launch
from v8box.bindings.interface import Binding
from v8box.bindings.s3.binding import S3Binding
from v8box.bindings.s3.embedded import EmbeddedObjects
from v8box.bindings.s3.interface import ObjectLimits, ObjectStore, Presigner
from v8box.bindings.services.binding import ServicesBinding
from v8box.bindings.services.interface import CallService
from v8box.settings import S3, Libsql, Settings

_MIB = 1_048_576


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What bindings are built from."""

    settings: Settings
    valkey_url: str
    """`VALKEY_URL`, or the `url` of the private Valkey."""
    restart_valkey: Callable[[], None] | None
    """Ends the private Valkey when a script hangs in it; it is started again. None: the server is somebody else's."""
    launch: Launch
    """Starts the database engines, so that they end with the box."""
    fetch_asset: FetchAsset
    """Gives a file of a project's site."""
    call_service: CallService
    """Runs a worker for another."""
    presign: Presigner | None
    """Makes URLs that the box's own S3 API accepts."""
    admit: Admit | None = None
    """Whether a project may have a database that a worker is the first to use."""
    object_bytes_of: Callable[[str], int | None] = lambda _: None
    """How many bytes of objects a project may have, where it has a bound of its own."""
    buckets_of: Callable[[str], int | None] = lambda _: None
    """The same for its buckets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The bindings by name, and the stores behind them that the box's own applications use too. Nothing is
    started yet; starting a binding starts its store."""

    bindings: Mapping[str, Binding]
    databases: Databases
    cache: CacheStore
    objects: ObjectStore
    forget_cache: Callable[[str], Awaitable[None]]
    """Removes what a project that is deleted has in the cache."""
    cache_keys: CacheKeys
    """A project's keys in the cache, for its people."""


def build(resources: Resources) -> Services:
    """What the settings ask for: embedded, or the real servers."""
    settings = resources.settings
    db_limits = DbLimits(
        database_bytes=settings.databases.max_mb * _MIB, statement_seconds=settings.databases.statement_seconds
    )
    databases = _databases(settings.libsql, settings.data_directory, resources.launch, db_limits)
    cache_limits = CacheLimits(project_bytes=settings.valkey.project_mb * _MIB)
    cache = ValkeyStore(resources.valkey_url, limits=cache_limits, restart=resources.restart_valkey)
    object_limits = ObjectLimits(
        project_bytes=settings.s3.project_mb * _MIB,
        bytes_of=resources.object_bytes_of,
        buckets_of=resources.buckets_of,
    )
    objects = _objects(settings.s3, settings.data_directory, object_limits)
    cache_binding = CacheBinding(cache, cache_limits)
    bindings: tuple[Binding, ...] = (
        DbBinding(databases, limits=db_limits, admit=resources.admit),
        cache_binding,
        S3Binding(objects, default_bucket=settings.s3.default_bucket, presign=resources.presign),
        AssetsBinding(resources.fetch_asset),
        ServicesBinding(resources.call_service),
    )
    return Services(
        bindings={binding.name: binding for binding in bindings},
        databases=databases,
        cache=cache,
        objects=objects,
        forget_cache=cache_binding.forget_project,
        cache_keys=cache_binding.keys,
    )


def _databases(settings: Libsql, data: Path, launch: Launch, limits: DbLimits) -> Databases:
    if settings.url is None:
        return EmbeddedDatabases(data / "databases", launch, limits=limits)
    from v8box.bindings.db.libsql import LibsqlServer  # its HTTP client takes 0.2 s to import

    return LibsqlServer(
        settings.url.reveal(),
        settings.auth_token.reveal() if settings.auth_token else "",
        admin_url=settings.admin_url.reveal() if settings.admin_url else None,
        admin_token=settings.admin_token.reveal() if settings.admin_token else "",
        replica_url=settings.replica_url.reveal() if settings.replica_url else None,
        key_file=data / "keys" / "libsql.key",
        limits=limits,
    )


def _objects(settings: S3, data: Path, limits: ObjectLimits) -> ObjectStore:
    initial = (settings.default_bucket, settings.projects_bucket, settings.functions_bucket)
    if settings.endpoint is None or settings.access_key is None or settings.secret_key is None:
        return EmbeddedObjects(
            data / "objects", default_bucket=settings.default_bucket, initial_buckets=initial, limits=limits
        )
    from v8box.bindings.s3.server import S3Server  # its client takes 0.5 s to import

    return S3Server(
        settings.endpoint.reveal(),
        settings.access_key.reveal(),
        settings.secret_key.reveal(),
        settings.region,
        default_bucket=settings.default_bucket,
        initial_buckets=initial,
        limits=limits,
        spool=data / "spool",
    )
