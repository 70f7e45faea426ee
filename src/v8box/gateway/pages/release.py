"""What a release consists of: its files by path, and the rules and settings that were read when it was deployed.

A release never changes. It is kept as one blob and read when the first request for it comes; those not asked for in a
while are let go, so sites that nobody visits cost nothing.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Final, Literal

import msgspec

from v8box.gateway.pages.headers import HeaderBlock, Headers
from v8box.gateway.pages.patterns import PatternTree
from v8box.gateway.pages.redirects import Redirect, Redirects

HtmlHandling = Literal["auto-trailing-slash", "force-trailing-slash", "drop-trailing-slash", "none"]
NotFoundHandling = Literal["404-page", "single-page-application", "none"]
Encoding = Literal["br", "zstd", "gzip"]

_COUNTED_RULES: Final = 500_000
"""Redirect rules whose hits are counted, of all sites together."""
_KEPT_FILES: Final = 200_000
"""Files of all the releases that are held in memory together, some 300 bytes each."""


class Stored(msgspec.Struct, frozen=True, array_like=True):
    """Bytes in the blob store."""

    hash: str
    size: int


class Asset(msgspec.Struct, frozen=True, omit_defaults=True):
    """One file of a site. `encodings`: the same bytes compressed; `variants`: the same picture in newer types, by media
    type, for clients that accept them; `original`: the file as it was deployed, where `content` was made smaller."""

    content: Stored
    type: str
    encodings: dict[Encoding, Stored] = {}
    variants: dict[str, Stored] = {}
    original: Stored | None = None

    @property
    def deployed(self) -> Stored:
        """The bytes that were deployed, whatever is sent in their place."""
        return self.original or self.content


class Mount(msgspec.Struct, frozen=True, omit_defaults=True):
    """A worker that answers a part of the site's paths: before the files, or where there is no file."""

    pattern: str
    worker: str
    first: bool = True
    version: str = ""
    """Of a function of the site's own: the version that belongs to the release. Empty: what is deployed."""


class SiteSettings(msgspec.Struct, frozen=True, omit_defaults=True):
    """The site's own settings, as its `v8box.toml` has them. The names are Cloudflare's."""

    html_handling: HtmlHandling = "auto-trailing-slash"
    not_found_handling: NotFoundHandling = "404-page"
    security_headers: bool = False
    proxy_hosts: tuple[str, ...] = ()
    """Hosts that a 200 rule may fetch from."""
    mounts: tuple[Mount, ...] = ()
    optimise: tuple[str, ...] = ()
    """What is made smaller beyond compressing: out of html, css, js, svg, images."""


class Release(msgspec.Struct, frozen=True, omit_defaults=True):
    """A whole release. `files` by decoded path (`/index.html`); `at` is Unix time in seconds."""

    site: str
    number: int
    at: int
    files: dict[str, Asset]
    redirects: tuple[Redirect, ...] = ()
    headers: tuple[HeaderBlock, ...] = ()
    settings: SiteSettings = SiteSettings()
    own: tuple[str, ...] | None = None  # releases of before it was noted have none
    """The settings that the site's own file has: what is set for the site outside of its files does not change them."""


def encode(release: Release) -> bytes:
    """A release as the blob store has it."""
    return msgspec.msgpack.encode(release)


def decode(data: bytes) -> Release:
    """Raises `msgspec.DecodeError`."""
    return msgspec.msgpack.decode(data, type=Release)


class LoadedRelease:
    """A release in memory, its rules ready to be asked."""

    __slots__ = ("_first", "_last", "headers", "key", "redirects", "release")

    def __init__(self, key: str, release: Release, hits: list[int] | None = None) -> None:
        self.key = key
        self.release = release
        self.redirects = Redirects(release.redirects, hits)
        self.headers = Headers(release.headers)
        mounts = list(enumerate(release.settings.mounts))
        self._first = PatternTree([(place, mount.pattern) for place, mount in mounts if mount.first])
        self._last = PatternTree([(place, mount.pattern) for place, mount in mounts if not mount.first])

    def mounted(self, path: str, *, first: bool) -> Mount | None:
        """The worker that answers for the path before the files, or where there is none."""
        if not self.release.settings.mounts:
            return None
        found = (self._first if first else self._last).matches(path)
        return self.release.settings.mounts[found[0][0]] if found else None


class Releases:
    """The releases that are being asked for, by their blob's key. `load` gives the bytes, checked against it."""

    def __init__(self, load: Callable[[str], Awaitable[bytes]], *, kept_files: int = _KEPT_FILES) -> None:
        self._load = load
        self._kept_files = kept_files
        self._loaded: OrderedDict[str, LoadedRelease] = OrderedDict()
        self._loading: dict[str, asyncio.Task[LoadedRelease]] = {}
        self._files = 0
        self._hits: OrderedDict[bytes, list[int]] = OrderedDict()
        self._counted = 0

    def ready(self, key: str) -> LoadedRelease | None:
        """The release, if it is in memory."""
        loaded = self._loaded.get(key)
        if loaded is not None:
            self._loaded.move_to_end(key)
        return loaded

    async def get(self, key: str) -> LoadedRelease:
        """The release; it is read once, however many ask meanwhile. Raises `BlobMissing`."""
        loaded = self.ready(key)
        if loaded is not None:
            return loaded
        reading = self._loading.get(key)
        if reading is None:
            reading = self._loading[key] = asyncio.create_task(self._read(key), name="read a release")
            reading.add_done_callback(lambda _: self._loading.pop(key, None))
        return await asyncio.shield(reading)

    def forget(self, wanted: frozenset[str]) -> None:
        """Lets go of all releases but these."""
        for key in [key for key in self._loaded if key not in wanted]:
            self._drop(key)

    async def _read(self, key: str) -> LoadedRelease:
        data = await self._load(key)
        # A large one takes milliseconds to decode, which other requests must not wait for.
        release = await asyncio.to_thread(decode, data) if len(data) > 65_536 else decode(data)
        loaded = self._loaded[key] = LoadedRelease(key, release, self._hits_of(release))
        self._files += len(release.files) + 1
        while self._files > self._kept_files and len(self._loaded) > 1:
            self._drop(next(iter(self._loaded)))
        return loaded

    def _hits_of(self, release: Release) -> list[int] | None:
        """How often each of its rules was the one: counted on when a release with the same rules is next, as after a
        deploy, or once its files were made smaller."""
        if not release.redirects:
            return None
        name = hashlib.sha256(msgspec.msgpack.encode((release.site, release.redirects))).digest()
        hits = self._hits.get(name)
        if hits is None:
            hits = self._hits[name] = [0] * len(release.redirects)
            self._counted += len(hits)
            while self._counted > _COUNTED_RULES and len(self._hits) > 1:
                self._counted -= len(self._hits.popitem(last=False)[1])
        else:
            self._hits.move_to_end(name)
        return hits

    def _drop(self, key: str) -> None:
        self._files -= len(self._loaded.pop(key).release.files) + 1
