"""A release out of a folder of files: what is served and what is not, the rules, the bytes taken into the store.

The folder is given up: its files are moved into the store, each under its hash. Nothing is live after this; whoever
calls it writes the release down.
"""

from __future__ import annotations

import asyncio
import os
import stat
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

import msgspec

from v8box.errors import BadRequest, PayloadTooLarge
from v8box.features.pages.content_types import content_type
from v8box.features.pages.function_builds import NONE, MadeFunctions
from v8box.features.pages.functions import is_function_file
from v8box.features.pages.rules import MAX_RULE_BYTES, RULE_FILES, SiteRules, SiteRulesError, read_rules
from v8box.features.pages.rules import Told as SiteLine
from v8box.gateway.pages.release import Asset, Release, SiteSettings, Stored, encode
from v8box.storage import FolderBlobs

MAX_FILES: Final = 100_000
MAX_PATH_BYTES: Final = 1_024
MAX_WARNED: Final = 20
MAX_REPORTED: Final = 200
"""Lines that count for nothing, as the report of a release has them; the rest is counted."""


class BadSite(BadRequest):
    """The files are no site."""

    code = "bad_site"


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """A release that is in the store and nowhere else yet."""

    key: str
    release: Release
    rules: SiteRules
    size: int
    report: Mapping[str, Any]
    functions: MadeFunctions = NONE


class Told(Protocol):
    """Hears how far a deploy is. `count` is called from other threads, too."""

    def step(self, text: str) -> None: ...

    def count(self, done: int, total: int | None = None) -> None: ...


class Untold:
    """Nobody watches."""

    def step(self, text: str) -> None:
        pass

    def count(self, done: int, total: int | None = None) -> None:
        pass


Check = Callable[[Mapping[str, int]], None]
"""Told the bytes of a release, by hash the size, before any is taken into the store. Called in another thread; may
raise `V8BoxError`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What there is in a folder: by path the files to serve and their sizes, and the rules."""

    files: Mapping[str, Path]
    sizes: Mapping[str, int]
    rules: SiteRules


async def look(folder: Path, settings: Mapping[str, Any]) -> Looked:
    """`settings`: what is set for the site outside of its files. Raises `BadSite`, `SiteRulesError`,
    `PayloadTooLarge`."""
    return await asyncio.to_thread(_look, folder, settings)


async def take(
    blobs: FolderBlobs, site: str, looked: Looked, functions: MadeFunctions, *, check: Check, told: Told
) -> Built:
    """The release, its files taken into the store. Raises `BadSite`, and what `check` raises."""
    files = looked.files
    check_not_empty(files, functions)
    told.step(f"storing {len(files)} files")

    def count(done: int) -> None:
        told.count(done, len(files))

    keys = await blobs.adopt(list(files.values()), check=check, on_file=count)
    stored = {path: Stored(key, looked.sizes[path]) for path, key in zip(files, keys, strict=True)}
    return await finish(blobs, site, stored, looked.rules, functions)


def check_not_empty(files: Collection[str], functions: MadeFunctions) -> None:
    """Raises `BadSite`."""
    if not files and not functions.mounts:
        raise BadSite("There is no file to serve: a site has an index.html at least")


async def finish(
    blobs: FolderBlobs, site: str, stored: Mapping[str, Stored], rules: SiteRules, functions: MadeFunctions
) -> Built:
    """The release of files that are in the store already."""

    def make() -> tuple[Release, bytes]:  # a hundred thousand files take a while, and others go on meanwhile
        assets = {path: Asset(each, content_type(path)) for path, each in sorted(stored.items())}
        release = Release(
            site=site,
            number=0,
            at=int(time.time()),
            files=assets,
            redirects=tuple(rules.redirects),
            headers=tuple(rules.headers),
            settings=msgspec.structs.replace(rules.settings, mounts=rules.settings.mounts + functions.mounts),
            own=rules.own,
        )
        return release, encode(release)

    release, data = await asyncio.to_thread(make)
    size = sum(each.size for each in stored.values())
    key = await blobs.put(data)
    report = _report(release.files, rules, functions)
    return Built(key=key, release=release, rules=rules, size=size, report=report, functions=functions)


def with_settings(release: Release, settings: SiteSettings) -> Release:
    """The same files with what is set for the site, but for what its own file says, and with its functions. Files that
    were made smaller are what they were when that changes: they are looked at anew."""
    own = set(release.own or ()) & set(SiteSettings.__struct_fields__)
    kept = {name: getattr(release.settings, name) for name in own}
    functions = tuple(mount for mount in release.settings.mounts if mount.version)
    if "mounts" in kept:
        kept["mounts"] = tuple(mount for mount in release.settings.mounts if not mount.version)
    made = msgspec.structs.replace(settings, **kept)
    made = msgspec.structs.replace(made, mounts=made.mounts + functions)
    files = release.files
    if made.optimise != release.settings.optimise:
        files = {path: Asset(each.deployed, each.type) for path, each in files.items()}
    return msgspec.structs.replace(release, settings=made, files=files, at=int(time.time()))


def check_path(path: str) -> None:
    """Whether a file of a site may be called so: `/a/b.html`. Raises `BadSite`."""
    parts = path.split("/")
    fine = path.startswith("/") and path.isprintable() and "\\" not in path and len(path.encode()) <= MAX_PATH_BYTES
    if not fine or any(part in ("", ".", "..") for part in parts[1:]):
        raise BadSite(f"{path[:200]!r} is no path of a file of a site")


def check_paths(paths: Collection[str]) -> None:
    """Whether a site may have all these files. Raises `BadSite`."""
    folded: dict[str, str] = {}
    for path in paths:
        check_path(path)
        if (other := folded.setdefault(path.casefold(), path)) != path:
            raise _same(path, other)


def _same(path: str, other: str) -> BadSite:
    return BadSite(f"{path[1:]} and {other[1:]} differ in case only, and not every system can keep both")


def is_served(path: str) -> bool:
    """Whether a file is part of what visitors see: hidden files, rules, functions and others' code for servers are
    not."""
    if path in RULE_FILES or is_function_file(path) or is_foreign(path):
        return False
    return not any(
        (part.startswith(".") and part != ".well-known") or part == "node_modules" for part in path.split("/")
    )


def is_foreign(path: str) -> bool:
    """Whether a file is what Cloudflare Pages would run instead of the files, or how."""
    return path.split("/", 2)[1] == "_worker.js" or path == "/_routes.json"


def tell_of_foreign(rules: SiteRules, paths: Collection[str]) -> None:
    """Notes that what would be run elsewhere is not here."""
    if any(path.split("/", 2)[1] == "_worker.js" for path in paths):
        reason = "it is neither run nor served: make functions of it (functions/), or mount a worker"
        rules.ignored.append(SiteLine(file="/_worker.js", line=1, text="", reason=reason))


def read_text(data: bytes, path: str) -> str:
    """A rule file as text. Raises `SiteRulesError`."""
    if len(data) > MAX_RULE_BYTES:
        raise SiteRulesError(f"{path[1:]} is larger than {MAX_RULE_BYTES // 1024**2} MB")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise SiteRulesError(f"{path[1:]} is not text in UTF-8") from error


def _look(folder: Path, settings: Mapping[str, Any]) -> Looked:
    """What there is to serve, by path, its sizes, and the rules. Links are never followed: what they lead to is not the
    site's."""
    found: dict[str, Path] = {}
    sizes: dict[str, int] = {}
    folded: dict[str, str] = {}
    foreign: list[str] = []
    for parent, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            file = Path(parent, name)
            path = "/" + file.relative_to(folder).as_posix()
            status = file.lstat()
            if is_foreign(path):
                foreign.append(path)
            if not stat.S_ISREG(status.st_mode) or not is_served(path):
                continue
            check_path(path)
            if (other := folded.setdefault(path.casefold(), path)) != path:
                raise _same(path, other)
            found[path] = file
            sizes[path] = status.st_size
            if len(found) > MAX_FILES:
                raise PayloadTooLarge(f"A site has up to {MAX_FILES:,} files")

    def read(path: str) -> str | None:
        file = folder / path[1:]
        if file.is_symlink() or not file.is_file():
            return None
        return read_text(file.read_bytes(), path)

    rules = read_rules(read, settings)
    tell_of_foreign(rules, foreign)
    return Looked(files=found, sizes=sizes, rules=rules)


def _report(assets: Mapping[str, Asset], rules: SiteRules, functions: MadeFunctions) -> dict[str, Any]:
    told: Sequence[Any] = [asdict(each) for each in rules.ignored[:MAX_REPORTED]]
    return {
        "redirects": len(rules.redirects),
        "headers": len(rules.headers),
        "ignored": told,
        "ignored_count": len(rules.ignored),
        "warnings": _warnings(assets, rules, functions),
        "functions": list(functions.report),
    }


def _warnings(assets: Mapping[str, Asset], rules: SiteRules, functions: MadeFunctions) -> list[str]:
    """What is right by the letter, and hardly meant so."""
    warnings = []
    if "/index.html" not in assets and not any(mount.pattern in ("/", "/*") for mount in functions.mounts):
        warnings.append("There is no index.html: the site's own address shows nothing.")
    hosts = {urlsplit(rule.target).hostname or "" for rule in rules.redirects if rule.proxies}
    warnings += [
        f"Rules with status 200 lead to {host}, which is none of proxy_hosts: visitors get 502."
        for host in sorted(hosts - set(rules.settings.proxy_hosts))[:MAX_WARNED]
    ]
    if any("role" in rule.conditions for rule in rules.redirects):
        warnings.append("Rules with Role= never fit: the box knows no visitors.")
    return warnings
