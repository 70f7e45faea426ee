"""Every error of the S3 API: the code that SDKs test for, its HTTP status, and what the user can do next.

Codes and statuses are those of the S3 API reference ("Error responses"). Errors of the store (`BindingError`) are
translated here; one that has no counterpart is an InternalError, whose cause only the log has.
"""

from __future__ import annotations

from typing import Final

from v8box.bindings.interface import BindingError

_ERRORS: Final[dict[str, tuple[int, str]]] = {
    "AccessDenied": (403, "Access Denied"),
    "AccessControlListNotSupported": (400, "Objects and buckets of this box are private; it keeps no ACLs."),
    "AuthorizationHeaderMalformed": (400, "The authorization header that you provided is not valid."),
    "AuthorizationQueryParametersError": (400, "The query-string authentication parameters are not valid."),
    "BadDigest": (400, "The Content-MD5 or checksum value that you specified did not match what the server received."),
    "BucketAlreadyOwnedByYou": (409, "The bucket that you tried to create already exists, and you own it."),
    "BucketNotEmpty": (409, "The bucket that you tried to delete is not empty. Delete its objects and uploads first."),
    "EntityTooLarge": (400, "Your proposed upload exceeds the maximum allowed object size."),
    "EntityTooSmall": (400, "A part is smaller than 5 MiB, and only the last one may be."),
    "IncompleteBody": (400, "You did not provide the number of bytes specified by the Content-Length HTTP header."),
    "InternalError": (500, "An internal error occurred. Try again."),
    "InvalidAccessKeyId": (403, "The access key does not exist, has expired or was revoked. Create another one."),
    "InvalidArgument": (400, "Invalid argument."),
    "InvalidBucketName": (400, "A bucket's name has 3 to 63 of a-z, 0-9, . and -."),
    "InvalidChunkSizeError": (403, "Only the last chunk of a signed upload may be smaller than 8192 bytes."),
    "InvalidDigest": (400, "The Content-MD5 or checksum value that you specified is not valid."),
    "InvalidPart": (400, "One or more of the specified parts could not be found, or its ETag did not match."),
    "InvalidPartOrder": (400, "The list of parts was not in ascending order."),
    "InvalidRange": (416, "The requested range is not satisfiable."),
    "InvalidRequest": (400, "Invalid request."),
    "InvalidToken": (400, "Access keys of this box have no session token. Leave it out."),
    "InvalidURI": (400, "Couldn't parse the specified URI."),
    "KeyTooLongError": (400, "Your key is too long: it may have 1024 bytes."),
    "MalformedTrailerError": (
        400,
        "The trailer of the body is not well-formed, or lacks what x-amz-trailer announced.",
    ),
    "MalformedXML": (400, "The XML you provided was not well-formed or did not validate against our published schema."),
    "MetadataTooLarge": (400, "Your metadata headers exceed the maximum allowed metadata size of 8 KiB."),
    "MethodNotAllowed": (405, "The specified method is not allowed against this resource."),
    "NoSuchBucket": (404, "The specified bucket does not exist."),
    "NoSuchKey": (404, "The specified key does not exist."),
    "NoSuchUpload": (404, "The specified multipart upload does not exist. It may have been aborted or completed."),
    "NotImplemented": (501, "This operation or header is not implemented by this box."),
    "NoSuchVersion": (404, "The specified version does not exist. This box keeps one version of an object."),
    "OperationAborted": (409, "Another request changed the object meanwhile. Try again."),
    "PreconditionFailed": (412, "At least one of the preconditions that you specified did not hold."),
    "QuotaExceeded": (403, "The bucket's quota is used up. Delete objects or raise the quota."),
    "RequestTimeTooSkewed": (403, "The difference between the request time and the server's time is too large."),
    "RequestTimeout": (400, "Your socket connection to the server was not read from or written to in time."),
    "ServiceUnavailable": (503, "The object store cannot be reached now. Try again shortly."),
    "SignatureDoesNotMatch": (
        403,
        "There is no such access key, or the request signature does not match. Check your key id, secret and clock.",
    ),
    "StorageFull": (507, "The box has no room for the object."),
    "TooManyBuckets": (400, "You have attempted to create more buckets than allowed. Delete one first."),
    "XAmzContentSHA256Mismatch": (400, "The provided 'x-amz-content-sha256' header does not match what was computed."),
    # S3 has configurations of a bucket that simply are not there; clients ask for them and expect these.
    "NoSuchBucketPolicy": (404, "The bucket policy does not exist."),
    "NoSuchCORSConfiguration": (404, "The CORS configuration does not exist."),
    "NoSuchLifecycleConfiguration": (404, "The lifecycle configuration does not exist."),
    "NoSuchPublicAccessBlockConfiguration": (404, "The public access block configuration was not found."),
    "NoSuchTagSet": (404, "There is no tag set associated with the bucket."),
    "NoSuchWebsiteConfiguration": (404, "The specified bucket does not have a website configuration."),
    "ObjectLockConfigurationNotFoundError": (404, "Object Lock configuration does not exist for this bucket."),
    "OwnershipControlsNotFoundError": (404, "The bucket ownership controls were not found."),
    "ReplicationConfigurationNotFoundError": (404, "The replication configuration was not found."),
    "ServerSideEncryptionConfigurationNotFoundError": (404, "The server side encryption configuration was not found."),
}

_FROM_STORE: Final = {
    "bad_digest": "BadDigest",
    "bucket_exists": "BucketAlreadyOwnedByYou",
    "bucket_not_empty": "BucketNotEmpty",
    "bucket_required": "AccessDenied",
    "conflict": "OperationAborted",
    "invalid_argument": "InvalidArgument",
    "invalid_key": "KeyTooLongError",
    "invalid_part": "InvalidPart",
    "invalid_part_order": "InvalidPartOrder",
    "invalid_range": "InvalidRange",
    "metadata_too_large": "MetadataTooLarge",
    "no_space": "StorageFull",
    "no_such_bucket": "NoSuchBucket",
    "no_such_key": "NoSuchKey",
    "no_such_upload": "NoSuchUpload",
    "not_available": "NotImplemented",
    "not_found": "NoSuchKey",
    "not_ready": "ServiceUnavailable",
    "object_too_large": "EntityTooLarge",
    "part_too_small": "EntityTooSmall",
    "precondition_failed": "PreconditionFailed",
    "quota_exceeded": "QuotaExceeded",
    "too_many_buckets": "TooManyBuckets",
    "too_many_uploads": "InvalidRequest",
    "unavailable": "ServiceUnavailable",
}
_SHOWN: Final = frozenset(
    {
        "bucket_required",
        "invalid_argument",
        "invalid_part",
        "no_space",
        "not_available",
        "object_too_large",
        "part_too_small",
        "quota_exceeded",
        "too_many_buckets",
        "too_many_uploads",
    }
)
"""Store errors whose own message tells the user more than S3's."""


class S3Error(Exception):
    """An answer other than success. `code` is one of S3's; the message defaults to S3's words for it."""

    def __init__(self, code: str, message: str = "", *, headers: tuple[tuple[str, str], ...] = ()) -> None:
        self.code = code
        self.status, default = _ERRORS[code]
        self.message = message or default
        self.headers = headers
        super().__init__(f"{code}: {self.message}")


class ClientGone(Exception):
    """The client left before its request was complete. There is nobody to answer."""


def from_store(error: BindingError) -> S3Error:
    """What S3 calls an error of the store."""
    code = _FROM_STORE.get(error.code)
    if code is None:
        return S3Error("InternalError")
    return S3Error(code, error.message if error.code in _SHOWN else "")
