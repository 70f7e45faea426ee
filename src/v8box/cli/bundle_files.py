"""Which files `v8box deploy` sends for a `Source`, by their names in the archive.

Of a served folder's v8box.toml only the workers' tables go: the rest are settings of the box here, passwords too. Of a
single file only what it imports goes, since its folder may be anything.
"""

from __future__ import annotations

import json
import os
import subprocess
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from v8box.cli.exits import CommandFailed
from v8box.cli.packing import files_of
from v8box.cli.source import Source
from v8box.settings import FILE_NAME

CONFIG_FILES: Final = ("deno.json", "deno.jsonc", "package.json", "tsconfig.json", "deno.lock")
_INFO_SECONDS: Final = 120


def files_to_send(source: Source, *, single: bool, deno: str) -> dict[str, Path | bytes]:
    """`single`: the source is one file, not the folder around it. Raises `CommandFailed`."""
    root = source.root
    if single and source.alone and source.entry is not None:
        return _single(root, source.entry, str(source.worker), deno)
    found: dict[str, Path | bytes] = {name: root / name for name in files_of(root, root / "data")}
    if not source.alone and FILE_NAME in found:
        found[FILE_NAME] = only_workers((root / FILE_NAME).read_text(encoding="utf-8"), root / FILE_NAME)
    return found


def only_workers(text: str, file: Path) -> bytes:
    """The workers' tables of a v8box.toml, each on its line. Raises `CommandFailed`."""
    try:
        wanted = {name: table for name, table in tomllib.loads(text).items() if name == "workers"}
    except tomllib.TOMLDecodeError as error:
        raise CommandFailed(f"{file}: {error}") from error
    lines: list[str] = []
    keeping = False
    for line in text.split("\n"):
        header = line.strip()
        if header.startswith("["):
            inner = header.lstrip("[ \t").replace('"workers"', "workers").replace("'workers'", "workers")
            keeping = inner.startswith("workers") and inner[7:].lstrip()[:1] in (".", "]")
        lines.append(line if keeping else "")
    kept = "\n".join(lines)
    try:
        separated = tomllib.loads(kept) == wanted
    except tomllib.TOMLDecodeError:
        separated = False
    if not separated:
        raise CommandFailed(
            f"{file} mixes workers with the settings of the box here, and those must not be sent. Write the workers as "
            "tables of their own, [workers.<name>], or put a v8box.toml beside each worker's main file"
        )
    return kept.encode()


def _single(root: Path, entry: str, worker: str, deno: str) -> dict[str, Path | bytes]:
    names = {entry, *_imported(root, entry, deno)}
    stem, suffix = os.path.splitext(entry)
    others = {name for name in names if name != entry}
    found: dict[str, Path | bytes] = {name: root / name for name in sorted(others)}
    # The box looks for main.* first, then for a file that is called like the worker.
    called = (
        entry
        if stem == worker and not any(name.startswith(("main.", "index.")) for name in others)
        else f"main{suffix}"
    )
    if called in others:
        raise CommandFailed(f"{entry} imports {called}, which would be taken for the main file: deploy {root} instead")
    found[called] = root / entry
    for name in (*CONFIG_FILES, FILE_NAME):
        if (root / name).is_file():
            found[name] = root / name
    return found


def _imported(root: Path, entry: str, deno: str) -> set[str]:
    """The local modules that a file is made of, relative to its folder."""
    config = [] if any((root / name).is_file() for name in CONFIG_FILES[:2]) else ["--no-config"]
    command = [deno, "info", "--json", "--quiet", "--no-lock", *config, entry]
    environ = {**os.environ, "NO_COLOR": "1", "DENO_NO_UPDATE_CHECK": "1"}
    try:
        done = subprocess.run(  # noqa: S603 - Deno of the box, on the user's own file
            command, cwd=root, env=environ, capture_output=True, text=True, timeout=_INFO_SECONDS, check=False
        )
        info: Mapping[str, Any] = json.loads(done.stdout)
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise CommandFailed(f"What {entry} imports cannot be told: {error}. Deploy its folder instead") from error
    names: set[str] = set()
    for module in info.get("modules", ()):
        specifier = str(module.get("specifier", ""))
        if not specifier.startswith("file://") or "error" in module:
            continue  # a package; or a fault that the box tells with its place
        path = unquote(urlsplit(specifier).path)
        name = os.path.relpath(os.path.realpath(path), os.path.realpath(root))
        if name.startswith(".."):
            raise CommandFailed(f"{entry} imports {path}, which is not in its folder: deploy a folder that holds both")
        names.add(name)
    return names
