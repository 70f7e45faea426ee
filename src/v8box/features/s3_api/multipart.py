"""Operations of multipart uploads."""

from __future__ import annotations

from itertools import pairwise
from typing import Final

from v8box.bindings.s3.interface import Condition, PartInfo, PutOptions
from v8box.features.s3_api import conditions, metadata
from v8box.features.s3_api.call import Call
from v8box.features.s3_api.checksums import algorithm_of
from v8box.features.s3_api.errors import S3Error
from v8box.features.s3_api.listing import Shown
from v8box.features.s3_api.objects import source_of_copy
from v8box.features.s3_api.payload import WHOLE_BYTES
from v8box.features.s3_api.responses import Response, close, iso_time, xml_response
from v8box.features.s3_api.service import Permission
from v8box.features.s3_api.xml import element, text

MAX_PARTS: Final = 10_000
_COMPLETE_BYTES: Final = 4 * 1024 * 1024
_PAGE: Final = 1_000


async def create_upload(call: Call) -> Response:
    call.require(Permission.WRITE)
    headers = call.request.headers
    metadata.refuse_unsupported(headers)
    options = PutOptions(http=metadata.standard_of(headers), custom=metadata.user_of(headers))
    upload = await call.store.create_upload(call.bucket, call.request.key, options)
    return xml_response("InitiateMultipartUploadResult", *_where(call), text("UploadId", upload))


async def upload_part(call: Call) -> Response:
    call.require(Permission.WRITE)
    small = call.payload.length is not None and call.payload.length <= WHOLE_BYTES
    digests = call.payload.delegate()
    body = await call.payload.whole(WHOLE_BYTES) if small else call.payload.stream()
    part = await call.store.put_part(call.bucket, call.request.key, _upload(call), _number(call), body, digests)
    return Response(200, [("etag", f'"{part.etag}"'), *call.payload.checksum_headers])


async def upload_part_copy(call: Call) -> Response:
    call.require(Permission.WRITE)
    source, source_key = call.copy_source()
    number = _number(call)
    headers = call.request.headers
    part = conditions.range_of(headers, "x-amz-copy-source-range")
    if part is None and "x-amz-copy-source-range" in headers:
        raise S3Error("InvalidArgument", "The copy source range must be bytes=first-last.")
    info = await source_of_copy(call, source, source_key)
    if part is not None and (part.offset or 0) + (part.length or 0) > info.size:
        raise S3Error("InvalidRange", f"The copy source has {info.size} bytes.")
    found = await call.store.get(source, source_key, part, Condition(match=[info.etag]))
    if found is None:
        raise S3Error("NoSuchKey")
    if found.body is None:
        raise S3Error("PreconditionFailed")
    try:
        stored = await call.store.put_part(call.bucket, call.request.key, _upload(call), number, found.body, {})
    finally:
        await close(found.body)
    return xml_response(
        "CopyPartResult", text("LastModified", iso_time(stored.uploaded)), text("ETag", f'"{stored.etag}"')
    )


async def complete_upload(call: Call) -> Response:
    call.require(Permission.WRITE)
    if conditions.for_write(call.request.headers) is not None:
        raise S3Error("NotImplemented", "Completing an upload on a condition is not implemented.")
    if any(map(algorithm_of, call.request.headers)):
        raise S3Error("NotImplemented", "A checksum of the whole object is not checked here. Give each part's instead.")
    tree = await call.xml("CompleteMultipartUpload", "Part", MAX_PARTS, _COMPLETE_BYTES)
    if not tree.records:
        raise S3Error("MalformedXML")
    parts = [_listed(record) for record in tree.records]
    if any(after[0] <= before[0] for before, after in pairwise(parts)):
        raise S3Error("InvalidPartOrder")
    info = await call.store.complete_upload(call.bucket, call.request.key, _upload(call), parts)
    return xml_response("CompleteMultipartUploadResult", *_where(call), text("ETag", f'"{info.etag}"'))


def _listed(record: dict[str, str]) -> tuple[int, str]:
    number = record.get("PartNumber", "").strip()
    etag = record.get("ETag", "").strip().strip('"')
    if not (number.isascii() and number.isdigit() and len(number) <= 5) or not etag:
        raise S3Error("MalformedXML", "Every Part needs a PartNumber and an ETag.")
    return int(number), etag


async def abort_upload(call: Call) -> Response:
    call.require(Permission.WRITE)
    await call.store.abort_upload(call.bucket, call.request.key, _upload(call))
    return Response(204)


async def list_parts(call: Call) -> Response:
    call.require(Permission.LIST)
    request = call.request
    after = request.param_int("part-number-marker", 0, 0, MAX_PARTS)
    most = request.param_int("max-parts", _PAGE, 0, _PAGE)
    parts = [
        part for part in await call.store.list_parts(call.bucket, request.key, _upload(call)) if part.number > after
    ]
    shown = parts[:most]
    return xml_response(
        "ListPartsResult",
        *_where(call),
        text("UploadId", _upload(call)),
        text("PartNumberMarker", after),
        text("NextPartNumberMarker", shown[-1].number if shown else after),
        text("MaxParts", most),
        text("IsTruncated", len(shown) < len(parts) and most > 0),
        *(_part(part) for part in shown),
        text("StorageClass", "STANDARD"),
    )


def _part(part: PartInfo) -> str:
    return element(
        "Part",
        text("PartNumber", part.number),
        text("LastModified", iso_time(part.uploaded)),
        text("ETag", f'"{part.etag}"'),
        text("Size", part.size),
    )


async def list_uploads(call: Call) -> Response:
    call.require(Permission.LIST)
    request = call.request
    if request.param_text("delimiter"):
        raise S3Error("NotImplemented", "Listing uploads by delimiter is not implemented.")
    prefix = request.param_text("prefix")
    most = request.param_int("max-uploads", _PAGE, 0, _PAGE)
    after = (request.param_text("key-marker").encode(), request.param_text("upload-id-marker"))
    uploads = sorted(await call.store.list_uploads(call.bucket, prefix), key=lambda each: (each.key.encode(), each.id))
    if after[0]:  # without an id, all of the marker's key were shown
        uploads = [
            upload
            for upload in uploads
            if upload.key.encode() > after[0] or (after[1] and (upload.key.encode(), upload.id) > after)
        ]
    shown = uploads[:most]
    more = len(shown) < len(uploads) and most > 0
    show = Shown(call)
    return xml_response(
        "ListMultipartUploadsResult",
        text("Bucket", request.bucket),
        show.encoding,
        show.key("KeyMarker", request.param_text("key-marker")),
        text("UploadIdMarker", after[1]),
        *((show.key("NextKeyMarker", shown[-1].key), text("NextUploadIdMarker", shown[-1].id)) if more else ()),
        show.key("Prefix", prefix),
        text("MaxUploads", most),
        text("IsTruncated", more),
        *(
            element(
                "Upload",
                show.key("Key", upload.key),
                text("UploadId", upload.id),
                text("StorageClass", "STANDARD"),
                text("Initiated", iso_time(upload.started)),
            )
            for upload in shown
        ),
    )


def _where(call: Call) -> tuple[str, str]:
    return text("Bucket", call.request.bucket), text("Key", call.request.key)


def _upload(call: Call) -> str:
    return call.request.param_text("uploadId")


def _number(call: Call) -> int:
    number = call.request.param_int("partNumber", 0, 0, MAX_PARTS + 1)
    if not 1 <= number <= MAX_PARTS:
        raise S3Error("InvalidArgument", f"A part's number is 1 to {MAX_PARTS}.")
    return number
