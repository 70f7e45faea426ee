"""Presigned URLs made by the box itself, for workers and the dashboard: `Presigner` of the `s3` binding."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlsplit

from v8box.bindings.interface import BindingError
from v8box.bindings.s3.interface import BucketId
from v8box.features.s3_api.box_key import BoxKey
from v8box.features.s3_api.sigv4 import (
    ALGORITHM,
    MAX_EXPIRES_SECONDS,
    UNSIGNED_PAYLOAD,
    Claim,
    canonical_request,
    sign,
    signing_key,
    uri_encode,
)

_METHODS: Final = frozenset({"GET", "HEAD", "PUT", "DELETE"})
_REGION: Final = "us-east-1"


class UrlPresigner:
    """Signs with the key of the bucket's project, which nobody is given."""

    def __init__(self, box_key: BoxKey, base_url: str, *, clock: Callable[[], float] = time.time) -> None:
        """`base_url`: where clients reach the S3 API, e.g. `https://s3.example.com` or `http://localhost:8000/s3`."""
        parts = urlsplit(base_url)
        if parts.scheme not in ("http", "https") or not parts.netloc or parts.query or parts.fragment:
            raise ValueError(f"{base_url!r} is no base URL of an S3 API")
        self._box_key = box_key
        self._origin = f"{parts.scheme}://{parts.netloc}"
        # Clients leave the scheme's own port out of the Host header, which is signed.
        self._host = parts.netloc.lower().removesuffix({"http": ":80", "https": ":443"}[parts.scheme])
        self._prefix = parts.path.rstrip("/")
        self._clock = clock

    def presign(
        self,
        bucket: BucketId,
        key: str,
        method: str,
        expires: int,
        content_type: str | None = None,
        disposition: str | None = None,
    ) -> str:
        """See `Presigner` in `bindings/s3/interface.py`. Raises `BindingError` (`invalid_argument`)."""
        if method not in _METHODS:
            raise BindingError("invalid_argument", "a presigned URL is for GET, HEAD, PUT or DELETE")
        if not 1 <= expires <= MAX_EXPIRES_SECONDS:
            raise BindingError("invalid_argument", f"a presigned URL is good for 1 to {MAX_EXPIRES_SECONDS} seconds")
        headers = {"host": self._host}
        extra: list[tuple[str, str]] = []
        if method == "PUT":
            if content_type is not None:
                headers["content-type"] = content_type
        elif method in ("GET", "HEAD"):
            if content_type is not None:
                extra.append(("response-content-type", content_type))
            if disposition is not None:
                extra.append(("response-content-disposition", disposition))
        timestamp = datetime.fromtimestamp(self._clock(), UTC).strftime("%Y%m%dT%H%M%SZ")
        key_id = self._box_key.project_id(bucket.project)
        claim = Claim(key_id, timestamp[:8], _REGION, timestamp, tuple(sorted(headers)), "", expires)
        query = [
            *extra,
            ("X-Amz-Algorithm", ALGORITHM),
            ("X-Amz-Credential", f"{key_id}/{claim.scope}"),
            ("X-Amz-Date", timestamp),
            ("X-Amz-Expires", str(expires)),
            ("X-Amz-SignedHeaders", ";".join(claim.signed_headers)),
        ]
        path = uri_encode(f"{self._prefix}/{bucket.name}/{key}", safe="/")
        canonical = canonical_request(claim, method, path, query, headers, UNSIGNED_PAYLOAD)
        signature = sign(signing_key(self._box_key.secret(key_id), claim), claim, canonical)
        shown = "&".join(f"{name}={uri_encode(value)}" for name, value in query)
        return f"{self._origin}{path}?{shown}&X-Amz-Signature={signature}"
