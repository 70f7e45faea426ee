"""The cache in the dashboard: keys of every type are found, shown, changed and deleted; names and values are text,
whatever they are; nobody's newer value is overwritten."""

from __future__ import annotations

import json
import re
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import httpx
import pytest
from playwright.sync_api import Locator, Page, TimeoutError, expect
from tests.browser.dashboard.conftest import Dash
from tests.e2e.box import RunningBox

CACHE = "/api/v1/projects/default/cache"
PLACE = "/projects/default/cache"
ODD = "<img src=x onerror=throw 1> 🦆 #?%&"
MARKUP = "<script>throw 1</script> 🦆\nsecond line"
BINARY = b"\xff\x00key:\x80"
FILL = """
export default async function ({ cache }) {
  for (let at = 0; at < 3000; at += 500) {
    await cache.mset(...Array.from({ length: 500 }, (_, n) => [`many-${at + n}`, "v"]).flat());
  }
  return "filled";
}
"""


class Keys:
    """The keys, as the API has them."""

    def __init__(self, admin: httpx.Client) -> None:
        self.admin = admin

    def put(self, key: str | bytes, value: Any, space: str = "cache", **more: Any) -> None:
        params = {"space": space, **_named(key)}
        body = {"value": value, "ttl_seconds": None, **more}
        self.admin.put(f"{CACHE}/value", params=params, json=body).raise_for_status()

    def change(self, key: str, **body: Any) -> None:
        self.admin.post(f"{CACHE}/items", params={"key": key}, json=body).raise_for_status()

    def read(self, key: str | bytes, space: str = "cache") -> Any:
        answer = self.admin.get(f"{CACHE}/value", params={"space": space, **_named(key)})
        return answer.json() if answer.status_code == 200 else None

    def clear(self) -> None:
        for space in ("cache", "kv:PAGES"):
            body = {"space": space, "everything": True}
            started = self.admin.post(f"{CACHE}/delete", json=body).json()
            ended = self.admin.get(f"/api/v1/operations/{started['id']}", params={"wait": 30}).json()
            assert ended["state"] == "succeeded"


def _named(key: str | bytes) -> dict[str, str]:
    return {"key": key} if isinstance(key, str) else {"key_base64": urlsafe_b64encode(key).decode().rstrip("=")}


@pytest.fixture
def keys(admin: httpx.Client) -> Iterator[Keys]:
    found = Keys(admin)
    found.clear()
    yield found
    found.clear()


def saved(page: Page) -> None:
    """The form on top has been sent, and there is nothing more to save."""
    expect(page.get_by_text("Saved", exact=True).first).to_be_visible()
    expect(dialog(page).get_by_role("button", name="Save")).to_be_disabled()


def closed(page: Page, title: str) -> None:
    """A dialog over the key's has gone: the key's own is hidden below it until then."""
    expect(page.get_by_role("dialog", name=title)).to_have_count(0)


def key(page: Page, name: str) -> Locator:
    return page.get_by_role("button", name=name, exact=True)


def dialog(page: Page) -> Locator:
    """The one on top."""
    return page.get_by_role("dialog").last


def test_an_empty_cache_teaches_and_a_first_key_is_made(dash: Dash, keys: Keys) -> None:
    page = dash.open(PLACE)
    expect(page.get_by_text('await cache.set("greeting"')).to_be_visible()
    dash.look("cache-empty")
    page.get_by_role("button", name="New key").first.click()
    form = dialog(page)
    form.get_by_label("Key", exact=True).fill(f"a:{ODD}")
    form.get_by_label("Value").fill(MARKUP)
    form.get_by_label("Expires").check()
    form.get_by_label("After").fill("2")
    dash.look("cache-new")
    form.get_by_role("button", name="Create").click()
    expect(page.get_by_role("dialog").get_by_label("Value")).to_have_value(MARKUP)
    expect(page.get_by_role("dialog")).to_contain_text("1h 59m")
    made = keys.read(f"a:{ODD}")
    assert made["value"] == MARKUP
    assert 7_000 < made["ttl_seconds"] <= 7_200
    # What is there already is not written over.
    page.keyboard.press("Escape")
    page.get_by_role("button", name="New key").first.click()
    dialog(page).get_by_label("Key", exact=True).fill(f"a:{ODD}")
    dialog(page).get_by_role("button", name="Create").click()
    expect(dialog(page).get_by_role("alert")).to_contain_text("already")
    assert keys.read(f"a:{ODD}")["value"] == MARKUP


def test_keys_are_found_folder_by_folder_and_by_how_they_begin(dash: Dash, keys: Keys) -> None:
    for number in range(3):
        keys.put(f"session:{number}", "v", ttl_seconds=9 * 3_600)
    keys.put("pages/home", "v")
    keys.put(ODD, "odd")
    keys.put(BINARY, {"base64": b64encode(bytes(range(256))).decode()})
    keys.put("report", json.dumps({"a": 12345678901234567890, "b": [MARKUP]}, separators=(",", ":")))
    keys.change("user", type="hash", action="create", name="name", value="Ada")
    keys.put("home", "<h1>", "kv:PAGES", metadata={"etag": "<b>"})
    page = dash.open(PLACE)
    table = page.get_by_role("table")
    expect(table.get_by_role("row").filter(has_text="session:")).to_contain_text("3 keys")
    expect(key(page, ODD)).to_be_visible()
    expect(table.get_by_role("row").filter(has_text="\\xff\\x00key:\\x80")).to_contain_text("binary")
    expect(table.get_by_role("row").filter(has_text="user")).to_contain_text("hash")
    expect(page.get_by_role("navigation", name="Spaces").get_by_text("PAGES")).to_be_visible()
    dash.look("cache")

    table.get_by_role("link", name="session:").click()
    expect(key(page, "1")).to_be_visible()
    expect(table.get_by_role("row").filter(has_text="8h 59m").first).to_be_visible()  # it counts down
    assert "prefix=session" in page.url
    page.get_by_role("navigation", name="Folders of the key").get_by_role("link", name="cache").click()
    page.get_by_role("searchbox", name="Begins with…").fill("rep")
    expect(table.get_by_role("row")).to_have_count(2)
    expect(key(page, "report")).to_be_visible()
    page.get_by_role("searchbox", name="Begins with…").fill("*")  # is itself
    expect(page.get_by_text("Nothing begins like this")).to_be_visible()

    # Each key has an address, also one that is no text; what it holds is shown and does nothing.
    dash.open(f"{PLACE}?key=t:report")
    expect(dialog(page).locator(".monaco-editor").first).to_contain_text("12345678901234567890")
    dash.look("cache-json")
    dash.open(f"{PLACE}?key=b:{b64encode(BINARY).decode().replace('+', '%2B')}")
    expect(dialog(page).locator("pre")).to_contain_text("00000030  30 31 32")
    dash.open(f"{PLACE}?space=kv:PAGES&key=t:home")
    expect(dialog(page).get_by_label("Metadata")).to_have_value('{\n  "etag": "<b>"\n}')
    dash.look("cache-kv")


def test_a_text_is_changed_and_a_newer_one_is_not_lost(dash: Dash, keys: Keys) -> None:
    keys.put("k", "first", ttl_seconds=500)
    page = dash.open(f"{PLACE}?key=t:k")
    form = dialog(page)
    form.get_by_label("Value").fill(MARKUP)
    form.get_by_role("button", name="Save").click()
    saved(page)
    assert keys.read("k")["value"] == MARKUP
    assert keys.read("k")["ttl_seconds"] > 300  # as it was

    keys.put("k", "somebody else's")
    form.get_by_label("Value").fill("mine")
    form.get_by_role("button", name="Save").click()
    expect(form.get_by_role("alert")).to_contain_text("somebody has changed it")
    assert keys.read("k")["value"] == "somebody else's"
    form.get_by_role("button", name="Show what it is now").click()
    expect(form.get_by_label("Value")).to_have_value("somebody else's")


def test_ends_of_lines_stay_as_they_were(dash: Dash, keys: Keys) -> None:
    keys.put("crlf", "a\r\nb")
    keys.put("mixed", "a\r\nb\nc")
    page = dash.open(f"{PLACE}?key=t:crlf")
    dialog(page).get_by_label("Value").fill("a\nb\nc")
    dialog(page).get_by_role("button", name="Save").click()
    saved(page)
    assert keys.read("crlf")["value"] == "a\r\nb\r\nc"
    dash.open(f"{PLACE}?key=t:mixed")
    expect(dialog(page).locator("pre")).to_contain_text("61 0d 0a 62 0a 63")


def test_json_stays_as_compact_as_it_was(dash: Dash, keys: Keys) -> None:
    """Typed on a slow machine, too, where keys are ahead of what is drawn."""
    keys.put("j", '{"big":12345678901234567890,"e":"\\u00e4"}')
    page = dash.open(f"{PLACE}?key=t:j")
    editor = dialog(page).locator(".monaco-editor").first
    expect(editor).to_contain_text("12345678901234567890")
    editor.click()
    page.keyboard.press("Control+A")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowRight")
    dash.slow_down(12)
    page.keyboard.type('"new": [1, 22, 333, 4444, 55555],')
    dash.slow_down(1)
    dialog(page).get_by_role("button", name="Save").click()
    saved(page)
    assert keys.read("j")["value"] == '{"new":[1,22,333,4444,55555],"big":12345678901234567890,"e":"\\u00e4"}'


def test_collections_are_changed_item_by_item(dash: Dash, keys: Keys) -> None:
    for number in range(3):
        keys.change("l", type="list", action="append", value=f"item {number}")
    keys.change("h", type="hash", action="create", name="<b>", value="1")
    keys.change("z", type="zset", action="create", name="ada", score=1)
    page = dash.open(f"{PLACE}?key=t:h")
    dialog(page).get_by_role("button", name="Add a field").click()
    dialog(page).get_by_label("Field", exact=True).fill("f")
    dialog(page).get_by_label("Value").fill(MARKUP)
    dialog(page).get_by_role("button", name="Save").click()
    expect(page.get_by_role("cell", name="<script>")).to_be_visible()
    page.get_by_role("button", name="Edit: <b>").click()
    dialog(page).get_by_label("Value").fill("2")
    dialog(page).get_by_role("button", name="Save").click()
    closed(page, "Edit the item")
    assert sorted((item["name"], item["value"]) for item in keys.read("h")["items"]) == [("<b>", "2"), ("f", MARKUP)]
    dash.look("cache-hash")

    dash.open(f"{PLACE}?key=t:l")
    page.get_by_role("button", name="Edit: [1]").click()
    dialog(page).get_by_label("Item").fill("mine")
    keys.change("l", type="list", action="prepend", value="new")  # all stand elsewhere now
    dialog(page).get_by_role("button", name="Save").click()
    expect(dialog(page).get_by_role("alert")).to_contain_text("somebody has changed it")
    page.keyboard.press("Escape")
    dialog(page).get_by_role("button", name="Reload").click()
    expect(page.get_by_role("cell", name="new")).to_be_visible()
    page.get_by_role("button", name="Delete: [0]").click()
    dialog(page).get_by_role("button", name="Delete").click()
    closed(page, "Delete this item?")
    assert [item["value"] for item in keys.read("l")["items"]] == ["item 0", "item 1", "item 2"]

    dash.open(f"{PLACE}?key=t:z")
    page.get_by_role("button", name="Edit: ada").click()
    dialog(page).get_by_label("Score").fill("-inf")
    dialog(page).get_by_role("button", name="Save").click()
    expect(page.get_by_role("cell", name="-inf")).to_be_visible()
    page.get_by_role("button", name="Delete: ada").click()
    dialog(page).get_by_role("button", name="Delete").click()
    expect(page.get_by_role("dialog")).to_have_count(0)  # with its last member the key is gone
    assert keys.read("z") is None


@pytest.mark.parametrize("kind", ["hash", "list", "set", "sorted set", "stream"])
def test_a_key_of_each_type_is_made(dash: Dash, keys: Keys, kind: str) -> None:
    page = dash.open(PLACE)
    page.get_by_role("button", name="New key").first.click()
    form = dialog(page)
    form.get_by_label("Key", exact=True).fill("made")
    form.get_by_label("Type").click()
    page.get_by_role("option", name=re.compile(f"^{kind}")).click()
    expect(form.get_by_label("Type")).to_contain_text(kind)  # which is hidden while the list is open
    for label in ("Field", "Member", "Value", "Item", "Score"):
        field = form.get_by_label(label, exact=True)
        if field.count():
            field.fill("7")
    form.get_by_role("button", name="Create").click()
    expect(page.get_by_role("dialog").get_by_role("table")).to_contain_text("7")
    assert keys.read("made")["type"] == {"sorted set": "zset"}.get(kind, kind)


def test_expiry_name_and_end_of_a_key(dash: Dash, keys: Keys) -> None:
    keys.put("old", "v")
    page = dash.open(f"{PLACE}?key=t:old")
    page.get_by_role("button", name="Change expiry").click()
    dialog(page).get_by_label("Expires").check()
    dialog(page).get_by_label("After").fill("3")
    dialog(page).get_by_role("button", name="Save").click()
    expect(dialog(page)).to_contain_text("2h 59m")
    assert keys.read("old")["ttl_seconds"] > 10_000
    page.get_by_role("button", name="Rename").click()
    dialog(page).get_by_label("New name").fill(ODD)
    dialog(page).get_by_role("button", name="Rename").click()
    expect(page.get_by_role("dialog", name=ODD)).to_be_visible()
    assert (keys.read("old"), keys.read(ODD)["value"]) == (None, "v")
    dialog(page).get_by_role("button", name="Delete").click()
    dialog(page).get_by_role("button", name="Delete").click()
    expect(page.get_by_text("No keys yet")).to_be_visible()
    assert keys.read(ODD) is None


def test_all_below_a_prefix_are_counted_and_their_name_is_asked_for(dash: Dash, keys: Keys) -> None:
    for number in range(5):
        keys.put(f"s:{number}", "v")
    keys.put("keep", "v")
    page = dash.open(f"{PLACE}?prefix=s:")
    expect(key(page, "1")).to_be_visible()
    page.get_by_role("button", name="More").click()
    page.get_by_role("menuitem", name="Delete all of these…").click()
    expect(dialog(page)).to_contain_text("5 keys are deleted")
    delete = dialog(page).get_by_role("button", name="Delete 5 keys")
    expect(delete).to_be_disabled()
    dialog(page).get_by_role("textbox").fill("s:")
    delete.click()
    expect(dialog(page)).to_contain_text("5 keys deleted")
    dialog(page).get_by_role("button", name="Close").last.click()
    expect(page.get_by_text("Nothing begins like this")).to_be_visible()
    assert (keys.read("s:1"), keys.read("keep")["value"]) == (None, "v")


def test_many_keys_are_drawn_as_far_as_they_are_seen(dash: Dash, keys: Keys, box: RunningBox) -> None:
    worker = box.directory / "functions" / "fill.ts"
    mark = box.mark()
    worker.write_text(FILL)
    box.wait_line("fill is live", mark)
    assert "filled" in box.run("fill").text
    worker.unlink()
    page = dash.open(PLACE)
    rows = page.get_by_role("table").get_by_role("row")
    expect(rows.nth(20)).to_be_visible()
    whole = page.locator("table[aria-rowcount='3001']")
    more = page.get_by_role("button", name="Load more", disabled=False)
    while True:
        expect(whole.or_(more).first).to_be_visible()
        if whole.count():
            break
        with suppress(TimeoutError):  # it has gone meanwhile: all are there
            more.click(timeout=5_000)
    assert rows.count() < 150


def test_a_viewer_sees_names_and_no_values(visitor: Callable[[str], Dash], keys: Keys) -> None:
    keys.put("session:1", "SECRET")
    dash = visitor("viewer")
    page = dash.open(f"{PLACE}?prefix=session:")
    expect(page.get_by_role("button", name="New key").first).to_have_attribute("aria-disabled", "true")
    key(page, "1").click()
    expect(dialog(page)).to_contain_text("Values may be secrets")
    expect(dialog(page)).to_contain_text("string")
    expect(dialog(page).get_by_role("button", name="Delete")).to_have_attribute("aria-disabled", "true")
    assert "SECRET" not in page.content()
    dash.look("cache-viewer")


def test_kept_answers_are_counted_and_purged(dash: Dash, box: RunningBox, admin: httpx.Client) -> None:
    folder = box.directory / "functions" / "kept"
    folder.mkdir()
    mark = box.mark()
    (folder / "v8box.toml").write_text("[cache]\nenabled = true\n")
    (folder / "main.ts").write_text(
        "let runs = 0;\nexport default { fetch: () => new Response(`${++runs}`,"
        ' { headers: { "cache-control": "max-age=600", "cache-tag": "t" } }) };\n'
    )
    box.wait_line("kept is live", mark)
    assert [box.run("kept").text for _ in range(3)] == ["1", "1", "1"]
    page = dash.open(f"{PLACE}/responses")
    expect(page.get_by_role("row").filter(has_text="kept")).to_contain_text("66.7%")
    expect(page.get_by_role("button", name="Purge: kept")).to_be_in_viewport()  # nothing is cut off
    dash.look("cache-responses")
    page.get_by_role("button", name="Purge", exact=True).click()
    dialog(page).get_by_label("Tags").fill("t")
    dialog(page).get_by_role("button", name="Purge").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert box.run("kept").text == "2"
    page.get_by_role("button", name="More").click()
    page.get_by_role("menuitem", name="Purge everything").click()
    dialog(page).get_by_role("textbox").fill("default")
    dialog(page).get_by_role("button", name="Purge").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert box.run("kept").text == "3"
