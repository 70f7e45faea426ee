"""Buckets and keys as requests name them, checked; buckets and objects as answers show them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from fastapi import Request

from v8box.bindings.interface import BindingError
from v8box.bindings.s3.interface import BucketId, BucketInfo, ObjectInfo
from v8box.errors import BadRequest
from v8box.kit.names import BUCKET

MAX_KEY_BYTES: Final = 1_024


def bucket_id(project: str, name: str) -> BucketId:
    if not BUCKET.fullmatch(name):
        raise BadRequest("A bucket's name is 3 to 63 of a-z, 0-9, . and -, and begins and ends with a letter or digit.")
    return BucketId(project, name)


def key_of(request: Request, key: str) -> str:
    """The key that the address names; the query's where the address ends before it."""
    try:
        unquote_to_bytes(request.scope.get("raw_path", b"")).decode()
    except UnicodeDecodeError as error:
        raise BadRequest("The key is not UTF-8 text.") from error
    return checked_key(key or request.query_params.get("key", ""))


def checked_key(key: str) -> str:
    if not 1 <= len(utf8(key).encode()) <= MAX_KEY_BYTES:
        raise BadRequest(f"A key has 1 to {MAX_KEY_BYTES} bytes of UTF-8.")
    return key


def utf8(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise BadRequest("A key is UTF-8 text.") from error
    return text


def no_such_key(key: str) -> BindingError:
    return BindingError("no_such_key", f"there is no object under {key[:200]!r} in this bucket")


def bucket_entry(info: BucketInfo) -> dict[str, Any]:
    return {
        "name": info.name,
        "created": time(info.created) if info.created else None,
        "objects": info.objects,
        "sizeBytes": info.size,
        "quota": info.quota,
    }


def object_entry(info: ObjectInfo) -> dict[str, Any]:
    return {
        "key": info.key,
        "sizeBytes": info.size,
        "etag": info.etag,
        "uploaded": time(info.uploaded),
        "http": info.http,
        "metadata": info.custom,
    }


def time(milliseconds: int) -> str:
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
