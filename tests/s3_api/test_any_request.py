"""Whatever a holder of a key sends is answered by S3's rules: never a 500, never XML that does not parse."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.s3_api.conftest import Box
from tests.s3_api.raw import signed

from v8box.bindings.s3.interface import BucketId, PutOptions
from v8box.features.s3_api import S3Api
from v8box.features.s3_api.sigv4 import uri_encode

HERE = BucketId("one", "v8box")

NAMES = st.sampled_from(
    "acl attributes continuation-token cors delete delimiter encoding-type fetch-owner key-marker list-type location"
    " marker max-keys max-parts max-uploads part-number-marker partNumber policy prefix response-content-type"
    " response-expires start-after tagging torrent upload-id-marker uploadId uploads versionId versioning website"
    " x-id".split()
)
VALUES = st.sampled_from(
    ["", "0", "1", "2", "/", "k", "url", "true", "null", "\x00", "ü", "-1", "99999999999"]
) | st.text(max_size=10)
HEADERS = st.sampled_from(
    "cache-control content-encoding content-md5 content-type expires if-match if-modified-since if-none-match if-range"
    " if-unmodified-since range x-amz-acl x-amz-checksum-crc32 x-amz-checksum-sha256 x-amz-copy-source"
    " x-amz-copy-source-if-match x-amz-copy-source-range x-amz-decoded-content-length x-amz-meta-n"
    " x-amz-metadata-directive x-amz-sdk-checksum-algorithm x-amz-storage-class x-amz-tagging x-amz-trailer".split()
)
HEADER_VALUES = st.sampled_from(
    [
        *("", "*", '"x"', "bytes=0-1", "bytes=9-", "bytes=-1", "bytes=0-0,1-1", "v8box/k", "/v8box/%00", "none/none"),
        *("Wed, 21 Oct 2015 07:28:00 GMT", "Fri, 31 Dec 9999 23:59:59 GMT", "REPLACE", "AAAAAA==", "private", "5"),
        *("x-amz-checksum-crc32", "aws-chunked", "text/html; charset=ü", "\udcff\udcfe"),
    ]
) | st.text(st.characters(exclude_characters="\r\n\x00", exclude_categories=["Cs"]), max_size=20)
PATHS = st.sampled_from(["/", "/v8box", "/v8box/", "/v8box/k", "/none", "/none/k", "/v8box//", "/V", "/.", "/v8box/.."])
PAYLOADS = st.sampled_from(
    [
        None,
        None,
        None,
        None,
        "UNSIGNED-PAYLOAD",
        "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
        "x",
    ]
)
BODIES = st.sampled_from(
    [
        b"",
        b"content",
        b"0\r\n\r\n",
        b"<Delete><Object><Key>k</Key></Object></Delete>",
        b"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>x</ETag></Part></CompleteMultipartUpload>",
        b"<CreateBucketConfiguration/>",
    ]
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    method=st.sampled_from(["GET", "HEAD", "PUT", "POST", "DELETE", "PATCH", "OPTIONS"]),
    path=PATHS | st.text(max_size=20).map(lambda key: "/v8box/" + uri_encode(key.replace("\x00", ""), safe="/")),
    query=st.dictionaries(NAMES, VALUES, max_size=3),
    headers=st.dictionaries(HEADERS, HEADER_VALUES, max_size=3),
    payload=PAYLOADS,
    body=BODIES,
)
async def test_no_request_is_too_odd(
    box: Box,
    caplog: pytest.LogCaptureFixture,
    method: str,
    path: str,
    query: dict[str, str],
    headers: dict[str, str],
    payload: str | None,
    body: bytes,
) -> None:
    caplog.clear()
    await box.store.put(HERE, "k", b"0123456789", PutOptions())
    shown = "&".join(f"{name}={uri_encode(value)}" for name, value in query.items())
    request = signed(box, method, path, body, query=shown, headers=headers, payload=payload)
    sent: list[Any] = []
    received = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Any:
        return received.pop() if received else {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    raw = [(name.encode(), value.encode("utf-8", "surrogateescape")) for name, value in request.headers.items()]
    scope = {
        "type": "http",
        "method": method,
        "raw_path": path.encode(),
        "query_string": shown.encode(),
        "headers": raw,
    }
    await S3Api(box.store, box.keys, clock=box.clock)(scope, receive, send)
    status = sent[0]["status"]
    assert status < 500 or status == 501, caplog.text
    assert caplog.records == []
    answer = dict(sent[0]["headers"])
    for name, value in sent[0]["headers"]:
        assert b"\n" not in name + value
        assert b"\r" not in name + value
    content = b"".join(message["body"] for message in sent[1:])
    if method == "HEAD":
        assert content == b""
    elif answer.get(b"content-type") == b"application/xml" and content and b"&#x" not in content:
        ElementTree.fromstring(content)
    elif b"content-length" in answer:
        assert int(answer[b"content-length"]) == len(content)
