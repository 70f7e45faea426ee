"""Scripts: what they may do, and that not even they reach another project's names or hold the server up."""

from __future__ import annotations

import asyncio

import pytest
from tests.bindings.cache.conftest import Ask, MakeCache, Run, until

from v8box.bindings.cache.binding import CacheBinding
from v8box.bindings.cache.interface import CacheLimits
from v8box.bindings.interface import BindingError
from v8box.bindings.valkey import PrivateValkey

ENDLESS = "while true do end"


async def test_a_script_gets_its_keys_and_arguments(run: Run) -> None:
    assert await run("eval", "return redis.call('SET', KEYS[1], ARGV[1])", "1", "k", "v") == "OK"
    assert await run("get", "k") == "v"
    sha = await run("script", "load", "return redis.call('GET', KEYS[1])")
    assert await run("evalsha", sha, "1", "k") == "v"
    assert await run("script", "exists", sha, "0" * 40) == [1, 0]
    assert await run("eval_ro", "return redis.call('STRLEN', KEYS[1])", "1", "k") == 1


@pytest.mark.parametrize(
    "script",
    [
        "return redis.call('GET', 'p:two:secret')",
        "return redis.call('SET', 'p:two:secret', 'mine')",
        "return redis.call('DEL', 'p:' .. 'two' .. ':secret')",
        "return redis.call('PUBLISH', 'p:two:news', 'x')",
        "return redis.call('COPY', 'p:two:secret', 'p:one:copy')",
        "return redis.call('SORT', 'p:one:list', 'BY', 'nosort', 'GET', 'p:two:*')",
        "return redis.call('GET', 'v8box:users')",
        "return redis.call('GET', 'l:two:x')",
        "return redis.call('HGETALL', 'k:two:kv:v:name')",
        "return redis.call('KEYS', '*')",
        "return redis.call('SCAN', '0')",
        "return redis.call('RANDOMKEY')",
        "return redis.call('DBSIZE')",
        "return redis.call('FLUSHALL')",
        "return redis.call('CONFIG', 'GET', '*')",
        "return redis.call('ACL', 'LIST')",
        "return redis.call('CLIENT', 'LIST')",
        "return redis.call('EVAL', 'return 1', '0')",
        "return redis.call('FUNCTION', 'LIST')",
        "return redis.call('SCRIPT', 'FLUSH')",
        "return redis.call('MULTI')",
        "return redis.call('SUBSCRIBE', 'p:two:news')",
    ],
)
async def test_a_script_cannot_reach_beyond_its_project(run: Run, script: str) -> None:
    await run("set", "secret", "theirs", project="two")
    await run("rpush", "list", "secret")
    with pytest.raises(BindingError) as caught:
        assert await run("eval", script, "0") in ("", None, [])
    assert "theirs" not in caught.value.message
    assert await run("get", "secret", project="two") == "theirs"


async def test_the_functions_of_a_server_are_not_shared(run: Run) -> None:
    for command in ("function", "fcall"):
        with pytest.raises(BindingError, match="shared by all projects") as caught:
            await run(command, "list")
        assert caught.value.code == "REFUSED"


async def test_a_script_that_does_not_end_is_ended(
    make_cache: MakeCache, ask: Ask, server_url: str, valkey: PrivateValkey
) -> None:
    if server_url != valkey.url:
        pytest.skip("a server of others listens only after its own busy-reply-threshold, five seconds by default")
    async with make_cache(CacheLimits(script_seconds=0.3)) as cache:
        await ask(cache, "set", ["k", "v"])
        hung = asyncio.ensure_future(ask(cache, "eval", [ENDLESS, "0"]))
        with pytest.raises(BindingError) as caught:
            await hung
        assert caught.value.code == "SCRIPT_TIMEOUT"

        async def answers() -> bool:
            return (await ask(cache, "get", ["k"], project="two"))[0] is None

        await until(answers)
        assert (await ask(cache, "get", ["k"]))[0] == "v"  # its other commands go on


async def test_a_script_that_has_written_and_does_not_end_costs_the_private_server_a_restart(
    make_cache: MakeCache, ask: Ask, server_url: str, valkey: PrivateValkey
) -> None:
    if server_url != valkey.url:
        pytest.skip("another server is not the box's to restart")
    async with make_cache(CacheLimits(script_seconds=0.3, stuck_seconds=0.5)) as cache:
        await ask(cache, "set", ["k", "v"])
        with pytest.raises(BindingError):
            await ask(cache, "eval", [f"redis.call('SET', KEYS[1], 'x') {ENDLESS}", "1", "written"])

        async def back() -> bool:
            return bool((await ask(cache, "get", ["k"], project="one"))[0] == "v")

        await until(back, 30)


async def test_a_long_script_is_refused(cache: CacheBinding, run: Run) -> None:
    with pytest.raises(BindingError) as caught:
        await run("eval", "--" + "x" * 70_000, "0")
    assert caught.value.code == "TOO_LARGE"


async def test_an_error_among_the_parts_of_a_reply_is_one(run: Run) -> None:
    assert await run("eval", "return {'a', {err = 'ERR inner'}}", "0") == ["a", {"e": ["ERR", "ERR inner"]}]
    with pytest.raises(BindingError, match="MY own words") as caught:
        await run("eval", "return {err = 'MY own words'}", "0")
    assert caught.value.code == "MY"
