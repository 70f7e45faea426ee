"""Numbers, tags and pins of versions, how one is meant, and that nothing that is needed is ever removed."""

from __future__ import annotations

import asyncio
import os
import time

import pytest
from tests.catalog.conftest import ADA, MANIFEST, Kept, build

from v8box.catalog import Version, VersionInfo
from v8box.catalog.versions import VersionInUse
from v8box.errors import BadRequest, NotFound, PayloadTooLarge
from v8box.storage import BlobMissing
from v8box.telemetry import audit


async def get(kept: Kept, version_id: str) -> Version:
    return await kept.catalog.versions.get("default", "a", version_id)


async def ids(kept: Kept) -> list[str]:
    return [each.version.id for each in await kept.catalog.versions.list("default", "a")]


def make_old(kept: Kept) -> None:
    """As if every blob had been put long ago."""
    for path in (kept.folder / "blobs").glob("??/*"):
        os.utime(path, (time.time() - 100_000,) * 2)


async def test_numbers_count_and_the_same_content_is_the_same_version(kept: Kept) -> None:
    one, two = await kept.store("one", "two")
    assert await kept.store("one") == [one]
    infos = await kept.catalog.versions.list("default", "a")
    assert [(each.version.id, each.version.number, each.created_by) for each in infos] == [
        (two, 2, "ada"),
        (one, 1, "ada"),
    ]
    assert await kept.actions() == ["version.create"] * 2
    page = await kept.catalog.versions.list("default", "a", before=2, limit=1)
    assert [each.version.id for each in page] == [one]
    await kept.catalog.versions.remove(await get(kept, two), ADA)
    await kept.store("three")
    assert [each.version.number for each in await kept.catalog.versions.list("default", "a")] == [3, 1]


async def test_many_at_once_get_different_numbers(kept: Kept) -> None:
    await asyncio.gather(*(kept.store(str(index)) for index in range(20)))
    assert [each.version.number for each in await kept.catalog.versions.list("default", "a")] == list(range(20, 0, -1))


async def test_a_version_is_meant_by_number_tag_id_or_the_beginning_of_one(kept: Kept) -> None:
    one, two = await kept.store("one", "two")
    await kept.catalog.versions.describe(await get(kept, two), ADA, tags=["good", one[:6], one])
    versions = kept.catalog.versions
    for reference, wanted in (
        ("1", one),
        ("v1", one),
        ("good", two),
        (one, one),  # an id goes before a tag that looks like it
        (two[:4], two),
        (one[:6], two),  # a tag goes before the beginning of an id
        (one[:7], one),
    ):
        assert (await versions.find("default", "a", reference)).id == wanted
    for reference in ("", "v0", "3", one[:3], "nope", "v" * 500, "%", "____", "1 or 1=1", "\0", "\u0661"):
        with pytest.raises(NotFound):
            await versions.find("default", "a", reference)
    with pytest.raises(NotFound):
        await versions.find("other", "a", "1")


async def test_a_beginning_that_two_ids_have_is_refused_and_a_number_goes_before_it(kept: Kept) -> None:
    one, two = await kept.store("one", "two")

    async def rename(number: int, version_id: str) -> None:
        await kept.database.write(
            lambda sql: sql.execute("update versions set id = ? where number = ?", (version_id, number))
        )

    await rename(1, "12340000")
    await rename(2, "12345555")
    with pytest.raises(BadRequest, match="more than one"):
        await kept.catalog.versions.find("default", "a", "1234")
    await kept.database.write(lambda sql: sql.execute("update versions set number = 1234 where number = 2"))
    assert (await kept.catalog.versions.find("default", "a", "1234")).id == "12345555"
    assert one != two


async def test_a_tag_names_one_version_and_moves(kept: Kept) -> None:
    one, two = await kept.store("one", "two")
    await kept.catalog.versions.describe(await get(kept, one), ADA, tags=["b", "a", "a"], pinned=True, message=" hi ")
    info = await kept.catalog.versions.info("default", "a", one)
    assert (info.tags, info.pinned, info.message) == (("a", "b"), True, "hi")
    await kept.catalog.versions.describe(await get(kept, two), ADA, tags=["a"])
    assert (await kept.catalog.versions.info("default", "a", one)).tags == ("b",)
    assert (await kept.catalog.versions.info("default", "a", one)).pinned
    rows = await kept.database.read(lambda sql: sql.rows("select * from audit order by number desc limit 1"))
    assert audit.read(rows[0]).event.before["moved"] == {"a": one}


@pytest.mark.parametrize("tag", ["", "A", "v12", "12", "-a", "a b", "a/b", "a\n", "x" * 64])
async def test_a_tag_that_is_none_is_refused(kept: Kept, tag: str) -> None:
    (one,) = await kept.store("one")
    with pytest.raises(BadRequest):
        await kept.catalog.versions.describe(await get(kept, one), ADA, tags=["fine", tag])
    with pytest.raises(BadRequest):
        await kept.catalog.versions.describe(await get(kept, one), ADA, tags=[f"t{index}" for index in range(21)])
    assert (await kept.catalog.versions.info("default", "a", one)).tags == ()


async def test_two_who_describe_different_things_lose_neither(kept: Kept) -> None:
    (one,) = await kept.store("one")
    version = await get(kept, one)
    await asyncio.gather(
        kept.catalog.versions.describe(version, ADA, tags=["a"]),
        kept.catalog.versions.describe(version, ADA, pinned=True),
        kept.catalog.versions.describe(version, ADA, message="said"),
    )
    info = await kept.catalog.versions.info("default", "a", one)
    assert (info.tags, info.pinned, info.message) == (("a",), True, "said")

    def refuse(info: VersionInfo) -> None:
        assert info.message == "said"
        raise PayloadTooLarge("not now")

    with pytest.raises(PayloadTooLarge):
        await kept.catalog.versions.describe(version, ADA, message="x", check=refuse)
    with pytest.raises(PayloadTooLarge):
        await kept.catalog.versions.remove(version, ADA, check=refuse)
    assert (await kept.catalog.versions.info("default", "a", one)).message == "said"


@pytest.mark.parametrize("message", ["x" * 501, "a\0b", "a\x1b[2J"])
async def test_a_message_that_is_none_is_refused(kept: Kept, message: str) -> None:
    with pytest.raises(BadRequest):
        await kept.catalog.store("a", build("one"), MANIFEST, actor=ADA, message=message)
    assert await ids(kept) == []


async def test_a_version_that_is_needed_cannot_be_deleted(kept: Kept) -> None:
    one, two = await kept.deploy("one", "two")
    await kept.deploy("one", environment="staging")
    with pytest.raises(VersionInUse, match="v1 is live in staging"):
        await kept.catalog.versions.remove(await get(kept, one), ADA)
    await kept.catalog.set_shares("a", [(one, 1), (two, 99)], actor=ADA)
    await kept.catalog.remove("a", environment="staging", actor=ADA)
    with pytest.raises(VersionInUse, match="v1 is live in production"):
        await kept.catalog.versions.remove(await get(kept, one), ADA)
    await kept.catalog.set_shares("a", [(two, 100)], actor=ADA)
    version = await get(kept, one)
    for needed in ({"tags": ["keep"]}, {"tags": [], "pinned": True}):
        await kept.catalog.versions.describe(version, ADA, **needed)
        with pytest.raises(VersionInUse):
            await kept.catalog.versions.remove(version, ADA)
    await kept.catalog.versions.describe(version, ADA, pinned=False)
    await kept.catalog.versions.remove(version, ADA)
    for action in (kept.catalog.versions.remove(version, ADA), kept.catalog.versions.describe(version, ADA)):
        with pytest.raises(NotFound):
            await action


async def test_retention_never_removes_what_is_live_tagged_pinned_or_rolled_back_to(kept: Kept) -> None:
    staged = (await kept.deploy("staged", environment="staging"))[0]
    half = (await kept.store("half"))[0]
    tagged, pinned = await kept.store("tagged", "pinned")
    await kept.catalog.versions.describe(await get(kept, tagged), ADA, tags=["good"])
    await kept.catalog.versions.describe(await get(kept, pinned), ADA, pinned=True)
    before, live = await kept.deploy("before", "live")
    await kept.catalog.set_shares("a", [(half, 10), (live, 90)], environment="preview", actor=ADA)
    idle = await kept.store(*(f"idle {index}" for index in range(5)))
    assert await kept.catalog.versions.prune(2) == 3
    assert set(await ids(kept)) == {staged, half, tagged, pinned, before, live, *idle[3:]}
    assert await kept.catalog.versions.prune(2) == 0
    assert await kept.catalog.versions.prune(0) == 2
    assert set(await ids(kept)) == {staged, half, tagged, pinned, before, live}
    assert (await kept.catalog.roll_back("a", actor=ADA)).shares == ((before, 100),)
    rows = await kept.database.read(lambda sql: sql.rows("select * from audit where action = 'version.prune'"))
    events = [audit.read(row).event for row in rows]
    assert [(each.actor.id, len(each.before["versions"])) for each in events] == [("retention", 3), ("retention", 2)]


async def test_retention_keeps_the_newest_whatever_their_numbers(kept: Kept) -> None:
    stored = await kept.store(*map(str, range(6)))
    for version_id in stored[3:5]:
        await kept.catalog.versions.remove(await get(kept, version_id), ADA)
    assert await kept.catalog.versions.prune(3) == 1
    assert await ids(kept) == [stored[5], stored[2], stored[1]]


async def test_retention_by_hand_is_for_one_worker_or_one_project(kept: Kept) -> None:
    await kept.store("1", "2", "3")
    await kept.store("1", "2", "3", worker="b")
    await kept.catalog.store("a", build("1"), MANIFEST, project="acme", actor=ADA)
    await kept.catalog.store("a", build("2"), MANIFEST, project="acme", actor=ADA)
    assert await kept.catalog.versions.prune(1, project="default", worker="a", actor=ADA) == 2
    assert await kept.catalog.versions.prune(1, project="acme", actor=ADA) == 1
    assert len(await kept.catalog.versions.list("default", "b")) == 3


async def test_a_sweep_leaves_the_bytes_of_every_version(kept: Kept) -> None:
    one, two, three = await kept.store("one", "two", "three")
    gone = await get(kept, two)
    await kept.catalog.versions.remove(gone, ADA)
    assert await kept.catalog.versions.sweep() == 0  # they were put just now
    make_old(kept)
    assert await kept.catalog.versions.sweep() == 1  # its bundle and its main file are the same bytes
    with pytest.raises(BlobMissing):
        await kept.catalog.bundle(gone)
    for version_id in (one, three):
        version = await get(kept, version_id)
        assert await kept.catalog.bundle(version)
        assert await kept.catalog.lock(version) == b"lock"
        assert await kept.catalog.versions.source(version, "shared.ts") == b"shared"
        assert (await kept.catalog.versions.sizes(version))["shared.ts"] == 6


async def test_a_deploy_during_a_sweep_keeps_its_bytes(kept: Kept) -> None:
    (one,) = await kept.store("one")
    await kept.catalog.versions.remove(await get(kept, one), ADA)
    make_old(kept)
    listed = [key async for key in kept.blobs.keys(older_than_seconds=3_600)]
    (again,) = await kept.deploy("one")
    for key in listed:  # as a sweep that had listed them before
        assert not await kept.blobs.delete(key, older_than_seconds=3_600)
    version = await get(kept, again)
    assert await kept.catalog.bundle(version) == b"one"


async def test_deploys_and_sweeps_at_once_lose_nothing(kept: Kept) -> None:
    for _ in range(5):
        (one,) = await kept.store("one")
        await kept.catalog.versions.remove(await get(kept, one), ADA)
        make_old(kept)
        await asyncio.gather(kept.store("one"), kept.catalog.versions.sweep(), kept.catalog.versions.sweep())
        assert await kept.catalog.bundle(await get(kept, one)) == b"one"
