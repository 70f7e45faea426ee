"""Commands that wait: bounded, on connections of their own, and nothing taken is lost when the caller has left."""

from __future__ import annotations

import asyncio

import pytest
from tests.bindings.cache.conftest import Ask, MakeCache, Run, until

from v8box.bindings.cache.binding import CacheBinding
from v8box.bindings.cache.interface import CacheLimits, Reply
from v8box.bindings.cache.restore import undo_of
from v8box.bindings.cache.valkey_store import ValkeyStore
from v8box.bindings.interface import BindingError


async def test_a_waiting_pop_gets_what_comes_and_holds_up_nobody(cache: CacheBinding, run: Run) -> None:
    waiting = asyncio.ensure_future(run("blpop", "jobs", "other", "20"))
    assert await run("set", "k", "v") == "OK"
    await run("rpush", "jobs", "first")
    assert await waiting == ["jobs", "first"]


async def test_waiting_for_ever_is_bounded(make_cache: MakeCache, ask: Ask) -> None:
    async with make_cache(CacheLimits(block_seconds=0.2)) as cache:
        assert (await ask(cache, "blpop", ["none", "0"]))[0] is None
        assert (await ask(cache, "bzpopmin", ["none", "1000"]))[0] is None
        assert (await ask(cache, "blmove", ["none", "to", "LEFT", "RIGHT", "0"]))[0] is None
        assert (await ask(cache, "xread", ["BLOCK", "0", "STREAMS", "none", "$"]))[0] is None


async def test_a_caller_that_leaves_takes_nothing_along(cache: CacheBinding, run: Run) -> None:
    for number in range(30):
        jobs = f"jobs{number}"  # what goes back goes back when the caller has long left
        waiting = asyncio.ensure_future(run("blpop", jobs, "20"))
        await asyncio.sleep(0)
        pushing = asyncio.ensure_future(run("rpush", jobs, "x"))
        await asyncio.sleep(0.001)
        waiting.cancel()
        await pushing
        taken = await asyncio.gather(waiting, return_exceptions=True)

        async def there(jobs: str = jobs, taken: object = taken[0]) -> bool:
            return bool(await run("llen", jobs) == (0 if isinstance(taken, list) else 1))

        await until(there)


async def blocked(server_url: str, count: int) -> None:
    """Until so many wait on the server."""
    store = ValkeyStore(server_url)

    async def waiting() -> bool:
        info = await store.execute_own(("INFO", "clients"))
        assert isinstance(info, bytes)
        return b"blocked_clients:%d\r\n" % count in info

    await until(waiting)
    await store.stop()


async def test_so_many_may_wait(make_cache: MakeCache, server_url: str, ask: Ask) -> None:
    async with make_cache(CacheLimits(blocked=3, blocked_per_project=2)) as cache:
        waiting = [asyncio.ensure_future(ask(cache, "blpop", ["none", "20"])) for _ in range(2)]
        await blocked(server_url, 2)
        with pytest.raises(BindingError) as caught:
            await ask(cache, "blpop", ["none", "20"])
        assert "wait" in caught.value.message
        third = asyncio.ensure_future(ask(cache, "blpop", ["none", "20"], project="two"))
        await blocked(server_url, 3)
        with pytest.raises(BindingError):
            await ask(cache, "blpop", ["none", "20"], project="three")
        for task in (*waiting, third):
            task.cancel()
        await asyncio.gather(*waiting, third, return_exceptions=True)
        await ask(cache, "rpush", ["none", "x"])
        assert (await ask(cache, "blpop", ["none", "20"]))[0] == ["none", "x"]


@pytest.mark.parametrize("args", [["none", "-1"], ["none", "nan"], ["none", "x"], ["none"]])
async def test_a_strange_timeout_is_refused(cache: CacheBinding, run: Run, args: list[str]) -> None:
    with pytest.raises(BindingError):
        await run("blpop", *args)


@pytest.mark.parametrize(
    ("name", "args", "reply"),
    [
        ("blpop", ["k", "1"], [b"k", b"0"]),
        ("brpop", ["k", "1"], [b"k", b"2999"]),
        ("blmpop", ["1", "1", "k", "LEFT", "COUNT", "2500"], [b"k", [b"%d" % n for n in range(2500)]]),
        ("blmpop", ["1", "1", "k", "RIGHT", "COUNT", "2500"], [b"k", [b"%d" % n for n in range(2999, 499, -1)]]),
    ],
)
async def test_what_was_taken_from_a_list_goes_back_in_its_order(
    server_url: str, name: str, args: list[str], reply: list[Reply]
) -> None:
    undo = undo_of(name, [name, *args])
    assert undo is not None
    whole = [b"%d" % n for n in range(3000)]
    taken = reply[1] if isinstance(reply[1], list) else [reply[1]]
    store = ValkeyStore(server_url)
    await store.execute_own(("RPUSH", "k", *(value for value in whole if value not in taken)))
    for command in undo(reply):
        await store.execute_own(command)
    assert await store.execute_own(("LRANGE", "k", "0", "-1")) == whole
    await store.stop()


async def test_what_was_taken_from_a_sorted_set_does_not_undo_a_newer_score(server_url: str) -> None:
    store = ValkeyStore(server_url)
    await store.execute_own(("ZADD", "z", "9", "newer"))
    single, several = undo_of("bzpopmin", ["bzpopmin", "z", "1"]), undo_of("bzmpop", ["bzmpop", "1", "1", "z", "MIN"])
    assert single is not None
    assert several is not None
    for command in (*single([b"z", b"newer", b"1"]), *several([b"z", [[b"a", b"2"], [b"newer", b"1"]]])):
        await store.execute_own(command)
    assert await store.execute_own(("ZRANGE", "z", "0", "-1", "WITHSCORES")) == [b"a", b"2", b"newer", b"9"]
    await store.stop()
    for name in ("blmove", "brpoplpush", "xread", "xreadgroup"):
        assert undo_of(name, [name]) is None
