"""Which workers a folder holds: one look at the disk, no memory of earlier ones.

`functions/<name>.ts` or `functions/<name>/main.ts` (or .tsx .mts .js .jsx .mjs) is a worker, and so is an `entry` in
v8box.toml. Names that begin with a dot or an underscore are nobody's: modules to share. So are folders without a main.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from v8box.catalog import (
    ENTRY_SUFFIXES,
    BadWorkerName,
    Fault,
    Manifest,
    ManifestError,
    ReadFile,
    WorkerTable,
    box_tables,
    check_worker_name,
    deno_table,
    own_table,
)
from v8box.features.deploy.events import DeployFailed, Place, Problem
from v8box.kit.files import is_within
from v8box.kit.toml import parse
from v8box.settings import FILE_NAME

FUNCTIONS: Final = "functions"
_MAX_TOML_BYTES: Final = 1_048_576


@dataclass(slots=True)
class Seen:
    """What a look at the folder found. A worker with a fault is in `failed` only: its file is there, so it stays."""

    workers: dict[str, Manifest] = field(default_factory=dict)
    failed: dict[str, DeployFailed] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    faults: dict[str, tuple[Fault, ...]] = field(default_factory=dict)
    """Of those that failed, each fault by itself."""


@dataclass(frozen=True, slots=True)
class Alone:
    """One worker that is developed by itself: the folder is the worker, and its v8box.toml the worker's manifest."""

    name: str
    main: str | None = None
    """Its main file, relative to the folder. None: the folder's main.ts, or what the manifest says."""


class Discovery:
    """Looks at one served folder. A broken v8box.toml does not unsettle workers: the last good one counts meanwhile."""

    def __init__(self, directory: Path, data_directory: Path, alone: Alone | None = None) -> None:
        self._directory = directory
        self._data_directory = data_directory
        self._alone = alone
        self._tables: Mapping[str, WorkerTable] | None = None
        self.read: set[str] = set()
        """The files that manifests were read of, beside the folder's own v8box.toml, relative to the folder."""

    def whole(self, worker: str, given: Mapping[str, Any] | None = None) -> Manifest:
        """The manifest of a worker that the folder is as a whole: `given`, or at the top of the folder a v8box.toml, or
        a block in deno.json. Raises `ManifestError`."""
        _, lines = parse("")
        if given is not None:
            table = WorkerTable("manifest", dict(given), lines, (), self._reader(self._directory))
        else:
            tables = list(self._tables_in(self._directory))
            if len(tables) > 1:
                raise ManifestError(tables[0].fault(f"there is another manifest in {tables[1].fault('').file}"))
            table = tables[0] if tables else WorkerTable(FILE_NAME, {}, lines, ())
        manifest = table.manifest(table.entry or self._main_of_whole(worker))
        if not (self._directory / manifest.entry).is_file():
            raise ManifestError(table.fault(f"there is no file {manifest.entry}", "entry"))
        return manifest

    def _main_of_whole(self, worker: str) -> str:
        there = [path.name for path in _children(self._directory) if path.suffix in ENTRY_SUFFIXES and path.is_file()]
        modules = [name for name in there if not name.endswith(".d.ts")]
        for stem in ("main", "index", worker):
            for suffix in ENTRY_SUFFIXES:
                if stem + suffix in modules:
                    return stem + suffix
        if len(modules) == 1:
            return modules[0]
        raise ManifestError(
            Fault(FILE_NAME, None, f"no main file: call it main.ts or {worker}.ts, or name it as entry in the manifest")
        )

    def look(self) -> Seen:
        """Blocking, a few file system calls per worker."""
        seen = Seen()
        if self._alone is not None:
            self._tables = {}
            self._look_at(self._alone.name, self._mains_alone(self._alone), seen)
            return seen
        self._read_box_file(seen)
        entries = self._main_files(seen)
        tables = self._tables or {}
        for name in sorted({*entries, *tables}):
            try:
                check_worker_name(name)
            except BadWorkerName as error:
                seen.problems.append(Problem(Place(*_spot(entries.get(name), tables.get(name))), error.detail))
                continue
            self._look_at(name, entries.get(name, []), seen)
        return seen

    def _look_at(self, name: str, mains: list[str], seen: Seen) -> None:
        """One worker, into `seen`."""
        try:
            manifest = self._manifest(name, mains)
        except ManifestError as error:
            first = error.faults[0]
            message = "; ".join(dict.fromkeys(fault.message for fault in error.faults))
            seen.faults[name] = error.faults
            seen.failed[name] = DeployFailed(name, message, Place(first.file, first.line))
        else:
            seen.workers[name] = manifest

    def _mains_alone(self, alone: Alone) -> list[str]:
        if alone.main is not None:
            return [alone.main]
        names = (f"main{suffix}" for suffix in ENTRY_SUFFIXES)
        return [name for name in names if (self._directory / name).is_file()]

    def _read_box_file(self, seen: Seen) -> None:
        try:
            self._tables = box_tables(_read_text(self._directory / FILE_NAME), FILE_NAME, self._reader(self._directory))
        except FileNotFoundError:
            self._tables = {}
        except ManifestError as error:
            seen.problems += [Problem(Place(fault.file, fault.line), fault.message) for fault in error.faults]
        except (OSError, ValueError) as error:
            seen.problems.append(Problem(Place(FILE_NAME), f"cannot be read: {error}"))

    def _main_files(self, seen: Seen) -> dict[str, list[str]]:
        """The main files in functions/ by the name they claim, relative to the served folder."""
        found: dict[str, list[str]] = {}
        for path in _children(self._directory / FUNCTIONS):
            name, mains = self._claims(path)
            for main in mains:
                relative = _shown(main.relative_to(self._directory).as_posix())
                if not is_within(main, self._directory) or is_within(main, self._data_directory):
                    seen.problems.append(Problem(Place(relative), "is a link that leads out of the served folder"))
                elif main.is_file():
                    found.setdefault(_shown(name), []).append(relative)
        return found

    def _claims(self, path: Path) -> tuple[str, list[Path]]:
        if path.name.startswith((".", "_")):
            return path.name, []
        if path.is_dir():
            return path.name, [path / f"main{suffix}" for suffix in ENTRY_SUFFIXES if (path / f"main{suffix}").exists()]
        is_module = path.suffix in ENTRY_SUFFIXES and not path.stem.endswith(".d")
        return path.stem, [path] if is_module else []

    def _manifest(self, name: str, mains: list[str]) -> Manifest:
        if len(mains) > 1:
            raise ManifestError(Fault(mains[0], None, f"{' and '.join(mains)} both claim the name {name}"))
        main = mains[0] if mains else None
        if self._tables is None:  # without it, a worker might get permissions that the file denies it
            raise ManifestError(Fault(FILE_NAME, None, "cannot be read, so no worker can be deployed"))
        table = self._tables.get(name)
        for own in self._own_tables(main):
            if table is not None:
                raise ManifestError(table.fault(f"{name} has a manifest here and another in {own.fault('').file}"))
            table = own
        if table is None:
            values, lines = parse("")
            table = WorkerTable(FILE_NAME, values, lines, ())
        manifest = table.manifest(main)
        if not (self._directory / manifest.entry).is_file():
            raise ManifestError(table.fault(f"there is no file {manifest.entry}", "entry"))
        return manifest

    def _own_tables(self, main: str | None) -> Iterator[WorkerTable]:
        """The manifests that stand beside a worker's main file: there should be one at most."""
        if self._alone is not None:
            folder = self._directory
        elif main and main.count("/") > 1:
            folder = (self._directory / main).parent
        else:
            return
        yield from self._tables_in(folder)

    def _tables_in(self, folder: Path) -> Iterator[WorkerTable]:
        for name, read in ((FILE_NAME, own_table), ("deno.json", deno_table), ("deno.jsonc", deno_table)):
            file = folder / name
            if not file.is_file() or not is_within(file, self._directory):
                continue
            shown = file.relative_to(self._directory).as_posix()
            try:
                table = read(_read_text(file), shown, self._reader(folder))
            except (OSError, ValueError) as error:
                raise ManifestError(Fault(shown, None, f"cannot be read: {error}")) from error
            if table is not None:
                self.read.add(shown)
                yield table

    def _reader(self, folder: Path) -> ReadFile:
        """For the files that a manifest in this folder names: they are read where sources may be read, nowhere else."""

        def read_file(name: str) -> bytes:
            path = folder / name
            if not is_within(path, self._directory) or is_within(path, self._data_directory):
                raise ValueError(f"names {name:.80}, a link that leads out of the served folder")
            if not path.is_file():
                raise ValueError(f"names {name:.80}, and there is no such file")
            if path.stat().st_size > _MAX_TOML_BYTES:
                raise ValueError(f"names {name:.80}, which is larger than 1 MB")
            self.read.add(path.relative_to(self._directory).as_posix())
            return path.read_bytes()

        return read_file


def _spot(mains: list[str] | None, table: WorkerTable | None) -> tuple[str, int | None]:
    if mains:
        return mains[0], None
    fault = table.fault("") if table else None
    return (fault.file, fault.line) if fault else (FILE_NAME, None)


def _children(folder: Path) -> Iterator[Path]:
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return
    yield from (folder / name for name in names)


def _read_text(path: Path) -> str:
    """Raises OSError, or ValueError for what is no text of a sensible size."""
    if not path.is_file():
        raise FileNotFoundError(path.name)
    if path.stat().st_size > _MAX_TOML_BYTES:
        raise ValueError("it is larger than 1 MB")
    return path.read_text(encoding="utf-8")


def _shown(name: str) -> str:
    """A file's name as text that can be printed, whatever bytes it has."""
    text = os.fsencode(name).decode("utf-8", "replace")
    return "".join(c if c.isprintable() else "\ufffd" for c in text)
