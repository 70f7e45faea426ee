"""Nodes on one real Valkey: they agree, a killed server is no end, and a restart gives nobody a new window."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from tests.bindings.conftest import children, launch, short_dir, valkey

from v8box.bindings.cache.valkey_store import ValkeyStore
from v8box.bindings.valkey import PrivateValkey
from v8box.catalog.policies import RateLimit
from v8box.gateway.policies.limit_sync import LimitSync
from v8box.gateway.policies.limiter import Cell, Limiter

__all__ = ["children", "launch", "short_dir", "valkey"]

CELL = Cell(RateLimit(limit=10, window_seconds=6_000))


class Node:
    """A limiter whose sync runs against a server."""

    def __init__(self, url: str) -> None:
        self.store = ValkeyStore(url)
        self.limiter = Limiter()
        self.sync = LimitSync(self.limiter, self.store.execute_own)

    def hits(self, count: int) -> int:
        taken = 0
        for _ in range(count):
            bucket = self.limiter.bucket("who", CELL)
            if not self.limiter.wait_seconds(bucket, CELL, time.time()):
                self.limiter.take(bucket, CELL, time.time())
                taken += 1
        return taken

    @property
    def told(self) -> bool:
        """Whether the others know what this node knows."""
        return self.limiter.bucket("who", CELL).owed == 0

    @property
    def used(self) -> int:
        """How many requests this node knows of."""
        return round((self.limiter.bucket("who", CELL).tat - time.time()) / CELL.interval)


@asynccontextmanager
async def running(url: str) -> AsyncIterator[Node]:
    node = Node(url)
    task = asyncio.create_task(node.sync.run())
    try:
        yield node
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await node.sync.stop()
        await node.store.stop()


async def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    async with asyncio.timeout(seconds):
        while True:
            if condition():
                return
            await asyncio.sleep(0.01)


@pytest.fixture
def url(valkey: PrivateValkey) -> str:
    return valkey.url


async def test_nodes_agree_and_a_new_one_learns_it(url: str) -> None:
    async with running(url) as one, running(url) as two:
        assert one.hits(4) + two.hits(3) == 7
        await until(lambda: one.used == two.used == 7)
        assert one.hits(1) == 1
        await until(lambda: one.told)
    async with running(url) as after:
        after.hits(1)
        await until(lambda: after.used == 9)
        assert after.hits(9) == 1


async def test_a_killed_server_is_waited_for_without_refusing_anybody(valkey: PrivateValkey) -> None:
    async with running(valkey.url) as one, running(valkey.url) as two:
        assert one.hits(2) == 2
        await until(lambda: one.told)
        pid = valkey.pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        os.kill(pid, signal.SIGKILL)
        assert one.hits(3) == 3  # nobody waits for it
        assert two.hits(1) == 1
        await until(lambda: one.told and two.told)
        assert one.limiter.down_since is None
        assert two.hits(1) + one.hits(1) == 2
        await until(lambda: one.used == two.used == 8)
        assert one.hits(9) == 2


async def test_keys_in_the_server_say_nothing_of_clients_and_end(url: str) -> None:
    async with running(url) as node:
        node.hits(1)
        await until(lambda: node.told)
        keys = await node.store.execute_own(("KEYS", "*limits*"))
        assert isinstance(keys, list)
        (key,) = keys
        assert isinstance(key, bytes)
        assert b"who" not in key
        ttl = await node.store.execute_own(("PTTL", key))
        assert isinstance(ttl, int)
        assert 0 < ttl <= CELL.interval * 1000 + 2_000
