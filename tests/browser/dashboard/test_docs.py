"""The documentation in the dashboard: found by the palette, read without a network."""

from __future__ import annotations

import re

import httpx
from playwright.sync_api import expect
from tests.browser.dashboard.conftest import ROOT, Dash


def test_a_heading_is_found_and_read(dash: Dash) -> None:
    page = dash.open("/docs")
    dash.look("docs")
    page.get_by_label("Find in headings").fill("nothing is called so")
    expect(page.get_by_text("No heading has this in it")).to_be_visible()
    page.keyboard.press("ControlOrMeta+k")
    page.get_by_role("combobox").fill("promoting and rolling")
    page.get_by_role("option", name=re.compile("Promoting and rolling back")).click()
    expect(page.get_by_role("heading", name="Versions and deployments", level=1)).to_be_visible()
    expect(page.get_by_role("heading", name="Promoting and rolling back", level=2)).to_be_in_viewport()
    dash.look("doc")
    page.get_by_role("article").get_by_role("link", name="How it works").first.or_(
        page.get_by_role("article").get_by_role("link").first
    ).first.click()
    expect(page.get_by_role("heading", level=1)).to_be_visible()


def test_every_page_of_the_guide_is_there_and_shown(dash: Dash, admin: httpx.Client) -> None:
    page = dash.open("/docs")
    pages = [*(ROOT / "docs").glob("*.md"), *(ROOT / "docs" / "bindings").glob("*.md")]
    expect(page.locator("main li > a")).to_have_count(len(pages) - 1)  # README
    for name in ("manifest", "bindings/db", "api-reference"):
        page = dash.open(f"/docs/{name}")
        expect(page.get_by_role("article").get_by_role("heading").first).to_be_visible()
    dash.open("/docs/nothing")
    expect(page.get_by_text("There is no such page")).to_be_visible()
