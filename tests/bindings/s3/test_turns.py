"""Turns by name: one at a time for each, whoever leaves early, and nothing is kept of those that are over."""

from __future__ import annotations

import asyncio

from v8box.bindings.s3.turns import Turns


async def test_who_gives_up_waiting_holds_up_nobody() -> None:
    turns = Turns()
    order: list[str] = []
    leave = asyncio.Event()

    async def first() -> None:
        async with turns.take("a"):
            order.append("first")
            await leave.wait()

    async def next_one(name: str) -> None:
        async with turns.take("a"):
            order.append(name)

    tasks = [asyncio.create_task(work) for work in (first(), next_one("gives up"), next_one("last"))]
    await asyncio.sleep(0)
    async with turns.take("b"):
        order.append("another name")
    tasks[1].cancel()
    leave.set()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert order == ["first", "another name", "last"]
    assert vars(turns) == {"_locks": {}}
