"""The `cache` binding on both servers: the box's private Valkey, and Debian's Redis 7 as a server elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
from tests.servers import RedisServer
from tests.servers.fixtures import redis_server

from v8box.bindings.cache.binding import CacheBinding
from v8box.bindings.cache.interface import CacheLimits
from v8box.bindings.cache.valkey_store import ValkeyStore
from v8box.bindings.interface import BindingError
from v8box.bindings.valkey import PrivateValkey

__all__ = ["redis_server"]

Ask = Callable[..., Awaitable[tuple[Any, bytes | None]]]
MakeCache = Callable[..., AbstractAsyncContextManager[CacheBinding]]
Run = Callable[..., Awaitable[Any]]


@pytest.fixture(params=["valkey", "redis"])
async def server_url(request: pytest.FixtureRequest, valkey: PrivateValkey, redis_server: RedisServer) -> str:
    """An empty server."""
    if request.param == "valkey":
        return valkey.url
    store = ValkeyStore(redis_server.url)
    await store.execute_own(("FLUSHALL",))
    await store.stop()
    return redis_server.url


@pytest.fixture
def make_cache(server_url: str, valkey: PrivateValkey) -> MakeCache:
    """Opens a binding on the server, with limits of one's own; several are several nodes."""

    @asynccontextmanager
    async def make(limits: CacheLimits | None = None) -> AsyncIterator[CacheBinding]:
        restart = valkey.restart if server_url == valkey.url else None
        binding = CacheBinding(ValkeyStore(server_url, limits=limits, restart=restart), limits)
        await binding.start()
        async with AsyncExitStack() as stack:
            stack.push_async_callback(binding.stop)
            yield binding

    return make


@pytest.fixture
async def cache(make_cache: MakeCache) -> AsyncIterator[CacheBinding]:
    async with make_cache() as binding:
        yield binding


@pytest.fixture
def run(ask: Ask, cache: CacheBinding) -> Run:
    """One command in one line: its reply."""

    async def execute(command: str, *args: Any, project: str = "one", run: str = "run-1") -> Any:
        return (await ask(cache, command, list(args), project=project, run=run))[0]

    return execute


@pytest.fixture
def knows(server_url: str) -> Callable[[str], Awaitable[bool]]:
    """Whether the server has a command."""

    async def ask_server(name: str) -> bool:
        store = ValkeyStore(server_url)
        try:
            info: Any = await store.execute_own(("COMMAND", "INFO", name))
        finally:
            await store.stop()
        return info[0] is not None

    return ask_server


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = 60.0) -> None:
    """Polls a condition with a deadline; a cache that is away for a moment counts as no."""
    async with asyncio.timeout(seconds):
        while True:
            try:
                if await condition():
                    return
            except BindingError as error:
                if error.code != "CACHE_UNAVAILABLE":
                    raise
            await asyncio.sleep(0.02)
