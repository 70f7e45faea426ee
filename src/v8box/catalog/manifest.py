"""Reading a worker's manifest: `[workers.<name>]` in DIR/v8box.toml, a v8box.toml beside its main file, or the block
`v8box` in a deno.json there.

Everything is checked here, so that what holds a `Manifest` need not. A fault names its file and line, all are reported
together, and one worker's faults are no other worker's. What keys there are is in `manifest_keys`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from v8box.catalog.manifest_keys import LIMITS, MANIFEST
from v8box.catalog.manifest_kinds import At, KeyPath, Whole
from v8box.catalog.manifest_values import ENTRY_SUFFIXES
from v8box.catalog.model import Manifest
from v8box.errors import BadRequest
from v8box.kit import jsonc, names, toml

__all__ = [
    "BLOCK",
    "ENTRY_SUFFIXES",
    "RANGES",
    "BadWorkerName",
    "Fault",
    "ManifestError",
    "ReadFile",
    "WorkerTable",
    "box_tables",
    "check_worker_name",
    "deno_table",
    "own_table",
]

BLOCK: Final = "v8box"
"""The member of a deno.json that is a manifest."""

RANGES: Final = {key.name: (key.kind.low, key.kind.high) for key in LIMITS.keys if isinstance(key.kind, Whole)}

ReadFile = Callable[[str], bytes]
"""Reads a file beside a manifest, by its name relative to it. Raises `OSError`, `ValueError`."""

# A worker's name stands in a path, never in a host, so the names reserved for hosts (admin, api, www, db) may be used.
_WORKER_NAME: Final = names.LABEL


class BadWorkerName(BadRequest):
    """A worker's name is 1 to 63 of a-z, 0-9, dash and underscore, and begins with a letter or digit."""

    code = "bad_worker_name"


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with a manifest, and where."""

    file: str
    line: int | None
    message: str

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        return f"{place}: {self.message}"


class ManifestError(BadRequest):
    """The worker's manifest has faults; all of them are listed."""

    code = "manifest"

    def __init__(self, *faults: Fault) -> None:
        self.faults = faults
        super().__init__("\n".join(str(fault) for fault in faults))


def check_worker_name(name: str) -> str:
    """The name, if it is one. Raises `BadWorkerName`."""
    if not _WORKER_NAME.fullmatch(name):
        raise BadWorkerName
    return name


def no_files(name: str) -> bytes:
    """`ReadFile` where a manifest comes by itself."""
    raise ValueError(f"names the file {name:.80}, but a manifest without its folder can name none")


class WorkerTable:
    """The part of a file that is one worker's manifest, not yet read. `read_file` reads what lies beside the file."""

    def __init__(
        self, file: str, values: Any, lines: toml.Lines, prefix: KeyPath, read_file: ReadFile = no_files
    ) -> None:
        self._file = file
        self._values = values
        self._lines = lines
        self._prefix = prefix
        self._read_file = read_file

    @property
    def entry(self) -> str | None:
        """The entry as it is written, unchecked: where to look for a worker that no file in functions/ announces."""
        entry = self._values.get("entry") if isinstance(self._values, dict) else None
        return entry if isinstance(entry, str) else None

    def fault(self, message: str, *path: str | int) -> Fault:
        return Fault(self._file, self._lines.of(*self._prefix, *path), message)

    def manifest(self, entry: str | None) -> Manifest:
        """Read it. `entry` is the main file that was found, for a table that names none. Raises `ManifestError`."""
        values = self._values
        at = At([], self._read_file)
        if isinstance(values, dict) and "entry" not in values:
            if entry is None:
                (at / "entry").fault("is missing: there is no file of this worker's name in functions/")
            else:
                values = {"entry": entry, **values}
        manifest = MANIFEST.read(values, at)
        if at.faults:
            raise ManifestError(*(self.fault(message, *path) for message, path in at.faults))
        return manifest


def box_tables(text: str, file: str, read_file: ReadFile = no_files) -> dict[str, WorkerTable]:
    """The `[workers.<name>]` of DIR/v8box.toml. Raises `ManifestError` when the file is no TOML at all."""
    values, lines = _parse(text, file)
    workers = values.get("workers", {})
    if not isinstance(workers, dict):
        raise ManifestError(Fault(file, lines.of("workers"), "workers must be a table: [workers.<name>]"))
    return {name: WorkerTable(file, table, lines, ("workers", name), read_file) for name, table in workers.items()}


def own_table(text: str, file: str, read_file: ReadFile = no_files) -> WorkerTable:
    """The whole of a v8box.toml that stands beside a worker's main file."""
    values, lines = _parse(text, file)
    return WorkerTable(file, values, lines, (), read_file)


def deno_table(text: str, file: str, read_file: ReadFile = no_files) -> WorkerTable | None:
    """The block `v8box` of a deno.json or deno.jsonc beside a worker's main file, if it has one. A file that is no JSON
    is Deno's to complain of, unless it seems to have the block: then a limit might be lost. Raises `ManifestError`."""
    try:
        values, lines = jsonc.parse(text)
    except jsonc.JsonSyntaxError as error:
        if f'"{BLOCK}"' not in text:
            return None
        raise ManifestError(Fault(file, error.line, error.message)) from error
    if not isinstance(values, dict) or BLOCK not in values:
        return None
    return WorkerTable(file, values[BLOCK], lines, (BLOCK,), read_file)


def _parse(text: str, file: str) -> tuple[dict[str, Any], toml.Lines]:
    try:
        return toml.parse(text)
    except toml.TomlSyntaxError as error:
        raise ManifestError(Fault(file, error.line, error.message)) from error
