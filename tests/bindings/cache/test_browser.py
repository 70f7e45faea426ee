"""What people see of a project's keys, on both servers: bounded pages, every type, and nothing of other projects."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.bindings.cache.conftest import Ask, Run, until

from v8box.bindings.cache.binding import CacheBinding
from v8box.bindings.cache.browser import Browser, Key, KeyPage
from v8box.bindings.cache.spaces import KeyNotFound, Space
from v8box.bindings.interface import BindingError

ONE = Space("one")
ODD = ["<b>&\"'", "emoji 🦕", "a*b?[c]\\d", "line\nbreak", "per%2Fcent"]


@pytest.fixture
def browser(cache: CacheBinding) -> Browser:
    return cache.keys.browser


async def every(browser: Browser, space: Space = ONE, prefix: bytes = b"", **asked: Any) -> list[KeyPage]:
    pages, cursor = [], None
    while True:
        options: dict[str, Any] = {"folders": False, "kind": None, "limit": 100, **asked}
        page = await browser.list_keys(space, prefix, cursor=cursor, **options)
        pages.append(page)
        if (cursor := page.cursor) is None:
            return pages


async def names(browser: Browser, space: Space = ONE, prefix: bytes = b"", **asked: Any) -> set[bytes]:
    return {key.name for page in await every(browser, space, prefix, **asked) for key in page.keys}


async def test_bad_input_is_refused(browser: Browser) -> None:
    with pytest.raises(BindingError, match="cannot name keys"):
        Space("two:one")
    with pytest.raises(BindingError, match="a namespace has"):
        Space("one", "a:b")
    for cursor in ("x", "-1", "1 MATCH *", ""):
        with pytest.raises(BindingError, match="cursor"):
            await browser.list_keys(ONE, b"", folders=False, kind=None, cursor=cursor, limit=10)
    with pytest.raises(BindingError, match="1 to 4096 bytes"):
        await browser.read(ONE, b"", cursor=None, limit=10, item=None)
    with pytest.raises(BindingError, match="1 to 4096 bytes"):
        await browser.read(ONE, b"x" * 5_000, cursor=None, limit=10, item=None)
    with pytest.raises(KeyNotFound):
        await browser.read(ONE, b"nothing", cursor=None, limit=10, item=None)


async def test_all_keys_are_found_page_by_page_and_nobody_elses(browser: Browser, run: Run) -> None:
    # More than a page can have, however the server shares them out: after less than `limit` come SCAN_COUNT and a few.
    own = {f"k{number}-{each}".encode() for number in range(25) for each in range(100)}
    for number in range(25):
        await run("mset", *[part for each in range(100) for part in (f"k{number}-{each}", "v")])
    await run("set", "foreign", "v", project="two")
    await run("set", "foreign", "v", project="one-more")
    pages = await every(browser)
    assert all(len(page.keys) < len(own) for page in pages)
    assert {key.name for page in pages for key in page.keys} == own
    assert await names(browser, prefix=b"k24-") == {f"k24-{each}".encode() for each in range(100)}


@pytest.mark.parametrize("name", ODD)
async def test_a_prefix_is_itself_not_a_pattern(browser: Browser, run: Run, name: str) -> None:
    await run("mset", f"{name}:1", "v", "other", "v", "aXbYcd:1", "v")
    assert await names(browser, prefix=name.encode()) == {f"{name}:1".encode()}
    assert (await browser.read(ONE, f"{name}:1".encode(), cursor=None, limit=1, item=None)).text is not None


async def test_names_that_are_no_text_are_bytes(browser: Browser, run: Run) -> None:
    await run("set", {"b": "/wB4"}, "v")  # ff 00 78
    assert await names(browser) == {b"\xff\x00x"}
    assert await names(browser, folders=True) == {b"\xff\x00x"}
    assert await names(browser, prefix=b"\xff") == {b"\xff\x00x"}


async def test_keys_below_a_delimiter_become_folders(browser: Browser, run: Run) -> None:
    await run("mset", *[part for each in range(30) for part in (f"user:{each}:name", "v")], "a/b:c", "v", "plain", "v")
    pages = await every(browser, folders=True)
    met: dict[bytes, int] = {}
    for page in pages:
        for folder, count in page.folders.items():
            met[folder] = met.get(folder, 0) + count
    assert met == {b"user:": 30, b"a/": 1}
    assert {key.name for page in pages for key in page.keys} == {b"plain"}
    below = await every(browser, prefix=b"user:", folders=True)
    assert {folder for page in below for folder in page.folders} == {f"user:{each}:".encode() for each in range(30)}


async def test_a_key_is_described(browser: Browser, run: Run) -> None:
    await run("set", "text", "hello", "EX", "100")
    await run("hset", "hash", "a", "1", "b", "2")
    await run("rpush", "list", "x", "y", "z")
    await run("sadd", "set", "m")
    await run("zadd", "zset", "1.5", "m")
    await run("xadd", "stream", "1-1", "f", "v")
    [page] = await every(browser)
    found = {key.name.decode(): key for key in page.keys}
    assert {name: (key.type, key.length) for name, key in found.items()} == {
        "text": ("string", 5),
        "hash": ("hash", 2),
        "list": ("list", 3),
        "set": ("set", 1),
        "zset": ("zset", 1),
        "stream": ("stream", 1),
    }
    assert 0 < (found["text"].ttl_milliseconds or 0) <= 100_000
    assert found["hash"].ttl_milliseconds is None
    assert all((key.bytes or 0) > 0 for key in found.values())
    assert await names(browser, kind="hash") == {b"hash"}


async def test_a_string_is_shown_with_a_tag_that_changes_with_it(browser: Browser, run: Run) -> None:
    async def tag() -> str | None:
        return (await browser.read(ONE, b"k", cursor=None, limit=1, item=None)).tag

    await run("set", "k", {"b": "/wA="})
    value = await browser.read(ONE, b"k", cursor=None, limit=1, item=None)
    assert value.text is not None
    assert (value.text.data, value.text.cut) == (b"\xff\x00", False)
    first = await tag()
    await run("set", "k", "other")
    assert first is not None
    assert await tag() not in (None, first)


async def test_a_long_string_is_cut_and_has_no_tag(browser: Browser, run: Run) -> None:
    await run("set", "k", "x" * 1_500_000)
    value = await browser.read(ONE, b"k", cursor=None, limit=1, item=None)
    assert value.text is not None
    assert (len(value.text.data), value.text.length, value.tag) == (1_048_576, 1_500_000, None)


async def items(browser: Browser, key: bytes, limit: int) -> list[Any]:
    found: list[Any] = []
    cursor = None
    while True:
        page = await browser.read(ONE, key, cursor=cursor, limit=limit, item=None)
        found += page.items
        if (cursor := page.cursor) is None:
            return found


async def test_collections_come_in_pages(browser: Browser, run: Run) -> None:
    wide = [f"{number:04}" for number in range(1_200)]
    await run("hset", "hash", *[part for each in wide for part in (each, f"v{each}")])
    await run("sadd", "set", *wide)
    await run("rpush", "list", *wide)
    await run("zadd", "zset", *[part for each in wide for part in (str(int(each) / 2), each)])
    for number in range(1, 31):
        await run("xadd", "stream", f"{number}-1", "n", str(number), "odd", "🦕")
    fields = {item.name.data: item.value.data for item in await items(browser, b"hash", 100)}
    assert fields == {each.encode(): f"v{each}".encode() for each in wide}
    assert {item.name.data.decode() for item in await items(browser, b"set", 100)} == set(wide)
    listed = await items(browser, b"list", 500)
    assert [(item.index, item.value.data.decode()) for item in listed] == list(enumerate(wide))
    scored = await items(browser, b"zset", 500)
    assert [(item.name.data.decode(), float(item.score)) for item in scored] == [(each, int(each) / 2) for each in wide]
    entries = await items(browser, b"stream", 7)
    assert [entry.id for entry in entries] == [f"{number}-1" for number in range(30, 0, -1)]
    assert [part.data.decode() for part in entries[0].parts] == ["n", "30", "odd", "🦕"]
    page = await browser.read(ONE, b"list", cursor="1198", limit=500, item=None)
    assert (page.key.length, len(page.items), page.cursor) == (1_200, 2, None)


async def test_long_items_are_cut_and_one_can_be_had_whole(browser: Browser, run: Run) -> None:
    await run("hset", "hash", "long", "x" * 100_000, "short", "y")
    page = await browser.read(ONE, b"hash", cursor=None, limit=50, item=None)
    texts = {item.name.data: item.value for item in page.items if item.name and item.value}
    assert (len(texts[b"long"].data), texts[b"long"].length) == (16_384, 100_000)
    assert not texts[b"short"].cut
    [whole] = (await browser.read(ONE, b"hash", cursor=None, limit=50, item=b"long")).items
    assert whole.value is not None
    assert len(whole.value.data) == 100_000
    with pytest.raises(KeyNotFound, match="field"):
        await browser.read(ONE, b"hash", cursor=None, limit=50, item=b"none")
    await run("rpush", "list", "x" * 100_000)
    [one] = (await browser.read(ONE, b"list", cursor="0", limit=1, item=None)).items
    assert one.value is not None
    assert not one.value.cut


async def test_a_page_of_long_items_is_bounded(browser: Browser, run: Run) -> None:
    for _ in range(10):
        await run("rpush", "list", *["x" * 16_000] * 50)
    page = await browser.read(ONE, b"list", cursor=None, limit=500, item=None)
    assert len(page.items) == 500
    assert sum(len(item.value.data) for item in page.items if item.value) <= 4_000_000


async def test_a_namespace_shows_its_names_in_order(browser: Browser, cache: CacheBinding, ask: Ask) -> None:
    async def put(name: str, value: bytes, **more: Any) -> None:
        await ask(cache, "kv.put", {"n": "NS", "k": name, **more}, body=value)

    for number in range(30):
        await put(f"page/{number:02}", b"v")
    await put("<i>🦕", b"\xff\x00", m='{"a":1}', t=100)
    await ask(cache, "kv.put", {"n": "OTHER", "k": "x"}, body=b"v")
    space = Space("one", "NS")
    assert await names(browser, space, prefix=b"page/", limit=7) == {
        f"page/{number:02}".encode() for number in range(30)
    }
    [page] = await every(browser, space, folders=True)
    assert page.folders == {b"page/": 30}
    [key] = page.keys
    assert (key.name.decode(), key.type, key.length) == ("<i>🦕", "kv", 2)
    assert 0 < (key.ttl_milliseconds or 0) <= 100_000
    value = await browser.read(space, key.name, cursor=None, limit=1, item=None)
    assert value.text is not None
    assert (value.text.data, value.metadata) == (b"\xff\x00", b'{"a":1}')
    assert await names(browser) == set()  # they are not the cache's own
    with pytest.raises(KeyNotFound):
        await browser.read(ONE, b"<i>\xf0\x9f\xa6\x95", cursor=None, limit=1, item=None)


async def test_a_large_value_of_a_namespace_is_cut(browser: Browser, cache: CacheBinding, ask: Ask) -> None:
    await ask(cache, "kv.put", {"n": "NS", "k": "large"}, body=b"x" * 2_000_000)
    value = await browser.read(Space("one", "NS"), b"large", cursor=None, limit=1, item=None)
    assert value.text is not None
    assert (len(value.text.data), value.text.length, value.tag) == (1_048_576, 2_000_000, None)


async def test_what_each_space_takes_is_measured(browser: Browser, cache: CacheBinding, ask: Ask, run: Run) -> None:
    for number in range(5):
        await run("set", f"k{number}", "v" * 1_000)
    await ask(cache, "kv.put", {"n": "NS", "k": "a"}, body=b"v" * 5_000)
    await run("set", "k", "v", project="two")

    async def is_measured() -> bool:  # figures are some seconds old
        found = (await browser.measured("one")).spaces
        return {name: use.keys for name, use in found.items()} == {None: 5, "NS": 1}

    await until(is_measured)
    measured = await browser.measured("one")
    assert measured.spaces[None].bytes > 5_000
    assert measured.spaces["NS"].bytes > 5_000
    assert measured.bytes is not None
    assert measured.bytes >= measured.spaces[None].bytes + measured.spaces["NS"].bytes
    assert (measured.quota, measured.able) == (128_000_000, True)
    counts = await browser.server_counts()
    assert counts["keyspace_hits"] >= 0
    assert counts["used_memory"] > 0


async def test_a_key_that_has_just_expired_is_left_out(browser: Browser, run: Run) -> None:
    await run("set", "k", "v", "PX", "1")
    await asyncio.sleep(0.01)  # the server's clock, not ours
    found: list[Key] = [key for page in await every(browser) for key in page.keys]
    assert found == []
