"""The files of a worker as they are edited: in the served folder for one that comes from there, else in its newest
version.

A hash stands for a file's text: who writes over another one than they have seen is told so, and loses nothing.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from v8box.api.staging import Staging
from v8box.catalog import DEFAULT_PROJECT, Catalog, Manifest, Version
from v8box.errors import BadRequest, NotFound, V8BoxError
from v8box.features.deploy.bundler import CONFIG_FILES
from v8box.features.deploy.discovery import FUNCTIONS
from v8box.features.deploy.events import DeployFailed
from v8box.features.deploy.folder import FolderDeploys
from v8box.features.deploy.uploads import Order, Uploads
from v8box.kit.archives import ArchiveError, check_path
from v8box.kit.files import is_within, sync_folder, temporary_beside
from v8box.settings import FILE_NAME

MAX_FILE_BYTES: Final = 4 * 1024 * 1024
_MAX_LISTED: Final = 2_000
_OUTCOME_SECONDS: Final = 150.0

CheckHash = Callable[[str | None], None]
"""Looks at the hash of what is there (None: nothing is) and raises where it is not what was expected."""


class NotEditable(BadRequest):
    """This file cannot be edited here."""

    code = "not_editable"


class StillDeploying(V8BoxError):
    """The file is saved, and its deploy takes long. The worker will show what came of it."""

    status = 504
    code = "still_deploying"


@dataclass(frozen=True, slots=True)
class FileState:
    """A file: relative to the served folder, or to what was deployed."""

    path: str
    sha256: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Change:
    """What becomes of a file: its new text, or None where it is deleted."""

    path: str
    data: bytes | None
    check: CheckHash


@dataclass(frozen=True, slots=True)
class Saved:
    """What came of a save: the files that were written, and the version that is live then, or made, or why there is
    none."""

    files: Sequence[FileState]
    version: Version | None
    failed: DeployFailed | None


class WorkerFiles:
    """The files of all workers."""

    def __init__(
        self,
        directory: Path,
        data_directory: Path,
        deploys: FolderDeploys,
        catalog: Catalog,
        uploads: Uploads,
        staging: Staging,
    ) -> None:
        self._directory = Path(os.path.realpath(directory))
        self._data_directory = data_directory
        self._functions = self._directory / FUNCTIONS
        self._deploys = deploys
        self._catalog = catalog
        self._uploads = uploads
        self._staging = staging
        self._saving = asyncio.Lock()

    def in_folder(self, project: str, worker: str) -> bool:
        return project == DEFAULT_PROJECT and worker in self._deploys.workers

    async def all(self, project: str, worker: str) -> list[FileState]:
        """By path. Raises `NotFound`."""
        if self.in_folder(project, worker):
            paths = self._paths(worker)
            return await asyncio.to_thread(lambda: [state for path in paths if (state := self._state(path))])
        version = await self._uploads.newest(project, worker)
        sizes = await self._catalog.versions.sizes(version)
        return [FileState(path, digest, sizes[path] or 0) for path, digest in sorted(version.sources.items())]

    async def read(self, project: str, worker: str, path: str) -> tuple[FileState, bytes]:
        """Raises `NotFound`."""
        if not self.in_folder(project, worker):
            version = await self._uploads.newest(project, worker)
            data = await self._catalog.versions.source(version, path)
            return FileState(path, version.sources[path], len(data)), data
        if path not in self._paths(worker):
            raise NotFound(f"{worker} has no file {path[:200]}")
        found = await asyncio.to_thread(self._read, path)
        if found is None:
            raise NotFound(f"{worker} has no file {path[:200]}")
        return FileState(path, _hash(found), len(found)), found

    async def save(self, worker: str, changes: Sequence[Change], order: Order) -> Saved:
        """Makes the changes, all or none, and waits for what comes of them. A worker that does not come from the folder
        keeps its files as they are where it would not build with them as they were to be: `DeployRefused`. Raises
        `NotEditable`, `NotFound`, and what the checks raise."""
        for change in changes:
            _check(change.path)
        if len({change.path for change in changes}) < len(changes):
            raise BadRequest("Two of the changes are of the same file.")
        written = [
            FileState(change.path, _hash(change.data), len(change.data))
            for change in changes
            if change.data is not None
        ]
        if self.in_folder(order.project, worker):
            async with self._saving:
                await asyncio.shield(asyncio.to_thread(self._apply, worker, changes))
            return await self._outcome(worker, written)
        async with self._staging.place() as place, self._saving:
            version = await self._uploads.newest(order.project, worker)
            for change in changes:
                known = version.sources.get(change.path)
                if known is None and change.data is None:
                    raise NotFound(f"{worker} has no file {change.path[:200]}")
                change.check(known)
                if change.data is None:
                    _check_not_main(worker, change.path, version.manifest)
            edited = {change.path: change.data for change in changes}
            return Saved(written, await self._uploads.edit(place, version, edited, order), None)

    async def _outcome(self, worker: str, written: Sequence[FileState]) -> Saved:
        try:
            async with asyncio.timeout(_OUTCOME_SECONDS):
                outcome = await self._deploys.outcome(worker)
        except TimeoutError:
            raise StillDeploying from None
        failed = outcome if isinstance(outcome, DeployFailed) else None
        return Saved(written, outcome if isinstance(outcome, Version) else None, failed)

    # ---- the served folder; in a thread

    def _apply(self, worker: str, changes: Sequence[Change]) -> None:
        """All are looked at, and written beside their places, before the first takes its place, so that a full disk
        changes none; what is deleted goes last, so that a crash loses none."""
        modes: dict[str, int] = {}
        for change in changes:
            self._check_editable(worker, change.path)
            target = self._directory / change.path
            before = _read(target)
            if before is None and change.data is None:
                raise NotFound(f"{worker} has no file {change.path[:200]}")
            change.check(None if before is None else _hash(before))
            if change.data is None:
                _check_not_main(worker, change.path, self._deploys.workers.get(worker))
            modes[change.path] = 0o644 if before is None else target.stat().st_mode & 0o777
        staged: list[tuple[Path, Path]] = []
        try:
            for change in changes:
                if change.data is not None:
                    self._stage(change.path, change.data, modes[change.path], staged)
            for temporary, target in staged:
                os.replace(temporary, target)
        finally:
            for temporary, _ in staged:
                temporary.unlink(missing_ok=True)
        for change in changes:
            if change.data is None:
                (self._directory / change.path).unlink()
        for folder in {(self._directory / change.path).parent for change in changes}:
            sync_folder(folder)

    def _stage(self, path: str, data: bytes, mode: int, staged: list[tuple[Path, Path]]) -> None:
        """Writes it beside its place."""
        target = self._directory / path
        try:
            target.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
        except (FileExistsError, NotADirectoryError) as error:
            raise NotEditable(f"{path}: one of its folders is a file.") from error
        temporary = temporary_beside(target)
        staged.append((temporary, target))
        with open(temporary, "xb") as file:
            os.fchmod(file.fileno(), mode)  # the folder's files are the user's own, not the box's
            file.write(data)
            file.flush()
            os.fsync(file.fileno())

    def _check_editable(self, worker: str, path: str) -> None:
        parts = PurePosixPath(path).parts
        manifest = self._deploys.workers.get(worker)
        if parts[0] != FUNCTIONS or len(parts) < 2:
            raise NotEditable(f"Only files below {FUNCTIONS}/ are edited here.")
        if not _is_own(worker, path, manifest) and path not in self._sources(worker):
            raise NotEditable(
                f"{path} is no file of {worker}. A new one goes into {FUNCTIONS}/{worker}/, or has a name that begins "
                "with an underscore: any other would be a worker of its own."
            )
        target = self._directory / path
        if target.is_symlink() or not is_within(target.parent, self._functions) or target.is_dir():
            raise NotEditable(f"{path} is a folder or a link.")

    def _sources(self, worker: str) -> set[str]:
        """What the folder's own build was made of. Not the sources of the version that is live: one that was sent and
        promoted may name any file of the box."""
        built = self._catalog.fingerprint(worker).keys() - {*CONFIG_FILES, FILE_NAME}
        return {path for path in built if PurePosixPath(path).suffix and not _is_hidden(path)}

    def _paths(self, worker: str) -> list[str]:
        manifest = self._deploys.workers.get(worker)
        found = self._sources(worker)
        if manifest is not None:
            found.add(manifest.entry)
        folder = self._functions / worker
        if manifest is None or manifest.entry.startswith(f"{FUNCTIONS}/{worker}/"):
            found |= set(_beneath(folder, self._directory))
        return sorted(found)

    def _read(self, path: str) -> bytes | None:
        real = self._directory / path
        if not is_within(real, self._directory) or is_within(real, self._data_directory):
            return None
        return _read(real)

    def _state(self, path: str) -> FileState | None:
        data = self._read(path)
        return None if data is None else FileState(path, _hash(data), len(data))


def _check(path: str) -> None:
    try:
        check_path(path)
    except ArchiveError as error:
        raise NotEditable(f"This is no file's name: {error}") from error
    if _is_hidden(path):
        raise NotEditable("Hidden files and packages are not edited here.")


def _check_not_main(worker: str, path: str, manifest: Manifest | None) -> None:
    if manifest is not None and path == manifest.entry:
        raise NotEditable(f"{path} is the main file of {worker}: without it there is no worker. Delete the worker.")


def _is_hidden(path: str) -> bool:
    return any(part.startswith(".") or part == "node_modules" for part in path.split("/"))


def _is_own(worker: str, path: str, manifest: Manifest | None) -> bool:
    """Whether the path can only be this worker's, or a module that any may share."""
    parts = PurePosixPath(path).parts
    entry = None if manifest is None else manifest.entry
    in_own_folder = len(parts) > 2 and parts[1] == worker
    return path == entry or in_own_folder or parts[1].startswith("_")


def _beneath(folder: Path, directory: Path) -> list[str]:
    found: list[str] = []
    for parent, names, files in os.walk(folder):
        names[:] = sorted(name for name in names if name[0] != "." and name != "node_modules")
        found += [
            os.path.relpath(os.path.join(parent, name), directory) for name in sorted(files) if not name.startswith(".")
        ]
        if len(found) >= _MAX_LISTED:
            break
    return found[:_MAX_LISTED]


def _read(path: Path) -> bytes | None:
    """None for what is no plain file of a sensible size."""
    try:
        if path.is_symlink() or not path.is_file() or path.stat().st_size > MAX_FILE_BYTES:
            return None
        return path.read_bytes()
    except OSError:
        return None


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
