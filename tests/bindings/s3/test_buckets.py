"""Buckets, grants, copies between buckets and what the meter hears, on every store; quotas on the embedded one."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from tests.bindings.s3.conftest import PROJECT, Backend
from tests.bindings.s3.test_crash import check_kept

from v8box.bindings.interface import BindingError, Call, Scope
from v8box.bindings.s3.binding import S3Binding
from v8box.bindings.s3.embedded import EmbeddedObjects
from v8box.bindings.s3.interface import BucketId, ObjectLimits, PutOptions

Ask = Callable[..., Coroutine[Any, Any, tuple[Any, bytes | None]]]


async def refusal(work: Coroutine[Any, Any, Any]) -> str:
    with pytest.raises(BindingError) as caught:
        await work
    return caught.value.code


async def test_buckets_come_and_go(backend: Backend) -> None:
    store = backend.store
    name = f"{backend.default_bucket}-more"
    bucket = BucketId(PROJECT, name)
    assert backend.default_bucket in [each.name for each in await store.buckets(PROJECT)]
    for work in (store.head(bucket, "k"), store.get(bucket, "k"), store.set_quota(bucket, None)):
        assert await refusal(work) == "no_such_bucket"
    assert await refusal(store.put(bucket, "k", b"x", PutOptions())) == "no_such_bucket"
    assert await refusal(store.create_upload(bucket, "k", PutOptions())) == "no_such_bucket"
    assert await refusal(store.delete_bucket(bucket)) == "no_such_bucket"
    await store.create_bucket(bucket)
    assert await refusal(store.create_bucket(bucket)) == "bucket_exists"
    names = [each.name for each in await store.buckets(PROJECT)]
    assert name in names
    assert names == sorted(names)
    await store.put(bucket, "k", b"x", PutOptions())
    assert await refusal(store.delete_bucket(bucket)) == "bucket_not_empty"
    await store.delete(bucket, ["k"])
    await store.delete_bucket(bucket)
    assert name not in [each.name for each in await store.buckets(PROJECT)]
    default = BucketId(PROJECT, backend.default_bucket)
    assert await refusal(store.create_bucket(default)) == "bucket_exists"
    assert await refusal(store.delete_bucket(default)) == "bucket_required"


async def test_projects_have_their_own_buckets(backend: Backend) -> None:
    store = backend.store
    name = f"{backend.default_bucket}-own"
    one, two = BucketId(PROJECT, name), BucketId("two", name)
    await store.create_bucket(one)
    await store.put(one, "k", b"one", PutOptions())
    assert await refusal(store.head(two, "k")) == "no_such_bucket"
    assert name not in [each.name for each in await store.buckets("two")]
    await store.create_bucket(two)
    assert await store.head(two, "k") is None
    await store.put(two, "k", b"two", PutOptions())
    found = await store.get(one, "k")
    assert found is not None
    assert found.body == b"one"
    assert name in [each.name for each in await store.buckets("two")]
    assert backend.default_bucket in [each.name for each in await store.buckets("two")]
    for bucket in (one, two):
        await store.delete(bucket, ["k"])
        await store.delete_bucket(bucket)


async def test_a_worker_uses_what_its_manifest_grants(backend: Backend, s3: S3Binding) -> None:
    granted = f"{backend.default_bucket}-granted"
    await backend.store.create_bucket(BucketId(PROJECT, granted))
    await backend.store.create_bucket(BucketId(PROJECT, f"{granted}-not"))
    grants = {"s3": frozenset({granted, f"{granted}-missing"}), "db": frozenset({f"{granted}-not"})}
    scope = Scope(PROJECT, "worker", "version", "production", "run", grants)

    async def call(operation: str, body: bytes | None = None, **args: Any) -> Any:
        return await s3.call(Call(scope, operation, args, body))

    await call("put", b"x", key="k", bucket=granted, custom={"n": "v"})
    assert await refusal(call("put", b"x", key="k", bucket=f"{granted}-not")) == "bucket_not_granted"
    assert await refusal(call("head_bucket", bucket=f"{granted}-not")) == "bucket_not_granted"
    assert await refusal(call("head_bucket", bucket=f"{granted}-missing")) == "no_such_bucket"
    assert (await call("head_bucket", bucket=granted)).result == {"name": granted}
    names = [bucket.name for bucket in (await call("buckets")).result["buckets"]]
    assert sorted(names) == sorted([backend.default_bucket, granted])
    with pytest.raises(BindingError, match=r"permissions\.buckets"):
        await call("get", key="k", bucket=f"{granted}-not")

    copied = await call("copy", source="k", source_bucket=granted, target="copy")
    assert (copied.result.object.custom, copied.written) == ({"n": "v"}, 1)
    work = call("copy", source="k", source_bucket=f"{granted}-not", target="copy")
    assert await refusal(work) == "bucket_not_granted"
    found = await call("get", key="copy", bucket=backend.default_bucket)
    assert (found.body, found.rows) == (b"x", 1)


async def test_a_copy_may_have_metadata_of_its_own_and_a_condition(backend: Backend, s3: S3Binding, ask: Ask) -> None:
    if not backend.replaces_metadata:
        pytest.skip("this server keeps the source's metadata beside the new one")
    old = {"http": {"contentType": "a/b"}, "custom": {"n": "v"}}
    new = {"http": {"contentType": "c/d", "cacheControl": "no-store"}, "custom": {"m": "ü"}}
    stored = (await ask(s3, "put", {"key": "a", **old}, body=b"x"))[0]["object"]

    async def copy(**args: Any) -> Any:
        return (await ask(s3, "copy", {"source": "a", "target": "b", **args}))[0]

    async def kept() -> dict[str, Any]:
        found = (await ask(s3, "head", {"key": "b"}))[0]["object"]
        return {"http": found["http"], "custom": found["custom"]}

    await copy(replace=True, **new)
    assert await kept() == new
    await copy()
    assert await kept() == old
    assert await copy(replace=True, only_if={"match": ["x"]}, **new) is None
    assert await copy(only_if={"none_match": [stored["etag"]]}) is None
    assert await kept() == old
    await copy(only_if={"match": [stored["etag"]]}, replace=True, **new)
    assert await kept() == new
    assert (await copy(only_if={"match": ["*"]}))["object"]["custom"] == {"n": "v"}
    assert await refusal(copy(**new)) == "invalid_argument"
    assert await refusal(copy(source="none")) == "no_such_key"
    assert (await copy(target="a", replace=True, **new))["object"]["custom"] == {"m": "ü"}


async def test_the_meter_hears_of_objects(s3: S3Binding) -> None:
    scope = Scope(PROJECT, "worker", "version", "production", "run")

    async def counts(operation: str, body: bytes | None = None, **args: Any) -> tuple[int, int]:
        answer = await s3.call(Call(scope, operation, args, body))
        return answer.rows, answer.written

    for key in ("a", "b", "c/d"):
        assert await counts("put", b"x", key=key) == (0, 1)
    assert await counts("put", b"x", key="a", only_if={"match": ["none"]}) == (0, 0)
    assert await counts("head", key="a") == (1, 0)
    assert await counts("head", key="none") == (0, 0)
    assert await counts("list", delimiter="/") == (3, 0)
    assert await counts("delete", keys=["a", "b"]) == (0, 2)
    assert await counts("delete", keys=[]) == (0, 0)


async def test_presigned_urls_need_someone_who_signs(s3: S3Binding, ask: Ask, backend: Backend) -> None:
    class Signs:
        def presign(self, bucket: BucketId, key: str, method: str, expires: int, *more: str | None) -> str:
            return f"{bucket.project}/{bucket.name}/{key} {method} {expires} {more}"

    args = {"key": "k", "method": "PUT", "expires": 60, "content_type": "a/b"}
    assert await refusal(ask(s3, "presign", args)) == "not_available"
    signing = S3Binding(backend.store, default_bucket=backend.default_bucket, presign=Signs())
    url = (await ask(signing, "presign", args))[0]["url"]
    assert url == f"one/{backend.default_bucket}/k PUT 60 ('a/b', None)"
    for wrong in ({"expires": 0}, {"expires": 604_801}, {"method": "POST"}, {"disposition": "a\nb"}, {"bucket": "UP"}):
        assert await refusal(ask(signing, "presign", {**args, **wrong})) == "invalid_argument"
    assert await refusal(ask(signing, "presign", {**args, "bucket": "secret"})) == "bucket_not_granted"


async def test_a_server_keeps_its_own_quotas(backend: Backend) -> None:
    if backend.quotas:
        pytest.skip("this store has quotas")
    bucket = BucketId(PROJECT, backend.default_bucket)
    assert await refusal(backend.store.set_quota(bucket, 5)) == "not_available"
    await backend.store.set_quota(bucket, None)
    more = BucketId(PROJECT, f"{backend.default_bucket}-quota")
    assert await refusal(backend.store.create_bucket(more, 5)) == "not_available"


async def test_quotas_and_counters(tmp_path: Path) -> None:
    store = EmbeddedObjects(
        tmp_path,
        default_bucket="main",
        initial_buckets=("sites",),
        default_project=PROJECT,
        limits=ObjectLimits(project_bytes=1_000, project_objects=4, buckets=3),
    )
    await store.start()
    main, sites = BucketId(PROJECT, "main"), BucketId(PROJECT, "sites")
    assert [each.name for each in await store.buckets(PROJECT)] == ["main", "sites"]
    assert [each.name for each in await store.buckets("two")] == ["main"]
    assert await refusal(store.delete_bucket(sites)) == "bucket_required"

    await store.set_quota(main, 100)
    await store.put(main, "a", bytes(60), PutOptions())
    assert await refusal(store.put(main, "b", bytes(41), PutOptions())) == "quota_exceeded"
    await store.put(main, "b", bytes(40), PutOptions())
    await store.put(main, "b", bytes(30), PutOptions())
    assert await refusal(store.copy(main, "a", main, "c")) == "quota_exceeded"
    assert await refusal(store.copy(main, "a", main, "b")) == "quota_exceeded"
    await store.copy(main, "a", sites, "a")
    info, other = await store.buckets(PROJECT)
    assert (info.objects, info.size, info.quota) == (2, 90, 100)
    assert (other.objects, other.size, other.quota) == (1, 60, None)
    assert await refusal(store.put(sites, "b", bytes(851), PutOptions())) == "quota_exceeded"
    upload = await store.create_upload(sites, "k", PutOptions())
    part = await store.put_part(sites, "k", upload, 1, bytes(800), {})
    assert await refusal(store.put(sites, "b", bytes(51), PutOptions())) == "quota_exceeded"
    await store.complete_upload(sites, "k", upload, [(1, part.etag)])
    assert await refusal(store.put(main, "empty", b"", PutOptions())) == "quota_exceeded"
    await store.set_quota(main, 10)
    await store.put(main, "a", bytes(50), PutOptions())  # smaller than it was, although the bucket is too full
    await store.delete(main, ["a", "b"])
    await store.put(BucketId("two", "main"), "k", bytes(1_000), PutOptions())

    await store.create_bucket(BucketId(PROJECT, "third"), quota=1)
    assert await refusal(store.create_bucket(BucketId(PROJECT, "fourth"))) == "too_many_buckets"
    gone = await store.create_upload(BucketId(PROJECT, "third"), "k", PutOptions())
    await store.put_part(BucketId(PROJECT, "third"), "k", gone, 1, b"x", {})
    await store.delete_bucket(BucketId(PROJECT, "third"))
    await store.stop()
    check_kept(tmp_path)
