"""Fills an empty folder with the examples, so that the first `v8box up` has something to serve."""

from __future__ import annotations

import os
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Final

_TYPES: Final = "v8box.d.ts"


def scaffold(directory: Path, data_directory: Path) -> list[str]:
    """Copy the examples if `directory` holds nothing of the user's. Gives what was written, relative to it.

    Hidden files and the box's data do not count as the user's. Nothing that is there is ever overwritten.
    """
    directory.mkdir(parents=True, exist_ok=True)
    if any(
        not each.name.startswith(".") and each.resolve() != data_directory.resolve() for each in directory.iterdir()
    ):
        return []
    written: list[str] = []
    _copy(_examples(), directory, directory, written)
    types = files("v8box") / "runtime" / "types" / _TYPES
    if types.is_file():
        _write(types, directory / _TYPES, directory, written)
    return sorted(written)


def _examples() -> Traversable:
    """In an installed wheel they lie in the package, in a source tree beside `src`."""
    packaged = files("v8box") / "examples"
    return packaged if packaged.is_dir() else Path(__file__).parents[4] / "examples"


def _copy(source: Traversable, target: Path, root: Path, written: list[str]) -> None:
    for each in source.iterdir():
        if each.name.startswith(".") or each.name in ("node_modules", "data", "deno.lock"):
            continue
        if each.is_dir():
            (target / each.name).mkdir(exist_ok=True)
            _copy(each, target / each.name, root, written)
        else:
            _write(each, target / each.name, root, written)


def _write(source: Traversable, target: Path, root: Path, written: list[str]) -> None:
    try:
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    except FileExistsError:
        return
    with open(descriptor, "wb") as file:
        file.write(source.read_bytes())
    written.append(target.relative_to(root).as_posix())
