"""Versions and invocations to test with."""

from __future__ import annotations

from datetime import UTC, datetime

from v8box.catalog.model import Limits, Manifest, Permissions, Version
from v8box.sandbox.interface import Invocation


def a_version(
    worker: str = "hello", number: int = 1, *, limits: Limits | None = None, permissions: Permissions | None = None
) -> Version:
    return Version(
        id=f"{worker}-{number}",
        worker=worker,
        project="default",
        manifest=Manifest(
            entry=f"functions/{worker}.ts", limits=limits or Limits(), permissions=permissions or Permissions()
        ),
        bundle_hash="0" * 64,
        source_map_hash=None,
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
    )


def an_invocation(run_id: str = "r1", method: str = "GET", *, body: bytes | None = b"", url: str = "") -> Invocation:
    return Invocation(run_id, method, url or "http://localhost/", [("host", "localhost")], body)
