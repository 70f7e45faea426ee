"""A server that goes away, hangs, or was never there; and the private Valkey that comes back."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from tests.bindings.cache.conftest import until
from tests.servers import RedisServer

from v8box.bindings.cache.binding import CacheBinding
from v8box.bindings.cache.valkey_store import ValkeyStore
from v8box.bindings.interface import BindingError, Call, Scope
from v8box.bindings.valkey import PrivateValkey, ValkeyFailed

Ask = Callable[..., Coroutine[Any, Any, tuple[Any, bytes | None]]]
Children = list[asyncio.subprocess.Process]


@pytest.fixture
async def private(valkey: PrivateValkey) -> AsyncIterator[CacheBinding]:
    """On the box's own server, which the box itself starts again."""
    binding = CacheBinding(ValkeyStore(valkey.url, restart=valkey.restart))
    yield binding
    await binding.stop()


async def until_it_answers(ask: Ask, cache: CacheBinding) -> None:
    async def answers() -> bool:
        await ask(cache, "ping", [])
        return True

    await until(answers)


async def outcomes_under_load(ask: Ask, cache: CacheBinding, interrupt: Callable[[], None]) -> list[Any]:
    """What callers of every kind of connection hear when the server goes away."""
    waiting = [asyncio.create_task(ask(cache, "get", ["k"])) for _ in range(50)]
    waiting += [asyncio.create_task(ask(cache, "blpop", ["none", "20"])) for _ in range(3)]
    waiting += [asyncio.create_task(ask(cache, "batch.multi", {"c": [["get", ["k"]]]})) for _ in range(10)]
    await asyncio.sleep(0)
    interrupt()
    waiting += [asyncio.create_task(ask(cache, "get", ["k"])) for _ in range(10)]
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    for outcome in outcomes:
        assert outcome in (("v", None), ([[0, "v"]], None)) or (
            isinstance(outcome, BindingError) and outcome.code == "CACHE_UNAVAILABLE"
        ), outcome
    return outcomes


async def test_a_killed_server_comes_back_with_its_data(private: CacheBinding, ask: Ask, children: Children) -> None:
    await ask(private, "set", ["k", "v"])
    for _ in range(2):
        await outcomes_under_load(ask, private, children[-1].kill)
        await until_it_answers(ask, private)
        assert await ask(private, "get", ["k"]) == ("v", None)
    assert len(children) == 3
    assert private.isolation == "acl"


async def test_a_killed_redis_is_used_again_when_it_is_back(tmp_path: Path, ask: Ask) -> None:
    with RedisServer(tmp_path / "redis", password="secret") as server:
        cache = CacheBinding(ValkeyStore(server.url))
        await ask(cache, "set", ["k", "v"])
        await outcomes_under_load(ask, cache, server.kill)
        with pytest.raises(BindingError, match="Connection refused"):
            await ask(cache, "get", ["k"])
        await asyncio.to_thread(server.start)
        await until_it_answers(ask, cache)
        assert await ask(cache, "get", ["k"]) == ("v", None)
        assert cache.isolation == "acl"
        await cache.stop()


async def test_an_endless_script_on_a_server_of_others_is_ended_as_soon_as_that_listens(
    impatience: None, tmp_path: Path, ask: Ask
) -> None:
    with RedisServer(tmp_path / "redis", password="secret") as server:
        cache = CacheBinding(ValkeyStore(server.url))
        await ask(cache, "set", ["k", "v"])
        with pytest.raises(BindingError):
            await ask(cache, "eval", ["while true do end", "0"])

        async def answers() -> bool:
            return bool((await ask(cache, "get", ["k"]))[0] == "v")

        await until(answers)  # it listens after its busy-reply-threshold, five seconds
        await cache.stop()


async def test_a_hanging_server_is_given_up_within_seconds(
    impatience: None, private: CacheBinding, ask: Ask, children: Children
) -> None:
    await ask(private, "set", ["k", "v"])
    children[-1].send_signal(signal.SIGSTOP)
    with pytest.raises(BindingError, match="no reply within 3 s"):
        await ask(private, "get", ["k"])
    with pytest.raises(BindingError, match="CACHE_UNAVAILABLE"):
        await ask(private, "messages.subscribe", {"c": ["news"]})
    children[-1].send_signal(signal.SIGCONT)
    await until_it_answers(ask, private)
    assert await ask(private, "get", ["k"]) == ("v", None)


async def test_a_subscription_says_that_messages_may_be_missing(private: CacheBinding, children: Children) -> None:
    scope = Scope("one", "worker", "version", "production", "run-1")
    answer = await private.call(Call(scope, "messages.subscribe", {"c": ["news"]}))
    await private.call(Call(scope, "publish", ["news", "first"]))
    lines: Any = answer.body
    assert await anext(lines) == b'["news","first"]\n'
    children[-1].kill()
    assert (await anext(lines)).startswith(
        b'{"code":"MESSAGES_LOST","message":"messages may be missing, subscribe again'
    )
    with pytest.raises(StopAsyncIteration):
        await anext(lines)


async def test_a_server_that_is_not_there_is_named(short_dir: Path, ask: Ask) -> None:
    for url, cause in (
        (f"unix://{short_dir}/none.sock", "No such file or directory"),
        ("redis://user:secret@127.0.0.1:1/0", "Connection refused"),
    ):
        cache = CacheBinding(ValkeyStore(url))
        with pytest.raises(BindingError) as caught:
            await ask(cache, "get", ["k"])
        assert caught.value.code == "CACHE_UNAVAILABLE"
        assert cause in caught.value.message
        assert "secret" not in caught.value.message
        assert str(short_dir) not in caught.value.message
        with pytest.raises(BindingError):
            await cache.health()
        await cache.stop()


async def test_stopping_writes_what_was_answered(
    tmp_path: Path, short_dir: Path, launch: Any, children: Children, ask: Ask
) -> None:
    for round_ in range(2):
        server = PrivateValkey(tmp_path / "valkey", short_dir, launch)
        await server.start()
        cache = CacheBinding(ValkeyStore(server.url))
        assert await ask(cache, "incr", ["n"]) == (round_ + 1, None)
        await cache.stop()
        await server.stop()
        assert children[-1].returncode == 0
    assert not (short_dir / "valkey.sock").exists()
    config = tmp_path / "valkey" / "valkey.conf"
    assert config.stat().st_mode & 0o777 == 0o600


async def test_the_server_of_a_killed_box_is_ended_first(
    tmp_path: Path, short_dir: Path, launch: Any, children: Children, ask: Ask
) -> None:
    leftover = PrivateValkey(tmp_path / "valkey", short_dir, launch)
    await leftover.start()
    cache = CacheBinding(ValkeyStore(leftover.url))
    await ask(cache, "set", ["k", "v"])
    await cache.stop()
    assert leftover.supervisor is not None
    leftover.supervisor.cancel()  # like a box that is gone: nobody restarts it, nobody stops it

    (short_dir / "next").mkdir()
    server = PrivateValkey(tmp_path / "valkey", short_dir / "next", launch)
    await server.start()
    assert await children[0].wait() == 0
    cache = CacheBinding(ValkeyStore(server.url))
    assert await ask(cache, "get", ["k"]) == ("v", None)
    await cache.stop()
    await server.stop()


async def test_a_process_that_only_got_the_number_is_left_alone(tmp_path: Path, short_dir: Path, launch: Any) -> None:
    (tmp_path / "valkey").mkdir()
    (tmp_path / "valkey" / "valkey.pid").write_text(f"{os.getpid()}\n")
    (short_dir / "valkey.sock").write_text("left over")
    server = PrivateValkey(tmp_path / "valkey", short_dir, launch)
    await server.start()
    await server.stop()


async def test_a_server_that_cannot_start_says_why(tmp_path: Path, short_dir: Path, launch: Any) -> None:
    (tmp_path / "valkey" / "appendonlydir").mkdir(parents=True)
    (tmp_path / "valkey" / "appendonlydir" / "appendonly.aof.manifest").write_text("nonsense\n")
    with pytest.raises(ValkeyFailed, match="ended as it started"):
        await PrivateValkey(tmp_path / "valkey", short_dir, launch).start()
    with pytest.raises(ValkeyFailed, match="longer than 107 bytes"):
        await PrivateValkey(tmp_path / "valkey", short_dir / ("x" * 100), launch).start()
