"""Changes of a project's keys by its people, on both servers: made if it is what they saw, else refused."""

from __future__ import annotations

from typing import Any

import pytest
from tests.bindings.cache.conftest import Ask, MakeCache, Run, until

from v8box.bindings.cache.binding import CacheBinding
from v8box.bindings.cache.browser import Browser
from v8box.bindings.cache.editor import ABSENT, ANY, Change, Editor, If
from v8box.bindings.cache.interface import CacheLimits
from v8box.bindings.cache.spaces import Changed, KeyExists, KeyNotFound, Space
from v8box.bindings.interface import BindingError

ONE = Space("one")
NS = Space("one", "NS")


@pytest.fixture
def editor(cache: CacheBinding) -> Editor:
    return cache.keys.editor


@pytest.fixture
def browser(cache: CacheBinding) -> Browser:
    return cache.keys.browser


async def tag_of(browser: Browser, space: Space, key: bytes) -> If:
    value = await browser.read(space, key, cursor=None, limit=1, item=None)
    return If("was", value.tag or "")


def nothing(*_: int) -> None: ...


async def test_bad_input_is_refused(editor: Editor) -> None:
    for ttl in (0, -1, 1e12, float("nan"), float("inf")):
        with pytest.raises(BindingError, match="time to live"):
            await editor.put(ONE, b"k", b"v", metadata=None, ttl=ttl)
        with pytest.raises(BindingError, match="time to live"):
            await editor.expire(ONE, b"k", ttl)
    with pytest.raises(BindingError, match="bytes"):
        await editor.put(ONE, b"", b"v", metadata=None, ttl=None)
    with pytest.raises(BindingError, match="only values of a KV namespace"):
        await editor.put(ONE, b"k", b"v", metadata=b"{}", ttl=None)
    with pytest.raises(BindingError, match="1024 bytes of JSON"):
        await editor.put(NS, b"k", b"v", metadata=b"x" * 1025, ttl=None)
    with pytest.raises(BindingError, match="no collections"):
        await editor.change(NS, b"k", Change(kind="set", what="set", at=b"m"))
    with pytest.raises(BindingError, match="cannot be renamed"):
        await editor.rename(NS, b"k", b"l")
    with pytest.raises(KeyNotFound):
        await editor.expire(ONE, b"k", 10)
    with pytest.raises(KeyNotFound):
        await editor.expire(NS, b"k", 10)
    with pytest.raises(KeyNotFound):
        await editor.delete(ONE, b"k")
    with pytest.raises(KeyNotFound):
        await editor.delete(NS, b"k")
    with pytest.raises(KeyNotFound):
        await editor.rename(ONE, b"k", b"l")


async def test_a_string_is_changed_only_if_it_is_what_was_seen(editor: Editor, browser: Browser, run: Run) -> None:
    await editor.put(ONE, b"k", b"first", metadata=None, ttl=100, only_if=ABSENT)
    assert await run("get", "k") == "first"
    with pytest.raises(KeyExists):
        await editor.put(ONE, b"k", b"again", metadata=None, ttl=None, only_if=ABSENT)
    seen = await tag_of(browser, ONE, b"k")
    await run("set", "k", "somebody else's", "KEEPTTL")
    with pytest.raises(Changed):
        await editor.put(ONE, b"k", b"mine", metadata=None, ttl="keep", only_if=seen)
    with pytest.raises(Changed):
        await editor.delete(ONE, b"k", seen)
    assert await run("get", "k") == "somebody else's"
    await editor.put(ONE, b"k", b"\xff\x00", metadata=None, ttl="keep", only_if=await tag_of(browser, ONE, b"k"))
    assert 0 < await run("ttl", "k") <= 100
    await editor.put(ONE, b"k", b"v", metadata=None, ttl=None)
    assert await run("ttl", "k") == -1
    await editor.delete(ONE, b"k", await tag_of(browser, ONE, b"k"))
    with pytest.raises(Changed):  # it is gone: that is no reason to bring it back
        await editor.put(ONE, b"k", b"v", metadata=None, ttl=None, only_if=If("was", "0" * 40))
    assert await run("exists", "k") == 0


async def test_another_type_is_never_written_over(editor: Editor, run: Run) -> None:
    await run("rpush", "list", "a")
    with pytest.raises(KeyExists, match="is a list, not a string"):
        await editor.put(ONE, b"list", b"v", metadata=None, ttl=None)
    with pytest.raises(KeyExists, match="is a list, not a hash"):
        await editor.change(ONE, b"list", Change(kind="hash", what="set", at=b"f", value=b"v"))
    for kind in ("hash", "list", "set", "zset", "stream"):
        made = Change(kind=kind, what="create", at=b"*", value=b"1", more=(b"f", b"v"))
        with pytest.raises(KeyExists, match="already"):
            await editor.change(ONE, b"list", made)
    assert await run("lrange", "list", "0", "-1") == ["a"]


async def test_a_hash(editor: Editor, run: Run) -> None:
    async def change(what: Any, field: bytes, value: bytes = b"", only_if: If = ANY) -> None:
        await editor.change(ONE, b"h", Change(kind="hash", what=what, at=field, value=value), only_if)

    await change("create", b"<b>\xf0\x9f\xa6\x95", b"1")
    await change("set", b"f", b"1", ABSENT)
    with pytest.raises(KeyExists):
        await change("set", b"f", b"2", ABSENT)
    await change("set", b"f", b"2", If("was", b"1"))
    for what in ("set", "remove"):
        with pytest.raises(Changed):
            await change(what, b"f", b"3", If("was", b"1"))
    assert await run("hgetall", "h") == ["<b>🦕", "1", "f", "2"]
    await change("remove", b"f", only_if=If("was", b"2"))
    with pytest.raises(KeyNotFound, match="no such item"):
        await change("remove", b"f")
    with pytest.raises(Changed):
        await change("set", b"f", b"9", If("was", b"2"))


async def test_a_list(editor: Editor, run: Run) -> None:
    async def change(what: Any, at: bytes = b"", value: bytes = b"", only_if: If = ANY) -> None:
        await editor.change(ONE, b"l", Change(kind="list", what=what, at=at, value=value), only_if)

    await change("create", value=b"b")
    await change("append", value=b"b")
    await change("prepend", value=b"a")
    await run("rpush", "l", "c", "b")
    await change("remove", b"2", only_if=If("was", b"b"))
    assert await run("lrange", "l", "0", "-1") == ["a", "b", "c", "b"]  # that one, not another of the same
    await change("set", b"1", b"B", If("was", b"b"))
    await run("lpush", "l", "new")  # and everything stands elsewhere
    for what in ("set", "remove"):
        with pytest.raises(Changed):
            await change(what, b"1", b"x", If("was", b"B"))
    assert await run("lrange", "l", "0", "-1") == ["new", "a", "B", "c", "b"]
    with pytest.raises(KeyNotFound, match="no such item"):
        await change("set", b"99", b"x")
    with pytest.raises(KeyNotFound):
        await editor.change(ONE, b"none", Change(kind="list", what="set", at=b"0", value=b"x"))
    with pytest.raises(Changed):
        await editor.change(ONE, b"none", Change(kind="list", what="set", at=b"0", value=b"x"), If("was", b"y"))


async def test_a_set_and_a_sorted_set(editor: Editor, run: Run) -> None:
    async def change(kind: Any, what: Any, at: bytes, value: bytes = b"", only_if: If = ANY) -> None:
        await editor.change(ONE, kind.encode(), Change(kind=kind, what=what, at=at, value=value), only_if)

    await change("set", "create", b"m")
    await change("set", "set", b"n", only_if=ABSENT)
    with pytest.raises(KeyExists):
        await change("set", "set", b"n", only_if=ABSENT)
    await change("set", "remove", b"m")
    with pytest.raises(KeyNotFound):
        await change("set", "remove", b"m")
    assert await run("smembers", "set") == ["n"]

    await change("zset", "create", b"m", b"1")
    await change("zset", "set", b"m", b"2.5", If("was", b"1.0"))
    with pytest.raises(Changed):
        await change("zset", "set", b"m", b"3", If("was", b"1"))
    with pytest.raises(KeyExists):
        await change("zset", "set", b"m", b"3", ABSENT)
    with pytest.raises(BindingError, match="float"):
        await change("zset", "set", b"m", b"much")
    await change("zset", "set", b"n", b"inf", ABSENT)
    assert await run("zrange", "zset", "0", "-1", "WITHSCORES") == ["m", "2.5", "n", "inf"]
    await change("zset", "remove", b"n")
    with pytest.raises(KeyNotFound):
        await change("zset", "remove", b"n")


async def test_a_stream(editor: Editor, run: Run) -> None:
    entry = Change(kind="stream", what="create", at=b"*", more=(b"f", b"\xff", b"g", "🦕".encode()))
    made = await editor.change(ONE, b"s", entry)
    assert made is not None
    assert await run("xlen", "s") == 1
    await editor.change(ONE, b"s", Change(kind="stream", what="remove", at=made.encode()))
    with pytest.raises(KeyNotFound):
        await editor.change(ONE, b"s", Change(kind="stream", what="remove", at=made.encode()))


async def test_time_to_live_and_name(editor: Editor, run: Run) -> None:
    await run("set", "k", "v")
    await editor.expire(ONE, b"k", 100)
    assert 0 < await run("ttl", "k") <= 100
    await editor.expire(ONE, b"k", None)
    assert await run("ttl", "k") == -1
    await editor.expire(ONE, b"k", None)  # it is so already
    await run("set", "taken", "t")
    with pytest.raises(KeyExists):
        await editor.rename(ONE, b"k", b"taken")
    await editor.rename(ONE, b"k", b"new:\xff")
    assert await run("get", {"b": "bmV3Ov8="}) == "v"
    assert await run("get", "taken") == "t"


async def test_a_value_of_a_namespace(editor: Editor, browser: Browser, cache: CacheBinding, ask: Ask) -> None:
    async def listed() -> list[Any]:
        found: list[Any] = (await ask(cache, "kv.list", {"n": "NS"}))[0]["k"]
        return found

    await editor.put(NS, b"k", b"one", metadata=b'{"a":1}', ttl=100, only_if=ABSENT)
    assert await ask(cache, "kv.get", {"n": "NS", "k": "k"}) == ({"m": '{"a":1}'}, b"one")
    with pytest.raises(KeyExists):
        await editor.put(NS, b"k", b"two", metadata=None, ttl=None, only_if=ABSENT)
    seen = await tag_of(browser, NS, b"k")
    await editor.put(NS, b"k", b"one", metadata=b'{"a":2}', ttl="keep", only_if=seen)  # metadata is a part of it
    with pytest.raises(Changed):
        await editor.put(NS, b"k", b"mine", metadata=None, ttl="keep", only_if=seen)
    with pytest.raises(Changed):
        await editor.delete(NS, b"k", seen)
    [[name, expires, metadata]] = await listed()
    assert (name, expires is not None, metadata) == ("k", True, '{"a":2}')
    await editor.expire(NS, b"k", None)
    assert await listed() == [["k", None, '{"a":2}']]
    await editor.expire(NS, b"k", 50)
    assert (await listed())[0][1] is not None
    await editor.put(NS, b"k", b"", metadata=None, ttl="keep")
    assert 0 < ((await browser.key(NS, b"k")).ttl_milliseconds or 0) <= 50_000
    await editor.delete(NS, b"k", await tag_of(browser, NS, b"k"))
    assert await listed() == []


async def test_all_below_a_prefix_are_counted_and_deleted(editor: Editor, run: Run) -> None:
    await run("mset", *[part for each in range(2_500) for part in (f"a*:{each}", "v")])
    await run("mset", "ab:1", "v", "keep", "v")
    await run("set", "a*:1", "v", project="two")
    told: list[tuple[int, int, int]] = []
    count = await editor.remove_below(ONE, b"a*:", dry=True, told=lambda *each: told.append(each))
    assert count == 2_500
    assert len(told) > 1
    assert all(done <= total for _, done, total in told)
    assert await run("exists", "a*:7") == 1
    assert await editor.remove_below(ONE, b"a*:", dry=False, told=nothing) == 2_500
    assert await run("dbsize") == 2
    assert await run("get", "a*:1", project="two") == "v"
    assert await editor.remove_below(ONE, b"a*:", dry=False, told=nothing) == 0


async def test_all_of_a_namespace_below_a_prefix(editor: Editor, cache: CacheBinding, ask: Ask) -> None:
    for number in range(1_200):
        await editor.put(NS, f"p/{number}".encode(), b"v", metadata=None, ttl=100 if number % 2 else None)
    await editor.put(NS, b"q", b"v", metadata=None, ttl=None)
    assert await editor.remove_below(NS, b"p/", dry=True, told=nothing) == 1_200
    assert await editor.remove_below(NS, b"p/", dry=False, told=nothing) == 1_200
    assert (await ask(cache, "kv.list", {"n": "NS"}))[0]["k"] == [["q", None, None]]


async def test_what_is_written_counts_towards_the_quota(make_cache: MakeCache) -> None:
    async with make_cache(CacheLimits(project_bytes=1_000_000)) as cache:

        async def refused() -> bool:
            try:
                await cache.keys.editor.change(ONE, b"l", Change(kind="list", what="append", value=b"x" * 200_000))
            except BindingError as error:
                return error.code == "QUOTA"
            return False

        await until(refused)
        # What makes room is never refused.
        await cache.keys.editor.delete(ONE, b"l")


async def test_a_project_that_is_deleted_leaves_nothing(cache: CacheBinding, browser: Browser, editor: Editor) -> None:
    for project in ("one", "two"):
        await editor.put(Space(project), b"k", b"v", metadata=None, ttl=None)
        await editor.put(Space(project, "NS"), b"k", b"v", metadata=None, ttl=None)
    await cache.forget_project("one")
    for space in (ONE, NS):
        with pytest.raises(KeyNotFound):
            await browser.key(space, b"k")
    for space in (Space("two"), Space("two", "NS")):
        await browser.key(space, b"k")
