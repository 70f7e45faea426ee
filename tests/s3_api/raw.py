"""Requests made by hand: signed as they should be, then bent."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from xml.etree import ElementTree

import httpx
from tests.s3_api.conftest import Box

from v8box.features.s3_api.chunked import ChunkSigner
from v8box.features.s3_api.sigv4 import (
    Claim,
    canonical_request,
    parse_query,
    sign,
    signing_key,
    uri_encode,
)


@dataclass
class Signed:
    """A request with its signature in a header. Change what you like before it is sent."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    signer: ChunkSigner
    body: bytes = b""
    extra: dict[str, str] = field(default_factory=dict)

    async def send(self, box: Box, body: bytes | None = None, method: str | None = None) -> httpx.Response:
        url = f"{box.endpoint}{self.path}" + (f"?{self.query}" if self.query else "")
        async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
            return await client.request(
                method or self.method,
                url,
                headers={**self.headers, **self.extra},
                content=self.body if body is None else body,
            )

    def head(self) -> bytes:
        """The request's head for a socket of one's own."""
        target = self.path + (f"?{self.query}" if self.query else "")
        lines = [f"{self.method} {target} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in {**self.headers, **self.extra}.items()]
        return ("\r\n".join(lines) + "\r\n\r\n").encode()


def signed(
    box: Box,
    method: str,
    path: str,
    body: bytes = b"",
    *,
    query: str = "",
    headers: dict[str, str] | None = None,
    payload: str | None = None,
    key_id: str | None = None,
    secret: str | None = None,
    at: float | None = None,
) -> Signed:
    timestamp = datetime.fromtimestamp(box.clock() if at is None else at, UTC).strftime("%Y%m%dT%H%M%SZ")
    payload = hashlib.sha256(body).hexdigest() if payload is None else payload
    all_headers = {
        "host": box.endpoint.removeprefix("http://"),
        "x-amz-date": timestamp,
        "x-amz-content-sha256": payload,
        **(headers or {}),
    }
    key_id, secret = key_id or box.key_id, secret or box.secret
    claim = Claim(key_id, timestamp[:8], "us-east-1", timestamp, tuple(sorted(all_headers)), "")
    key = signing_key(secret, claim)
    canonical = canonical_request(
        claim, method, uri_encode(path, safe="/%"), parse_query(query.encode()), all_headers, payload
    )
    signature = sign(key, claim, canonical)
    all_headers["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={key_id}/{claim.scope}, SignedHeaders={';'.join(claim.signed_headers)}, "
        f"Signature={signature}"
    )
    proven = Claim(key_id, claim.date, claim.region, timestamp, claim.signed_headers, signature)
    return Signed(method, path, query, all_headers, ChunkSigner(key, proven), body)


def code(answer: httpx.Response) -> str:
    """The code in S3's error document."""
    tree = ElementTree.fromstring(answer.text)
    assert tree.tag == "Error", answer.text
    return tree.findtext("Code") or ""


def chunk(data: bytes, signer: ChunkSigner | None = None) -> bytes:
    signature = f";chunk-signature={signer.chunk(hashlib.sha256(data).hexdigest())}" if signer else ""
    return f"{len(data):x}{signature}\r\n".encode() + data + (b"\r\n" if data else b"")
