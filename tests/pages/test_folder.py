"""The sites of the served folder follow it."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator

import pytest
from tests.pages.conftest import ADA, World, write

from v8box.errors import BadRequest
from v8box.features.pages.folder import FolderSites, SiteDeployed, SiteEvent, SiteFailed, SiteRemoved


class Watched:
    """The folder `pages`, and what was told of it."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.pages = world.folder / "pages"
        self.events: asyncio.Queue[SiteEvent] = asyncio.Queue()
        self.sites = FolderSites(self.pages, world.service, on_event=self.events.put_nowait, first_retry_seconds=0)

    async def next(self) -> SiteEvent:
        async with asyncio.timeout(60):
            return await self.events.get()


@pytest.fixture
async def watched(world: World) -> AsyncIterator[Watched]:
    made = Watched(world)
    write(made.pages, {"blog/index.html": "1", "blog/docs/a.html": "a", "_shared/x.html": "x"})
    running = asyncio.create_task(made.sites.run())
    yield made
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running


async def test_a_folder_is_deployed_followed_and_taken_off(watched: Watched) -> None:
    first = await watched.next()
    assert isinstance(first, SiteDeployed)
    assert (first.site, first.release.files) == ("blog", 2)
    await watched.sites.settle()
    write(watched.pages, {"blog/new.html": "n"})
    second = await watched.next()
    assert isinstance(second, SiteDeployed)
    assert second.release.files == 3
    write(watched.pages, {"shop/index.html": "s"})
    third = await watched.next()
    assert isinstance(third, SiteDeployed)
    assert third.site == "shop"
    shutil.rmtree(watched.pages / "blog")
    gone = await watched.next()
    assert gone == SiteRemoved("blog")
    assert set(watched.world.sites.table.sites) == {"shop"}
    assert (watched.pages / "shop" / "index.html").read_text() == "s"


async def test_a_broken_site_is_told_once_and_the_last_one_stays(watched: Watched) -> None:
    await watched.next()
    write(watched.pages, {"blog/v8box.toml": "[site]\nnonsense = 1"})
    failed = await watched.next()
    assert isinstance(failed, SiteFailed)
    assert "nonsense is not known" in failed.message
    assert watched.world.sites.table.sites["blog"]
    write(watched.pages, {"blog/v8box.toml": "[site]\n"})
    assert isinstance(await watched.next(), SiteDeployed)


async def test_a_name_that_is_none(watched: Watched) -> None:
    await watched.next()
    write(watched.pages, {"admin/index.html": "a"})
    failed = await watched.next()
    assert isinstance(failed, SiteFailed)
    assert failed.site == "admin"


async def test_a_site_that_did_not_come_from_the_folder_is_left_alone(watched: Watched) -> None:
    await watched.next()
    await watched.world.deploy({"index.html": "x"}, site="shop")
    write(watched.pages, {"blog/x.html": "x"})
    await watched.next()
    assert "shop" in watched.world.sites.table.sites


async def test_a_rollback_is_not_undone_by_the_folder(watched: Watched) -> None:
    await watched.next()
    write(watched.pages, {"blog/index.html": "2"})
    await watched.next()
    await watched.world.service.roll_back("default", "blog", ADA)
    write(watched.pages, {"shop/index.html": "s"})
    other = await watched.next()
    assert isinstance(other, SiteDeployed)
    assert other.site == "shop"
    assert (await watched.world.sites.get("default", "blog")).live_number == 1


async def test_what_failed_for_want_of_a_registry_is_tried_again_and_told_once(watched: Watched) -> None:
    assert isinstance(await watched.next(), SiteDeployed)
    watched.world.bundler.fails_with = BadRequest("the registry cannot be reached")
    write(watched.pages, {"blog/functions/hello.ts": "export default 1"})
    failed = await watched.next()
    assert isinstance(failed, SiteFailed)
    assert "blog--hello: the registry cannot be reached" in failed.message
    write(watched.pages, {"shop/index.html": "s"})  # the same failure again says nothing
    shop = await watched.next()
    assert isinstance(shop, SiteDeployed)
    assert shop.site == "shop"
    watched.world.bundler.fails_with = None
    write(watched.pages, {"shop/index.html": "s 2"})
    again = await watched.next()
    assert isinstance(again, SiteDeployed)
    assert (again.site, again.release.report["functions"][0]["path"]) == ("blog", "/hello")
