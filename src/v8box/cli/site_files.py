"""The files of a site as `v8box pages deploy` sends them: by path and SHA-256, and those that the box has not.

Left out are hidden files (but `.well-known`), packages, and what .v8boxignore in the folder says. Small files go
together, in archives; a large one goes by itself.
"""

from __future__ import annotations

import hashlib
import os
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO, Final, cast

from v8box.cli.exits import CommandFailed
from v8box.cli.packing import Ignored
from v8box.cli.v1 import V1

IGNORE_FILE: Final = ".v8boxignore"
LARGE_BYTES: Final = 16 * 1024 * 1024
_FUNCTIONS: Final = "/functions/"
_MAX_FILES: Final = 100_000
_BATCH_FILES: Final = 2_000
_BATCH_BYTES: Final = 64 * 1024 * 1024
_MAX_RATIO: Final = 100
"""More out of an archive than this for each byte in it is what bombs do, and the box takes it for one."""


@dataclass(frozen=True, slots=True)
class LocalFile:
    """One file. `path` is its address in the site."""

    path: str
    file: Path
    sha256: str
    bytes: int


def read_site(root: Path, functions: Path | None = None) -> list[LocalFile]:
    """All files of a site, hashed; `functions`: a folder elsewhere that is its `functions/`. Raises `CommandFailed`."""
    if not root.is_dir():
        raise CommandFailed(f"{root} is no folder. Say the one that your build writes, e.g. dist")
    found = [_read(root, name) for name in _names(root)]
    if functions is not None:
        if not functions.is_dir():
            raise CommandFailed(f"{functions} is no folder. Say the one with the site's functions")
        if any(each.path.startswith(_FUNCTIONS) for each in found):
            raise CommandFailed(f"{root} has functions/ of its own. Leave one of them out")
        found += [_read(functions, name, _FUNCTIONS) for name in _names(functions)]
    if not found:
        raise CommandFailed(f"{root} holds nothing to deploy")
    if len(found) > _MAX_FILES:
        raise CommandFailed(f"{root} holds more than {_MAX_FILES} files. Is this the folder of a site?")
    return found


def send(api: V1, site: str, files: Sequence[LocalFile], on_bytes: Callable[[int], None]) -> None:
    """Sends these files ahead of the release that names them; `site` is the site's address below /api/v1. `on_bytes` is
    told how many bytes more are there."""
    for batch in _batches([each for each in files if each.bytes <= LARGE_BYTES]):
        with _archive(batch) as archive:
            api.upload(f"/api/v1/{site}/files", {}, archive, "files.zip", _nothing)
        on_bytes(sum(each.bytes for each in batch))
    for each in files:
        if each.bytes > LARGE_BYTES:
            with each.file.open("rb") as opened:
                api.put_file(f"{site}/files/{each.sha256}", opened, on_bytes)


def _names(root: Path) -> Iterator[str]:
    """In order, relative with slashes. Links are followed within the folder only."""
    ignored = Ignored(_lines(root / IGNORE_FILE))
    real_root = os.path.realpath(root)
    for parent, folders, names in os.walk(root):
        folder = os.path.relpath(parent, root)
        prefix = "" if folder == "." else f"{folder.replace(os.sep, '/')}/"
        folders[:] = sorted(name for name in folders if _is_shown(name) and not ignored(prefix + name, is_folder=True))
        for name in sorted(names):
            real = os.path.realpath(os.path.join(parent, name))
            inside = real.startswith(real_root.rstrip(os.sep) + os.sep) and os.path.isfile(real)
            if inside and _is_shown(name) and not ignored(prefix + name, is_folder=False):
                yield prefix + name


def _is_shown(name: str) -> bool:
    return name == ".well-known" or not (name.startswith(".") or name == "node_modules")


def _read(root: Path, name: str, prefix: str = "/") -> LocalFile:
    file = root / name
    try:
        with file.open("rb") as opened:
            digest = hashlib.file_digest(opened, "sha256").hexdigest()
            size = os.fstat(opened.fileno()).st_size
    except OSError as error:
        raise CommandFailed(f"{file} cannot be read: {error.strerror or error}") from error
    return LocalFile(f"{prefix}{name}", file, digest, size)


def _batches(files: Sequence[LocalFile]) -> Iterator[list[LocalFile]]:
    batch: list[LocalFile] = []
    size = 0
    for each in files:
        if batch and (len(batch) >= _BATCH_FILES or size + each.bytes > _BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(each)
        size += each.bytes
    if batch:
        yield batch


def _archive(batch: Sequence[LocalFile]) -> BinaryIO:
    packed = _pack(batch, zipfile.ZIP_DEFLATED)
    total = sum(each.bytes for each in batch)
    if total > _MAX_RATIO * packed.seek(0, os.SEEK_END):
        packed.close()
        packed = _pack(batch, zipfile.ZIP_STORED)
    packed.seek(0)
    return packed


def _pack(batch: Sequence[LocalFile], method: int) -> BinaryIO:
    held = cast(BinaryIO, TemporaryFile())
    with zipfile.ZipFile(held, "w", method, compresslevel=4) as archive:
        for each in batch:
            archive.writestr(each.sha256, each.file.read_bytes())  # a time before 1980 is no fault
    return held


def manifest(files: Sequence[LocalFile]) -> Mapping[str, str]:
    """As the box is told."""
    return {each.path: each.sha256 for each in files}


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []


def _nothing(_: int) -> None:
    """The archive's own bytes are nobody's measure."""
