"""kill -9 in the middle of deploys: what is there afterwards is whole."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from v8box.catalog import Catalog
from v8box.storage import Database, FolderBlobs

LOOP = """
import asyncio, itertools, sys
from pathlib import Path
from v8box.catalog import Build, Catalog, Manifest
from v8box.storage import Database, FolderBlobs

async def main(folder):
    database = await Database.open(folder / "box.db")
    blobs = FolderBlobs(folder / "blobs")
    await blobs.open()
    catalog = await Catalog.open(database, blobs)
    start = catalog.routes.generation
    for i in itertools.count(start):
        text = b"export default %d;" % i + b" " * 50_000
        build = Build(bundle=text, source_map=b"{%d}" % i, sources={"a.ts": text + b"//"}, lock=b"%d" % i)
        version = await catalog.deploy(f"w{i % 3}", build, Manifest(entry="a.ts"))
        print(catalog.routes.generation, version.worker, version.id, flush=True)

asyncio.run(main(Path(sys.argv[1])))
"""


Deploy = tuple[int, str, str]  # generation, worker, version


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
    generation, worker, version = told[-1].split()
    return int(generation), worker, version


async def _check(folder: Path, last: Deploy) -> None:
    database = await Database.open(folder / "box.db")
    blobs = FolderBlobs(folder / "blobs")
    await blobs.open()
    catalog = await Catalog.open(database, blobs)
    try:
        generation, worker, version = last
        assert catalog.routes.generation in (generation, generation + 1)
        if catalog.routes.generation == generation:
            assert catalog.routes.workers[worker].newest.id == version
        assert (await catalog.versions.get("default", worker, version)).id == version
        for live in catalog.routes.of().values():
            assert (await catalog.bundle(live)).startswith(b"export default ")
            assert await catalog.source_map(live)
            assert await catalog.lock(live)
            assert await catalog.versions.source(live, "a.ts") == await catalog.bundle(live) + b"//"
    finally:
        await database.close()
