"""Deploys of what somebody sends: staged, read as a folder is, bundled, kept as versions, and made live if asked.

One worker's sources, or an archive of a whole folder: then all its workers are bundled first and go live together.
"""

from __future__ import annotations

import asyncio
import posixpath
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import msgspec

from v8box.api.staging import Place
from v8box.catalog import PRODUCTION, Build, Catalog, Manifest, ManifestError, Version, check_worker_name
from v8box.errors import BadRequest, NotFound, V8BoxError
from v8box.features.deploy.bundler import Bundler
from v8box.features.deploy.diagnostics import MAX_DIAGNOSTICS, BundleError, Diagnostic
from v8box.features.deploy.discovery import FUNCTIONS, Discovery
from v8box.settings import FILE_NAME
from v8box.telemetry.actors import Actor

_KEPT: Final = ("deno.json", "deno.jsonc", "package.json", "tsconfig.json")
"""Files that decide what a bundle is, and are needed to make it again. `.npmrc` may hold a token, so it is not kept."""

Admit = Callable[[str, Sequence[str]], Awaitable[None]]
"""Whether the project may have these workers too. Raises `V8BoxError`."""
FromFolder = Callable[[str, str], bool]
"""Whether the project's worker is a file in the served folder."""
Told = Callable[[str], None]
"""What is being done, for who watches."""


class DeployRefused(BadRequest):
    """What was sent cannot be deployed."""

    code = "deploy_refused"

    def __init__(self, diagnostics: Sequence[Diagnostic]) -> None:
        shown = diagnostics[:MAX_DIAGNOSTICS]
        first = shown[0]
        place = ":".join(str(part) for part in (first.file, first.line, first.column) if part is not None)
        more = f" (and {len(diagnostics) - 1} more)" if len(diagnostics) > 1 else ""
        super().__init__(f"{place}: {first.message}{more}" if place else f"{first.message}{more}")
        self.diagnostics = msgspec.to_builtins(shown)


class InFolder(V8BoxError):
    """The worker comes from the served folder. Change its file (PUT …/files/…), or deploy to another environment."""

    status = 409
    code = "comes_from_folder"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Where a deploy is to go. Without an environment it is kept, and not live."""

    project: str
    actor: Actor
    environment: str | None = None
    message: str = ""
    check: bool = False
    """Whether an error of types refuses it."""


def _silent(_: str) -> None:
    """Nobody watches."""


class Uploads:
    """Deploys what is staged."""

    def __init__(self, catalog: Catalog, bundler: Bundler, *, admit: Admit, from_folder: FromFolder) -> None:
        self._catalog = catalog
        self._bundler = bundler
        self._admit = admit
        self._from_folder = from_folder

    async def deploy_worker(
        self,
        place: Place,
        worker: str,
        order: Order,
        *,
        manifest: Mapping[str, Any] | None = None,
        told: Told = _silent,
    ) -> Version:
        """The one worker that lies in `place`. Raises `DeployRefused`, `InFolder`."""
        await self._admitted([worker], order)
        found = await asyncio.to_thread(_find, place.files, worker, manifest)
        told(f"bundling {worker}")
        build, settled = await self._build(place.files, worker, found, order)
        return await self._keep(worker, build, settled, order)

    async def check_worker(
        self, place: Place, worker: str, *, manifest: Mapping[str, Any] | None = None
    ) -> Sequence[Diagnostic]:
        """All that is wrong with it; nothing is kept."""
        try:
            found = await asyncio.to_thread(_find, place.files, worker, manifest)
        except DeployRefused as error:
            return msgspec.convert(error.diagnostics, list[Diagnostic])
        bundler = self._bundler.of(place.files)
        try:
            build = await bundler.bundle(found.manifest.entry)
            await bundler.settle(found.manifest, build)
        except BundleError as error:
            return [error.diagnostic()]
        return await bundler.check(found.manifest.entry)

    async def edit(self, place: Place, version: Version, changes: Mapping[str, bytes | None], order: Order) -> Version:
        """A new version of the sources of `version` with these files changed, or (None) without them. What nothing
        imports stays, too: it may be imported by what is edited next. Raises `DeployRefused`, `InFolder`."""
        worker = version.worker
        await self._admitted([worker], order)
        names = version.sources.keys() - changes.keys()
        sources = {name: await self._catalog.versions.source(version, name) for name in sorted(names)}
        sources |= {name: data for name, data in changes.items() if data is not None}
        await place.write(sources)
        manifest = version.manifest
        if any(_is_manifest(path, version, data) for path, data in changes.items()):
            manifest = (await asyncio.to_thread(_find, place.files, worker, None)).manifest
        found = _Found(manifest, set(sources))
        build, settled = await self._build(place.files, worker, found, order, lock=await self._catalog.lock(version))
        return await self._keep(worker, build, settled, order)

    async def deploy_folder(self, place: Place, order: Order, *, told: Told = _silent) -> dict[str, Version]:
        """Every worker of the folder in `place`, all of them or none. Raises `DeployRefused`, `InFolder`."""
        found = await asyncio.to_thread(_find_all, place.files)
        await self._admitted(list(found), order)
        told(f"bundling {len(found)} workers")
        tries = await asyncio.gather(
            *(self._build(place.files, worker, each, order) for worker, each in found.items()), return_exceptions=True
        )
        refused = [error for error in tries if isinstance(error, DeployRefused)]
        if refused:
            raise DeployRefused([each for error in refused for each in _diagnostics(error)])
        for error in tries:
            if isinstance(error, BaseException):
                raise error
        builds = {
            worker: built for worker, built in zip(found, tries, strict=True) if not isinstance(built, BaseException)
        }
        told("going live")
        return await self._catalog.deploy_all(
            builds,
            project=order.project,
            environment=order.environment or PRODUCTION,
            actor=order.actor,
            message=order.message,
        )

    async def _admitted(self, workers: Sequence[str], order: Order) -> None:
        for worker in workers:
            self._check(worker, order)
        await self._admit(order.project, workers)

    def _check(self, worker: str, order: Order) -> None:
        check_worker_name(worker)
        if order.environment == PRODUCTION and self._from_folder(order.project, worker):
            raise InFolder(
                f"{worker} comes from the served folder. Change its file (PUT …/workers/{worker}/files/…), or deploy "
                "to another environment and promote it."
            )

    async def _build(
        self, folder: Path, worker: str, found: _Found, order: Order, *, lock: bytes | None = None
    ) -> tuple[Build, Manifest]:
        """The build, and the manifest that goes with it."""
        bundler = self._bundler.of(folder)
        entry = found.manifest.entry
        try:
            if order.check and (errors := await bundler.check(entry)):
                raise DeployRefused([msgspec.structs.replace(each, worker=worker) for each in errors])
            build = await bundler.bundle(entry, lock=lock or await self._lock(order.project, worker))
            settled = await bundler.settle(found.manifest, build)
        except BundleError as error:
            raise DeployRefused([error.diagnostic(worker)]) from error
        kept = await asyncio.to_thread(_read, folder, found.kept)
        # What the folder depends on means nothing here: nobody looks whether it has changed.
        return replace(build, sources={**kept, **build.sources}, fingerprint={}), settled

    async def _lock(self, project: str, worker: str) -> bytes | None:
        """Packages stay as they were in the newest version, unless what was sent says otherwise."""
        newest = await self._catalog.versions.list(project, worker, limit=1)
        return await self._catalog.lock(newest[0].version) if newest else None

    async def _keep(self, worker: str, build: Build, manifest: Manifest, order: Order) -> Version:
        where: dict[str, Any] = {"project": order.project, "actor": order.actor, "message": order.message}
        if order.environment is None:
            return await self._catalog.store(worker, build, manifest, **where)
        return await self._catalog.deploy(worker, build, manifest, environment=order.environment, **where)

    async def newest(self, project: str, worker: str) -> Version:
        """Whose sources a worker's files are. Raises `NotFound`."""
        found = await self._catalog.versions.last_saved(project, worker)
        if found is None:
            raise NotFound(f"There is no worker called {worker[:63]} in this project.")
        return found


@dataclass(frozen=True, slots=True)
class _Found:
    """A worker in a staged folder. `kept` are files to keep though nothing imports them."""

    manifest: Manifest
    kept: set[str]


def _find(folder: Path, worker: str, given: Mapping[str, Any] | None) -> _Found:
    """As in a served folder, or the folder as a whole. Blocking. Raises `DeployRefused`."""
    discovery = Discovery(folder, folder / ".private")
    try:
        if given is not None:
            return _Found(discovery.whole(worker, given), _to_keep(folder, discovery))
        seen = discovery.look()
        if worker in seen.faults:
            raise ManifestError(*seen.faults[worker])
        if (manifest := seen.workers.get(worker)) is not None:
            kept = _to_keep(folder, discovery)
            return _Found(manifest, {name for name in kept if _concerns(name, manifest.entry)})
        discovery = Discovery(folder, folder / ".private")
        return _Found(discovery.whole(worker), _to_keep(folder, discovery))
    except ManifestError as error:
        raise DeployRefused(_of_manifest(error, worker)) from error


def has_workers(folder: Path) -> bool:
    """Whether a staged folder has a worker in it, be it a broken one. Blocking."""
    if (folder / FUNCTIONS).exists():
        return True
    seen = Discovery(folder, folder / ".private").look()
    return bool(seen.workers or seen.faults)


def _find_all(folder: Path) -> dict[str, _Found]:
    """Blocking. Raises `DeployRefused` with all that is wrong."""
    discovery = Discovery(folder, folder / ".private")
    seen = discovery.look()
    wrong = [
        Diagnostic(problem.message, file=problem.place.file, line=problem.place.line, column=problem.place.column)
        for problem in seen.problems
    ]
    for worker, faults in seen.faults.items():
        wrong += _of_manifest(ManifestError(*faults), worker)
    if not wrong and not seen.workers:
        wrong = [Diagnostic(f"There is no worker in it: {FUNCTIONS}/<name>.ts, or name the one worker with `worker`")]
    if wrong:
        raise DeployRefused(wrong)
    kept = _to_keep(folder, discovery)
    return {
        worker: _Found(manifest, {name for name in kept if _concerns(name, manifest.entry)})
        for worker, manifest in seen.workers.items()
    }


def _concerns(name: str, entry: str) -> bool:
    """Whether a file that is kept is this worker's, or everybody's."""
    folder = posixpath.dirname(name)
    return folder == "" or posixpath.dirname(entry) == folder


def _to_keep(folder: Path, discovery: Discovery) -> set[str]:
    return discovery.read | {name for name in _KEPT if (folder / name).is_file()}


def _is_manifest(path: str, version: Version, data: bytes | None) -> bool:
    """Whether the manifest may be another one without this file, or with this text in it."""
    name = posixpath.basename(path)
    if data is None:
        return path in version.sources and name in (FILE_NAME, "deno.json", "deno.jsonc")
    return name == FILE_NAME or (name in ("deno.json", "deno.jsonc") and b'"v8box"' in data)


def _of_manifest(error: ManifestError, worker: str) -> list[Diagnostic]:
    return [Diagnostic(fault.message, file=fault.file, line=fault.line, worker=worker) for fault in error.faults]


def _diagnostics(error: DeployRefused) -> list[Diagnostic]:
    return msgspec.convert(error.diagnostics, list[Diagnostic])


def _read(folder: Path, names: set[str]) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in sorted(names)}
