"""A site of many pages, as Jekyll makes them: addresses without .html, redirects, pages that are not there, headers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import expect
from tests.browser.conftest import Visit

RED = "rgb(160, 32, 32)"
"""What the style sheet gives headings."""


def test_links_between_pages_lead_where_they_say(visit: Visit, picture: Callable[[str], Path]) -> None:
    visit.open("docs")
    heading = visit.page.locator("h1")
    for link, title, path in [
        ("Docs", "Docs", "/docs/"),
        ("Intro", "Intro", "/docs/intro"),
        ("About", "About", "/about"),
        ("Start", "Start", "/"),
        ("Docs", "Docs", "/docs/"),
        ("Guide", "Guide", "/docs/guide/"),
        ("Intro", "Intro", "/docs/intro"),
    ]:
        visit.page.get_by_role("link", name=link, exact=True).click()
        expect(heading).to_have_text(title)
        expect(visit.page).to_have_url(visit.url("docs", path))
        expect(heading).to_have_css("color", RED)  # the style sheet was found from here
    picture("intro")
    assert visit.errors == []


@pytest.mark.parametrize(
    ("asked", "path", "title"),
    [
        ("/about.html", "/about", "About"),
        ("/about/", "/about", "About"),
        ("/docs", "/docs/", "Docs"),
        ("/docs/index.html", "/docs/", "Docs"),
        ("/docs/intro/", "/docs/intro", "Intro"),
        ("/docs/guide?page=2", "/docs/guide/?page=2", "Guide"),
        ("/old/intro", "/docs/intro", "Intro"),
        ("/old/guide/", "/docs/guide/", "Guide"),
        ("/today", "/docs/intro", "Intro"),
        ("/chapter/intro", "/chapter/intro", "Intro"),
    ],
)
def test_an_address_ends_where_its_page_is(visit: Visit, asked: str, path: str, title: str) -> None:
    response = visit.open("docs", asked)
    assert (response.status, visit.page.url) == (200, visit.url("docs", path))
    expect(visit.page.locator("h1")).to_have_text(title)


def test_the_status_of_a_redirect_is_the_rules(visit: Visit) -> None:
    visit.open("docs", "/old/intro")
    visit.open("docs", "/today")
    assert visit.statuses(visit.url("docs", "/old/intro")) == [301]
    assert visit.statuses(visit.url("docs", "/today")) == [302]


def test_the_nearest_404_page_tells_what_is_not_there(visit: Visit, picture: Callable[[str], Path]) -> None:
    heading = visit.page.locator("h1")
    for path, title in [("/docs/missing/page", "No such chapter"), ("/missing", "Not found")]:
        assert visit.open("docs", path).status == 404
        expect(heading).to_have_text(title)
        expect(heading).to_have_css("color", RED)
        picture(title.replace(" ", "-"))


def test_headers_of_the_site_reach_the_browser_and_bind_it(visit: Visit) -> None:
    start = visit.open("docs")
    assert (start.header_value("x-made-by"), start.header_value("x-part")) == ("hand", None)
    visit.page.add_script_tag(content="window.ran = true")
    assert visit.page.evaluate("window.ran") is True
    part = visit.open("docs", "/docs/intro")
    assert (part.header_value("x-made-by"), part.header_value("x-part")) == ("hand", "docs")
    visit.page.evaluate("document.head.append(Object.assign(document.createElement('script'), {text: 'ran = true'}))")
    assert visit.page.evaluate("window.ran") is None
    assert any("Content Security Policy" in error for error in visit.errors)
