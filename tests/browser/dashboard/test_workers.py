"""Workers in the dashboard: from a template to a version that is rolled back, with a type error on the way."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable

import httpx
import pytest
from playwright.sync_api import Page, expect
from tests.browser.dashboard.conftest import ROOT, Dash
from tests.e2e.box import RunningBox

from v8box.sandbox.runtime import find_deno

WORKERS = "/api/v1/projects/default/workers"
HANDLER = """export default {
  fetch(request, _env, { log }) {
    const answer: ANSWER = VALUE;
    log.info("answering", { answer });
    return new Response(`it is ${answer} \\u2603 <b>not bold</b>`);
  },
} satisfies V8Box.Module;
"""


def write(page: Page, text: str) -> None:
    """Replaces what is in the editor: pasted, since what is typed is completed and indented on the way."""
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.evaluate("text => navigator.clipboard.writeText(text)", text)
    page.locator(".monaco-editor .view-lines").first.click()
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.press("ControlOrMeta+v")


def test_from_a_template_to_a_rollback(dash: Dash, box: RunningBox) -> None:
    page = dash.open("/projects/default/workers")
    page.get_by_role("link", name="New worker").click()
    page.get_by_label("Name").fill("Greeter!")
    page.get_by_role("button", name="Create and deploy").click()
    expect(page.get_by_text("it begins with a letter or digit")).to_be_visible()
    page.get_by_label("Name").fill("greeter")
    page.get_by_role("radio", name="Hello").check()
    dash.look("new-worker")
    page.get_by_role("button", name="Create and deploy").click()
    expect(page.get_by_role("heading", name=re.compile("greeter"), level=1)).to_be_visible()
    expect(page.locator(".monaco-editor .view-lines").first).to_contain_text("Params come from")

    # The template's own request is there to be sent.
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_label("Response", exact=True)).to_contain_text("Hello, Ana!")

    write(page, HANDLER.replace("ANSWER", "number").replace("VALUE", '"wrong"'))
    expect(page.get_by_text("1 fault")).to_be_visible(timeout=60_000)
    expect(page.get_by_role("list", name="Problems")).to_contain_text("not assignable to type 'number'")
    dash.look("worker-code")

    write(page, HANDLER.replace("ANSWER", "number").replace("VALUE", "42"))
    expect(page.get_by_text("types are right")).to_be_visible(timeout=60_000)
    page.locator(".monaco-editor .view-lines").first.click()
    page.keyboard.press("ControlOrMeta+s")
    expect(page.get_by_text("v2 is live")).to_be_visible(timeout=60_000)

    page.keyboard.press("ControlOrMeta+e")
    answer = page.get_by_label("Response", exact=True)
    expect(answer).to_contain_text("it is 42 ☃ <b>not bold</b>")  # as text
    expect(page.get_by_label("Its log")).to_contain_text("answering")
    assert box.run("greeter").text.startswith("it is 42")

    page.get_by_role("link", name="Versions").click()
    row = page.get_by_role("row").filter(has_text="v1")
    row.get_by_role("button", name="v1: Change").click()
    page.get_by_role("menuitem", name="Compare").click()
    expect(page.get_by_role("dialog")).to_contain_text("main.ts")
    page.keyboard.press("Escape")
    dash.look("worker-versions")
    row.get_by_role("button", name="Roll back").click()
    page.get_by_role("dialog").get_by_role("button", name="Roll back to v1").click()
    expect(page.get_by_text("v1 is live again")).to_be_visible()
    assert "Hello" in box.run("greeter").text


@pytest.fixture
def worker(admin: httpx.Client) -> str:
    """Two versions of one worker, the newer one live, and one staged."""
    for word in ("one", "two"):
        files = {"main.ts": f'export default {{ fetch: () => new Response("{word}") }};\n', "v8box.toml": "# ours\n"}
        admin.put(f"{WORKERS}/split", json={"files": files, "message": word}).raise_for_status()
    staged = {"main.ts": 'export default { fetch: () => new Response("three") };\n'}
    admin.post(f"{WORKERS}/split/versions?environment=staging", json={"files": staged}).raise_for_status()
    return "split"


def test_splits_canaries_and_promotion(dash: Dash, admin: httpx.Client, worker: str) -> None:
    page = dash.open(f"/projects/default/workers/{worker}/deployments")
    production = page.locator("section").filter(has_text="/run/split").first
    production.get_by_role("button", name="Split").click()
    page.get_by_role("slider").fill("25")
    page.get_by_role("button", name="Apply").click()
    expect(production).to_contain_text("25 %")
    dash.look("worker-deployments")
    shares = admin.get(f"{WORKERS}/{worker}/deployments/production").json()["versions"]
    assert sorted(each["weight"] for each in shares) == [25, 75]

    page.get_by_role("button", name="Promote").click()
    page.get_by_role("dialog").get_by_role("button", name="Promote").click()
    expect(page.get_by_text("Promoted", exact=True)).to_be_visible()
    assert len(admin.get(f"{WORKERS}/{worker}/deployments/production").json()["versions"]) == 1

    production.get_by_role("button", name="Canary").click()
    page.get_by_role("button", name="Start").click()
    expect(production.get_by_text("5 % get the new version")).to_be_visible()
    dash.look("worker-canary")
    production.get_by_role("button", name="Stop and roll back").click()
    expect(production.get_by_role("region", name="Canary")).to_contain_text("stopped")


def test_settings_change_the_manifest_and_leave_the_rest(dash: Dash, admin: httpx.Client, worker: str) -> None:
    admin.put(f"{WORKERS}/{worker}", json={"files": {"main.ts": "export default () => 1;\n", "v8box.toml": "# ours\n"}})
    page = dash.open(f"/projects/default/workers/{worker}/settings")
    page.get_by_label("A run takes at most (ms)").fill("1234")
    page.get_by_label("CORS: pages that may call").fill("https://a.example https://b.example")
    expect(page.locator(".monaco-diff-editor").first).to_contain_text("wall_ms = 1234", timeout=60_000)
    dash.look("worker-settings")
    page.get_by_role("button", name="Save and deploy").click()
    expect(page.get_by_text("Nothing is changed.")).to_be_visible(timeout=60_000)
    saved = admin.get(f"{WORKERS}/{worker}/files/v8box.toml").text
    assert saved.startswith("# ours\n")
    assert '[cors]\norigins = ["https://a.example", "https://b.example"]' in saved


def test_the_log_is_live(dash: Dash, admin: httpx.Client, box: RunningBox) -> None:
    code = "export default { fetch(r, e, { log }) { log.warn(new URL(r.url).search); return new Response(); } };\n"
    admin.put(f"{WORKERS}/chatty", json={"files": {"main.ts": code}}).raise_for_status()
    page = dash.open("/projects/default/workers/chatty/logs")
    expect(page.get_by_text("Waiting for lines")).to_be_visible()
    box.run("chatty", params={"x": "<img src=x onerror=alert(1)>"})
    lines = page.get_by_role("list", name="Logs")
    expect(lines).to_contain_text("onerror")
    dash.look("worker-logs")
    page.get_by_label("Text in lines").fill("nothing like it")
    expect(lines).not_to_contain_text("onerror")


def test_many_are_searched_and_deleted_together(dash: Dash, admin: httpx.Client) -> None:
    for number in range(3):
        files = {"main.ts": "export default () => 1;\n"}
        admin.put(f"{WORKERS}/bulk-{number}", json={"files": files}).raise_for_status()
    page = dash.open("/projects/default/workers")
    dash.look("workers")
    page.get_by_label("Find a worker").fill("bulk-")
    expect(page.get_by_role("row")).to_have_count(4)
    page.get_by_role("checkbox").first.check()
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_text("3 workers deleted")).to_be_visible()
    assert admin.get(f"{WORKERS}/bulk-1").status_code == 404


def test_a_viewer_sees_and_may_not(visitor: Callable[[str], Dash], admin: httpx.Client, worker: str) -> None:
    dash = visitor("viewer")
    page = dash.open(f"/projects/default/workers/{worker}")
    expect(page.get_by_role("button", name="Save and deploy")).to_be_disabled()
    expect(page.get_by_role("button", name="Send")).to_have_attribute("aria-disabled", "true")
    expect(page.get_by_text("You may look at this code, not change it.")).to_be_visible()


def test_templates_are_right(admin: httpx.Client) -> None:
    templates = ROOT / "dashboard" / "src" / "features" / "workers" / "lib" / "templates.ts"
    script = f"import {{ TEMPLATES }} from {json.dumps(templates.as_uri())}; console.log(JSON.stringify(TEMPLATES));"
    shown = subprocess.run([find_deno(), "eval", script], capture_output=True, check=True, text=True).stdout
    found = {each["id"]: each["files"] for each in json.loads(shown)}
    assert len(found) > 5
    found.pop("hono")  # which needs npm
    for name, files in found.items():
        checked = admin.post(f"{WORKERS}/of-{name}/check", json={"files": files})
        assert checked.json() == {"ok": True, "diagnostics": []}, name
