"""An S3 server that is killed under load and comes back, hangs, or was never there; and what spooled parts leave."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from tests.bindings.s3.conftest import PROJECT
from tests.servers import SwiftServer

from v8box.bindings.interface import BindingError
from v8box.bindings.s3 import server
from v8box.bindings.s3.interface import BucketId, PutOptions
from v8box.bindings.s3.server import S3Server

BUCKET = BucketId(PROJECT, "outage")
PUT_SECONDS = 60.0  # for a whole suite's machine; one alone fails in well under two


@pytest.fixture
def swift(tmp_path: Path) -> Iterator[SwiftServer]:
    directory = tmp_path / "swift"
    directory.mkdir()
    server = SwiftServer(directory)
    server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
async def store(swift: SwiftServer, tmp_path: Path) -> AsyncIterator[S3Server]:
    keys = swift.access_key, swift.secret_key, swift.region
    made = S3Server(
        swift.endpoint, *keys, default_bucket=BUCKET.name, default_project=PROJECT, spool=tmp_path / "spool"
    )
    await made.start()
    await made.put(BUCKET, "k", b"v", PutOptions())
    yield made
    await made.stop()


async def endless(sent: asyncio.Event) -> AsyncIterator[bytes]:
    for number in range(1_000):
        yield bytes(1_000_000)
        if number == 20:
            sent.set()


async def test_a_killed_server_fails_every_call_soon_and_is_used_again(swift: SwiftServer, store: S3Server) -> None:
    under_way = asyncio.Event()
    calls: list[asyncio.Task[object]] = [
        asyncio.create_task(store.put(BUCKET, "large", endless(under_way), PutOptions()))
    ]
    await under_way.wait()
    calls += [asyncio.create_task(store.get(BUCKET, "k")) for _ in range(20)]
    calls += [asyncio.create_task(store.put(BUCKET, f"{each}", b"v", PutOptions())) for each in range(20)]
    await asyncio.sleep(0)
    swift.kill()
    calls += [asyncio.create_task(store.head(BUCKET, "k")) for _ in range(20)]
    async with asyncio.timeout(PUT_SECONDS):
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
    faults = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    assert faults
    assert all(isinstance(fault, BindingError) and fault.code == "unavailable" for fault in faults), faults
    with pytest.raises(BindingError, match="cannot be reached"):
        await store.health()
    swift.start()
    found = await store.get(BUCKET, "k")
    assert found is not None
    assert found.body == b"v"
    assert await store.head(BUCKET, "large") is None
    await store.health()


async def test_a_server_that_hangs_is_not_healthy(
    swift: SwiftServer, store: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    swift.freeze()
    with monkeypatch.context() as short:
        short.setattr(server, "HEALTH_SECONDS", 0.2)
        with pytest.raises(BindingError, match="does not answer"):
            await store.health()
    waiting = asyncio.create_task(store.get(BUCKET, "k"))
    swift.thaw()
    found = await waiting
    assert found is not None


async def test_a_large_part_waits_in_a_file_that_leaves_nothing(store: S3Server, tmp_path: Path) -> None:
    upload = await store.create_upload(BUCKET, "parts", PutOptions())

    async def part(chunks: int) -> AsyncIterator[bytes]:
        for number in range(chunks):
            yield bytes([number]) * 1_000_000

    async def broken() -> AsyncIterator[bytes]:
        async for chunk in part(12):
            yield chunk
        raise BindingError("stopped", "the sender is gone")

    with pytest.raises(BindingError, match="gone"):
        await store.put_part(BUCKET, "parts", upload, 1, broken(), {})
    large = await store.put_part(BUCKET, "parts", upload, 1, part(12), {})
    small = await store.put_part(BUCKET, "parts", upload, 2, part(1), {})
    assert (large.size, small.size) == (12_000_000, 1_000_000)
    assert list((tmp_path / "spool").iterdir()) == []
    info = await store.complete_upload(BUCKET, "parts", upload, [(1, large.etag), (2, small.etag)])
    assert info.size == 13_000_000


async def test_a_stream_of_unknown_length_that_breaks_leaves_no_upload(store: S3Server) -> None:
    async def broken() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield bytes(1_000_000)
        raise BindingError("stopped", "the sender is gone")

    with pytest.raises(BindingError, match="gone"):
        await store.put(BUCKET, "k", broken(), PutOptions())
    async with asyncio.timeout(PUT_SECONDS):
        while await store.list_uploads(BUCKET):
            continue
    found = await store.get(BUCKET, "k")
    assert found is not None
    assert found.body == b"v"
