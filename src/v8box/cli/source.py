"""What a PATH of `v8box dev` and `v8box deploy` is: a served folder, one worker of it, or a worker by itself."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from v8box.cli.exits import CommandFailed, Exit

FUNCTIONS: Final = "functions"
SUFFIXES: Final = (".ts", ".tsx", ".mts", ".js", ".jsx", ".mjs")
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


@dataclass(frozen=True, slots=True)
class Source:
    """A folder with what is served or deployed of it."""

    root: Path
    """The folder whose deno.json counts, absolute."""
    worker: str | None = None
    """One worker; None: all that the folder holds."""
    entry: str | None = None
    """The worker's main file, relative to the folder. None: as the manifest says."""
    alone: bool = False
    """The folder is this one worker: its v8box.toml is the worker's manifest, not the box's settings."""


def find_source(path: Path, name: str | None = None) -> Source:
    """`name` is what the worker shall be called, where the path does not say. Raises `CommandFailed`."""
    place = Path(os.path.abspath(path))
    if place.is_file():
        if place.suffix not in SUFFIXES or place.name.endswith(".d.ts"):
            raise CommandFailed(f"{path} is no worker: its name ends with {', '.join(SUFFIXES)}", Exit.USAGE)
        return _of_file(place, name)
    if not place.is_dir():
        raise CommandFailed(f"There is no {path}. `v8box init {path}` makes a worker there", Exit.NOT_FOUND)
    if (place / FUNCTIONS).is_dir() or not (mains := _mains(place)):
        if name is not None:
            raise CommandFailed(
                f"{path} holds many workers, whose files name them. Say the path of one: {FUNCTIONS}/<worker>.ts",
                Exit.USAGE,
            )
        return Source(place)
    if len(mains) > 1:
        raise CommandFailed(f"{path} has {' and '.join(mains)}: which one is the main file? Say its path", Exit.USAGE)
    if place.parent.name == FUNCTIONS:
        return Source(place.parent.parent, _checked(name or place.name), f"{FUNCTIONS}/{place.name}/{mains[0]}")
    return Source(place, _checked(name or place.name), mains[0], alone=True)


def _of_file(file: Path, name: str | None) -> Source:
    folder = file.parent
    is_main = file.stem == "main"
    called = name or (folder.name if is_main else file.stem)
    if is_main and folder.parent.name == FUNCTIONS:
        return Source(folder.parent.parent, _checked(called), f"{FUNCTIONS}/{folder.name}/{file.name}")
    if folder.name == FUNCTIONS:
        return Source(folder.parent, _checked(called), f"{FUNCTIONS}/{file.name}")
    return Source(folder, _checked(called), file.name, alone=True)


def _mains(folder: Path) -> list[str]:
    return [f"main{suffix}" for suffix in SUFFIXES if (folder / f"main{suffix}").is_file()]


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise CommandFailed(
            f"{name} is no name of a worker: it has 1 to 63 of a-z, 0-9, dash and underscore, and begins with a letter "
            "or digit. Call it otherwise, or say --name",
            Exit.USAGE,
        )
    return name
