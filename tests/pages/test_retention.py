"""What goes once a day."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import UTC, datetime

import pytest
from tests.pages.conftest import ADA, World

from v8box.features.pages.retention import retain_forever


async def test_old_releases_and_their_bytes_go_and_a_failure_ends_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("v8box.features.pages.service._GRACE_SECONDS", -1.0)
    for number in range(6):
        await world.deploy({"index.html": f"{number}", "same.css": "same"})
    await world.sites.describe_release("default", "blog", 1, ADA, pinned=True)
    await world.sites.set_preview("default", "blog", "demo", 2, ADA)
    await world.sites.set_preview("default", "blog", "old", 3, ADA, expires_at=datetime(2026, 1, 1, tzinfo=UTC))
    await world.sites.go_live("default", "blog", 4, ADA)
    before = len(world.stored())
    swept = asyncio.Event()
    prune, sweep = world.sites.prune, world.service.sweep
    days = 0

    async def failing(keep: int) -> int:
        nonlocal days
        days += 1
        if days == 1:
            raise OSError("no space left")
        return await prune(keep)

    async def noted() -> int:
        gone = await sweep()
        if days == 3:
            swept.set()
        return gone

    monkeypatch.setattr(world.sites, "prune", failing)
    monkeypatch.setattr(world.service, "sweep", noted)
    retaining = asyncio.create_task(retain_forever(world.service, 1, first_seconds=0, every_seconds=0))
    await swept.wait()
    retaining.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await retaining
    assert [info.number for info in await world.sites.releases("default", "blog")] == [6, 4, 2, 1]
    assert [each.label for each in await world.sites.previews("default", "blog")] == ["demo"]
    assert before - len(world.stored()) == 4  # two pages, and the two lists that named them
    assert "could not be removed" in caplog.text
    for info in await world.sites.releases("default", "blog"):
        for asset in (await world.service.contents(info)).files.values():
            assert await world.blobs.has(asset.content.hash)
