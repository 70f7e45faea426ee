"""Sites of the served folder: `pages/<site>/` is deployed when it is new or changed, and taken off when it is gone.

One rule, as for workers: look at the disk, compare with what is live, deploy the difference. A folder's state is a hash
of its files' names, sizes and times; the bytes are read when it is deployed.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import os
import shutil
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from v8box.catalog.model import DEFAULT_PROJECT
from v8box.catalog.sites import ReleaseInfo, Sites, check_site_name
from v8box.errors import NotFound, V8BoxError
from v8box.features.pages.service import Deploy, PagesService
from v8box.kit.watch import Watch
from v8box.telemetry.actors import FOLDER

_COMPARE_SECONDS: Final = 10.0
_BLIND_COMPARE_SECONDS: Final = 2.0
_QUIET_SECONDS: Final = 0.15
"""A build writes many files: it is deployed when none changed for so long."""
_FIRST_RETRY_SECONDS: Final = 30.0
_LAST_RETRY_SECONDS: Final = 600.0
_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SiteDeployed:
    """A release of a folder went live."""

    site: str
    release: ReleaseInfo
    milliseconds: float


@dataclass(frozen=True, slots=True)
class SiteFailed:
    """A folder could not be deployed. What was live still is."""

    site: str
    message: str


@dataclass(frozen=True, slots=True)
class SiteRemoved:
    """A site's folder is gone, and the site with it."""

    site: str


@dataclass(frozen=True, slots=True)
class _Failure:
    """Files that could not be deployed, and when they are tried again."""

    state: str
    message: str
    wait: float
    retry_at: float


SiteEvent = SiteDeployed | SiteFailed | SiteRemoved


class FolderSites:
    """Deploys the sites of one folder, from `run` until that is cancelled."""

    def __init__(
        self,
        directory: Path,
        service: PagesService,
        *,
        on_event: Callable[[SiteEvent], None],
        project: str = DEFAULT_PROJECT,
        first_retry_seconds: float = _FIRST_RETRY_SECONDS,
    ) -> None:
        self._first_retry_seconds = first_retry_seconds
        self._directory = directory
        self._service = service
        self._sites: Sites = service.sites
        self._on_event = on_event
        self._project = project
        self._changed = asyncio.Event()
        self._settled = asyncio.Event()
        self._watch: Watch | None = None
        self._failed: dict[str, _Failure] = {}
        """By site, what could not be deployed."""

    async def settle(self) -> None:
        """Wait until the first comparison is over."""
        await self._settled.wait()

    async def run(self) -> None:
        try:
            while True:
                self._changed.clear()
                try:
                    await self._compare()
                except Exception:
                    _log.exception("comparing %s with what is live failed", self._directory)
                self._settled.set()
                wait = _COMPARE_SECONDS if self._watch is not None else _BLIND_COMPARE_SECONDS
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(wait):
                        await self._changed.wait()
        finally:
            if self._watch is not None:
                await asyncio.to_thread(self._watch.stop)

    async def _compare(self) -> None:
        await self._watch_folder()
        states = await asyncio.to_thread(_states, self._directory)
        live = {site.name: site for site in await self._sites.list(self._project)}
        for name, state in states.items():
            known = live.get(name)
            if (known is None or known.fingerprint != state) and not self._waits(name, state):
                await self._deploy(name, state)
        for name in self._failed.keys() - states.keys():
            del self._failed[name]
        for name, site in live.items():
            if site.fingerprint and name not in states and not (self._directory / name).is_dir():
                await self._service.delete(self._project, name, FOLDER)
                self._on_event(SiteRemoved(name))

    async def _deploy(self, name: str, state: str) -> None:
        began = time.perf_counter()
        state = await self._quiet(name, state)
        try:
            check_site_name(name)
            async with self._service.staged() as place:
                await asyncio.to_thread(_copy, self._directory / name, place.files)
                wanted = Deploy(project=self._project, site=name, actor=FOLDER, fingerprint=state)
                release = await self._service.deploy_folder(wanted, place)
        except (V8BoxError, OSError) as error:
            self._fail(name, state, error.detail if isinstance(error, V8BoxError) else str(error))
            return
        self._failed.pop(name, None)
        self._on_event(SiteDeployed(name, release, (time.perf_counter() - began) * 1_000))

    def _waits(self, name: str, state: str) -> bool:
        """Whether the same files failed, and it is too early to try them again."""
        failure = self._failed.get(name)
        return failure is not None and failure.state == state and time.monotonic() < failure.retry_at

    def _fail(self, name: str, state: str, message: str) -> None:
        """Said once. A registry that cannot be reached comes back without a file changing, so it is tried again."""
        before = self._failed.get(name)
        again = before is not None and before.state == state
        wait = min(2 * before.wait, _LAST_RETRY_SECONDS) if before is not None and again else self._first_retry_seconds
        self._failed[name] = _Failure(state, message, wait, time.monotonic() + wait)
        if before is None or not again or before.message != message:
            self._on_event(SiteFailed(name, message))

    async def _quiet(self, name: str, state: str) -> str:
        """Waits until a folder holds still, as far as one can tell; gives its state then."""
        while True:
            self._changed.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_QUIET_SECONDS):
                    await self._changed.wait()
            now = await asyncio.to_thread(_state, self._directory / name)
            if now == state:
                return state
            state = now

    async def _watch_folder(self) -> None:
        if self._watch is not None or not self._directory.is_dir():
            return
        loop = asyncio.get_running_loop()

        def on_change() -> None:
            loop.call_soon_threadsafe(self._changed.set)

        try:
            self._watch = await asyncio.to_thread(Watch, [self._directory], recursive=True, on_change=on_change)
        except OSError as error:
            _log.warning("cannot watch %s: %s; looking every two seconds instead", self._directory, error)


def _states(directory: Path) -> dict[str, str]:
    """The state of each folder that may be a site. Names with a dot or an underscore in front are nobody's."""
    try:
        names = sorted(os.listdir(directory))
    except OSError:
        return {}
    folders = (directory / name for name in names if not name.startswith((".", "_")))
    return {folder.name: state for folder in folders if folder.is_dir() and (state := _state(folder))}


def _state(folder: Path) -> str:
    """Empty for a folder without files."""
    digest = hashlib.sha256()
    found = False
    for path, status in _files(folder):
        found = True
        digest.update(f"{path}\0{status.st_size}\0{status.st_mtime_ns}\n".encode(errors="surrogateescape"))
    return digest.hexdigest() if found else ""


def _files(folder: Path) -> Iterator[tuple[str, os.stat_result]]:
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(
            name for name in folders if name != "node_modules" and (name[0] != "." or name == ".well-known")
        )
        for name in sorted(names):
            with contextlib.suppress(OSError):
                status = os.lstat(os.path.join(parent, name))
                if stat.S_ISREG(status.st_mode):
                    yield os.path.relpath(os.path.join(parent, name), folder), status


def _copy(folder: Path, staged: Path) -> None:
    """The files as they are now, links left out. The user's own stay theirs."""
    found = False
    for path, _ in _files(folder):
        target = staged / path
        target.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            shutil.copyfile(folder / path, target, follow_symlinks=False)
            found = True
    if not found:
        raise NotFound("The folder is empty")
