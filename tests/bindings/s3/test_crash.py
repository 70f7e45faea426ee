"""The embedded store killed at any moment: what was answered is there, nothing is torn, nothing is left over."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import random
import sqlite3
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from blake3 import blake3

from v8box.bindings.s3.embedded import EmbeddedObjects
from v8box.bindings.s3.intake import BATCH_BYTES, INLINE_BYTES, WAITING_BATCHES
from v8box.bindings.s3.interface import BucketId, ListOptions, PutOptions

BUCKET = BucketId("one")
TWO = BucketId("two")
WRITER = """
import asyncio, hashlib, sys
from pathlib import Path
from v8box.bindings.s3.embedded import EmbeddedObjects
from v8box.bindings.s3.interface import BucketId, ObjectLimits, PutOptions

async def pieces(content):
    for start in range(0, len(content), 20_000):
        yield content[start : start + 20_000]

async def write(store, lane):
    for number in range(10_000):
        content = f"{lane} {number} ".encode() * (1 + 977 * number % 40_000)
        key = f"{lane}/{number % 5}"
        await store.put(BucketId("one"), key, pieces(content), PutOptions())
        print(key, hashlib.md5(content).hexdigest(), flush=True)
        if number % 3 == 2:
            upload = await store.create_upload(BucketId("one"), f"big-{lane}", PutOptions())
            parts = [
                (part, (await store.put_part(BucketId("one"), f"big-{lane}", upload, part, pieces(content), {})).etag)
                for part in (1, 2)
            ]
            if number % 6 == 2:
                await store.complete_upload(BucketId("one"), f"big-{lane}", upload, parts)
            elif number % 6 == 5:
                await store.abort_upload(BucketId("one"), f"big-{lane}", upload)
        if number % 7 == 6:
            await store.delete(BucketId("one"), [key])
            print(key, "-", flush=True)

async def main():
    store = EmbeddedObjects(Path(sys.argv[1]), limits=ObjectLimits(part_bytes=1))
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
        lines += (await writer.stdout.read()).decode().splitlines(keepends=True)
        await writer.wait()
        for line in lines:
            if not line.endswith("\n"):
                continue  # the kill came in the middle of this line: its answer was never given
            key, digest = line.split()
            answered[key] = digest

        store = EmbeddedObjects(tmp_path)
        await store.start()
        await store.swept()
        listing = await store.list_page(BUCKET, ListOptions())
        present = {info.key: info.etag for info in listing.objects}
        bodies = {key: await _body(store, key) for key in present}
        for key, body in bodies.items():
            half = hashlib.md5(body[: len(body) // 2]).digest()  # of one that was put in two equal parts
            whole = (
                hashlib.md5(half + half).hexdigest() + "-2" if key.startswith("big-") else hashlib.md5(body).hexdigest()
            )
            assert whole == present[key], "torn"
        # A lane's last operation may have been done and not answered; every key but its one must be as answered.
        differing = {key for key in answered if answered[key] != present.get(key, "-")}
        assert len({key.split("/")[0] for key in differing}) == len(differing) <= 3
        answered.update({key: present.get(key, "-") for key in answered})
        await store.stop()
        check_kept(tmp_path)


async def _body(store: EmbeddedObjects, key: str) -> bytes:
    found = await store.get(BUCKET, key)
    assert found is not None
    assert found.body is not None
    return found.body if isinstance(found.body, bytes) else b"".join([part async for part in found.body])


def check_kept(directory: Path) -> None:
    """The files and rows of a stopped store are those that its objects and parts consist of, no more and no fewer, and
    every bucket counts what it has."""
    with contextlib.closing(sqlite3.connect(f"file:{directory}/index.db?mode=ro", uri=True)) as index:
        used = index.execute(
            "SELECT content, size FROM objects WHERE content NOT IN (SELECT assembly FROM pieces) "
            "UNION SELECT content, size FROM pieces UNION SELECT content, size FROM parts"
        ).fetchall()
        assembled = "SELECT assembly FROM pieces WHERE assembly NOT IN (SELECT content FROM objects)"
        assert index.execute(assembled).fetchall() == []
        rows = {name: blake3(content).hexdigest() for name, content in index.execute("SELECT * FROM contents")}
        counted = index.execute("SELECT project, name, objects, size, pending FROM buckets").fetchall()
        for project, name, *counts in counted:
            (objects,) = index.execute(
                "SELECT count(*), coalesce(sum(size), 0) FROM objects WHERE project = ? AND bucket = ?", (project, name)
            )
            (pending,) = index.execute(
                "SELECT coalesce(sum(size), 0) FROM parts JOIN uploads ON id = upload WHERE project = ? AND bucket = ?",
                (project, name),
            )
            assert tuple(counts) == objects + pending, name
    assert rows == {content: content for content, size in used if size <= INLINE_BYTES}
    assert _files(directory / "blobs") == {content for content, size in used if size > INLINE_BYTES}
    assert _files(directory / "incoming") == set()


def _files(directory: Path) -> set[str]:
    return {path.name for path in directory.rglob("*") if path.is_file()}


@pytest.mark.parametrize("size", [4, 100_000])
async def test_contents_are_kept_once_and_while_they_are_used(tmp_path: Path, size: int) -> None:
    store = EmbeddedObjects(tmp_path)
    same, other = bytes(size), b"o" * size

    async def kept() -> int:
        """How many contents there are, by rows and files."""
        nonlocal store
        await store.stop()
        check_kept(tmp_path)
        with contextlib.closing(sqlite3.connect(tmp_path / "index.db")) as index:
            (rows,) = index.execute("SELECT count(*) FROM contents").fetchone()
        store = EmbeddedObjects(tmp_path)
        await store.start()
        return len(_files(tmp_path / "blobs")) + int(rows)

    await store.start()
    for key in ("a", "b"):
        await store.put(BUCKET, key, same, PutOptions())
    await store.copy(BUCKET, "a", BUCKET, "copy")
    await store.put(TWO, "a", same, PutOptions())
    assert await kept() == 1
    await store.delete(BUCKET, ["a", "copy"])
    await store.put(BUCKET, "b", other, PutOptions())
    assert await kept() == 2
    await store.delete(TWO, ["a"])
    assert await kept() == 1
    await store.delete(BUCKET, ["b"])
    assert await kept() == 0
    await store.stop()


async def test_a_cancelled_put_leaves_no_file(tmp_path: Path) -> None:
    store = EmbeddedObjects(tmp_path)
    await store.start()
    reached = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(WAITING_BATCHES + 1):  # one more than may wait, so the first one is in the file
            yield bytes(BATCH_BYTES)
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
