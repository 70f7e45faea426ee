"""Buckets and objects over HTTP, on the real embedded store."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st
from tests.fakes.current import Current
from tests.fakes.principals import signed_in

from v8box.api.app import build_api
from v8box.bindings.s3.embedded import EmbeddedObjects
from v8box.bindings.s3.interface import Condition, ObjectInfo, ObjectLimits
from v8box.features.objects.headers import byte_range, condition, object_headers
from v8box.features.objects.routes import build_router
from v8box.features.objects.schemas import BucketEntry, ObjectPage

OBJECTS = "buckets/photos/objects"


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[EmbeddedObjects]:
    opened = EmbeddedObjects(tmp_path / "objects", default_bucket="v8box", limits=ObjectLimits())
    await opened.start()
    yield opened
    await opened.stop()


@pytest.fixture(scope="module")
def served() -> tuple[FastAPI, Current]:
    """The application, and the objects that it serves."""
    current: Any = Current()
    return build_api([build_router(current)]), current


@pytest.fixture
async def client(store: EmbeddedObjects, served: tuple[FastAPI, Current]) -> AsyncIterator[httpx.AsyncClient]:
    app, current = served
    current.real = store
    transport = httpx.ASGITransport(app=signed_in(app))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost/admin/s3/", timeout=30) as client:
        data(await client.post("buckets", json={"name": "photos"}), 201)
        yield client


def data(response: httpx.Response, status: int = 200) -> Any:
    body = response.json()
    assert response.status_code == status, body
    assert (set(body), body["success"]) == ({"success", "data", "timestamp"}, True)
    return body["data"]


def error(response: httpx.Response, status: int, code: str) -> None:
    body = response.json()
    assert (response.status_code, body["success"], body["code"]) == (status, False, code), body


async def test_buckets_come_and_go(client: httpx.AsyncClient) -> None:
    made = BucketEntry.model_validate(data(await client.post("buckets", json={"name": "logs", "quota": 1000}), 201))
    assert (made.name, made.objects, made.sizeBytes, made.quota) == ("logs", 0, 0, 1000)
    assert [each["name"] for each in data(await client.get("buckets"))] == ["logs", "photos", "v8box"]
    error(await client.post("buckets", json={"name": "logs"}), 409, "bucket_exists")
    error(await client.put("buckets/logs/objects/a", content=b"x" * 1001), 507, "quota_exceeded")
    assert data(await client.patch("buckets/logs", json={"quota": None}))["quota"] is None
    data(await client.put("buckets/logs/objects/a", content=b"x" * 1001), 201)
    error(await client.delete("buckets/logs"), 409, "bucket_not_empty")
    data(await client.delete("buckets/logs/objects/a"))
    assert data(await client.delete("buckets/logs")) == {"deleted": "logs"}
    error(await client.delete("buckets/logs"), 404, "no_such_bucket")
    error(await client.delete("buckets/v8box"), 409, "bucket_required")


@pytest.mark.parametrize("name", ["", "a", "A-b", "a b", "x" * 64, "../etc", "-ab", "é-é"])
async def test_what_cannot_name_a_bucket(client: httpx.AsyncClient, name: str) -> None:
    error(await client.post("buckets", json={"name": name}), 400, "bad_request")


async def test_what_is_not_there(client: httpx.AsyncClient) -> None:
    error(await client.get("buckets/nope/objects/a"), 404, "no_such_bucket")
    error(await client.put("buckets/nope/objects/a", content=b"x"), 404, "no_such_bucket")
    error(await client.get("buckets/nope/objects"), 404, "no_such_bucket")
    error(await client.get(f"{OBJECTS}/a"), 404, "no_such_key")
    error(await client.delete(f"{OBJECTS}/a"), 404, "no_such_key")
    assert (await client.head(f"{OBJECTS}/a")).status_code == 404
    error(await client.get(f"{OBJECTS}/"), 400, "bad_request")
    error(await client.put(f"{OBJECTS}/{'x' * 1025}", content=b""), 400, "bad_request")
    error(await client.put(f"{OBJECTS}/%ff", content=b""), 400, "bad_request")


async def test_an_object_there_and_back(client: httpx.AsyncClient) -> None:
    content = bytes(range(256)) * 4096
    headers = {"content-type": "image/png", "x-amz-meta-by": "Ada", "cache-control": "max-age=9"}
    made = data(await client.put(f"{OBJECTS}/a/b.png", content=content, headers=headers), 201)
    assert (made["key"], made["sizeBytes"], made["metadata"]) == ("a/b.png", len(content), {"by": "Ada"})
    assert made["etag"] == hashlib.md5(content).hexdigest()
    answer = await client.get(f"{OBJECTS}/a/b.png")
    assert answer.content == content
    head = await client.head(f"{OBJECTS}/a/b.png")
    assert (head.status_code, head.content) == (200, b"")
    for each in (answer, head):
        assert each.headers["content-type"] == "image/png"
        assert each.headers["content-length"] == str(len(content))
        assert each.headers["x-amz-meta-by"] == "Ada"
        assert each.headers["etag"] == f'"{made["etag"]}"'
    [listed] = data(await client.get(OBJECTS))["objects"]
    assert listed == made
    assert listed["http"] == {"contentType": "image/png", "cacheControl": "max-age=9"}


async def test_a_download_is_harmless_on_the_admins_origin(client: httpx.AsyncClient) -> None:
    page = b"<script>fetch('/admin/s3/buckets')</script>"
    await client.put(f"{OBJECTS}/evil.html", content=page, headers={"content-type": "text/html"})
    answer = await client.get(f"{OBJECTS}/evil.html")
    assert answer.content == page
    assert answer.headers["content-security-policy"].startswith("sandbox")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-disposition"] == 'attachment; filename="evil.html"'
    assert answer.headers["cache-control"] == "private, no-cache"
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"


def test_metadata_of_a_worker_breaks_out_of_no_header() -> None:
    http = {"contentType": "text/html\r\nset-cookie: a=b", "contentEncoding": "gzip", "contentLanguage": "\u2028"}
    custom = {"ok": "fine", "bad": "a\nb", "no name": "x", "set-cookie\r\nx": "y", "ä": "z"}
    info = ObjectInfo(key='a/"; b\r\n\u202e.txt', version="", size=1, etag="e", uploaded=0, http=http, custom=custom)
    headers = object_headers(info)
    assert headers["content-type"] == "application/octet-stream"
    assert "content-language" not in headers
    assert headers["x-amz-meta-ok"] == "fine"
    assert headers["x-amz-missing-meta"] == "4"
    assert all(value.isascii() and value.isprintable() for value in headers.values())
    assert headers["content-disposition"].startswith('attachment; filename="__ b___.txt"; filename*=UTF-8')


@pytest.mark.parametrize(
    ("asked", "status", "expected"),
    [
        *(
            ("bytes=0-3", 206, b"0123"),
            ("bytes=8-", 206, b"89"),
            ("bytes=-2", 206, b"89"),
            ("bytes=5-99", 206, b"56789"),
        ),
        *(("bytes=0-0,2-3", 200, b"0123456789"), ("lines=1-2", 200, b"0123456789"), ("bytes=4-2", 200, b"0123456789")),
        *(("bytes=10-", 416, b""), ("bytes=-0", 416, b"")),
    ],
)
async def test_ranges(client: httpx.AsyncClient, asked: str, status: int, expected: bytes) -> None:
    await client.put(f"{OBJECTS}/r", content=b"0123456789")
    answer = await client.get(f"{OBJECTS}/r", headers={"range": asked})
    assert answer.status_code == status
    if status == 416:
        error(answer, 416, "invalid_range")
    else:
        assert answer.content == expected
    if status == 206:
        assert answer.headers["content-range"].endswith("/10")


async def test_conditions(client: httpx.AsyncClient) -> None:
    made = data(await client.put(f"{OBJECTS}/c", content=b"1", headers={"if-none-match": "*"}), 201)
    error(await client.put(f"{OBJECTS}/c", content=b"2", headers={"if-none-match": "*"}), 412, "precondition_failed")
    etag = f'"{made["etag"]}"'
    unchanged = await client.get(f"{OBJECTS}/c", headers={"if-none-match": etag})
    assert (unchanged.status_code, unchanged.content) == (304, b"")
    error(await client.get(f"{OBJECTS}/c", headers={"if-match": '"other"'}), 412, "precondition_failed")
    data(await client.put(f"{OBJECTS}/c", content=b"2", headers={"if-match": etag}), 201)
    assert (await client.get(f"{OBJECTS}/c")).content == b"2"


KEYS = [
    "a//b",
    "a/./b",
    "a/../../b",
    "..",
    "/a",
    "a/",
    " ",
    "%2e%2e",
    "a?b#c",
    "ä😀",
    "a\x00b",
    "a\nb",
    "a\n",
    "delete",
    "x" * 1024,
]


@pytest.mark.parametrize("key", KEYS)
async def test_any_key_is_reached_by_the_query(client: httpx.AsyncClient, key: str) -> None:
    assert data(await client.put(f"{OBJECTS}/", params={"key": key}, content=b"x"), 201)["key"] == key
    assert (await client.get(f"{OBJECTS}/", params={"key": key})).content == b"x"
    assert [each["key"] for each in data(await client.get(OBJECTS))["objects"]] == [key]
    if not {".", ".."} & set(key.split("/")):
        assert (await client.get(f"{OBJECTS}/{quote(key, safe='')}")).content == b"x"
    assert data(await client.delete(f"{OBJECTS}/", params={"key": key})) == {"deleted": [key]}
    assert data(await client.get(OBJECTS))["objects"] == []


async def test_lists_page_by_page_and_by_folder(client: httpx.AsyncClient) -> None:
    keys = [f"a/{number:02}" for number in range(7)] + ["b/x/y", "c"]
    for key in keys:
        data(await client.put(f"{OBJECTS}/{key}", content=b""), 201)
    found: list[str] = []
    cursor = ""
    while True:
        page = ObjectPage.model_validate(data(await client.get(OBJECTS, params={"limit": 4, "cursor": cursor})))
        found += [each.key for each in page.objects]
        if page.cursor is None:
            break
        cursor = page.cursor
    assert found == keys
    page = ObjectPage.model_validate(data(await client.get(OBJECTS, params={"delimiter": "/"})))
    assert (page.prefixes, [each.key for each in page.objects]) == (["a/", "b/"], ["c"])
    below = data(await client.get(OBJECTS, params={"prefix": "b/", "delimiter": "/"}))
    assert below["prefixes"] == ["b/x/"]
    for params in ({"limit": 0}, {"limit": 1001}, {"limit": "x"}):
        error(await client.get(OBJECTS, params=params), 400, "bad_request")
    error(await client.get(OBJECTS, params={"cursor": "nonsense!"}), 400, "invalid_argument")


async def test_many_are_deleted_at_once(client: httpx.AsyncClient) -> None:
    for key in ("a", "b", "c"):
        await client.put(f"{OBJECTS}/{key}", content=b"x")
    data(await client.post(f"{OBJECTS}/delete", json={"keys": ["a", "c", "nope"]}))
    assert [each["key"] for each in data(await client.get(OBJECTS))["objects"]] == ["b"]
    error(await client.post(f"{OBJECTS}/delete", json={"keys": []}), 400, "bad_request")
    error(await client.post(f"{OBJECTS}/delete", json={"keys": [""]}), 400, "bad_request")
    error(await client.post(f"{OBJECTS}/delete", json={"keys": ["x"] * 1001}), 400, "bad_request")


async def test_an_upload_that_breaks_off_leaves_nothing(store: EmbeddedObjects, client: httpx.AsyncClient) -> None:
    app = signed_in(build_api([build_router(store)]))
    messages: list[dict[str, Any]] = [
        {"type": "http.request", "body": b"x" * 1_000_000, "more_body": True},
        {"type": "http.disconnect"},
    ]
    sent: list[Any] = []

    async def receive() -> Any:
        return messages.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    path = f"/admin/s3/{OBJECTS}/half"
    scope = {
        "type": "http",
        "method": "PUT",
        "path": path,
        "raw_path": path.encode(),
        "headers": [],
        "query_string": b"",
    }
    await app({**scope, "scheme": "http", "server": ("localhost", 80)}, receive, send)
    assert sent == []
    error(await client.get(f"{OBJECTS}/half"), 404, "no_such_key")


async def test_a_client_that_leaves_ends_its_download(store: EmbeddedObjects, client: httpx.AsyncClient) -> None:
    await client.put(f"{OBJECTS}/large", content=b"x" * 8_000_000)
    app = signed_in(build_api([build_router(store)]))
    chunks: list[int] = []
    leave = asyncio.Event()
    asked = False

    async def receive() -> Any:
        nonlocal asked
        if not asked:
            asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await leave.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.body":
            chunks.append(len(message["body"]))
            leave.set()
            await asyncio.sleep(0)

    path = f"/admin/s3/{OBJECTS}/large"
    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "headers": [],
        "query_string": b"",
    }
    await app({**scope, "scheme": "http", "server": ("localhost", 80)}, receive, send)
    assert 0 < sum(chunks) < 8_000_000


@given(st.text(max_size=40))
def test_any_range_header_is_a_range_or_the_whole(header: str) -> None:
    found = byte_range(header)
    assert found is None or header.strip().lower().startswith("bytes=")


@given(st.integers(0, 10**18 - 1), st.integers(0, 10**18 - 1))
def test_a_range_means_what_it_says(first: int, last: int) -> None:
    found = byte_range(f"bytes={first}-{last}")
    if last < first:
        assert found is None
    else:
        assert found is not None
        assert (found.offset, found.length) == (first, last - first + 1)


def test_etags_are_taken_out_of_their_quotes() -> None:
    assert condition({"if-match": '"a", W/"b", *'}) == Condition(match=["a", "b", "*"])
    assert condition({}) is None


async def test_metadata_is_changed_and_the_content_stays(client: httpx.AsyncClient) -> None:
    url = f"{OBJECTS}/a/<b>🦆.txt"
    made = data(
        await client.put(url, content=b"text", headers={"content-type": "text/html", "x-amz-meta-by": "Ada"}), 201
    )
    change = {"http": {"contentType": "text/plain", "cacheControl": "no-store"}, "metadata": {"Why": "<b>größer</b>"}}
    changed = data(await client.patch(url, json=change))
    assert (changed["etag"], changed["sizeBytes"]) == (made["etag"], 4)
    assert changed["http"] == {"contentType": "text/plain", "cacheControl": "no-store"}
    assert changed["metadata"] == {"why": "<b>größer</b>"}
    assert (await client.get(url)).content == b"text"
    error(await client.patch(url, json=change, headers={"if-match": '"other"'}), 412, "precondition_failed")
    error(await client.patch(f"{OBJECTS}/none", json=change), 404, "no_such_key")
    assert data(await client.patch(url, json={}))["metadata"] == {}


@pytest.mark.parametrize(
    "change",
    [
        {"http": {"contentType": "a\r\nset-cookie: x"}},
        {"http": {"contentType": ""}},
        {"http": {"x-evil": "1"}},
        {"metadata": {"a b": "x"}},
        {"metadata": {"a": "x\ny"}},
        {"metadata": {"a": "1", "A": "2"}},
        {"metadata": {"a": "x" * 9000}},
        {"key": "b"},
    ],
)
async def test_metadata_that_no_header_could_carry(client: httpx.AsyncClient, change: dict[str, Any]) -> None:
    await client.put(f"{OBJECTS}/a", content=b"text", headers={"x-amz-meta-by": "Ada"})
    error(await client.patch(f"{OBJECTS}/a", json=change), 400, "bad_request")
    assert (await client.head(f"{OBJECTS}/a")).headers["x-amz-meta-by"] == "Ada"
