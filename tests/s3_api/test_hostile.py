"""What must not be answered, stored or read: forged, replayed, cut and lying requests, hostile XML, others' buckets."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import zlib
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from tests.s3_api.conftest import Box
from tests.s3_api.raw import chunk, code, signed

from v8box.bindings.interface import BindingError
from v8box.bindings.s3.interface import BucketId, PutOptions
from v8box.features.s3_api.crc import CRC32C, CRC64NVME, Crc

KEY = "/v8box/k"
HERE = BucketId("one", "v8box")


async def fetch(method: str, url: str, **options: Any) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
        return await client.request(method, url, **options)


async def stored(box: Box, key: str = "k") -> bytes | None:
    found = await box.store.get(HERE, key)
    if found is None:
        return None
    assert found.body is not None
    return found.body if isinstance(found.body, bytes) else b"".join([piece async for piece in found.body])


# ---- who asks


async def test_without_a_signature_nothing_is_answered_and_no_body_is_read(box: Box) -> None:
    await box.store.put(HERE, "k", b"secret", PutOptions())
    for path in ("/", "/v8box", KEY, "/s3/v8box/k", "/v8box?uploads", "/none"):
        answer = await fetch("GET", box.endpoint + path)
        assert (answer.status_code, code(answer)) == (403, "AccessDenied")
    reader, writer = await asyncio.open_connection("127.0.0.1", box.port)
    writer.write(b"PUT /v8box/k HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000000\r\n\r\n")
    assert await reader.readline() == b"HTTP/1.1 403 Forbidden\r\n"
    writer.close()
    assert await stored(box) == b"secret"


async def test_wrong_keys_and_secrets(box: Box) -> None:
    for given, expected in (
        ({"secret": "x" * 40}, "SignatureDoesNotMatch"),
        ({"key_id": "V8BX" + "A" * 16}, "SignatureDoesNotMatch"),
        ({"key_id": "V8BXI" + "A" * 40}, "SignatureDoesNotMatch"),
        ({"key_id": "AKIAIOSFODNN7EXAMPLE"}, "InvalidAccessKeyId"),
        # signed with the right secret of an id that was never given out: only the box itself could
        ({"key_id": "V8BX" + "A" * 16, "secret": box.keys.box_key.secret("V8BX" + "A" * 16)}, "InvalidAccessKeyId"),
        ({"at": box.clock() - 1000}, "RequestTimeTooSkewed"),
        ({"at": box.clock() + 1000}, "RequestTimeTooSkewed"),
    ):
        answer = await signed(box, "GET", "/", **given).send(box)
        assert code(answer) == expected
    assert (await signed(box, "GET", "/").send(box)).status_code == 200


async def test_revoked_and_expired_keys_end_at_once(box: Box) -> None:
    assert (await signed(box, "GET", "/").send(box)).status_code == 200
    await box.keys.revoke("one", box.key_id)
    assert code(await signed(box, "GET", "/").send(box)) == "InvalidAccessKeyId"
    expires = int(box.clock() * 1000) + 60_000
    key, secret = await box.keys.create("one", "for a minute", expires=expires)
    assert (await signed(box, "GET", "/", key_id=key.id, secret=secret).send(box)).status_code == 200
    box.clock.ahead = 61
    assert code(await signed(box, "GET", "/", key_id=key.id, secret=secret).send(box)) == "InvalidAccessKeyId"


async def test_what_is_signed_cannot_be_changed(box: Box) -> None:
    await box.store.put(HERE, "k", b"k", PutOptions())
    await box.store.put(HERE, "other", b"other", PutOptions())
    request = signed(box, "GET", KEY)
    assert (await request.send(box)).content == b"k"
    assert (await request.send(box, method="DELETE")).status_code == 403
    for change in (
        {"path": "/v8box/other"},
        {"path": "/s3/v8box/k"},
        {"query": "acl"},
        {"extra": {"x-amz-date": "20000101T000000Z"}},
        {"extra": {"host": "elsewhere"}},
        {"extra": {"x-amz-copy-source": "v8box/other"}},
    ):
        request = signed(box, "GET", KEY)
        for name, value in change.items():
            setattr(request, name, value)
        answer = await request.send(box)
        assert answer.status_code in (400, 403), change
    assert await stored(box) == b"k"


async def test_presigned_urls_are_for_one_thing_and_a_time(box: Box) -> None:
    presigner = box.presigner()
    await box.store.put(HERE, "other", b"other", PutOptions())
    put = presigner.presign(HERE, "k", "PUT", 60)
    answer = await fetch("PUT", put, content=b"by url")
    assert answer.status_code == 200
    get = presigner.presign(HERE, "k", "GET", 60, content_type="text/x", disposition='attachment; filename="ü"')
    answer = await fetch("GET", get)
    assert (answer.content, answer.headers["content-type"]) == (b"by url", "text/x")
    assert answer.headers["content-disposition"].startswith("attachment")
    for method, url, headers in (
        ("PUT", get, {}),
        ("GET", put, {}),
        ("DELETE", get, {}),
        ("GET", get.replace("/k?", "/other?"), {}),
        ("GET", get.replace("Expires=60", "Expires=600"), {}),
        ("GET", get + "&x-id=1", {}),
        ("GET", get.replace("response-content-type=text%2Fx", "response-content-type=text%2Fhtml"), {}),
        ("PUT", put, {"x-amz-copy-source": "v8box/other"}),
        ("PUT", put, {"x-amz-meta-n": "v"}),
        ("PUT", put + "&uploadId=1&partNumber=1", {}),
    ):
        answer = await fetch(method, url, headers=headers, content=b"x" if method == "PUT" else None)
        assert answer.status_code == 403, (method, url)
        assert code(answer) in ("SignatureDoesNotMatch", "AccessDenied")
    assert await stored(box) == b"by url"
    box.clock.ahead = 61
    assert code(await fetch("GET", get)) == "AccessDenied"


async def test_presigned_urls_of_every_kind(box: Box) -> None:
    for base in (box.endpoint, box.path_endpoint, box.endpoint + "/"):
        presigner = box.presigner(base)
        for key in ("a b/ü+%20?#&=.txt", "a//b", "..x", "(x)!*'~"):
            url = presigner.presign(HERE, key, "PUT", 60, "text/css")
            assert (await fetch("PUT", url, content=b"x", headers={"content-type": "text/css"})).status_code == 200
            assert (await fetch("PUT", url, content=b"x", headers={"content-type": "text/html"})).status_code == 403
            assert (await fetch("GET", presigner.presign(HERE, key, "GET", 60))).content == b"x"
            head = await fetch("HEAD", presigner.presign(HERE, key, "HEAD", 60))
            assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", "1")
            assert (await fetch("DELETE", presigner.presign(HERE, key, "DELETE", 604_800))).status_code == 204
            assert await stored(box, key) is None
    for method, expires in (("POST", 60), ("GET", 0), ("GET", 604_801)):
        with pytest.raises(BindingError):
            box.presigner().presign(HERE, "k", method, expires)
    with pytest.raises(ValueError, match="no base URL"):
        box.presigner("s3.example.com")


# ---- whose it is


async def test_projects_do_not_see_each_other(box: Box) -> None:
    await box.store.put(HERE, "k", b"one", PutOptions())
    await box.store.create_bucket(BucketId("one", "private"))
    key, secret = await box.keys.create("two", "other project")
    two: dict[str, Any] = {"key_id": key.id, "secret": secret}
    assert code(await signed(box, "GET", KEY, **two).send(box)) == "NoSuchKey"
    assert (await signed(box, "PUT", KEY, b"two", **two).send(box)).status_code == 200
    assert (await signed(box, "DELETE", "/v8box/x", **two).send(box)).status_code == 204
    assert await stored(box) == b"one"
    assert "private" not in (await signed(box, "GET", "/", **two).send(box)).text
    for path, headers in (("/private/k", {}), ("/v8box/copy", {"x-amz-copy-source": "private/k"})):
        answer = await signed(box, "PUT", path, b"", headers=headers, **two).send(box)
        assert code(answer) == "NoSuchBucket"
    # a presigned URL of the box is for its project alone
    url = box.presigner().presign(BucketId("two", "v8box"), "k", "GET", 60)
    assert (await fetch("GET", url)).content == b"two"
    assert (await fetch("GET", url.replace("/v8box/", "/private/"))).status_code == 403


async def test_a_key_is_for_its_buckets_and_permissions(box: Box) -> None:
    await box.store.create_bucket(BucketId("one", "private"))
    await box.store.put(BucketId("one", "private"), "k", b"x", PutOptions())
    await box.store.put(HERE, "k", b"x", PutOptions())

    async def outcomes(permissions: list[str], buckets: list[str] | None) -> list[int]:
        key, secret = await box.keys.create("one", "scoped", permissions=permissions, buckets=buckets)
        both: dict[str, Any] = {"key_id": key.id, "secret": secret}
        copy = {"x-amz-copy-source": "/private/k"}
        requests = [
            signed(box, "GET", KEY, **both),
            signed(box, "GET", "/private/k", **both),
            signed(box, "HEAD", "/v8box", **both),
            signed(box, "PUT", "/v8box/new", b"x", **both),
            signed(box, "PUT", "/private/new", b"x", **both),
            signed(box, "PUT", "/v8box/copied", headers=copy, **both),
            signed(box, "GET", "/v8box", query="list-type=2", **both),
            signed(box, "GET", "/private", query="list-type=2", **both),
            signed(box, "GET", "/", **both),
            signed(box, "PUT", "/fresh-bucket", **both),
            signed(box, "DELETE", "/fresh-bucket", **both),
        ]
        return [(await request.send(box)).status_code for request in requests]

    everything = ["read", "write", "list"]
    assert await outcomes(everything, None) == [200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 204]
    assert await outcomes(everything, ["v8box"]) == [200, 403, 200, 200, 403, 403, 200, 403, 200, 403, 403]
    assert await outcomes(["read"], None) == [200, 200, 200, 403, 403, 403, 403, 403, 403, 403, 403]
    assert await outcomes(["write"], None) == [403, 403, 200, 200, 200, 403, 403, 403, 403, 200, 204]
    assert await outcomes(["list"], None) == [403, 403, 200, 403, 403, 403, 200, 200, 200, 403, 403]
    key, secret = await box.keys.create("one", "scoped", buckets=["v8box"])
    listed = await signed(box, "GET", "/", key_id=key.id, secret=secret).send(box)
    assert "<Name>v8box</Name>" in listed.text
    assert "private" not in listed.text


# ---- bodies


async def test_a_body_must_be_the_one_that_was_signed(box: Box) -> None:
    await box.store.put(HERE, "k", b"before", PutOptions())
    for size in (5, 200_000):
        request = signed(box, "PUT", KEY, b"a" * size)
        assert code(await request.send(box, b"b" * size)) == "XAmzContentSHA256Mismatch"
        md5 = base64.b64encode(hashlib.md5(b"a" * size).digest()).decode()
        request = signed(box, "PUT", KEY, b"b" * size, headers={"content-md5": md5})
        assert code(await request.send(box)) == "BadDigest"
        for name in ("crc32", "sha1", "sha256", "crc32c", "crc64nvme"):
            digest = base64.b64encode(bytes({"crc32": 4, "crc32c": 4, "crc64nvme": 8, "sha1": 20}.get(name, 32)))
            headers = {f"x-amz-checksum-{name}": digest.decode()}
            request = signed(box, "PUT", KEY, b"b" * size, headers=headers, payload="UNSIGNED-PAYLOAD")
            assert code(await request.send(box)) == "BadDigest"
    for headers, expected in (
        ({"content-md5": "x"}, "InvalidDigest"),
        ({"x-amz-checksum-crc32": "AAAA"}, "InvalidDigest"),
        ({"x-amz-checksum-md4": "AAAA"}, "InvalidRequest"),
        ({"x-amz-checksum-crc32": "AAAAAA==", "x-amz-checksum-crc32c": "AAAAAA=="}, "InvalidRequest"),
        ({"x-amz-content-sha256": "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD"}, "NotImplemented"),
        ({"x-amz-content-sha256": "nonsense"}, "InvalidArgument"),
    ):
        request = signed(box, "PUT", KEY, b"x", headers=headers, payload=headers.get("x-amz-content-sha256"))
        assert code(await request.send(box)) == expected
    request = signed(box, "PUT", KEY, b"x")
    del request.headers["x-amz-content-sha256"]
    assert (await request.send(box)).status_code in (400, 403)
    assert await stored(box) == b"before"


@pytest.mark.parametrize("size", [100, 3_000_000])
@pytest.mark.parametrize("framing", ["length", "chunked"])
async def test_an_upload_that_is_cut_leaves_nothing(box: Box, size: int, framing: str) -> None:
    await box.store.put(HERE, "k", b"before", PutOptions())
    request = signed(box, "PUT", KEY, payload="UNSIGNED-PAYLOAD")
    request.extra = {"content-length": str(size)} if framing == "length" else {"transfer-encoding": "chunked"}
    part = b"x" * (size // 2)
    _, writer = await asyncio.open_connection("127.0.0.1", box.port)
    writer.write(request.head() + (part if framing == "length" else b"%x\r\n%s\r\n" % (len(part), part)))
    await writer.drain()
    writer.close()
    incoming = box.store._directory / "incoming"
    async with asyncio.timeout(60):
        while any(incoming.iterdir()):  # noqa: ASYNC110 - a folder has no event
            await asyncio.sleep(0.01)
    # a whole request behind it is answered, and what is there is what was there
    assert (await signed(box, "GET", KEY).send(box)).content == b"before"


def unsigned_trailer(data: bytes, name: str = "crc32", value: bytes | None = None) -> bytes:
    digest = value if value is not None else base64.b64encode(zlib.crc32(data).to_bytes(4, "big"))
    return chunk(data) + b"0\r\nx-amz-checksum-" + name.encode() + b":" + digest + b"\r\n\r\n"


async def test_unsigned_chunks_with_a_trailer(box: Box) -> None:
    data = bytes(range(256)) * 300
    headers = {
        "content-encoding": "gzip,aws-chunked",
        "x-amz-decoded-content-length": str(len(data)),
        "x-amz-trailer": "x-amz-checksum-crc32",
    }
    mode = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
    answer = await signed(box, "PUT", KEY, headers=headers, payload=mode).send(box, unsigned_trailer(data))
    assert answer.status_code == 200
    assert answer.headers["x-amz-checksum-crc32"]
    got = await signed(box, "HEAD", KEY).send(box)
    assert got.headers["content-encoding"] == "gzip"
    for name, crc in (("crc32c", Crc(CRC32C)), ("crc64nvme", Crc(CRC64NVME))):
        crc.update(data)
        value = base64.b64encode(crc.digest())
        more = {**headers, "x-amz-trailer": f"x-amz-checksum-{name}"}
        request = signed(box, "PUT", KEY, headers=more, payload=mode)
        assert (await request.send(box, unsigned_trailer(data, name, value))).status_code == 200
    both = {**headers, "x-amz-checksum-crc32": "AAAAAA=="}
    answer = await signed(box, "PUT", "/v8box/bad", headers=both, payload=mode).send(box, unsigned_trailer(data))
    assert code(answer) == "InvalidRequest"
    whole = unsigned_trailer(data)
    for body, expected in (
        (unsigned_trailer(data, value=b"AAAAAA=="), "BadDigest"),
        (unsigned_trailer(data, name="sha1"), "MalformedTrailerError"),
        (unsigned_trailer(data)[:-2] + b"x-amz-checksum-crc32:AAAAAA==\r\n\r\n", "MalformedTrailerError"),
        (chunk(data) + b"0\r\n\r\n", "MalformedTrailerError"),
        (chunk(data), "IncompleteBody"),
        (unsigned_trailer(data[:-1]), "IncompleteBody"),
        (unsigned_trailer(data + b"x"), "IncompleteBody"),
        (whole + b"more", "InvalidRequest"),
        (whole.replace(b"0\r\nx-amz", b"zz\r\nx-amz"), "InvalidRequest"),
        (b"1" * 600, "InvalidRequest"),
        (b"", "IncompleteBody"),
        (chunk(data)[:-2] + b"xx0\r\n\r\n", "InvalidRequest"),
    ):
        answer = await signed(box, "PUT", "/v8box/bad", headers=headers, payload=mode).send(box, body)
        assert code(answer) == expected, body[-80:]
    assert await stored(box, "bad") is None


@pytest.mark.parametrize("trailing", [False, True])
async def test_signed_chunks(box: Box, trailing: bool) -> None:
    data = bytes(range(256)) * 64
    mode = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD" + ("-TRAILER" if trailing else "")
    headers = {"content-encoding": "aws-chunked", "x-amz-decoded-content-length": str(len(data))}
    if trailing:
        headers["x-amz-trailer"] = "x-amz-checksum-sha256"

    def body(request: Any, pieces: list[bytes]) -> bytes:
        whole = b"".join(chunk(piece, request.signer) for piece in [*pieces, b""])
        if trailing:
            value = base64.b64encode(hashlib.sha256(b"".join(pieces)).digest()).decode()
            text = f"x-amz-checksum-sha256:{value}\n"
            signature = request.signer.trailer(hashlib.sha256(text.encode()).hexdigest())
            whole += f"x-amz-checksum-sha256:{value}\r\nx-amz-trailer-signature:{signature}\r\n".encode()
        return whole + b"\r\n"

    request = signed(box, "PUT", KEY, headers=headers, payload=mode)
    answer = await request.send(box, body(request, [data[:8192], data[8192:16000]]))
    assert code(answer) == "IncompleteBody"  # less than it said
    request = signed(box, "PUT", KEY, headers=headers, payload=mode)
    assert (await request.send(box, body(request, [data[:8192], data[8192:]]))).status_code == 200
    assert await stored(box) == data
    bends: list[Callable[[bytes], bytes]] = [
        lambda whole: whole.replace(data[:10], b"x" * 10, 1),
        lambda whole: whole[: whole.rindex(b"0;chunk")] + b"0\r\n\r\n",
        lambda whole: whole.replace(b"chunk-signature=", b"chunk-signature=0", 1)[:-1],
        lambda whole: whole[: whole.rindex(b"0;chunk")],
        lambda whole: whole.replace(b"x-amz-trailer-signature", b"x-other") if trailing else whole[:100],
    ]
    for bend in bends:
        request = signed(box, "PUT", "/v8box/bad", headers=headers, payload=mode)
        answer = await request.send(box, bend(body(request, [data[:8192], data[8192:]])))
        assert code(answer) in ("SignatureDoesNotMatch", "InvalidRequest", "IncompleteBody")
    request = signed(box, "PUT", "/v8box/bad", headers=headers, payload=mode)
    tiny = body(request, [data[:100], data[100:]])
    assert code(await request.send(box, tiny)) == "InvalidChunkSizeError"
    assert await stored(box, "bad") is None


async def test_bodies_are_bounded(box: Box) -> None:
    most = 64 * 1024 * 1024
    request = signed(box, "PUT", KEY, payload="UNSIGNED-PAYLOAD")
    request.extra["content-length"] = str(most + 1)
    reader, writer = await asyncio.open_connection("127.0.0.1", box.port)
    writer.write(request.head())
    assert await reader.readline() == b"HTTP/1.1 400 Bad Request\r\n"
    assert b"EntityTooLarge" in await reader.read(4096)
    writer.close()
    assert await stored(box) is None


async def test_promises_that_are_not_kept_are_refused(box: Box) -> None:
    upload = await box.store.create_upload(HERE, "k", PutOptions())
    body = b"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>x</ETag></Part></CompleteMultipartUpload>"
    for method, query, headers in (
        ("POST", f"uploadId={upload}", {"x-amz-checksum-crc64nvme": "AAAAAAAAAAA="}),
        ("POST", f"uploadId={upload}", {"if-none-match": "*"}),
        ("PUT", "", {"x-amz-server-side-encryption-customer-algorithm": "AES256"}),
        ("PUT", "", {"x-amz-object-lock-mode": "COMPLIANCE"}),
        ("PUT", "", {"x-amz-grant-read": "x"}),
        ("DELETE", "", {"if-match": "x"}),
    ):
        answer = await signed(box, method, KEY, body, query=query, headers=headers).send(box)
        assert (answer.status_code, code(answer)) == (501, "NotImplemented"), headers
    owned = {"x-amz-expected-bucket-owner": "111122223333"}
    assert code(await signed(box, "GET", "/v8box", headers=owned).send(box)) == "AccessDenied"
    owned = {"x-amz-expected-bucket-owner": "one"}
    assert (await signed(box, "GET", "/v8box", headers=owned).send(box)).status_code == 200


# ---- XML

BOMB = """<?xml version="1.0"?><!DOCTYPE Delete [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>
<Delete><Object><Key>&b;</Key></Object></Delete>"""
FILE = '<!DOCTYPE Delete [<!ENTITY a SYSTEM "file:///etc/passwd">]><Delete><Object><Key>&a;</Key></Object></Delete>'


@pytest.mark.parametrize(
    "body",
    [
        "",
        "nonsense",
        BOMB,
        FILE,
        '<!DOCTYPE Delete SYSTEM "http://127.0.0.1/x"><Delete><Object><Key>k</Key></Object></Delete>',
        "<Delete><Object><Key>&undefined;</Key></Object></Delete>",
        "<Other><Object><Key>k</Key></Object></Other>",
        "<Delete></Delete>",
        "<Delete><Object><Key>k</Key></Object>",
        "<Delete><Object><Key>k</Key><Key>l</Key></Object></Delete>",
        "<Delete>" + "<Object>" * 50 + "</Object>" * 50 + "</Delete>",
        "<Delete>" + "<Object><Key>k</Key></Object>" * 1001 + "</Delete>",
        f"<Delete><Object><Key>{'k' * 5000}</Key></Object></Delete>",
        "<Delete><Object><Key>\x00</Key></Object></Delete>",
    ],
)
async def test_hostile_xml_is_refused(box: Box, body: str) -> None:
    await box.store.put(HERE, "k", b"x", PutOptions())
    answer = await signed(box, "POST", "/v8box", body.encode(), query="delete").send(box)
    assert (answer.status_code, code(answer)) == (400, "MalformedXML")
    upload = await box.store.create_upload(HERE, "k", PutOptions())
    parts = body.replace("Delete", "CompleteMultipartUpload").replace("Object", "Part")
    answer = await signed(box, "POST", KEY, parts.encode(), query=f"uploadId={upload}").send(box)
    assert answer.status_code == 400
    assert await stored(box) == b"x"


async def test_xml_bodies_are_bounded_and_checked(box: Box) -> None:
    await box.store.put(HERE, "k", b"x", PutOptions())
    body = b"<Delete><Object><Key>k</Key></Object></Delete>"
    large = body + b" " * (2 * 1024 * 1024)
    assert code(await signed(box, "POST", "/v8box", large, query="delete").send(box)) == "EntityTooLarge"
    request = signed(box, "POST", "/v8box", body, query="delete")
    changed = await request.send(box, body.replace(b">k<", b">l<"))
    assert code(changed) == "XAmzContentSHA256Mismatch"
    request = signed(box, "POST", "/v8box", body, query="delete", headers={"content-md5": "AAAAAAAAAAAAAAAAAAAAAA=="})
    assert code(await request.send(box)) == "BadDigest"
    assert await stored(box) == b"x"


# ---- what comes out


async def test_every_answer_is_harmless_to_a_browser(box: Box) -> None:
    page = PutOptions(http={"contentType": "text/html"})
    await box.store.put(HERE, "k", b"<script>steal()</script>", page)
    for answer in (
        await signed(box, "GET", KEY).send(box),
        await signed(box, "GET", "/s3/v8box/k").send(box),
        await signed(box, "GET", "/v8box").send(box),
        await fetch("GET", box.endpoint + KEY),
        await fetch("OPTIONS", box.endpoint + KEY),
    ):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-security-policy"] == "sandbox"
        assert answer.headers["access-control-allow-origin"] == "*"
        assert "access-control-allow-credentials" not in answer.headers
        assert answer.headers["x-amz-request-id"] == "request-1"


async def test_preflights(box: Box) -> None:
    asked = {
        "origin": "https://app.example",
        "access-control-request-method": "PUT",
        "access-control-request-headers": "content-type, x-amz-date,authorization",
    }
    answer = await fetch("OPTIONS", box.endpoint + KEY + "?X-Amz-Signature=x", headers=asked)
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["access-control-allow-headers"] == "content-type, x-amz-date,authorization"
    assert "PUT" in answer.headers["access-control-allow-methods"]
    answer = await fetch("OPTIONS", box.endpoint + KEY, headers={"access-control-request-headers": "<x>"})
    assert answer.headers["access-control-allow-headers"] == "*"


async def test_metadata_cannot_split_an_answer(box: Box) -> None:
    custom = {"a b": "1", "x\r\ny": "2", "fine": "ü", "line": "a\r\nset-cookie: b=c"}
    http = {"contentType": "a/b\r\nset-cookie: b=c", "cacheControl": "no\x00"}
    await box.store.put(HERE, "k", b"x", PutOptions(http=http, custom=custom))
    answer = await signed(box, "GET", KEY).send(box)
    assert answer.status_code == 200
    assert "set-cookie" not in answer.headers
    assert answer.headers["x-amz-missing-meta"] == "2"
    assert answer.headers["x-amz-meta-fine"] == "=?UTF-8?B?w7w=?="
    for expiry in ("999999999999999", "-1", "NaN", "8640000000000000"):
        await box.store.put(HERE, "expiry", b"x", PutOptions(http={"cacheExpiry": expiry}))
        answer = await signed(box, "GET", "/v8box/expiry").send(box)
        assert (answer.status_code, "expires" in answer.headers) == (200, False)
    query = "response-content-type=a%2Fb%0D%0Aset-cookie%3A%20b%3Dc"
    answer = await signed(box, "GET", KEY, query=query).send(box)
    assert (answer.status_code, "set-cookie" in answer.headers) == (200, False)


async def test_parts_and_ranges_by_hand(box: Box) -> None:
    await box.store.put(HERE, "k", b"0123456789", PutOptions())
    etag = (await signed(box, "HEAD", KEY).send(box)).headers["etag"]
    modified = (await signed(box, "HEAD", KEY).send(box)).headers["last-modified"]
    for headers, status, content in (
        ({"range": "bytes=2-3", "if-range": etag}, 206, b"23"),
        ({"range": "bytes=2-3", "if-range": modified}, 206, b"23"),
        ({"range": "bytes=2-3", "if-range": '"other"'}, 200, b"0123456789"),
        ({"range": "bytes=2-3", "if-range": "Wed, 21 Oct 2015 07:28:00 GMT"}, 200, b"0123456789"),
        ({"range": "bytes=2-3", "if-match": etag}, 206, b"23"),
        ({"range": "bytes=2-3", "if-none-match": etag}, 304, b""),
        ({"range": "bytes=20-", "if-match": '"other"'}, 412, None),
        ({"range": "bytes=20-"}, 416, None),
        ({"range": "bytes= 8 - 99"}, 206, b"89"),
    ):
        answer = await signed(box, "GET", KEY, headers=headers).send(box)
        assert answer.status_code == status, headers
        assert content is None or answer.content == content
        head = await signed(box, "HEAD", KEY, headers=headers).send(box)
        assert (head.status_code, head.content) == (status, b"")
        if content:
            assert head.headers["content-length"] == str(len(content))
        if status == 416:
            assert answer.headers["content-range"] == "bytes */10"
    assert (await signed(box, "GET", KEY, query="partNumber=1").send(box)).content == b"0123456789"
    assert code(await signed(box, "GET", KEY, query="partNumber=2").send(box)) == "InvalidRange"


async def test_head_and_errors_have_no_body(box: Box) -> None:
    await box.store.put(HERE, "k", b"hello", PutOptions())
    answer = await signed(box, "HEAD", KEY).send(box)
    assert (answer.content, answer.headers["content-length"]) == (b"", "5")
    answer = await signed(box, "HEAD", "/v8box/none").send(box)
    assert (answer.status_code, answer.content) == (404, b"")
    answer = await fetch("HEAD", box.endpoint + KEY)
    assert (answer.status_code, answer.content) == (403, b"")
    answer = await signed(box, "GET", KEY, headers={"if-none-match": "*"}).send(box)
    assert (answer.status_code, answer.content) == (304, b"")


@pytest.mark.parametrize(
    ("method", "path", "query", "expected"),
    [
        ("PATCH", KEY, "", "MethodNotAllowed"),
        ("POST", KEY, "", "NotImplemented"),
        ("POST", KEY, "select&select-type=2", "NotImplemented"),
        ("POST", "/v8box", "", "NotImplemented"),
        ("PUT", "/", "", "NotImplemented"),
        ("DELETE", KEY, "tagging", "NotImplemented"),
        ("GET", "/v8box", "versions", "NotImplemented"),
        ("GET", KEY, "acl&torrent", "InvalidArgument"),
        ("GET", "/v8box", "max-keys=x", "InvalidArgument"),
        ("GET", "/v8box", "max-keys=-1", "InvalidArgument"),
        ("GET", "/v8box", "prefix=%ff", "InvalidArgument"),
        ("GET", "/v8box", "encoding-type=base64", "InvalidArgument"),
        ("GET", "/v8box/%ff", "", "InvalidURI"),
        ("GET", "/..%2fx", "", "InvalidBucketName"),
        ("GET", "/UPPER", "", "NoSuchBucket"),
        ("PUT", "/UPPER", "", "InvalidBucketName"),
        ("PUT", "/a..b", "", "InvalidBucketName"),
        ("GET", "/x", "", "NoSuchBucket"),
        ("GET", KEY, "uploadId=none", "NoSuchUpload"),
    ],
)
async def test_odd_requests(box: Box, method: str, path: str, query: str, expected: str) -> None:
    answer = await signed(box, method, path, query=query).send(box)
    assert code(answer) == expected


async def test_control_characters_in_keys(box: Box) -> None:
    for key in ("tab\there", "line\nfeed", "bell\x07", "nul\x00"):
        await box.store.put(HERE, key, b"x", PutOptions())
    answer = await signed(box, "GET", "/v8box", query="list-type=2&encoding-type=url").send(box)
    for shown in ("tab%09here", "line%0Afeed", "bell%07", "nul%00"):
        assert f"<Key>{shown}</Key>" in answer.text
    for path in ("/v8box/bell%07", "/v8box/nul%00"):
        assert (await signed(box, "GET", path).send(box)).content == b"x"


async def test_nothing_secret_is_in_the_database(box: Box) -> None:
    rows = await box.database.read(lambda transaction: transaction.rows("select * from s3_keys"))
    assert box.key_id in json.dumps(rows)
    assert box.secret not in json.dumps(rows)
    assert box.secret not in repr(box.keys.box_key)
