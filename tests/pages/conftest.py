from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from v8box.api.staging import Staging
from v8box.catalog import Build, Catalog, Manifest, Version
from v8box.catalog.projects import CountQuotaExceeded, ProjectNotFound, StorageQuotaExceeded
from v8box.catalog.sites import ReleaseInfo, Sites
from v8box.errors import BadRequest, NotFound, V8BoxError
from v8box.features.pages.function_builds import FunctionBuilds
from v8box.features.pages.service import Deploy, PagesService
from v8box.gateway.pages.release import Release
from v8box.storage import Database, FolderBlobs
from v8box.telemetry.actors import Actor, ActorKind

MAX_BYTES = 8 * 1024 * 1024
ADA = Actor(kind=ActorKind.USER, id="u1", name="ada")


class Room:
    """What the project may have; everything unless a test says otherwise."""

    def __init__(self) -> None:
        self.sites: int | None = None
        self.bytes: int | None = None
        self.asked: list[int] = []

    def check_site(self, project: str, held: int) -> None:
        if project == "nowhere":
            raise ProjectNotFound
        if self.sites is not None and held >= self.sites:
            raise CountQuotaExceeded(project, "sites", self.sites, held)

    async def check_bytes(self, project: str, more: int) -> None:
        self.asked.append(more)
        if self.bytes is not None and more > self.bytes:
            raise StorageQuotaExceeded(project, 1, 1)


class BadFunction(BadRequest):
    """As the real bundler's error: with the place."""

    def __init__(self, file: str, line: int) -> None:
        self.diagnostics = [{"message": "Unexpected end of file", "file": file, "line": line}]
        super().__init__(f"{file}:{line}: Unexpected end of file")


class TextBundler:
    """Takes a worker's texts for its bundle, and `syntax error` in one for a fault."""

    def __init__(self) -> None:
        self.bundled: list[str] = []
        self.fails_with: V8BoxError | None = None
        self.waits: asyncio.Event | None = None
        self.began = asyncio.Event()

    async def __call__(self, folder: Path, project: str, worker: str, manifest: Manifest) -> tuple[Build, Manifest]:
        self.bundled.append(worker)
        self.began.set()
        if self.waits is not None:
            await self.waits.wait()
        if self.fails_with is not None:
            raise self.fails_with
        entry = (folder / manifest.entry).read_text()
        sources = {name: (folder / name).read_bytes() for name in re.findall(r'file: "([^"]+)"', entry)}
        for name, text in sources.items():
            lines = text.decode().splitlines()
            if "syntax error" in lines:
                raise BadFunction(name, lines.index("syntax error") + 1)
        sources[manifest.entry] = entry.encode()
        return Build(bundle=b"\n".join(sources.values()), sources=sources), manifest


class World:
    """The service on real stores in a folder."""

    def __init__(self, folder: Path, database: Database, sites: Sites, blobs: FolderBlobs, catalog: Catalog) -> None:
        self.room = Room()
        self.staging = Staging(folder / "staging", 8)
        self.folder = folder
        self.database = database
        self.sites = sites
        self.blobs = blobs
        self.catalog = catalog
        self.bundler = TextBundler()
        self.forgotten: list[tuple[str, str]] = []
        """Workers of which nothing else may be kept."""
        self.optimisation: dict[str, Mapping[str, Any]] = {}
        """By key of a release, what is being done to it."""
        self.service = self.restarted()

    def restarted(self) -> PagesService:
        """The service as it is after a restart: what is in memory alone is gone."""
        return PagesService(
            self.sites,
            self.blobs,
            self.staging,
            optimisation=self.state_of,
            admission=self.room,
            functions=FunctionBuilds(self.bundler, self.catalog.arrive, self._is_known),
            forget_worker=self._forget,
            max_bytes=MAX_BYTES,
        )

    async def _is_known(self, version: Version) -> bool:
        try:
            await self.catalog.versions.get(version.project, version.worker, version.id)
        except NotFound:
            return False
        return True

    async def _forget(self, project: str, worker: str) -> None:
        self.forgotten.append((project, worker))

    def state_of(self, info: ReleaseInfo) -> Mapping[str, Any] | None:
        return self.optimisation.get(info.key)

    async def deploy(
        self, files: Mapping[str, str | bytes], *, site: str = "blog", project: str = "default", live: bool = True
    ) -> ReleaseInfo:
        async with self.service.staged() as staged:
            write(staged.files, files)
            return await self.service.deploy_folder(Deploy(project=project, site=site, actor=ADA, live=live), staged)

    async def live(self, site: str = "blog") -> Release:
        route = self.sites.table.sites[site]
        for info in await self.sites.releases(route.project, site):
            if info.key == route.key:
                return await self.service.contents(info)
        raise AssertionError("the live release is not there")

    def stored(self) -> set[str]:
        return {file.parent.name + file.name for file in (self.folder / "sites").glob("??/*")}

    def staged(self) -> list[Path]:
        return list((self.folder / "staging").iterdir())


def write(folder: Path, files: Mapping[str, str | bytes]) -> None:
    for path, data in files.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data.encode() if isinstance(data, str) else data)


async def open_catalog(folder: Path, database: Database) -> Catalog:
    """The workers of the sites' functions."""
    bundles = FolderBlobs(folder / "blobs")
    await bundles.open()
    return await Catalog.open(database, bundles, quota=lambda _: 5)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    database = await Database.open(tmp_path / "catalog.db")
    blobs = FolderBlobs(tmp_path / "sites")
    await blobs.open()
    catalog = await open_catalog(tmp_path, database)
    sites = await Sites.open(database)
    sites.subscribe(lambda table: catalog.hold(table.held))
    made = World(tmp_path, database, sites, blobs, catalog)
    await made.staging.open()
    yield made
    await database.close()
