"""Reading a worker's manifest: `[workers.<name>]` in DIR/v8box.toml, or a v8box.toml beside its main file.

Everything is checked here, so that what holds a `Manifest` need not. A fault names its file and line, all are reported
together, and one worker's faults are no other worker's.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Any, Final, Literal

from v8box.catalog.env_names import MAX_KEYS, env_faults, name_faults
from v8box.catalog.hosts import read_host
from v8box.catalog.model import BindingKind, EnvBinding, Limits, Manifest, Permissions
from v8box.errors import BadRequest
from v8box.kit import names, toml

ENTRY_SUFFIXES: Final = (".ts", ".tsx", ".mts", ".js", ".jsx", ".mjs")
MAX_NET_ENTRIES: Final = 100
MAX_GRANTS: Final = 100
MAX_BINDINGS: Final = 100

RANGES: Final[Mapping[str, tuple[int, int]]] = MappingProxyType(
    {
        "wall_ms": (1, 900_000),  # fifteen minutes: what other platforms allow at most
        "cpu_ms": (1, 900_000),
        "memory_mb": (16, 4_096),  # an empty V8 takes a good part of 16
        "startup_ms": (10, 60_000),
        "subrequests": (0, 100_000),
        "log_kb": (1, 65_536),
        "response_mb": (1, 10_240),
        "binding_calls": (0, 10_000_000),
        "binding_mb": (1, 1_048_576),
        "concurrency": (1, 10_000),
        "max_instances": (1, 64),
    }
)

# A worker's name stands in a path, never in a host, so the names reserved for hosts (admin, api, www, db) may be used.
_WORKER_NAME: Final = names.LABEL
_BINDING_NAMES: Final[Mapping[str, tuple[BindingKind, re.Pattern[str]]]] = MappingProxyType(
    {"database": ("database", names.LABEL), "kv": ("kv", names.LABEL), "bucket": ("bucket", names.BUCKET)}
)


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


class WorkerTable:
    """The part of a file that is one worker's manifest, not yet read."""

    def __init__(self, file: str, values: Any, lines: toml.Lines, prefix: tuple[str, ...]) -> None:
        self._file = file
        self._values = values
        self._lines = lines
        self._prefix = prefix

    @property
    def entry(self) -> str | None:
        """The entry as it is written, unchecked: where to look for a worker that no file in functions/ announces."""
        entry = self._values.get("entry") if isinstance(self._values, dict) else None
        return entry if isinstance(entry, str) else None

    def fault(self, message: str, *path: str) -> Fault:
        return Fault(self._file, self._lines.of(*self._prefix, *path), message)

    def manifest(self, entry: str | None) -> Manifest:
        """Read it. `entry` is the main file that was found, for a table that names none. Raises `ManifestError`."""
        reading = _Reading(self)
        manifest = reading.run(self._values, entry)
        if reading.faults:
            raise ManifestError(*reading.faults)
        return manifest


def box_tables(text: str, file: str) -> dict[str, WorkerTable]:
    """The `[workers.<name>]` of DIR/v8box.toml. Raises `ManifestError` when the file is no TOML at all."""
    values, lines = _parse(text, file)
    workers = values.get("workers", {})
    if not isinstance(workers, dict):
        raise ManifestError(Fault(file, lines.of("workers"), "workers must be a table: [workers.<name>]"))
    return {name: WorkerTable(file, table, lines, ("workers", name)) for name, table in workers.items()}


def own_table(text: str, file: str) -> WorkerTable:
    """The whole of a v8box.toml that stands beside a worker's main file."""
    values, lines = _parse(text, file)
    return WorkerTable(file, values, lines, ())


def _parse(text: str, file: str) -> tuple[dict[str, Any], toml.Lines]:
    try:
        return toml.parse(text)
    except toml.TomlSyntaxError as error:
        raise ManifestError(Fault(file, error.line, error.message)) from error


class _Reading:
    """One manifest being read; gathers its faults."""

    def __init__(self, table: WorkerTable) -> None:
        self.faults: list[Fault] = []
        self._table = table

    def run(self, values: Any, entry: str | None) -> Manifest:
        table = self._as_table(values, {"entry", "limits", "permissions", "env", "bindings"})
        manifest = Manifest(
            entry=self._entry(table.get("entry", entry)),
            limits=self._limits(table.get("limits", {})),
            permissions=self._permissions(table.get("permissions", {})),
            env=self._env(table.get("env", {})),
        )
        return replace(manifest, bindings=self._bindings(table.get("bindings", {}), manifest.env))

    def _fault(self, message: str, *path: str) -> None:
        self.faults.append(self._table.fault(message, *path))

    def _as_table(self, values: Any, known: set[str] | None, *path: str) -> dict[str, Any]:
        """`values` if it is a table; keys that are not `known` are faults."""
        if not isinstance(values, dict):
            self._fault(f"{'.'.join(path) or 'the manifest'} must be a table", *path)
            return {}
        for key in values if known is not None else ():
            if known is not None and key not in known:
                near = difflib.get_close_matches(key, sorted(known), n=1)
                hint = f"; did you mean {near[0]}?" if near else ""
                self._fault(f"{'.'.join((*path, key))} is not known{hint}", *path, key)
        return values

    def _entry(self, entry: Any) -> str:
        if entry is None:
            self._fault("entry is missing: there is no file of this worker's name in functions/")
            return ""
        path = PurePosixPath(entry) if isinstance(entry, str) and entry.isprintable() else None
        if path is None or path.is_absolute() or ".." in path.parts or path.suffix not in ENTRY_SUFFIXES:
            wanted = ", ".join(ENTRY_SUFFIXES)
            self._fault(f"entry must be a file in the served folder, relative to it ({wanted})", "entry")
            return ""
        return path.as_posix()

    def _limits(self, values: Any) -> Limits:
        table = self._as_table(values, set(RANGES), "limits")
        read: dict[str, int] = {name: getattr(Limits(), name) for name in RANGES}
        for key, (low, high) in RANGES.items():
            value = table.get(key, read[key])
            if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
                self._fault(f"limits.{key} must be a whole number from {low} to {high}", "limits", key)
            else:
                read[key] = value
        return Limits(**read)

    def _permissions(self, values: Any) -> Permissions:
        table = self._as_table(values, {"net", "databases", "buckets"}, "permissions")
        return Permissions(
            net=self._net(table.get("net", "public")),
            databases=self._names(table.get("databases", []), "databases", names.LABEL),
            buckets=self._names(table.get("buckets", []), "buckets", names.BUCKET),
        )

    def _names(self, value: Any, key: str, pattern: re.Pattern[str]) -> tuple[str, ...]:
        if not isinstance(value, list) or len(value) > MAX_GRANTS:
            self._fault(f"permissions.{key} must be a list of up to {MAX_GRANTS} names", "permissions", key)
            return ()
        for name in value:
            if not isinstance(name, str) or not pattern.fullmatch(name):
                self._fault(f"permissions.{key}: {name!r:.80} is no name of one", "permissions", key)
        return tuple(dict.fromkeys(name for name in value if isinstance(name, str)))

    def _net(self, value: Any) -> Literal["public", "none"] | tuple[str, ...]:
        if value == "public":
            return "public"
        if value == "none" or value == []:
            return "none"
        if not isinstance(value, list) or len(value) > MAX_NET_ENTRIES:
            wanted = f'"public", "none", or a list of up to {MAX_NET_ENTRIES} hosts'
            self._fault(f"permissions.net must be {wanted}", "permissions", "net")
            return "none"
        hosts: list[str] = []
        for entry in value:
            try:
                hosts.append(read_host(entry))
            except ValueError as error:
                self._fault(f"permissions.net: {entry!r:.80} {error}", "permissions", "net")
        return tuple(dict.fromkeys(hosts))

    def _env(self, values: Any) -> Mapping[str, str]:
        table = self._as_table(values, None, "env")
        if len(table) > MAX_KEYS:
            self._fault(f"env may hold {MAX_KEYS} variables", "env")
        for key, value in table.items():
            for message in env_faults(key, value):
                self._fault(f"env.{key:.60} {message}", "env", key)
        return MappingProxyType(dict(table))

    def _bindings(self, values: Any, env: Mapping[str, str]) -> Mapping[str, EnvBinding]:
        """`NAME = { database | kv | bucket = "name" }`: what `env.NAME` is in the worker."""
        table = self._as_table(values, None, "bindings")
        if len(table) > MAX_BINDINGS:
            self._fault(f"bindings may hold {MAX_BINDINGS} of them", "bindings")
        read: dict[str, EnvBinding] = {}
        for key, value in table.items():
            for message in name_faults(key):
                self._fault(f"bindings.{key:.60} {message}", "bindings", key)
            if key in env:
                self._fault(f"bindings.{key:.60} has the name of a variable in env", "bindings", key)
            try:
                read[key] = _read_binding(value)
            except ValueError as error:
                self._fault(f"bindings.{key:.60} {error}", "bindings", key)
        return MappingProxyType(read)


def _read_binding(value: Any) -> EnvBinding:
    wanted = 'must be { database = "name" }, { kv = "name" } or { bucket = "name" }'
    if not isinstance(value, dict) or len(value) != 1:
        raise ValueError(wanted)
    ((key, name),) = value.items()
    if key not in _BINDING_NAMES:
        raise ValueError(wanted)
    kind, pattern = _BINDING_NAMES[key]
    if not isinstance(name, str) or not pattern.fullmatch(name):
        raise ValueError(f"names a {kind} {name!r:.80}: that is no name of one")
    return EnvBinding(kind=kind, name=name)
