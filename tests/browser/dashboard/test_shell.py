"""The dashboard's frame: signing in, finding the way, themes, languages, the phone, and what a first visit loads."""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Callable
from pathlib import Path

import httpx
import pyotp
import pytest
from playwright.sync_api import BrowserContext, Page, expect
from tests.browser.dashboard import shots
from tests.browser.dashboard.conftest import PASSWORD, Dash
from tests.e2e.box import RunningBox

from v8box.api.dashboard import BUILT

FIRST_LOAD_BYTES = 250_000


def sign_in(page: Page, password: str, user: str = "admin") -> None:
    page.get_by_label("User name").fill(user)
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_role("button", name="Sign in").click()


def test_signing_in_leads_back_to_where_one_wanted_to_go(arrive: Callable[..., Dash]) -> None:
    dash = arrive()
    page = dash.open("/projects/default?tab=a#b")
    expect(page).to_have_url(re.compile(r"/admin/sign-in\?next="))
    dash.look("sign-in")
    sign_in(page, "not it")
    expect(page.get_by_role("alert")).to_contain_text("password")
    dash.look("sign-in-refused")
    sign_in(page, PASSWORD)
    expect(page.get_by_role("heading", name="Overview", level=1)).to_be_visible()
    expect(page).to_have_url(dash.url("/projects/default?tab=a#b"))


@pytest.mark.parametrize("next_", ["//example.com/", "https://example.com/", "/\\example.com", "javascript:alert(1)"])
def test_signing_in_leads_nowhere_else(arrive: Callable[..., Dash], next_: str) -> None:
    dash = arrive()
    page = dash.open(f"/sign-in?next={urllib.parse.quote(next_, safe='')}")
    sign_in(page, PASSWORD)
    expect(page).to_have_url(dash.url("/projects/default"))


def test_a_second_factor_is_asked_for_after_the_password(
    arrive: Callable[..., Dash], admin: httpx.Client, box: RunningBox
) -> None:
    name, password = "two-steps@example.com", "a sentence is good"
    admin.post("/api/v1/users", json={"name": name, "password": password}).raise_for_status()
    with httpx.Client(base_url=f"http://localhost:{box.port}", trust_env=False, timeout=60) as own:
        own.post("/api/v1/session", json={"username": name, "password": password}).raise_for_status()
        own.put("/api/v1/session/password", json={"present": password, "password": password + "!"}).raise_for_status()
        secret = own.post("/api/v1/session/totp", json={"password": password + "!"}).json()["secret"]
        confirm = {"code": pyotp.TOTP(secret).now()}
        recovery = own.post("/api/v1/session/totp/confirm", json=confirm).json()["recovery_codes"]
    dash = arrive()
    page = dash.open("/sign-in")
    sign_in(page, password + "!", name)
    expect(page.get_by_role("heading", name="One more step")).to_be_visible()
    dash.look("second-factor")
    page.get_by_label("Code").fill("000000")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_be_visible()
    page.get_by_label("Code").fill(recovery[0])
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("button", name=re.compile("Account"))).to_be_visible()


def test_a_temporary_password_is_replaced_before_anything_else(
    arrive: Callable[..., Dash], admin: httpx.Client
) -> None:
    made = admin.post("/api/v1/users", json={"name": "fresh@example.com", "roles": {"default": "viewer"}}).json()
    dash = arrive()
    page = dash.open("/sign-in")
    sign_in(page, made["temporary_password"], "fresh@example.com")
    expect(page.get_by_role("heading", name="Choose a password of your own")).to_be_visible()
    dash.look("new-password")
    page.get_by_label("Current password").fill(made["temporary_password"])
    page.get_by_label("New password", exact=True).fill("a sentence is good")
    page.get_by_label("New password again").fill("a sentence is bad")
    expect(page.get_by_role("alert")).to_contain_text("not the same")
    page.get_by_label("New password again").fill("a sentence is good")
    page.get_by_role("button", name="Change the password").click()
    expect(page.get_by_role("heading", name="Overview", level=1)).to_be_visible()


def test_when_a_session_ends_elsewhere_the_sign_in_is_shown(arrive: Callable[..., Dash], box: RunningBox) -> None:
    with httpx.Client(base_url=f"http://localhost:{box.port}", trust_env=False, timeout=60) as other:
        other.post("/api/v1/session", json={"username": "admin", "password": PASSWORD}).raise_for_status()
        dash = arrive(other)
        page = dash.open("/projects/default")
        other.delete("/api/v1/session").raise_for_status()
    page.get_by_role("link", name="Variables").click()
    expect(page).to_have_url(re.compile(r"/sign-in\?next="))


def test_signing_out_leaves_nothing_behind(arrive: Callable[..., Dash], box: RunningBox) -> None:
    with httpx.Client(base_url=f"http://localhost:{box.port}", trust_env=False, timeout=60) as own:
        own.post("/api/v1/session", json={"username": "admin", "password": PASSWORD}).raise_for_status()
        dash = arrive(own)
    page = dash.open("/projects/default")
    page.get_by_role("button", name="Account: admin").click()
    page.get_by_role("menuitem", name="Sign out").click()
    expect(page.get_by_label("User name")).to_be_visible()
    page.goto(dash.url("/projects/default"))
    expect(page.get_by_label("User name")).to_be_visible()


def test_the_palette_goes_anywhere_and_the_keys_are_on_a_sheet(dash: Dash) -> None:
    page = dash.open("/projects/default/variables/%E0%A4")  # no address, but a place that one was at
    page = dash.open("/nothing-here")
    dash.look("not-found")
    page.keyboard.press("Control+k")
    expect(page.get_by_role("combobox")).to_be_focused()
    dash.look("palette")
    for typed, best in (("hello", "hello"), ("new w", "New worker"), ("logs hello", "Follow the log of hello")):
        page.get_by_role("combobox").fill(typed)  # the worker comes later than headings with such letters
        expect(page.get_by_role("option", selected=True)).to_have_text(best)
        expect(page.get_by_role("option").first).to_have_text(best)
    page.get_by_role("combobox").fill("overv")
    page.keyboard.press("Enter")
    expect(page).to_have_url(dash.url("/projects/default"))
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    dash.look("shortcuts")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_a_box_that_does_not_answer_is_told_until_it_does(dash: Dash) -> None:
    page = dash.open("/projects/default")
    page.route("**/api/v1/**", lambda route: route.abort())
    page.get_by_role("link", name="Variables").click()
    told = page.get_by_text("The box does not answer. What you see is from before")
    expect(told).to_be_visible()
    dash.look("unreachable")
    page.unroute("**/api/v1/**")
    expect(told).to_have_count(0)
    expect(page.get_by_role("alert")).to_have_count(0)  # the page was read anew
    dash.errors.clear()  # of the requests that came to nothing


def test_who_has_a_role_elsewhere_begins_there(
    arrive: Callable[..., Dash], admin: httpx.Client, box: RunningBox
) -> None:
    admin.post("/api/v1/projects", json={"name": "away"}).raise_for_status()
    name, password = "only-away", "a sentence is good"
    admin.post(
        "/api/v1/users", json={"name": name, "password": password, "roles": {"away": "viewer"}}
    ).raise_for_status()
    with httpx.Client(base_url=f"http://localhost:{box.port}", trust_env=False, timeout=60) as own:
        own.post("/api/v1/session", json={"username": name, "password": password}).raise_for_status()
        own.put("/api/v1/session/password", json={"present": password, "password": password + "!"}).raise_for_status()
        dash = arrive(own)
    page = dash.open("/")
    expect(page).to_have_url(dash.url("/projects/away"))
    page = dash.open("/sign-in")  # is signed in already
    expect(page).to_have_url(dash.url("/projects/away"))
    page.evaluate("localStorage.clear()")
    page = dash.open("/account")
    expect(page.get_by_role("button", name="Switch project: away")).to_be_visible()


def test_the_theme_is_there_before_the_first_paint_and_stays(dash: Dash) -> None:
    page = dash.open("/projects/default")
    page.get_by_role("button", name="Account: admin").click()
    page.get_by_role("menuitem", name="Dark").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    # Without the app there is still the theme: `boot.js` has set it.
    page.route("**/assets/*.js", lambda route: route.abort())
    page.goto(dash.url("/projects/default"))
    assert page.locator("html").get_attribute("data-theme") == "dark"
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(12, 13, 16)"
    dash.errors.clear()  # that the scripts were not loaded


def test_it_speaks_bahasa_indonesia(arrive: Callable[..., Dash], admin: httpx.Client) -> None:
    page = arrive(locale="id-ID").open("/sign-in")
    page.get_by_label("Kata sandi", exact=True).fill("bukan ini")
    page.get_by_role("button", name="Masuk").click()
    expect(page.get_by_role("alert")).to_have_text("Nama pengguna, kata sandi, atau kodenya tidak benar.")
    page = arrive(admin, locale="id-ID").open("/projects/default")
    expect(page.get_by_role("heading", name="Ikhtisar", level=1)).to_be_visible()
    assert page.locator("html").get_attribute("lang") == "id"
    page.get_by_role("button", name="Akun: admin").click()
    page.get_by_role("menuitem", name="English").click()
    expect(page.get_by_role("heading", name="Overview", level=1)).to_be_visible()


def test_on_a_phone_the_navigation_is_a_drawer_and_nothing_is_too_wide(
    arrive: Callable[..., Dash], admin: httpx.Client
) -> None:
    dash = arrive(admin, viewport=shots.PHONE, has_touch=True)
    page = dash.open("/projects/default")
    assert page.evaluate("document.documentElement.scrollWidth") <= shots.PHONE["width"]
    page.get_by_role("button", name="Open the navigation").click()
    drawer = page.get_by_role("dialog", name="Navigation")
    drawer.get_by_role("link", name="Overview").click()
    expect(drawer).to_have_count(0)


def test_a_first_visit_loads_little_script(dash: Dash) -> None:
    page = dash.open("/projects/default")
    loaded = page.evaluate("() => performance.getEntriesByType('resource').map(each => new URL(each.name).pathname)")
    scripts = {path for path in loaded if path.endswith(".js")}
    files = [BUILT / path.removeprefix("/admin/") for path in scripts]
    sizes = [file.with_name(file.name + ".gz") for file in files]
    assert len(scripts) > 3
    total = sum((size if size.exists() else file).stat().st_size for file, size in zip(files, sizes, strict=True))
    assert total <= FIRST_LOAD_BYTES
    elsewhere = [
        each
        for each in page.evaluate("() => performance.getEntriesByType('resource').map(e => e.name)")
        if not each.startswith(f"http://localhost:{dash.box.port}/")
    ]
    assert elsewhere == []


def test_on_the_admins_own_host_it_begins_at_the_root(
    new_context: Callable[..., BrowserContext], box: RunningBox
) -> None:
    page = new_context().new_page()
    page.goto(f"http://admin.localhost:{box.port}/")
    sign_in(page, PASSWORD)
    expect(page).to_have_url(f"http://admin.localhost:{box.port}/projects/default")
    page.reload()
    expect(page.get_by_role("heading", name="Overview", level=1)).to_be_visible()
    assert page.evaluate("() => fetch('/health').then(answer => answer.json())")["status"] == "ok"


def test_by_path_the_root_leads_a_browser_to_it(new_context: Callable[..., BrowserContext], box: RunningBox) -> None:
    page = new_context().new_page()
    page.goto(f"http://localhost:{box.port}/")
    expect(page).to_have_url(re.compile(rf"http://localhost:{box.port}/admin/sign-in"))


def test_it_can_be_installed_and_says_so_when_the_box_is_away(
    new_context: Callable[..., BrowserContext], box: RunningBox, tmp_path: Path
) -> None:
    context = new_context()
    page = context.new_page()
    page.goto(f"http://localhost:{box.port}/admin/sign-in")
    page.evaluate("() => navigator.serviceWorker.ready.then(() => true)")
    manifest = page.request.get(page.locator("link[rel=manifest]").evaluate("link => link.href"))
    assert manifest.json()["start_url"] == "./"
    page.wait_for_function("() => navigator.serviceWorker.controller !== null")
    context.set_offline(True)
    page.goto(f"http://localhost:{box.port}/admin/projects/default")
    expect(page.get_by_role("heading", name="The box does not answer")).to_be_visible()


def test_another_project_is_chosen_and_the_area_stays(dash: Dash, admin: httpx.Client) -> None:
    admin.post("/api/v1/projects", json={"name": "other"}).raise_for_status()
    page = dash.open("/projects/default/variables")
    page.get_by_role("button", name="Switch project: default").click()
    page.get_by_role("option", name="other", exact=True).click()
    expect(page).to_have_url(dash.url("/projects/other/variables"))
    expect(page.get_by_text("No variables yet")).to_be_visible()
    page.goto(dash.url("/"))
    expect(page).to_have_url(dash.url("/projects/other"))
