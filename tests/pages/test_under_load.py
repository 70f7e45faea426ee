"""Deploying while visitors read: every answer is of one release, whole, and none is refused."""

from __future__ import annotations

import asyncio
import re

from tests.pages.conftest import World
from tests.pages.web import web_of

DEPLOYS = 8
READERS = 4


def release(number: int) -> dict[str, str]:
    """Its number is in every file, and in a header that its rules add."""
    return {
        "index.html": f"<p>release {number}</p>" * (number + 1),
        "assets/app.js": f"// release {number}\n" * (2 * number + 1),
        "docs/index.html": f"release {number} docs",
        "_headers": f"/*\n  X-Release: {number}\n",
        "_redirects": f"/now /release-{number} 302\n",
    }


async def test_every_answer_is_of_one_release(world: World) -> None:
    await world.deploy(release(0))
    done = asyncio.Event()
    seen: list[set[int]] = [set() for _ in range(READERS)]

    async def read(reader: int) -> None:
        paths = ("/", "/assets/app.js", "/docs/", "/now")
        at = reader
        async with web_of(world) as web:
            while not done.is_set():
                at += 1
                path = paths[at % len(paths)]
                answer = await web.get(path)
                number = int(answer.headers["x-release"])
                if path == "/now":
                    assert (answer.status, answer.headers["location"]) == (302, f"/release-{number}")
                else:
                    assert answer.status == 200
                    wanted = {"/": "index.html", "/assets/app.js": "assets/app.js", "/docs/": "docs/index.html"}[path]
                    assert answer.body.decode() == release(number)[wanted]
                    assert set(re.findall(rb"release (\d+)", answer.body)) == {str(number).encode()}
                assert not seen[reader] or number >= max(seen[reader])
                seen[reader].add(number)
                await asyncio.sleep(0)

    async def deploy() -> None:
        try:
            for number in range(1, DEPLOYS):
                await world.deploy(release(number))
        finally:
            done.set()

    await asyncio.gather(deploy(), *(read(reader) for reader in range(READERS)))
    assert len(set.union(*seen)) > 1  # they have read while it was deployed
