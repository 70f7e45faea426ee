"""The built files: what there is, in which encodings, under which ETag. Read when first asked for, in a thread.

What a build has hashed into a name never changes under it; everything else is asked for again each time. A build that
happens meanwhile is noticed by its `index.html`.
"""

from __future__ import annotations

import asyncio
import hashlib
import mimetypes
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

BUILT: Final = Path(__file__).with_name("built")

_ENCODINGS: Final = {"br": ".br", "gzip": ".gz"}
"""Those that are made at build time, the best first."""
_TYPES: Final = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".webmanifest": "application/manifest+json",
    ".svg": "image/svg+xml",
    ".ttf": "font/ttf",
    ".map": "application/json",
}
_KEPT_BYTES: Final = 512 * 1024
"""A file of more is read anew each time: browsers keep it, so that it is asked for seldom."""


@dataclass(frozen=True, slots=True)
class BuiltFile:
    """One of them, without its bytes."""

    path: Path
    media_type: str
    etag: str
    immutable: bool
    encodings: tuple[str, ...]


class BuiltFiles:
    """By their address below the dashboard's own: `/index.html`, `/assets/…`."""

    def __init__(self, folder: Path = BUILT) -> None:
        self._folder = folder
        self._index = folder / "index.html"
        self._made_at: int | None = None
        self._files: Mapping[str, BuiltFile] = {}
        self._kept: dict[Path, bytes] = {}
        self._reading = asyncio.Lock()

    async def all(self) -> Mapping[str, BuiltFile]:
        """Empty: the dashboard was not built."""
        made_at = self._when()
        if made_at != self._made_at:
            async with self._reading:
                if made_at != self._made_at:
                    self._files = await asyncio.to_thread(self._scan)
                    self._kept = {}
                    self._made_at = made_at
        return self._files

    async def body(self, file: BuiltFile, encoding: str | None) -> bytes:
        path = file.path if encoding is None else file.path.with_name(file.path.name + _ENCODINGS[encoding])
        kept = self._kept.get(path)
        if kept is None:
            kept = await asyncio.to_thread(path.read_bytes)
            if len(kept) <= _KEPT_BYTES:
                self._kept[path] = kept
        return kept

    def _when(self) -> int | None:
        try:
            return self._index.stat().st_mtime_ns
        except FileNotFoundError:
            return None

    def _scan(self) -> dict[str, BuiltFile]:
        paths = [path for path in self._folder.rglob("*") if path.is_file()] if self._index.exists() else []
        there = set(paths)
        found: dict[str, BuiltFile] = {}
        for path in paths:
            address = "/" + path.relative_to(self._folder).as_posix()
            if address.startswith("/.") or path.suffix in _ENCODINGS.values():
                continue
            encodings = tuple(
                name for name, suffix in _ENCODINGS.items() if path.with_name(path.name + suffix) in there
            )
            found[address] = BuiltFile(path, _media_type(path), _etag(path), address.startswith("/assets/"), encodings)
        return found


def _media_type(path: Path) -> str:
    return _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"


def _etag(path: Path) -> str:
    return hashlib.blake2b(path.read_bytes(), digest_size=12).hexdigest()
