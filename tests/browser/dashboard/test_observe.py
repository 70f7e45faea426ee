"""What happened, in the dashboard: from a worker that throws, floods and spins to the run, the line and the report."""

from __future__ import annotations

import re
from functools import partial

import httpx
import pytest
from playwright.sync_api import expect
from tests.browser.dashboard.conftest import Dash
from tests.e2e.box import RunningBox

WORKERS = "/api/v1/projects/default/workers"
CODE = """function risky(path: string): string {
  if (path.endsWith("boom")) throw new TypeError("no such thing: <b>" + path);
  return path;
}
export default {
  async fetch(request, _env, { cache, log }) {
    const { pathname } = new URL(request.url);
    log.info("asked for <script>alert(1)</script>", { pathname });
    if (pathname === "/spin") for (;;);
    for (let i = 0; i < 12; i++) await cache.get("key:" + i);
    return new Response(risky(pathname));
  },
} satisfies V8Box.Module;
"""


@pytest.fixture(scope="module")
def observed(admin: httpx.Client, box: RunningBox) -> str:
    """A worker that did all of it."""
    files = {"main.ts": CODE, "v8box.toml": "[limits]\ncpu_ms = 300\n\n[observability]\nslow_ms = 1\n"}
    admin.put(f"{WORKERS}/observed", json={"files": files}).raise_for_status()
    for path in ("one", "two", "boom", "boom", "spin"):
        box.run(f"observed/{path}")
    for place, wanted in (("errors", 2), ("kills", 1), ("runs", 5)):
        box.until(partial(_has, admin, place, wanted))
    return "observed"


def _has(admin: httpx.Client, place: str, wanted: int) -> bool:
    return len(admin.get(f"/api/v1/projects/default/{place}?worker=observed").json()["items"]) >= wanted


def test_a_run_is_found_and_explained(dash: Dash, observed: str) -> None:
    page = dash.open(f"/projects/default/logs?worker={observed}")
    expect(page.get_by_role("row").filter(has_text="/two")).to_be_visible()
    dash.look("logs-runs")
    page.get_by_label("Path, error, printed text…").fill("/boom")
    expect(page.get_by_role("row").filter(has_text="/two")).to_have_count(0)
    page.get_by_role("row").filter(has_text="/boom").first.get_by_role("link").first.click()
    expect(page.get_by_text("TypeError: no such thing: <b>/boom").first).to_be_visible()
    expect(page.get_by_text(re.compile(r"risky \(main\.ts:2")).first).to_be_visible()
    expect(page.get_by_text("cache.get").first).to_be_visible()
    expect(page.get_by_role("list", name="Lines")).to_contain_text("<script>alert(1)</script>")
    dash.look("run")


def test_the_id_that_a_caller_was_told_leads_to_the_run_and_to_what_stopped_it(
    dash: Dash, observed: str, admin: httpx.Client, box: RunningBox
) -> None:
    runs = admin.get(f"/api/v1/projects/default/runs?worker={observed}&outcome=cpu").json()["items"]
    box.run(f"{observed}/traced", headers={"x-request-id": "0123456789abcdef0123456789abcdef"})  # as a trace looks, too
    page = dash.open(f"/projects/default/logs?worker={observed}&environment=production")
    expect(page.get_by_role("row").filter(has_text="/two")).to_be_visible()
    page.get_by_label("Request or trace id").fill("0123456789abcdef0123456789abcdef")
    expect(page.get_by_role("row").filter(has_text="/traced")).to_be_visible()
    page.get_by_label("Request or trace id").fill(runs[0]["id"])
    expect(page.get_by_role("row").filter(has_text="/traced")).to_have_count(0)
    page.get_by_role("row").filter(has_text="/spin").get_by_role("link").first.click()
    page.get_by_role("link", name="Why it was stopped, and what to do").click()
    expect(page.get_by_role("heading", name="What to do")).to_be_visible()
    expect(page.get_by_text("limits.cpu_ms").first).to_be_visible()


def test_lines_past_and_live(dash: Dash, observed: str, box: RunningBox) -> None:
    page = dash.open(f"/projects/default/logs?show=lines&worker={observed}")
    expect(page.get_by_role("list", name="Lines")).to_contain_text("asked for")
    dash.look("logs-lines")
    page.get_by_role("tab", name="Live").click()
    live = page.get_by_role("list", name="Live")
    expect(live).to_be_visible()
    box.run(f"{observed}/seen-live")
    expect(live).to_contain_text("/seen-live")
    dash.look("logs-live")


def test_an_error_is_resolved(dash: Dash, observed: str, admin: httpx.Client) -> None:
    page = dash.open(f"/projects/default/errors?worker={observed}")
    row = page.get_by_role("row").filter(has_text="TypeError")
    expect(row).to_contain_text("main.ts:2")
    dash.look("errors")
    row.get_by_role("link").first.click()
    expect(page.get_by_label("Code")).to_contain_text("throw new TypeError")
    dash.look("error")
    page.get_by_role("button", name="Resolve").click()
    expect(page.get_by_role("button", name="Open again")).to_be_visible()
    states = {each["name"]: each["state"] for each in _errors(admin, observed)}
    assert states["TypeError"] == "resolved"


def _errors(admin: httpx.Client, worker: str) -> list[dict[str, str]]:
    items: list[dict[str, str]] = admin.get(f"/api/v1/projects/default/errors?worker={worker}").json()["items"]
    return items


def test_what_was_stopped_says_what_to_do(dash: Dash, observed: str) -> None:
    page = dash.open("/projects/default/kills")
    row = page.get_by_role("table", name="Stopped").get_by_role("row").filter(has_text=observed)
    expect(row).to_contain_text("cpu")
    dash.look("kills")
    row.get_by_role("link").first.click()
    expect(page.get_by_role("heading", name="What to do")).to_be_visible()
    dash.look("kill")


def test_charts_show_traffic_and_lead_to_runs(dash: Dash, observed: str) -> None:
    page = dash.open(f"/projects/default/metrics?worker={observed}&range=now-15m")
    expect(page.locator("dl").first).to_contain_text("Requests")
    expect(page.locator("canvas").first).to_be_visible()
    dash.look("metrics")
    page.locator(".u-over").first.click()
    expect(page).to_have_url(re.compile(r"/logs\?from="))
    page.get_by_role("button", name="Not only in this time").click()
    expect(page).not_to_have_url(re.compile("from="))


def test_a_workers_processes_and_profiles(dash: Dash, admin: httpx.Client, box: RunningBox) -> None:
    """One of its own, as it runs so often that other runs would not be among the newest."""
    admin.put(f"{WORKERS}/profiled", json={"files": {"main.ts": CODE}}).raise_for_status()
    box.run("profiled")
    asked = admin.post(f"{WORKERS}/profiled/profile", json={"seconds": 2}).raise_for_status().json()
    found: dict[str, str] = {"state": "running"}
    while found["state"] == "running":
        box.run("profiled/three")
        found = admin.get(f"/api/v1/operations/{asked['id']}").json()
    assert found["state"] == "succeeded", found
    page = dash.open("/projects/default/workers/profiled/metrics")
    captures = page.get_by_role("table", name="Profiles and snapshots")
    expect(captures).to_contain_text("CPU profile")
    expect(page.get_by_role("heading", name="Processes")).to_be_visible()
    with page.expect_download() as downloading:
        captures.get_by_role("button", name="Download").click()
    assert downloading.value.suggested_filename.endswith(".cpuprofile")
    dash.look("worker-processes")
    captures.get_by_role("button", name="Delete").click()
    expect(captures).to_have_count(0)


def test_rules_and_channels_are_made(dash: Dash, admin: httpx.Client, project: str) -> None:
    page = dash.open(f"/projects/{project}/alerts")
    page.get_by_role("button", name="New channel").click()
    page.get_by_label("Name").fill("team <i>hook</i>")
    page.get_by_role("combobox", name="How").click()
    page.get_by_role("option", name="Webhook").click()
    page.get_by_label("Address").fill("https://hooks.example.com/v8box")
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_role("dialog")).to_contain_text("whsec_")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.get_by_role("button", name="Edit: team <i>hook</i>").click()
    page.get_by_label("Quiet hours").check()
    page.get_by_label("Time zone").fill("Europe/Berlin")
    page.get_by_role("checkbox", name="Sat").check()
    page.get_by_role("button", name="Save").click()
    quiet = re.compile(r"Quiet 22:00.07:00 \(Europe/Berlin\)")
    expect(page.get_by_role("table", name="Channels")).to_contain_text(quiet)
    page.get_by_role("button", name="New rule").click()
    page.get_by_label("Name").fill("too many errors")
    page.get_by_role("checkbox", name="team <i>hook</i>").check()
    page.get_by_label("Environment").fill("staging")
    page.get_by_label("Has to last (seconds)").fill("60")
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_role("table", name="Rules")).to_contain_text("too many errors")
    dash.look("alerts")
    rules = admin.get(f"/api/v1/projects/{project}/notifications/rules").json()["items"]
    (rule,) = [each for each in rules if each["name"] == "too many errors"]
    assert (rule["kind"], rule["environment"]) == ("error_rate", "staging")
    assert (rule["for_seconds"], rule["min_requests"]) == (60, 20)
    (channel,) = admin.get(f"/api/v1/projects/{project}/notifications/channels").json()["items"]
    assert (channel["quiet_hours"]["days"], channel["shows"]) == (["sat"], "https://hooks.example.com/…")
    page.get_by_role("button", name="Silence: too many errors").click()
    page.get_by_role("menuitem", name="For a day").click()
    expect(page.get_by_role("table", name="Rules")).to_contain_text("silent until")
    page.get_by_role("button", name="Delete: too many errors").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_text("too many errors")).to_have_count(0)
