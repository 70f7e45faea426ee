"""Versions and manifests as the database has them: JSON that never depends on the order in which it was written."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

import msgspec

from v8box.catalog.model import (
    BindingKind,
    EnvBinding,
    Limits,
    Manifest,
    Observability,
    Permissions,
    Version,
    VersionInfo,
    WorkerSummary,
)
from v8box.catalog.policies import (
    NO_CACHE,
    NO_RULES,
    Auth,
    CacheRules,
    Cors,
    ErrorPage,
    ParamsSchema,
    PolicyRules,
    QueueConsumer,
    RateLimit,
    RequestRules,
    Schedule,
)
from v8box.storage import Row

encode: Final = msgspec.json.Encoder(order="sorted").encode
_LATER: Final = ("env_required", "rules", "cache", "observability", "schedules", "queues")


class _StoredRules(msgspec.Struct):
    cors: Cors | None = None
    rate_limits: tuple[RateLimit, ...] = ()
    auth: Auth = Auth()
    requests: RequestRules = RequestRules()
    schema: ParamsSchema | None = None
    error_pages: dict[str, ErrorPage] = {}


class _StoredManifest(msgspec.Struct):
    entry: str
    limits: Limits
    permissions: Permissions
    env: dict[str, str]
    bindings: dict[str, tuple[BindingKind, str]] = {}  # versions of before there were any have none, nor what follows
    env_required: tuple[str, ...] = ()
    rules: _StoredRules | None = None
    cache: CacheRules = NO_CACHE
    observability: Observability = Observability()
    schedules: tuple[Schedule, ...] = ()
    queues: tuple[QueueConsumer, ...] = ()


def plain_manifest(manifest: Manifest) -> dict[str, Any]:
    """A manifest as JSON values. It is a part of what a version's id is made of, so a table that came later is there
    only when it is used: nobody's id changed when it came."""
    plain = {
        "entry": manifest.entry,
        "limits": msgspec.to_builtins(manifest.limits),
        "permissions": msgspec.to_builtins(manifest.permissions),
        "env": dict(manifest.env),
        "bindings": {name: [bound.kind, bound.name] for name, bound in manifest.bindings.items()},
    }
    later = {name: _plain(getattr(manifest, name)) for name in _LATER}
    return plain | {name: value for name, value in later.items() if value}


def _plain(value: Any) -> Any:
    """Records as JSON values, without what is as it would be anyway."""
    if is_dataclass(value):
        return {
            each.name: _plain(getattr(value, each.name))
            for each in fields(value)
            if each.default is MISSING or getattr(value, each.name) != each.default
            if getattr(value, each.name) or each.default_factory is MISSING
        }
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


def manifest_hash(manifest: Manifest) -> str:
    """Stands for the manifest: another one has another."""
    return hashlib.sha256(encode(plain_manifest(manifest))).hexdigest()


def read_manifest(text: str) -> Manifest:
    stored = msgspec.json.decode(text, type=_StoredManifest)
    bindings = {name: EnvBinding(kind=kind, name=bound) for name, (kind, bound) in stored.bindings.items()}
    rules = stored.rules
    return Manifest(
        entry=stored.entry,
        limits=stored.limits,
        permissions=stored.permissions,
        env=MappingProxyType(stored.env),
        bindings=MappingProxyType(bindings),
        env_required=stored.env_required,
        rules=NO_RULES if rules is None else _read_rules(rules),
        cache=stored.cache,
        observability=stored.observability,
        schedules=stored.schedules,
        queues=stored.queues,
    )


def _read_rules(stored: _StoredRules) -> PolicyRules:
    return PolicyRules(
        cors=stored.cors,
        rate_limits=stored.rate_limits,
        auth=stored.auth,
        requests=stored.requests,
        schema=stored.schema,
        error_pages=MappingProxyType(stored.error_pages),
    )


def version_row(version: Version) -> dict[str, str | None]:
    """The columns of a new version; its number is given by the database."""
    return {
        "project": version.project,
        "worker": version.worker,
        "id": version.id,
        "manifest": encode(plain_manifest(version.manifest)).decode(),
        "bundle_hash": version.bundle_hash,
        "source_map_hash": version.source_map_hash,
        "sources": encode(dict(version.sources)).decode(),
        "lock_hash": version.lock_hash,
        "created_at": version.created_at.isoformat(),
    }


def read_version(row: Row) -> Version:
    """project, worker, id, manifest, bundle_hash, source_map_hash, sources, lock_hash, created_at, number."""
    project, worker, id_, manifest, bundle_hash, source_map_hash, sources, lock_hash, created_at, number = row
    return Version(
        id=str(id_),
        worker=str(worker),
        project=str(project),
        manifest=read_manifest(str(manifest)),
        bundle_hash=str(bundle_hash),
        source_map_hash=None if source_map_hash is None else str(source_map_hash),
        created_at=datetime.fromisoformat(str(created_at)),
        sources=MappingProxyType(msgspec.json.decode(str(sources), type=dict[str, str])),
        lock_hash=None if lock_hash is None else str(lock_hash),
        number=integer(number),
    )


def read_version_info(row: Row) -> VersionInfo:
    *version, created_by, message, pinned, bundle_bytes, tags = row
    return VersionInfo(
        version=read_version(tuple(version)),
        created_by=str(created_by),
        message=str(message),
        pinned=bool(pinned),
        bundle_bytes=integer(bundle_bytes),
        tags=tuple(msgspec.json.decode(str(tags), type=list[str])),
    )


def read_summary(row: Row) -> WorkerSummary:
    project, worker, versions, number, version, created_at = row
    return WorkerSummary(
        project=str(project),
        worker=str(worker),
        versions=integer(versions),
        number=integer(number),
        version=str(version),
        created_at=datetime.fromisoformat(str(created_at)),
    )


def read_shares(text: str) -> tuple[tuple[str, int], ...]:
    return tuple(msgspec.json.decode(text, type=list[tuple[str, int]])) if text else ()


def read_fingerprint(text: str) -> Mapping[str, str]:
    return msgspec.json.decode(text, type=dict[str, str])


def integer(value: object) -> int:
    if not isinstance(value, int):
        raise AssertionError("the column is an integer")
    return value
