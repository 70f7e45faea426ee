"""What bounds uploads into the embedded store: quotas while they come, other calls' turns while one is completed."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.bindings.s3.test_crash import check_kept

from v8box.bindings.interface import BindingError
from v8box.bindings.s3.embedded import EmbeddedObjects
from v8box.bindings.s3.interface import BucketId, ObjectLimits, PutOptions

BUCKET = BucketId("one", "small")
ROOMY = BucketId("one", "roomy")
CHUNK = 100_000


class Endless:
    """A body without an end that counts what was taken of it."""

    def __init__(self) -> None:
        self.taken = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            self.taken += CHUNK
            yield bytes(CHUNK)


@pytest.mark.parametrize("bucket", [BUCKET, ROOMY])
async def test_an_endless_upload_over_the_quota_is_stopped_early(tmp_path: Path, bucket: BucketId) -> None:
    store = EmbeddedObjects(tmp_path, limits=ObjectLimits(project_bytes=3_000_000))
    await store.start()
    await store.create_bucket(BUCKET, quota=1_000_000)
    await store.create_bucket(ROOMY)
    most = 1_000_000 if bucket is BUCKET else 3_000_000
    upload = await store.create_upload(bucket, "parts", PutOptions())
    put, part = Endless(), Endless()
    with pytest.raises(BindingError) as refused:
        await store.put(bucket, "k", aiter(put), PutOptions())
    assert refused.value.code == "quota_exceeded"
    assert refused.value.details is not None
    assert refused.value.details["limit"] == most
    with pytest.raises(BindingError, match="quota") as refused:
        await store.put_part(bucket, "parts", upload, 1, aiter(part), {})
    assert refused.value.code == "quota_exceeded"
    assert put.taken == part.taken == most + CHUNK
    await store.put(bucket, "k", bytes(most), PutOptions())  # nothing of the refused ones counts any more
    await store.stop()
    check_kept(tmp_path)


async def test_uploads_under_way_share_the_room(tmp_path: Path) -> None:
    store = EmbeddedObjects(tmp_path)
    await store.start()
    await store.create_bucket(BUCKET, quota=1_000_000)
    reached, refused = asyncio.Event(), asyncio.Event()

    async def first() -> AsyncIterator[bytes]:
        yield bytes(900_000)
        reached.set()
        await refused.wait()

    putting = asyncio.create_task(store.put(BUCKET, "a", first(), PutOptions()))
    await reached.wait()
    with pytest.raises(BindingError, match="quota"):
        await store.put(BUCKET, "b", bytes(200_000), PutOptions())
    refused.set()
    assert await putting is not None
    await store.put(BUCKET, "b", bytes(100_000), PutOptions())
    await store.put(BUCKET, "a", bytes(900_000), PutOptions())  # in the place of what was there
    await store.stop()
    check_kept(tmp_path)


async def test_the_loop_runs_on_while_ten_thousand_parts_become_an_object(tmp_path: Path) -> None:
    store = EmbeddedObjects(tmp_path, limits=ObjectLimits(part_bytes=1))
    await store.start()
    await store.put(BucketId("one"), "other", b"other", PutOptions())
    bucket = BucketId("one")
    upload = await store.create_upload(bucket, "k", PutOptions())
    parts: list[tuple[int, str]] = []
    for first in range(1, 10_001, 250):
        numbers = range(first, first + 250)
        stored = await asyncio.gather(
            *(store.put_part(bucket, "k", upload, number, b"%05d" % number, {}) for number in numbers)
        )
        parts += [(part.number, part.etag) for part in stored]
    completing = asyncio.create_task(store.complete_upload(bucket, "k", upload, parts))
    turns = 0
    while not completing.done():
        turns += 1
        assert await store.head(bucket, "other") is not None
    info = await completing
    assert turns > 1  # reads were answered while it was made
    assert info.size == 50_000
    assert info.etag.endswith("-10000")
    found = await store.get(bucket, "k")
    assert found is not None
    body = found.body
    assert body is not None
    whole = body if isinstance(body, bytes) else b"".join([chunk async for chunk in body])
    assert whole == b"".join(b"%05d" % number for number in range(1, 10_001))
    digests = b"".join(hashlib.md5(b"%05d" % number).digest() for number in range(1, 10_001))
    assert info.etag == f"{hashlib.md5(digests).hexdigest()}-10000"
    await store.delete(bucket, ["k"])
    await store.stop()
    check_kept(tmp_path)
