"""The embedded store killed at any moment: what was answered is there, nothing is torn, nothing is left over."""

from __future__ import annotations

import asyncio
import hashlib
import os
import random
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from v8box.bindings.s3.embedded import EmbeddedObjects
from v8box.bindings.s3.interface import BucketId, ListOptions, PutOptions

BUCKET = BucketId("one")
WRITER = """
import asyncio, hashlib, sys
from pathlib import Path
from v8box.bindings.s3.embedded import EmbeddedObjects
from v8box.bindings.s3.interface import BucketId, PutOptions

async def pieces(content):
    for start in range(0, len(content), 20_000):
        yield content[start : start + 20_000]

async def write(store, lane):
    for number in range(10_000):
        content = f"{lane} {number} ".encode() * (1 + 977 * number % 40_000)
        key = f"{lane}/{number % 5}"
        await store.put(BucketId("one"), key, pieces(content), PutOptions())
        print(key, hashlib.md5(content).hexdigest(), flush=True)
        if number % 7 == 6:
            await store.delete(BucketId("one"), [key])
            print(key, "-", flush=True)

async def main():
    store = EmbeddedObjects(Path(sys.argv[1]))
    await store.start()
    await asyncio.gather(*(write(store, lane) for lane in range(3)))

asyncio.run(main())
"""


async def test_killed_in_the_middle_of_puts(tmp_path: Path) -> None:
    randomness = random.Random(7)
    answered: dict[str, str] = {}
    for _ in range(4):
        writer = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", WRITER, str(tmp_path)), stdout=asyncio.subprocess.PIPE
        )
        assert writer.stdout is not None
        wanted = randomness.randint(10, 40)
        lines: list[str] = []
        while len(lines) < wanted:
            lines.append((await writer.stdout.readline()).decode())
        writer.kill()
        lines += (await writer.stdout.read()).decode().splitlines()
        await writer.wait()
        for line in lines:
            key, digest = line.split()
            answered[key] = digest

        store = EmbeddedObjects(tmp_path)
        await store.start()
        await store.swept()
        listing = await store.list_page(BUCKET, ListOptions())
        present = {info.key: info.etag for info in listing.objects}
        bodies = {key: await _body(store, key) for key in present}
        assert {key: hashlib.md5(body).hexdigest() for key, body in bodies.items()} == present, "torn"
        # A lane's last operation may have been done and not answered; every key but its one must be as answered.
        differing = {key for key in answered if answered[key] != present.get(key, "-")}
        assert len({key.split("/")[0] for key in differing}) == len(differing) <= 3
        assert _files(tmp_path / "blobs") == {hashlib.sha256(body).hexdigest() for body in bodies.values()}
        assert _files(tmp_path / "incoming") == set()
        answered.update({key: present.get(key, "-") for key in answered})
        await store.stop()


async def _body(store: EmbeddedObjects, key: str) -> bytes:
    found = await store.get(BUCKET, key)
    assert found is not None
    assert found.body is not None
    return found.body if isinstance(found.body, bytes) else b"".join([part async for part in found.body])


def _files(directory: Path) -> set[str]:
    return {path.name for path in directory.rglob("*") if path.is_file()}


async def test_contents_are_kept_once_and_while_they_are_used(tmp_path: Path) -> None:
    store = EmbeddedObjects(tmp_path)
    await store.start()
    for key in ("a", "b"):
        await store.put(BUCKET, key, b"same", PutOptions())
    await store.put(BucketId("two"), "a", b"same", PutOptions())
    assert len(_files(tmp_path / "blobs")) == 1
    await store.delete(BUCKET, ["a"])
    await store.put(BUCKET, "b", b"other", PutOptions())
    assert len(_files(tmp_path / "blobs")) == 2
    await store.delete(BucketId("two"), ["a"])
    await store.delete(BUCKET, ["b"])
    assert _files(tmp_path / "blobs") == set()
    await store.stop()


async def test_a_cancelled_put_leaves_no_file(tmp_path: Path) -> None:
    store = EmbeddedObjects(tmp_path)
    await store.start()
    reached = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield bytes(300_000)
        reached.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(store.put(BUCKET, "k", endless(), PutOptions()))
    await reached.wait()
    assert len(_files(tmp_path / "incoming")) == 1
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await store.head(BUCKET, "k") is None
    await store.stop()  # waits for its threads
    assert _files(tmp_path / "incoming") == set()


async def test_memory_stays_flat(tmp_path: Path) -> None:
    """64 MB through the store in both directions, in a process of its own that may grow by a few."""
    script = """
import asyncio, resource, sys
from pathlib import Path
from v8box.bindings.s3.embedded import EmbeddedObjects
from v8box.bindings.s3.interface import BucketId, PutOptions

async def source():
    for _ in range(1024):
        yield bytes(65536)

async def main():
    store = EmbeddedObjects(Path(sys.argv[1]))
    await store.start()
    await store.put(BucketId("one"), "small", b"x", PutOptions())
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    await store.put(BucketId("one"), "large", source(), PutOptions())
    found = await store.get(BucketId("one"), "large")
    size = 0
    async for chunk in found.body:
        size += len(chunk)
    await store.stop()
    print(size, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)

asyncio.run(main())
"""
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", script, str(tmp_path)), stdout=asyncio.subprocess.PIPE, env=dict(os.environ)
    )
    out, _ = await child.communicate()
    size, grown_kb = map(int, out.split())
    assert size == 64 * 1024 * 1024
    assert grown_kb < 8_000
