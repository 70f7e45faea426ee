"""What of a folder goes to a box with `v8box deploy`: a zip without what is not the worker's.

Left out are hidden files, packages, the box's data, and what .gitignore and .v8boxignore in the folder say. The same
files make the same bytes.
"""

from __future__ import annotations

import io
import os
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from v8box.cli.exits import CommandFailed

IGNORE_FILES: Final = (".gitignore", ".v8boxignore")
_NEVER: Final = frozenset({"node_modules", "__pycache__"})
_MAX_FILES: Final = 5_000
_MAX_BYTES: Final = 100 * 1024 * 1024
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Packed:
    """A zip, and what is in it."""

    content: bytes
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Rule:
    """One line of an ignore file."""

    pattern: re.Pattern[str]
    keeps: bool
    folders_only: bool


class Ignored:
    """Which paths the lines of ignore files leave out. The last rule that fits counts, as in git."""

    def __init__(self, lines: Sequence[str]) -> None:
        self._rules = [rule for line in lines if (rule := _read_rule(line)) is not None]

    def __call__(self, path: str, *, is_folder: bool) -> bool:
        for rule in reversed(self._rules):
            if (is_folder or not rule.folders_only) and rule.pattern.fullmatch(path):
                return not rule.keeps
        return False


def pack(root: Path, files: Mapping[str, Path | bytes]) -> Packed:
    """A zip of these files by their names in it; what is given as bytes stands in the place of a file. Raises
    `CommandFailed`."""
    if not files:
        raise CommandFailed(f"{root} holds nothing to deploy")
    total = 0
    archived = io.BytesIO()
    with zipfile.ZipFile(archived, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, file in sorted(files.items()):
            try:
                content = file if isinstance(file, bytes) else file.read_bytes()
            except OSError as error:
                raise CommandFailed(f"{file!s} cannot be read: {error.strerror or error}") from error
            total += len(content)
            if len(files) > _MAX_FILES or total > _MAX_BYTES:
                raise CommandFailed(
                    f"{root} holds more than {_MAX_FILES} files or {_MAX_BYTES // 1_048_576} MB. Is this the folder of "
                    f"a worker? What does not belong to it is left out by a line in {IGNORE_FILES[1]}"
                )
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), content, zipfile.ZIP_DEFLATED)
    return Packed(archived.getvalue(), tuple(sorted(files)))


def files_of(root: Path, data_directory: Path | None = None) -> Iterator[str]:
    """The files that belong, in order, relative to `root` with slashes. Links are followed within `root` only."""
    ignored = Ignored([line for name in IGNORE_FILES for line in _lines(root / name)])
    real_root = os.path.realpath(root)
    data = None if data_directory is None else os.path.realpath(data_directory)
    for parent, folders, files in os.walk(root):
        folder = os.path.relpath(parent, root)
        prefix = "" if folder == "." else f"{folder}/"
        folders[:] = sorted(
            name
            for name in folders
            if name not in _NEVER
            and not name.startswith(".")
            and os.path.realpath(os.path.join(parent, name)) != data
            and not ignored(prefix + name, is_folder=True)
        )
        for name in sorted(files):
            path = os.path.join(parent, name)
            real = os.path.realpath(path)
            inside = real.startswith(real_root.rstrip("/") + "/") and os.path.isfile(real)
            if not name.startswith(".") and inside and not ignored(prefix + name, is_folder=False):
                yield prefix + name


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []


def _read_rule(line: str) -> _Rule | None:
    text = line.rstrip()
    if not text or text.startswith("#"):
        return None
    keeps = text.startswith("!")
    text = text.removeprefix("!").removeprefix("\\")
    folders_only = text.endswith("/")
    text = text.rstrip("/")
    anchored = "/" in text
    text = text.lstrip("/")
    if not text:
        return None
    expression = _expression(text)
    return _Rule(re.compile(expression if anchored else f"(?:.*/)?{expression}"), keeps, folders_only)


def _expression(glob: str) -> str:
    """A pattern of git's as a regular expression: `*` and `?` stop at a slash, `**` does not."""
    parts: list[str] = []
    at = 0
    while at < len(glob):
        if glob.startswith("**/", at):
            parts.append("(?:.*/)?")
            at += 3
        elif glob.startswith("**", at):
            parts.append(".*")
            at += 2
        elif glob[at] == "*":
            parts.append("[^/]*")
            at += 1
        elif glob[at] == "?":
            parts.append("[^/]")
            at += 1
        elif glob[at] == "[" and (end := glob.find("]", at + 2)) > 0:
            inside = glob[at + 1 : end].replace("\\", "\\\\").replace("[", "\\[")
            parts.append(f"[{'^' + inside[1:] if inside[0] == '!' else inside}]")
            at = end + 1
        else:
            parts.append(re.escape(glob[at]))
            at += 1
    return "".join(parts)
