"""What a backend of the `s3` binding must do: objects by project, bucket and key, with conditions, ranges and listings.

Two are meant: a folder with an SQLite index (`embedded.py`) and any S3 server. Keys are any text of 1 to 1024 bytes of
UTF-8; the callers check that, and nothing here gives `/`, `..` or anything else in a key a meaning.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Final, Protocol

import msgspec

DEFAULT_BUCKET: Final = "default"


@dataclass(frozen=True, slots=True)
class BucketId:
    project: str
    name: str = DEFAULT_BUCKET


class ObjectInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one object. `etag` is the MD5 of its content, as S3 has it for single puts."""

    key: str
    version: str
    size: int
    etag: str
    uploaded: int
    """Milliseconds since 1970."""
    http: dict[str, str] = {}
    """contentType, contentLanguage, contentDisposition, contentEncoding, cacheControl, cacheExpiry."""
    custom: dict[str, str] = {}


class Condition(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When an operation may go ahead. All that is given must hold; `*` in a list stands for any object that exists."""

    match: list[str] | None = None
    none_match: list[str] | None = None
    before: int | None = None
    """Only if uploaded earlier (milliseconds since 1970)."""
    after: int | None = None

    def holds(self, current: ObjectInfo | None) -> bool:
        if current is None:
            return self.match is None
        if self.match is not None and "*" not in self.match and current.etag not in self.match:
            return False
        if self.none_match is not None and ("*" in self.none_match or current.etag in self.none_match):
            return False
        if self.before is not None and current.uploaded >= self.before:
            return False
        return self.after is None or current.uploaded > self.after


class Range(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A part of an object: from `offset`, `length` bytes or to the end; or the last `suffix` bytes."""

    offset: int | None = None
    length: int | None = None
    suffix: int | None = None

    def within(self, size: int) -> tuple[int, int] | None:
        """(offset, length) in an object of that size, None when there is no such part."""
        if self.suffix is not None:
            if self.suffix <= 0:
                return None
            length = min(self.suffix, size)
            return size - length, length
        offset = self.offset or 0
        if (
            offset < 0
            or (offset >= size and not (offset == size == 0))
            or (self.length is not None and self.length < 0)
        ):
            return None
        rest = size - offset
        return offset, rest if self.length is None else min(self.length, rest)


@dataclass(frozen=True, slots=True, kw_only=True)
class PutOptions:
    http: dict[str, str] = field(default_factory=dict)
    custom: dict[str, str] = field(default_factory=dict)
    only_if: Condition | None = None
    digests: dict[str, str] = field(default_factory=dict)
    """What the content must hash to: algorithm (md5, sha1, sha256, sha384, sha512) to hexadecimal digest."""


@dataclass(frozen=True, slots=True)
class Found:
    """An object and its body, or the part of it that was asked for. The body is None where the condition did not hold.

    A streamed body holds a file open until it is read to its end or closed (`aclose`).
    """

    info: ObjectInfo
    offset: int = 0
    length: int = 0
    body: bytes | AsyncIterator[bytes] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListOptions:
    prefix: str = ""
    delimiter: str = ""
    start_after: str = ""
    cursor: str = ""
    limit: int = 1_000


@dataclass(frozen=True, slots=True)
class Listing:
    """One page in the order of the keys' UTF-8 bytes. `cursor` is set when there is more."""

    objects: list[ObjectInfo]
    prefixes: list[str]
    cursor: str | None


class ObjectStore(Protocol):
    """All raise `BindingError`. A put is there whole or not at all, whatever happens; once answered it stays."""

    async def start(self) -> None: ...
    async def stop(self) -> None: ...
    async def health(self) -> None: ...
    async def head(self, bucket: BucketId, key: str) -> ObjectInfo | None: ...
    async def get(
        self, bucket: BucketId, key: str, part: Range | None = None, only_if: Condition | None = None
    ) -> Found | None: ...
    async def put(
        self, bucket: BucketId, key: str, body: bytes | AsyncIterator[bytes], options: PutOptions
    ) -> ObjectInfo | None:
        """None when the condition did not hold."""

    async def copy(self, bucket: BucketId, source: str, target: str) -> ObjectInfo:
        """Raises `no_such_key`."""

    async def delete(self, bucket: BucketId, keys: list[str]) -> None: ...
    async def list_page(self, bucket: BucketId, options: ListOptions) -> Listing: ...
