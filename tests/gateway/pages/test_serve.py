"""What a request for a site gets."""

from __future__ import annotations

import dataclasses
import os
import time
import tracemalloc
from pathlib import Path

import pytest
from tests.gateway.pages.sites import TestSite

from v8box.errors import BadRequest, MethodNotAllowed, NotFound
from v8box.gateway.pages.answers import SMALL_BYTES
from v8box.gateway.pages.decide import ProxyRefused, ToHost, ToWorker
from v8box.gateway.pages.release import Mount, SiteSettings
from v8box.gateway.pages.serve import PasswordNeeded

PAGES = {"/index.html": "<h1>home</h1>", "/about.html": "about", "/app-B4c9xK2f.js": "js", "/404.html": "nothing"}


async def test_a_page(tmp_path: Path) -> None:
    site = TestSite(tmp_path, PAGES)
    answer = await site.get("/")
    assert (answer.status, answer.body) == (200, b"<h1>home</h1>")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "public, max-age=0, must-revalidate"
    assert answer.headers["content-length"] == "13"
    assert answer.headers["last-modified"] == "Thu, 01 Jan 2026 00:00:00 GMT"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["etag"].startswith('"')
    again = await site.get("/", if_none_match=answer.headers["etag"])
    assert (again.status, again.body) == (304, b"")
    assert "content-length" not in again.headers
    assert again.headers["etag"] == answer.headers["etag"]
    assert (await site.get("/", if_match='"other"')).status == 412
    head = await site.get("/", "HEAD")
    assert (head.status, head.body, head.headers["content-length"]) == (200, b"", "13")
    assert site.loads == 1


async def test_an_answer_made_before_is_the_same_but_for_the_requests_id(tmp_path: Path) -> None:
    site = TestSite(tmp_path, PAGES)
    first, again = await site.get("/"), await site.get("/")
    assert (first.status, first.headers, first.body) == (again.status, again.headers, again.body)
    known = await site.get("/", if_none_match=first.headers["etag"])
    assert (known.status, known.body) == (304, b"")
    assert (await site.get("/", "HEAD")).body == b""
    assert (await site.get("/", range="bytes=0-3")).status == 206
    assert (await site.get("/")).body == first.body


async def test_an_answer_made_before_is_for_who_accepts_the_same(tmp_path: Path) -> None:
    text = b"long text" * 50
    asset = TestSite(tmp_path, PAGES).asset("/page.txt", text, gzip=b"packed")
    site = TestSite(tmp_path, {"/page.txt": asset})
    for accepts, body in [("gzip", b"packed"), ("identity", text), ("gzip", b"packed"), ("br", text)]:
        answer = await site.get("/page.txt", accept_encoding=accepts)
        assert answer.body == body
        assert answer.headers["vary"] == "Accept-Encoding"
        assert answer.headers.get("content-encoding") == ("gzip" if body == b"packed" else None)
    for client in range(50):
        assert (await site.get("/page.txt", accept=f"text/{client}", accept_encoding="gzip")).body == b"packed"


async def test_hashed_assets_are_kept_for_ever(tmp_path: Path) -> None:
    answer = await TestSite(tmp_path, PAGES).get("/app-B4c9xK2f.js")
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"


async def test_pretty_addresses_keep_the_query(tmp_path: Path) -> None:
    site = TestSite(tmp_path, PAGES)
    answer = await site.get("/about.html?a=1", prefix="/pages/blog")
    assert (answer.status, answer.headers["location"]) == (307, "/pages/blog/about?a=1")
    assert (await site.get("/about")).body == b"about"


async def test_what_is_not_there(tmp_path: Path) -> None:
    answer = await TestSite(tmp_path, PAGES).get("/nothing")
    assert (answer.status, answer.body) == (404, b"nothing")
    assert (await TestSite(tmp_path, PAGES).get("/nothing", if_none_match=answer.headers["etag"])).status == 404
    with pytest.raises(NotFound):
        await TestSite(tmp_path, {}).get("/nothing")
    with pytest.raises(MethodNotAllowed):
        await TestSite(tmp_path, PAGES).get("/", "POST")


async def test_the_smallest_encoding_the_client_takes(tmp_path: Path) -> None:
    site = TestSite(tmp_path, {})
    site = TestSite(tmp_path, {"/a.html": site.asset("/a.html", b"x" * 100, br=b"b" * 10, gzip=b"g" * 20)})
    plain = await site.get("/a")
    packed = await site.get("/a", accept_encoding="gzip, br")
    assert (packed.body, packed.headers["content-encoding"]) == (b"b" * 10, "br")
    assert plain.headers["vary"] == packed.headers["vary"] == "Accept-Encoding"
    assert plain.headers["etag"] != packed.headers["etag"]
    assert "accept-ranges" not in packed.headers
    ranged = await site.get("/a", accept_encoding="gzip, br", range="bytes=0-1")
    assert ranged.status == 200


async def test_ranges(tmp_path: Path) -> None:
    site = TestSite(tmp_path, {"/v.mp4": bytes(range(100))})
    one = await site.get("/v.mp4", range="bytes=10-19")
    assert (one.status, one.body, one.headers["content-range"]) == (206, bytes(range(10, 20)), "bytes 10-19/100")
    two = await site.get("/v.mp4", range="bytes=0-1,-2")
    assert two.status == 206
    kind, _, boundary = two.headers["content-type"].partition("; boundary=")
    assert kind == "multipart/byteranges"
    parts = two.body.split(b"--" + boundary.encode())
    assert parts[1].partition(b"\r\n\r\n")[2] == b"\x00\x01\r\n"
    assert parts[2].partition(b"\r\n\r\n")[2] == bytes([98, 99]) + b"\r\n"
    assert parts[3] == b"--\r\n"
    assert two.headers["content-length"] == str(len(two.body))
    none = await site.get("/v.mp4", range="bytes=100-")
    assert (none.status, none.headers["content-range"]) == (416, "bytes */100")
    assert (await site.get("/v.mp4", range="bytes=0-1", if_range='"old"')).status == 200


async def test_a_large_file_is_sent_from_its_path(tmp_path: Path) -> None:
    site = TestSite(tmp_path, {"/big.bin": b"x" * (SMALL_BYTES + 1)})
    answer = await site.get("/big.bin")
    assert answer.path is not None
    assert os.path.getsize(answer.path) == SMALL_BYTES + 1  # noqa: ASYNC240 - nobody waits
    assert answer.body == b""
    from_the_start = await site.get("/big.bin", range="bytes=0-")  # as a player of videos begins
    assert (from_the_start.status, from_the_start.path, from_the_start.body) == (206, answer.path, b"")
    assert from_the_start.headers["content-range"] == f"bytes 0-{SMALL_BYTES}/{SMALL_BYTES + 1}"
    assert from_the_start.headers["content-length"] == answer.headers["content-length"]
    later = await site.get("/big.bin", range="bytes=1-")
    assert (later.status, later.path, len(later.body)) == (206, None, SMALL_BYTES)
    os.unlink(answer.path)
    with pytest.raises(FileNotFoundError):
        await site.get("/big.bin")


async def test_a_file_goes_before_a_rule_unless_it_is_forced(tmp_path: Path) -> None:
    rules = (
        "/about /elsewhere\n/ /about 200!\n/spa/* /index.html 200\n/old/* /new/:splat 302\n/gone / 410\n/no /about 404"
    )
    site = TestSite(tmp_path, PAGES, redirects_text=rules)
    assert (await site.get("/about")).body == b"about"
    assert (await site.get("/")).body == b"about"
    assert (await site.get("/spa/deep/link")).body == b"<h1>home</h1>"
    moved = await site.get("/old/x?q=1", prefix="/pages/blog")
    assert (moved.status, moved.headers["location"]) == (302, "/pages/blog/new/x?q=1")
    assert moved.headers["cache-control"] == "public, max-age=0, must-revalidate"  # a rollback takes it back, too
    gone = await site.get("/gone")
    assert (gone.status, gone.body) == (410, b"<h1>home</h1>")
    assert (await site.get("/no")).status == 404


async def test_a_rule_answers_any_method(tmp_path: Path) -> None:
    site = TestSite(tmp_path, PAGES, redirects_text="/form /thanks 303\n/gone /nothing 410")
    sent = await site.get("/form", "POST")
    assert (sent.status, sent.headers["location"]) == (303, "/thanks")
    with pytest.raises(MethodNotAllowed):
        await site.get("/gone", "POST")


async def test_who_asks_with_another_language_is_not_answered_by_a_cache_in_between(tmp_path: Path) -> None:
    page = TestSite(tmp_path, {}).asset("/index.html", b"home" * 50, gzip=b"packed")
    rules = "/ /de 302! Language=de\n/ /beta 302! Cookie=beta\n/us / 200 Country=us\n"
    site = TestSite(tmp_path, {**PAGES, "/index.html": page}, redirects_text=rules)
    moved = await site.get("/", accept_language="de")
    assert (moved.status, moved.headers["vary"]) == (302, "Accept-Language")
    stayed = await site.get("/", accept_language="fr")
    assert stayed.headers["vary"] == "Accept-Encoding, Cookie, Accept-Language"
    assert "vary" not in (await site.get("/about", accept_language="de")).headers


async def test_no_path_is_so_long_that_neither_rules_nor_workers_are_asked(tmp_path: Path) -> None:
    """A page of an application answers any path: not one that its own headers, or who guards it, would not fit."""
    one_page = SiteSettings(not_found_handling="single-page-application")
    guarded = SiteSettings(not_found_handling="single-page-application", mounts=(Mount("/*", "guard"),))
    endless = "/a" * 4_000
    for settings in (one_page, guarded):
        site = TestSite(tmp_path, PAGES, settings=settings, headers_text="/*\n  X-Frame-Options: DENY\n")
        with pytest.raises(NotFound):
            await site.ask(endless)
    deep = await TestSite(tmp_path, PAGES, settings=one_page, headers_text="/*\n  X-Frame-Options: DENY\n").get(
        "/a" * 300
    )
    assert (deep.status, deep.headers["x-frame-options"]) == (200, "DENY")


async def test_after_a_rollback_nobody_keeps_what_was_live_before_by_its_date(tmp_path: Path) -> None:
    site = TestSite(tmp_path, PAGES)
    told = (await site.get("/")).headers["last-modified"]
    assert (await site.get("/", if_modified_since=told)).status == 304
    later = "Fri, 02 Jan 2026 00:00:00 GMT"  # of a release that was taken back
    assert (await site.get("/", if_modified_since=later)).status == 200
    assert (await site.get("/", if_modified_since="yesterday")).status == 200
    assert (await site.get("/", if_modified_since=told, if_none_match='"other"')).status == 200


async def test_long_addresses_and_headers_are_not_remembered(tmp_path: Path) -> None:
    site = TestSite(tmp_path, PAGES)
    await site.get("/")
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for number in range(200):
            await site.get(f"/{number}{'x' * 8_000}")
            await site.get(f"/{number}", accept=f"{number}{'y' * 8_000}")
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 1_000_000


async def test_a_site_that_is_one_page(tmp_path: Path) -> None:
    settings = SiteSettings(not_found_handling="single-page-application")
    answer = await TestSite(tmp_path, PAGES, settings=settings).get("/deep/link")
    assert (answer.status, answer.body) == (200, b"<h1>home</h1>")


async def test_a_rule_that_fetches_elsewhere_needs_the_sites_leave(tmp_path: Path) -> None:
    rules = "/api/* https://api.example.com/:splat 200"
    with pytest.raises(ProxyRefused):
        await TestSite(tmp_path, PAGES, redirects_text=rules).get("/api/x")
    site = TestSite(tmp_path, PAGES, redirects_text=rules, settings=SiteSettings(proxy_hosts=("api.example.com",)))
    assert await site.ask("/api/x") == ToHost("https://api.example.com/x")
    assert await site.ask("/api/x/..y/.z/a..") == ToHost("https://api.example.com/x/..y/.z/a..")


@pytest.mark.parametrize(
    "path", ["/../secret", "/%2e%2e/secret", "/x/.%2E/%2e./secret", "/..%2fsecret", "/a/..", "/./a"]
)
async def test_no_path_leads_out_of_what_may_be_fetched_elsewhere(tmp_path: Path, path: str) -> None:
    settings = SiteSettings(proxy_hosts=("api.example.com",))
    for rules in (
        "/api/* https://api.example.com/public/:splat 200",
        "~^/api(.*)$ https://api.example.com/public$1 200",
        "/api/:a/:b https://api.example.com/public/:a/:b 200\n/api/* https://api.example.com/:splat 200",
    ):
        site = TestSite(tmp_path, PAGES, redirects_text=rules, settings=settings)
        with pytest.raises(BadRequest):
            await site.ask(f"/api{path}")


async def test_headers_of_the_sites_own(tmp_path: Path) -> None:
    text = "/*\n  X-Frame-Options: DENY\n  Cache-Control: no-store\n/about\n  ! Cache-Control\n"
    site = TestSite(tmp_path, PAGES, headers_text=text, redirects_text="/x /about")
    assert (await site.get("/")).headers["cache-control"] == "no-store"
    assert "cache-control" not in (await site.get("/about")).headers
    assert (await site.get("/nothing")).headers["x-frame-options"] == "DENY"
    assert (await site.get("/x")).headers["x-frame-options"] == "DENY"


async def test_the_preset_of_security_headers(tmp_path: Path) -> None:
    site = TestSite(
        tmp_path, PAGES, settings=SiteSettings(security_headers=True), headers_text="/*\n  X-Frame-Options: DENY"
    )
    answer = await site.get("/")
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    assert answer.headers["x-frame-options"] == "DENY"
    assert "strict-transport-security" not in answer.headers


async def test_workers_before_and_behind_the_files(tmp_path: Path) -> None:
    mounts = (Mount("/api/*", "api"), Mount("/*", "rest", first=False))
    site = TestSite(tmp_path, {**PAGES, "/api/x.html": "never"}, settings=SiteSettings(mounts=mounts))
    assert await site.ask("/api/x", "POST") == ToWorker("api")
    assert (await site.get("/about")).body == b"about"
    assert await site.ask("/nothing") == ToWorker("rest")


async def test_previews(tmp_path: Path) -> None:
    site = TestSite(tmp_path, PAGES)
    open_to_all = dataclasses.replace(site.route, label="draft")
    answer = await site.get("/", route=open_to_all)
    assert answer.headers["x-robots-tag"] == "noindex"
    closed = dataclasses.replace(open_to_all, password_hash="hunter2")
    for given in (
        {},
        {"authorization": "Basic eDp3cm9uZw=="},
        {"authorization": "Basic !"},
        {"authorization": "Bearer x"},
    ):
        with pytest.raises(PasswordNeeded):
            await site.ask("/", route=closed, **given)
    assert (await site.get("/", route=closed, authorization="Basic eDpodW50ZXIy")).status == 200
    with pytest.raises(NotFound):
        await site.ask("/", route=dataclasses.replace(open_to_all, expires_at=time.time() - 1))
