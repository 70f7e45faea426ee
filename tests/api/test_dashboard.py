"""What is served of the dashboard, and what is left to the API."""

from __future__ import annotations

import gzip
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from v8box.api.asgi import Receive, Scope, Send
from v8box.api.dashboard import JSON_ONLY, BuiltFiles, Dashboard
from v8box.cli.api_reference import document

PAGE = "<!doctype html><title>V8Box</title>"
SCRIPT = "export const answer = 42;\n" * 100
HTML = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.fixture
def built(tmp_path: Path) -> Path:
    folder = tmp_path / "built"
    (folder / "assets").mkdir(parents=True)
    (folder / ".vite").mkdir()
    (folder / "index.html").write_text(PAGE)
    (folder / "sw.js").write_text("// worker")
    (folder / ".vite" / "manifest.json").write_text("{}")
    script = folder / "assets" / "index-abc.js"
    script.write_text(SCRIPT)
    script.with_name("index-abc.js.gz").write_bytes(gzip.compress(SCRIPT.encode()))
    script.with_name("index-abc.js.br").write_bytes(b"as if it were brotli")
    return folder


async def the_api(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 418, "headers": []})
    await send({"type": "http.response.body", "body": scope["path"].encode(), "more_body": False})


@pytest.fixture
async def browser(built: Path) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=Dashboard(the_api, BuiltFiles(built)))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        client.headers["accept-encoding"] = "identity"
        yield client


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/session",
        "/api",
        "/api/docs",
        "/admin/database/databases",
        "/admin/s3/buckets/b/objects/index.html",
        "/admin/login",
        "/admin/openapi.json",
    ],
)
async def test_what_is_the_apis_is_left_to_it_even_from_a_browser(browser: httpx.AsyncClient, path: str) -> None:
    answer = await browser.get(path, headers=HTML)
    assert (answer.status_code, answer.text) == (418, path)


def test_no_address_of_the_api_can_be_hidden_by_a_page() -> None:
    below = {path.split("/")[2] for path in document()["paths"] if path.startswith("/admin/")}
    assert below <= JSON_ONLY
    assert all(path.startswith(("/admin/", "/api/")) for path in document()["paths"])


@pytest.mark.parametrize(
    "path", ["/", "/admin", "/admin/", "/workers/hello", "/admin/projects/default/workers/hello.ts"]
)
async def test_every_other_address_is_a_page_to_a_browser(browser: httpx.AsyncClient, path: str) -> None:
    answer = await browser.get(path, headers=HTML)
    assert (answer.status_code, answer.text) == (200, PAGE)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"


async def test_a_program_that_mistypes_an_address_hears_it_from_the_api(browser: httpx.AsyncClient) -> None:
    assert (await browser.get("/admin/databse/databases", headers={"accept": "*/*"})).status_code == 418
    assert (await browser.get("/admin", headers={"accept": "*/*"})).status_code == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_only_reading_is_answered(browser: httpx.AsyncClient, method: str) -> None:
    assert (await browser.request(method, "/admin/assets/index-abc.js", headers=HTML)).status_code == 418


@pytest.mark.parametrize("prefix", ["", "/admin"])
async def test_a_hashed_file_is_kept_for_good(browser: httpx.AsyncClient, prefix: str) -> None:
    answer = await browser.get(f"{prefix}/assets/index-abc.js")
    assert (answer.status_code, answer.text) == (200, SCRIPT)
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["vary"] == "accept-encoding"


async def test_a_file_of_another_build_is_not_found_rather_than_a_page(browser: httpx.AsyncClient) -> None:
    answer = await browser.get("/admin/assets/index-old.js", headers=HTML)
    assert answer.status_code == 404
    assert "html" not in answer.headers["content-type"]
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "path",
    [
        "/assets/../index.html",
        "/assets/../../files.py",
        "/assets/%2e%2e/index.html",
        "/assets/index-abc.js.gz",
        "/assets//etc/passwd",
    ],
)
async def test_nothing_else_on_the_disk_can_be_asked_for(browser: httpx.AsyncClient, path: str) -> None:
    url = httpx.URL("http://localhost").copy_with(raw_path=path.encode())
    answer = await browser.get(url, headers=HTML)
    assert answer.status_code in (200, 404)
    assert answer.text in (PAGE, "There is no such file.\n")


async def test_what_the_build_tells_tools_is_not_served(browser: httpx.AsyncClient) -> None:
    assert (await browser.get("/.vite/manifest.json", headers={"accept": "*/*"})).status_code == 418


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [
        ("gzip, deflate, br", "br"),
        ("gzip", "gzip"),
        ("br;q=0, gzip;q=0.5", "gzip"),
        ("BR; q=1.0", "br"),
        ("br;q=0.000, gzip;q=0", None),
        ("zstd", None),
        ("", None),
    ],
)
async def test_it_is_sent_as_small_as_the_browser_takes_it(built: Path, accepted: str, encoding: str | None) -> None:
    got: list[Any] = []

    async def receive() -> Any:
        raise AssertionError("nothing is read")

    async def send(message: Any) -> None:
        got.append(message)

    headers = [(b"accept-encoding", accepted.encode())]
    scope = {"type": "http", "method": "GET", "path": "/admin/assets/index-abc.js", "headers": headers}
    await Dashboard(the_api, BuiltFiles(built))(scope, receive, send)
    told = {name.decode(): value.decode() for name, value in got[0]["headers"]}
    assert told.get("content-encoding") == encoding
    suffix = {"br": ".br", "gzip": ".gz", None: ""}[encoding]
    assert got[1]["body"] == (built / "assets" / f"index-abc.js{suffix}").read_bytes()
    assert told["content-length"] == str(len(got[1]["body"]))


async def test_each_encoding_has_a_tag_of_its_own_and_what_is_known_is_not_sent_again(
    browser: httpx.AsyncClient,
) -> None:
    plain = (await browser.get("/sw.js")).headers["etag"]
    again = await browser.get("/sw.js", headers={"if-none-match": plain})
    assert (again.status_code, again.content) == (304, b"")
    assert "content-type" not in again.headers
    path = "/assets/index-abc.js"
    tags = {
        (await browser.get(path, headers={"accept-encoding": each})).headers["etag"] for each in ("identity", "gzip")
    }
    assert len(tags) == 2


async def test_a_head_has_the_head_only(browser: httpx.AsyncClient) -> None:
    answer = await browser.head("/admin", headers=HTML)
    assert (answer.status_code, answer.content, answer.headers["content-length"]) == (200, b"", str(len(PAGE)))


@pytest.mark.parametrize("path", ["/admin", "/admin/sw.js", "/admin/assets/index-abc.js", "/admin/assets/none.js"])
async def test_every_answer_is_guarded(browser: httpx.AsyncClient, path: str) -> None:
    headers = (await browser.get(path, headers=HTML)).headers
    policy = dict(each.strip().split(" ", 1) for each in headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["referrer-policy"] == "same-origin"


async def test_another_build_is_noticed_while_the_box_runs(browser: httpx.AsyncClient, built: Path) -> None:
    assert (await browser.get("/admin", headers=HTML)).text == PAGE
    index = built / "index.html"
    index.write_text("<!doctype html><title>Newer</title>")
    os.utime(index, ns=(1, index.stat().st_mtime_ns + 1))
    assert "Newer" in (await browser.get("/admin", headers=HTML)).text


async def test_an_installation_without_it_says_how_it_is_built(tmp_path: Path) -> None:
    transport = httpx.ASGITransport(app=Dashboard(the_api, BuiltFiles(tmp_path)))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as browser:
        answer = await browser.get("/admin", headers=HTML)
        assert answer.status_code == 503
        assert "make dashboard" in answer.text
        assert (await browser.get("/api/v1/session")).status_code == 418
