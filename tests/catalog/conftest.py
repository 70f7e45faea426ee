"""A catalog in a folder of its own, and builds that differ by a word."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from v8box.catalog import Build, Catalog, Manifest
from v8box.storage import Database, FolderBlobs
from v8box.telemetry.actors import Actor, ActorKind

ADA = Actor(kind=ActorKind.USER, id="u1", name="ada", address="203.0.113.9", request_id="r1")
MANIFEST = Manifest(entry="a.ts")


def build(word: str) -> Build:
    """A build that shares one file with all others."""
    return Build(bundle=word.encode(), sources={"a.ts": word.encode(), "shared.ts": b"shared"}, lock=b"lock")


class Kept:
    """A catalog and what it is kept in."""

    def __init__(self, catalog: Catalog, database: Database, blobs: FolderBlobs, folder: Path) -> None:
        self.catalog = catalog
        self.database = database
        self.blobs = blobs
        self.folder = folder

    async def store(self, *words: str, worker: str = "a") -> list[str]:
        """The ids of versions that are not live, one for each word."""
        return [(await self.catalog.store(worker, build(word), MANIFEST, actor=ADA)).id for word in words]

    async def deploy(self, *words: str, worker: str = "a", environment: str = "production") -> list[str]:
        """The ids of versions that went live one after another."""
        return [
            (await self.catalog.deploy(worker, build(word), MANIFEST, environment=environment, actor=ADA)).id
            for word in words
        ]

    def live(self, worker: str = "a", environment: str = "production") -> list[tuple[str, int]]:
        key = worker if environment == "production" else f"{worker}@{environment}"
        route = self.catalog.routes.workers.get(key)
        return [] if route is None else [(share.placement.id, share.weight) for share in route.shares]

    async def actions(self) -> list[str]:
        rows = await self.database.read(lambda sql: sql.rows("select action from audit order by number"))
        return [str(action) for (action,) in rows]


@contextlib.asynccontextmanager
async def kept_in(folder: Path) -> AsyncIterator[Kept]:
    database = await Database.open(folder / "box.db")
    blobs = FolderBlobs(folder / "blobs")
    await blobs.open()
    try:
        yield Kept(await Catalog.open(database, blobs), database, blobs, folder)
    finally:
        await database.close()


@pytest.fixture
async def kept(tmp_path: Path) -> AsyncIterator[Kept]:
    async with kept_in(tmp_path) as made:
        yield made
