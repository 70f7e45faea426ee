"""Operations on buckets, and the small answers that clients ask of them."""

from __future__ import annotations

from typing import Final

from v8box.features.s3_api import xml
from v8box.features.s3_api.call import Call, Operation
from v8box.features.s3_api.errors import S3Error
from v8box.features.s3_api.listing import owner
from v8box.features.s3_api.responses import Response, iso_time, xml_response
from v8box.features.s3_api.service import Permission
from v8box.features.s3_api.xml import element, text
from v8box.kit.names import BUCKET

_CONFIGURATION_BYTES: Final = 64 * 1024


async def list_buckets(call: Call) -> Response:
    if Permission.LIST not in call.caller.permissions:
        raise S3Error("AccessDenied", "This access key has no permission to list.")
    allowed = call.caller.buckets
    prefix = call.request.param_text("prefix")
    buckets = [
        element("Bucket", text("Name", bucket.name), text("CreationDate", iso_time(bucket.created)))
        for bucket in await call.store.buckets(call.caller.project)
        if bucket.name.startswith(prefix) and (allowed is None or bucket.name in allowed)
    ]
    return xml_response("ListAllMyBucketsResult", owner(call), element("Buckets", *buckets))


async def create_bucket(call: Call) -> Response:
    call.require(Permission.WRITE)
    name = call.request.bucket
    if not BUCKET.fullmatch(name) or ".." in name:
        raise S3Error("InvalidBucketName")
    if call.request.headers.get("x-amz-bucket-object-lock-enabled", "false").lower() == "true":
        raise S3Error("NotImplemented", "This box has no object lock.")
    if call.payload.length != 0:
        await _read_configuration(call)
    await call.store.create_bucket(call.bucket)
    return Response(200, [("location", f"/{name}")])


async def _read_configuration(call: Call) -> None:
    """Any place will do: there is one."""
    if body := (await call.payload.whole(_CONFIGURATION_BYTES)).strip():
        xml.read(body, "CreateBucketConfiguration", "Location", 1)


async def head_bucket(call: Call) -> Response:
    call.caller.require_bucket(call.request.bucket)
    await call.require_bucket()
    return Response(200, [("x-amz-bucket-region", call.request.region), ("content-type", "application/xml")])


async def delete_bucket(call: Call) -> Response:
    call.require(Permission.WRITE)
    await call.store.delete_bucket(call.bucket)
    return Response(204)


async def get_location(call: Call) -> Response:
    call.caller.require_bucket(call.request.bucket)
    await call.require_bucket()
    region = call.request.region  # what S3 has no name for is us-east-1
    return xml_response("LocationConstraint", "" if region == "us-east-1" else region)


async def get_acl(call: Call) -> Response:
    """Of a bucket or an object: its owner may do everything, and nobody else anything."""
    call.require(Permission.READ if call.request.key else Permission.LIST)
    if not call.request.key:
        await call.require_bucket()
    elif await call.store.head(call.bucket, call.request.key) is None:
        await call.missing()
    grantee = (
        '<Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="CanonicalUser">'
        f"{text('ID', call.caller.project)}</Grantee>"
    )
    grant = element("Grant", grantee, text("Permission", "FULL_CONTROL"))
    return xml_response("AccessControlPolicy", owner(call), element("AccessControlList", grant))


def constant(name: str, *children: str) -> Operation:
    """An operation that answers the same for every bucket."""

    async def answer(call: Call) -> Response:
        call.require(Permission.LIST)
        await call.require_bucket()
        return xml_response(name, *children)

    return answer


def absent(code: str) -> Operation:
    """An operation that asks for a configuration which no bucket of the box has."""

    async def answer(call: Call) -> Response:
        call.require(Permission.LIST)
        await call.require_bucket()
        raise S3Error(code)

    return answer
