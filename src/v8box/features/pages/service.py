"""What people do with sites: deploy files, go back, look. The bytes are in a store of their own, by hash.

A deploy is staged in a folder of the data directory, on the same file system as the store, so that taking its files
over is a rename. Several sites are deployed at once, one site's deploys come one after the other.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final
from weakref import WeakValueDictionary

from v8box.api.staging import Place, Staging
from v8box.catalog.sites import ReleaseInfo, Site, Sites, check_site_name
from v8box.errors import BadRequest, NotFound, V8BoxError
from v8box.features.pages.admission import Admission, Free, bounded
from v8box.features.pages.ahead import SentAhead
from v8box.features.pages.build import (
    MAX_FILES,
    Built,
    Told,
    Untold,
    check_not_empty,
    check_paths,
    finish,
    is_served,
    look,
    read_text,
    take,
    tell_of_foreign,
    with_settings,
)
from v8box.features.pages.compare import MAX_COMPARED_BYTES, FileSide, as_text, compare
from v8box.features.pages.function_builds import FunctionBuilds, MadeFunctions, collect, part
from v8box.features.pages.functions import is_function_file
from v8box.features.pages.rules import RULE_FILES, SiteRules, check_settings, read_rules
from v8box.features.pages.usage import SiteBytes
from v8box.gateway.pages.release import Release, Stored, decode, encode
from v8box.kit.archives import Bounds
from v8box.storage import FolderBlobs
from v8box.telemetry.actors import Actor

_AT_ONCE: Final = 4
_GRACE_SECONDS: Final = 6 * 3_600.0
"""Bytes younger than this may belong to a release that is not written down yet."""
_LOOKED_AT: Final = 3
"""Releases whose files need not be sent again."""
_LARGE: Final = 64 * 1024
_KEPT_SECONDS: Final = 10.0
_UNTOLD: Final = Untold()


class SiteInFolder(V8BoxError):
    """The site comes from the served folder: change its files there, or deploy a draft."""

    status = 409
    code = "comes_from_folder"


class FilesMissing(V8BoxError):
    """Files of the release are not here: ask which (POST …/missing), send them, then deploy again."""

    status = 409
    code = "files_missing"

    def __init__(self, missing: list[str]) -> None:
        super().__init__(f"{len(missing)} files of the release are not here: {', '.join(missing[:5])} … Send them.")
        self.missing = len(missing)


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
    """`optimisation` says of a release how far making its files smaller is, as long as its report does not."""

    def __init__(
        self,
        sites: Sites,
        blobs: FolderBlobs,
        staging: Staging,
        *,
        optimisation: Callable[[ReleaseInfo], Mapping[str, Any] | None],
        admission: Admission,
        functions: FunctionBuilds,
        forget_worker: Callable[[str, str], Awaitable[None]],
        max_bytes: int,
    ) -> None:
        """`max_bytes`: of one release, and of the archive that it comes in. `forget_worker` takes what else is kept of
        a function, by project and worker, when its site goes."""
        self.sites = sites
        self.max_bytes = max_bytes
        self.bounds = Bounds(entries=MAX_FILES, total_bytes=max_bytes, file_bytes=max_bytes)
        self.bytes = SiteBytes(sites, self._read)
        self._blobs = blobs
        self._staging = staging
        self._optimisation = optimisation
        self._admission = admission
        self._functions = functions
        self._forget_worker = forget_worker
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._ahead = SentAhead()
        self._large: tuple[str, Release] | None = None
        self._letting_go: asyncio.TimerHandle | None = None

    @asynccontextmanager
    async def staged(self) -> AsyncIterator[Place]:
        """A place for the files of one deploy; it and what is left in it go at the end. Raises `TooManyDeploys`."""
        async with self._staging.place() as place:
            yield place

    # ---- deploying

    async def check(self, wanted: Deploy) -> None:
        """Whether there may be such a deploy at all, before its bytes are taken. Raises `BadSiteName`, `SiteTaken`,
        `SiteInFolder`, `QuotaExceeded`, `NotFound` for the project."""
        try:
            present = await self.sites.get(wanted.project, wanted.site)
        except NotFound:
            check_site_name(wanted.site)
            await self.sites.check_free(wanted.site)
            self._admission.check_site(wanted.project, len(await self.sites.list(wanted.project)))
        else:
            if present.fingerprint and wanted.live and wanted.fingerprint is None:
                raise SiteInFolder(
                    f"{wanted.site} comes from the served folder: change its files there, or deploy a "
                    "draft (live=false)."
                )

    async def create(self, project: str, site: str, actor: Actor) -> Site:
        """A site without a release. Raises as `check`, and `SiteTaken` for one that is there."""
        self._admission.check_site(project, len(await self.sites.list(project)))
        return await self.sites.create(project, site, actor)

    async def deploy_archive(self, wanted: Deploy, place: Place, told: Told = _UNTOLD) -> ReleaseInfo:
        """A release of the archive that was received in a place. Raises `BadArchive`, and as `deploy_folder`."""
        told.step("unpacking")
        await place.unpack(self.bounds)
        return await self.deploy_folder(wanted, place, told)

    async def deploy_folder(self, wanted: Deploy, place: Place, told: Told = _UNTOLD) -> ReleaseInfo:
        """A release of the files in a place, which is emptied. The site is made if there is none of the name. Raises
        `BadSite`, `SiteRulesError`, `FunctionsRefused`, and as `check`."""
        async with self._one_at_a_time(wanted.site):
            await self.check(wanted)
            known = await self._known(wanted.project, wanted.site)
            free = Free(self._admission, wanted.project, known, self.max_bytes, asyncio.get_running_loop())
            async with self._turns:
                looked = await look(place.files, await self._settings(wanted))
                folder = place.root / "functions"
                await asyncio.to_thread(part, place.files, folder)
            functions = await self._make(wanted, folder, looked.rules, told)
            async with self._turns:
                built = await take(self._blobs, wanted.site, looked, functions, check=free, told=told)
                return await self._release(wanted, built, told)

    async def missing(self, project: str, site: str, files: Mapping[str, str]) -> list[str]:
        """Which hashes of a wanted release have to be sent. What another project has stored counts as missing, so
        that nobody gets at bytes by knowing their hash."""
        check_paths(files)
        kept = await self._keep(project, site, files)
        return sorted({key for key in files.values() if key not in kept})

    async def upload(self, project: str, site: str, key: str, data: AsyncIterator[bytes]) -> int:
        """One file sent ahead; gives its size. Raises `BadRequest` for bytes that have another hash."""
        await self._admission.check_bytes(project, self._ahead.bytes_of(project))
        got = await self._blobs.put(bounded(data, self.max_bytes))
        if got != key:
            raise BadRequest(f"These bytes have the SHA-256 {got}, not {key}: the file changed while it was sent.")
        size = (await self._blobs.keep([key])).get(key, 0)
        self._ahead.add(project, site, key, size)
        return size

    async def upload_archive(self, project: str, site: str, place: Place) -> int:
        """All files of the archive that was received in a place, sent ahead; gives their size together. Raises
        `BadArchive`."""
        unpacked = await place.unpack(self.bounds)
        await self._admission.check_bytes(project, self._ahead.bytes_of(project) + unpacked.total_bytes)
        keys = await self._blobs.adopt([place.files / name for name in unpacked.files])
        for key, size in (await self._blobs.keep(keys)).items():
            self._ahead.add(project, site, key, size)
        return unpacked.total_bytes

    async def deploy_stored(self, wanted: Deploy, files: Mapping[str, str], told: Told = _UNTOLD) -> ReleaseInfo:
        """A release of files that were all sent ahead or are in an earlier release, by path and hash. Raises
        `FilesMissing`, and as `deploy_folder`."""
        check_paths(files)
        async with AsyncExitStack() as stack:
            place: Place | None = None
            if any(map(is_function_file, files)):  # before its turn: who has a place waits for one, too
                place = await stack.enter_async_context(self.staged())
            await stack.enter_async_context(self._one_at_a_time(wanted.site))
            await self.check(wanted)
            folder = None if place is None else place.root / "functions"
            async with self._turns:
                kept = await self._keep(wanted.project, wanted.site, files)
                missing = sorted({key for key in files.values() if key not in kept})
                if missing:
                    raise FilesMissing(missing)
                stored = {path: Stored(key, kept[key]) for path, key in files.items() if is_served(path)}
                await self._admit_stored(wanted, stored)
                texts = {path: await self._text(path, files[path]) for path in sorted(RULE_FILES & files.keys())}
                rules = read_rules(texts.get, await self._settings(wanted))
                tell_of_foreign(rules, files)
                if folder is not None:
                    await collect(files, kept, self._blobs.get, folder)
            functions = await self._make(wanted, folder, rules, told)
            check_not_empty(stored, functions)
            async with self._turns:
                built = await finish(self._blobs, wanted.site, stored, rules, functions)
                info = await self._release(wanted, built, told)
            self._ahead.forget(wanted.project, wanted.site)
            return info
        raise AssertionError("the stack lets nothing pass")

    # ---- looking and going back

    def shown(self, info: ReleaseInfo) -> ReleaseInfo:
        """The release with what is being done to it at this moment in its report."""
        now = self._optimisation(info)
        return info if now is None else replace(info, report={**info.report, "optimisation": now})

    async def contents(self, info: ReleaseInfo) -> Release:
        """What a release consists of."""
        return await self._read(info.key)

    async def compare(self, project: str, site: str, older: int, newer: int) -> dict[str, Any]:
        """What changed between two releases: paths that came, went, or have other bytes; the sizes; the rules."""
        before = await self.contents(await self.sites.release(project, site, older))
        after = await self.contents(await self.sites.release(project, site, newer))
        return await asyncio.to_thread(compare, before, after)

    async def sides(
        self, project: str, site: str, older: int, newer: int, path: str
    ) -> tuple[FileSide | None, FileSide | None]:
        """A file as it is in one release and in the other; None where it is not. Raises `NotFound`."""
        before = await self._side(await self.sites.release(project, site, older), path)
        after = await self._side(await self.sites.release(project, site, newer), path)
        if before is None and after is None:
            raise NotFound(f"Neither release has a file {path[:200]}")
        return before, after

    async def _side(self, info: ReleaseInfo, path: str) -> FileSide | None:
        asset = (await self.contents(info)).files.get(path)
        if asset is None:
            return None
        stored = asset.deployed
        data = await self._blobs.get(stored.hash) if stored.size <= MAX_COMPARED_BYTES else b"\0"
        return FileSide(stored, asset.type, as_text(data))

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

    async def set_settings(
        self, project: str, site: str, changes: Mapping[str, Any], actor: Actor
    ) -> tuple[Site, Release | None]:
        """Sets what is given for the site outside of its files; None: as if it had never been set. What is live gets
        it at once, as a release with the same files. Gives the live release. Raises `SiteRulesError`, `NotFound`."""
        async with self._one_at_a_time(site):
            present = await self.sites.get(project, site)
            wanted = {name: value for name, value in {**present.settings, **changes}.items() if value is not None}
            checked = check_settings(wanted)
            if wanted != dict(present.settings):
                present = await self.sites.set_settings(project, site, wanted, actor)
            if present.live_number is None:
                return present, None
            info = await self.sites.release(project, site, present.live_number)
            live = await self.contents(info)
            if live.own is None:
                return present, live
            made = with_settings(live, checked)
            if made.settings != live.settings:
                await self._live_again(project, info, made, actor, sorted(changes))
                present = await self.sites.get(project, site)
            return present, made

    async def _live_again(
        self, project: str, info: ReleaseInfo, made: Release, actor: Actor, changed: Sequence[str]
    ) -> None:
        report = {name: each for name, each in info.report.items() if name != "optimisation"}
        await self.sites.add_release(
            project,
            info.site,
            key=await self._blobs.put(await asyncio.to_thread(encode, made)),
            files=info.files,
            size=info.size,
            report=report,
            actor=actor,
            message=f"settings: {', '.join(changed)}",
            functions_of=info.number,
        )

    async def delete(self, project: str, site: str, actor: Actor) -> None:
        """The site with all that belongs to it. Raises `NotFound`."""
        for owner, worker in await self.sites.delete(project, site, actor):
            await self._forget_worker(owner, worker)

    async def sweep(self) -> int:
        """Removes the bytes that no release refers to. Gives how many files."""
        kept: set[str] = set()
        for key in await self.sites.keys():
            kept.add(key)
            for asset in (await self._read(key)).files.values():
                kept.update((asset.content.hash, asset.deployed.hash))
                kept.update(each.hash for each in asset.encodings.values())
                kept.update(each.hash for each in asset.variants.values())
        gone = 0
        async for key in self._blobs.keys(older_than_seconds=_GRACE_SECONDS):
            if key not in kept and await self._blobs.delete(key, older_than_seconds=_GRACE_SECONDS):
                gone += 1
        return gone

    async def _release(self, wanted: Deploy, built: Built, told: Told) -> ReleaseInfo:
        told.step("going live" if wanted.live else "writing the release down")
        try:
            await self.sites.get(wanted.project, wanted.site)
        except NotFound:
            await self.create(wanted.project, wanted.site, wanted.actor)
        return await self.sites.add_release(
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
            functions=built.functions.arrived,
        )

    async def _make(self, wanted: Deploy, folder: Path | None, rules: SiteRules, told: Told) -> MadeFunctions:
        """Nobody's turn: packages may have to be fetched, and other sites' deploys do not wait for a registry."""
        return await self._functions.make(wanted.project, wanted.site, folder, rules.functions, told.step)

    async def _settings(self, wanted: Deploy) -> Mapping[str, Any]:
        """What is set for the site outside of its files."""
        try:
            return (await self.sites.get(wanted.project, wanted.site)).settings
        except NotFound:
            return {}

    async def _admit_stored(self, wanted: Deploy, stored: Mapping[str, Stored]) -> None:
        sizes = {each.hash: each.size for each in stored.values()}
        known = await self._released(wanted.project, wanted.site)
        free = Free(self._admission, wanted.project, known, self.max_bytes, asyncio.get_running_loop())
        await asyncio.to_thread(free, sizes)

    async def _keep(self, project: str, site: str, files: Mapping[str, str]) -> Mapping[str, int]:
        """Those of the wanted bytes that are this site's and are there, with their sizes. They stay for a while."""
        known = await self._known(project, site)
        return await self._blobs.keep({key for key in files.values() if key in known})

    async def _known(self, project: str, site: str) -> set[str]:
        """What of the store belongs to this site: its newest releases' files, and what was sent ahead."""
        return self._ahead.of(project, site) | await self._released(project, site)

    async def _released(self, project: str, site: str) -> set[str]:
        try:
            releases = await self.sites.releases(project, site, limit=_LOOKED_AT)
        except NotFound:
            return set()
        known: set[str] = set()
        for info in releases:
            known.update(asset.deployed.hash for asset in (await self.contents(info)).files.values())
        return known

    async def _read(self, key: str) -> Release:
        """A large one takes a while to decode, which other requests must not wait for; it is kept for a moment, since
        its files are asked for page by page."""
        if self._large is not None and self._large[0] == key:
            release = self._large[1]
        else:
            data = await self._blobs.get(key)
            if len(data) <= _LARGE:
                return decode(data)
            release = await asyncio.to_thread(decode, data)
        self._keep_large(key, release)
        return release

    def _keep_large(self, key: str, release: Release | None) -> None:
        if self._letting_go is not None:
            self._letting_go.cancel()
        self._large = None if release is None else (key, release)
        loop = asyncio.get_running_loop()
        self._letting_go = None if release is None else loop.call_later(_KEPT_SECONDS, self._keep_large, "", None)

    async def _text(self, path: str, key: str) -> str:
        return read_text(await self._blobs.get(key), path)

    @asynccontextmanager
    async def _one_at_a_time(self, site: str) -> AsyncIterator[None]:
        lock = self._locks.get(site)
        if lock is None:
            lock = self._locks[site] = asyncio.Lock()
        async with lock:
            yield
