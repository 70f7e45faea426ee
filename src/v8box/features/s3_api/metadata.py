"""An object's metadata as headers, and headers as an object's metadata."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Final

from v8box.bindings.s3.interface import ObjectInfo
from v8box.features.s3_api.errors import S3Error
from v8box.features.s3_api.responses import Headers, http_time

MAX_BYTES: Final = 8_192
"""Of user metadata, names and values together; and of the standard headers. The binding has the same bounds."""
DEFAULT_TYPE: Final = "binary/octet-stream"

_USER: Final = "x-amz-meta-"
_FIELDS: Final = {
    "cache-control": "cacheControl",
    "content-disposition": "contentDisposition",
    "content-encoding": "contentEncoding",
    "content-language": "contentLanguage",
    "content-type": "contentType",
    "expires": "cacheExpiry",
}
_TOKEN: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_PRINTABLE: Final = re.compile(r"[\x20-\x7e]*")
_FORBIDDEN: Final = re.compile(r"[\r\n\x00]")

_YEAR_9999: Final = 253_402_300_799_999
_NOT_KEPT: Final = (
    "x-amz-server-side-encryption",
    "x-amz-object-lock-",
    "x-amz-tagging",
    "x-amz-website-redirect-location",
    "x-amz-write-offset-bytes",
    "x-amz-grant-",
)


def refuse_unsupported(headers: Mapping[str, str]) -> None:
    """Raises `S3Error` for headers whose promise would not be kept. A storage class is only a wish, and is ignored."""
    for name in headers:
        if name.startswith(_NOT_KEPT) and name != "x-amz-tagging-directive":
            raise S3Error("NotImplemented", f"The header {name[:80]} asks for something that this box does not do.")
    if headers.get("x-amz-acl", "private") not in ("private", "bucket-owner-full-control"):
        raise S3Error("AccessControlListNotSupported")


def standard_of(headers: Mapping[str, str]) -> dict[str, str]:
    """The standard metadata in a request. Raises `S3Error`."""
    found: dict[str, str] = {}
    for header, name in _FIELDS.items():
        value = _readable(headers.get(header, "")).strip()
        if header == "content-encoding":  # aws-chunked is how it was sent, not what it is
            value = ", ".join(each for each in map(str.strip, value.split(",")) if each.lower() != "aws-chunked")
        if header == "expires" and value:
            value = _milliseconds(value)
        if value:
            found[name] = value
    _bound(found)
    return found


def user_of(headers: Mapping[str, str]) -> dict[str, str]:
    """The `x-amz-meta-` headers. Raises `S3Error`."""
    found = {
        name.removeprefix(_USER): _readable(value).strip()
        for name, value in headers.items()
        if name.startswith(_USER) and len(name) > len(_USER)
    }
    _bound(found)
    return found


def _readable(value: str) -> str:
    """Bytes that are no UTF-8 are taken for Latin-1, which every sequence of bytes is."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return value.encode("utf-8", "surrogateescape").decode("latin-1")
    return value


def _milliseconds(date: str) -> str:
    """The store keeps an expiry as milliseconds since 1970. What is no date means expired already (RFC 9111 §5.3)."""
    try:
        return str(int(parsedate_to_datetime(date).timestamp() * 1000))
    except (ValueError, OverflowError):
        return "0"


def _bound(fields: Mapping[str, str]) -> None:
    if sum(len(name.encode()) + len(value.encode()) for name, value in fields.items()) > MAX_BYTES:
        raise S3Error("MetadataTooLarge")


def object_headers(info: ObjectInfo, overrides: Mapping[str, str]) -> Headers:
    """What GET and HEAD answer about an object. `overrides`: the query, whose `response-…` fields replace headers."""
    headers: Headers = [
        ("etag", f'"{info.etag}"'),
        ("last-modified", http_time(info.uploaded)),
        ("accept-ranges", "bytes"),
    ]
    for header, name in _FIELDS.items():
        value = overrides.get(f"response-{header}", "")
        if not value:
            value = info.http.get(name, "")
            if header == "expires":
                value = _expires(value)
        if header == "content-type":
            value = value or DEFAULT_TYPE
        if value and not _FORBIDDEN.search(value):
            headers.append((header, value))
    headers += _user_headers(info)
    return headers


def _expires(milliseconds: str) -> str:
    """Empty for what no HTTP date can say."""
    if not re.fullmatch(r"[0-9]{1,15}", milliseconds) or int(milliseconds) > _YEAR_9999:
        return ""
    return http_time(int(milliseconds))


def _user_headers(info: ObjectInfo) -> Headers:
    """Values beyond ASCII are encoded (RFC 2047), as S3 does; names that no header can have are counted instead."""
    headers: Headers = []
    missing = 0
    for name, value in info.custom.items():
        if not _TOKEN.fullmatch(name):
            missing += 1
        elif _PRINTABLE.fullmatch(value):
            headers.append((f"{_USER}{name.lower()}", value))
        else:
            headers.append((f"{_USER}{name.lower()}", f"=?UTF-8?B?{base64.b64encode(value.encode()).decode()}?="))
    if missing:
        headers.append(("x-amz-missing-meta", str(missing)))
    return headers
