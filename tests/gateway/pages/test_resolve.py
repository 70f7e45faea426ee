"""Which file a path means, for each of Cloudflare's ways of handling HTML."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from v8box.gateway.pages.release import Asset, HtmlHandling, NotFoundHandling, Release, SiteSettings, Stored
from v8box.gateway.pages.resolve import decode_path, encode_path, find, is_hashed, not_found

FILES = ("/index.html", "/file.html", "/folder/index.html", "/both.html", "/both/index.html", "/app.js", "/404.html",
         "/docs/404.html", "/docs/a/b.html", "/foo", "/foo.html")  # fmt: skip


def release(html: HtmlHandling = "auto-trailing-slash", missing: NotFoundHandling = "404-page") -> Release:
    files = {path: Asset(Stored("0" * 64, 1), "text/html") for path in FILES}
    return Release("s", 1, 0, files, settings=SiteSettings(html_handling=html, not_found_handling=missing))


def means(html: HtmlHandling, path: str) -> str | None:
    """The file, `-> place` for a redirect, None for nothing."""
    found = find(release(html), path)
    if found is None:
        return None
    return found.path if found.asset is not None else f"-> {found.path}"


@pytest.mark.parametrize(
    ("path", "auto", "force", "drop", "none"),
    [
        ("/", "/index.html", "/index.html", "/index.html", None),
        ("/index", "-> /", "-> /index/", "/index.html", None),
        ("/index.html", "-> /", "-> /", "-> /", "/index.html"),
        ("/file", "/file.html", "-> /file/", "/file.html", None),
        ("/file/", "-> /file", "/file.html", "-> /file", None),
        ("/file.html", "-> /file", "-> /file/", "-> /file", "/file.html"),
        ("/file/index", "-> /file", None, None, None),
        ("/file/index.html", "-> /file", None, None, None),
        ("/folder", "-> /folder/", "-> /folder/", "/folder/index.html", None),
        ("/folder/", "/folder/index.html", "/folder/index.html", "-> /folder", None),
        ("/folder/index", "-> /folder/", None, "/folder/index.html", None),
        ("/folder/index.html", "-> /folder/", "-> /folder/", "-> /folder", "/folder/index.html"),
        ("/folder.html", "-> /folder/", None, None, None),
        ("/both", "/both.html", "-> /both/", "/both.html", None),
        ("/both/", "/both/index.html", "/both/index.html", "-> /both", None),
        ("/app.js", "/app.js", "/app.js", "/app.js", "/app.js"),
        ("/app.js/", None, None, None, None),
        ("/foo", "/foo", "/foo", "/foo", "/foo"),
        ("/nothing", None, None, None, None),
        ("//", None, None, None, None),
        ("/../index.html", None, None, None, None),
    ],
)
def test_what_a_path_means(path: str, auto: str | None, force: str | None, drop: str | None, none: str | None) -> None:
    assert means("auto-trailing-slash", path) == auto
    assert means("none", path) == none
    if path != "/folder/index":
        assert means("drop-trailing-slash", path) == drop
    if path not in ("/index", "/folder/index"):
        assert means("force-trailing-slash", path) == force


@given(st.text(alphabet="/.abfilendxhtmo", max_size=25), st.sampled_from(get_args(HtmlHandling)))
def test_a_redirect_leads_to_a_file_at_once(path: str, html: HtmlHandling) -> None:
    found = find(release(html), "/" + path)
    if found is not None and found.asset is None:
        after = find(release(html), found.path)
        assert after is not None
        assert after.asset is not None, f"{path} -> {found.path} -> {after.path}"


@pytest.mark.parametrize(
    ("missing", "path", "page", "status"),
    [
        ("404-page", "/nothing", "/404.html", 404),
        ("404-page", "/docs/x", "/docs/404.html", 404),
        ("404-page", "/docs/a/x/y", "/docs/404.html", 404),
        ("404-page", "/other/x", "/404.html", 404),
        ("single-page-application", "/docs/x", "/index.html", 200),
        ("single-page-application", "/users/ada.lovelace", "/index.html", 200),
        ("single-page-application", "/assets/index-B4c9xK2f.js", None, 0),
        ("none", "/nothing", None, 0),
    ],
)
def test_what_stands_for_what_is_not_there(missing: NotFoundHandling, path: str, page: str | None, status: int) -> None:
    found = not_found(release(missing=missing), path)
    assert (found.path, found.status) == (page, status) if found is not None else page is None


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        ("/a%20b", "/a b"),
        ("/caf%C3%A9", "/caf\u00e9"),
        ("/caf\u00c3\u00a9", "/caf\u00e9"),
        ("/%00", None),
        ("/%ff", None),
        ("*", None),
        ("/%2e%2e/x", "/../x"),
    ],
)
def test_paths_are_text(raw: str, path: str | None) -> None:
    assert decode_path(raw) == path


@given(st.text(max_size=30))
def test_a_path_comes_back_as_it_was_and_never_as_a_host(text: str) -> None:
    path = "/" + text
    coded = encode_path(path)
    assert not coded.startswith("//")
    assert coded.isascii()
    if not text.startswith("/") and "\0" not in text:
        assert decode_path(coded) == path


@pytest.mark.parametrize(
    ("path", "hashed"),
    [
        ("/app.4f2a9c31.js", True),
        ("/static/main_0a1b2c3d4e.css", True),
        ("/assets/index-DoDjaP3-.css", True),
        ("/assets/index-_BNQRaFh.js", True),
        ("/assets/deep/about-CkXnqYXd.js", True),
        ("/assets/index-_BNQRaFh.html", False),
        ("/about-CkXnqYXd.js", False),
        ("/assets/my-component.js", False),
        ("/assets/logo-AppStore.svg", False),
        ("/assets/my-app-icon-big.svg", False),
        ("/assets/app.js", False),
        ("/index.html", False),
    ],
)
def test_a_name_with_a_hash_is_told_from_words(path: str, hashed: bool) -> None:
    assert is_hashed(path) is hashed
