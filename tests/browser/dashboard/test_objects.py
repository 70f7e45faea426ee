"""Objects in the dashboard: dropped, looked at, deleted; names and contents are text, whatever they are."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect
from tests.browser.dashboard.conftest import Dash

BUCKETS = "/admin/s3/buckets"
ODD_KEY = "<img src=x onerror=throw 1> 🦆 #?%.txt"
MARKUP = "<script>throw 1</script> 🦆"


def png(size: int) -> bytes:
    """A red square."""
    parts = (
        (b"IHDR", struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(b"".join(b"\0" + b"\xe0\x20\x30" * size for _ in range(size)))),
        (b"IEND", b""),
    )
    chunks = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


@pytest.fixture
def bucket(admin: httpx.Client) -> Iterator[str]:
    """With a folder, a text whose name is a trap, and a page that must not become one."""
    admin.post(BUCKETS, json={"name": "media", "quota": 1_000_000}).raise_for_status()
    put(admin, "docs/readme.md", b"# Read me", "text/markdown")
    put(admin, "page.html", MARKUP.encode(), "text/html")
    put(admin, "dot.png", png(10), "image/png")
    put(admin, ODD_KEY, b"odd", "text/plain")
    yield "media"
    for each in admin.get(f"{BUCKETS}/media/objects", params={"limit": 1000}).json()["data"]["objects"]:
        admin.post(f"{BUCKETS}/media/objects/delete", json={"keys": [each["key"]]}).raise_for_status()
    admin.delete(f"{BUCKETS}/media").raise_for_status()


def put(admin: httpx.Client, key: str, content: bytes, content_type: str) -> None:
    headers = {"content-type": content_type, "x-amz-meta-by": "<b>Ada</b>"}
    url = f"{BUCKETS}/media/objects/"
    admin.put(url, params={"key": key}, content=content, headers=headers).raise_for_status()


def drop(page: Page, name: str, content: str, content_type: str) -> None:
    """As somebody does with a file of their desktop."""
    transfer = page.evaluate_handle(
        "([name, content, type]) => { const transfer = new DataTransfer();"
        " transfer.items.add(new File([content], name, { type })); return transfer; }",
        [name, content, content_type],
    )
    table = page.get_by_role("main")
    for event in ("dragenter", "dragover", "drop"):
        table.locator("h1").dispatch_event(event, {"dataTransfer": transfer})


def test_a_bucket_is_made_bounded_and_deleted_by_its_name(dash: Dash, admin: httpx.Client) -> None:
    page = dash.open("/projects/default/objects")
    page.get_by_role("button", name="New bucket").first.click()
    page.get_by_label("Name").fill("photos")
    page.get_by_label("Quota in megabytes").fill("2")
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_role("row").filter(has_text="photos")).to_contain_text("of 2 MB")
    dash.look("buckets")
    page.get_by_role("button", name="photos: Change").click()
    page.get_by_role("menuitem", name="Delete").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("textbox").fill("photos")
    dialog.get_by_role("button", name="Delete").click()
    expect(page.get_by_text("photos is deleted")).to_be_visible()
    assert "photos" not in [each["name"] for each in admin.get(BUCKETS).json()["data"]]


def test_files_are_dropped_into_folders(dash: Dash, admin: httpx.Client, bucket: str, tmp_path: Path) -> None:
    page = dash.open(f"/projects/default/objects/{bucket}")
    page.get_by_role("link", name="docs/").click()
    expect(page.get_by_role("button", name="readme.md")).to_be_visible()
    drop(page, "new <b>🦆.txt", MARKUP, "text/plain")
    uploads = page.get_by_role("list", name="Uploads")
    expect(uploads).to_contain_text("uploaded")
    expect(page.get_by_role("button", name="new <b>🦆.txt", exact=True)).to_be_visible()
    kept = admin.get(f"{BUCKETS}/{bucket}/objects/", params={"key": "docs/new <b>🦆.txt"})
    assert (kept.text, kept.headers["content-type"].split(";")[0]) == (MARKUP, "text/plain")

    # What is there is not replaced unasked.
    drop(page, "readme.md", "another", "text/markdown")
    expect(uploads).to_contain_text("There is one of this name")
    assert admin.get(f"{BUCKETS}/{bucket}/objects/docs/readme.md").text == "# Read me"
    dash.look("bucket-uploads")
    uploads.get_by_role("button", name="Replace").click()
    expect(uploads.get_by_text("uploaded")).to_have_count(2)
    assert admin.get(f"{BUCKETS}/{bucket}/objects/docs/readme.md").text == "another"

    (tmp_path / "a.txt").write_text("a")
    page.get_by_label("Upload", exact=True).last.set_input_files(tmp_path / "a.txt")
    expect(page.get_by_role("button", name="a.txt", exact=True)).to_be_visible()


def test_objects_are_previewed(dash: Dash, bucket: str) -> None:
    page = dash.open(f"/projects/default/objects/{bucket}")
    dash.look("bucket")
    dialog = page.get_by_role("dialog")
    page.get_by_role("button", name="dot.png").click()
    image = dialog.get_by_role("img", name="dot.png")
    expect(image).to_be_visible()
    assert image.evaluate("async image => { await image.decode(); return image.naturalWidth; }") == 10
    expect(dialog).to_contain_text("<b>Ada</b>")
    dash.look("object-image")
    page.keyboard.press("Escape")

    page.get_by_role("button", name="page.html").click()
    expect(dialog.get_by_label("Preview")).to_have_text(MARKUP)  # as text
    dash.look("object-text")
    page.keyboard.press("Escape")
    page.get_by_role("button", name=ODD_KEY).click()
    expect(dialog.get_by_label("Preview")).to_have_text("odd")
    with page.expect_download() as download:
        dialog.get_by_role("link", name="Download").click()
    assert download.value.path().read_bytes() == b"odd"


def test_many_are_deleted_together(dash: Dash, admin: httpx.Client, bucket: str) -> None:
    page = dash.open(f"/projects/default/objects/{bucket}")
    page.get_by_role("checkbox", name=ODD_KEY).check()
    page.get_by_role("checkbox", name="page.html").check()
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_text("2 objects deleted")).to_be_visible()
    left = [each["key"] for each in admin.get(f"{BUCKETS}/{bucket}/objects").json()["data"]["objects"]]
    assert left == ["docs/readme.md", "dot.png"]


def test_access_keys_are_made_and_revoked(dash: Dash, admin: httpx.Client) -> None:
    page = dash.open("/projects/default/access-keys")
    page.get_by_role("button", name="New access key").click()
    page.get_by_label("Label").fill("backup <i>")
    page.get_by_role("checkbox", name="write").uncheck()
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_role("dialog")).to_contain_text("endpoint:")
    page.keyboard.press("Escape")
    expect(page.get_by_role("table")).to_contain_text("backup <i>")
    dash.look("access-keys")
    page.get_by_role("button", name="Revoke: backup <i>").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("textbox").fill("backup <i>")
    dialog.get_by_role("button", name="Revoke").click()
    expect(page.get_by_role("button", name="Revoke: backup <i>")).to_have_count(0)
    keys = {each["label"]: each for each in admin.get("/admin/s3/keys").json()["data"]}
    assert (keys["backup <i>"]["permissions"], keys["backup <i>"]["usable"]) == (["read", "list"], False)


def test_a_viewer_looks_and_may_not(visitor: Callable[[str], Dash], bucket: str) -> None:
    page = visitor("viewer").open(f"/projects/default/objects/{bucket}")
    expect(page.get_by_role("button", name="Upload", exact=True)).to_have_attribute("aria-disabled", "true")
    expect(page.get_by_role("checkbox")).to_have_count(0)
    page.get_by_role("button", name="dot.png").click()
    expect(page.get_by_role("dialog").get_by_role("img")).to_be_visible()
