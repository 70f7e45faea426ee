"""The same API when the box keeps its objects on an S3 server (`S3_ENDPOINT`): clients see no difference."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.s3_api.conftest import Box, Clock, serve
from tests.s3_api.raw import code, signed
from tests.servers import SwiftServer
from tests.servers.fixtures import swift_server  # noqa: F401 - a fixture

from v8box.bindings.s3.interface import BucketId
from v8box.bindings.s3.server import S3Server
from v8box.features.s3_api import AccessKeys, S3Api
from v8box.storage import Database

MIB = 1024 * 1024


@pytest.fixture
async def far_box(tmp_path: Path, no_proxy: None, swift_server: SwiftServer) -> AsyncIterator[Box]:  # noqa: F811
    store = S3Server(
        swift_server.endpoint, swift_server.access_key, swift_server.secret_key, swift_server.region, spool=tmp_path
    )
    await store.start()
    database = await Database.open(tmp_path / "catalog.db")
    clock = Clock()
    keys = await AccessKeys.open(database, tmp_path / "s3.key", clock=clock)
    key, secret = await keys.create("default", "tests")
    async with serve(S3Api(store, keys, clock=clock)) as port:
        yield Box(port, store, keys, clock, database, key.id, secret)  # type: ignore[arg-type] # another store
    await keys.stop()
    await database.close()
    await store.stop()


async def test_objects_lists_copies_and_parts(far_box: Box) -> None:
    async with far_box.client() as s3:
        names = [bucket["Name"] for bucket in (await s3.list_buckets())["Buckets"]]
        assert "v8box" in names
        await s3.create_bucket(Bucket="far")
        where: dict[str, Any] = {"Bucket": "far"}
        data = bytes(range(256)) * (6 * MIB // 256)
        put = await s3.put_object(**where, Key="a/ü b", Body=data[:1000], ContentType="a/b", Metadata={"n": "v"})
        assert put["ETag"] == f'"{hashlib.md5(data[:1000]).hexdigest()}"'
        got = await s3.get_object(**where, Key="a/ü b", Range="bytes=10-19", IfMatch=put["ETag"])
        assert (await got["Body"].read(), got["ContentType"], got["Metadata"]) == (data[10:20], "a/b", {"n": "v"})
        await s3.copy_object(**where, Key="copy", CopySource={"Bucket": "far", "Key": "a/ü b"})
        listed = await s3.list_objects_v2(**where, Delimiter="/")
        assert [each["Key"] for each in listed["Contents"]] == ["copy"]
        assert [each["Prefix"] for each in listed["CommonPrefixes"]] == ["a/"]
        upload = {
            **where,
            "Key": "parts",
            "UploadId": (await s3.create_multipart_upload(**where, Key="parts"))["UploadId"],
        }
        one = await s3.upload_part(**upload, PartNumber=1, Body=data)
        source = {"Bucket": "far", "Key": "copy"}
        two = await s3.upload_part_copy(**upload, PartNumber=2, CopySource=source, CopySourceRange="bytes=0-99")
        parts = [{"PartNumber": 1, "ETag": one["ETag"]}, {"PartNumber": 2, "ETag": two["CopyPartResult"]["ETag"]}]
        await s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
        assert await (await s3.get_object(**where, Key="parts"))["Body"].read() == data + data[:100]
        keys = ["a/ü b", "copy", "parts"]
        await s3.delete_objects(**where, Delete={"Objects": [{"Key": key} for key in keys]})
        await s3.delete_bucket(**where)


async def test_a_body_that_is_not_what_it_says_is_not_kept(far_box: Box) -> None:
    bucket = BucketId("default", "v8box")
    for size in (1000, 9 * MIB):
        request = signed(far_box, "PUT", "/v8box/bad", b"a" * size)
        assert code(await request.send(far_box, b"b" * size)) == "XAmzContentSHA256Mismatch"
        checksum = {"x-amz-checksum-crc32": base64.b64encode(bytes(4)).decode()}
        request = signed(far_box, "PUT", "/v8box/bad", b"a" * size, headers=checksum, payload="UNSIGNED-PAYLOAD")
        assert code(await request.send(far_box)) == "BadDigest"
        request = signed(far_box, "PUT", "/v8box/bad", payload="UNSIGNED-PAYLOAD")
        request.extra = {"content-length": str(size)}
        _, writer = await asyncio.open_connection("127.0.0.1", far_box.port)
        writer.write(request.head() + b"x" * (size - 1))
        await writer.drain()
        writer.close()
    assert (await signed(far_box, "GET", "/v8box/fine").send(far_box)).status_code == 404
    assert await far_box.store.head(bucket, "bad") is None
    async with asyncio.timeout(60):  # the cut upload is given up once the server has noticed
        while await far_box.store.list_uploads(bucket):  # noqa: ASYNC110 - a server has no event
            await asyncio.sleep(0.05)
