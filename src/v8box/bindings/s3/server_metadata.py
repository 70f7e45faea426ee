"""R2's metadata as S3 headers, and back.

Custom metadata goes into `x-amz-meta-<name>`: names are header names in lower case (HTTP knows no case), and a value
that a header cannot carry as it is becomes an encoded word of RFC 2047, as AWS itself shows such values. The fields of
`httpMetadata` are headers themselves and must be printable ASCII.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.errors import HeaderParseError
from email.header import decode_header
from email.utils import parsedate_to_datetime
from typing import Any, Final

from v8box.bindings.interface import BindingError
from v8box.bindings.s3.interface import ObjectInfo

NO_TYPE: Final = "binary/octet-stream"  # what S3 itself answers for an object put without a type
_ARGUMENTS: Final = {
    "contentType": "ContentType",
    "contentLanguage": "ContentLanguage",
    "contentDisposition": "ContentDisposition",
    "contentEncoding": "ContentEncoding",
    "cacheControl": "CacheControl",
}
_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+")  # RFC 9110, token
_PLAIN: Final = re.compile(r"[!-~](?:[ -~]*[!-~])?")
_ENCODED: Final = re.compile(r"=\?[!-~]+\?[bBqQ]\?[!-~ ]*\?=")
_LAST_TIME: Final = 253_402_300_799_000  # the end of the year 9999: HTTP's dates have four digits


def to_arguments(http: Mapping[str, str], custom: Mapping[str, str]) -> dict[str, Any]:
    """The arguments of a put, a copy or a new upload. Raises `invalid_argument`."""
    arguments: dict[str, Any] = {"ContentType": NO_TYPE}
    for field, value in http.items():
        if field == "cacheExpiry":
            milliseconds = int(value) if value.isdecimal() and len(value) < 16 else _LAST_TIME + 1
            if milliseconds > _LAST_TIME:
                raise BindingError("invalid_argument", "cacheExpiry is a time before the year 10000")
            arguments["Expires"] = datetime.fromtimestamp(milliseconds / 1_000, UTC)
            continue
        if not _PLAIN.fullmatch(value):
            raise BindingError("invalid_argument", f"on an S3 server, {field} is printable ASCII")
        arguments[_ARGUMENTS[field]] = value
    names: dict[str, str] = {}
    for name, value in custom.items():
        lower = name.lower()
        if not _NAME.fullmatch(lower):
            raise BindingError("invalid_argument", f"on an S3 server, {name[:40]!r} cannot be a name in customMetadata")
        if lower in names:
            raise BindingError("invalid_argument", f"on an S3 server, customMetadata has one value for {lower[:40]!r}")
        names[lower] = _encode(value)
    arguments["Metadata"] = names
    return arguments


def from_answer(key: str, answer: Mapping[str, Any], size: int | None = None) -> ObjectInfo:
    """An object as `get_object` and `head_object` describe it."""
    etag = read_etag(answer)
    http = {field: answer[name] for field, name in _ARGUMENTS.items() if answer.get(name)}
    if http.get("contentType") == NO_TYPE:
        del http["contentType"]
    expires = _read_expires(answer)
    if expires is not None:
        http["cacheExpiry"] = expires
    custom = {name.lower(): _decode(value) for name, value in answer.get("Metadata", {}).items()}
    return ObjectInfo(
        key=key,
        version=read_version(answer, etag),
        size=answer.get("ContentLength", 0) if size is None else size,
        etag=etag,
        uploaded=to_ms(answer.get("LastModified")),
        http=http,
        custom=custom,
    )


def read_etag(answer: Mapping[str, Any]) -> str:
    return str(answer.get("ETag", "")).strip('"')


def read_version(answer: Mapping[str, Any], etag: str) -> str:
    """A server without versions tells uploads apart by their etag only."""
    version = answer.get("VersionId")
    return str(version) if version and version != "null" else etag


def to_ms(moment: datetime | None) -> int:
    return 0 if moment is None else int(moment.timestamp() * 1_000)


def answered_at(answer: Mapping[str, Any]) -> int:
    """The server's clock at an answer, for those which say nothing of the object's time."""
    date = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date", "")
    try:
        return to_ms(parsedate_to_datetime(date))
    except ValueError:
        return to_ms(datetime.now(UTC))


def _read_expires(answer: Mapping[str, Any]) -> str | None:
    expires = answer.get("ExpiresString") or answer.get("Expires")
    if not expires:
        return None
    if isinstance(expires, datetime):
        return str(to_ms(expires))
    try:
        return str(to_ms(parsedate_to_datetime(str(expires))))
    except ValueError:
        return None  # S3 keeps any text there


def _encode(value: str) -> str:
    if _PLAIN.fullmatch(value) and not _ENCODED.fullmatch(value):
        return value
    return f"=?UTF-8?B?{base64.b64encode(value.encode()).decode()}?="


def _decode(value: str) -> str:
    if not _ENCODED.fullmatch(value):
        return value
    try:
        return "".join(
            part if isinstance(part, str) else part.decode(charset or "ascii") for part, charset in decode_header(value)
        )
    except (ValueError, LookupError, HeaderParseError):
        return value  # somebody else's, and not what it looks like
