"""Pipelines and transactions: every command's own outcome, or none of them run."""

from __future__ import annotations

from typing import Any

import pytest
from tests.bindings.cache.conftest import Ask, MakeCache, Run

from v8box.bindings.cache.binding import CacheBinding
from v8box.bindings.cache.interface import CacheLimits
from v8box.bindings.interface import BindingError

Steps = list[list[Any]]


async def send(ask: Ask, cache: CacheBinding, kind: str, steps: Steps, project: str = "one") -> Any:
    return (await ask(cache, f"batch.{kind}", {"c": steps}, project=project))[0]


async def test_a_pipeline_gives_each_outcome_in_order(cache: CacheBinding, ask: Ask, run: Run) -> None:
    steps: Steps = [
        ["set", ["k", "v"]],
        ["incr", ["k"]],
        ["get", ["k"]],
        ["flushall", []],
        ["get", ["k"], True],
        ["scan", ["0"]],
    ]
    outcomes = await send(ask, cache, "pipeline", steps)
    assert outcomes[0] == [0, "OK"]
    assert outcomes[1][0] == "ERR"
    assert outcomes[2] == [0, "v"]
    assert outcomes[3][0] == "REFUSED"
    assert outcomes[4] == [0, {"b": "dg=="}]
    assert outcomes[5][0] == "REFUSED"


async def test_a_transaction_runs_whole(cache: CacheBinding, ask: Ask, run: Run) -> None:
    steps: Steps = [["set", ["a", "1"]], ["incr", ["a"]], ["lpush", ["a", "x"]], ["get", ["a"]]]
    outcomes = await send(ask, cache, "multi", steps)
    assert outcomes[:2] == [[0, "OK"], [0, 2]]
    assert outcomes[2][0] == "WRONGTYPE"  # as Redis has it: what fails as it runs undoes nothing
    assert outcomes[3] == [0, "2"]


@pytest.mark.parametrize(
    "bad", [["flushall", []], ["get", []], ["watch", ["a"]], ["subscribe", ["x"]], ["nonsense", []]]
)
async def test_a_refused_command_aborts_a_transaction(cache: CacheBinding, ask: Ask, run: Run, bad: list[Any]) -> None:
    with pytest.raises(BindingError) as caught:
        await send(ask, cache, "multi", [["set", ["a", "1"]], bad, ["set", ["b", "1"]]])
    assert caught.value.code == "EXECABORT"
    assert caught.value.details is not None
    assert [error[0] for error in caught.value.details["errors"]] == [1]
    assert await run("exists", "a", "b") == 0


async def test_batches_keep_to_their_project(cache: CacheBinding, ask: Ask, run: Run) -> None:
    await run("set", "k", "theirs", project="two")
    for kind in ("pipeline", "multi"):
        assert await send(ask, cache, kind, [["get", ["k"]], ["mget", ["k", "p:two:k"]]]) == [
            [0, None],
            [0, [None, None]],
        ]


async def test_transactions_of_two_runs_do_not_mix(cache: CacheBinding, ask: Ask, run: Run) -> None:
    import asyncio

    steps: Steps = [["incr", ["n"]] for _ in range(50)]
    answers = await asyncio.gather(*(send(ask, cache, "multi", steps) for _ in range(20)))
    for outcomes in answers:
        first = outcomes[0][1]
        assert [value for _, value in outcomes] == list(range(first, first + 50))


async def test_a_batch_is_bounded(make_cache: MakeCache, ask: Ask) -> None:
    async with make_cache(CacheLimits(pipeline_commands=3, command_bytes=1000)) as cache:
        with pytest.raises(BindingError, match="3 commands") as caught:
            await send(ask, cache, "pipeline", [["get", ["a"]]] * 4)
        assert caught.value.code == "TOO_LARGE"
        with pytest.raises(BindingError, match="1000 bytes"):
            await send(ask, cache, "pipeline", [["set", ["a", "x" * 600]]] * 2)
        assert await send(ask, cache, "multi", []) == []
