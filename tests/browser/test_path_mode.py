"""Where no domain is set, everything is at one host: pages of sites do not get at the box's own there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import expect
from tests.browser.conftest import Visit

COOKIE = "v8box_probe"


@pytest.mark.parametrize("path", ["", "/", "/?from=mail"])
def test_a_path_leads_a_browser_to_the_sites_own_host(visit: Visit, picture: Callable[[str], Path], path: str) -> None:
    visit.page.goto(f"http://localhost:{visit.port}/pages/blog{path}")
    expect(visit.page).to_have_url(visit.url("blog", path or "/"))
    expect(visit.page.locator("#origin")).to_have_text(f"http://blog.localhost:{visit.port}")
    picture("blog")
    assert visit.errors == []


def test_at_an_address_without_hosts_a_page_has_no_origin(visit: Visit, picture: Callable[[str], Path]) -> None:
    """There is no other host to lead to, so the page is confined where it is."""
    visit.page.goto(f"http://127.0.0.1:{visit.port}/pages/blog/")
    expect(visit.page.locator("h1")).to_have_css("color", "rgb(0, 96, 48)")
    expect(visit.page.locator("#origin")).to_have_text("null")
    picture("sandboxed")
    told = visit.page.evaluate("() => { try { return document.cookie; } catch (error) { return error.name; } }")
    assert told == "SecurityError"


@pytest.mark.parametrize("host", ["blog.localhost", "127.0.0.1"])
def test_a_page_cannot_read_the_admin_api(visit: Visit, host: str) -> None:
    own = "localhost" if host.endswith("localhost") else host
    place = f"http://{host}:{visit.port}" + ("/" if own != host else "/pages/blog/")
    visit.page.goto(place)
    told = visit.page.evaluate(
        "url => fetch(url, {credentials: 'include'}).then(answer => answer.status, error => error.name)",
        f"http://{own}:{visit.port}/api/v1/session",
    )
    assert told == "TypeError", "the browser let the page read an answer of the admin API"


@pytest.mark.parametrize("same_site", ["Lax", "Strict"])
def test_a_page_does_not_carry_the_admins_cookies(visit: Visit, same_site: Literal["Lax", "Strict"]) -> None:
    """A cookie of the admin's host goes to that host only, so it is neither sent to a site nor seen there."""
    visit.page.context.add_cookies(
        [{"name": COOKIE, "value": "secret", "url": f"http://localhost:{visit.port}", "sameSite": same_site}]
    )
    visit.open("blog")
    assert COOKIE not in visit.page.evaluate("document.cookie")
    assert all(COOKIE not in (each.request.all_headers().get("cookie") or "") for each in visit.responses)
    # The probe is sent where it belongs: the test would see it.
    with visit.page.expect_request(lambda request: request.url.endswith("/health")) as sent:
        visit.page.goto(f"http://localhost:{visit.port}/health")
    assert COOKIE in sent.value.all_headers().get("cookie", "")
