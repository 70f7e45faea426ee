"""What is different between two releases."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from v8box.gateway.pages.release import Asset, Release, Stored

MAX_COMPARED_BYTES: Final = 256 * 1024
"""Of a file whose text is compared."""


class FileSide(NamedTuple):
    """A file in one of two releases. `text`: None for what is none, or is long."""

    stored: Stored
    type: str
    text: str | None


def compare(before: Release, after: Release) -> dict[str, Any]:
    """Which paths came, went or have other bytes, with their sizes; which rules are others. By what was deployed: a
    file that was made smaller is the same one. Takes a while for a hundred thousand files."""
    was, now = before.files, after.files
    added, removed = sorted(now.keys() - was.keys()), sorted(was.keys() - now.keys())
    changed = sorted(path for path in now.keys() & was.keys() if now[path].deployed != was[path].deployed)
    return {
        "added": added,
        "removed": removed,
        "changed": changed,
        "sizes": {
            path: {"before": _size(was, path), "after": _size(now, path)} for path in (*added, *removed, *changed)
        },
        "bytes": _total(now) - _total(was),
        "rules": [name for name, each in _rules(before).items() if each != _rules(after)[name]],
    }


def as_text(data: bytes) -> str | None:
    """None for what no editor shows."""
    if b"\0" in data:
        return None
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _size(files: Mapping[str, Asset], path: str) -> int | None:
    asset = files.get(path)
    return None if asset is None else asset.deployed.size


def _total(files: Mapping[str, Asset]) -> int:
    return sum(each.deployed.size for each in files.values())


def _rules(release: Release) -> dict[str, Any]:
    """What is said of the files beside them. Where a line stands is nothing of it."""
    mounts = release.settings.mounts
    own = {name: getattr(release.settings, name) for name in release.settings.__struct_fields__ if name != "mounts"}
    return {
        "redirects": [(r.source, r.target, r.status, r.force, r.query, r.conditions) for r in release.redirects],
        "headers": [(block.source, block.headers) for block in release.headers],
        "settings": (own, [mount for mount in mounts if not mount.version]),
        "functions": [mount for mount in mounts if mount.version],
    }
