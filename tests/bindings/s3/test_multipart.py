"""Multipart uploads, as a worker's client sees them on the wire, on every store."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from tests.bindings.s3.conftest import Backend
from tests.bindings.s3.test_crash import check_kept

from v8box.bindings.interface import BindingError
from v8box.bindings.s3.binding import S3Binding
from v8box.bindings.s3.embedded import EmbeddedObjects
from v8box.bindings.s3.interface import BucketId, ObjectLimits, PutOptions

Ask = Callable[..., Coroutine[Any, Any, tuple[Any, bytes | None]]]
PART = 5 * 1024 * 1024
FIRST = bytes(range(256)) * (PART // 256)
SECOND = FIRST[::-1]
LAST = b"the end"


async def refusal(work: Coroutine[Any, Any, Any]) -> str:
    with pytest.raises(BindingError) as caught:
        await work
    return caught.value.code


async def create(ask: Ask, s3: S3Binding, key: str = "k", **more: Any) -> str:
    answer, _ = await ask(s3, "create_upload", {"key": key, **more})
    return str(answer["upload"])


async def put_part(ask: Ask, s3: S3Binding, upload: str, number: int, body: Any, **more: Any) -> tuple[int, str]:
    args = {"key": "k", "upload": upload, "number": number, **more}
    part, _ = await ask(s3, "put_part", args, body=body)
    return part["number"], part["etag"]


async def chunks(content: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(content), 300_000):
        yield content[start : start + 300_000]


async def test_parts_become_one_object(backend: Backend, s3: S3Binding, ask: Ask) -> None:
    metadata: dict[str, Any] = {"http": {"contentType": "a/b", "contentDisposition": "inline"}, "custom": {"n": "ü"}}
    upload = await create(ask, s3, **metadata)
    assert (await ask(s3, "head", {"key": "k"}))[0] is None
    third = await put_part(ask, s3, upload, 7 if backend.sparse_parts else 3, LAST)
    second = await put_part(ask, s3, upload, 2, chunks(SECOND))
    if backend.replaces_parts:
        await put_part(ask, s3, upload, 1, SECOND)
    first = await put_part(ask, s3, upload, 1, FIRST, digests={"md5": hashlib.md5(FIRST).hexdigest()})
    assert first == (1, hashlib.md5(FIRST).hexdigest())

    parts, _ = await ask(s3, "list_parts", {"key": "k", "upload": upload})
    assert [(each["number"], each["etag"], each["size"]) for each in parts["parts"]] == [
        (*first, PART),
        (*second, PART),
        (*third, len(LAST)),
    ]
    answer, _ = await ask(s3, "complete_upload", {"key": "k", "upload": upload, "parts": [first, second, third]})
    whole = FIRST + SECOND + LAST
    digests = b"".join(bytes.fromhex(etag) for _, etag in (first, second, third))
    assert answer["object"]["size"] == len(whole)
    if backend.multipart_etags:
        assert answer["object"]["etag"] == f"{hashlib.md5(digests).hexdigest()}-3"
    got, body = await ask(s3, "get", {"key": "k"})
    assert body == whole
    assert (got["object"]["http"], got["object"]["custom"]) == (metadata["http"], metadata["custom"])
    for offset, length in ((PART - 3, 6), (PART, 1), (2 * PART - 1, 3), (0, 1), (2 * PART + 2, 100)):
        _, body = await ask(s3, "get", {"key": "k", "range": {"offset": offset, "length": length}})
        assert body == whole[offset : offset + length]
    _, body = await ask(s3, "get", {"key": "k", "range": {"offset": PART - 100_000, "length": PART + 100_005}})
    assert body == whole[PART - 100_000 : 2 * PART + 5]
    if backend.forgets_completed:
        assert await refusal(ask(s3, "list_parts", {"key": "k", "upload": upload})) == "no_such_upload"

    await ask(s3, "copy", {"source": "k", "target": "copy"})
    await ask(s3, "delete", {"keys": ["k"]})
    assert (await ask(s3, "get", {"key": "copy"}))[1] == whole
    await ask(s3, "delete", {"keys": ["copy"]})


async def test_parts_that_do_not_fit_are_refused(backend: Backend, s3: S3Binding, ask: Ask) -> None:
    upload = await create(ask, s3)
    first = await put_part(ask, s3, upload, 1, FIRST)
    small = await put_part(ask, s3, upload, 2, LAST)
    third = await put_part(ask, s3, upload, 3, LAST)
    where = {"key": "k", "upload": upload}

    async def complete(*parts: tuple[int, str]) -> str:
        return await refusal(ask(s3, "complete_upload", {**where, "parts": parts}))

    assert await complete() == "invalid_part"
    assert await complete(small, first) == "invalid_part_order"
    assert await complete(first, first) == "invalid_part_order"
    assert await complete(first, (2, first[1])) == "invalid_part"
    if not backend.forgives_completes:
        return
    assert await complete(first, (9, first[1])) == "invalid_part"
    assert await complete(first, small, third) == "part_too_small"
    assert await refusal(put_part(ask, s3, upload, 1, FIRST, digests={"sha256": "0" * 64})) == "bad_digest"
    for number in (0, 10_001):
        assert await refusal(put_part(ask, s3, upload, number, LAST)) == "invalid_argument"
    assert await refusal(put_part(ask, s3, upload, 4, bytes(12_000_001))) == "object_too_large"
    answer, _ = await ask(s3, "complete_upload", {**where, "parts": [first, third]})
    assert answer["object"]["size"] == PART + len(LAST)


async def test_uploads_are_listed_and_aborted(s3: S3Binding, ask: Ask) -> None:
    assert (await ask(s3, "list_uploads", {}))[0]["uploads"] == []
    one, two = await create(ask, s3, "a/k"), await create(ask, s3, "b/ü")
    listed = (await ask(s3, "list_uploads", {}))[0]["uploads"]
    assert [(each["key"], each["id"]) for each in listed] == [("a/k", one), ("b/ü", two)]
    listed = (await ask(s3, "list_uploads", {"prefix": "b/"}))[0]["uploads"]
    assert [each["id"] for each in listed] == [two]
    await ask(s3, "put_part", {"key": "a/k", "upload": one, "number": 1}, body=LAST)
    await ask(s3, "abort_upload", {"key": "a/k", "upload": one})
    for operation, args in (
        ("abort_upload", {}),
        ("list_parts", {}),
        ("put_part", {"number": 1}),
        ("complete_upload", {"parts": [[1, "0" * 32]]}),
    ):
        for upload in (one, "none"):
            work = ask(s3, operation, {"key": "a/k", "upload": upload, **args}, body=b"x")
            assert await refusal(work) == "no_such_upload", operation
    # Not another key's, nor another project's.
    assert await refusal(ask(s3, "abort_upload", {"key": "a/k", "upload": two})) == "no_such_upload"
    other = ask(s3, "abort_upload", {"key": "b/ü", "upload": two}, project="two")
    assert await refusal(other) == "no_such_upload"
    await ask(s3, "abort_upload", {"key": "b/ü", "upload": two})
    assert (await ask(s3, "list_uploads", {}))[0]["uploads"] == []
    assert (await ask(s3, "list", {}))[0]["objects"] == []


async def test_uploads_left_alone_are_aborted(tmp_path: Path) -> None:
    bucket = BucketId("one")
    store = EmbeddedObjects(tmp_path, limits=ObjectLimits(upload_seconds=3_600))
    await store.start()
    upload = await store.create_upload(bucket, "k", PutOptions())
    await store.put_part(bucket, "k", upload, 1, bytes(100_000), {})
    await store.expire_uploads()
    assert len(await store.list_uploads(bucket)) == 1
    await store.stop()
    store = EmbeddedObjects(tmp_path, limits=ObjectLimits(upload_seconds=-1))
    await store.start()
    await store.expire_uploads()
    assert await store.list_uploads(bucket) == []
    (info,) = await store.buckets("one")
    assert (info.objects, info.size) == (0, 0)
    await store.stop()
    check_kept(tmp_path)


async def test_a_reader_keeps_the_parts_of_what_is_deleted_meanwhile(tmp_path: Path) -> None:
    bucket = BucketId("one")
    store = EmbeddedObjects(tmp_path, limits=ObjectLimits(part_bytes=1))
    await store.start()
    upload = await store.create_upload(bucket, "k", PutOptions())
    contents = [bytes([number]) * 400_000 for number in range(3)]
    parts = [
        (number, (await store.put_part(bucket, "k", upload, number, content, {})).etag)
        for number, content in enumerate(contents, 1)
    ]
    await store.complete_upload(bucket, "k", upload, parts)
    found = await store.get(bucket, "k")
    left = await store.get(bucket, "k")
    assert found is not None
    assert left is not None
    await store.delete(bucket, ["k"])
    await store.put(bucket, "other", b"x", PutOptions())
    body: Any = found.body
    assert b"".join([chunk async for chunk in body]) == b"".join(contents)
    unread: Any = left.body
    await unread.aclose()
    await store.stop()
    check_kept(tmp_path)


async def test_a_bucket_has_so_many_uploads(tmp_path: Path) -> None:
    store = EmbeddedObjects(tmp_path, limits=ObjectLimits(uploads=2))
    await store.start()
    uploads = [await store.create_upload(BucketId("one"), "k", PutOptions()) for _ in range(2)]
    assert await refusal(store.create_upload(BucketId("one"), "k", PutOptions())) == "too_many_uploads"
    await store.abort_upload(BucketId("one"), "k", uploads[0])
    await store.create_upload(BucketId("one"), "k", PutOptions())
    await store.stop()
