from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from v8box.catalog import BadWorkerName, Build, Catalog, Change, EnvBinding, Limits, Manifest, Permissions, RouteTable
from v8box.errors import NotFound
from v8box.storage import BlobMissing, Database, FolderBlobs

MANIFEST = Manifest(
    entry="functions/a.ts",
    permissions=Permissions(net=("a.com",), databases=("crm",)),
    env={"B": "2", "A": "1"},
    bindings={"KV": EnvBinding(kind="kv", name="k")},
)
BUILD = Build(
    bundle=b"export default 1",
    source_map=b"{}",
    sources={"functions/a.ts": b"export default 1;", "lib/b.ts": b"b"},
    lock=b"lock",
    fingerprint={"functions/a.ts": "hash", "deno": "2"},
)


@contextlib.asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[Catalog]:
    database = await Database.open(folder / "box.db")
    blobs = FolderBlobs(folder / "blobs")
    await blobs.open()
    try:
        yield await Catalog.open(database, blobs)
    finally:
        await database.close()


@pytest.fixture
async def catalog(tmp_path: Path) -> AsyncIterator[Catalog]:
    async with opened(tmp_path) as made:
        yield made


def live_ids(catalog: Catalog) -> dict[str, str]:
    return {name: placement.id for name, placement in catalog.routes.of().items()}


def changed(**changes: bytes) -> Build:
    return dataclasses.replace(BUILD, **changes)  # type: ignore[arg-type]


async def test_a_deploy_goes_live_with_all_it_came_from(catalog: Catalog) -> None:
    version = await catalog.deploy("a", BUILD, MANIFEST)
    assert live_ids(catalog) == {"a": version.id}
    assert catalog.routes.generation == 1
    assert await catalog.bundle(version) == BUILD.bundle
    assert await catalog.source_map(version) == b"{}"
    assert await catalog.lock(version) == b"lock"
    assert await catalog.versions.source(version, "lib/b.ts") == b"b"
    assert catalog.fingerprint("a") == BUILD.fingerprint
    with pytest.raises(NotFound):
        await catalog.versions.source(version, "../box.db")


async def test_the_id_is_the_content(catalog: Catalog) -> None:
    first = await catalog.deploy("a", BUILD, MANIFEST)
    reordered = dataclasses.replace(MANIFEST, env={"A": "1", "B": "2"})
    again = await catalog.deploy("a", dataclasses.replace(BUILD, fingerprint={"deno": "3"}), reordered)
    assert again == first
    assert catalog.routes.generation == 1
    assert catalog.fingerprint("a") == {"deno": "3"}
    others = [
        await catalog.deploy("a", changed(bundle=b"2"), MANIFEST),
        await catalog.deploy("a", changed(source_map=b"2"), MANIFEST),
        await catalog.deploy("a", changed(lock=b"2"), MANIFEST),
        await catalog.deploy("a", dataclasses.replace(BUILD, sources={}), MANIFEST),
        await catalog.deploy("a", BUILD, dataclasses.replace(MANIFEST, limits=Limits(wall_ms=5))),
        await catalog.deploy("b", BUILD, MANIFEST),
    ]
    assert len({first.id, *(version.id for version in others)}) == 7
    assert catalog.routes.generation == 7


async def test_a_snapshot_never_changes(catalog: Catalog) -> None:
    before = catalog.routes
    await catalog.deploy("a", BUILD, MANIFEST)
    assert before == RouteTable({}, 0)
    with pytest.raises(TypeError):
        catalog.routes.workers["x"] = catalog.routes.workers["a"]  # type: ignore[index]


async def test_what_is_live_survives_a_restart(tmp_path: Path) -> None:
    async with opened(tmp_path) as catalog:
        await catalog.deploy("gone", BUILD, MANIFEST)
        await catalog.deploy("a", BUILD, MANIFEST)
        await catalog.deploy("a", changed(bundle=b"2"), MANIFEST)
        assert await catalog.remove("gone")
        before = catalog.routes
    async with opened(tmp_path) as catalog:
        assert catalog.routes == before
        assert catalog.fingerprint("a") == BUILD.fingerprint
        assert await catalog.bundle(catalog.routes.workers["a"].newest) == b"2"


async def test_history_and_old_versions_stay(catalog: Catalog) -> None:
    first = await catalog.deploy("a", BUILD, MANIFEST)
    second = await catalog.deploy("a", changed(bundle=b"2"), MANIFEST)
    back = await catalog.deploy("a", BUILD, MANIFEST)
    assert await catalog.remove("a")
    assert not await catalog.remove("a")
    assert back == first
    entries = await catalog.history("a")
    told = [(entry.change, entry.version) for entry in entries]
    deployed = [(Change.DEPLOYED, each.id) for each in (first, second, first)]
    assert told == [(Change.REMOVED, first.id), *reversed(deployed)]
    assert [entry.at for entry in entries] == sorted((entry.at for entry in entries), reverse=True)
    assert await catalog.history("a", limit=1) == entries[:1]
    assert await catalog.history("b") == []
    assert await catalog.versions.get("default", "a", second.id) == second
    with pytest.raises(NotFound):
        await catalog.versions.get("default", "b", second.id)


async def test_subscribers_see_each_snapshot_and_one_that_fails_hurts_nobody(
    catalog: Catalog, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[tuple[int, list[str]]] = []

    def failing(_: RouteTable) -> None:
        raise RuntimeError("mine")

    catalog.subscribe(failing)
    stop = catalog.subscribe(lambda table: seen.append((table.generation, sorted(table.workers))))
    await catalog.deploy("a", BUILD, MANIFEST)
    await catalog.deploy("a", BUILD, MANIFEST)
    await catalog.deploy("b", BUILD, MANIFEST)
    await catalog.remove("a")
    stop()
    await catalog.remove("b")
    assert seen == [(1, ["a"]), (2, ["a", "b"]), (3, ["b"])]
    assert "a subscriber of the catalog failed" in caplog.text


async def test_deploys_at_once_lose_nothing(catalog: Catalog) -> None:
    await asyncio.gather(*(catalog.deploy(f"w{i % 10}", changed(bundle=b"%d" % i), MANIFEST) for i in range(40)))
    assert len(catalog.routes.workers) == 10
    assert catalog.routes.generation == 40
    live = catalog.routes
    await catalog.reload()
    assert catalog.routes == live


async def test_a_cancelled_deploy_is_whole_or_absent(catalog: Catalog) -> None:
    for ticks in range(12):
        task = asyncio.create_task(catalog.deploy("a", changed(bundle=b"%d" % ticks), MANIFEST))
        for _ in range(ticks * 3):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    await catalog.deploy("z", BUILD, MANIFEST)  # waits for what is still being committed
    live = catalog.routes
    await catalog.reload()
    assert catalog.routes == live


async def test_a_worker_whose_bundle_is_lost_can_be_deployed_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with opened(tmp_path) as catalog:
        version = await catalog.deploy("a", BUILD, MANIFEST)
    (tmp_path / "blobs" / version.bundle_hash[:2] / version.bundle_hash[2:]).unlink()
    async with opened(tmp_path) as catalog:
        assert catalog.routes.workers == {}
        assert catalog.fingerprint("a") == {}
        assert "is lost" in caplog.text
        with pytest.raises(BlobMissing):
            await catalog.bundle(version)
        assert await catalog.deploy("a", BUILD, MANIFEST) == version
        assert live_ids(catalog) == {"a": version.id}
        assert catalog.routes.generation == 2
        assert await catalog.bundle(version) == BUILD.bundle


@pytest.mark.parametrize("name", ["", "A", "../a", "a/b", "a" * 64])
async def test_a_bad_name_is_refused(catalog: Catalog, name: str) -> None:
    with pytest.raises(BadWorkerName):
        await catalog.deploy(name, BUILD, MANIFEST)
    assert not await catalog.remove(name)
