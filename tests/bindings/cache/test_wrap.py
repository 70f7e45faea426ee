"""`wrap`: one computation per key at a time, over runs and nodes; a failure is nobody else's."""

from __future__ import annotations

import asyncio

import pytest
from tests.bindings.cache.conftest import Ask, MakeCache

from v8box.bindings.cache.binding import CacheBinding
from v8box.bindings.cache.interface import CacheLimits
from v8box.bindings.interface import BindingError, Scope


async def wrapped(ask: Ask, cache: CacheBinding, computed: list[str], run: str, *, fail: bool = False) -> bytes | None:
    """What `cache.wrap` does, as its client has it on the wire."""
    result, value = await ask(cache, "wrap.begin", {"k": "answer"}, run=run)
    if "h" in result:
        return value
    computed.append(run)
    await asyncio.sleep(0.02)  # a computation that takes time
    if fail:
        await ask(cache, "wrap.end", {"k": "answer", "t": result["t"]}, run=run)
        raise RuntimeError(run)
    await ask(cache, "wrap.end", {"k": "answer", "t": result["t"], "s": 60}, run=run, body=b"42")
    return b"42"


async def test_fifty_runs_compute_once(cache: CacheBinding, ask: Ask) -> None:
    computed: list[str] = []
    values = await asyncio.gather(*(wrapped(ask, cache, computed, f"run-{number}") for number in range(50)))
    assert (len(computed), set(values)) == (1, {b"42"})


async def test_two_nodes_compute_once(make_cache: MakeCache, ask: Ask) -> None:
    computed: list[str] = []
    async with make_cache() as one, make_cache() as other:
        nodes = [one, other] * 10
        values = await asyncio.gather(
            *(wrapped(ask, node, computed, f"run-{number}") for number, node in enumerate(nodes))
        )
    assert (len(computed), set(values)) == (1, {b"42"})


async def test_a_failure_reaches_its_own_caller_and_the_next_one_tries(cache: CacheBinding, ask: Ask) -> None:
    computed: list[str] = []
    tasks = [wrapped(ask, cache, computed, f"run-{number}", fail=number == 0) for number in range(5)]
    values = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(values[0], RuntimeError)
    assert values[1:] == [b"42"] * 4
    assert len(computed) == 2


async def test_a_run_that_ends_gives_its_lease_up(cache: CacheBinding, ask: Ask) -> None:
    scope = Scope("one", "worker", "version", "production", "gone")
    result, _ = await ask(cache, "wrap.begin", {"k": "answer"}, run="gone")
    assert result["t"]
    assert cache.keeps(scope)
    computed: list[str] = []
    waiting = asyncio.ensure_future(wrapped(ask, cache, computed, "next"))
    await asyncio.sleep(0)
    await cache.end_run(scope)
    assert not cache.keeps(scope)
    assert await waiting == b"42"
    with pytest.raises(BindingError, match="does not hold"):
        await ask(cache, "wrap.end", {"k": "answer", "t": result["t"], "s": 1}, run="gone", body=b"late")


async def test_another_run_cannot_end_a_lease(cache: CacheBinding, ask: Ask) -> None:
    result, _ = await ask(cache, "wrap.begin", {"k": "answer"}, run="one")
    for run, project in (("two", "one"), ("one", "two")):
        with pytest.raises(BindingError, match="does not hold"):
            await ask(cache, "wrap.end", {"k": "answer", "t": result["t"], "s": 1}, run=run, project=project, body=b"x")
    await ask(cache, "wrap.end", {"k": "answer", "t": result["t"], "s": 1}, run="one", body=b"mine")


async def test_who_waited_long_enough_computes_without_a_lease(make_cache: MakeCache, ask: Ask) -> None:
    async with make_cache(CacheLimits(wrap_wait_seconds=0.1)) as cache:
        await ask(cache, "wrap.begin", {"k": "answer"}, run="slow")
        result, _ = await ask(cache, "wrap.begin", {"k": "answer"}, run="impatient")
        assert result == {"t": ""}
        await ask(cache, "wrap.end", {"k": "answer", "t": "", "s": 60}, run="impatient", body=b"7")
        assert (await ask(cache, "wrap.begin", {"k": "answer"}, run="third"))[1] == b"7"


async def test_a_caller_that_leaves_the_line_holds_nothing(cache: CacheBinding, ask: Ask) -> None:
    result, _ = await ask(cache, "wrap.begin", {"k": "answer"}, run="first")
    leaving = [
        asyncio.ensure_future(ask(cache, "wrap.begin", {"k": "answer"}, run=f"r{number}")) for number in range(10)
    ]
    await asyncio.sleep(0)
    for task in leaving:
        task.cancel()
    await asyncio.gather(*leaving, return_exceptions=True)
    await ask(cache, "wrap.end", {"k": "answer", "t": result["t"]}, run="first")
    computed: list[str] = []
    assert await wrapped(ask, cache, computed, "last") == b"42"
