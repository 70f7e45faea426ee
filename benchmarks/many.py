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
    names. All of a kind at once: a flush of the disk for each would take minutes."""
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
        for text in ("one", "two"):
            await catalog.deploy_all(dict.fromkeys(names, _build(text)), actor=BOX)
        await catalog.deploy_all(dict.fromkeys(names[::3], _build("two")), environment="staging", actor=BOX)
        for each in (TAGS, WORDS):
            for at, tag in enumerate(each):
                await catalog.listing.change_tags("default", names[at :: len(each)], add={tag}, remove=(), actor=BOX)
        return names
    finally:
        await database.close()


def _build(text: str) -> tuple[Build, Manifest]:
    code = f'export default {{ fetch: () => new Response("{text}") }};\n'.encode()
    return Build(bundle=code, sources={"main.ts": code}), Manifest(entry="main.ts")


if __name__ == "__main__":
    made = fill(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1_000)
    print(f"{len(made)} workers")
