"""Folders to deploy from. All tests share one cache of packages, so that each is fetched once."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TypeVar

import pytest

from v8box.catalog import Catalog
from v8box.features.deploy import Bundler, DeployEvent, FolderDeploys
from v8box.sandbox.runtime import find_deno
from v8box.storage import Database, FolderBlobs

E = TypeVar("E")
DENO = find_deno()
TIMEOUT_SECONDS = 120


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory outside of what is served."""
    return tmp_path_factory.mktemp("data")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    served = tmp_path / "box"
    (served / "functions").mkdir(parents=True)
    return served


@pytest.fixture
def bundler(folder: Path, cache: Path) -> Bundler:
    return Bundler(folder, cache, deno=DENO, environ=os.environ)


class Box:
    """A folder being deployed, and what was told about it."""

    def __init__(self, folder: Path, cache: Path, catalog: Catalog) -> None:
        self.folder = folder
        self.catalog = catalog
        self.events: asyncio.Queue[DeployEvent] = asyncio.Queue()
        self.bundler = Bundler(folder, cache, deno=DENO, environ=os.environ)
        self.compare_seconds = 60.0
        self.deploys = self._new()
        self._task: asyncio.Task[None] | None = None

    def _new(self) -> FolderDeploys:
        return FolderDeploys(
            self.folder,
            self.folder / "data",
            self.catalog,
            self.bundler,
            on_event=self.events.put_nowait,
            compare_seconds=self.compare_seconds,
        )

    async def start(self) -> None:
        self.deploys = self._new()
        self._task = asyncio.create_task(self.deploys.run())
        async with asyncio.timeout(TIMEOUT_SECONDS):
            await self.deploys.settle()

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    def write(self, path: str, text: str) -> None:
        (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / path).write_text(text, encoding="utf-8")

    async def next(self, kind: type[E], worker: str | None = None) -> E:
        """The next event of a kind; those of other kinds are dropped."""
        async with asyncio.timeout(TIMEOUT_SECONDS):
            while True:
                event = await self.events.get()
                if isinstance(event, kind) and worker in (None, getattr(event, "worker", None)):
                    return event

    def told(self) -> list[DeployEvent]:
        """What was told and not yet looked at."""
        return [self.events.get_nowait() for _ in range(self.events.qsize())]

    async def bundle(self, worker: str) -> str:
        return (await self.catalog.bundle(self.catalog.routes.workers[worker].newest)).decode()


@pytest.fixture
async def box(folder: Path, cache: Path) -> AsyncIterator[Box]:
    database = await Database.open(folder / "data" / "box.db")
    blobs = FolderBlobs(folder / "data" / "blobs")
    await blobs.open()
    made = Box(folder, cache, await Catalog.open(database, blobs))
    yield made
    await made.stop()
    await database.close()
