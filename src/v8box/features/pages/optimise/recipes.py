"""What is done to which file of a site: by its type, its size and what the site asks for. No bytes are looked at."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from v8box.features.pages.content_types import compresses
from v8box.features.pages.optimise.wire import Request, Text
from v8box.gateway.pages.release import Asset

VERSION: Final = 1
"""Counts changes of how files are made smaller: what an older one made is made again when it is asked for."""
MIN_BYTES: Final = 256
MAX_BYTES: Final = 20 * 1024 * 1024
_MINIFIED_BYTES: Final = 4 * 1024 * 1024
"""Larger texts are only compressed: taking them apart needs much memory."""
_TEXTS: Final[dict[str, Text]] = {
    "text/html": "html",
    "text/css": "css",
    "text/javascript": "js",
    "image/svg+xml": "svg",
}
_PICTURES: Final = frozenset({"image/png", "image/jpeg", "image/gif"})
_NAMING: Final = frozenset({"html", "js"})
"""Kinds of file that may name the hashes of others (Subresource Integrity)."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """What to do to one file; `name` is the same whenever the outcome is."""

    name: str
    request: Request


def media_type(asset: Asset) -> str:
    return asset.type.partition(";")[0]


def fitting(size: int) -> bool:
    """Whether a file of this size is worth it, and bearable."""
    return MIN_BYTES <= size <= MAX_BYTES


def scan(asset: Asset) -> Recipe | None:
    """Looks for hashes that a page names."""
    kind = _TEXTS.get(media_type(asset))
    size = asset.deployed.size
    if (kind not in _NAMING and media_type(asset) != "application/json") or size > MAX_BYTES:
        return None
    return Recipe(f"scan/{VERSION}", Request(asset.deployed.hash, scan=True))


def recipe(path: str, asset: Asset, wanted: Collection[str], pins: Collection[str]) -> Recipe | None:
    """What is done to a file; None for nothing. `wanted`: out of html, css, js, svg, images."""
    if not fitting(asset.deployed.size):
        return None
    key, kind = asset.deployed.hash, _TEXTS.get(media_type(asset))
    if kind is not None and kind in wanted and asset.deployed.size <= _MINIFIED_BYTES:
        named = sorted(pins)
        short = hashlib.sha256("\n".join(named).encode()).hexdigest()[:16] if named else "-"
        return Recipe(f"{kind}/{VERSION}/{short}", Request(key, minify=kind, compress=True, pins=named))
    if media_type(asset) in _PICTURES:
        return Recipe(f"picture/{VERSION}", Request(key, picture=True)) if "images" in wanted else None
    return Recipe(f"compress/{VERSION}", Request(key, compress=True)) if compresses(path) else None
