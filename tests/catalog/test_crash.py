"""kill -9 in the middle of deploys, splits and rollbacks: what is there afterwards is whole."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from v8box.catalog import Catalog
from v8box.storage import Database, FolderBlobs
from v8box.telemetry import audit_chain

LOOP = """
import asyncio, itertools, sys
from pathlib import Path
from v8box.catalog import Build, Catalog, Manifest
from v8box.storage import Database, FolderBlobs
from v8box.telemetry.actors import BOX

def tell(catalog, worker):
    shares = " ".join(f"{share.placement.id}:{share.weight}" for share in catalog.routes.workers[worker].shares)
    print(catalog.routes.generation, worker, shares, flush=True)

async def main(folder):
    database = await Database.open(folder / "box.db")
    blobs = FolderBlobs(folder / "blobs")
    await blobs.open()
    catalog = await Catalog.open(database, blobs)
    start = catalog.routes.generation
    for i in itertools.count(start):
        text = b"export default %d;" % i + b" " * 50_000
        build = Build(bundle=text, source_map=b"{%d}" % i, sources={"a.ts": text + b"//"}, lock=b"%d" % i)
        worker = f"w{i % 3}"
        before = catalog.routes.live(worker)
        if i % 2 or before is None:
            await catalog.deploy(worker, build, Manifest(entry="a.ts"))
            tell(catalog, worker)
            continue
        version = await catalog.store(worker, build, Manifest(entry="a.ts"), actor=BOX)
        for weight in (10, 60):
            await catalog.set_shares(worker, [(before.id, 100 - weight), (version.id, weight)], actor=BOX)
            tell(catalog, worker)
        await catalog.roll_back(worker, actor=BOX)
        tell(catalog, worker)

asyncio.run(main(Path(sys.argv[1])))
"""


Deploy = tuple[int, str, str]  # generation, worker, shares


@pytest.mark.parametrize("deploys", [1, 5, 12])
async def test_a_killed_box_lost_nothing_that_was_live(tmp_path: Path, deploys: int) -> None:
    for _ in range(3):
        last = await asyncio.to_thread(_deploy_until_killed, tmp_path, deploys)
        await _check(tmp_path, last)


def _deploy_until_killed(folder: Path, deploys: int) -> Deploy:
    """The last deploy that the box had told of when it was killed, in the middle of the next."""
    told: list[str] = []
    with subprocess.Popen([sys.executable, "-c", LOOP, str(folder)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            told += [line] if line.endswith("\n") else []
            if len(told) == deploys:
                process.kill()
    assert process.returncode == -9
    generation, worker, shares = told[-1].strip().split(" ", 2)
    return int(generation), worker, shares


async def _check(folder: Path, last: Deploy) -> None:
    database = await Database.open(folder / "box.db")
    blobs = FolderBlobs(folder / "blobs")
    await blobs.open()
    catalog = await Catalog.open(database, blobs)
    try:
        generation, worker, told = last
        assert catalog.routes.generation in (generation, generation + 1)
        shares = [f"{share.placement.id}:{share.weight}" for share in catalog.routes.workers[worker].shares]
        if catalog.routes.generation == generation:
            assert " ".join(shares) == told
        for version in (share.partition(":")[0] for share in told.split()):
            assert (await catalog.versions.get("default", worker, version)).id == version
        for route in catalog.routes.workers.values():
            assert sum(share.weight for share in route.shares) == 100
            deployment = await catalog.deployment(route.worker)
            newest = (await catalog.history(route.worker, limit=1))[0]
            assert deployment is not None
            assert (newest.number, newest.shares) == (deployment.number, deployment.shares)
            assert deployment.shares == tuple((share.placement.id, share.weight) for share in route.shares)
        assert (await audit_chain.verify(database)).first_bad is None
        for live in (share.placement for route in catalog.routes.workers.values() for share in route.shares):
            assert (await catalog.bundle(live)).startswith(b"export default ")
            assert await catalog.source_map(live)
            assert await catalog.lock(live)
            assert await catalog.versions.source(live, "a.ts") == await catalog.bundle(live) + b"//"
    finally:
        await database.close()
