"""A server that goes away, hangs, or was never there; and the private Valkey that comes back."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from v8box.bindings.cache.binding import CacheBinding
from v8box.bindings.cache.valkey_store import ValkeyStore
from v8box.bindings.interface import BindingError
from v8box.bindings.valkey import PrivateValkey, ValkeyFailed

Ask = Callable[..., Coroutine[Any, Any, tuple[Any, bytes | None]]]
Children = list[asyncio.subprocess.Process]


async def until_it_answers(ask: Ask, cache: CacheBinding) -> None:
    async with asyncio.timeout(10):
        while True:
            try:
                await ask(cache, "ping", [])
                return
            except BindingError as error:
                if error.code != "CACHE_UNAVAILABLE":
                    raise


async def test_a_killed_server_comes_back_with_its_data(
    valkey: PrivateValkey, cache: CacheBinding, ask: Ask, children: Children
) -> None:
    await ask(cache, "set", ["k", "v"])
    for _ in range(2):
        waiting = [asyncio.create_task(ask(cache, "get", ["k"])) for _ in range(50)]
        children[-1].kill()
        started = time.monotonic()
        outcomes = await asyncio.gather(*waiting, return_exceptions=True)
        assert time.monotonic() - started < 1
        for outcome in outcomes:
            assert outcome == ("v", None) or (
                isinstance(outcome, BindingError) and outcome.code == "CACHE_UNAVAILABLE"
            ), outcome
        await until_it_answers(ask, cache)
        assert await ask(cache, "get", ["k"]) == ("v", None)
    assert len(children) == 3


async def test_a_hanging_server_is_given_up_within_a_second_or_so(
    cache: CacheBinding, ask: Ask, children: Children
) -> None:
    await ask(cache, "set", ["k", "v"])
    children[-1].send_signal(signal.SIGSTOP)
    started = time.monotonic()
    with pytest.raises(BindingError, match="no reply within 1 s"):
        await ask(cache, "get", ["k"])
    assert time.monotonic() - started < 2
    children[-1].send_signal(signal.SIGCONT)
    await until_it_answers(ask, cache)
    assert await ask(cache, "get", ["k"]) == ("v", None)


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
        started = time.monotonic()
        await server.start()
        assert time.monotonic() - started < 2  # 45 ms on an idle machine
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
