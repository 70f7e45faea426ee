"""Versions and manifests as the database has them: JSON that never depends on the order in which it was written."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

import msgspec

from v8box.catalog.model import BindingKind, EnvBinding, Limits, Manifest, Permissions, Version, VersionInfo
from v8box.storage import Row

encode: Final = msgspec.json.Encoder(order="sorted").encode


class _StoredManifest(msgspec.Struct):
    entry: str
    limits: Limits
    permissions: Permissions
    env: dict[str, str]
    bindings: dict[str, tuple[BindingKind, str]] = {}  # versions of before there were any have none


def plain_manifest(manifest: Manifest) -> dict[str, Any]:
    """A manifest as JSON values. It is a part of what a version's id is made of."""
    return {
        "entry": manifest.entry,
        "limits": msgspec.to_builtins(manifest.limits),
        "permissions": msgspec.to_builtins(manifest.permissions),
        "env": dict(manifest.env),
        "bindings": {name: [bound.kind, bound.name] for name, bound in manifest.bindings.items()},
    }


def manifest_hash(manifest: Manifest) -> str:
    """Stands for the manifest: another one has another."""
    return hashlib.sha256(encode(plain_manifest(manifest))).hexdigest()


def read_manifest(text: str) -> Manifest:
    stored = msgspec.json.decode(text, type=_StoredManifest)
    bindings = {name: EnvBinding(kind=kind, name=bound) for name, (kind, bound) in stored.bindings.items()}
    return Manifest(
        entry=stored.entry,
        limits=stored.limits,
        permissions=stored.permissions,
        env=MappingProxyType(stored.env),
        bindings=MappingProxyType(bindings),
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


def read_shares(text: str) -> tuple[tuple[str, int], ...]:
    return tuple(msgspec.json.decode(text, type=list[tuple[str, int]])) if text else ()


def read_fingerprint(text: str) -> Mapping[str, str]:
    return msgspec.json.decode(text, type=dict[str, str])


def integer(value: object) -> int:
    if not isinstance(value, int):
        raise AssertionError("the column is an integer")
    return value
