"""Who a request is from, and what they may do. Nothing is looked up before the signature is right."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from v8box.features.s3_api.chunked import ChunkSigner
from v8box.features.s3_api.errors import S3Error
from v8box.features.s3_api.request import Request
from v8box.features.s3_api.service import ALL_PERMISSIONS, AccessKeys, Permission
from v8box.features.s3_api.sigv4 import (
    UNSIGNED_PAYLOAD,
    Claim,
    canonical_paths,
    canonical_request,
    check_time,
    claim_of,
    equal,
    sign,
    signing_key,
)


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose key signed a request, and what that key may do."""

    project: str
    buckets: frozenset[str] | None
    permissions: frozenset[Permission]
    signer: ChunkSigner

    def require(self, permission: Permission, bucket: str) -> None:
        """Raises `S3Error` unless the key may do this with that bucket."""
        if permission not in self.permissions:
            raise S3Error("AccessDenied", f"This access key has no permission to {permission}.")
        self.require_bucket(bucket)

    def require_bucket(self, bucket: str) -> None:
        if self.buckets is not None and bucket not in self.buckets:
            raise S3Error("AccessDenied", "This access key is for other buckets.")


class Authenticator:
    """Checks signatures against the access keys."""

    def __init__(self, keys: AccessKeys, clock: Callable[[], float] = time.time) -> None:
        self._keys = keys
        self._clock = clock

    async def authenticate(self, request: Request) -> Caller:
        """Raises `S3Error`. Reads nothing of the body."""
        claim = claim_of(request.headers, request.query)
        if claim is None:
            raise S3Error("AccessDenied", "Sign the request with an access key, or use a presigned URL.")
        if not claim.key_id.startswith("V8BX"):
            raise S3Error("InvalidAccessKeyId")
        check_time(claim, self._clock())
        _require_signed(claim, request)
        if claim.presigned:
            request.hoist()
        _check_headers(claim, request)
        key = signing_key(self._keys.box_key.secret(claim.key_id), claim)
        if not _matches(key, claim, request):
            raise S3Error("SignatureDoesNotMatch")
        request.region = claim.region
        signer = ChunkSigner(key, claim)
        project = self._keys.box_key.project_of(claim.key_id)
        if project is not None:
            return Caller(project, None, ALL_PERMISSIONS, signer)
        found = await self._keys.find(claim.key_id)
        if found is None:
            raise S3Error("InvalidAccessKeyId")
        return Caller(found.project, found.buckets, found.permissions, signer)


def _require_signed(claim: Claim, request: Request) -> None:
    """Every x-amz- header must be signed: with a presigned URL in hand, anyone could else turn a put into a copy."""
    for name in request.headers:
        if name.startswith("x-amz-") and name not in claim.signed_headers and not _is_free(name, claim):
            raise S3Error("AccessDenied", f"There were headers present in the request which were not signed: {name}")


def _check_headers(claim: Claim, request: Request) -> None:
    if "x-amz-security-token" in request.headers:
        raise S3Error("InvalidToken")
    if not claim.presigned and "x-amz-content-sha256" not in request.headers:
        raise S3Error("InvalidRequest", "Missing required header for this request: x-amz-content-sha256")


def _is_free(name: str, claim: Claim) -> bool:
    """Headers that mean nothing here, and the body's hash, which is part of what is signed in any case."""
    return name in ("x-amz-user-agent", "x-amz-content-sha256") or (name == "x-amz-date" and claim.presigned)


def _matches(key: bytes, claim: Claim, request: Request) -> bool:
    payload_hash = request.headers.get("x-amz-content-sha256", UNSIGNED_PAYLOAD)
    matched = False
    for path in canonical_paths(request.raw_path):
        canonical = canonical_request(claim, request.method, path, request.query, request.headers, payload_hash)
        matched |= equal(sign(key, claim, canonical), claim.signature)
    return matched
