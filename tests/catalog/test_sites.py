"""Sites, releases, previews and domains: what changes them, and what answers where after it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from v8box.catalog.sites import BadSiteName, ReleaseInfo, ReleaseInUse, Sites, SiteTaken, check_site_name
from v8box.catalog.sites.names import RESERVED_NAMES, DomainTaken, SiteChanged
from v8box.errors import BadRequest, NotFound
from v8box.storage import Database
from v8box.telemetry import audit_chain
from v8box.telemetry.actors import Actor, ActorKind

ADA = Actor(kind=ActorKind.USER, id="u1", name="ada", address="10.0.0.1", request_id="r1")


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = await Database.open(tmp_path / "catalog.db")
    yield opened
    await opened.close()


@pytest.fixture
async def sites(database: Database) -> Sites:
    made = await Sites.open(database)
    await made.create("default", "blog", ADA)
    return made


async def release(sites: Sites, key: str = "a", *, live: bool = True, site: str = "blog") -> ReleaseInfo:
    return await sites.add_release(
        "default", site, key=key * 64, files=2, size=10, report={"warnings": []}, actor=ADA, message="why", live=live
    )


@pytest.mark.parametrize("name", ["", "a b", "-a", "a-", "a--b", "A", "a.b", "a_b", "x" * 41, "xn-a", "\u00e9"])
def test_names_that_are_none(name: str) -> None:
    with pytest.raises(BadSiteName, match=r"no name that the box needs itself \(admin"):  # all of what it says
        check_site_name(name)


def test_names_that_the_box_needs() -> None:
    for name in RESERVED_NAMES:
        with pytest.raises(BadSiteName, match="needs itself"):
            check_site_name(name)


@given(st.text(max_size=45))
def test_a_name_is_a_label_that_no_preview_can_be_taken_for(name: str) -> None:
    try:
        check_site_name(name)
    except BadSiteName:
        return
    assert name.isascii()
    assert "--" not in name
    assert len(f"{'x' * 20}--{name}") <= 63


async def test_a_release_goes_live_and_back(sites: Sites, database: Database) -> None:
    assert sites.table.sites == {}
    first = await release(sites, "a")
    second = await release(sites, "b")
    assert (first.number, second.number) == (1, 2)
    assert sites.table.sites["blog"].key == "b" * 64
    assert (await sites.get("default", "blog")).live_number == 2
    assert await sites.before_live("default", "blog") == 1
    site = await sites.go_live("default", "blog", 1, ADA)
    assert (site.live_number, site.number) == (1, 3)
    assert sites.table.sites["blog"].key == "a" * 64
    changes = [(entry["change"], entry["release"]) for entry in await sites.history("default", "blog")]
    assert changes == [("rolled_back", 1), ("deployed", 2), ("deployed", 1)]
    with pytest.raises(NotFound):
        await sites.before_live("default", "blog")
    assert (await audit_chain.verify(database)).first_bad is None


async def test_every_release_has_an_address(sites: Sites) -> None:
    made = await release(sites, "a", live=False)
    assert sites.table.sites == {}
    assert sites.table.previews[f"{made.id}--blog"].key == "a" * 64
    assert len(made.id) == 10


async def test_a_change_of_what_somebody_else_changed(sites: Sites) -> None:
    await release(sites, "a")
    await release(sites, "b")
    with pytest.raises(SiteChanged):
        await sites.go_live("default", "blog", 1, ADA, expected=1)
    assert (await sites.go_live("default", "blog", 1, ADA, expected=2)).live_number == 1


async def test_one_name_in_the_whole_box(sites: Sites) -> None:
    with pytest.raises(SiteTaken):
        await sites.create("other", "blog", ADA)
    with pytest.raises(NotFound):
        await sites.get("other", "blog")
    with pytest.raises(NotFound):
        await sites.delete("other", "blog", ADA)
    await sites.delete("default", "blog", ADA)
    assert sites.table.previews == {}
    await sites.create("other", "blog", ADA)
    assert (await sites.add_release("other", "blog", key="c" * 64, files=1, size=1, report={}, actor=ADA)).number == 1


async def test_numbers_are_never_given_twice(sites: Sites) -> None:
    await release(sites, "a")
    second = await release(sites, "b", live=False)
    await sites.delete_release("default", "blog", second.number, ADA)
    assert (await release(sites, "c")).number == 3


async def test_what_is_in_use_stays(sites: Sites) -> None:
    live = await release(sites, "a")
    pinned = await release(sites, "b", live=False)
    shown = await release(sites, "c", live=False)
    await sites.describe_release("default", "blog", pinned.number, ADA, pinned=True)
    await sites.set_preview("default", "blog", "draft", shown.number, ADA)
    for each in (live, pinned, shown):
        with pytest.raises(ReleaseInUse):
            await sites.delete_release("default", "blog", each.number, ADA)
    for _ in range(5):
        await release(sites, "d", live=False)
    assert await sites.prune(1) == 4
    kept = [info.number for info in await sites.releases("default", "blog")]
    assert kept == [8, shown.number, pinned.number, live.number]


async def test_previews(sites: Sites) -> None:
    first, second = await release(sites, "a"), await release(sites, "b")
    soon = datetime.now(UTC) + timedelta(hours=1)
    await sites.set_preview("default", "blog", "draft", first.number, ADA, password_hash="hash", expires_at=soon)
    route = sites.table.previews["draft--blog"]
    assert (route.key, route.password_hash, route.expires_at) == ("a" * 64, "hash", soon.timestamp())
    assert "hash" not in repr(route)
    await sites.set_preview("default", "blog", "draft", second.number, ADA)
    route = sites.table.previews["draft--blog"]
    assert (route.key, route.password_hash, route.expires_at) == ("b" * 64, "hash", soon.timestamp())
    await sites.set_preview("default", "blog", "draft", first.number, ADA, password_hash=None, expires_at=None)
    route = sites.table.previews["draft--blog"]
    assert (route.key, route.password_hash, route.expires_at) == ("a" * 64, None, None)
    over = datetime.now(UTC) - timedelta(hours=1)
    await sites.set_preview("default", "blog", "draft", first.number, ADA, password_hash="hash", expires_at=over)
    await sites.set_preview("default", "blog", "draft", second.number, ADA)
    route = sites.table.previews["draft--blog"]
    assert (route.password_hash, route.expires_at) == ("hash", None)  # it answers again, and asks as before
    await sites.delete_preview("default", "blog", "draft", ADA)
    assert "draft--blog" not in sites.table.previews
    with pytest.raises(NotFound):
        await sites.delete_preview("default", "blog", "draft", ADA)
    for label in ("a--b", "0123456789", "", "A", "-a"):
        with pytest.raises(BadRequest):
            await sites.set_preview("default", "blog", label, 1, ADA)
    with pytest.raises(NotFound):
        await sites.set_preview("default", "blog", "draft", 99, ADA)
    await sites.create("default", long := "x" * 40, ADA)
    made = await release(sites, "c", site=long)
    await sites.set_preview("default", long, "y" * 21, made.number, ADA)
    with pytest.raises(BadRequest, match="64 characters"):  # no host could be called so
        await sites.set_preview("default", long, "y" * 22, made.number, ADA)


async def test_expired_previews_go(sites: Sites) -> None:
    made = await release(sites, "a")
    await sites.set_preview(
        "default", "blog", "old", made.number, ADA, expires_at=datetime.now(UTC) - timedelta(days=1)
    )
    assert await sites.prune(10) == 1
    assert "old--blog" not in sites.table.previews


async def test_a_domain_answers_once_it_is_verified(sites: Sites) -> None:
    await release(sites, "a")
    added = await sites.add_domain("default", "blog", "WWW.Example.com.", ADA)
    assert (added.host, added.verified_at) == ("www.example.com", None)
    assert sites.table.domains == {}
    await sites.verify_domain("default", "blog", added.host, ADA)
    assert sites.table.domains["www.example.com"].key == "a" * 64
    await release(sites, "b")
    assert sites.table.domains["www.example.com"].key == "b" * 64
    with pytest.raises(DomainTaken):
        await sites.add_domain("default", "blog", "www.example.com", ADA)
    for host in ("localhost", "a b.com", "127.0.0.1", "-a.com", "a..com", "\u00e9.com", "x" * 260 + ".com", "a.com/x"):
        with pytest.raises(BadRequest):
            await sites.add_domain("default", "blog", host, ADA)
    await sites.delete_domain("default", "blog", "www.example.com", ADA)
    assert sites.table.domains == {}


async def test_a_release_is_made_better_in_place(sites: Sites) -> None:
    made = await release(sites, "a")
    assert await sites.improve_release("default", "blog", 1, before="a" * 64, key="f" * 64, report={"saved": 5})
    assert sites.table.sites["blog"].key == "f" * 64
    assert sites.table.previews[f"{made.id}--blog"].key == "f" * 64
    info = await sites.release("default", "blog", 1)
    assert (info.key, info.report, info.id) == ("f" * 64, {"saved": 5}, made.id)
    assert not await sites.improve_release("default", "blog", 1, before="a" * 64, key="e" * 64, report={})
    assert (await sites.get("default", "blog")).number == 1


async def test_everything_survives_a_restart(sites: Sites, database: Database) -> None:
    await release(sites, "a")
    await sites.set_settings("default", "blog", {"keep": 5}, ADA)
    again = await Sites.open(database)
    assert again.table == sites.table
    assert (await again.get("default", "blog")).settings == {"keep": 5}


async def test_deploys_at_once(sites: Sites) -> None:
    seen: list[str] = []
    sites.subscribe(lambda table: seen.append(table.sites["blog"].key))
    made = await asyncio.gather(*(release(sites, letter) for letter in "abcdef"))
    assert sorted(info.number for info in made) == [1, 2, 3, 4, 5, 6]
    assert seen[-1] == max(made, key=lambda info: info.number).key
