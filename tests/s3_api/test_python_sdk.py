"""Every operation as the official Python SDK sends it, under both addresses of the box."""

from __future__ import annotations

import asyncio
import datetime
import hashlib
import io
from base64 import b64encode
from collections.abc import AsyncIterator
from typing import Any

import pytest
from botocore.exceptions import ClientError  # type: ignore[import-untyped]
from tests.s3_api.conftest import PROJECT, Box

from v8box.features.s3_api.crc import CRC32C, CRC64NVME, Crc

BUCKET = "photos"
MIB = 1024 * 1024


@pytest.fixture(params=[False, True], ids=["host", "path"])
async def s3(request: pytest.FixtureRequest, box: Box) -> AsyncIterator[Any]:
    async with box.client(path_mode=request.param) as client:
        await client.create_bucket(Bucket=BUCKET)
        yield client


async def code_of(work: Any) -> tuple[str, int]:
    with pytest.raises(ClientError) as caught:
        await work
    answer = caught.value.response
    return answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]


async def content(answer: Any) -> bytes:
    async with answer["Body"] as body:
        return bytes(await body.read())


async def test_buckets(s3: Any) -> None:
    await s3.create_bucket(Bucket="music", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    names = [bucket["Name"] for bucket in (await s3.list_buckets())["Buckets"]]
    assert {"music", BUCKET} <= set(names)
    assert await code_of(s3.create_bucket(Bucket="music")) == ("BucketAlreadyOwnedByYou", 409)
    assert (await s3.head_bucket(Bucket="music"))["BucketRegion"] == "us-east-1"
    assert "LocationConstraint" in await s3.get_bucket_location(Bucket="music")
    await s3.put_object(Bucket="music", Key="k", Body=b"x")
    assert await code_of(s3.delete_bucket(Bucket="music")) == ("BucketNotEmpty", 409)
    await s3.delete_object(Bucket="music", Key="k")
    await s3.delete_bucket(Bucket="music")
    assert await code_of(s3.head_bucket(Bucket="music")) == ("404", 404)
    for work in (
        s3.delete_bucket(Bucket="music"),
        s3.get_object(Bucket="music", Key="k"),
        s3.put_object(Bucket="music", Key="k", Body=b"x"),
        s3.list_objects_v2(Bucket="music"),
        s3.create_multipart_upload(Bucket="music", Key="k"),
        s3.get_bucket_location(Bucket="music"),
    ):
        assert await code_of(work) == ("NoSuchBucket", 404)


@pytest.mark.parametrize("size", [0, 1, 65_536, 65_537, 3 * MIB])
async def test_an_object_comes_back(s3: Any, size: int) -> None:
    data = (bytes(range(256)) * (size // 256 + 1))[:size]
    etag = f'"{hashlib.md5(data).hexdigest()}"'
    put = await s3.put_object(Bucket=BUCKET, Key="a/b c", Body=data, ContentType="text/x", Metadata={"n": "v"})
    assert put["ETag"] == etag
    got = await s3.get_object(Bucket=BUCKET, Key="a/b c")
    assert await content(got) == data
    head = await s3.head_object(Bucket=BUCKET, Key="a/b c")
    for answer in (got, head):
        shown = {name: answer[name] for name in ("ContentType", "ContentLength", "ETag", "Metadata", "AcceptRanges")}
        assert shown == {
            "ContentType": "text/x",
            "ContentLength": size,
            "ETag": etag,
            "Metadata": {"n": "v"},
            "AcceptRanges": "bytes",
        }
    await s3.delete_object(Bucket=BUCKET, Key="a/b c")
    await s3.delete_object(Bucket=BUCKET, Key="a/b c")
    assert await code_of(s3.get_object(Bucket=BUCKET, Key="a/b c")) == ("NoSuchKey", 404)
    assert (await code_of(s3.head_object(Bucket=BUCKET, Key="a/b c")))[1] == 404


@pytest.mark.parametrize(
    "key",
    [
        "../../etc/passwd",
        "..",
        "a//b",
        "/lead",
        "trail/",
        "a/./b",
        "ü/😀",
        "a b+c%20d",
        "?x=1&y#z",
        "(x)!*'~",
        "k" * 1024,
    ],
)
async def test_any_key_is_just_a_key(s3: Any, box: Box, key: str) -> None:
    await s3.put_object(Bucket=BUCKET, Key=key, Body=key.encode())
    assert await content(await s3.get_object(Bucket=BUCKET, Key=key)) == key.encode()
    assert [each["Key"] for each in (await s3.list_objects_v2(Bucket=BUCKET))["Contents"]] == [key]
    copied = {"Bucket": BUCKET, "Key": key}
    await s3.copy_object(Bucket=BUCKET, Key="copy", CopySource=copied)
    assert await content(await s3.get_object(Bucket=BUCKET, Key="copy")) == key.encode()
    deleted = await s3.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": key}, {"Key": "copy"}]})
    assert {each["Key"] for each in deleted["Deleted"]} == {key, "copy"}
    assert (await s3.list_objects_v2(Bucket=BUCKET))["KeyCount"] == 0


async def test_a_key_too_long_is_refused(s3: Any) -> None:
    assert await code_of(s3.put_object(Bucket=BUCKET, Key="k" * 1025, Body=b"")) == ("KeyTooLongError", 400)


async def test_metadata(s3: Any) -> None:
    when = datetime.datetime(2030, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)
    headers = {
        "CacheControl": "max-age=60",
        "ContentDisposition": 'attachment; filename="x.txt"',
        "ContentEncoding": "gzip",
        "ContentLanguage": "de",
        "ContentType": "text/html",
    }
    await s3.put_object(Bucket=BUCKET, Key="k", Body=b"x", Expires=when, Metadata={"A-b": "1", "c": "x  y"}, **headers)
    head = await s3.head_object(Bucket=BUCKET, Key="k")
    assert {name: head[name] for name in headers} == headers
    assert head["ExpiresString"] == "Wed, 02 Jan 2030 03:04:05 GMT"
    assert head["Metadata"] == {"a-b": "1", "c": "x  y"}
    overridden = await s3.get_object(
        Bucket=BUCKET,
        Key="k",
        ResponseContentType="a/b",
        ResponseContentDisposition="inline",
        ResponseCacheControl="no",
    )
    assert (overridden["ContentType"], overridden["ContentDisposition"], overridden["CacheControl"]) == (
        "a/b",
        "inline",
        "no",
    )
    too_much = {"n": "x" * 8192}
    assert await code_of(s3.put_object(Bucket=BUCKET, Key="k", Metadata=too_much)) == ("MetadataTooLarge", 400)


@pytest.mark.parametrize("algorithm", ["CRC32", "SHA1", "SHA256", "CRC32C", "CRC64NVME"])
async def test_checksums_of_the_sdk(s3: Any, algorithm: str) -> None:
    """Over HTTP the SDK signs the whole body; a stream that cannot be hashed before goes with a trailer (HTTPS)."""
    if algorithm in ("CRC32C", "CRC64NVME"):
        crc = Crc(CRC32C if algorithm == "CRC32C" else CRC64NVME)
        crc.update(b"data")
        good = b64encode(crc.digest()).decode()
        await s3.put_object(Bucket=BUCKET, Key="k", Body=b"data", **{f"Checksum{algorithm}": good})
        bad = s3.put_object(Bucket=BUCKET, Key="k", Body=b"other", **{f"Checksum{algorithm}": good})
    else:
        put = await s3.put_object(Bucket=BUCKET, Key="k", Body=b"data", ChecksumAlgorithm=algorithm)
        assert put[f"Checksum{algorithm}"]
        bad = s3.put_object(
            Bucket=BUCKET, Key="k", Body=b"other", **{f"Checksum{algorithm}": put[f"Checksum{algorithm}"]}
        )
    assert await code_of(bad) == ("BadDigest", 400)
    assert await content(await s3.get_object(Bucket=BUCKET, Key="k")) == b"data"


async def test_ranges(s3: Any) -> None:
    data = bytes(range(256)) * 1024
    await s3.put_object(Bucket=BUCKET, Key="k", Body=data)
    for given, expected in {
        "bytes=0-0": data[:1],
        "bytes=10-19": data[10:20],
        "bytes=100000-": data[100_000:],
        "bytes=-5": data[-5:],
        "bytes=0-999999999": data,
    }.items():
        got = await s3.get_object(Bucket=BUCKET, Key="k", Range=given)
        assert await content(got) == expected
        assert got["ResponseMetadata"]["HTTPStatusCode"] == 206
        assert got["ContentRange"].endswith(f"/{len(data)}")
        head = await s3.head_object(Bucket=BUCKET, Key="k", Range=given)
        assert head["ContentLength"] == len(expected)
    for given in ("bytes=0-1,4-5", "bytes=5-1", "bytes=-", "lines=1-2"):
        got = await s3.get_object(Bucket=BUCKET, Key="k", Range=given)
        assert got["ResponseMetadata"]["HTTPStatusCode"] == 200
        assert await content(got) == data
    for given in (f"bytes={len(data)}-", "bytes=-0"):
        assert await code_of(s3.get_object(Bucket=BUCKET, Key="k", Range=given)) == ("InvalidRange", 416)
    await s3.put_object(Bucket=BUCKET, Key="empty", Body=b"")
    assert await code_of(s3.get_object(Bucket=BUCKET, Key="empty", Range="bytes=0-")) == ("InvalidRange", 416)


async def test_conditions(s3: Any, box: Box) -> None:
    etag = (await s3.put_object(Bucket=BUCKET, Key="k", Body=b"1"))["ETag"]
    now = (await s3.head_object(Bucket=BUCKET, Key="k"))["LastModified"]
    before, after = now - datetime.timedelta(seconds=5), now + datetime.timedelta(seconds=5)
    outcomes: list[tuple[dict[str, Any], int]] = [
        ({"IfMatch": etag}, 200),
        ({"IfMatch": '"x"'}, 412),
        ({"IfMatch": "*"}, 200),
        ({"IfNoneMatch": etag}, 304),
        ({"IfNoneMatch": '"x"'}, 200),
        ({"IfModifiedSince": before}, 200),
        ({"IfModifiedSince": after}, 304),
        ({"IfModifiedSince": now}, 304),
        ({"IfUnmodifiedSince": before}, 412),
        ({"IfUnmodifiedSince": now}, 200),
        ({"IfMatch": etag, "IfUnmodifiedSince": before}, 200),
        ({"IfNoneMatch": etag, "IfModifiedSince": before}, 304),
        ({"IfNoneMatch": '"x"', "IfModifiedSince": after}, 200),
    ]
    for condition, expected in outcomes:
        for operation in (s3.get_object, s3.head_object):
            try:
                answer = await operation(Bucket=BUCKET, Key="k", **condition)
            except ClientError as error:
                answer = error.response
            assert answer["ResponseMetadata"]["HTTPStatusCode"] == expected, (condition, operation)
    assert await code_of(s3.put_object(Bucket=BUCKET, Key="k", Body=b"2", IfNoneMatch="*")) == (
        "PreconditionFailed",
        412,
    )
    assert (await code_of(s3.put_object(Bucket=BUCKET, Key="k", Body=b"2", IfMatch='"x"')))[1] == 412
    assert (await code_of(s3.put_object(Bucket=BUCKET, Key="new", Body=b"2", IfMatch='"x"')))[0] == "NoSuchKey"
    await s3.put_object(Bucket=BUCKET, Key="k", Body=b"2", IfMatch=etag)
    await s3.put_object(Bucket=BUCKET, Key="new", Body=b"2", IfNoneMatch="*")


async def test_copies(s3: Any) -> None:
    await s3.create_bucket(Bucket="backup")
    etag = (await s3.put_object(Bucket=BUCKET, Key="k", Body=b"1", ContentType="a/b", Metadata={"n": "v"}))["ETag"]
    source = {"Bucket": BUCKET, "Key": "k"}
    copied = await s3.copy_object(Bucket="backup", Key="c", CopySource=source)
    assert copied["CopyObjectResult"]["ETag"] == etag
    head = await s3.head_object(Bucket="backup", Key="c")
    assert (head["ContentType"], head["Metadata"]) == ("a/b", {"n": "v"})
    replaced = {"MetadataDirective": "REPLACE", "Metadata": {"m": "w"}, "ContentType": "c/d"}
    await s3.copy_object(Bucket=BUCKET, Key="k", CopySource=source, **replaced)
    head = await s3.head_object(Bucket=BUCKET, Key="k")
    assert (head["ContentType"], head["Metadata"]) == ("c/d", {"m": "w"})
    assert (await code_of(s3.copy_object(Bucket=BUCKET, Key="k", CopySource=source)))[0] == "InvalidRequest"
    none = {"Bucket": BUCKET, "Key": "none"}
    assert await code_of(s3.copy_object(Bucket=BUCKET, Key="x", CopySource=none)) == ("NoSuchKey", 404)
    await s3.copy_object(Bucket=BUCKET, Key="x", CopySource=source, CopySourceIfMatch=etag)
    assert (await s3.head_object(Bucket=BUCKET, Key="x"))["Metadata"] == {"m": "w"}
    for condition in ({"CopySourceIfMatch": '"x"'}, {"CopySourceIfNoneMatch": etag}):
        assert await code_of(s3.copy_object(Bucket=BUCKET, Key="x", CopySource=source, **condition)) == (
            "PreconditionFailed",
            412,
        )


async def test_multipart_uploads(s3: Any) -> None:
    data = bytes(range(256)) * (5 * MIB // 256)
    upload = await s3.create_multipart_upload(Bucket=BUCKET, Key="m", ContentType="v/x", Metadata={"n": "v"})
    where = {"Bucket": BUCKET, "Key": "m", "UploadId": upload["UploadId"]}
    one = await s3.upload_part(**where, PartNumber=1, Body=data)
    await s3.put_object(Bucket=BUCKET, Key="source", Body=data)
    two = await s3.upload_part_copy(
        **where, PartNumber=2, CopySource={"Bucket": BUCKET, "Key": "source"}, CopySourceRange="bytes=100-299"
    )
    assert [each["Key"] for each in (await s3.list_multipart_uploads(Bucket=BUCKET))["Uploads"]] == ["m"]
    listed = await s3.list_parts(**where)
    assert [(part["PartNumber"], part["Size"]) for part in listed["Parts"]] == [(1, 5 * MIB), (2, 200)]
    first = await s3.list_parts(**where, MaxParts=1)
    assert (first["IsTruncated"], first["NextPartNumberMarker"]) == (True, 1)
    parts = [
        {"PartNumber": 1, "ETag": one["ETag"]},
        {"PartNumber": 2, "ETag": two["CopyPartResult"]["ETag"]},
    ]
    wrong = {"Parts": [parts[0], {"PartNumber": 2, "ETag": '"x"'}]}
    assert (await code_of(s3.complete_multipart_upload(**where, MultipartUpload=wrong)))[0] == "InvalidPart"
    backwards = {"Parts": parts[::-1]}
    assert (await code_of(s3.complete_multipart_upload(**where, MultipartUpload=backwards)))[0] == "InvalidPartOrder"
    done = await s3.complete_multipart_upload(**where, MultipartUpload={"Parts": parts})
    assert done["ETag"].endswith('-2"')
    got = await s3.get_object(Bucket=BUCKET, Key="m")
    assert (got["ContentType"], got["Metadata"], got["ETag"]) == ("v/x", {"n": "v"}, done["ETag"])
    assert await content(got) == data + data[100:300]
    assert await code_of(s3.list_parts(**where)) == ("NoSuchUpload", 404)

    small = await s3.create_multipart_upload(Bucket=BUCKET, Key="s")
    where = {"Bucket": BUCKET, "Key": "s", "UploadId": small["UploadId"]}
    parts = [
        {"PartNumber": number, "ETag": (await s3.upload_part(**where, PartNumber=number, Body=b"x"))["ETag"]}
        for number in (1, 2)
    ]
    too_small = s3.complete_multipart_upload(**where, MultipartUpload={"Parts": parts})
    assert await code_of(too_small) == ("EntityTooSmall", 400)
    await s3.abort_multipart_upload(**where)
    assert await code_of(s3.abort_multipart_upload(**where)) == ("NoSuchUpload", 404)
    assert await code_of(s3.upload_part(**where, PartNumber=1, Body=b"x")) == ("NoSuchUpload", 404)
    assert "Uploads" not in await s3.list_multipart_uploads(Bucket=BUCKET)


async def test_a_part_too_large_a_number(s3: Any) -> None:
    upload = await s3.create_multipart_upload(Bucket=BUCKET, Key="m")
    for number in (0, 10_001):
        work = s3.upload_part(Bucket=BUCKET, Key="m", UploadId=upload["UploadId"], PartNumber=number, Body=b"x")
        assert (await code_of(work))[0] == "InvalidArgument"


KEYS = ["a", "a b", "d/1", "d/2", "d/e/1", "d/e/2", "e", "f/1", "ü"]


async def test_listings(s3: Any) -> None:
    for key in KEYS:
        await s3.put_object(Bucket=BUCKET, Key=key, Body=b"x")
    for prefix, delimiter in (("", ""), ("", "/"), ("d/", "/"), ("d", ""), ("", "1"), ("x", "/")):
        expected: list[str] = []
        prefixes: list[str] = []
        for key in KEYS:
            cut = key.find(delimiter, len(prefix)) if delimiter else -1
            if key.startswith(prefix) and cut < 0:
                expected.append(key)
            elif key.startswith(prefix) and key[: cut + 1] not in prefixes:
                prefixes.append(key[: cut + 1])
        for operation in ("list_objects", "list_objects_v2"):
            for size in (1, 2, 1000):
                pages = s3.get_paginator(operation).paginate(
                    Bucket=BUCKET, Prefix=prefix, Delimiter=delimiter, PaginationConfig={"PageSize": size}
                )
                answers = [answer async for answer in pages]
                found = [each["Key"] for answer in answers for each in answer.get("Contents", [])]
                common = [each["Prefix"] for answer in answers for each in answer.get("CommonPrefixes", [])]
                assert (found, common) == (expected, prefixes), (operation, prefix, delimiter, size)


async def test_lists_begin_where_they_are_told(s3: Any) -> None:
    for key in KEYS:
        await s3.put_object(Bucket=BUCKET, Key=key, Body=b"x")
    listed = await s3.list_objects_v2(Bucket=BUCKET, StartAfter="d/2", MaxKeys=2, FetchOwner=True)
    assert [each["Key"] for each in listed["Contents"]] == ["d/e/1", "d/e/2"]
    assert listed["Contents"][0]["Owner"]["ID"] == PROJECT
    listed = await s3.list_objects(Bucket=BUCKET, Marker="e")
    assert [each["Key"] for each in listed["Contents"]] == ["f/1", "ü"]
    assert (await s3.list_objects_v2(Bucket=BUCKET, MaxKeys=0))["KeyCount"] == 0
    assert (await code_of(s3.list_objects_v2(Bucket=BUCKET, ContinuationToken="?")))[0] == "InvalidArgument"


async def test_deleting_many(s3: Any) -> None:
    keys = [f"k{number}" for number in range(1000)]
    for key in keys[:3]:
        await s3.put_object(Bucket=BUCKET, Key=key, Body=b"x")
    quiet = {"Objects": [{"Key": key} for key in keys], "Quiet": True}
    assert "Deleted" not in await s3.delete_objects(Bucket=BUCKET, Delete=quiet)
    assert (await s3.list_objects_v2(Bucket=BUCKET))["KeyCount"] == 0
    too_many = {"Objects": [{"Key": f"k{number}"} for number in range(1001)]}
    assert (await code_of(s3.delete_objects(Bucket=BUCKET, Delete=too_many)))[0] == "MalformedXML"
    versioned = {"Objects": [{"Key": "k", "VersionId": "1"}]}
    errors = (await s3.delete_objects(Bucket=BUCKET, Delete=versioned))["Errors"]
    assert [(error["Key"], error["Code"]) for error in errors] == [("k", "NoSuchVersion")]


async def test_what_is_not_there(s3: Any) -> None:
    assert (await s3.get_bucket_acl(Bucket=BUCKET))["Grants"][0]["Permission"] == "FULL_CONTROL"
    assert "Status" not in await s3.get_bucket_versioning(Bucket=BUCKET)
    for work, code in (
        (s3.get_bucket_policy(Bucket=BUCKET), "NoSuchBucketPolicy"),
        (s3.get_bucket_cors(Bucket=BUCKET), "NoSuchCORSConfiguration"),
        (s3.get_bucket_tagging(Bucket=BUCKET), "NoSuchTagSet"),
        (s3.get_object_lock_configuration(Bucket=BUCKET), "ObjectLockConfigurationNotFoundError"),
    ):
        assert await code_of(work) == (code, 404)
    for work in (
        s3.list_object_versions(Bucket=BUCKET),
        s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"}),
        s3.put_object_tagging(Bucket=BUCKET, Key="k", Tagging={"TagSet": []}),
        s3.put_object(Bucket=BUCKET, Key="k", ServerSideEncryption="AES256"),
        s3.put_object(Bucket=BUCKET, Key="k", Tagging="a=b"),
        s3.get_object_attributes(Bucket=BUCKET, Key="k", ObjectAttributes=["ETag"]),
    ):
        assert await code_of(work) == ("NotImplemented", 501)
    assert (await code_of(s3.put_object(Bucket=BUCKET, Key="k", ACL="public-read")))[0] == (
        "AccessControlListNotSupported"
    )
    assert (await code_of(s3.get_object(Bucket=BUCKET, Key="k", VersionId="7")))[0] == "NoSuchVersion"


async def test_large_files_go_in_parts(s3: Any) -> None:
    """As the SDK's transfers do: concurrent parts."""
    data = bytes(range(256)) * (12 * MIB // 256)
    upload = (await s3.create_multipart_upload(Bucket=BUCKET, Key="big"))["UploadId"]

    async def send(number: int) -> dict[str, Any]:
        body = io.BytesIO(data[(number - 1) * 5 * MIB : number * 5 * MIB])
        part = await s3.upload_part(Bucket=BUCKET, Key="big", UploadId=upload, PartNumber=number, Body=body)
        return {"PartNumber": number, "ETag": part["ETag"]}

    parts = await asyncio.gather(*map(send, (3, 1, 2)))
    listed = sorted(parts, key=lambda part: part["PartNumber"])
    await s3.complete_multipart_upload(Bucket=BUCKET, Key="big", UploadId=upload, MultipartUpload={"Parts": listed})
    got = await s3.get_object(Bucket=BUCKET, Key="big", Range=f"bytes={5 * MIB - 10}-{5 * MIB + 9}")
    assert await content(got) == data[5 * MIB - 10 : 5 * MIB + 10]
    assert await content(await s3.get_object(Bucket=BUCKET, Key="big")) == data
