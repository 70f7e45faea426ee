"""Archives to send: good ones, and those that strangers make."""

from __future__ import annotations

import io
import stat
import struct
import tarfile
import zipfile
from collections.abc import Mapping


def zipped(files: Mapping[str, str | bytes]) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return held.getvalue()


def tarred(files: Mapping[str, str | bytes]) -> bytes:
    return _tar(
        [(tarfile.TarInfo(name), data.encode() if isinstance(data, str) else data) for name, data in files.items()]
    )


def hostile() -> dict[str, tuple[bytes, str]]:
    """By what is wrong with it, an archive and the name of the entry to blame."""
    good = {"index.html": "<h1>mine</h1>"}
    made: dict[str, tuple[bytes, str]] = {}
    names = {
        "traversal": "../../evil.html",
        "traversal inside": "a/../../evil.html",
        "absolute": "/etc/evil.html",
        "drive": "C:/evil.html",
        "backslash": "..\\evil.html",
        "control character": "a\x07b.html",
        "empty part": "a//b.html",
        "case collision": "INDEX.html",
        "twice": "index.html",
        "file and folder": "index.html/x.html",
        "too long": "x" * 300,
    }
    for what, name in names.items():
        if what != "twice":
            made[f"zip: {what}"] = zipped({**good, name: "evil"}), name
        made[f"tar: {what}"] = (
            _tar([(tarfile.TarInfo("index.html"), b"1"), (tarfile.TarInfo(name), b"evil")]),
            name,
        )
    for what, kind in {"symlink": stat.S_IFLNK, "device": stat.S_IFCHR, "pipe": stat.S_IFIFO}.items():
        made[f"zip: {what}"] = _zip_with_mode(kind), "evil"
    for what, tar_kind in {
        "symlink": tarfile.SYMTYPE,
        "hard link": tarfile.LNKTYPE,
        "device": tarfile.CHRTYPE,
        "pipe": tarfile.FIFOTYPE,
    }.items():
        info = tarfile.TarInfo("evil")
        info.type = tar_kind
        info.linkname = "/etc/passwd"
        made[f"tar: {what}"] = _tar([(tarfile.TarInfo("index.html"), b"1"), (info, b"")]), "evil"
    made["zip: encrypted"] = _encrypted(), "evil"
    made["zip: lies about its size"] = _lying(), ""
    made["zip: bomb by ratio"] = zipped({**good, "bomb": b"\0" * (9 * 1024 * 1024)}), "bomb"
    return made


def _tar(entries: list[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w:gz") as archive:
        for info, data in entries:
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return held.getvalue()


def _zip_with_mode(kind: int) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr("index.html", "mine")
        info = zipfile.ZipInfo("evil")
        info.external_attr = (kind | 0o777) << 16
        archive.writestr(info, "/etc/passwd")
    return held.getvalue()


def _encrypted() -> bytes:
    """The flag that says so is set, in the list and at the entry."""
    data = bytearray(zipped({"index.html": "mine", "evil": "x"}))
    at = data.rindex(b"PK\x01\x02")
    (local,) = struct.unpack_from("<I", data, at + 42)
    for place in (at + 8, local + 6):
        data[place] |= 1
    return bytes(data)


def _lying() -> bytes:
    """The list says that less comes out than does."""
    data = bytearray(zipped({"index.html": "mine" * 10_000}))
    at = data.rindex(b"PK\x01\x02")
    struct.pack_into("<I", data, at + 24, 3)
    return bytes(data)
