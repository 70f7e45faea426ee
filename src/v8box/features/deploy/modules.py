"""Which files a worker is made of, what they are called, and which of them it may be made of.

A bundle may hold the user's own files and packages, nothing else of the machine: not what lies outside the served
folder, not the box's data, not v8box.toml, not hidden files. The kernel confines the bundler where it can; this check
holds everywhere.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from v8box.features.deploy.diagnostics import BundleError
from v8box.kit.files import is_within
from v8box.settings import FILE_NAME

_JSR: Final = re.compile(r"https://jsr\.io/(@[^/]+/[^/]+)/([^/]+)/(.*)")
_NODE_MODULES: Final = "node_modules"


@dataclass(frozen=True, slots=True)
class Graph:
    """What `deno info --json` says: local files, where packages lie, and what could not be loaded."""

    files: tuple[Path, ...]
    packages: dict[Path, str]  # folder -> name@version
    errors: tuple[str, ...]


def read_graph(output: str) -> Graph:
    """Raises ValueError when the text is none."""
    raw: Any = json.loads(output[output.index("{") :])
    modules = [module for module in raw.get("modules", []) if isinstance(module, dict)]
    files = tuple(
        Path(unquote(urlsplit(module["specifier"]).path))
        for module in modules
        if str(module.get("specifier", "")).startswith("file://") and "error" not in module
    )
    packages = {
        Path(package["localPath"]): f"{package['name']}@{package['version']}"
        for package in raw.get("npmPackages", {}).values()
        if "localPath" in package
    }
    return Graph(files, packages, tuple(str(module["error"]) for module in modules if "error" in module))


class Naming:
    """Names for the modules of one bundle, and the refusal of those that have no business in it.

    `own` gathers the names of the user's own files.
    """

    def __init__(self, directory: Path, data_directory: Path, deno_dir: Path, graph: Graph, *, entry: Path) -> None:
        self.own: set[str] = set()
        self._entry = entry.relative_to(directory).as_posix()
        self._directory = directory
        self._data_directory = data_directory
        self._deno_dir = deno_dir
        self._packages = graph.packages

    def name(self, path: Path) -> str:
        """`functions/hello.ts`, or `npm:hono@4.0.0/dist/hono.js`. Raises `BundleError` for a file that is neither."""
        for folder in path.parents:
            if folder in self._packages:
                return f"npm:{self._packages[folder]}/{path.relative_to(folder).as_posix()}"
        if is_within(path, self._deno_dir / "npm"):
            return f"npm:{os.path.relpath(path, self._deno_dir / 'npm').partition('/')[2]}"
        if not path.is_relative_to(self._directory) or not is_within(path, self._directory):
            raise BundleError(f"{path} lies outside the served folder and cannot be part of a worker", self._entry)
        relative = path.relative_to(self._directory)
        if _NODE_MODULES in relative.parts:
            return _package_name(path)
        if self._is_private(path, relative):
            raise BundleError(f"{relative} is private to the box and cannot be part of a worker", self._entry)
        self.own.add(relative.as_posix())
        return relative.as_posix()

    def source(self, source: str, folder: Path) -> str:
        """The name of an entry of a source map that was written to `folder`."""
        source = source.removeprefix("deno:")
        if match := _JSR.fullmatch(source):
            return f"jsr:{match[1]}@{match[2]}/{match[3]}"
        if re.match(r"[a-z]+:", source):
            return source  # https:, data:, node: and the like: no file of this machine
        path = Path(os.path.normpath(folder / source))
        if not path.is_file():  # some characters of a file's name ([id].ts) are written as in a URL
            path = Path(os.path.normpath(folder / unquote(source)))
        return self.name(path)

    def _is_private(self, path: Path, relative: Path) -> bool:
        if is_within(path, self._data_directory) or any(part.startswith(".") for part in relative.parts):
            return True
        real = Path(os.path.realpath(path)).relative_to(os.path.realpath(self._directory))
        return FILE_NAME in (path.name, real.name) or any(part.startswith(".") for part in real.parts)


def _package_name(path: Path) -> str:
    """`npm:name@version/file` for a file in a node_modules folder."""
    parts = path.parts
    start = len(parts) - parts[::-1].index(_NODE_MODULES)
    length = 2 if parts[start].startswith("@") else 1
    folder = Path(*parts[: start + length])
    try:
        version = json.loads((folder / "package.json").read_text(encoding="utf-8"))["version"]
    except (OSError, ValueError, KeyError, TypeError):
        version = "unknown"
    name = "/".join(parts[start : start + length])
    return f"npm:{name}@{version}/{PurePosixPath(*parts[start + length :])}"


def readable_paths(directory: Path, data_directory: Path) -> Iterator[Path]:
    """What of the served folder the bundler may read: all but the box's data, v8box.toml, hidden files, links out."""
    try:
        entries = sorted(directory.iterdir())
    except OSError:
        return
    for path in entries:
        hidden = path.name.startswith(".") and path.name != ".npmrc"
        if hidden or path.name == FILE_NAME or not is_within(path, directory) or is_within(path, data_directory):
            continue
        if is_within(data_directory, path):
            yield from readable_paths(path, data_directory)
        else:
            yield path
