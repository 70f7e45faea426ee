"""What is deployed: versions in the database, their bytes in the blob store, the live ones in a snapshot in memory.

A deploy stores the bytes, then the version and the pointer in one transaction, then swaps the snapshot. A crash between
any two leaves the version before it live. The gateway reads `routes`; who keeps processes follows with `subscribe`.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Callable, Coroutine, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final, TypeVar

import msgspec

from v8box.catalog.manifest import check_worker_name
from v8box.catalog.model import (
    DEFAULT_PROJECT,
    PRODUCTION,
    BindingKind,
    Build,
    Change,
    EnvBinding,
    HistoryEntry,
    Limits,
    Manifest,
    Permissions,
    RouteTable,
    Version,
)
from v8box.errors import NotFound
from v8box.storage import Blobs, Database, Row, Transaction, load_migrations, load_queries

T = TypeVar("T")

_log: Final = logging.getLogger(__name__)
_queries: Final = load_queries("v8box.catalog")
_encode: Final = msgspec.json.Encoder(order="sorted").encode
_ID_LENGTH: Final = 20  # hex digits: 80 bits among one worker's versions

Subscriber = Callable[[RouteTable], None]


class Catalog:
    """The catalog of one environment of one project."""

    def __init__(self, database: Database, blobs: Blobs, project: str, environment: str) -> None:
        self._database = database
        self._blobs = blobs
        self._scope: Mapping[str, str] = {"project": project, "environment": environment}
        self._routes = RouteTable(MappingProxyType({}))
        self._fingerprints: dict[str, Mapping[str, str]] = {}
        self._subscribers: list[Subscriber] = []
        self._changing = asyncio.Lock()

    @classmethod
    async def open(
        cls, database: Database, blobs: Blobs, *, project: str = DEFAULT_PROJECT, environment: str = PRODUCTION
    ) -> Catalog:
        """Bring the tables up to date and load what is live. A live version whose bundle is lost is left out."""
        await database.migrate("catalog", load_migrations("v8box.catalog"))
        catalog = cls(database, blobs, project, environment)
        await catalog.reload()
        return catalog

    @property
    def routes(self) -> RouteTable:
        """The current snapshot. Reading it costs nothing and never waits."""
        return self._routes

    def fingerprint(self, worker: str) -> Mapping[str, str]:
        """What the build of the live version depended on; empty when there is none."""
        return self._fingerprints.get(worker, {})

    def subscribe(self, subscriber: Subscriber) -> Callable[[], None]:
        """Call `subscriber` with every new snapshot, right after it took effect; gives what ends the subscription.

        It must return at once. One that fails is logged and called again at the next change: compare, don't count.
        """
        self._subscribers.append(subscriber)
        return lambda: self._subscribers.remove(subscriber)

    async def deploy(self, worker: str, build: Build, manifest: Manifest) -> Version:
        """Make `build` the live version of `worker`. The same content as the live version changes nothing."""
        check_worker_name(worker)
        version = await self._store(worker, build, manifest)
        return await _to_its_end(self._go_live(version, build.fingerprint))

    async def remove(self, worker: str) -> bool:
        """Take the worker off the routes. Its versions stay. Tells whether it was there."""
        return await _to_its_end(self._remove(worker))

    async def history(self, worker: str, *, limit: int = 100) -> list[HistoryEntry]:
        """What happened to the worker, newest first."""
        bindings: dict[str, str | int] = {**self._scope, "worker": worker, "limit": limit}
        rows = await self._database.read(lambda sql: sql.rows(_queries["history"], bindings))
        return [
            HistoryEntry(change=Change(str(change)), version=str(version), at=datetime.fromisoformat(str(at)))
            for change, version, at in rows
        ]

    async def version(self, worker: str, version: str) -> Version:
        """Any version ever deployed. Raises `NotFound`."""
        bindings = {"project": self._scope["project"], "worker": worker, "id": version}
        row = await self._database.read(lambda sql: sql.row(_queries["version"], bindings))
        if row is None:
            raise NotFound(f"{worker} has no version {version}")
        return _version(row)

    async def bundle(self, version: Version) -> bytes:
        """The ES module. Raises `BlobMissing` when the store lost it."""
        return await self._blobs.get(version.bundle_hash)

    async def source_map(self, version: Version) -> bytes | None:
        """The source map of the bundle: JSON, version 3."""
        return None if version.source_map_hash is None else await self._blobs.get(version.source_map_hash)

    async def lock(self, version: Version) -> bytes | None:
        """The dependencies as they were resolved for this version, in the form of a deno.lock."""
        return None if version.lock_hash is None else await self._blobs.get(version.lock_hash)

    async def source(self, version: Version, path: str) -> bytes:
        """The text of one of the version's own files."""
        if path not in version.sources:
            raise NotFound(f"{version.worker} has no file {path}")
        return await self._blobs.get(version.sources[path])

    async def reload(self) -> None:
        """Read what is live from the database, as at start, or after another node changed it."""
        async with self._changing:
            rows, generation = await self._database.read(
                lambda sql: (sql.rows(_queries["live"], self._scope), sql.rows(_queries["generation"]))
            )
            workers: dict[str, Version] = {}
            self._fingerprints.clear()
            for *row, fingerprint in rows:
                version = _version(tuple(row))
                if await self._blobs.has(version.bundle_hash):
                    workers[version.worker] = version
                    self._fingerprints[version.worker] = msgspec.json.decode(str(fingerprint), type=dict[str, str])
                else:
                    _log.error("worker %s: the bundle of version %s is lost", version.worker, version.id)
            self._swap(workers, _integer(generation[0]))

    async def _store(self, worker: str, build: Build, manifest: Manifest) -> Version:
        """The bytes into the blob store, all at once: each waits for the disk."""
        paths = sorted(build.sources)
        optional = [data for data in (build.source_map, build.lock) if data is not None]
        keys = await asyncio.gather(
            *(self._blobs.put(data) for data in (build.bundle, *optional, *(build.sources[path] for path in paths)))
        )
        rest = iter(keys[1:])
        source_map_hash = None if build.source_map is None else next(rest)
        lock_hash = None if build.lock is None else next(rest)
        sources = dict(zip(paths, rest, strict=True))
        project = self._scope["project"]
        content = [project, worker, _plain(manifest), keys[0], source_map_hash, lock_hash, sources]
        return Version(
            id=hashlib.sha256(_encode(content)).hexdigest()[:_ID_LENGTH],
            worker=worker,
            project=project,
            manifest=manifest,
            bundle_hash=keys[0],
            source_map_hash=source_map_hash,
            created_at=datetime.now(UTC),
            sources=MappingProxyType(sources),
            lock_hash=lock_hash,
        )

    async def _go_live(self, version: Version, fingerprint: Mapping[str, str]) -> Version:
        fingerprint = dict(fingerprint)
        async with self._changing:
            served = self._routes.workers.get(version.worker)
            changes = served is None or served.id != version.id
            kept, generation = await self._database.write(
                lambda sql: self._point(sql, version, fingerprint, changes=changes)
            )
            self._fingerprints[version.worker] = fingerprint
            if generation is not None:
                self._swap({**self._routes.workers, version.worker: kept}, generation)
            return kept

    def _point(
        self, sql: Transaction, version: Version, fingerprint: Mapping[str, str], *, changes: bool
    ) -> tuple[Version, int | None]:
        """In one transaction: the version, the pointer, the history. Gives the new generation if it is a change."""
        where = {**self._scope, "worker": version.worker}
        sql.execute(_queries["add_version"], _row(version))
        kept = sql.row(_queries["version"], {"project": version.project, "worker": version.worker, "id": version.id})
        if kept is None:
            raise AssertionError("the version was just added")
        pointer = {**where, "version": version.id, "fingerprint": _encode(fingerprint).decode()}
        sql.execute(_queries["go_live"], pointer)
        generation = self._note(sql, version.worker, Change.DEPLOYED, version.id) if changes else None
        return _version(kept), generation

    async def _remove(self, worker: str) -> bool:
        async with self._changing:
            generation = await self._database.write(lambda sql: self._unpoint(sql, worker))
            self._fingerprints.pop(worker, None)
            if generation is not None:
                remaining = {name: live for name, live in self._routes.workers.items() if name != worker}
                self._swap(remaining, generation)
            return generation is not None

    def _unpoint(self, sql: Transaction, worker: str) -> int | None:
        removed = sql.row(_queries["remove"], {**self._scope, "worker": worker})
        return None if removed is None else self._note(sql, worker, Change.REMOVED, str(removed[0]))

    def _note(self, sql: Transaction, worker: str, change: Change, version: str) -> int:
        entry = {**self._scope, "worker": worker, "change": change.value, "version": version}
        sql.execute(_queries["add_history"], {**entry, "at": datetime.now(UTC).isoformat()})
        (generation,) = sql.rows(_queries["next_generation"])
        return _integer(generation)

    def _swap(self, workers: dict[str, Version], generation: int) -> None:
        self._routes = RouteTable(MappingProxyType(workers), generation)
        for subscriber in tuple(self._subscribers):
            try:
                subscriber(self._routes)
            except Exception:
                _log.exception("a subscriber of the catalog failed")


async def _to_its_end(change: Coroutine[Any, Any, T]) -> T:
    """A change that began ends, whoever stops waiting: the database and the snapshot must not come apart."""
    return await asyncio.shield(asyncio.ensure_future(change))


def _integer(row: Row) -> int:
    (value,) = row
    if not isinstance(value, int):
        raise AssertionError("the column is an integer")
    return value


def _plain(manifest: Manifest) -> dict[str, Any]:
    """A manifest as JSON values, in a form that never depends on the order in which it was written."""
    return {
        "entry": manifest.entry,
        "limits": msgspec.to_builtins(manifest.limits),
        "permissions": msgspec.to_builtins(manifest.permissions),
        "env": dict(manifest.env),
        "bindings": {name: [bound.kind, bound.name] for name, bound in manifest.bindings.items()},
    }


class _StoredManifest(msgspec.Struct):
    entry: str
    limits: Limits
    permissions: Permissions
    env: dict[str, str]
    bindings: dict[str, tuple[BindingKind, str]] = {}  # versions of before there were any have none


def _row(version: Version) -> dict[str, str | None]:
    return {
        "project": version.project,
        "worker": version.worker,
        "id": version.id,
        "manifest": _encode(_plain(version.manifest)).decode(),
        "bundle_hash": version.bundle_hash,
        "source_map_hash": version.source_map_hash,
        "sources": _encode(dict(version.sources)).decode(),
        "lock_hash": version.lock_hash,
        "created_at": version.created_at.isoformat(),
    }


def _version(row: Row) -> Version:
    project, worker, id_, manifest, bundle_hash, source_map_hash, sources, lock_hash, created_at = row
    stored = msgspec.json.decode(str(manifest), type=_StoredManifest)
    return Version(
        id=str(id_),
        worker=str(worker),
        project=str(project),
        manifest=Manifest(
            entry=stored.entry,
            limits=stored.limits,
            permissions=stored.permissions,
            env=MappingProxyType(stored.env),
            bindings=MappingProxyType(
                {name: EnvBinding(kind=kind, name=bound) for name, (kind, bound) in stored.bindings.items()}
            ),
        ),
        bundle_hash=str(bundle_hash),
        source_map_hash=None if source_map_hash is None else str(source_map_hash),
        created_at=datetime.fromisoformat(str(created_at)),
        sources=MappingProxyType(msgspec.json.decode(str(sources), type=dict[str, str])),
        lock_hash=None if lock_hash is None else str(lock_hash),
    )
