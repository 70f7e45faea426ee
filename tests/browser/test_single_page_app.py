"""An app that Vite has built, served as one page: what a visitor does with it works."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import expect
from tests.browser.conftest import Visit

IMMUTABLE = "public, max-age=31536000, immutable"


def test_a_visitor_walks_through_the_app(visit: Visit, picture: Callable[[str], Path]) -> None:
    visit.open("shop")
    heading = visit.page.locator("h1")
    expect(heading).to_have_text("Home")
    visit.page.get_by_text("Product 7").click()
    expect(heading).to_have_text("Product 7")
    expect(visit.page).to_have_url(visit.url("shop", "/products/7"))
    visit.page.get_by_text("About").click()
    expect(heading).to_have_text("About")
    assert visit.page.evaluate("document.querySelector('img').naturalWidth") > 0
    picture("about")
    visit.page.go_back()
    expect(heading).to_have_text("Product 7")
    visit.page.reload()
    expect(heading).to_have_text("Product 7")
    assert visit.errors == []


@pytest.mark.parametrize("path", ["/about", "/products/42", "/products/42?from=mail"])
def test_a_link_into_the_app_opens_its_view(visit: Visit, path: str) -> None:
    response = visit.open("shop", path)
    assert (response.status, response.header_value("content-type")) == (200, "text/html; charset=utf-8")
    expect(visit.page.locator("h1")).to_have_text("About" if path == "/about" else "Product 42")
    assert visit.errors == []


def test_files_with_a_hash_are_kept_and_the_page_is_asked_for_anew(visit: Visit) -> None:
    visit.open("shop", "/about")
    expect(visit.page.locator("h1")).to_have_text("About")
    kept = {response.url: response.header_value("cache-control") for response in visit.responses}
    assets = {url: value for url, value in kept.items() if "/assets/" in url}
    assert {re.sub(r"-.{8}\.", ".", url.rpartition("/")[2]) for url in assets} == {
        "about.js",
        "index.css",
        "index.js",
        "logo.svg",
    }
    assert set(assets.values()) == {IMMUTABLE}
    assert kept[visit.url("shop", "/about")] == "public, max-age=0, must-revalidate"
    visit.responses.clear()
    visit.page.reload()
    expect(visit.page.locator("h1")).to_have_text("About")
    assert visit.url("shop", "/about") in {response.url for response in visit.responses}


def test_a_script_that_is_gone_is_no_page(visit: Visit) -> None:
    """Else a browser with an old page would run HTML as a script."""
    visit.open("shop")
    told = visit.page.evaluate(
        """async () => {
            const answer = await fetch("/assets/index-a1b2c3d4.js");
            return [answer.status, answer.headers.get("content-type")];
        }"""
    )
    assert told[0] == 404
    assert not told[1].startswith("text/html")
