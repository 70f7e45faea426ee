"""What every implementation of the `cache` binding does, as a worker's client sees it on the wire."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from v8box.bindings.cache.binding import CacheBinding
from v8box.bindings.cache.commands import names
from v8box.bindings.cache.valkey_store import ValkeyStore
from v8box.bindings.interface import BindingError, Scope

Ask = Callable[..., Coroutine[Any, Any, tuple[Any, bytes | None]]]


async def run(ask: Ask, cache: CacheBinding, command: str, *args: Any, project: str = "one") -> Any:
    return (await ask(cache, command, list(args), project=project))[0]


async def refusal(ask: Ask, cache: CacheBinding, command: str, *args: Any) -> BindingError:
    with pytest.raises(BindingError) as caught:
        await ask(cache, command, list(args))
    return caught.value


async def test_commands_and_their_replies(cache: CacheBinding, ask: Ask) -> None:
    assert await run(ask, cache, "set", "k", "wört") == "OK"
    assert await run(ask, cache, "GET", "k") == "wört"
    assert await run(ask, cache, "get", "none") is None
    assert await run(ask, cache, "hset", "h", "a", "1", "b", "2") == 2
    assert await run(ask, cache, "hgetall", "h") == ["a", "1", "b", "2"]
    assert await run(ask, cache, "incrby", "n", str(2**62)) == {"i": str(2**62)}
    assert await run(ask, cache, "type", "h") == "hash"
    assert await run(ask, cache, "zadd", "z", "1.5", "m") == 1
    assert await run(ask, cache, "zscore", "z", "m") == "1.5"
    assert await run(ask, cache, "lmpop", "2", "none", "l", "LEFT") is None
    assert await run(ask, cache, "rpush", "l", "a") == 1
    assert await run(ask, cache, "lmpop", "2", "none", "l", "LEFT") == ["l", ["a"]]
    assert await run(ask, cache, "publish", "news", "x") == 0
    assert await run(ask, cache, "bitop", "AND", "to", "k", "k") == 5
    assert await run(ask, cache, "object", "encoding", "n") == "int"
    assert await run(ask, cache, "copy", "k", "k2") == 1


async def test_bytes_go_in_and_come_out(cache: CacheBinding, ask: Ask) -> None:
    await run(ask, cache, "set", "k", {"b": "AP+A"})
    assert await ask(cache, "get", {"a": ["k"], "raw": True}) == (None, b"\x00\xff\x80")
    assert (await ask(cache, "mget", {"a": ["k", "none"], "raw": True}))[0] == [{"b": "AP+A"}, None]
    assert await run(ask, cache, "get", "k") == "\x00\ufffd\ufffd"
    await run(ask, cache, "set", {"b": "/w=="}, "under a key that is no text")
    assert await run(ask, cache, "get", {"b": "/w=="}) == "under a key that is no text"


async def test_the_servers_errors_keep_their_word(cache: CacheBinding, ask: Ask) -> None:
    await run(ask, cache, "rpush", "l", "a")
    wrong = await refusal(ask, cache, "get", "l")
    assert (wrong.code, wrong.message[:20]) == ("WRONGTYPE", "WRONGTYPE Operation ")
    assert (await refusal(ask, cache, "lset", "l", "9", "x")).code == "ERR"
    assert (await refusal(ask, cache, "set")).code == "ERR"
    assert (await refusal(ask, cache, "set", "k", "v", "NONSENSE")).code == "ERR"


async def test_every_other_command_of_the_server_is_refused_with_a_reason(
    cache: CacheBinding, ask: Ask, server_url: str
) -> None:
    store = ValkeyStore(server_url)
    listed: Any = await store.execute_own(("COMMAND", "LIST"))
    await store.stop()
    on_server = {name.decode() for name in listed}
    others = {name for name in on_server if "|" not in name} - names()
    assert {"flushall", "config", "acl", "monitor", "function", "debug", "keys"} - others == {"keys"}
    for command in [*sorted(others), "config get", "nonsense", ""]:
        for name in (command, command.upper()):
            error = await refusal(ask, cache, name, "0")
            assert error.code == "REFUSED", name
            assert error.message.startswith(f"the command {command} is refused: ")


@pytest.mark.parametrize(
    ("command", "args"),
    [
        ("copy", ["a", "b", "DB", "1"]),
        ("memory", ["DOCTOR"]),
        ("memory", ["PURGE"]),
        ("script", ["FLUSH"]),
        ("script", ["KILL"]),
        ("sort", ["a", "OTHER", "b"]),
        ("xread", ["OTHER", "STREAMS", "a", "0"]),
        ("georadius", ["a", "1", "1", "1", "m", "OTHER", "b"]),
        ("keys", []),
        ("dbsize", ["x"]),
        ("srandmember", ["a", "-1000000000"]),
        ("hrandfield", ["a", "-1000000000", "WITHVALUES"]),
        ("scan", []),
        ("scan", ["0", "MATCH"]),
        ("scan", ["0", "KEYS", "x"]),
        ("zunion", ["many", "a"]),
        ("get key", []),
        ("get\r\nflushall", ["k"]),
    ],
)
async def test_other_arguments_are_refused(cache: CacheBinding, ask: Ask, command: str, args: list[str]) -> None:
    assert (await refusal(ask, cache, command, *args)).code == "REFUSED"


async def test_projects_do_not_see_each_other(cache: CacheBinding, ask: Ask) -> None:
    for project in ("one", "two"):
        await run(ask, cache, "mset", "a", project, "b", project, project=project)
    assert await run(ask, cache, "get", "a") == "one"
    for key in ("p:two:a", "../two:a", "two:a"):
        assert await run(ask, cache, "get", key) is None
    assert await run(ask, cache, "del", "a", "b") == 2
    assert await run(ask, cache, "mget", "a", "b", project="two") == ["two", "two"]
    for project in ("", "a:b", "*", "A", "one\n"):
        with pytest.raises(BindingError, match="ARGS_INVALID"):
            await run(ask, cache, "get", "a", project=project)


async def test_scan_shows_the_projects_own_keys(cache: CacheBinding, ask: Ask) -> None:
    for project in ("one", "two", "one-more"):
        await run(ask, cache, "mset", *(part for n in range(50) for part in (f"k{n}", project)), project=project)

    async def scan(*options: str) -> set[str]:
        found: set[str] = set()
        cursor = "0"
        while True:
            cursor, keys = await run(ask, cache, "scan", cursor, *options)
            found.update(keys)
            if cursor == "0":
                return found

    everything = {f"k{n}" for n in range(50)}
    assert await scan() == everything
    assert await scan("match", "*") == everything
    assert await scan("COUNT", "1000000000") == everything
    assert await scan("MATCH", "k1?", "COUNT", "100") == {f"k1{n}" for n in range(10)}
    assert await scan("TYPE", "hash") == set()
    assert await scan("MATCH", "p:two:*") == set()


async def test_many_at_once_keep_their_order_and_their_replies(cache: CacheBinding, ask: Ask) -> None:
    work = [run(ask, cache, "rpush", "l", str(number)) for number in range(500)]
    work += [run(ask, cache, "echo", str(number)) for number in range(500)]
    replies = await asyncio.gather(*work)
    assert replies == [*range(1, 501), *(str(number) for number in range(500))]
    assert await run(ask, cache, "lrange", "l", "0", "-1") == [str(number) for number in range(500)]


async def test_a_cancelled_call_does_not_shift_the_replies_of_others(cache: CacheBinding, ask: Ask) -> None:
    tasks = [asyncio.create_task(run(ask, cache, "echo", str(number))) for number in range(100)]
    await run(ask, cache, "ping")
    more = [asyncio.create_task(run(ask, cache, "echo", str(number))) for number in range(100)]
    await asyncio.sleep(0)
    for task in more[::2]:
        task.cancel()
    replies = await asyncio.gather(*tasks, *more, return_exceptions=True)
    assert replies[:100] == [str(number) for number in range(100)]
    assert replies[101::2] == [str(number) for number in range(1, 100, 2)]


async def test_wrong_arguments_are_refused(cache: CacheBinding, ask: Ask) -> None:
    wrong: tuple[Any, ...] = (None, "k", [1], [["k"]], {"a": "k"}, {"a": ["k"], "b": 1}, [{"b": "?"}])
    for args in wrong:
        with pytest.raises(BindingError, match="ARGS_INVALID"):
            await ask(cache, "get", args)
    with pytest.raises(BindingError, match="TOO_LARGE"):
        await ask(cache, "set", ["k", "x" * 33_000_000])


async def test_it_is_healthy_and_keeps_nothing_of_a_run(cache: CacheBinding) -> None:
    await cache.health()
    await cache.end_run(Scope("one", "worker", "version", "production", "run-1"))
