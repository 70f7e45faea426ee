"""The conditional headers of HTTP (RFC 9110 §13) and ranges (§14), with the answers that S3 gives."""

from __future__ import annotations

import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Final

from v8box.bindings.s3.interface import Condition, ObjectInfo, Range
from v8box.features.s3_api.errors import S3Error

NAMES: Final = ("if-match", "if-none-match", "if-modified-since", "if-unmodified-since", "if-range")
_RANGE: Final = re.compile(r"bytes\s*=\s*([0-9]{0,18})\s*-\s*([0-9]{0,18})\s*", re.ASCII)
_ETAG: Final = re.compile(r'(?:W/)?"([^"]*)"|([^",\s]+)')


class NotModified(Exception):
    """The client has the current object (304)."""


def etags(value: str) -> list[str]:
    """A list of entity tags. S3 takes them with and without quotes."""
    return [match[1] if match[1] is not None else match[2] for match in _ETAG.finditer(value)]


def check(headers: Mapping[str, str], info: ObjectInfo, prefix: str = "") -> None:
    """Raises `NotModified` or `S3Error` (412) when the object must not be answered. With a prefix, all that does not
    hold is a 412: the conditions are about the source of a copy."""
    modified = info.uploaded // 1000
    match = headers.get(f"{prefix}if-match")
    none_match = headers.get(f"{prefix}if-none-match")
    if match is not None:
        if not _lists(match, info):
            raise S3Error("PreconditionFailed")
    elif (since := _seconds(headers.get(f"{prefix}if-unmodified-since"))) is not None and modified > since:
        raise S3Error("PreconditionFailed")
    if none_match is not None:
        unchanged = _lists(none_match, info)
    else:
        since = _seconds(headers.get(f"{prefix}if-modified-since"))
        unchanged = since is not None and modified <= since
    if unchanged:
        raise S3Error("PreconditionFailed") if prefix else NotModified


def _lists(value: str, info: ObjectInfo) -> bool:
    listed = etags(value)
    return "*" in listed or info.etag in listed


def _seconds(value: str | None) -> float | None:
    """An HTTP date; None when there is none, or it is not one, which is to be ignored."""
    if value is None:
        return None
    try:
        return parsedate_to_datetime(value).timestamp()
    except (ValueError, OverflowError):
        return None


def for_write(headers: Mapping[str, str]) -> Condition | None:
    """The condition of a put."""
    match, none_match = headers.get("if-match"), headers.get("if-none-match")
    if match is None and none_match is None:
        return None
    return Condition(
        match=None if match is None else etags(match), none_match=None if none_match is None else etags(none_match)
    )


def range_of(headers: Mapping[str, str], name: str = "range") -> Range | None:
    """A single range of bytes. None for anything else: S3 answers the whole object then."""
    match = _RANGE.fullmatch(headers.get(name, ""))
    if match is None or (not match[1] and not match[2]):
        return None
    if not match[1]:
        return Range(suffix=int(match[2]))
    first = int(match[1])
    if not match[2]:
        return Range(offset=first)
    last = int(match[2])
    return Range(offset=first, length=last - first + 1) if last >= first else None


def range_is_current(headers: Mapping[str, str], info: ObjectInfo) -> bool:
    """Whether `If-Range` lets the range stand: only when the object is still the one of before."""
    value = headers.get("if-range")
    if value is None:
        return True
    if value.startswith(('"', "W/")):
        return value == f'"{info.etag}"'
    return _seconds(value) == info.uploaded // 1000
