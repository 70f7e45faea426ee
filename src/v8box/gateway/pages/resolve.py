"""Which file a path means: exact, pretty (`/about` for `/about.html`), a folder's index, and what stands for none.

The names and the rules of `html_handling` and `not_found_handling` are Cloudflare's. Paths are looked up among the
release's files and never touch a file system, so no path can lead out of the site.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, NamedTuple
from urllib.parse import quote, unquote_to_bytes

from v8box.gateway.pages.release import Asset, Release

_SAFE: Final = "/-._~!$&'()*+,;=:@"
_HASHED: Final = re.compile(
    r"[.\-_](?=[A-Za-z0-9_-]*[0-9])(?=[A-Za-z0-9_-]*[A-Za-z])[A-Za-z0-9_-]{8,64}\.[a-z0-9]{2,5}"
)
_LETTERS: Final = re.compile(r"/assets/(?:[^/]+/)*[^/]*-([A-Za-z_-]{8})\.[a-z0-9]{2,5}")
_WORDS: Final = re.compile(r"(?:[A-Z]?[a-z]{2,}|[-_])+")


class Found(NamedTuple):
    """The file to answer with, by its path; or, without one, the path to send the browser to."""

    path: str
    asset: Asset | None
    status: int


def decode_path(raw: str) -> str | None:
    """A path as files are called; None for what no file can be called."""
    try:
        data = raw.encode("latin-1")
        text = (unquote_to_bytes(data) if "%" in raw else data).decode("utf-8")
    except UnicodeError:
        return None
    return None if "\0" in text or not text.startswith("/") else text


def encode_path(path: str) -> str:
    """A file's path as it stands in a URL, never to be taken for a host."""
    text = quote(path, safe=_SAFE)
    return "/" + text.lstrip("/") if text.startswith("//") else text


def find(release: Release, path: str) -> Found | None:
    """What the decoded path means; None when there is nothing of that name."""
    files = release.files
    match release.settings.html_handling:
        case "none":
            return _named(files, path)
        case "force-trailing-slash":
            return _forced(files, path)
        case "drop-trailing-slash":
            return _dropped(files, path)
        case _:
            return _automatic(files, path)


def not_found(release: Release, path: str) -> Found | None:
    """The page that stands for what is not there; None when the site has none."""
    files = release.files
    if release.settings.not_found_handling == "single-page-application":
        if is_hashed(path):
            return None  # a page of an older release asks for its part: HTML in its place would be kept as a script
        index = files.get("/index.html")
        return None if index is None else Found("/index.html", index, 200)
    if release.settings.not_found_handling == "none":
        return None
    folder = path
    while folder:
        folder = folder.rpartition("/")[0]
        page = files.get(f"{folder}/404.html")
        if page is not None:
            return Found(f"{folder}/404.html", page, 404)
    return None


def is_hashed(path: str) -> bool:
    """Whether a file is called by its content, so that under this name it will never be another one. A hash of letters
    only (a quarter of Vite's) is told from words where bundlers put such files."""
    if path.endswith(".html"):
        return False
    if _HASHED.search(path) is not None:
        return True
    letters = _LETTERS.fullmatch(path)
    return letters is not None and _WORDS.fullmatch(letters[1]) is None


def _redirect(to: str) -> Found:
    return Found(to, None, 307)


def _automatic(files: Mapping[str, Asset], path: str) -> Found | None:
    """`/a` for a.html, `/a/` for a/index.html, each at one address."""
    if path.endswith("/index") and path not in files:
        folder = path.removesuffix("index")
        if folder + "index.html" in files:
            return _redirect(folder)
        if folder[:-1] + ".html" in files:
            return _redirect(folder[:-1])
    elif path.endswith("/index.html"):
        folder = path.removesuffix("index.html")
        if path in files:
            return _redirect(folder)
        if folder[:-1] + ".html" in files:
            return _redirect(folder[:-1])
    elif path.endswith("/"):
        if (asset := files.get(path + "index.html")) is not None:
            return Found(path + "index.html", asset, 200)
        if path[:-1] + ".html" in files:
            return _redirect(path[:-1])
    elif path.endswith(".html"):
        name = path.removesuffix(".html")
        if path in files and name not in files:
            return _redirect(name)
        if path not in files and name + "/index.html" in files:
            return _redirect(name + "/")
    if (asset := files.get(path)) is not None:
        return Found(path, asset, 200)
    if (asset := files.get(path + ".html")) is not None:
        return Found(path + ".html", asset, 200)
    return _redirect(path + "/") if path + "/index.html" in files else None


def _forced(files: Mapping[str, Asset], path: str) -> Found | None:
    """Pages at `/a/`, whether they are a.html or a/index.html."""
    if path.endswith("/"):
        for name in (path + "index.html", path[:-1] + ".html"):
            if (asset := files.get(name)) is not None and name != ".html":
                return Found(name, asset, 200)
        return None
    page = _page_of(path)
    if page is not None and path in files:
        return _redirect(page if page.endswith("/") else page + "/")
    if (asset := files.get(path)) is not None:
        return Found(path, asset, 200)
    there = path + ".html" in files or path + "/index.html" in files
    return _redirect(path + "/") if there else None


def _dropped(files: Mapping[str, Asset], path: str) -> Found | None:
    """Pages at `/a`, whether they are a.html or a/index.html; the site's own is `/`."""
    if path == "/":
        return _named(files, "/index.html")
    if path.endswith("/"):
        there = path + "index.html" in files or path[:-1] + ".html" in files
        return _redirect(path.rstrip("/") or "/") if there else None
    page = _page_of(path)
    if page is not None and path in files:
        return _redirect(page.rstrip("/") or "/")
    for name in (path, path + ".html", path + "/index.html"):
        if (found := _named(files, name)) is not None:
            return found
    return None


def _page_of(path: str) -> str | None:
    """`/a` of /a.html, `/a/` of /a/index.html; None for what is no page."""
    if path.endswith("/index.html"):
        return path.removesuffix("index.html")
    return path.removesuffix(".html") if path.endswith(".html") else None


def _named(files: Mapping[str, Asset], path: str) -> Found | None:
    asset = files.get(path)
    return None if asset is None else Found(path, asset, 200)
