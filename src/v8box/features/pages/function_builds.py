"""The functions of one release made into versions of workers: all of them, or none and an error that names the place.

They are bundled in a folder that holds `functions/` and the files that say how to bundle, nothing else of the site, so
that a deploy by folder and one of files sent ahead give the same.
"""

from __future__ import annotations

import asyncio
import hashlib
import shutil
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, Protocol

from v8box.catalog import Build, Manifest, ManifestError, Version
from v8box.catalog.held import Arrived
from v8box.errors import V8BoxError
from v8box.features.pages.function_manifests import FunctionManifests
from v8box.features.pages.functions import (
    FOLDER,
    GENERATED,
    ROUTER,
    FunctionsRefused,
    FunctionTree,
    exports_nothing,
    find_functions,
    is_function_file,
    pattern_of,
    worker_name,
)
from v8box.gateway.pages.release import Mount

CONFIG: Final = ("deno.json", "deno.jsonc", "package.json", "tsconfig.json", "deno.lock")
"""Files at the top of a site that say how its functions are bundled."""
MAX_FILES: Final = 2_000
MAX_BYTES: Final = 64 * 1024 * 1024
_MIB: Final = 1_048_576
_REMEMBERED: Final = 1_000
_RUNTIME: Final = ("functions.ts", "params.ts")


class Bundle(Protocol):
    """Makes a bundle of the worker with this manifest, whose files lie in `folder`. Raises `V8BoxError`, with
    `diagnostics` where it knows the place."""

    async def __call__(self, folder: Path, project: str, worker: str, manifest: Manifest) -> tuple[Build, Manifest]: ...


Arrive = Callable[[str, str, Build, Manifest], Awaitable[Arrived]]
"""Stores the bytes of a version: project, worker, build, manifest."""
Known = Callable[[Version], Awaitable[bool]]
"""Whether a version is (still) written down."""


@dataclass(frozen=True, slots=True)
class MadeFunctions:
    """What goes with a release. `report`: by file, what it answers and which worker it is a part of."""

    mounts: tuple[Mount, ...] = ()
    arrived: tuple[Arrived, ...] = ()
    report: Sequence[Mapping[str, Any]] = ()


NONE: Final = MadeFunctions()


class FunctionBuilds:
    """Makes them, and remembers what it made last of each: one whose files are the same need not be bundled again."""

    def __init__(self, bundle: Bundle, arrive: Arrive, known: Known) -> None:
        self._bundle = bundle
        self._arrive = arrive
        self._known = known
        self._made: OrderedDict[tuple[str, str], _Made] = OrderedDict()

    async def make(
        self, project: str, site: str, folder: Path | None, manifests: FunctionManifests, step: Callable[[str], None]
    ) -> MadeFunctions:
        """Of the functions in `folder`, which is given up. Raises `FunctionsRefused`, `ManifestError`."""
        paths = [] if folder is None else await asyncio.to_thread(_look, folder)
        tree = find_functions(paths)
        groups = {} if tree is None else tree.groups()
        if faults := manifests.faults(groups):
            raise ManifestError(*faults)
        if tree is None or folder is None:
            return NONE
        wanted = {
            worker_name(site, name): manifests.manifest(name, f"{FOLDER}/{GENERATED}/{name}.ts", site)
            for name in groups
        }
        hashes = await asyncio.to_thread(_write_entries, folder, tree)
        arrived = {
            worker: same
            for worker, manifest in wanted.items()
            if (same := await self._same(project, worker, manifest, hashes)) is not None
        }
        missing = {worker: manifest for worker, manifest in wanted.items() if worker not in arrived}
        if missing:
            step(f"bundling {len(missing)} of {len(wanted)} functions")
        arrived |= await self._bundle_all(project, folder, tree, missing, hashes)
        like = {name: arrived[worker_name(site, name)].version for name in groups}
        report = [
            {"file": each.file, "path": pattern_of(each.path), "worker": worker_name(site, name)}
            for name, group in groups.items()
            for each in group
        ]
        mounts = tree.mounts({name: Mount("", version.worker, True, version.id) for name, version in like.items()})
        return MadeFunctions(mounts, tuple(arrived[worker] for worker in wanted), report)

    async def _bundle_all(
        self,
        project: str,
        folder: Path,
        tree: FunctionTree,
        wanted: Mapping[str, Manifest],
        hashes: Mapping[str, str],
    ) -> dict[str, Arrived]:
        """All of these, or none."""
        tries = await asyncio.gather(
            *(self._bundle(folder, project, worker, manifest) for worker, manifest in wanted.items()),
            return_exceptions=True,
        )
        wrong: list[Mapping[str, Any]] = []
        for worker, error in zip(wanted, tries, strict=True):
            if isinstance(error, V8BoxError):
                wrong += _diagnostics(error, worker)
            elif isinstance(error, BaseException):
                raise error
        named = {each.get("file") for each in wrong}
        empty = await asyncio.to_thread(_without_functions, folder, tree)
        wrong += [each for each in empty if each["file"] not in named]
        if wrong:
            raise FunctionsRefused(_distinct(wrong))
        arrived: dict[str, Arrived] = {}
        for (worker, manifest), built in zip(wanted.items(), tries, strict=True):
            if not isinstance(built, BaseException):
                arrived[worker] = await self._arrive(project, worker, *built)
                self._remember((project, worker), _Made(manifest, _config(hashes), arrived[worker]))
        return arrived

    def _remember(self, key: tuple[str, str], made: _Made) -> None:
        self._made[key] = made
        self._made.move_to_end(key)
        while len(self._made) > _REMEMBERED:
            self._made.popitem(last=False)

    async def _same(self, project: str, worker: str, manifest: Manifest, hashes: Mapping[str, str]) -> Arrived | None:
        """What was made of the same files, if that is so and it is still there."""
        made = self._made.get((project, worker))
        if made is None or made.manifest != manifest or made.config != _config(hashes):
            return None
        version = made.arrived.version
        if any(hashes.get(path) != digest for path, digest in version.sources.items()):
            return None
        if not await self._known(version):
            return None
        self._remember((project, worker), made)
        # The version is there already: nothing is made anew.
        return replace(made.arrived, version=replace(version, created_at=datetime.now(UTC)))


@dataclass(frozen=True, slots=True)
class _Made:
    """A version, and what it was made with. Its `sources` are the files it was made of."""

    manifest: Manifest
    config: tuple[tuple[str, str], ...]
    arrived: Arrived


def _config(hashes: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple((name, hashes[name]) for name in CONFIG if name in hashes)


def part(site: Path, folder: Path) -> None:
    """Moves what functions are made of out of the files of a site. Blocking."""
    folder.mkdir(mode=0o700)
    own = site / FOLDER
    if own.is_dir() and not own.is_symlink():
        own.rename(folder / FOLDER)
    for name in CONFIG:
        if (site / name).is_file() and not (site / name).is_symlink():
            shutil.copyfile(site / name, folder / name)


async def collect(
    files: Mapping[str, str], sizes: Mapping[str, int], read: Callable[[str], Awaitable[bytes]], folder: Path
) -> None:
    """The same of files that are in a store, by path and hash. Raises `FunctionsRefused`."""
    wanted = {path[1:]: key for path, key in files.items() if is_function_file(path) or path[1:] in CONFIG}
    if len(wanted) > MAX_FILES or sum(sizes[key] for key in wanted.values()) > MAX_BYTES:
        raise _too_much(next(iter(wanted)))
    for path, key in wanted.items():
        data = await read(key)
        await asyncio.to_thread(_write, folder / path, data)


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.write_bytes(data)


def _too_much(path: str) -> FunctionsRefused:
    message = f"{FOLDER}/ has more than {MAX_FILES} files or {MAX_BYTES // _MIB} MB"
    return FunctionsRefused([{"message": message, "file": path}])


def _look(folder: Path) -> list[str]:
    """The files of functions, relative to `folder`. Raises `FunctionsRefused`."""
    found = []
    size = 0
    for path in sorted((folder / FOLDER).rglob("*")):
        if path.is_symlink() or not path.is_file():
            continue
        found.append(path.relative_to(folder).as_posix())
        size += path.stat().st_size
        if len(found) > MAX_FILES or size > MAX_BYTES:
            raise _too_much(found[-1])
    return found


def _without_functions(folder: Path, tree: FunctionTree) -> list[Mapping[str, Any]]:
    """Without this, a visitor would find out."""
    texts = ((each, (folder / each.file).read_text(encoding="utf-8", errors="replace")) for each in tree.all)
    return [
        {"file": each.file, "message": message}
        for each, text in texts
        if (message := exports_nothing(each, text)) is not None
    ]


def _write_entries(folder: Path, tree: FunctionTree) -> dict[str, str]:
    """The main modules beside the site's own files; gives the hash of every file by its path."""
    generated = folder / FOLDER / GENERATED
    generated.mkdir(exist_ok=True)
    for name in _RUNTIME:
        (generated / name).write_bytes((files("v8box") / "runtime" / name).read_bytes())
    if not (folder / ROUTER).is_file():
        raise AssertionError("the entries import it")
    for name, group in tree.groups().items():
        (generated / f"{name}.ts").write_text(tree.entry(name, group), encoding="utf-8")
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and not path.is_symlink()
    }


def _diagnostics(error: V8BoxError, worker: str) -> list[Mapping[str, Any]]:
    told: Any = getattr(error, "diagnostics", None)
    return [dict(each) for each in told] if told else [{"message": f"{worker}: {error.detail}"}]


def _distinct(diagnostics: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """What two workers share is wrong once."""
    places = {tuple(each.get(key) for key in ("file", "line", "column", "message")): each for each in diagnostics}
    return list(places.values())
