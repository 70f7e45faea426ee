"""The quota of a project: what is over it is refused, with what to do, and nobody else notices."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

from tests.bindings.cache.conftest import Ask, MakeCache, until

from v8box.bindings.cache.interface import CacheLimits
from v8box.bindings.interface import BindingError

QUOTA = 2_000_000


async def refusal(call: Awaitable[Any]) -> str | None:
    """The code a call was refused with."""
    try:
        await call
    except BindingError as error:
        return error.code
    return None


async def test_a_project_over_its_quota_writes_no_more_until_it_has_deleted(make_cache: MakeCache, ask: Ask) -> None:
    async with make_cache(CacheLimits(project_bytes=QUOTA)) as cache:
        written = 0

        async def full() -> bool:
            nonlocal written
            if (refused := await refusal(ask(cache, "set", [f"k{written}", "x" * 20_000]))) is None:
                written += 20_000
            return refused == "QUOTA"

        await until(full, 30)
        assert QUOTA / 2 <= written <= 3 * QUOTA
        assert (await ask(cache, "get", ["k0"]))[0] == "x" * 20_000  # reading goes on
        assert (await ask(cache, "set", ["k", "v"], project="two"))[0] == "OK"  # so do others

        async def measured() -> bool:
            return await cache.usage("one") > 0

        await until(measured)
        await ask(cache, "del", [f"k{number}" for number in range(0, written, 20_000)])

        async def writes_again() -> bool:
            return await refusal(ask(cache, "set", ["k", "v"])) is None

        await until(writes_again, 20)


async def test_what_a_script_writes_counts_too(make_cache: MakeCache, ask: Ask) -> None:
    async with make_cache(CacheLimits(project_bytes=QUOTA)) as cache:
        script = "for i = 1, 100 do redis.call('SET', KEYS[1] .. i, string.rep('x', 50000)) end return 1"

        async def refused() -> bool:
            await refusal(ask(cache, "eval", [script, "1", "k"]))
            return await refusal(ask(cache, "set", ["more", "x" * 1000])) == "QUOTA"

        await until(refused, 20)


async def test_usage_is_what_the_server_measures(make_cache: MakeCache, ask: Ask) -> None:
    async with make_cache() as cache:
        await ask(cache, "set", ["a", "x" * 10_000])
        await ask(cache, "kv.put", {"n": "ns", "k": "b"}, body=b"y" * 10_000)

        async def measured() -> bool:
            return await cache.usage("one") >= 20_000  # the figure may be some seconds old

        await until(measured, 20)
        assert await cache.usage("one") <= 40_000
        assert await cache.usage("nobody") == 0


async def test_the_keys_of_a_deleted_project_go_and_nobody_elses(make_cache: MakeCache, ask: Ask) -> None:
    async with make_cache() as cache:
        for project in ("one", "one-more"):
            await ask(cache, "mset", [word for number in range(3_000) for word in (f"k{number}", "v")], project=project)
        await cache.forget_project("one")
        assert (await ask(cache, "dbsize", []))[0] == 0
        assert (await ask(cache, "dbsize", [], project="one-more"))[0] == 3_000
