"""One request as the operations see it: bucket, key, query and headers, taken from an ASGI scope.

The key is what the percent-encoded path stands for and nothing else: no segment is resolved, no slash merged.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from v8box.features.s3_api.errors import S3Error
from v8box.features.s3_api.sigv4 import parse_query

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

KEY_BYTES: Final = 1_024
_BUCKET: Final = re.compile(r"[A-Za-z0-9._-]{1,255}")
_MAX_FIELDS: Final = 1_000
_SIGNATURE_FIELDS: Final = frozenset(
    f"x-amz-{name}" for name in ("algorithm", "credential", "date", "expires", "signedheaders", "signature")
)


@dataclass(slots=True)
class Request:
    """What was asked. Header names are in lower case; headers given twice are joined by a comma, as they are signed."""

    id: str
    method: str
    raw_path: bytes
    bucket: str
    """Empty when the request is about no bucket."""
    key: str
    """Empty when the request is about no object."""
    query: list[tuple[str, str]]
    headers: dict[str, str]
    region: str = "us-east-1"
    """As the client signed it: any will do, and answers name the same."""
    _params: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, value in self.query:
            self._params.setdefault(name, value)

    @property
    def resource(self) -> str:
        return "/" + "/".join(part for part in (self.bucket, self.key) if part)

    @property
    def params(self) -> Mapping[str, str]:
        """The query; of a name given twice, the first."""
        return self._params

    def hoist(self) -> None:
        """Takes the `x-amz-…` headers that a presigned URL carries in its query for headers."""
        for name, value in self.query:
            lower = name.lower()
            if lower.startswith("x-amz-") and lower not in _SIGNATURE_FIELDS:
                self.headers.setdefault(lower, value)

    def param_int(self, name: str, default: int, least: int, most: int) -> int:
        """A whole number in the query. Raises `S3Error`; what is larger than `most` is `most`."""
        text = self._params.get(name, "")
        if text == "":
            return default
        if not (text.isascii() and text.isdigit() and len(text) <= 10) or int(text) < least:
            raise S3Error("InvalidArgument", f"{name} must be a whole number from {least}.")
        return min(int(text), most)

    def param_text(self, name: str) -> str:
        """Text in the query, empty when it is not there. Raises `S3Error` for what is no UTF-8."""
        return checked_text(self._params.get(name, ""), name)


def parse(scope: Scope) -> Request:
    """Raises `S3Error` for an address that cannot be one of a bucket or an object."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name = raw_name.decode("latin-1").lower()
        value = raw_value.decode("utf-8", "surrogateescape")
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    raw_path: bytes = scope["raw_path"]
    prefix = scope.get("root_path", "").encode()
    raw_query: bytes = scope["query_string"]
    if not raw_path.startswith(prefix + b"/") and raw_path != prefix:
        raise S3Error("InvalidURI")
    if raw_query.count(b"&") >= _MAX_FIELDS:
        raise S3Error("InvalidURI", f"A query may have {_MAX_FIELDS} fields.")
    bucket, _, raw_key = raw_path[len(prefix) :].removeprefix(b"/").partition(b"/")
    if bucket and not _BUCKET.fullmatch(bucket.decode("latin-1")):
        raise S3Error("InvalidBucketName")
    key = _key(raw_key)
    request_id = scope.get("request_id") or ""
    return Request(request_id, scope["method"], raw_path, bucket.decode(), key, parse_query(raw_query), headers)


def _key(raw: bytes) -> str:
    try:
        key = unquote_to_bytes(raw).decode()
    except UnicodeDecodeError:
        raise S3Error("InvalidURI", "A key must be UTF-8.") from None
    return checked_key(key) if key else ""


def checked_key(key: str) -> str:
    """Raises `S3Error` for what no key can be."""
    size = len(checked_text(key, "key").encode())
    if size > KEY_BYTES:
        raise S3Error("KeyTooLongError")
    if size == 0:
        raise S3Error("InvalidArgument", "A key cannot be empty.")
    return key


def checked_text(text: str, name: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise S3Error("InvalidArgument", f"{name} must be UTF-8.") from None
    return text
