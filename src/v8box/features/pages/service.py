"""What people do with sites: deploy files, go back, look. The bytes are in a store of their own, by hash.

A deploy is staged in a folder of the data directory, on the same file system as the store, so that taking its files
over is a rename. Several sites are deployed at once, one site's deploys come one after the other.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from weakref import WeakValueDictionary

from v8box.catalog.sites import ReleaseInfo, Site, Sites
from v8box.errors import BadRequest, NotFound
from v8box.features.pages.build import Built, build, check_path, finish, is_served, read_text
from v8box.features.pages.rules import RULE_FILES, read_rules
from v8box.gateway.pages.release import Release, Stored, decode
from v8box.storage import FolderBlobs
from v8box.telemetry.actors import Actor

_AT_ONCE: Final = 4
_GRACE_SECONDS: Final = 6 * 3_600.0
"""Bytes younger than this may belong to a release that is not written down yet."""
_LOOKED_AT: Final = 3
"""Releases whose files need not be sent again."""
MAX_UPLOADED: Final = 200_000
"""Files that a project has sent one by one and that no release has taken up yet, as remembered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deploy:
    """What a deploy is for."""

    project: str
    site: str
    actor: Actor
    message: str = ""
    live: bool = True
    fingerprint: str | None = None


class PagesService:
    """`on_release` hears of every new release, to make its files smaller in the background."""

    def __init__(
        self, sites: Sites, blobs: FolderBlobs, staging: Path, on_release: Callable[[ReleaseInfo, str, Built], None]
    ) -> None:
        self.sites = sites
        self._blobs = blobs
        self._staging = staging
        self._on_release = on_release
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._uploaded: dict[tuple[str, str], int] = {}
        """By project and hash, the size: what was sent ahead of the release that names it."""

    async def open(self) -> None:
        """What a crash left staged goes."""
        await asyncio.to_thread(shutil.rmtree, self._staging, ignore_errors=True)
        await asyncio.to_thread(lambda: self._staging.mkdir(parents=True, mode=0o700))

    @asynccontextmanager
    async def staged(self) -> AsyncIterator[Path]:
        """An empty folder for the files of one deploy; it and what is left in it go at the end."""
        folder = Path(await asyncio.to_thread(tempfile.mkdtemp, dir=self._staging))
        try:
            yield folder
        finally:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    async def deploy_folder(self, wanted: Deploy, folder: Path) -> ReleaseInfo:
        """A release of the files in a staged folder, which is emptied. The site is made if there is none of the name.
        Raises `BadSite`, `SiteRulesError`, `SiteTaken`, `NotFound`."""
        async with self._one_at_a_time(wanted.site):
            return await self._release(wanted, await build(self._blobs, wanted.site, folder))

    async def missing(self, project: str, site: str, files: Mapping[str, str]) -> list[str]:
        """Which hashes of a wanted release have to be sent. What another project has stored counts as missing, so
        that nobody gets at bytes by knowing their hash."""
        for path in files:
            check_path(path)
        known = await self._known(project, site)
        return sorted({key for key in files.values() if key not in known})

    async def upload(self, project: str, key: str, data: AsyncIterator[bytes]) -> int:
        """One file sent ahead; gives its size. Raises `BadRequest` for bytes that have another hash."""
        if len(self._uploaded) >= MAX_UPLOADED:
            self._uploaded.clear()  # whoever is in the middle is told what is missing, and sends it again
        got = await self._blobs.put(data)
        if got != key:
            raise BadRequest(f"These bytes have the SHA-256 {got}, not {key}: the file changed while it was sent")
        (size,) = await self._blobs.sizes([key])
        self._uploaded[project, key] = size or 0
        return size or 0

    async def deploy_stored(self, wanted: Deploy, files: Mapping[str, str]) -> ReleaseInfo:
        """A release of files that were all sent ahead or are in an earlier release, by path and hash. Raises
        `BadRequest` naming what is missing."""
        async with self._one_at_a_time(wanted.site):
            missing = await self.missing(wanted.project, wanted.site, files)
            if missing:
                raise BadRequest(f"{len(missing)} files have not been sent: {', '.join(missing[:5])} …")
            served = {path: key for path, key in files.items() if is_served(path)}
            sizes = await self._blobs.sizes(list(served.values()))
            stored = {path: Stored(key, size or 0) for (path, key), size in zip(served.items(), sizes, strict=True)}
            texts = {path: await self._text(path, files[path]) for path in RULE_FILES & files.keys()}
            if not stored:
                raise BadRequest("There is no file to serve: a site has an index.html at least")
            built = await finish(self._blobs, wanted.site, stored, read_rules(texts.get))
            return await self._release(wanted, built)

    async def contents(self, info: ReleaseInfo) -> Release:
        """What a release consists of."""
        return decode(await self._blobs.get(info.key))

    async def compare(self, project: str, site: str, older: int, newer: int) -> dict[str, Any]:
        """What changed between two releases: paths that came, went, or have other bytes; and the sizes."""
        before = (await self.contents(await self.sites.release(project, site, older))).files
        after = (await self.contents(await self.sites.release(project, site, newer))).files
        changed = [path for path in after.keys() & before.keys() if after[path].content != before[path].content]
        return {
            "added": sorted(after.keys() - before.keys()),
            "removed": sorted(before.keys() - after.keys()),
            "changed": sorted(changed),
            "bytes": sum(each.content.size for each in after.values())
            - sum(each.content.size for each in before.values()),
        }

    async def roll_back(
        self,
        project: str,
        site: str,
        actor: Actor,
        *,
        to: int | None = None,
        message: str = "",
        expected: int | None = None,
    ) -> Site:
        """To a release, or to the one that was live before the present one. Raises `NotFound`, `SiteChanged`."""
        number = to if to is not None else await self.sites.before_live(project, site)
        return await self.sites.go_live(project, site, number, actor, message=message, expected=expected)

    async def sweep(self) -> int:
        """Removes the bytes that no release refers to. Gives how many files."""
        kept: set[str] = set()
        for key in await self.sites.keys():
            kept.add(key)
            for asset in decode(await self._blobs.get(key)).files.values():
                kept.add(asset.content.hash)
                kept.update(each.hash for each in asset.encodings.values())
                kept.update(each.hash for each in asset.variants.values())
        gone = 0
        async for key in self._blobs.keys(older_than_seconds=_GRACE_SECONDS):
            if key not in kept and await self._blobs.delete(key, older_than_seconds=_GRACE_SECONDS):
                gone += 1
        return gone

    async def _release(self, wanted: Deploy, built: Built) -> ReleaseInfo:
        try:
            await self.sites.get(wanted.project, wanted.site)
        except NotFound:
            await self.sites.create(wanted.project, wanted.site, wanted.actor)
        info = await self.sites.add_release(
            wanted.project,
            wanted.site,
            key=built.key,
            files=len(built.release.files),
            size=built.size,
            report=built.report,
            actor=wanted.actor,
            message=wanted.message,
            live=wanted.live,
            fingerprint=wanted.fingerprint,
        )
        self._on_release(info, wanted.project, built)
        return info

    async def _known(self, project: str, site: str) -> set[str]:
        """What of the store belongs to this site: its newest releases' files, and what was sent ahead."""
        known = {key for owner, key in self._uploaded if owner == project}
        try:
            releases = await self.sites.releases(project, site, limit=_LOOKED_AT)
        except NotFound:
            return known
        for info in releases:
            known.update(asset.content.hash for asset in (await self.contents(info)).files.values())
        return known

    async def _text(self, path: str, key: str) -> str:
        return read_text(await self._blobs.get(key), path)

    @asynccontextmanager
    async def _one_at_a_time(self, site: str) -> AsyncIterator[None]:
        lock = self._locks.get(site)
        if lock is None:
            lock = self._locks[site] = asyncio.Lock()
        async with lock, self._turns:
            yield
