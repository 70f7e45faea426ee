"""AWS Signature Version 4 as S3 has it: from what the client sent to the signature it should have made.

Pure functions. Written after the S3 API reference, "Authenticating Requests: Using the Authorization Header" and
"…Using Query Parameters". S3 encodes a path once and removes no dots or slashes from it, unlike other AWS services.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import quote, unquote_to_bytes

from v8box.features.s3_api.errors import S3Error

ALGORITHM: Final = "AWS4-HMAC-SHA256"
UNSIGNED_PAYLOAD: Final = "UNSIGNED-PAYLOAD"
EMPTY_SHA256: Final = hashlib.sha256().hexdigest()
MAX_SKEW_SECONDS: Final = 900
MAX_EXPIRES_SECONDS: Final = 604_800

_CREDENTIAL: Final = re.compile(r"([\x21-\x2e\x30-\x7e]{1,128})/([0-9]{8})/([A-Za-z0-9_-]{1,64})/s3/aws4_request")
_SIGNATURE: Final = re.compile(r"[0-9a-f]{64}")
_SIGNED_HEADERS: Final = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]+(;[a-z0-9!#$%&'*+.^_`|~-]+)*")
_TIMESTAMP: Final = re.compile(r"[0-9]{8}T[0-9]{6}Z")
_SPACES: Final = re.compile(r"[ \t]+")

Query = Sequence[tuple[str, str]]
"""Names and values of a query string in their order, percent-decoded. Undecodable bytes are surrogate escapes."""


@dataclass(frozen=True, slots=True)
class Claim:
    """Who says to have signed a request, over what, and when. Nothing of it is proven yet."""

    key_id: str
    date: str
    region: str
    timestamp: str
    signed_headers: tuple[str, ...]
    signature: str
    expires_seconds: int | None = None
    """Set for a presigned URL."""

    @property
    def scope(self) -> str:
        return f"{self.date}/{self.region}/s3/aws4_request"

    @property
    def presigned(self) -> bool:
        return self.expires_seconds is not None


def parse_query(raw: bytes) -> list[tuple[str, str]]:
    """A query string's names and values. `+` is a space, as browsers and SDKs write it."""
    pairs = []
    for field in raw.replace(b"+", b"%20").split(b"&"):
        if field:
            name, _, value = field.partition(b"=")
            pairs.append((_decode(name), _decode(value)))
    return pairs


def _decode(raw: bytes) -> str:
    return unquote_to_bytes(raw).decode("utf-8", "surrogateescape")


def uri_encode(text: str, *, safe: str = "") -> str:
    """AWS's UriEncode: all but A-Z a-z 0-9 - . _ ~ becomes %XY."""
    return quote(text, safe=safe + "-._~", errors="surrogateescape")


def claim_of(headers: Mapping[str, str], query: Query) -> Claim | None:
    """The claim in the header or the query; None when the request names no key. Raises `S3Error`."""
    authorization = headers.get("authorization")
    names = {name for name, _ in query}
    if "X-Amz-Algorithm" in names or "X-Amz-Signature" in names or "X-Amz-Credential" in names:
        if authorization is not None:
            raise S3Error("InvalidArgument", "Only one auth mechanism allowed: the Authorization header or the query.")
        return _claim_of_query(query)
    if authorization is None:
        if "AWSAccessKeyId" in names:
            raise S3Error("InvalidRequest", "Signature version 2 is not supported. Please use AWS4-HMAC-SHA256.")
        return None
    return _claim_of_header(authorization, headers)


def _claim_of_header(authorization: str, headers: Mapping[str, str]) -> Claim:
    algorithm, _, rest = authorization.strip().partition(" ")
    if algorithm != ALGORITHM:
        raise S3Error("InvalidRequest", f"The authorization mechanism is not supported. Please use {ALGORITHM}.")
    fields: dict[str, str] = {}
    for field in rest.split(","):
        name, equals, value = field.strip().partition("=")
        if not equals or name in fields:
            raise S3Error("AuthorizationHeaderMalformed")
        fields[name] = value
    if fields.keys() != {"Credential", "SignedHeaders", "Signature"}:
        raise S3Error("AuthorizationHeaderMalformed", "It needs Credential, SignedHeaders and Signature, nothing else.")
    return _claim(
        "AuthorizationHeaderMalformed",
        fields["Credential"],
        _timestamp(headers),
        fields["SignedHeaders"],
        fields["Signature"],
    )


def _claim_of_query(query: Query) -> Claim:
    code = "AuthorizationQueryParametersError"
    fields: dict[str, str] = {}
    for name, value in query:
        if name.startswith("X-Amz-"):
            if name in fields:
                raise S3Error(code, f"{name} is there twice.")
            fields[name] = value
    if fields.get("X-Amz-Algorithm") != ALGORITHM:
        raise S3Error(code, f'X-Amz-Algorithm only supports "{ALGORITHM}".')
    expires = fields.get("X-Amz-Expires", "")
    if not (expires.isascii() and expires.isdigit() and len(expires) <= 7):
        raise S3Error(code, "X-Amz-Expires should be a number of seconds.")
    if not 1 <= int(expires) <= MAX_EXPIRES_SECONDS:
        raise S3Error(code, f"X-Amz-Expires must be 1 to {MAX_EXPIRES_SECONDS} seconds (a week).")
    return _claim(
        code,
        fields.get("X-Amz-Credential", ""),
        fields.get("X-Amz-Date", ""),
        fields.get("X-Amz-SignedHeaders", ""),
        fields.get("X-Amz-Signature", ""),
        int(expires),
    )


def _claim(
    code: str, credential: str, timestamp: str, signed: str, signature: str, expires_seconds: int | None = None
) -> Claim:
    match = _CREDENTIAL.fullmatch(credential)
    if match is None:
        raise S3Error(code, "The credential must be <key id>/<yyyymmdd>/<region>/s3/aws4_request.")
    if not _TIMESTAMP.fullmatch(timestamp) or not timestamp.startswith(match[2]):
        raise S3Error(code, "The date must be ISO 8601 (yyyymmddThhmmssZ), on the credential's day.")
    if not _SIGNATURE.fullmatch(signature):
        raise S3Error(code, "The signature must be 64 hexadecimal digits.")
    headers = tuple(signed.split(";"))
    if not _SIGNED_HEADERS.fullmatch(signed) or list(headers) != sorted(set(headers)) or "host" not in headers:
        raise S3Error(code, "The signed headers must be in order, in lower case, and contain the host.")
    return Claim(match[1], match[2], match[3], timestamp, headers, signature, expires_seconds)


def _timestamp(headers: Mapping[str, str]) -> str:
    """`x-amz-date`, or the Date header in the same form."""
    given = headers.get("x-amz-date")
    if given is not None:
        return given
    try:
        date = parsedate_to_datetime(headers.get("date", ""))
    except ValueError:
        raise S3Error("AccessDenied", "A signed request needs a valid Date or x-amz-date header.") from None
    return date.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


def check_time(claim: Claim, now: float) -> None:
    """Whether the claim may be used at `now` (seconds since 1970). Raises `S3Error`."""
    try:
        signed_at = datetime.strptime(claim.timestamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
    except ValueError:
        raise S3Error("AccessDenied", "The date of the request is not a date.") from None
    if claim.expires_seconds is None:
        if abs(now - signed_at) > MAX_SKEW_SECONDS:
            raise S3Error("RequestTimeTooSkewed")
    elif signed_at > now + MAX_SKEW_SECONDS:
        raise S3Error("AccessDenied", "Request is not yet valid.")
    elif now >= signed_at + claim.expires_seconds:
        raise S3Error("AccessDenied", "Request has expired.")


def canonical_request(
    claim: Claim, method: str, canonical_path: str, query: Query, headers: Mapping[str, str], payload_hash: str
) -> str:
    """What is signed. A signed header that is not in the request counts as empty, so the signature will not match."""
    pairs = sorted(
        (uri_encode(name), uri_encode(value))
        for name, value in query
        if not (claim.presigned and name == "X-Amz-Signature")
    )
    lines = [
        method,
        canonical_path,
        "&".join(f"{name}={value}" for name, value in pairs),
        *(f"{name}:{_SPACES.sub(' ', headers.get(name, '').strip())}" for name in claim.signed_headers),
        "",
        ";".join(claim.signed_headers),
        payload_hash,
    ]
    return "\n".join(lines)


def canonical_paths(raw_path: bytes) -> Iterable[str]:
    """The path as it may have been signed: encoded by AWS's rules, and as it was sent. Clients that send, say, `(` as
    it is differ in which of the two they sign; both stand for the same key."""
    encoded = uri_encode(_decode(raw_path), safe="/") or "/"
    yield encoded
    sent = raw_path.decode("utf-8", "surrogateescape")
    if sent != encoded:
        yield sent


def signing_key(secret: str, claim: Claim) -> bytes:
    """The key of a day, a region and the service S3."""
    key = f"AWS4{secret}".encode()
    for part in (claim.date, claim.region, "s3", "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def sign(key: bytes, claim: Claim, canonical: str) -> str:
    """The signature of a canonical request."""
    hashed = hashlib.sha256(canonical.encode("utf-8", "surrogateescape")).hexdigest()
    return sign_text(key, f"{ALGORITHM}\n{claim.timestamp}\n{claim.scope}\n{hashed}")


def sign_text(key: bytes, text: str) -> str:
    return hmac.digest(key, text.encode(), "sha256").hex()


def equal(left: str, right: str) -> bool:
    """Compares in constant time."""
    return hmac.compare_digest(left.encode("utf-8", "surrogateescape"), right.encode("utf-8", "surrogateescape"))
