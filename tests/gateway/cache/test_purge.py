"""Purging: by tag, path, prefix, owner, project, deploy; what is on its way; bounds on what is remembered."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from tests.fakes.clock import settle
from tests.fakes.versions import a_version, route_of, routes_of
from tests.gateway.cache.conftest import Kept, MakeKept, said

from v8box.catalog.model import Placement, RouteTable, place
from v8box.catalog.policies import CacheRules
from v8box.catalog.sites import SiteRoute, SiteTable
from v8box.gateway.cache.entries import MAX_TAG_CHARACTERS, MAX_TAGS, Belongs, Owner, read_tags
from v8box.gateway.cache.groups import Groups, group_of
from v8box.gateway.cache.purges import MAX_PREFIXES, MAX_REMEMBERED, Purges

HELLO = Owner("default", "worker", "hello")
OTHER = Owner("default", "worker", "other")
FRESH = "max-age=60"


async def filled(kept: Kept) -> None:
    kept.says(b"one", cache_control=FRESH, cache_tag="all, a")
    await kept.get("/a/1")
    kept.says(b"one", cache_control=FRESH, cache_tag="all , b")
    await kept.get("/b/1")
    await kept.get("/b/2", query="x=1")
    kept.says(b"two", cache_control=FRESH)


async def gone(kept: Kept) -> set[str]:
    paths = {"/a/1": "", "/b/1": "", "/b/2": "x=1"}
    return {path for path, query in paths.items() if (await kept.get(path, query=query)).body == b"two"}


@pytest.mark.parametrize(
    ("purge", "expected"),
    [
        (lambda purges: purges.tag("default", None, "a"), {"/a/1"}),
        (lambda purges: purges.tag("default", HELLO, "b"), {"/b/1", "/b/2"}),
        (lambda purges: purges.tag("default", OTHER, "b"), set()),
        (lambda purges: purges.tag("acme", None, "a"), set()),
        (lambda purges: purges.tag("default", None, "none"), set()),
        (lambda purges: purges.path("default", None, "/b/2"), {"/b/2"}),
        (lambda purges: purges.path("default", OTHER, "/b/2"), set()),
        (lambda purges: purges.path("default", None, "/b"), set()),
        (lambda purges: purges.prefix("default", None, "/b/"), {"/b/1", "/b/2"}),
        (lambda purges: purges.prefix("default", OTHER, "/"), set()),
        (lambda purges: purges.owner(HELLO), {"/a/1", "/b/1", "/b/2"}),
        (lambda purges: purges.owner(OTHER), set()),
        (lambda purges: purges.everything("default"), {"/a/1", "/b/1", "/b/2"}),
        (lambda purges: purges.everything("acme"), set()),
    ],
)
async def test_what_is_purged(kept: Kept, purge: object, expected: set[str]) -> None:
    await filled(kept)
    purge(kept.world.cache.purges)  # type: ignore[operator]
    assert await gone(kept) == expected
    assert await gone(kept) == expected, "it is kept again"


async def test_tags_are_not_the_clients(kept: Kept) -> None:
    kept.says(cache_control=FRESH, cache_tag="a")
    for _ in range(2):
        assert "cache-tag" not in (await kept.get()).headers
    kept.says(cache_control="no-store", cache_tag="a")
    assert "cache-tag" not in (await kept.get("/other")).headers


def test_tags_within_their_bounds() -> None:
    assert read_tags([b"a, b ,,a", b"c"]) == ("a", "b", "c")
    assert read_tags([b"x" * (MAX_TAG_CHARACTERS + 1) + b",y"]) == ("y",)
    assert len(read_tags([",".join(str(number) for number in range(MAX_TAGS + 5)).encode()])) == MAX_TAGS


async def test_tags_of_a_304_count(kept: Kept) -> None:
    kept.says(b"one", cache_control=FRESH, etag='"a"', cache_tag="old")
    await kept.get()
    await kept.clock.advance(61)
    kept.says(b"one", cache_control=FRESH, etag='"a"', cache_tag="new")
    await kept.get()
    kept.world.cache.purges.tag("default", None, "old")
    assert said(await kept.get()).startswith("v8box; hit")
    kept.world.cache.purges.tag("default", None, "new")
    assert said(await kept.get()) == "v8box; fwd=miss; stored"


# ---- what is on its way


@pytest.mark.parametrize("by", ["path", "tag"])
async def test_what_was_asked_for_before_a_purge_is_not_kept_after_it(kept: Kept, by: str) -> None:
    kept.says(b"before", cache_control=FRESH, cache_tag="t")
    kept.gate = asyncio.Event()
    first = kept.start()
    await settle()
    purges = kept.world.cache.purges
    if by == "path":
        purges.path("default", None, "/")
    else:
        purges.tag("default", None, "t")
    second = kept.start()
    await settle()
    if by == "path":
        assert kept.runs == 2, "who comes after the purge does not wait for what began before it"
    kept.gate.set()
    await settle()
    assert first.body == b"before"
    assert second.served.done()
    assert kept.runs == 2
    kept.says(b"after", cache_control=FRESH)
    assert (await kept.get()).body == b"before", "of the second run, which began after the purge"
    purges.everything("default")
    assert (await kept.get()).body == b"after"


async def test_a_change_through_the_address_spoils_what_is_on_its_way(kept: Kept) -> None:
    kept.says(b"before", cache_control=FRESH)
    kept.gate = asyncio.Event()
    reading = kept.start()
    await settle()
    gate, kept.gate = kept.gate, None
    await kept.get(method="POST")
    kept.says(b"after", cache_control=FRESH)
    gate.set()
    await settle()
    assert reading.served.done()
    assert said(await kept.get()) == "v8box; fwd=miss; stored"


# ---- deploys


def changed(version: Placement, number: int = 2, *, keep_on_deploy: bool = False) -> Placement:
    manifest = replace(version.manifest, cache=CacheRules(enabled=True, keep_on_deploy=keep_on_deploy))
    return replace(version, id=f"hello-{number}", number=number, manifest=manifest, key=f"hello-{number}.production.0")


def live(kept: Kept, *versions: Placement, weights: tuple[int, ...] = (100,)) -> None:
    table = RouteTable({"hello": route_of(*versions, weights=weights)})
    kept.world.routes = lambda: table
    kept.world.cache.groups.follow_routes(table)


async def test_a_deploy_and_a_rollback_purge(kept: Kept) -> None:
    old = kept.world.version
    new = changed(old)
    live(kept, old)
    kept.says(b"old", cache_control=FRESH)
    await kept.get()
    live(kept, new)
    kept.says(b"new", cache_control=FRESH)
    assert (await kept.get()).body == b"new"
    live(kept, old)
    kept.says(b"old again", cache_control=FRESH)
    assert (await kept.get()).body == b"old again"
    live(kept, old)
    assert said(await kept.get()).startswith("v8box; hit"), "nothing has changed"
    live(kept, place(old, "production", 5))
    assert said(await kept.get()) == "v8box; fwd=miss; stored", "a variable has changed"


async def test_versions_of_a_split_do_not_share_answers(kept: Kept) -> None:
    old = kept.world.version
    live(kept, old, changed(old), weights=(50, 50))
    for number in (1, 2):
        kept.says(f"v{number}".encode(), cache_control=FRESH)
        await kept.get(headers={"v8box_version": f"hello=v{number}"})
    for number in (1, 2):
        hit = await kept.get(headers={"v8box_version": f"hello=v{number}"})
        assert (hit.body, said(hit)) == (f"v{number}".encode(), "v8box; hit; ttl=60")
    live(kept, old, changed(old), weights=(10, 90))
    assert said(await kept.get(headers={"v8box_version": "hello=v1"})) == "v8box; hit; ttl=60"


async def test_what_outlives_a_deploy(make_kept: MakeKept) -> None:
    kept = make_kept("keep_on_deploy = true")
    old = kept.world.version
    live(kept, old)
    kept.says(b"old", cache_control=FRESH)
    await kept.get()
    new = changed(old, keep_on_deploy=True)
    live(kept, new)
    kept.says(b"new", cache_control=FRESH)
    assert (await kept.get()).body == b"old"
    live(kept, old, new, weights=(50, 50))
    assert (await kept.get(headers={"v8box_version": "hello=v2"})).body == b"new", "not in a split"


def test_what_changes_purges_its_own_group() -> None:
    purges = Purges()
    groups = Groups(purges)
    one, two = (a_version(name) for name in ("one", "two"))
    one, two = (replace(each, manifest=replace(each.manifest, cache=CacheRules(enabled=True))) for each in (one, two))
    groups.follow_routes(routes_of(one, two))
    groups.follow_routes(routes_of(replace(one, key="x"), two))
    what = {
        each.worker: Belongs(Owner("default", "worker", each.worker), f"worker {each.worker}", "/", ())
        for each in (one, two)
    }
    assert purges.concerns(what["one"], 1)
    assert not purges.concerns(what["two"], 1)
    groups.follow_routes(routes_of(one))
    assert purges.concerns(what["two"], 2)


def test_a_release_purges_its_site() -> None:
    purges = Purges()
    groups = Groups(purges)
    live = SiteRoute(site="blog", project="default", key="1")
    preview = replace(live, label="next")
    groups.follow_sites(SiteTable({"blog": live}, {"next--blog": preview}))
    groups.follow_sites(SiteTable({"blog": replace(live, key="2")}, {"next--blog": preview}))
    owner = Owner("default", "site", "blog")
    assert purges.concerns(Belongs(owner, group_of(live), "/", ()), 1)
    assert not purges.concerns(Belongs(owner, group_of(preview), "/", ()), 1)


# ---- bounds


@pytest.mark.parametrize(
    ("most", "purge"),
    [
        (MAX_REMEMBERED, lambda purges, number: purges.tag("default", None, str(number))),
        (MAX_REMEMBERED, lambda purges, number: purges.path("default", None, f"/{number}")),
        (MAX_PREFIXES, lambda purges, number: purges.prefix("default", None, f"/{number}")),
    ],
)
def test_more_than_is_remembered_is_a_purge_of_all(most: int, purge: object) -> None:
    purges = Purges()
    other = Belongs(HELLO, "g", "/x", ("x",))
    for number in range(most):
        purge(purges, number)  # type: ignore[operator]
    assert not purges.concerns(other, 1)
    purge(purges, most)  # type: ignore[operator]
    assert purges.concerns(other, 1)
    assert not purges.concerns(other, purges.moment)
    assert not purges.concerns(Belongs(Owner("acme", "worker", "hello"), "g", "/x", ()), 1)
