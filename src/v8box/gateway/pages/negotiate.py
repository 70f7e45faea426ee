"""What of a file a client gets, by its headers: which encoding, whether it has it already, which ranges (RFC 9110)."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from email.utils import formatdate, parsedate_to_datetime
from typing import Final

MAX_RANGES: Final = 16
"""More in one request are answered with the whole file: they are an attack rather than a wish."""

_CODING: Final = re.compile(r"\s*([A-Za-z0-9*!#$&^_.+/-]+)\s*(?:;\s*q\s*=\s*([01](?:\.[0-9]{0,3})?))?\s*")
_RANGE: Final = re.compile(r"\s*([0-9]{0,18})-([0-9]{0,18})\s*")
_TAG: Final = re.compile(r'\s*(?:W/)?("[^"]*")\s*')


def qualities(header: str) -> dict[str, float]:
    """The values of an Accept or Accept-Encoding header with their weights. What cannot be read is left out."""
    found: dict[str, float] = {}
    for part in header.split(","):
        match = _CODING.match(part)
        if match is not None and match[1]:
            found[match[1].lower()] = float(match[2]) if match[2] else 1.0
    return found


def choose_encoding(header: str | None, sizes: Mapping[str, int], plain_size: int) -> str:
    """The encoding to answer with; empty for the bytes as they are. The client's weights count, then the size."""
    if not header or not sizes:
        return ""
    wanted = qualities(header)
    any_other = wanted.get("*", 0.0)
    weight, _, best = max((wanted.get(name, any_other), -sizes[name], name) for name in sizes)
    if weight <= 0 or sizes[best] >= plain_size or wanted.get("identity", 0.0) > weight:
        return ""
    return best


def choose_variant(header: str | None, types: Collection[str]) -> str:
    """The picture type to answer with; empty for the original. Only what the client names counts."""
    if not header or not types:
        return ""
    wanted = qualities(header)
    for name in ("image/avif", "image/webp"):
        if name in types and wanted.get(name, 0.0) > 0:
            return name
    return ""


def is_known(etag: str, at: int, if_none_match: str | None, if_modified_since: str | None) -> bool:
    """Whether the client has these bytes already."""
    if if_none_match is not None:
        return if_none_match.strip() == "*" or etag in tags(if_none_match)
    since = None if if_modified_since is None else read_date(if_modified_since)
    return since is not None and at <= since


def fails_precondition(etag: str, at: int, if_match: str | None, if_unmodified_since: str | None) -> bool:
    """Whether the client wants the answer only of other bytes than these."""
    if if_match is not None:
        return if_match.strip() != "*" and etag not in tags(if_match, weak=False)
    since = None if if_unmodified_since is None else read_date(if_unmodified_since)
    return since is not None and at > since


def tags(header: str, *, weak: bool = True) -> list[str]:
    """The entity tags of a header; weak ones by their text, or left out."""
    found: list[str] = []
    for part in header.split(","):
        match = _TAG.fullmatch(part)
        if match is not None and (weak or not part.strip().startswith("W/")):
            found.append(match[1])
    return found


def ranges(header: str | None, size: int, if_range: str | None, etag: str, at: int) -> Sequence[tuple[int, int]] | None:
    """The ranges to answer as (first, behind the last); None for the whole file, empty when none can be satisfied."""
    if header is None or not header.startswith("bytes="):
        return None
    if (
        if_range is not None
        and if_range.strip() != etag
        and (if_range.startswith(('"', "W/")) or read_date(if_range) != at)
    ):
        return None
    asked = header.removeprefix("bytes=").split(",")
    if len(asked) > MAX_RANGES:
        return None
    found: list[tuple[int, int]] = []
    for part in asked:
        match = _RANGE.fullmatch(part)
        if match is None or not (match[1] or match[2]):
            return None
        if not match[1]:
            first, behind = max(0, size - int(match[2])), size
        else:
            first, behind = int(match[1]), min(size, int(match[2]) + 1) if match[2] else size
            if match[2] and int(match[2]) < first:
                return None
        if first < behind:
            found.append((first, behind))
    if sum(behind - first for first, behind in found) > size + 1_024:
        return None  # they overlap: the whole file is less
    return found


def read_date(text: str) -> int | None:
    """An HTTP date as Unix time."""
    try:
        return int(parsedate_to_datetime(text).timestamp())
    except (TypeError, ValueError, OverflowError):
        return None


def http_date(at: int) -> bytes:
    return formatdate(at, usegmt=True).encode()
