"""Unpacking a ZIP or tar.gz that a stranger sent: what could leave the folder, fill the disk or fool a later reader is
refused, the entry named, and then nothing of the archive stays.

Only plain files and folders come out, under names that mean the same on every system. Sizes are those that were
written, not those that the archive claims.
"""

from __future__ import annotations

import errno
import gzip
import io
import os
import re
import shutil
import stat
import tarfile
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final, cast

_CHUNK: Final = 256 * 1024
_MAX_READ: Final = 4 * 1024 * 1024
"""What the archive's own structures may take at once: they are read as a whole."""
_DRIVE: Final = re.compile(r"[A-Za-z]:")
_METHODS: Final = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
_ENCRYPTED: Final = 0x1 | 0x40 | 0x2000
_IGNORED: Final = ("__MACOSX", ".DS_Store", "Thumbs.db")
_RATIO_FROM: Final = 8 * 1024 * 1024


class ArchiveError(Exception):
    """The archive is refused. `entry` is the name in it that is to blame, None: the whole of it."""

    def __init__(self, message: str, entry: str | None = None) -> None:
        self.message = message
        self.entry = None if entry is None else "".join(c if c.isprintable() else "\ufffd" for c in entry[:200])
        super().__init__(message if entry is None else f"{self.entry}: {message}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How much may come out."""

    entries: int = 5_000
    total_bytes: int = 128 * 1024 * 1024
    file_bytes: int = 64 * 1024 * 1024
    ratio: int = 200
    """Bytes out for each byte in, counted once `_RATIO_FROM` bytes are out."""
    depth: int = 32
    path_bytes: int = 1_024


@dataclass(frozen=True, slots=True)
class Unpacked:
    """What came out: paths relative to the folder, sorted."""

    files: tuple[str, ...]
    total_bytes: int


def unpack(
    archive: Path,
    folder: Path,
    bounds: Bounds = Bounds(),
    *,
    keep_top: Collection[str] = (),
    stopped: Callable[[], bool] = bool,
) -> Unpacked:
    """Unpacks into `folder`, which is empty. A single folder at the top, as archives of repositories have, is taken off
    unless its name is one of `keep_top`. Blocking; ends soon after `stopped` gives true. Raises `ArchiveError`."""
    unpacking = _Unpacking(folder, archive.stat().st_size, bounds, stopped)
    try:
        with _reading():
            match _magic(archive):
                case b"PK":
                    _unzip(archive, unpacking)
                case b"\x1f\x8b":
                    _untar(archive, unpacking)
                case _:
                    raise ArchiveError("it is neither a ZIP nor a tar.gz")
        if not unpacking.files:
            raise ArchiveError("there is no file in it")
        return _without_top(unpacking, keep_top)
    except BaseException:
        for left in folder.iterdir():
            _remove(left)
        raise


def check_path(name: str, bounds: Bounds = Bounds()) -> str:
    """The name of a file relative to a folder, if it means the same everywhere and stays in it. Raises
    `ArchiveError`."""
    parts = name.split("/")
    if not name or len(name.encode("utf-8", "surrogatepass")) > bounds.path_bytes:
        raise ArchiveError(f"its name is empty or longer than {bounds.path_bytes} bytes", name)
    if any(0xD800 <= ord(character) <= 0xDFFF for character in name):
        raise ArchiveError("its name is not UTF-8", name)
    if any(unicodedata.category(character) == "Cc" for character in name):
        raise ArchiveError("its name has control characters", name)
    if name.startswith("/") or _DRIVE.match(name):
        raise ArchiveError("its name is absolute", name)
    if "\\" in name:
        raise ArchiveError("its name has a backslash", name)
    if any(part in ("", ".", "..") for part in parts):
        raise ArchiveError("its name has an empty part, . or ..", name)
    if any(len(part.encode()) > 255 for part in parts):
        raise ArchiveError("a part of its name is longer than 255 bytes", name)
    if len(parts) > bounds.depth:
        raise ArchiveError(f"it lies deeper than {bounds.depth} folders", name)
    return name


@dataclass(slots=True)
class _Unpacking:
    """One archive on its way out."""

    folder: Path
    archive_bytes: int
    bounds: Bounds
    stopped: Callable[[], bool]
    files: list[str] = field(default_factory=list)
    total: int = 0
    entries: int = 0
    spellings: dict[str, str] = field(default_factory=dict)
    """By a path as a system without case has it: as it is spelled, with a slash at the end for a folder."""

    def count(self, entry: str) -> None:
        """Another entry, of whatever kind."""
        self.check_stop()
        self.entries += 1
        if self.entries > self.bounds.entries:
            raise ArchiveError(f"there are more than {self.bounds.entries} entries", entry)

    def check_stop(self) -> None:
        if self.stopped():
            raise ArchiveError("it was given up")

    def name(self, entry: str) -> str | None:
        """The checked path of an entry; None for one that is not worth keeping."""
        name = entry.removesuffix("/")
        while name.startswith("./"):
            name = name[2:]
        if name in ("", ".") and entry.startswith("."):
            return None
        check_path(name, self.bounds)
        return None if any(part in _IGNORED for part in name.split("/")) else name

    def make_folder(self, name: str, entry: str) -> None:
        self._claim(name, entry, "/")
        (self.folder / name).mkdir(mode=0o700, parents=True, exist_ok=True)

    def write(self, name: str, entry: str, source: IO[bytes]) -> None:
        """The file's bytes, as many as there are."""
        self._claim(name, entry, "")
        path = self.folder / name
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        size = 0
        with open(path, "xb", opener=_private) as file:
            while chunk := source.read(_CHUNK):
                self.check_stop()
                size += len(chunk)
                self.total += len(chunk)
                self._check_size(size, entry)
                file.write(chunk)
        self.files.append(name)

    def _check_size(self, size: int, entry: str) -> None:
        bounds = self.bounds
        if size > bounds.file_bytes:
            raise ArchiveError(f"it is larger than {bounds.file_bytes // 1_048_576} MB", entry)
        self.check_total(self.total, entry)

    def check_total(self, total: int, entry: str | None) -> None:
        bounds = self.bounds
        if total > bounds.total_bytes:
            raise ArchiveError(f"with it, more than {bounds.total_bytes // 1_048_576} MB come out", entry)
        if total > max(_RATIO_FROM, bounds.ratio * self.archive_bytes):
            raise ArchiveError(f"with it, more than {bounds.ratio} bytes come out for each one in the archive", entry)

    def _claim(self, name: str, entry: str, kind: str) -> None:
        """Raises for a path that is there already, in whatever spelling, or that is a file and a folder at once."""
        parts = name.split("/")
        for length in range(1, len(parts) + 1):
            whole = length == len(parts)
            spelled = "/".join(parts[:length]) + (kind if whole else "/")
            folded = unicodedata.normalize("NFC", spelled.removesuffix("/")).casefold()
            known = self.spellings.get(folded)
            if known is None:
                self.spellings[folded] = spelled
            elif known != spelled or (whole and kind == ""):
                raise ArchiveError(f"it and {known} are the same name on some systems, or in the archive twice", entry)


def _unzip(path: Path, unpacking: _Unpacking) -> None:
    with _Bounded(path) as file, zipfile.ZipFile(cast(IO[bytes], file)) as archive:
        for info in archive.infolist():
            name = info.orig_filename
            unpacking.count(name)
            _check_zip_entry(info)
            kept = unpacking.name(name)
            if kept is None:
                continue
            if name.endswith("/"):
                unpacking.make_folder(kept, name)
                continue
            with archive.open(info) as source:
                unpacking.write(kept, name, source)


def _check_zip_entry(info: zipfile.ZipInfo) -> None:
    name = info.orig_filename
    if info.flag_bits & _ENCRYPTED:
        raise ArchiveError("it is encrypted", name)
    if info.compress_type not in _METHODS:
        raise ArchiveError("it is compressed in a way other than deflate", name)
    kind = stat.S_IFMT(info.external_attr >> 16)
    wanted = stat.S_IFDIR if name.endswith("/") else stat.S_IFREG
    if kind not in (0, wanted):
        raise ArchiveError("it is a link, a device, or no folder though its name says so", name)


def _untar(path: Path, unpacking: _Unpacking) -> None:
    """Decompressed first, since a tar is read back and forth."""
    plain = path.with_name(path.name + ".tar")
    try:
        _gunzip(path, plain, unpacking)
        with _Bounded(plain) as bounded, tarfile.open(fileobj=cast(IO[bytes], bounded), mode="r:") as archive:
            while (member := archive.next()) is not None:
                unpacking.count(member.name)
                _untar_member(archive, member, unpacking)
    finally:
        plain.unlink(missing_ok=True)


def _gunzip(path: Path, plain: Path, unpacking: _Unpacking) -> None:
    with gzip.open(path) as source, open(plain, "wb", opener=_private) as file:
        size = 0
        while chunk := source.read(_CHUNK):
            unpacking.check_stop()
            size += len(chunk)
            if size > unpacking.bounds.total_bytes + 2_048 * unpacking.bounds.entries:
                unpacking.check_total(unpacking.bounds.total_bytes + 1, None)
            unpacking.check_total(min(size, unpacking.bounds.total_bytes), None)
            file.write(chunk)


def _untar_member(archive: tarfile.TarFile, member: tarfile.TarInfo, unpacking: _Unpacking) -> None:
    if not (member.isreg() or member.isdir()) or member.issparse() or member.size < 0:
        raise ArchiveError("it is a link, a device or a sparse file", member.name)
    kept = unpacking.name(member.name)
    if kept is None:
        return
    if member.isdir():
        unpacking.make_folder(kept, member.name)
        return
    source = archive.extractfile(member)
    if source is None:
        raise ArchiveError("it is no file", member.name)
    with source:
        unpacking.write(kept, member.name, source)


class _Bounded(io.FileIO):
    """A file of which nobody reads very much at once: lists of entries and long headers are read as a whole."""

    def read(self, size: int | None = -1) -> bytes:
        wanted = -1 if size is None else size
        if wanted < 0:
            wanted = os.fstat(self.fileno()).st_size - self.tell()
        if wanted > _MAX_READ:
            raise ArchiveError("its list of entries, or a header in it, is too long")
        return super().read(wanted) or b""


@contextmanager
def _reading() -> Iterator[None]:
    """What the libraries say of an archive that is cut, damaged or lies about its sizes, as `ArchiveError`."""
    try:
        yield
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, gzip.BadGzipFile, EOFError) as error:
        raise ArchiveError(f"it is damaged: {str(error)[:200]}") from error
    except (NotImplementedError, RuntimeError, ValueError, OverflowError, UnicodeError) as error:
        raise ArchiveError(f"it cannot be read: {str(error)[:200]}") from error
    except OSError as error:
        if error.errno != errno.EINVAL:  # what a seek to before the beginning gives; a full disk is no fault of it
            raise
        raise ArchiveError("it is damaged: a place in it lies before its beginning") from error


def _magic(archive: Path) -> bytes:
    with open(archive, "rb") as file:
        return file.read(2)


def _without_top(unpacking: _Unpacking, keep: Collection[str]) -> Unpacked:
    tops = {name.partition("/")[0] for name in unpacking.files}
    (top, *others) = tops
    files = sorted(unpacking.files)
    if not others and top not in keep and top not in files:
        moved = unpacking.folder.with_name(unpacking.folder.name + ".top")
        (unpacking.folder / top).rename(moved)
        for left in unpacking.folder.iterdir():
            _remove(left)  # empty folders
        for child in moved.iterdir():
            child.rename(unpacking.folder / child.name)
        moved.rmdir()
        files = [name.partition("/")[2] for name in files]
    return Unpacked(tuple(files), unpacking.total)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
