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

    # The code has the room that one gives it, also after a reload.
    code = page.locator(".monaco-editor").first
    narrow = code.evaluate("it => it.clientWidth")
    page.get_by_role("separator", name="Width of the files").press("End")
    expect(page.get_by_role("separator", name="Width of the files")).to_have_attribute("aria-valuenow", "360")
    page.get_by_role("button", name="Show the files").click()
    page.get_by_role("button", name="Show the test panel").click()
    expect(page.get_by_role("button", name="Send")).to_be_hidden()
    dash.open("/projects/default/workers/greeter")
    expect(code).to_be_visible()
    expect(page.get_by_role("separator")).to_have_count(0)
    page.wait_for_function("least => document.querySelector('.monaco-editor').clientWidth > least", arg=narrow + 300)
    page.get_by_role("button", name="Show the files").click()
    expect(page.get_by_role("separator", name="Width of the files")).to_have_attribute("aria-valuenow", "360")
    page.get_by_role("button", name="Show the test panel").click()
    expect(page.get_by_role("button", name="Send")).to_be_visible()

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
    page.get_by_label("CORS: pages that may call").press_sequentially("https://a.example https://b.example")
    expect(page.locator(".monaco-diff-editor").first).to_contain_text("wall_ms = 1234", timeout=60_000)
    dash.look("worker-settings")

    # Somebody else saves the file meanwhile: both keep what they have changed.
    theirs = f"{WORKERS}/{worker}/files/v8box.toml?environment=production"
    admin.put(theirs, content="# ours\n[limits]\ncpu_ms = 4321\n").raise_for_status()
    page.get_by_role("button", name="Save and deploy").click()
    expect(page.get_by_text("Your changes are made to theirs now")).to_be_visible()
    expect(page.locator(".monaco-diff-editor").first).to_contain_text("cpu_ms = 4321")
    page.get_by_role("button", name="Save and deploy").click()
    expect(page.get_by_text("Nothing is changed.")).to_be_visible(timeout=60_000)
    saved = admin.get(f"{WORKERS}/{worker}/files/v8box.toml").text
    assert saved.startswith("# ours\n[limits]\ncpu_ms = 4321\nwall_ms = 1234\n")
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


def test_many_are_tagged_found_moved_and_deleted_together(dash: Dash, admin: httpx.Client) -> None:
    for number in range(3):
        for word in ("one", "two"):
            files = {"main.ts": f"export default () => '{word}';\n"}
            admin.put(f"{WORKERS}/bulk-{number}", json={"files": files}).raise_for_status()
    page = dash.open("/projects/default/workers")
    page.get_by_label("Find a worker").fill("bulk-")
    rows = page.get_by_role("table", name="Workers").locator("tbody tr")
    expect(rows).to_have_count(3)
    assert "search=bulk-" in page.url  # others can be sent there
    page.get_by_role("checkbox", name="bulk-1").check()
    page.get_by_role("checkbox", name="bulk-2").check()
    page.get_by_role("button", name="Tags", exact=True).click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Put on").fill("Shop, <b>")
    expect(dialog.get_by_role("button", name="Apply")).to_be_disabled()
    dialog.get_by_label("Put on").fill("shop eu")
    dialog.get_by_role("button", name="Apply").click()
    expect(page.get_by_text("Tags of 2 workers changed")).to_be_visible()
    assert admin.get(f"{WORKERS}/bulk-1").json()["tags"] == ["eu", "shop"]
    dash.look("workers")

    page.get_by_role("button", name="Choose none").click()
    rows.first.wait_for()
    page.get_by_role("row").filter(has_text="bulk-2").get_by_role("button", name="shop").click()
    expect(rows).to_have_count(2)
    page.get_by_role("button", name="Take off: shop").click()
    expect(rows).to_have_count(3)

    # Back to the first version, then forward again, by a menu.
    page.get_by_role("checkbox").first.check()
    page.get_by_role("button", name="More").click()
    page.get_by_role("menuitem", name="Roll back").click()
    dialog.get_by_role("button", name="Roll back").click()
    expect(page.get_by_text("3 workers rolled back")).to_be_visible()
    assert _live(admin, "bulk-0") == 1
    page.get_by_role("checkbox").first.check()
    page.get_by_role("button", name="More").click()
    page.get_by_role("menuitem", name="Make newest live").click()
    dialog.get_by_role("button", name="Make newest live").click()
    expect(page.get_by_text("3 have their newest version live")).to_be_visible()
    assert _live(admin, "bulk-0") == 2

    # What is refused says why, worker by worker.
    page.get_by_role("checkbox").first.check()
    page.get_by_role("button", name="More").click()
    page.get_by_role("menuitem", name="Promote").click()
    dialog.get_by_role("button", name="Promote").click()
    expect(dialog.get_by_role("list", name="Refused")).to_contain_text("bulk-0 is not live in staging")
    dash.look("workers-refused")
    dialog.get_by_role("button", name="Close").last.click()

    page.get_by_role("button", name="Delete").click()
    delete = dialog.get_by_role("button", name="Delete")
    expect(delete).to_be_disabled()
    dialog.get_by_label("Type 3 to confirm").fill("3")
    delete.click()
    expect(page.get_by_text("3 workers deleted")).to_be_visible()
    expect(page.get_by_text("No worker fits")).to_be_visible()
    assert admin.get(f"{WORKERS}/bulk-1").status_code == 404


def _live(admin: httpx.Client, worker: str) -> int:
    return int(admin.get(f"{WORKERS}/{worker}/deployments/production").json()["versions"][0]["number"])


def test_a_draft_survives_a_reload_and_is_not_written_over_what_another_saved(
    dash: Dash, admin: httpx.Client, worker: str
) -> None:
    page = dash.open(f"/projects/default/workers/{worker}")
    editor = page.locator(".monaco-editor .view-lines").first
    expect(editor).to_contain_text("new Response")
    other = page.context.new_page()
    other.goto(dash.url(f"/projects/default/workers/{worker}"))
    expect(other.locator(".monaco-editor .view-lines").first).to_contain_text("new Response")
    page.bring_to_front()
    write(page, 'export default { fetch: () => new Response("mine") };\n')
    expect(page.get_by_text("types are right")).to_be_visible(timeout=60_000)
    other.reload()  # it has changed nothing, and forgets nothing of what this page has
    expect(other.get_by_text("What you had not saved is here again.")).to_be_visible()
    other.close()
    page.reload()
    expect(editor).to_contain_text("mine")
    expect(page.get_by_text("What you had not saved is here again.")).to_be_visible()

    theirs = 'export default { fetch: () => new Response("theirs") };\n'
    admin.put(f"{WORKERS}/{worker}/files/main.ts?environment=production", content=theirs).raise_for_status()
    expect(page.get_by_text("Somebody else saved main.ts meanwhile.")).to_be_visible()  # before anything is lost
    editor.click()
    page.keyboard.press("ControlOrMeta+s")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Somebody else saved this file")
    expect(dialog.locator(".monaco-diff-editor")).to_contain_text("theirs")
    dash.look("worker-conflict")
    dialog.get_by_role("button", name="Decide later").click()
    assert "theirs" in admin.get(f"{WORKERS}/{worker}/files/main.ts").text
    page.keyboard.press("ControlOrMeta+s")
    dialog.get_by_role("button", name="Write mine over it").click()
    expect(page.get_by_text(re.compile(r"v\d+ is live · \d+ ms"))).to_be_visible(timeout=60_000)
    assert "mine" in admin.get(f"{WORKERS}/{worker}/files/main.ts").text

    # Nothing is changed here any more: what another saves is shown.
    admin.put(f"{WORKERS}/{worker}/files/main.ts?environment=production", content=theirs).raise_for_status()
    expect(editor).to_contain_text("theirs")
    page.reload()
    expect(editor).to_contain_text("theirs")
    expect(page.get_by_text("What you had not saved")).to_be_hidden()


def test_what_is_discarded_is_gone(dash: Dash, worker: str) -> None:
    page = dash.open(f"/projects/default/workers/{worker}")
    editor = page.locator(".monaco-editor .view-lines").first
    expect(editor).to_contain_text("new Response")
    write(page, "const   unformatted={a:1}\nexport default ()=>unformatted\n")
    page.get_by_role("button", name="Format").click()
    expect(editor).to_contain_text("const unformatted = { a: 1 }")
    page.get_by_role("link", name="Versions").click()
    page.get_by_role("link", name="Code").click()
    expect(editor).to_contain_text("const unformatted = { a: 1 }")
    page.get_by_role("button", name="Discard").first.click()
    page.get_by_role("dialog").get_by_role("button", name="Discard").click()
    expect(editor).to_contain_text("new Response")
    page.reload()
    expect(editor).to_contain_text("new Response")


def test_files_are_added_imported_and_deleted(dash: Dash, admin: httpx.Client, box: RunningBox) -> None:
    files = {"main.ts": 'export default { fetch: () => new Response("alone") };\n'}
    admin.put(f"{WORKERS}/parts", json={"files": files}).raise_for_status()
    page = dash.open("/projects/default/workers/parts")
    editor = page.locator(".monaco-editor .view-lines").first
    expect(editor).to_contain_text("alone")
    expect(page.get_by_role("button", name="Delete file")).to_be_disabled()  # the main one
    page.get_by_role("button", name="New file").click()
    page.get_by_role("dialog").get_by_label("Path").fill("lib/word.ts")
    page.get_by_role("dialog").get_by_role("button", name="New file").click()
    expect(editor).not_to_contain_text("alone")
    write(page, 'export const word = "together";\n')
    tree = page.get_by_role("navigation", name="Files")
    tree.get_by_role("button", name=re.compile("main.ts")).click()
    expect(editor).to_contain_text("alone")
    write(page, 'import { word } from "./lib/word.ts";\nexport default { fetch: () => new Response(word) };\n')
    expect(page.get_by_text("types are right")).to_be_visible(timeout=60_000)
    page.keyboard.press("ControlOrMeta+s")
    expect(page.get_by_text(re.compile(r"v\d+ is live"))).to_be_visible(timeout=60_000)
    assert box.run("parts").text == "together"

    # It moves, who imports it follows, and both are one version: one by one they would not build.
    before = admin.get(f"{WORKERS}/parts").json()["newest"]["number"]
    tree.get_by_role("button", name=re.compile("word.ts")).press("F2")
    page.get_by_role("dialog").get_by_label("Path").fill("shared/text.ts")
    page.keyboard.press("Enter")
    expect(tree.get_by_role("button", name=re.compile("text.ts"))).to_be_visible()
    page.reload()  # not saved, and not lost
    expect(page.get_by_text("What you had not saved is here again.")).to_be_visible()
    tree.get_by_role("button", name=re.compile("main.ts")).click()
    expect(editor).to_contain_text("./shared/text.ts")
    expect(page.get_by_text("types are right")).to_be_visible(timeout=60_000)
    page.get_by_role("button", name="Save and deploy").click()
    expect(page.get_by_text(f"v{before + 1} is live")).to_be_visible(timeout=60_000)
    moved = [each["path"] for each in admin.get(f"{WORKERS}/parts/files").json()["items"]]
    assert moved == ["main.ts", "shared/text.ts"]
    assert box.run("parts").text == "together"

    tree.get_by_role("button", name=re.compile("text.ts")).click()
    page.get_by_role("button", name="Delete file").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete file").click()
    expect(page.get_by_role("dialog")).to_contain_text("text.ts")  # why not: it is imported
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    admin.put(f"{WORKERS}/parts/files/main.ts?environment=production", content=files["main.ts"]).raise_for_status()
    page.get_by_role("button", name="Delete file").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete file").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(tree.get_by_role("button", name=re.compile("text.ts"))).to_have_count(0)
    assert [each["path"] for each in admin.get(f"{WORKERS}/parts/files").json()["items"]] == ["main.ts"]


def test_what_could_not_be_saved_is_not_run(dash: Dash, admin: httpx.Client, worker: str) -> None:
    page = dash.open(f"/projects/default/workers/{worker}")
    expect(page.locator(".monaco-editor .view-lines").first).to_contain_text("new Response")
    write(page, "export default { fetch( => 1 };\n")
    page.keyboard.press("ControlOrMeta+e")
    expect(page.get_by_role("list", name="Problems")).to_be_visible(timeout=60_000)
    expect(page.get_by_text("Send a request, and what comes of it is here.")).to_be_visible()
    assert "fetch( =>" not in admin.get(f"{WORKERS}/{worker}/files/main.ts").text


def test_a_form_is_made_of_the_schema(dash: Dash, admin: httpx.Client) -> None:
    manifest = """[schema.params]
type = "object"
required = ["name"]
properties.name = { type = "string", description = "Who is greeted." }
properties.times = { type = "integer" }
properties.tone = { type = "string", enum = ["kind", "rude"] }
"""
    code = "export default ({ params }) => params;\n"
    files = {"main.ts": code.replace("({ params })", "(params: unknown)"), "v8box.toml": manifest}
    admin.put(f"{WORKERS}/formed", json={"files": files}).raise_for_status()
    page = dash.open("/projects/default/workers/formed")
    page.get_by_role("tab", name="Form").click()
    expect(page.get_by_text("Who is greeted.")).to_be_visible()
    page.get_by_label("name *").fill("Ana")
    page.get_by_label("times").fill("2")
    dash.look("worker-form")
    page.get_by_role("button", name="Send").click()
    answer = page.get_by_label("Response", exact=True)
    expect(answer).to_contain_text('"times": 2')

    # It is kept: as a case, in the history, as a command.
    page.get_by_role("button", name="Save request").click()
    page.get_by_role("dialog").get_by_label("Name").fill("greet Ana")
    page.get_by_role("dialog").get_by_role("button", name="Save request").click()
    page.reload()
    page.get_by_role("tab", name="History").click()
    expect(page.get_by_role("button", name=re.compile("200.*POST"))).to_be_visible()
    page.get_by_role("tab", name="Saved").click()
    page.get_by_role("button", name="greet Ana POST /").click()
    page.get_by_role("tab", name="Body").click()
    expect(page.get_by_label("Body").last).to_have_value('{\n  "name": "Ana",\n  "times": 2\n}')
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy as curl").click()
    command = page.evaluate("navigator.clipboard.readText()")
    told = subprocess.run(["sh", "-c", command + " -s"], capture_output=True, check=True, text=True).stdout
    assert json.loads(told)["data"]["params"] == {"name": "Ana", "times": 2}


def test_a_workers_own_metrics_lead_to_its_runs(dash: Dash, admin: httpx.Client, box: RunningBox) -> None:
    code = "export default { fetch: () => new Response() };\n"
    admin.put(f"{WORKERS}/measured", json={"files": {"main.ts": code}}).raise_for_status()
    for _ in range(3):
        box.run("measured")
    page = dash.open("/projects/default/workers/measured/metrics?range=now-15m")
    figure = page.locator("dl > div").filter(has_text="Requests")
    expect(figure.locator("dd")).to_have_text("3")
    dash.look("worker-metrics")
    page.locator(".u-over").first.click(position={"x": 200, "y": 40})
    page.wait_for_url(re.compile("/logs\\?.*worker=measured"))
    assert "from=" in page.url


def test_tags_are_on_the_workers_page(dash: Dash, admin: httpx.Client, worker: str) -> None:
    page = dash.open(f"/projects/default/workers/{worker}/versions")
    page.get_by_role("button", name="Change tags").click()
    page.get_by_role("dialog").get_by_label("Tags").fill("payments")
    page.get_by_role("dialog").get_by_role("button", name="Apply").click()
    page.get_by_role("link", name="payments").click()
    expect(page.get_by_role("table", name="Workers").locator("tbody tr")).to_have_count(1)
    admin.patch(f"{WORKERS}/{worker}", json={"tags": []}).raise_for_status()


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


def test_the_palette_runs_rolls_back_and_follows(dash: Dash, admin: httpx.Client) -> None:
    for word in ("first", "second"):
        code = f'export default {{ fetch: () => new Response("{word}") }};\n'
        admin.put(f"{WORKERS}/piloted", json={"files": {"main.ts": code}}).raise_for_status()
    page = dash.open("/projects/default/variables")

    def choose(typed: str, line: str) -> None:
        page.keyboard.press("ControlOrMeta+k")
        page.get_by_role("combobox").fill(typed)
        page.get_by_role("option", name=line, exact=True).click()

    choose("run piloted", "Run piloted")
    expect(page.get_by_label("Response", exact=True)).to_contain_text("second")
    assert "?run" not in page.url  # a reload does not run it again
    choose("back piloted", "Roll back piloted")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("v2 is live. What was live before it answers again.")
    dialog.get_by_role("button", name="Roll back").click()
    expect(page.get_by_text("v1 is live again")).to_be_visible()
    assert _live(admin, "piloted") == 1
    assert admin.get(f"{WORKERS}/piloted/deployments/production/history").json()["items"][0]["change"] == "rolled_back"
    choose("log piloted", "Follow the log of piloted")
    page.wait_for_url(re.compile("/workers/piloted/logs"))
