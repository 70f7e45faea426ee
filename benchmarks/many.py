"""A box folder with as many workers as are wanted, written into its catalog without building each of them.

`python -m benchmarks.many FOLDER [COUNT]`, while no box serves the folder.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from v8box.catalog import Build, Catalog, Manifest
from v8box.storage import Database, FolderBlobs
from v8box.telemetry.actors import BOX

WORDS = ("shop", "mail", "cart", "search", "login", "image", "report", "hook", "feed", "price")
TAGS = ("eu", "us", "internal", "public")


def fill(folder: Path, count: int = 1_000) -> list[str]:
    """Deploys them to production, every third one to staging, too, with two versions and a tag or two each. Gives their
    names."""
    return asyncio.run(_fill(folder, count))


async def _fill(folder: Path, count: int) -> list[str]:
    data = folder / "data"
    data.mkdir(parents=True, exist_ok=True)
    (folder / "functions").mkdir(exist_ok=True)  # no examples
    database = await Database.open(data / "catalog.db")
    blobs = FolderBlobs(data / "blobs")
    await blobs.open()
    try:
        catalog = await Catalog.open(database, blobs)
        names = [f"{WORDS[number % len(WORDS)]}-{number:04}" for number in range(count)]
        for number, name in enumerate(names):
            for version in (1, 2):
                text = f'export default {{ fetch: () => new Response("{name} v{version}") }};\n'
                build = Build(bundle=text.encode(), sources={"main.ts": text.encode()})
                await catalog.deploy(name, build, Manifest(entry="main.ts"), actor=BOX)
            if number % 3 == 0:
                await catalog.promote(name, source="production", target="staging", actor=BOX)
            await catalog.listing.set_tags("default", name, {TAGS[number % 4], WORDS[number % len(WORDS)]}, BOX)
        return names
    finally:
        await database.close()


if __name__ == "__main__":
    made = fill(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1_000)
    print(f"{len(made)} workers")
