"""What a site's v8box.toml says of its functions: `[site.functions.<name>]`, a worker's manifest without what has no
place at a site; and `[site.functions."*"]` for all of them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final

from v8box.catalog import EnvBinding, Fault, Manifest, ManifestError, WorkerTable
from v8box.kit import toml

FILE: Final = "v8box.toml"
ALL: Final = "*"
_NOT_HERE: Final = frozenset({"entry", "schedules", "queues"})
_ASSETS: Final = "ASSETS"


class FunctionManifests:
    """The tables of one site's file, read for each worker."""

    def __init__(self, tables: Mapping[str, Mapping[str, Any]], lines: toml.Lines) -> None:
        self._tables = tables
        self._lines = lines

    def faults(self, groups: Collection[str]) -> list[Fault]:
        """Tables of functions that there are not, and keys that are not for them."""
        found = []
        for name, table in self._tables.items():
            if name != ALL and name not in groups:
                known = f": there are {', '.join(sorted(groups))}" if groups else ""
                found.append(self._fault(f"functions.{name}: the site has no such function{known}", name))
            found += [
                self._fault(f"functions.{name}.{key} is not for functions of a site", name, key)
                for key in sorted(table.keys() & _NOT_HERE)
            ]
        return found

    def manifest(self, group: str, entry: str, site: str) -> Manifest:
        """Of one worker; the files of its own site are in its `env`. Raises `ManifestError`."""
        own = self._tables.get(group)
        values = {**self._tables.get(ALL, {}), **(own or {})}
        prefix = ("site", "functions", ALL if own is None else group)
        manifest = WorkerTable(FILE, values, self._lines, prefix).manifest(entry)
        if _ASSETS in manifest.bindings or _ASSETS in manifest.env:
            raise ManifestError(self._fault("ASSETS is the site's own files already", *prefix[2:]))
        bindings = {**manifest.bindings, _ASSETS: EnvBinding(kind="site", name=site)}
        return replace(manifest, bindings=MappingProxyType(bindings))

    def _fault(self, message: str, *path: str) -> Fault:
        return Fault(FILE, self._lines.of("site", "functions", *path), message)


def no_manifests() -> FunctionManifests:
    """Of a site that says nothing of its functions."""
    _, lines = toml.parse("")
    return FunctionManifests({}, lines)
