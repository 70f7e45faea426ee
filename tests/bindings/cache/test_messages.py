"""Publish and subscribe: within the project, in order, with an end that says so when messages may be missing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
from tests.bindings.cache.conftest import MakeCache, Run, until

from v8box.bindings.cache.binding import CacheBinding
from v8box.bindings.cache.interface import CacheLimits
from v8box.bindings.interface import BindingError, Call, Scope


@asynccontextmanager
async def subscribed(
    cache: CacheBinding, channels: list[str], patterns: list[str] | None = None, *, project: str = "one", run: str = "r"
) -> AsyncIterator[AsyncIterator[Any]]:
    scope = Scope(project, "worker", "version", "production", run)
    answer = await cache.call(Call(scope, "messages.subscribe", {"c": channels, "p": patterns or []}))
    body: Any = answer.body

    async def lines() -> AsyncIterator[Any]:
        async for chunk in body:
            for line in chunk.splitlines():
                yield msgspec.json.decode(line)

    try:
        yield lines()
    finally:
        await body.aclose()


async def test_messages_come_in_order_to_whoever_subscribed(cache: CacheBinding, run: Run) -> None:
    async with (
        subscribed(cache, ["news", "more"], ["n*"]) as mine,
        subscribed(cache, ["news"], project="two") as theirs,
    ):
        assert await run("publish", "news", "first") == 2
        await run("publish", "more", "second")
        await run("publish", "news", "for two", project="two")
        assert [await anext(mine) for _ in range(3)] == sorted(
            [["news", "first"], ["news", "first", "n*"], ["more", "second"]], key=lambda line: (line[1], len(line))
        )
        assert await anext(theirs) == ["news", "for two"]

    async def nobody() -> bool:
        return bool(await run("publish", "news", "nobody") == 0)

    await until(nobody)


async def test_the_end_of_a_run_ends_its_subscriptions(cache: CacheBinding, run: Run) -> None:
    scope = Scope("one", "worker", "version", "production", "r")
    async with subscribed(cache, ["news"]) as messages:
        assert cache.keeps(scope)
        await cache.end_run(scope)
        assert not cache.keeps(scope)
        with pytest.raises(StopAsyncIteration):
            await anext(messages)

    async def nobody() -> bool:
        return bool(await run("publish", "news", "x") == 0)

    await until(nobody)


async def test_who_does_not_read_is_told_that_messages_were_lost(make_cache: MakeCache) -> None:
    async with make_cache(CacheLimits(waiting_messages=10)) as cache, subscribed(cache, ["news"]) as messages:
        scope = Scope("one", "worker", "version", "production", "other")
        for number in range(50):
            await cache.call(Call(scope, "publish", ["news", str(number)]))
        found = [line async for line in messages]
        assert found[-1]["code"] == "MESSAGES_LOST"
        assert [line[1] for line in found[:-1]] == [str(number) for number in range(len(found) - 1)]


async def test_subscriptions_are_bounded(make_cache: MakeCache) -> None:
    async with make_cache(CacheLimits(channels=2, subscriptions_per_project=1)) as cache:
        with pytest.raises(BindingError, match="1 to 2 channels"):
            async with subscribed(cache, ["a", "b", "c"]):
                pass
        with pytest.raises(BindingError, match="1 to 2 channels"):
            async with subscribed(cache, []):
                pass
        async with subscribed(cache, ["a"]), subscribed(cache, ["a"], project="two"):
            with pytest.raises(BindingError) as caught:
                async with subscribed(cache, ["b"]):
                    pass
            assert caught.value.code == "TOO_MANY_SUBSCRIPTIONS"
        async with subscribed(cache, ["b"]):
            pass
