"""Signatures: AWS's published examples, and whatever botocore's signer makes of any key and query."""

from __future__ import annotations

import contextlib
import hashlib
from urllib.parse import urlsplit

import pytest
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth  # type: ignore[import-untyped]
from botocore.awsrequest import AWSRequest  # type: ignore[import-untyped]
from botocore.credentials import Credentials  # type: ignore[import-untyped]
from hypothesis import given
from hypothesis import strategies as st

from v8box.bindings.s3.interface import BucketId
from v8box.features.s3_api import UrlPresigner
from v8box.features.s3_api.box_key import BoxKey
from v8box.features.s3_api.chunked import ChunkedDecoder, ChunkSigner
from v8box.features.s3_api.errors import S3Error
from v8box.features.s3_api.sigv4 import (
    EMPTY_SHA256,
    UNSIGNED_PAYLOAD,
    Claim,
    canonical_paths,
    canonical_request,
    check_time,
    claim_of,
    parse_query,
    sign,
    signing_key,
    uri_encode,
)

KEY_ID = "AKIAIOSFODNN7EXAMPLE"
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
HOST = "examplebucket.s3.amazonaws.com"
DAY = "20130524T000000Z"


def header_of(signed: str, signature: str) -> str:
    credential = f"{KEY_ID}/20130524/us-east-1/s3/aws4_request"
    return f"AWS4-HMAC-SHA256 Credential={credential},SignedHeaders={signed},Signature={signature}"


def signature_of(
    method: str, path: bytes, query: bytes, headers: dict[str, str], payload: str, secret: str = SECRET
) -> tuple[set[str], Claim]:
    pairs = parse_query(query)
    claim = claim_of(headers, pairs)
    assert claim is not None
    key = signing_key(secret, claim)
    made = {
        sign(key, claim, canonical_request(claim, method, each, pairs, headers, payload))
        for each in canonical_paths(path)
    }
    return made, claim


EXAMPLES = [
    pytest.param(
        "GET",
        b"/test.txt",
        b"",
        {"range": "bytes=0-9"},
        b"",
        "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
        id="get an object",
    ),
    pytest.param(
        "PUT",
        b"/test$file.text",
        b"",
        {"date": "Fri, 24 May 2013 00:00:00 GMT", "x-amz-storage-class": "REDUCED_REDUNDANCY"},
        b"Welcome to Amazon S3.",
        "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
        id="put an object",
    ),
    pytest.param(
        "GET",
        b"/",
        b"lifecycle",
        {},
        b"",
        "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
        id="get a bucket's lifecycle",
    ),
    pytest.param(
        "GET",
        b"/",
        b"max-keys=2&prefix=J",
        {},
        b"",
        "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
        id="list objects",
    ),
]


@pytest.mark.parametrize(("method", "path", "query", "more", "body", "signature"), EXAMPLES)
def test_the_examples_of_the_reference(
    method: str, path: bytes, query: bytes, more: dict[str, str], body: bytes, signature: str
) -> None:
    payload = hashlib.sha256(body).hexdigest()
    headers = {"host": HOST, "x-amz-content-sha256": payload, "x-amz-date": DAY, **more}
    headers["authorization"] = header_of(";".join(sorted(headers)), signature)
    made, claim = signature_of(method, path, query, headers, payload)
    assert claim.signature == signature
    assert signature in made


def test_the_reference_s_presigned_url() -> None:
    signature = "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
    query = (
        f"X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={KEY_ID}%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"
        f"&X-Amz-Date={DAY}&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature={signature}"
    ).encode()
    made, claim = signature_of("GET", b"/test.txt", query, {"host": HOST}, UNSIGNED_PAYLOAD)
    assert (claim.presigned, claim.expires_seconds) == (True, 86_400)
    assert made == {signature}


def chunked_claim(headers: dict[str, str], signature: str) -> ChunkSigner:
    headers["authorization"] = header_of(";".join(sorted(headers)), signature)
    payload = headers["x-amz-content-sha256"]
    made, claim = signature_of("PUT", b"/examplebucket/chunkObject.txt", b"", headers, payload)
    assert made == {signature}
    return ChunkSigner(signing_key(SECRET, claim), claim)


def test_the_reference_s_signed_chunks() -> None:
    headers = {
        "host": "s3.amazonaws.com",
        "x-amz-date": DAY,
        "x-amz-storage-class": "REDUCED_REDUNDANCY",
        "x-amz-content-sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
        "content-encoding": "aws-chunked",
        "x-amz-decoded-content-length": "66560",
        "content-length": "66824",
    }
    signer = chunked_claim(headers, "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9")
    body = (
        b"10000;chunk-signature=ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648\r\n"
        + b"a" * 65536
        + b"\r\n400;chunk-signature=0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497\r\n"
        + b"a" * 1024
        + b"\r\n0;chunk-signature=b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9\r\n\r\n"
    )
    assert len(body) == 66824
    decoder = ChunkedDecoder(signer, trailing=False)
    assert b"".join(decoder.feed(body)) == b"a" * 66560
    decoder.finish()


def test_the_reference_s_signed_trailer() -> None:
    headers = {
        "host": "s3.amazonaws.com",
        "x-amz-date": DAY,
        "x-amz-storage-class": "REDUCED_REDUNDANCY",
        "x-amz-content-sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
        "content-encoding": "aws-chunked",
        "x-amz-decoded-content-length": "66560",
        "x-amz-trailer": "x-amz-checksum-crc32c",
    }
    signer = chunked_claim(headers, "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e")
    body = (
        b"10000;chunk-signature=b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2\r\n"
        + b"a" * 65536
        + b"\r\n400;chunk-signature=1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7\r\n"
        + b"a" * 1024
        + b"\r\n0;chunk-signature=2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992\r\n"
        + b"x-amz-checksum-crc32c:sOO8/Q==\r\n"
        + b"x-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n\r\n"
    )
    trailers: list[tuple[str, str]] = []
    decoder = ChunkedDecoder(signer, trailing=True, on_trailer=lambda name, value: trailers.append((name, value)))
    assert b"".join(decoder.feed(body)) == b"a" * 66560
    decoder.finish()
    assert trailers == [("x-amz-checksum-crc32c", "sOO8/Q==")]


# ---- against botocore

keys = st.text(min_size=1, max_size=40).filter(lambda key: "\x00" not in key and key.isprintable())
queries = st.dictionaries(st.sampled_from(["prefix", "marker", "delimiter", "x-id", "uploads"]), keys)
CREDENTIALS = Credentials(KEY_ID, SECRET)


def botocore_request(key: str, query: dict[str, str], data: bytes = b"") -> AWSRequest:
    url = f"http://localhost:8000/s3/bucket/{uri_encode(key, safe='/')}"
    if query:
        url += "?" + "&".join(f"{name}={uri_encode(value)}" for name, value in query.items())
    return AWSRequest("PUT", url, headers={"X-Amz-Meta-Note": "a  b "}, data=data)


def as_received(request: AWSRequest) -> tuple[bytes, bytes, dict[str, str]]:
    parts = urlsplit(request.url)
    headers = {
        name.lower(): value.decode() if isinstance(value, bytes) else str(value)
        for name, value in request.headers.items()
    }
    headers.setdefault("host", parts.netloc)
    return parts.path.encode(), parts.query.encode(), headers


@given(keys, queries)
def test_botocore_s_header_signatures(key: str, query: dict[str, str]) -> None:
    request = botocore_request(key, query, b"content")
    S3SigV4Auth(CREDENTIALS, "s3", "eu-x").add_auth(request)
    path, raw_query, headers = as_received(request)
    made, claim = signature_of("PUT", path, raw_query, headers, headers["x-amz-content-sha256"])
    assert claim.region == "eu-x"
    assert claim.signature in made


@given(keys, queries)
def test_botocore_s_presigned_urls(key: str, query: dict[str, str]) -> None:
    request = botocore_request(key, query)
    S3SigV4QueryAuth(CREDENTIALS, "s3", "auto", expires=60).add_auth(request)
    path, raw_query, headers = as_received(request)
    made, claim = signature_of("PUT", path, raw_query, headers, UNSIGNED_PAYLOAD)
    assert claim.signature in made


@given(keys, st.sampled_from(["http://s3.localhost:8000", "https://s3.example.com/", "http://Host:80/s3"]))
def test_the_box_s_presigned_urls(key: str, base: str) -> None:
    box_key = BoxKey(bytes(32))
    url = urlsplit(UrlPresigner(box_key, base).presign(BucketId("one"), key, "GET", 60, disposition="attachment"))
    host = {"http://s3.localhost:8000": "s3.localhost:8000", "https://s3.example.com/": "s3.example.com"}.get(
        base, "host"
    )
    path, query = url.path.encode(), url.query.encode()
    pairs = parse_query(query)
    claim = claim_of({"host": host}, pairs)
    assert claim is not None
    assert box_key.project_of(claim.key_id) == "one"
    secret = box_key.secret(claim.key_id)
    made, _ = signature_of("GET", path, query, {"host": host}, UNSIGNED_PAYLOAD, secret)
    assert made == {claim.signature}


@pytest.mark.parametrize("path", [b"/b/(x)!*'", b"/b/a b", b"/b/\xc3\xbc", b"/b/%2e%2E/a%2fb", b"/b/~a+b", b"//b//"])
def test_a_path_may_be_signed_as_sent_or_as_aws_encodes_it(path: bytes) -> None:
    shown = list(canonical_paths(path))
    assert path.decode() in shown
    assert len(shown) <= 2


# ---- claims that are none

GOOD = header_of("host;x-amz-content-sha256;x-amz-date", "0" * 64)


@pytest.mark.parametrize(
    ("authorization", "code"),
    [
        ("AWS AKIA:signature", "InvalidRequest"),
        ("Bearer token", "InvalidRequest"),
        ("AWS4-ECDSA-P256-SHA256 Credential=x", "InvalidRequest"),
        ("AWS4-HMAC-SHA256", "AuthorizationHeaderMalformed"),
        (GOOD.replace("Signature=", "Sig="), "AuthorizationHeaderMalformed"),
        (GOOD + ",Signature=" + "0" * 64, "AuthorizationHeaderMalformed"),
        (GOOD.replace("/s3/", "/ec2/"), "AuthorizationHeaderMalformed"),
        (GOOD.replace("20130524", "20130525"), "AuthorizationHeaderMalformed"),
        (GOOD.replace("0" * 64, "0" * 63), "AuthorizationHeaderMalformed"),
        (GOOD.replace("0" * 64, "A" * 64), "AuthorizationHeaderMalformed"),
        (GOOD.replace("host;", ""), "AuthorizationHeaderMalformed"),
        (GOOD.replace("host;x-amz-content-sha256", "x-amz-content-sha256;host"), "AuthorizationHeaderMalformed"),
        (GOOD.replace("host;", "host;host;"), "AuthorizationHeaderMalformed"),
    ],
)
def test_malformed_headers_are_refused(authorization: str, code: str) -> None:
    headers = {"host": HOST, "x-amz-date": DAY, "x-amz-content-sha256": EMPTY_SHA256, "authorization": authorization}
    with pytest.raises(S3Error) as caught:
        claim_of(headers, [])
    assert caught.value.code == code


def query_of(**changed: str) -> list[tuple[str, str]]:
    fields = {
        "Algorithm": "AWS4-HMAC-SHA256",
        "Credential": f"{KEY_ID}/20130524/us-east-1/s3/aws4_request",
        "Date": DAY,
        "Expires": "60",
        "SignedHeaders": "host",
        "Signature": "0" * 64,
    }
    fields.update(changed)
    return [(f"X-Amz-{name}", value) for name, value in fields.items() if value]


@pytest.mark.parametrize(
    "changed",
    [
        {"Algorithm": "none"},
        {"Algorithm": ""},
        {"Credential": ""},
        {"Date": "20130524"},
        {"Expires": "0"},
        {"Expires": "604801"},
        {"Expires": "-1"},
        {"Expires": "\N{ARABIC-INDIC DIGIT ONE}"},
        {"Expires": ""},
        {"SignedHeaders": ""},
        {"Signature": ""},
    ],
)
def test_malformed_presigned_queries_are_refused(changed: dict[str, str]) -> None:
    assert claim_of({"host": HOST}, query_of()) is not None
    with pytest.raises(S3Error) as caught:
        claim_of({"host": HOST}, query_of(**changed))
    assert caught.value.code == "AuthorizationQueryParametersError"


def test_a_request_is_signed_in_one_way() -> None:
    assert claim_of({"host": HOST}, []) is None
    with pytest.raises(S3Error, match="Only one"):
        claim_of({"host": HOST, "authorization": GOOD}, query_of())
    with pytest.raises(S3Error, match="twice"):
        claim_of({"host": HOST}, [*query_of(), ("X-Amz-Expires", "604800")])
    with pytest.raises(S3Error, match="version 2"):
        claim_of({"host": HOST}, [("AWSAccessKeyId", "x"), ("Signature", "y")])


def test_times() -> None:
    signed_at = 1_369_353_600.0
    presigned = claim_of({"host": HOST}, query_of())
    signed = claim_of({"host": HOST, "x-amz-date": DAY, "authorization": GOOD}, [])
    assert presigned is not None
    assert signed is not None
    for now in (signed_at - 900, signed_at, signed_at + 900):
        check_time(signed, now)
    for now in (signed_at - 901, signed_at + 901):
        with pytest.raises(S3Error, match="RequestTimeTooSkewed"):
            check_time(signed, now)
    for now in (signed_at - 900, signed_at, signed_at + 59):
        check_time(presigned, now)
    with pytest.raises(S3Error, match="expired"):
        check_time(presigned, signed_at + 60)
    with pytest.raises(S3Error, match="not yet"):
        check_time(presigned, signed_at - 901)


@given(st.binary(max_size=200), st.text(max_size=200))
def test_any_query_and_header_is_parsed_or_refused(query: bytes, authorization: str) -> None:
    pairs = parse_query(query)
    for headers in ({"host": HOST}, {"host": HOST, "authorization": authorization}):
        with contextlib.suppress(S3Error):
            claim_of(headers, pairs)
