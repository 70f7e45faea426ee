"""Versions and invocations to test with."""

from __future__ import annotations

from datetime import UTC, datetime

from v8box.catalog.model import (
    Limits,
    Manifest,
    Permissions,
    Placement,
    Route,
    RouteTable,
    Share,
    Version,
    place,
    route_key,
)
from v8box.sandbox.interface import Invocation


def a_version(
    worker: str = "hello", number: int = 1, *, limits: Limits | None = None, permissions: Permissions | None = None
) -> Placement:
    version = Version(
        id=f"{worker}-{number}",
        worker=worker,
        project="default",
        manifest=Manifest(
            entry=f"functions/{worker}.ts", limits=limits or Limits(), permissions=permissions or Permissions()
        ),
        bundle_hash="0" * 64,
        source_map_hash=None,
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        number=number,
    )
    return place(version, "production", 0)


def an_invocation(run_id: str = "r1", method: str = "GET", *, body: bytes | None = b"", url: str = "") -> Invocation:
    return Invocation(run_id, method, url or "http://localhost/", [("host", "localhost")], body)


def routes_of(*placements: Placement, generation: int = 0) -> RouteTable:
    """A snapshot in which each of these has all of its worker's requests."""
    routes = {route_key(each.project, each.worker, each.environment): route_of(each) for each in placements}
    return RouteTable(routes, generation)


def route_of(*placements: Placement, weights: tuple[int, ...] = (100,), sticky: str = "") -> Route:
    of = placements[0]
    shares = tuple(Share(placement, weight) for placement, weight in zip(placements, weights, strict=True))
    return Route(project=of.project, worker=of.worker, environment=of.environment, shares=shares, sticky=sticky)
