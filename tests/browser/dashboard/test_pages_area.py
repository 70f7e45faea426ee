"""Sites in the dashboard: dropped, opened, deployed again, compared, rolled back; their rules, previews and domains."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.sync_api import Page, Route, expect
from tests.browser.dashboard.conftest import WAIT_MS, Dash

SITES = "/api/v1/projects/default/sites"
MARKUP = "<img src=x onerror=alert(1)> \U0001f600"
FUNCTION = 'export const onRequest = () => new Response("hello");\n'
RULES = "/old/*  /new/:splat  301\n/broken\n/here /there 302 Language=de\n"


def archive(files: dict[str, str]) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as packed:
        for name, text in files.items():
            packed.writestr(name, text)
    return held.getvalue()


def deploy(admin: httpx.Client, site: str, files: dict[str, str], message: str = "") -> None:
    admin.post(
        f"{SITES}/{site}/releases",
        params={"message": message},
        content=archive(files),
        headers={"content-type": "application/zip"},
    ).raise_for_status()


def drop(page: Page, name: str, data: bytes) -> None:
    """As if somebody let go of a file above the page."""
    transfer = page.evaluate_handle(
        """([name, bytes]) => {
          const data = new DataTransfer();
          data.items.add(new File([new Uint8Array(bytes)], name));
          return data;
        }""",
        [name, list(data)],
    )
    page.get_by_role("group", name="Files of the site").dispatch_event("drop", {"dataTransfer": transfer})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What a build wrote, with what no site serves beside it."""
    made = tmp_path / "My Blog"
    (made / "css").mkdir(parents=True)
    (made / "node_modules" / "left").mkdir(parents=True)
    (made / "index.html").write_text("<!doctype html><title>one</title><h1>The first</h1>")
    (made / "css" / "site.css").write_text("h1 { color: rgb(1, 2, 3); }")
    (made / "node_modules" / "left" / "pad.js").write_text("never")
    (made / ".env").write_text("SECRET=never")
    return made


def test_a_folder_becomes_a_site_and_goes_back(dash: Dash, admin: httpx.Client, folder: Path) -> None:
    page = dash.open("/projects/default/sites")
    page.get_by_role("link", name="New site").first.click()
    expect(page.get_by_role("button", name="Deploy")).to_be_disabled()
    page.locator("input[webkitdirectory]").set_input_files(folder)
    expect(page.get_by_label("Name")).to_have_value("my-blog")
    expect(page.get_by_text("2 files")).to_be_visible()  # without what no site serves
    page.get_by_label("Message").fill(MARKUP)
    dash.look("new-site")
    page.get_by_role("button", name="Deploy").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("#1 is live")
    files = admin.get(f"{SITES}/my-blog/releases/1/files").json()["items"]
    assert sorted(each["path"] for each in files) == ["/css/site.css", "/index.html"]
    for table in ("Releases", "What was live when"):
        row = page.get_by_role("table", name=table).get_by_role("row").filter(has_text=MARKUP)
        expect(row).to_be_visible()  # as text

    with page.context.expect_page() as opened:
        page.get_by_role("link", name=re.compile(r"^my-blog\.localhost")).click()
    shown = opened.value
    expect(shown.get_by_role("heading", name="The first")).to_be_visible()

    # The second release: one file is changed, one is there already, one is new.
    (folder / "index.html").write_text("<!doctype html><title>two</title><h1>The second</h1>")
    (folder / "about.html").write_text("<h1>About</h1>")
    page.get_by_role("button", name="New release").click()
    page.bring_to_front()
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.method) if "/files/" in request.url else None)
    page.locator("input[webkitdirectory]").set_input_files(folder)
    page.get_by_role("dialog").get_by_role("button", name="Deploy").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("#2 is live")
    assert sent == ["PUT", "PUT"]
    shown.reload()
    expect(shown.get_by_role("heading", name="The second")).to_be_visible()

    page.get_by_role("button", name="#1: Change").click()
    page.get_by_role("menuitem", name="Compare with what is live").click()
    compared = page.get_by_role("dialog").get_by_role("table")
    expect(compared.get_by_role("row").filter(has_text="/about.html")).to_contain_text("added")
    expect(compared.get_by_role("row").filter(has_text="/index.html")).to_contain_text("changed")
    expect(compared).not_to_contain_text("site.css")
    assert page.url.endswith("?compare=1..2")
    dash.look("site-compare")
    compared.get_by_text("/index.html").click()
    texts = page.get_by_role("dialog").locator(".monaco-diff-editor")
    expect(texts).to_contain_text("The first", timeout=60_000)
    expect(texts).to_contain_text("The second")
    dash.look("site-compare-file")
    page.get_by_role("dialog").get_by_role("button", name="All files").click()
    expect(compared.get_by_role("row").filter(has_text="/about.html")).to_be_visible()
    page.keyboard.press("Escape")

    dash.look("site")
    page.get_by_role("button", name="Roll back").click()
    page.get_by_role("dialog").get_by_role("button", name="Roll back to #1").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("#1 is live")
    shown.reload()
    expect(shown.get_by_role("heading", name="The first")).to_be_visible()
    page.get_by_role("button", name="Back to #2").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("#2 is live")
    assert admin.get(f"{SITES}/my-blog").json()["live_release"] == 2

    dash.open("/projects/default/sites")
    expect(page.get_by_role("row").filter(has_text="my-blog")).to_contain_text("#2")
    dash.look("sites")


def test_an_archive_is_dropped_and_a_hostile_one_refused(dash: Dash, admin: httpx.Client) -> None:
    page = dash.open("/projects/default/new-site")
    drop(page, "Zipped.zip", archive({"../../evil.html": "out"}))
    expect(page.get_by_label("Name")).to_have_value("zipped")
    page.get_by_role("button", name="Deploy").click()
    alert = page.get_by_role("alert")
    expect(alert).to_be_visible()
    expect(page.get_by_role("main")).to_contain_text("evil.html")
    dash.look("site-refused")
    assert not admin.get(f"{SITES}/zipped/releases").json().get("items")

    drop(page, "zipped.zip", archive({"site/index.html": "<h1>Zipped</h1>", "site/_redirects": RULES}))
    expect(alert).to_have_count(0)
    page.get_by_role("button", name="Deploy").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("#1 is live")
    assert admin.get(f"{SITES}/zipped/releases/1").json()["files"] == 1

    # Its name is taken now, and names have a form.
    dash.open("/projects/default/new-site")
    drop(page, "zipped.zip", archive({"index.html": "other"}))
    page.get_by_role("button", name="Deploy").click()
    expect(page.get_by_text("There is a site of this name already")).to_be_visible()
    page.get_by_label("Name").fill("No Name!")
    page.get_by_role("button", name="Deploy").click()
    expect(page.get_by_text("such as my-site")).to_be_visible()


def test_rules_are_reported_and_tried(dash: Dash, admin: httpx.Client) -> None:
    deploy(admin, "ruled", {"index.html": "<h1>Ruled</h1>", "_redirects": RULES, "_headers": "/*\n  X-Ours: <b>yes\n"})
    page = dash.open("/projects/default/sites/ruled/rules")
    ignored = page.get_by_role("table", name="Lines that count for nothing")
    expect(ignored.get_by_role("row").filter(has_text="_redirects:2")).to_contain_text("/broken")
    rules = page.get_by_role("table", name="Redirects")
    expect(rules.get_by_role("row")).to_have_count(3)

    page.get_by_label("Path or URL").fill("/old/a")
    page.get_by_role("button", name="Try", exact=True).click()
    answer = page.get_by_role("region", name="Answer")
    expect(answer).to_contain_text("301")
    expect(answer).to_contain_text("/new/a")
    page.get_by_label("Path or URL").fill("/here")
    page.get_by_role("button", name="Try", exact=True).click()
    expect(answer).to_contain_text("not found")
    page.get_by_label("Accept-Language").fill("de")
    page.get_by_role("button", name="Try", exact=True).click()
    expect(answer).to_contain_text("/there")
    expect(answer).to_contain_text("language=de")
    page.get_by_label("Path or URL").fill("/")
    page.get_by_role("button", name="Try", exact=True).click()
    expect(answer).to_contain_text("<b>yes")  # as text
    headers = page.get_by_role("table", name="Headers")
    expect(headers.get_by_role("row").filter(has_text="/*")).to_contain_text("x-ours: <b>yes")
    page.get_by_label("For no file").check()
    expect(page.get_by_text("Every rule is for a file")).to_be_visible()
    dash.look("site-rules")


def test_the_list_of_sites_is_one_request(dash: Dash, admin: httpx.Client) -> None:
    for number in range(3):
        deploy(admin, f"listed-{number}", {"index.html": "<h1>Listed</h1>"})
    asked: list[str] = []
    dash.page.on("request", lambda request: asked.append(urlsplit(request.url).path))
    page = dash.open("/projects/default/sites")
    expect(page.get_by_role("row").filter(has_text="listed-2")).to_contain_text("15 B")
    assert {each for each in asked if "/sites" in each and each.startswith("/api/")} == {
        "/api/v1/projects/default/sites"
    }


def test_previews_domains_and_settings(dash: Dash, admin: httpx.Client) -> None:
    style = "h1 { color: rgb(1, 2, 3); }\n" * 200
    files = {"index.html": "<h1>Shown</h1>", "style.css": style, "functions/api/hello.ts": FUNCTION}
    deploy(admin, "shown", files, "with a function")
    base = "/projects/default/sites/shown"
    page = dash.open(f"{base}/previews")
    page.get_by_role("button", name="New preview").click()
    page.get_by_label("Label").fill("Demo!")
    page.get_by_role("dialog").get_by_role("button", name="Preview", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("such as demo")
    page.get_by_label("Label").fill("demo")
    page.get_by_label("Password", exact=True).fill("open sesame")
    page.get_by_role("dialog").get_by_role("button", name="Preview", exact=True).click()
    expect(page.get_by_role("row").filter(has_text="demo--shown")).to_be_visible()
    (made,) = admin.get(f"{SITES}/shown/previews").json()["items"]
    assert (made["label"], made["release"], made["password"]) == ("demo", 1, True)
    assert made["expires_at"] is not None
    dash.look("site-previews")
    # The same name again is changed, not made anew: nobody is let in who was not.
    page.get_by_role("button", name="New preview").click()
    page.get_by_label("Label").fill("demo")
    page.get_by_role("dialog").get_by_role("button", name="Preview", exact=True).click()
    expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("There is a preview of this name")
    page.keyboard.press("Escape")
    expect(page.get_by_role("link", name="demo", exact=True)).to_have_attribute("href", made["url"])
    page.get_by_role("button", name="Change demo").click()
    expect(page.get_by_text("Empty: it stays as it is.")).to_be_visible()
    dash.look("site-preview-changed")
    page.get_by_role("dialog").get_by_role("button", name="Change", exact=True).click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert admin.get(f"{SITES}/shown/previews").json()["items"] == [made]
    page.get_by_role("button", name="Change demo").click()
    page.get_by_label("Ask for no password any more").check()
    page.get_by_role("dialog").get_by_role("button", name="Change", exact=True).click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    (opened,) = admin.get(f"{SITES}/shown/previews").json()["items"]
    assert opened == {**made, "password": False}
    page.get_by_role("button", name="Remove demo").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove", exact=True).click()
    expect(page.get_by_text("No preview yet")).to_be_visible()

    dash.open(f"{base}/domains")
    page.get_by_role("button", name="Add a domain").click()
    page.get_by_label("Host name").fill("www.example.invalid")
    page.get_by_role("dialog").get_by_role("button", name="Add a domain").click()
    expect(page.get_by_text("_v8box.www.example.invalid", exact=True)).to_be_visible()
    page.get_by_role("button", name="Verify").click()
    expect(page.get_by_role("alert")).to_be_visible(timeout=60_000)
    dash.look("site-domains")
    page.get_by_role("button", name="Remove www.example.invalid").click()
    page.get_by_label("Type www.example.invalid to confirm").fill("www.example.invalid")
    page.get_by_role("dialog").get_by_role("button", name="Remove", exact=True).click()
    expect(page.get_by_text("No domain yet")).to_be_visible()

    dash.open(f"{base}/functions")
    expect(page.get_by_role("row").filter(has_text="/api/hello")).to_be_visible()
    dash.look("site-functions")

    dash.open(f"{base}/optimisation")
    expect(page.get_by_role("row").filter(has_text="text/css")).to_contain_text("5.5 KB", timeout=60_000)
    dash.look("site-optimisation")
    dash.open(f"{base}/releases/1")
    expect(page.get_by_role("row").filter(has_text="/index.html")).to_be_visible()
    dash.look("site-release")

    dash.open(f"{base}/settings")
    page.get_by_label("Security headers").click()
    page.get_by_role("option", name="on", exact=True).click()
    page.get_by_role("checkbox", name="html").check()
    dash.look("site-settings")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("#2 is live")
    assert admin.get(f"{SITES}/shown/settings").json()["set"] == {"security_headers": True, "optimise": ["html"]}

    page.get_by_role("button", name="Delete the site").click()
    confirm = page.get_by_role("dialog").get_by_role("button", name="Delete the site")
    page.get_by_label("Type shown to confirm").fill("show")
    expect(confirm).to_be_disabled()
    page.get_by_label("Type shown to confirm").fill("shown")
    confirm.click()
    expect(page.get_by_text("shown is deleted")).to_be_visible()
    assert admin.get(f"{SITES}/shown").status_code == 404


def test_an_upload_is_stopped(dash: Dash, admin: httpx.Client, folder: Path) -> None:
    page = dash.open("/projects/default/new-site")
    held: list[Route] = []
    page.route("**/sites/halted/files/*", lambda route: held.append(route))  # it never answers
    page.get_by_label("Name").fill("halted")
    page.locator("input[webkitdirectory]").set_input_files(folder)
    page.get_by_role("button", name="Deploy").click()
    expect(page.get_by_text("2 new files")).to_be_visible()
    for _ in range(WAIT_MS // 20):
        if len(held) == 2:
            break
        page.wait_for_timeout(20)
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text("Stopped. Nothing has changed.")).to_be_visible()
    assert len(held) == 2
    assert admin.get(f"{SITES}/halted").status_code == 404


def test_a_viewer_sees_and_may_not(visitor: Callable[[str], Dash], admin: httpx.Client) -> None:
    deploy(admin, "seen", {"index.html": "one"})
    deploy(admin, "seen", {"index.html": "two"})
    page = visitor("viewer").open("/projects/default/sites/seen")
    for name in ("New release", "Roll back"):
        expect(page.get_by_role("button", name=name)).to_have_attribute("aria-disabled", "true")
