"""Objects in the dashboard: dropped, looked at, deleted; names and contents are text, whatever they are."""

from __future__ import annotations

import itertools
import random
import re
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, Request, expect
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
    uploads = page.get_by_role("list", name="Uploads", exact=True)
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
    page.get_by_label("Names that begin with").fill("no such")
    expect(page.get_by_text("Nothing here begins with no such")).to_be_visible()
    page.get_by_label("Names that begin with").fill("page.h")
    expect(page.get_by_role("checkbox", name=ODD_KEY)).to_have_count(0)
    expect(page.get_by_role("checkbox", name="page.html")).to_be_visible()
    page.get_by_label("Names that begin with").fill("")
    page.get_by_role("checkbox", name=ODD_KEY).check()
    page.get_by_role("checkbox", name="page.html").check()
    page.get_by_role("button", name="Delete").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("button", name="Delete")).to_be_disabled()
    dialog.get_by_role("textbox").fill(bucket)
    dialog.get_by_role("button", name="Delete").click()
    expect(page.get_by_text("2 objects deleted")).to_be_visible()
    left = [each["key"] for each in admin.get(f"{BUCKETS}/{bucket}/objects").json()["data"]["objects"]]
    assert left == ["docs/readme.md", "dot.png"]


def test_folders_are_made_and_deleted_with_all_that_is_in_them(dash: Dash, admin: httpx.Client, bucket: str) -> None:
    page = dash.open(f"/projects/default/objects/{bucket}")
    page.get_by_role("button", name="more").click()
    page.get_by_role("menuitem", name="New folder").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill("..")
    expect(dialog.get_by_role("button", name="Create")).to_be_disabled()
    dialog.get_by_label("Name").fill("<b>new 🦆</b>")
    dialog.get_by_role("button", name="Create").click()
    expect(page.get_by_text("Nothing here yet")).to_be_visible()
    dash.look("bucket-folder-empty")
    drop(page, "in it.txt", "x", "text/plain")
    expect(page.get_by_role("button", name="in it.txt", exact=True)).to_be_visible()
    page.get_by_role("navigation", name="Folders").get_by_role("link", name=bucket).click()

    page.get_by_role("checkbox", name="<b>new 🦆</").check()
    page.get_by_role("checkbox", name="docs/").check()
    page.get_by_role("button", name="Delete").click()
    expect(dialog).to_contain_text("with all that is in them")
    dash.look("bucket-delete")
    dialog.get_by_role("textbox").fill(bucket)
    dialog.get_by_role("button", name="Delete").click()
    expect(page.get_by_text("Deleting")).to_contain_text("Done")
    expect(page.get_by_role("link", name="docs/")).to_have_count(0)
    left = [each["key"] for each in admin.get(f"{BUCKETS}/{bucket}/objects").json()["data"]["objects"]]
    assert sorted(left) == sorted(["page.html", "dot.png", ODD_KEY])


def test_a_link_opens_without_a_session(dash: Dash, bucket: str) -> None:
    page = dash.open(f"/projects/default/objects/{bucket}")
    page.get_by_role("button", name=ODD_KEY).click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Share").click()
    dash.look("object-share")
    dialog.get_by_role("button", name="Make link").click()
    link = dialog.get_by_label("Link", exact=True).inner_text()
    dash.look("object-link")
    with httpx.Client(trust_env=False, timeout=60) as anybody:
        assert anybody.get(link).text == "odd"
        assert anybody.put(link, content=b"x").status_code == 403
    dialog.get_by_role("button", name="Close").last.click()
    expect(dialog.get_by_role("button", name="Share")).to_be_visible()  # back at the object
    page.keyboard.press("Escape")

    page.get_by_role("button", name="more").click()
    page.get_by_role("menuitem", name="Link for an upload").click()
    dialog.get_by_label("Key").fill("sent/<b>.bin")
    dialog.get_by_label("Only for the type").fill("image/png")
    dialog.get_by_role("button", name="Make link").click()
    expect(dialog).to_contain_text("-H 'content-type: image/png'")
    link = dialog.get_by_label("Link", exact=True).inner_text()
    with httpx.Client(trust_env=False, timeout=60) as anybody:
        assert anybody.put(link, content=b"x", headers={"content-type": "image/png"}).status_code == 200
    dialog.get_by_role("button", name="Close").last.click()


def test_metadata_is_edited(dash: Dash, admin: httpx.Client, bucket: str) -> None:
    page = dash.open(f"/projects/default/objects/{bucket}")
    page.get_by_role("button", name=ODD_KEY).click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Edit metadata").click()
    expect(dialog.get_by_label("Value 1")).to_have_value("<b>Ada</b>")
    dialog.get_by_label("Content-Type").fill("text/größe")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.get_by_role("alert")).to_contain_text("printable ASCII")
    dialog.get_by_label("Content-Type").fill("text/markdown")
    dialog.get_by_role("button", name="Add").click()
    dialog.get_by_label("Name 2").fill("why")
    dialog.get_by_label("Value 2").fill('"><i>because</i>')
    dash.look("object-metadata")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_contain_text('"><i>because</i>')
    head = admin.get(f"{BUCKETS}/{bucket}/objects/", params={"key": ODD_KEY})
    assert (head.headers["content-type"], head.headers["x-amz-meta-why"]) == ("text/markdown", '"><i>because</i>')
    assert head.content == b"odd"


SVG = b"""<svg xmlns="http://www.w3.org/2000/svg" width="40" height="30" onload="top.stolen = 1; throw 1">
<script>top.stolen = 1; parent.stolen = 1; localStorage.stolen = 1; throw 1</script>
<rect width="40" height="30"/></svg>"""


def test_nothing_of_an_object_runs_in_the_dashboard(dash: Dash, admin: httpx.Client, bucket: str) -> None:
    put(admin, "drawing.svg", SVG, "image/svg+xml")
    put(admin, "drawing.png", SVG, "image/svg+xml; charset=utf-8")
    put(admin, "lies.pdf", b"<html><script>top.stolen = 1</script>", "application/pdf")
    put(
        admin,
        "page.xhtml",
        b"<html xmlns='http://www.w3.org/1999/xhtml'><script>1</script></html>",
        "application/xhtml+xml",
    )
    dash.page.add_init_script(
        "window.kinds = []; const make = URL.createObjectURL;"
        " URL.createObjectURL = blob => { window.kinds.push(blob.type); return make.call(URL, blob); }"
    )
    page = dash.open(f"/projects/default/objects/{bucket}")
    dialog = page.get_by_role("dialog")
    for name in ("drawing.svg", "drawing.png"):
        page.get_by_role("button", name=name).click()
        image = dialog.get_by_role("img", name=name)
        assert image.evaluate("async image => { await image.decode(); return image.naturalWidth; }") == 40
        # As an address of the dashboard's own it would run in a tab of its own.
        assert image.get_attribute("src").startswith("data:image/svg+xml")  # type: ignore[union-attr]
        page.keyboard.press("Escape")
    page.get_by_role("button", name="page.xhtml").click()
    expect(dialog.get_by_label("Preview")).to_contain_text("<script>1</script>")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="lies.pdf").click()
    expect(dialog.get_by_title("Preview").or_(dialog.get_by_text("no viewer for PDF"))).to_be_visible()
    assert set(page.evaluate("() => window.kinds")) <= {"application/pdf"}
    assert page.evaluate("() => [window.stolen, localStorage.stolen]") == [None, None]


def wav(seconds: int) -> bytes:
    """Silence."""
    data = bytes(8_000 * seconds)
    head = struct.pack(
        "<4sI4s4sIHHIIHH4sI", b"RIFF", 36 + len(data), b"WAVE", b"fmt ", 16, 1, 1, 8000, 8000, 1, 8, b"data", len(data)
    )
    return head + data


def test_media_are_played_by_ranges(dash: Dash, admin: httpx.Client, bucket: str) -> None:
    put(admin, "silence.wav", wav(60), "audio/wav")
    page = dash.open(f"/projects/default/objects/{bucket}")
    asked: list[Request] = []
    page.on("request", lambda request: asked.append(request) if request.resource_type == "media" else None)
    page.get_by_role("button", name="silence.wav").click()
    audio = page.get_by_role("dialog").get_by_label("Preview")
    length = audio.evaluate(
        "async a => { while (!(a.duration > 0)) await new Promise(r => setTimeout(r, 50)); return a.duration; }"
    )
    assert length == 60
    audio.evaluate("async a => { a.currentTime = 55; await new Promise(r => a.onseeked = r); }")
    assert asked
    assert all(each.all_headers().get("range", "").startswith("bytes=") for each in asked)
    dash.look("object-audio")


MEGABYTE = 1024 * 1024


def cut(page: Page) -> re.Pattern[str]:
    """The connection is gone for the second part, and stays so: what is sent again arrives nowhere."""
    second = re.compile("/parts/2")
    tries = itertools.count(1)
    page.route(second, lambda route: route.abort("connectionreset") if next(tries) == 1 else None)
    return second


def forget_the_cut(dash: Dash) -> None:
    """What Chromium says of a connection that the test cut."""
    dash.errors[:] = [each for each in dash.errors if "ERR_CONNECTION_RESET" not in each]


def test_a_large_upload_goes_on_after_a_cut_and_a_reload(
    dash: Dash, admin: httpx.Client, bucket: str, tmp_path: Path
) -> None:
    admin.patch(f"{BUCKETS}/{bucket}", json={"quota": None}).raise_for_status()
    content = random.Random(7).randbytes(20 * MEGABYTE)
    file = tmp_path / "film <b>🦆.bin"
    file.write_bytes(content)
    page = dash.open(f"/projects/default/objects/{bucket}")
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url) if "/parts/" in request.url else None)
    second = cut(page)
    with page.expect_response(re.compile("/parts/3")):
        page.get_by_label("Upload", exact=True).last.set_input_files(file)
    uploads = page.get_by_role("list", name="Uploads", exact=True)
    expect(uploads.get_by_role("progressbar")).to_have_attribute("aria-valuenow", "60")
    dash.look("bucket-upload-parts")
    uploads.get_by_role("button", name="Pause").click()
    expect(uploads).to_contain_text("paused")
    page.unroute(second)
    listed = admin.get(f"{BUCKETS}/{bucket}/uploads").json()["data"]
    assert [each["key"] for each in listed] == [file.name]

    page = dash.open(f"/projects/default/objects/{bucket}")
    unfinished = page.get_by_role("list", name="Unfinished uploads")
    expect(unfinished).to_contain_text(file.name)
    dash.look("bucket-unfinished")
    (tmp_path / "other").write_bytes(b"x")
    page.get_by_label("Choose the file", exact=True).first.wait_for(state="attached")
    with page.expect_file_chooser() as chooser:
        unfinished.get_by_role("button", name="Choose the file").click()
    chooser.value.set_files(tmp_path / "other")
    expect(page.get_by_text("This is not the file")).to_be_visible()
    sent.clear()
    with page.expect_file_chooser() as chooser:
        unfinished.get_by_role("button", name="Choose the file").click()
    chooser.value.set_files(file)
    expect(page.get_by_role("list", name="Uploads", exact=True)).to_contain_text("uploaded")
    assert [re.sub(r".*/parts/(\d+).*", r"\1", each) for each in sent] == ["2"]  # what had arrived is not sent again
    assert admin.get(f"{BUCKETS}/{bucket}/objects/", params={"key": file.name}).content == content
    expect(unfinished).to_have_count(0)
    forget_the_cut(dash)


def test_a_cancelled_upload_leaves_no_parts(dash: Dash, admin: httpx.Client, bucket: str, tmp_path: Path) -> None:
    admin.patch(f"{BUCKETS}/{bucket}", json={"quota": None}).raise_for_status()
    file = tmp_path / "film.bin"
    file.write_bytes(bytes(20 * MEGABYTE))
    page = dash.open(f"/projects/default/objects/{bucket}")
    cut(page)
    with page.expect_response(re.compile("/parts/3")):
        page.get_by_label("Upload", exact=True).last.set_input_files(file)
    with page.expect_response(lambda response: response.request.method == "DELETE"):
        page.get_by_role("list", name="Uploads", exact=True).get_by_role("button", name="Stop").click()
    expect(page.get_by_role("list", name="Uploads", exact=True)).to_contain_text("stopped")
    assert admin.get(f"{BUCKETS}/{bucket}/uploads").json()["data"] == []
    forget_the_cut(dash)


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
    expect(dialog).to_have_count(0)  # what is behind it cannot be seen by role
    expect(page.get_by_role("button", name="Revoke: backup <i>")).to_have_count(0)
    keys = {each["label"]: each for each in admin.get("/admin/s3/keys").json()["data"]}
    assert (keys["backup <i>"]["permissions"], keys["backup <i>"]["usable"]) == (["read", "list"], False)


def test_a_viewer_looks_and_may_not(visitor: Callable[[str], Dash], bucket: str) -> None:
    page = visitor("viewer").open(f"/projects/default/objects/{bucket}")
    expect(page.get_by_role("button", name="Upload", exact=True)).to_have_attribute("aria-disabled", "true")
    expect(page.get_by_role("checkbox")).to_have_count(0)
    page.get_by_role("button", name="dot.png").click()
    expect(page.get_by_role("dialog").get_by_role("img")).to_be_visible()
