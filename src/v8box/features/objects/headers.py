"""Objects' metadata as HTTP headers, both ways; conditions (RFC 9110 §13) and ranges (§14) in requests.

What a worker stored is hostile: it goes into no header that could break out of it, and every download is marked so that
a browser neither shows it on the admin's origin, nor runs it, nor guesses what it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from email.utils import formatdate
from typing import Final
from urllib.parse import quote

from v8box.bindings.s3.interface import Condition, Found, ObjectInfo, PutOptions, Range
from v8box.errors import BadRequest

MAX_METADATA_BYTES: Final = 8_192
DEFAULT_TYPE: Final = "application/octet-stream"
_USER: Final = "x-amz-meta-"
_STORED: Final = {
    "content-type": "contentType",
    "content-language": "contentLanguage",
    "content-disposition": "contentDisposition",
    "content-encoding": "contentEncoding",
    "cache-control": "cacheControl",
}
_SHOWN: Final = {
    "content-type": "contentType",
    "content-language": "contentLanguage",
    "content-encoding": "contentEncoding",
}
_RANGE: Final = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})", re.IGNORECASE)
_PRINTABLE: Final = re.compile(r"[\x20-\x7e]+")
_TOKEN: Final = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]+")
_DEFENCES: Final = {
    "content-security-policy": "sandbox; default-src 'none'",
    "cross-origin-resource-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "cache-control": "private, no-cache",
}


def put_options(headers: Mapping[str, str]) -> PutOptions:
    """What a PUT says of the object: its standard headers, `x-amz-meta-*`, and `If-Match` or `If-None-Match`."""
    http = {name: headers[header].strip() for header, name in _STORED.items() if headers.get(header, "").strip()}
    custom = {
        name.removeprefix(_USER): value for name, value in headers.items() if name.startswith(_USER) and name != _USER
    }
    return _bounded(PutOptions(http=http, custom=custom, only_if=condition(headers)))


def metadata(http: Mapping[str, str], custom: Mapping[str, str], only_if: Condition | None = None) -> PutOptions:
    """What a change says of the object. Raises `BadRequest` for what no header could carry to a client."""
    for name, value in http.items():
        if name not in _STORED.values():
            raise BadRequest(f"http: {name[:60]} is none of {', '.join(sorted(_STORED.values()))}.")
        if not _PRINTABLE.fullmatch(value):
            raise BadRequest(f"http.{name}: printable ASCII, and not empty.")
    lower: dict[str, str] = {}
    for name, value in custom.items():
        if not _TOKEN.fullmatch(name.lower()) or name.lower() in lower:
            raise BadRequest(f"metadata: {name[:60]!r} is no name: letters, digits and - _ . and each once.")
        if not value.isprintable():
            raise BadRequest(f"metadata.{name[:60]}: printable characters only.")
        lower[name.lower()] = value
    return _bounded(PutOptions(http=dict(http), custom=lower, only_if=only_if))


def _bounded(options: PutOptions) -> PutOptions:
    parts = (options.http, options.custom)
    if sum(len(name) + len(value.encode()) for part in parts for name, value in part.items()) > MAX_METADATA_BYTES:
        raise BadRequest(f"The metadata of an object may have {MAX_METADATA_BYTES} bytes.")
    return options


def condition(headers: Mapping[str, str]) -> Condition | None:
    """`If-Match` and `If-None-Match`; None without either."""
    match, none_match = _etags(headers.get("if-match")), _etags(headers.get("if-none-match"))
    return Condition(match=match, none_match=none_match) if match is not None or none_match is not None else None


def byte_range(value: str | None) -> Range | None:
    """The part that a Range header asks for. None for the whole object, which also answers what is not understood and
    several ranges at once (RFC 9110 §14.2)."""
    match = _RANGE.fullmatch(value.strip()) if value else None
    if match is None or not (match[1] or match[2]):
        return None
    if not match[1]:
        return Range(suffix=int(match[2]))
    if not match[2]:
        return Range(offset=int(match[1]))
    first, last = int(match[1]), int(match[2])
    return Range(offset=first, length=last - first + 1) if last >= first else None


def object_headers(info: ObjectInfo) -> dict[str, str]:
    """What GET and HEAD say of an object, whoever put it there."""
    headers = {
        "etag": f'"{info.etag}"',
        "last-modified": formatdate(info.uploaded / 1000, usegmt=True),
        "accept-ranges": "bytes",
        "content-type": DEFAULT_TYPE,
        "content-disposition": attachment(info.key),
        **_DEFENCES,
    }
    for header, name in _SHOWN.items():
        if _PRINTABLE.fullmatch(info.http.get(name, "")):
            headers[header] = info.http[name]
    missing = 0
    for name, value in info.custom.items():
        if _TOKEN.fullmatch(name.lower()) and (not value or _PRINTABLE.fullmatch(value)):
            headers[_USER + name.lower()] = value
        else:
            missing += 1
    if missing:
        headers["x-amz-missing-meta"] = str(missing)  # as S3 counts what no header can carry; the list has it all
    return headers


def content_range(found: Found) -> str:
    return f"bytes {found.offset}-{found.offset + found.length - 1}/{found.info.size}"


def attachment(key: str) -> str:
    """Saved under the key's last part: as it is where that is plain, else as RFC 6266 has it."""
    name = key.rstrip("/").rpartition("/")[2] or "object"
    plain = re.sub(r"[^A-Za-z0-9._ -]", "_", name)
    encoded = "" if plain == name else f"; filename*=UTF-8''{quote(name, safe='')}"
    return f'attachment; filename="{plain}"{encoded}'


def _etags(value: str | None) -> list[str] | None:
    if value is None:
        return None
    return [each.strip().removeprefix("W/").strip('"') for each in value.split(",")]
