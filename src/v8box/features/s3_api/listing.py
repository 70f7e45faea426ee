"""Lists of objects, in both of S3's versions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from urllib.parse import quote

from v8box.bindings.s3.interface import Listing, ListOptions, ObjectInfo
from v8box.features.s3_api.call import Call
from v8box.features.s3_api.errors import S3Error
from v8box.features.s3_api.request import KEY_BYTES
from v8box.features.s3_api.responses import Response, iso_time, xml_response
from v8box.features.s3_api.service import Permission
from v8box.features.s3_api.xml import element, text

_MAX_KEYS: Final = 1_000
_BEYOND_ALL: Final = "\U0010ffff"


async def list_objects_v2(call: Call) -> Response:
    call.require(Permission.LIST)
    request = call.request
    token, after = request.param_text("continuation-token"), request.param_text("start-after")
    page = await _page(call, after, token)
    show = Shown(call)
    shown_owner = owner(call) if request.params.get("fetch-owner") == "true" else ""
    return xml_response(
        "ListBucketResult",
        *show.head(),
        show.key("StartAfter", after) if after else "",
        text("ContinuationToken", token) if token else "",
        text("NextContinuationToken", page.cursor) if page.cursor else "",
        text("KeyCount", len(page.objects) + len(page.prefixes)),
        text("IsTruncated", page.cursor is not None),
        *show.page(page, shown_owner),
    )


async def list_objects_v1(call: Call) -> Response:
    call.require(Permission.LIST)
    marker = call.request.param_text("marker")
    delimiter = call.request.param_text("delimiter")
    page = await _page(call, _after_marker(marker, call.request.param_text("prefix"), delimiter), "")
    show = Shown(call)
    following = ""
    if page.cursor and delimiter:  # without a delimiter, clients take the last key
        last = max([*(info.key for info in page.objects[-1:]), *page.prefixes[-1:]], key=str.encode)
        following = show.key("NextMarker", last)
    return xml_response(
        "ListBucketResult",
        *show.head(),
        show.key("Marker", marker),
        following,
        text("IsTruncated", page.cursor is not None),
        *show.page(page, owner(call)),
    )


async def _page(call: Call, start_after: str, cursor: str) -> Listing:
    limit = call.request.param_int("max-keys", _MAX_KEYS, 0, _MAX_KEYS)
    if limit == 0:
        await call.require_bucket()
        return Listing([], [], None)
    options = ListOptions(
        prefix=call.request.param_text("prefix"),
        delimiter=call.request.param_text("delimiter"),
        start_after=start_after,
        cursor=cursor,
        limit=limit,
    )
    return await call.store.list_page(call.bucket, options)


def _after_marker(marker: str, prefix: str, delimiter: str) -> str:
    """A marker that is a common prefix was answered already, with all below it: go on behind them."""
    if not delimiter or not marker.startswith(prefix):
        return marker
    end = marker.find(delimiter, len(prefix))
    if end < 0 or end + len(delimiter) != len(marker):
        return marker
    return marker + _BEYOND_ALL * ((KEY_BYTES - len(marker.encode())) // 4)


class Shown:
    """Keys and what belongs to them as the request wants them shown: as they are, or percent-encoded."""

    def __init__(self, call: Call) -> None:
        self._call = call
        encoding = call.request.params.get("encoding-type", "")
        if encoding not in ("", "url"):
            raise S3Error("InvalidArgument", "The encoding-type can be url only.")
        self._url = encoding == "url"
        self.encoding = text("EncodingType", "url") if self._url else ""

    def key(self, name: str, key: str) -> str:
        return text(name, quote(key, safe="/") if self._url else key)

    def head(self) -> Sequence[str]:
        request = self._call.request
        delimiter = request.param_text("delimiter")
        return (
            text("Name", request.bucket),
            self.key("Prefix", request.param_text("prefix")),
            self.key("Delimiter", delimiter) if delimiter else "",
            text("MaxKeys", request.param_int("max-keys", _MAX_KEYS, 0, _MAX_KEYS)),
            self.encoding,
        )

    def page(self, page: Listing, owned_by: str) -> Sequence[str]:
        return (
            *(self._object(info, owned_by) for info in page.objects),
            *(element("CommonPrefixes", self.key("Prefix", prefix)) for prefix in page.prefixes),
        )

    def _object(self, info: ObjectInfo, owned_by: str) -> str:
        return element(
            "Contents",
            self.key("Key", info.key),
            text("LastModified", iso_time(info.uploaded)),
            text("ETag", f'"{info.etag}"'),
            text("Size", info.size),
            owned_by,
            text("StorageClass", "STANDARD"),
        )


def owner(call: Call) -> str:
    return element("Owner", text("ID", call.caller.project), text("DisplayName", call.caller.project))
