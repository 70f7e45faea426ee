"""Which operation a request asks for: by method, by bucket or object, and by the sub-resource in its query.

Whatever is not here is not implemented, and says so: a sub-resource that were ignored would turn `?policy` into a list.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from v8box.features.s3_api import buckets, listing, multipart, objects
from v8box.features.s3_api.call import Operation
from v8box.features.s3_api.errors import S3Error
from v8box.features.s3_api.request import Request

_SUB_RESOURCES: Final = frozenset(
    "abac accelerate acl analytics append attributes cors delete encryption intelligent-tiering inventory legal-hold"
    " lifecycle location logging metadataConfiguration metadataInventoryTable metadataJournalTable metadataTable"
    " metrics notification object-lock ownershipControls policy policyStatus publicAccessBlock renameObject"
    " replication requestPayment restore retention select session tagging torrent uploadId uploads versioning versions"
    " website".split()
)
_METHODS: Final = frozenset({"GET", "HEAD", "PUT", "POST", "DELETE"})

_SERVICE: Final[Mapping[tuple[str, str], Operation]] = {("GET", ""): buckets.list_buckets}

_BUCKET: Final[Mapping[tuple[str, str], Operation]] = {
    ("GET", ""): listing.list_objects_v1,
    ("GET", "acl"): buckets.get_acl,
    ("GET", "cors"): buckets.absent("NoSuchCORSConfiguration"),
    ("GET", "encryption"): buckets.absent("ServerSideEncryptionConfigurationNotFoundError"),
    ("GET", "lifecycle"): buckets.absent("NoSuchLifecycleConfiguration"),
    ("GET", "location"): buckets.get_location,
    ("GET", "object-lock"): buckets.absent("ObjectLockConfigurationNotFoundError"),
    ("GET", "ownershipControls"): buckets.absent("OwnershipControlsNotFoundError"),
    ("GET", "policy"): buckets.absent("NoSuchBucketPolicy"),
    ("GET", "publicAccessBlock"): buckets.absent("NoSuchPublicAccessBlockConfiguration"),
    ("GET", "replication"): buckets.absent("ReplicationConfigurationNotFoundError"),
    ("GET", "tagging"): buckets.absent("NoSuchTagSet"),
    ("GET", "uploads"): multipart.list_uploads,
    ("GET", "versioning"): buckets.constant("VersioningConfiguration"),
    ("GET", "website"): buckets.absent("NoSuchWebsiteConfiguration"),
    ("HEAD", ""): buckets.head_bucket,
    ("PUT", ""): buckets.create_bucket,
    ("DELETE", ""): buckets.delete_bucket,
    ("POST", "delete"): objects.delete_objects,
}

_OBJECT: Final[Mapping[tuple[str, str], Operation]] = {
    ("GET", ""): objects.get_object,
    ("GET", "acl"): buckets.get_acl,
    ("GET", "uploadId"): multipart.list_parts,
    ("HEAD", ""): objects.head_object,
    ("PUT", ""): objects.put_object,
    ("PUT", "uploadId"): multipart.upload_part,
    ("POST", "uploads"): multipart.create_upload,
    ("POST", "uploadId"): multipart.complete_upload,
    ("DELETE", ""): objects.delete_object,
    ("DELETE", "uploadId"): multipart.abort_upload,
}


def find(request: Request) -> Operation:
    """Raises `S3Error`."""
    if request.method not in _METHODS:
        raise S3Error("MethodNotAllowed")
    table = _OBJECT if request.key else _BUCKET if request.bucket else _SERVICE
    asked = [name for name in request.params if name in _SUB_RESOURCES]
    if len(asked) > 1:
        raise S3Error("InvalidArgument", "The query names more than one sub-resource.")
    if request.params.get("versionId", "null") != "null":
        raise S3Error("NoSuchVersion")
    operation = table.get((request.method, asked[0] if asked else ""))
    if operation is None:
        raise S3Error("NotImplemented")
    if operation is listing.list_objects_v1 and request.params.get("list-type") == "2":
        return listing.list_objects_v2
    if "x-amz-copy-source" in request.headers:
        return _copying(operation)
    return operation


def _copying(operation: Operation) -> Operation:
    if operation is objects.put_object:
        return objects.copy_object
    if operation is multipart.upload_part:
        return multipart.upload_part_copy
    raise S3Error("InvalidArgument", "x-amz-copy-source is not for this operation.")
