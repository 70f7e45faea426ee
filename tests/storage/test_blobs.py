from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from v8box.storage import BlobMissing, FolderBlobs


@pytest.fixture
async def blobs(tmp_path: Path) -> FolderBlobs:
    store = FolderBlobs(tmp_path / "blobs")
    await store.open()
    return store


def files(tmp_path: Path) -> list[str]:
    return sorted(
        path.relative_to(tmp_path / "blobs").as_posix() for path in (tmp_path / "blobs").rglob("*") if path.is_file()
    )


async def stream(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        await asyncio.sleep(0)
        yield chunk


async def test_bytes_come_back_by_their_hash(blobs: FolderBlobs, tmp_path: Path) -> None:
    key = await blobs.put(b"hello")
    assert key == hashlib.sha256(b"hello").hexdigest()
    assert await blobs.put(stream(b"he", b"", b"llo")) == key
    assert await blobs.get(key) == b"hello"
    assert await blobs.has(key)
    assert await blobs.verify(key)
    assert files(tmp_path) == [f"{key[:2]}/{key[2:]}"]
    assert await blobs.get(await blobs.put(b"")) == b""


async def test_what_is_missing_or_damaged_is_an_error(blobs: FolderBlobs, tmp_path: Path) -> None:
    key = await blobs.put(b"hello")
    path = tmp_path / "blobs" / key[:2] / key[2:]
    path.write_bytes(b"jello")
    assert not await blobs.verify(key)
    with pytest.raises(BlobMissing, match="damaged"):
        await blobs.get(key)
    path.unlink()
    assert not await blobs.has(key)
    with pytest.raises(BlobMissing):
        await blobs.get(key)
    assert await blobs.put(b"hello") == key
    assert await blobs.verify(key)


async def test_a_truncated_blob_is_mended_by_the_next_put(blobs: FolderBlobs, tmp_path: Path) -> None:
    key = await blobs.put(b"hello")
    (tmp_path / "blobs" / key[:2] / key[2:]).write_bytes(b"hel")
    await blobs.put(b"hello")
    assert await blobs.get(key) == b"hello"


@pytest.mark.parametrize("key", ["", "../../etc/passwd", "A" * 64, "a" * 63, "a" * 64 + "\n", "/" * 64])
async def test_a_key_is_a_hash_and_nothing_else(blobs: FolderBlobs, key: str) -> None:
    for method in (blobs.get, blobs.has, blobs.verify):
        with pytest.raises(ValueError, match="not a blob's key"):
            await method(key)


async def test_a_stream_that_breaks_leaves_nothing(blobs: FolderBlobs, tmp_path: Path) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"half"
        raise ConnectionError

    with pytest.raises(ConnectionError):
        await blobs.put(broken())
    assert files(tmp_path) == []


async def test_a_cancelled_put_leaves_nothing(blobs: FolderBlobs, tmp_path: Path) -> None:
    reached = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        yield b"half"
        reached.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(blobs.put(endless()))
    await reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert files(tmp_path) == []


async def test_the_same_bytes_at_once(blobs: FolderBlobs, tmp_path: Path) -> None:
    keys = await asyncio.gather(*(blobs.put(b"x" * 100_000) for _ in range(16)))
    assert len(set(keys)) == 1
    assert await blobs.verify(keys[0])
    assert len(files(tmp_path)) == 1


async def test_old_leftovers_are_removed_at_open_and_fresh_ones_are_not(tmp_path: Path) -> None:
    folder = tmp_path / "blobs"
    folder.mkdir()
    (folder / ".incoming.old.tmp").write_bytes(b"x")
    (folder / ".incoming.new.tmp").write_bytes(b"x")
    os.utime(folder / ".incoming.old.tmp", (1, 1))
    await FolderBlobs(folder).open()
    assert files(tmp_path) == [".incoming.new.tmp"]


async def test_blobs_are_private(blobs: FolderBlobs, tmp_path: Path) -> None:
    key = await blobs.put(b"secret")
    assert (tmp_path / "blobs" / key[:2] / key[2:]).stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("many", [0, 200])  # flushed one by one, and all together
async def test_many_files_are_taken_over_at_once(tmp_path: Path, many: int) -> None:
    blobs = FolderBlobs(tmp_path / "blobs")
    await blobs.open()
    known = await blobs.put(b"known")
    staged = tmp_path / "staged"
    staged.mkdir()
    contents = [b"one", b"two", b"one", b"known", b"", *(b"%d" % number for number in range(many))]
    files = []
    for number, content in enumerate(contents):
        files.append(staged / str(number))
        files[-1].write_bytes(content)
    keys = await blobs.adopt(files)
    assert keys == [hashlib.sha256(content).hexdigest() for content in contents]
    assert keys[3] == known
    assert [await blobs.get(key) for key in keys] == contents
    assert list(staged.iterdir()) == []
    assert {file.stat().st_mode & 0o777 for file in (tmp_path / "blobs").glob("??/*")} == {0o600}
    assert blobs.path(keys[0]).read_bytes() == b"one"
