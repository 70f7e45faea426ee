"""Operations on single objects, and deleting many."""

from __future__ import annotations

from typing import Final

from v8box.bindings.interface import BindingError
from v8box.bindings.s3.interface import BucketId, Condition, Found, ObjectInfo, PutOptions, Range
from v8box.features.s3_api import conditions, metadata
from v8box.features.s3_api.call import Answered, Call
from v8box.features.s3_api.errors import S3Error
from v8box.features.s3_api.payload import WHOLE_BYTES
from v8box.features.s3_api.request import checked_key
from v8box.features.s3_api.responses import Headers, Response, close, iso_time, xml_response
from v8box.features.s3_api.service import Permission
from v8box.features.s3_api.xml import element, text

_DELETE_KEYS: Final = 1_000
_DELETE_BYTES: Final = 2 * 1024 * 1024
_TRIES: Final = 5
_COPY_CONDITIONS: Final = tuple(f"x-amz-copy-source-{name}" for name in conditions.NAMES)


async def get_object(call: Call) -> Response:
    call.require(Permission.READ)
    found, partial = await _find(call, _part(call))
    headers = metadata.object_headers(found.info, call.request.params)
    if not partial:
        return Response(200, headers, found.body or b"", found.info.size)
    if found.length == 0:
        await close(found.body)
        raise _outside(found.info)
    last = found.offset + found.length - 1
    headers.append(("content-range", f"bytes {found.offset}-{last}/{found.info.size}"))
    return Response(206, headers, found.body or b"", found.length)


async def head_object(call: Call) -> Response:
    call.require(Permission.READ)
    info = await _head(call)
    _check(call, info)
    headers = metadata.object_headers(info, call.request.params)
    part = _part(call)
    if part is None or not conditions.range_is_current(call.request.headers, info):
        return Response(200, headers, length=info.size)
    place = part.within(info.size)
    if place is None or place[1] == 0:
        raise _outside(info)
    offset, length = place
    headers.append(("content-range", f"bytes {offset}-{offset + length - 1}/{info.size}"))
    return Response(206, headers, length=length)


async def put_object(call: Call) -> Response:
    call.require(Permission.WRITE)
    headers = call.request.headers
    metadata.refuse_unsupported(headers)
    options = PutOptions(
        http=metadata.standard_of(headers),
        custom=metadata.user_of(headers),
        only_if=conditions.for_write(headers),
        digests=call.payload.delegate(),
    )
    small = call.payload.length is not None and call.payload.length <= WHOLE_BYTES
    body = await call.payload.whole(WHOLE_BYTES) if small else call.payload.stream()
    info = await call.store.put(call.bucket, call.request.key, body, options)
    if info is None:
        await _refused_put(call)
        raise S3Error("PreconditionFailed")
    return Response(200, [("etag", f'"{info.etag}"'), *call.payload.checksum_headers])


async def _refused_put(call: Call) -> None:
    """`If-Match` on what is not there is a 404."""
    if "if-match" in call.request.headers and await call.store.head(call.bucket, call.request.key) is None:
        raise S3Error("NoSuchKey")


async def delete_object(call: Call) -> Response:
    call.require(Permission.WRITE)
    for name in ("if-match", "x-amz-if-match-last-modified-time", "x-amz-if-match-size"):
        if name in call.request.headers:
            raise S3Error("NotImplemented", "Deleting on a condition is not implemented.")
    await call.store.delete(call.bucket, [call.request.key])
    return Response(204)


async def delete_objects(call: Call) -> Response:
    call.require(Permission.WRITE)
    tree = await call.xml("Delete", "Object", _DELETE_KEYS, _DELETE_BYTES)
    if not tree.records:
        raise S3Error("MalformedXML")
    shown: list[str] = []
    keys: list[str] = []
    for record in tree.records:
        key = record.get("Key", "")
        try:
            _deletable(record)
        except S3Error as error:
            shown.append(element("Error", text("Key", key), text("Code", error.code), text("Message", error.message)))
        else:
            keys.append(key)
    if keys:
        await call.store.delete(call.bucket, keys)
    else:
        await call.require_bucket()
    if tree.texts.get("Quiet", "").strip().lower() != "true":
        shown += [element("Deleted", text("Key", key)) for key in keys]
    return xml_response("DeleteResult", *shown)


def _deletable(record: dict[str, str]) -> None:
    checked_key(record.get("Key", ""))
    if record.get("VersionId", "null") != "null":
        raise S3Error("NoSuchVersion")
    if record.keys() - {"Key", "VersionId"}:
        raise S3Error("NotImplemented", "Deleting on a condition is not implemented.")


async def copy_object(call: Call) -> Response:
    call.require(Permission.WRITE)
    source, source_key = call.copy_source()
    headers = call.request.headers
    metadata.refuse_unsupported(headers)
    if "if-match" in headers or "if-none-match" in headers:
        raise S3Error("NotImplemented", "A copy has no conditions on its target; x-amz-copy-source-if-* are supported.")
    directive = headers.get("x-amz-metadata-directive", "COPY")
    if directive not in ("COPY", "REPLACE"):
        raise S3Error("InvalidArgument", "The metadata directive is COPY or REPLACE.")
    if directive == "COPY" and (source, source_key) == (call.bucket, call.request.key):
        raise S3Error("InvalidRequest", "A copy onto itself must change the object's metadata.")
    for _ in range(_TRIES):
        options = await _copy_options(call, source, source_key, replace=directive == "REPLACE")
        try:
            info = await call.store.copy(source, source_key, call.bucket, call.request.key, options)
        except BindingError as error:
            if error.code == "no_such_key":
                raise S3Error("NoSuchKey") from error
            raise
        if info is not None:
            return xml_response(
                "CopyObjectResult", text("LastModified", iso_time(info.uploaded)), text("ETag", f'"{info.etag}"')
            )
    raise S3Error("PreconditionFailed")  # the source was replaced under each try


async def _copy_options(call: Call, source: BucketId, source_key: str, *, replace: bool) -> PutOptions | None:
    """The copy's metadata, and that its source is still the one whose conditions were looked at."""
    headers = call.request.headers
    info = None
    if any(name in headers for name in _COPY_CONDITIONS):
        info = await source_of_copy(call, source, source_key)
    only_if = None if info is None else Condition(match=[info.etag])
    if replace:
        return PutOptions(http=metadata.standard_of(headers), custom=metadata.user_of(headers), only_if=only_if)
    return None if info is None else PutOptions(http=info.http, custom=info.custom, only_if=only_if)


async def source_of_copy(call: Call, source: BucketId, source_key: str) -> ObjectInfo:
    """The object to copy from, if its conditions hold. Raises `S3Error`."""
    info = await call.store.head(source, source_key)
    if info is None:
        raise S3Error("NoSuchKey")
    conditions.check(call.request.headers, info, "x-amz-copy-source-")
    return info


# ---- finding


async def _find(call: Call, part: Range | None) -> tuple[Found, bool]:
    """The object with its body, and whether that is a part of it. What is read is what the conditions were judged on,
    whatever is put meanwhile."""
    bucket, key = call.bucket, call.request.key
    if not any(name in call.request.headers for name in conditions.NAMES):
        return await _get(call, bucket, key, part, None), part is not None
    for _ in range(_TRIES):
        info = await _head(call)
        _check(call, info)
        wanted = part if conditions.range_is_current(call.request.headers, info) else None
        found = await _get(call, bucket, key, wanted, Condition(match=[info.etag]))
        if found.body is not None:
            return found, wanted is not None
    raise S3Error("PreconditionFailed")


async def _get(call: Call, bucket: BucketId, key: str, part: Range | None, only_if: Condition | None) -> Found:
    try:
        found = await call.store.get(bucket, key, part, only_if)
    except BindingError as error:
        if error.code == "invalid_range":
            raise _outside(await _head(call)) from error
        raise
    if found is None:
        await call.missing()
    return found


async def _head(call: Call) -> ObjectInfo:
    info = await call.store.head(call.bucket, call.request.key)
    if info is None:
        await call.missing()
    return info


def _check(call: Call, info: ObjectInfo) -> None:
    try:
        conditions.check(call.request.headers, info)
    except conditions.NotModified:
        headers = metadata.object_headers(info, {})
        kept: Headers = [pair for pair in headers if pair[0] in ("etag", "last-modified", "cache-control", "expires")]
        raise Answered(Response(304, kept)) from None


def _part(call: Call) -> Range | None:
    number = call.request.params.get("partNumber")
    if number is not None:
        if number != "1":
            raise S3Error("InvalidRange", "Objects are stored as one part; ask for part 1, or for a range.")
        return None
    return conditions.range_of(call.request.headers)


def _outside(info: ObjectInfo) -> S3Error:
    return S3Error("InvalidRange", headers=(("content-range", f"bytes */{info.size}"),))
