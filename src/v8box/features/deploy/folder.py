"""Keeps the catalog as the served folder says: what is new or changed is bundled and goes live, what is gone goes.

One rule does it all: look at the disk, compare with the catalog, deploy the difference. It runs at start, when the
watcher says that something changed, after deploys, and every few seconds for what the watcher missed.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from v8box.catalog import PRODUCTION, Build, Catalog, Manifest, Version, manifest_hash
from v8box.catalog.warnings import warnings_of
from v8box.errors import V8BoxError
from v8box.features.deploy.bundler import CONFIG_FILES, Bundler, config_fingerprint
from v8box.features.deploy.diagnostics import BundleError
from v8box.features.deploy.discovery import FUNCTIONS, Alone, Discovery, Seen
from v8box.features.deploy.events import (
    Deployed,
    DeployEvent,
    DeployFailed,
    DeployStarted,
    Listener,
    Place,
    Problem,
    Removed,
)
from v8box.kit.files import FileHashes, is_within
from v8box.kit.watch import Watch

_log: Final = logging.getLogger(__name__)
_COMPARE_SECONDS: Final = 10.0
_BLIND_COMPARE_SECONDS: Final = 1.0  # when the kernel has no watches left
_GONE_SECONDS: Final = 0.2  # editors move the old file away before they write the new one
_FIRST_RETRY_SECONDS: Final = 30.0  # a registry that cannot be reached comes back without a file changing
_LAST_RETRY_SECONDS: Final = 600.0
_MANIFEST: Final = "/manifest"  # in a fingerprint, beside paths, which are relative


@dataclass(slots=True)
class _Failure:
    """A worker that could not be deployed, and what there was when it was tried."""

    event: DeployFailed
    tree: int
    touched: tuple[int, ...]
    tries: int
    retry_at: float


@dataclass(frozen=True, slots=True)
class _Deploy:
    """A deploy under way, and what it was started for."""

    task: asyncio.Task[None]
    manifest: Manifest
    tree: int


@dataclass(slots=True)
class _Look:
    """What was seen at one moment. `tree` stands for all that a failing worker might be waiting for."""

    seen: Seen
    config: Mapping[str, str]
    hashes: Mapping[str, str | None]
    tree: int
    watched: Mapping[Path, int]


VariableNames = Callable[[str, str, str], Awaitable[Collection[str]]]
"""The names of the variables that a worker gets from outside its manifest: project, environment, worker."""


async def _no_names(_project: str, _environment: str, _worker: str) -> Collection[str]:
    return ()


class FolderDeploys:
    """Deploys the workers of one folder, from `run` until that is cancelled."""

    def __init__(
        self,
        directory: Path,
        data_directory: Path,
        catalog: Catalog,
        bundler: Bundler,
        *,
        on_event: Listener,
        variable_names: VariableNames = _no_names,
        compare_seconds: float = _COMPARE_SECONDS,
        alone: Alone | None = None,
    ) -> None:
        self._directory = Path(os.path.realpath(directory))
        self._discovery = Discovery(self._directory, Path(os.path.realpath(data_directory)), alone)
        self._data_directory = Path(os.path.realpath(data_directory))
        self._catalog = catalog
        self._bundler = bundler
        self._on_event = on_event
        self._variable_names = variable_names
        self._compare_seconds = compare_seconds
        self._hashes = FileHashes()
        # what is going on
        self._changed = asyncio.Event()
        self._settled = asyncio.Event()
        self._watches: list[Watch] = []
        self._watched: Mapping[Path, int] = {}
        self._deploys: dict[str, _Deploy] = {}
        self._again: set[str] = set()
        self._failures: dict[str, _Failure] = {}
        self._problems: dict[str, Problem] = {}
        self._gone_at: dict[str, float] = {}
        self._present: dict[str, Manifest | None] = {}
        # comparisons, counted: the number of the last that began, and of the last that is over
        self._begun = 0
        self._ended_of = 0
        self._waiters: list[asyncio.Future[None]] = []

    @property
    def workers(self) -> Mapping[str, Manifest | None]:
        """The workers that the folder holds, as of the last look; None: its manifest or file has a fault."""
        return self._present

    @property
    def last_errors(self) -> Mapping[str, DeployFailed]:
        """By worker, why its newest state is not live. Empty for a worker whose last deploy went well."""
        return {name: failure.event for name, failure in self._failures.items()}

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What lies in the folder and can be no worker, as of the last look."""
        return tuple(self._problems.values())

    async def settle(self) -> None:
        """Wait until the first comparison is over: every worker is live or has its error. For the start of the box."""
        await self._settled.wait()

    def notice(self) -> None:
        """Compare soon. For who knows of a change before the watcher does."""
        self._changed.set()

    async def outcome(self, name: str) -> Version | DeployFailed | None:
        """What became of the worker as its files are now: the version that is live, why it could not be deployed, or
        None when there is no such worker."""
        begun = self._begun
        self.notice()
        while self._ended_of <= begun or name in self._deploys or name in self._again:
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            await waiter
        if (failure := self._failures.get(name)) is not None:
            return failure.event
        return self._catalog.routes.live(name)

    def _wake(self) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def run(self) -> None:
        """Until cancelled. Deploys under way are given up then; the catalog is whole at any moment."""
        try:
            while True:
                self._changed.clear()
                try:
                    wait = await self._compare(time.perf_counter())
                except Exception:
                    _log.exception("comparing %s with what is live failed", self._directory)
                    wait = _BLIND_COMPARE_SECONDS
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(wait):  # wait_for may swallow a cancellation before Python 3.12
                        await self._changed.wait()
        finally:
            await asyncio.to_thread(self._unwatch)
            running = [deploy.task for deploy in self._deploys.values()]
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    async def _compare(self, noticed: float) -> float:
        """One comparison. Gives the seconds until the next, if nothing happens before."""
        if not self._directory.is_dir():  # unmounted or being replaced: keep serving, look again
            await asyncio.to_thread(self._unwatch)
            return _BLIND_COMPARE_SECONDS
        self._begun += 1
        recorded = {path for name in self._catalog.routes.of() for path in _paths(self._catalog.fingerprint(name))}
        look = await asyncio.to_thread(self._look, recorded, watch_all=bool(self._failures))
        if look.watched != self._watched:
            await asyncio.to_thread(self._watch, look.watched, asyncio.get_running_loop())
            self._changed.set()  # what happened before the watches were in place
        self._present = {**dict.fromkeys(look.seen.failed), **look.seen.workers}
        self._report(look.seen)
        for name, manifest in look.seen.workers.items():
            if self._wants_deploy(name, manifest, look):
                self._start(name, manifest, look.tree, noticed)
        self._again &= self._deploys.keys()
        for failed in look.seen.failed.values():
            self._fail(failed, look.tree, self._touched(failed))
        next_gone = await self._remove_gone(look.seen)
        self._ended_of = self._begun
        self._wake()
        if not self._deploys:
            self._settled.set()
        usual = self._compare_seconds if self._watches else _BLIND_COMPARE_SECONDS
        retries = [failure.retry_at - time.monotonic() for failure in self._failures.values()]
        return max(0.0, min([usual, next_gone, *(wait for wait in retries if wait > 0)]))

    # --- Looking. `_look` runs in a thread; it touches nothing but the disk and the caches that only it uses.

    def _look(self, recorded: set[str], *, watch_all: bool) -> _Look:
        seen = self._discovery.look()
        config = config_fingerprint(self._directory, self._hashes)
        hashes = {path: self._hashes.of(self._directory / path) for path in recorded}
        roots = {FUNCTIONS, *(path.partition("/")[0] for path in recorded - {*CONFIG_FILES} if "/" in path)}
        roots |= {manifest.entry.partition("/")[0] for manifest in seen.workers.values() if "/" in manifest.entry}
        if watch_all:  # what a failing worker is waiting for may be anywhere
            roots |= {folder.name for folder in self._folders()}
        watched = {self._directory: _identity(self._directory)}
        watched |= {self._directory / root: _identity(self._directory / root) for root in roots}
        tree = hash((*_signatures(self._directory, {self._data_directory}), *config.items()))
        return _Look(seen, config, hashes, tree, {path: ino for path, ino in watched.items() if ino})

    def _folders(self) -> Iterator[Path]:
        with contextlib.suppress(OSError):
            for path in self._directory.iterdir():
                hidden = path.name.startswith(".") or path.name == "node_modules"
                if not hidden and path.is_dir() and not is_within(self._data_directory, path):
                    yield path

    def _wants_deploy(self, name: str, manifest: Manifest, look: _Look) -> bool:
        if (running := self._deploys.get(name)) is not None:
            if (running.manifest, running.tree) != (manifest, look.tree):
                self._again.add(name)
            return False
        live = self._catalog.routes.live(name)
        recorded = self._catalog.fingerprint(name)
        paths = _paths(recorded)
        if live is not None and not paths <= look.hashes.keys():
            return False  # it went live after the look began, and that brings another
        now = {**{path: look.hashes.get(path) for path in paths}, **look.config, _MANIFEST: manifest_hash(manifest)}
        # Compared is with the last deploy of the folder's, not with what is live: a rollback must hold.
        if live is not None and now == recorded:
            if self._failures.pop(name, None) is not None:  # it was changed back to what is live
                self._tell(Deployed(name, live, 0.0))
            return False
        failure = self._failures.get(name)
        return failure is None or failure.tree != look.tree or time.monotonic() >= failure.retry_at

    def _report(self, seen: Seen) -> None:
        """Tell each problem once for as long as it stands."""
        now = {str(problem): problem for problem in seen.problems}
        for key, problem in now.items():
            if key not in self._problems:
                self._tell(problem)
        self._problems = now

    # --- Deploying.

    def _start(self, name: str, manifest: Manifest, tree: int, noticed: float) -> None:
        task = asyncio.create_task(self._deploy(name, manifest, tree, noticed), name=f"deploy {name}")
        self._deploys[name] = _Deploy(task, manifest, tree)
        task.add_done_callback(lambda _: self._ended(name))

    def _ended(self, name: str) -> None:
        """Compare again if something changed while it was deployed, and at the end of a batch in any case."""
        del self._deploys[name]
        if name in self._again or not self._deploys:
            self._changed.set()
        self._wake()

    async def _deploy(self, name: str, manifest: Manifest, tree: int, noticed: float) -> None:
        before = self._failures.get(name)
        touched = self._touched(DeployFailed(name, "", Place(manifest.entry)) if before is None else before.event)
        if before is None or before.touched != touched:
            self._tell(DeployStarted(name))  # else it is tried again because some other file changed: quietly
        try:
            build = await self._bundle(name, manifest)
            settled = await self._bundler.settle(manifest, build)
            version = await self._catalog.deploy(name, build, settled)
        except BundleError as error:
            place = Place(error.file, error.line, error.column) if error.file else Place(manifest.entry)
            failed = DeployFailed(name, error.message, place)
        except V8BoxError as error:
            failed = DeployFailed(name, error.detail, Place(manifest.entry))
        except Exception as error:
            _log.exception("deploying %s failed", name)
            failed = DeployFailed(name, f"{type(error).__name__}: {error}", Place(manifest.entry))
        else:
            self._failures.pop(name, None)
            took = (time.perf_counter() - noticed) * 1_000
            self._tell(Deployed(name, version, took, await self._warnings(version)))
            return
        self._fail(failed, tree, self._touched(failed) if before is None or before.event != failed else touched)

    async def _warnings(self, version: Version) -> tuple[str, ...]:
        manifest = version.manifest
        names: Collection[str] = ()
        if manifest.env_required:
            try:
                names = await self._variable_names(version.project, PRODUCTION, version.worker)
            except V8BoxError as error:
                return (f"whether its variables are set is not known: {error.detail}",)
        return warnings_of(manifest, names, PRODUCTION)

    async def _bundle(self, name: str, manifest: Manifest) -> Build:
        live = self._catalog.routes.live(name)
        lock = None if live is None else await self._catalog.lock(live)
        build = await self._bundler.bundle(manifest.entry, lock=lock)
        return replace(build, fingerprint={**build.fingerprint, _MANIFEST: manifest_hash(manifest)})

    def _fail(self, event: DeployFailed, tree: int, touched: tuple[int, ...]) -> None:
        """Keep the error. It is told when it is new, and again when its file was saved and it is still there."""
        before = self._failures.get(event.worker)
        known = before is not None and before.event == event
        tries = before.tries + 1 if before is not None and known else 1
        wait = min(_FIRST_RETRY_SECONDS * 2 ** min(tries - 1, 10), _LAST_RETRY_SECONDS)
        self._failures[event.worker] = _Failure(event, tree, touched, tries, time.monotonic() + wait)
        if before is None or not known or before.touched != touched:
            self._tell(event)

    def _touched(self, failed: DeployFailed) -> tuple[int, ...]:
        """Stands for the state of the file that an error is in."""
        if failed.place is None:
            return ()
        try:
            status = os.stat(self._directory / failed.place.file)
        except OSError:
            return ()
        return status.st_mtime_ns, status.st_size, status.st_ino

    async def _remove_gone(self, seen: Seen) -> float:
        """Remove workers whose file has been gone for a moment. Gives the seconds until the next may be removed."""
        present = seen.workers.keys() | seen.failed.keys()
        for name in [name for name in self._failures if name not in present]:
            del self._failures[name]
        gone = {name for name in self._catalog.routes.of() if name not in present and self._is_ours(name)}
        now = time.monotonic()
        self._gone_at = {name: self._gone_at.get(name, now) for name in gone}
        for name, since in list(self._gone_at.items()):
            if now - since >= _GONE_SECONDS and name not in self._deploys:
                del self._gone_at[name]
                await self._catalog.remove(name)
                self._tell(Removed(name))
        return min((since + _GONE_SECONDS - now for since in self._gone_at.values()), default=self._compare_seconds)

    def _is_ours(self, name: str) -> bool:
        """Whether a folder deployed it: only such deploys say what they depended on."""
        return bool(self._catalog.fingerprint(name))

    # --- Watching.

    def _watch(self, folders: Mapping[Path, int], loop: asyncio.AbstractEventLoop) -> None:
        """The served folder itself without what is beneath (the box's data is), and the folders that sources are in."""
        self._unwatch()

        def on_change() -> None:
            loop.call_soon_threadsafe(self._changed.set)

        beneath = [folder for folder in folders if folder != self._directory]
        try:
            self._watches.append(Watch([self._directory], recursive=False, on_change=on_change))
            if beneath:
                self._watches.append(Watch(beneath, recursive=True, on_change=on_change))
        except OSError as error:  # no watches left, or a folder went away just now
            _log.warning("cannot watch %s: %s; looking every second instead", self._directory, error)
            self._unwatch()
        self._watched = folders

    def _unwatch(self) -> None:
        for watch in self._watches:
            watch.stop()
        self._watches.clear()
        self._watched = {}

    def _tell(self, event: DeployEvent) -> None:
        try:
            self._on_event(event)
        except Exception:
            _log.exception("the listener for deploys failed")


def _paths(fingerprint: Mapping[str, str]) -> set[str]:
    """The files that a build depended on, and what stands for the tools, which are no files."""
    return fingerprint.keys() - {_MANIFEST}


def _identity(folder: Path) -> int:
    try:
        return folder.stat().st_ino if folder.is_dir() else 0
    except OSError:
        return 0


def _signatures(directory: Path, besides: set[Path]) -> Iterator[tuple[str, int, int, int]]:
    """Every file beneath with its time, size and identity; packages, hidden files and the box's data left out."""
    for parent, names, files in os.walk(directory):
        folder = Path(parent)
        names[:] = [n for n in names if n[0] != "." and n != "node_modules" and folder / n not in besides]
        for name in files:
            with contextlib.suppress(OSError):
                status = os.stat(os.path.join(parent, name))
                yield f"{parent}/{name}", status.st_mtime_ns, status.st_size, status.st_ino
