"""Many objects deleted as one operation."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.objects.conftest import World

from v8box.bindings.s3.interface import BucketId, PutOptions

PHOTOS = BucketId("default", "photos")


async def fill(world: World, *keys: str) -> None:
    for key in keys:
        await world.store.put(PHOTOS, key, b"x", PutOptions())


async def ended(world: World, answer: Any) -> Any:
    assert answer.status_code == 202, answer.text
    return await world.operations.get(answer.json()["data"]["id"], wait_seconds=30)


async def test_keys_and_folders_go_and_the_rest_stays(world: World) -> None:
    await fill(world, "a", "b", "docs/1", "docs/<b>🦆</b>/2", "docs2", "z%_")
    async with world.client() as client:
        answer = await client.post(
            "buckets/photos/objects/clear", json={"keys": ["a", "gone", "a"], "prefixes": ["docs/"]}
        )
        operation = await ended(world, answer)
        assert (operation.state, operation.result) == ("succeeded", {"deleted": 3})
        left = (await client.get("buckets/photos/objects")).json()["data"]["objects"]
        assert [each["key"] for each in left] == ["b", "docs2", "z%_"]
        await ended(world, await client.post("buckets/photos/objects/clear", json={"prefixes": [""]}))
        assert (await client.get("buckets/photos/objects")).json()["data"]["objects"] == []


async def test_more_than_a_page_goes_and_it_can_be_stopped(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("v8box.features.objects.clearing._PAGE", 2)
    await fill(world, *(f"many/{n}" for n in range(7)))
    deleted, gate = asyncio.Event(), asyncio.Event()
    delete = world.store.delete

    async def slowly(bucket: BucketId, keys: list[str]) -> None:
        await delete(bucket, keys)
        deleted.set()
        await gate.wait()

    monkeypatch.setattr(world.store, "delete", slowly)
    async with world.client() as client:
        answer = await client.post("buckets/photos/objects/clear", json={"prefixes": ["many/"]})
        await deleted.wait()
        cancelled = await world.operations.cancel(answer.json()["data"]["id"])
        assert cancelled.state == "cancelled"
        assert len((await client.get("buckets/photos/objects")).json()["data"]["objects"]) == 5
        gate.set()
        operation = await ended(world, await client.post("buckets/photos/objects/clear", json={"prefixes": ["many/"]}))
        assert operation.result == {"deleted": 5}


@pytest.mark.parametrize("body", [{}, {"keys": [], "prefixes": []}, {"keys": [""]}, {"keys": ["x"] * 1001}])
async def test_nothing_is_not_everything(world: World, body: dict[str, Any]) -> None:
    await fill(world, "a")
    async with world.client() as client:
        assert (await client.post("buckets/photos/objects/clear", json=body)).status_code == 400
        assert (await client.post("buckets/no-such/objects/clear", json={"prefixes": [""]})).status_code == 404
        assert len((await client.get("buckets/photos/objects")).json()["data"]["objects"]) == 1
