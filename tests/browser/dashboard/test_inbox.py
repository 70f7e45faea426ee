"""The bell and what it opens, the box's own alerts, what was sent, and that the keyboard is enough for all of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import expect
from tests.browser.dashboard.conftest import Dash
from tests.e2e.box import RunningBox

BOX = "/api/v1/box/notifications"
PRESS = """keys => {
  for (const key of keys) document.body.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
}"""
"""One after the other, faster than any machine is slow."""


@pytest.fixture(scope="module")
def thrown(box: RunningBox, admin: httpx.Client) -> Iterator[str]:
    """A worker that throws, and has; gives the error's id."""
    file = box.directory / "functions" / "thrower.ts"
    mark = box.mark()
    file.write_text("export default () => { throw new TypeError('no <b>cart</b>'); };\n")
    box.wait_line("thrower is live", mark)
    assert box.run("thrower").status_code == 500
    found: list[str] = []

    def there() -> bool:
        items = admin.get("/api/v1/inbox").json()["items"]
        found[:] = [each["id"] for each in items if each["kind"] == "error" and each["worker"] == "thrower"]
        return bool(found)

    box.until(there)
    yield found[0]
    file.unlink()


def test_the_bell_counts_what_is_new_and_leads_to_it(dash: Dash, admin: httpx.Client, thrown: str) -> None:
    page = dash.page
    now = admin.get("/api/v1/inbox").json()  # what happens to the box meanwhile would be new again
    page.route("**/api/v1/inbox", lambda route: route.fulfill(json=now))
    dash.open("/projects/default/variables")
    bell = page.get_by_role("button", name=re.compile("Notifications"))
    expect(bell).to_have_accessible_name(re.compile(r"Notifications: \d+ new"))
    page.keyboard.press("n")
    sheet = page.get_by_role("dialog", name="Notifications")
    line = sheet.get_by_role("link").filter(has_text="no <b>cart</b>")
    expect(line).to_be_visible()
    dash.look("inbox")
    page.keyboard.press("Escape")
    expect(sheet).not_to_be_visible()
    expect(bell).to_have_accessible_name("Notifications")  # all of it was seen
    bell.focus()
    page.keyboard.press("Enter")
    line.focus()
    page.keyboard.press("Enter")
    expect(page).to_have_url(dash.url(f"/projects/default/errors/{thrown}"))
    expect(sheet).not_to_be_visible()
    page.reload()
    expect(bell).to_have_accessible_name("Notifications")  # and stays seen


def test_who_sees_nothing_of_the_box_has_no_notice_of_it(visitor: Callable[[str], Dash], thrown: str) -> None:
    page = visitor("viewer").open("/projects/default")
    page.get_by_role("button", name=re.compile("Notifications")).click()
    sheet = page.get_by_role("dialog", name="Notifications")
    expect(sheet.get_by_text("no <b>cart</b>")).to_be_visible()
    expect(sheet.get_by_text("the box ·")).to_have_count(0)


def test_long_work_is_listed_with_how_it_ended(dash: Dash, admin: httpx.Client) -> None:
    admin.post("/api/v1/projects", json={"name": "inbox-gone"}).raise_for_status()
    started = admin.delete("/api/v1/projects/inbox-gone").json()
    admin.get(f"/api/v1/operations/{started['id']}", params={"wait": 30})
    page = dash.open("/projects/default")
    page.get_by_role("button", name=re.compile("Notifications")).click()
    page.get_by_role("tab", name="Long work").click()
    work = page.get_by_role("tabpanel").get_by_role("listitem").filter(has_text="inbox-gone")
    expect(work).to_contain_text("Delete a project")
    expect(work).to_contain_text("Done")
    dash.look("inbox-work")
    page.get_by_role("dialog").get_by_role("link", name="Alerts and rules").click()
    expect(page.get_by_role("heading", name="Alerts", level=1)).to_be_visible()
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_the_box_has_alerts_rules_and_channels_of_its_own(dash: Dash, admin: httpx.Client) -> None:
    page = dash.open("/projects/default/alerts")
    page.get_by_role("link", name="Of the whole box").click()
    expect(page.get_by_role("heading", name="Box alerts", level=1)).to_be_visible()
    page.get_by_role("button", name="New channel").click()
    page.get_by_label("Name", exact=True).fill("on call")
    page.get_by_label("Address").fill("http://127.0.0.1:9/hook")
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_role("cell", name="on call").first).to_be_visible()
    page.get_by_role("button", name="New rule").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name", exact=True).fill("Disk")
    dialog.get_by_label("Checks").fill("disk memory")
    dialog.get_by_label("on call").check()
    dialog.get_by_role("button", name="Create").click()
    expect(page.get_by_role("cell", name="Disk", exact=True)).to_be_visible()
    [made] = [each for each in admin.get(f"{BOX}/rules").json()["items"] if each["name"] == "Disk"]
    assert (made["kind"], made["checks"], made["status"]) == ("health", ["disk", "memory"], "fail")
    assert len(made["channels"]) == 1
    page.get_by_role("button", name="Edit: Disk").click()
    dialog.get_by_label("Remind every (minutes)").fill("30")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).not_to_be_visible()
    assert admin.get(f"{BOX}/rules/{made['id']}").json()["reminder_seconds"] == 1_800
    dash.look("alerts-of-the-box")


def test_what_was_sent_is_told_with_why_it_did_not_arrive(dash: Dash, admin: httpx.Client) -> None:
    body = {"name": "nowhere", "kind": "slack", "url": "http://127.0.0.1:9/hook"}
    made = admin.post(f"{BOX}/channels", json=body).json()
    admin.post(f"{BOX}/channels/{made['id']}/test").raise_for_status()
    page = dash.open("/settings/alerts")
    page.get_by_label("Channel", exact=True).click()
    page.get_by_role("option", name="nowhere").click()
    sent = page.get_by_role("table", name="Delivery log").get_by_role("row").filter(has_text="nowhere")
    expect(sent).to_have_count(1)
    expect(sent).to_contain_text("failed")
    sent.get_by_role("button", name=re.compile("Send again")).click()
    expect(page.get_by_text("It is sent again.")).to_be_visible()
    page.get_by_label("State", exact=True).click()
    page.get_by_role("option", name="delivered").click()
    expect(page.get_by_role("heading", name="Nothing was sent yet")).to_be_visible()


def test_a_threshold_is_a_per_cent(dash: Dash, admin: httpx.Client) -> None:
    page = dash.open("/projects/default/alerts")
    page.get_by_role("button", name="New rule").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("Threshold")).to_have_value("5")
    dialog.get_by_label("Name", exact=True).fill("Five per cent")
    dialog.get_by_role("button", name="Create").click()
    expect(page.get_by_role("cell", name="error rate > 5 %", exact=True)).to_be_visible()


def test_a_viewer_may_look_at_rules_and_change_none(visitor: Callable[[str], Dash]) -> None:
    page = visitor("viewer").open("/projects/default/alerts")
    expect(page.get_by_role("button", name="New rule")).to_have_attribute("aria-disabled", "true")
    expect(page.get_by_role("link", name="Of the whole box")).to_have_count(0)


def test_the_keyboard_goes_everywhere_and_focus_comes_back(dash: Dash, tmp_path: Path) -> None:
    page = dash.open("/projects/default")
    for letter, heading in (("w", "Workers"), ("p", "Pages"), ("e", "Errors"), ("a", "Alerts"), ("s", "System")):
        page.evaluate(PRESS, ["g", letter])
        expect(page.get_by_role("heading", name=heading, level=1)).to_be_visible()
    page.keyboard.press("?")
    sheet = page.get_by_role("dialog", name="Keyboard shortcuts")
    expect(sheet.get_by_role("term").filter(has_text="Alerts").first).to_be_visible()
    page.keyboard.press("Escape")
    expect(sheet).not_to_be_visible()
    dash.open("/projects/default/alerts")
    button = page.get_by_role("button", name="New rule")
    button.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    for _ in range(12):
        page.keyboard.press("Tab")
    page.keyboard.press("Escape")
    expect(button).to_be_focused()
