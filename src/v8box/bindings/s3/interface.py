"""What a backend of the `s3` binding must do: objects by project, bucket and key, with conditions, ranges and listings.

There are two: a folder with an SQLite index (`embedded.py`) and any S3 server (`server.py`). Keys are any text of 1 to
1024 bytes of UTF-8; the callers check that, and nothing here gives `/`, `..` or anything else in a key a meaning.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final, Protocol

import msgspec

from v8box.bindings.interface import BindingError

DEFAULT_BUCKET: Final = "v8box"  # as S3_DEFAULT_BUCKET is without being set


def _no_bound(_project: str) -> int | None:
    return None


def _least(one: int | None, other: int | None) -> int | None:
    return min((each for each in (one, other) if each is not None), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectLimits:
    """What a store takes. The least is what S3 itself has; quotas are the embedded store's."""

    object_bytes: int = 5 * 1024**3
    """One put, one part of a multipart upload, one copy on an S3 server."""

    part_bytes: int = 5 * 1024**2
    """The least that a part has, but for the last one."""

    project_bytes: int | None = 20 * 1024**3
    """All buckets of a project together, parts of open uploads included. None: as much as the disk has."""

    project_objects: int | None = 1_000_000
    """All buckets of a project together: each object costs the index up to 17 KiB for its key and metadata."""

    buckets: int = 100
    """Buckets of a project."""

    uploads: int = 1_000
    """Open multipart uploads of a bucket."""

    upload_seconds: float = 7 * 86_400
    """A multipart upload that gets no part for so long is aborted."""

    bytes_of: Callable[[str], int | None] = _no_bound
    """What one project may have of `project_bytes`; None: all. Asked at each upload, from any thread."""

    buckets_of: Callable[[str], int | None] = _no_bound
    """What one project may have of `buckets`, in the same way."""

    def bytes_in(self, project: str) -> int | None:
        return _least(self.project_bytes, self.bytes_of(project))

    def buckets_in(self, project: str) -> int:
        own = self.buckets_of(project)
        return self.buckets if own is None else min(self.buckets, own)


@dataclass(frozen=True, slots=True)
class BucketId:
    project: str
    name: str = DEFAULT_BUCKET


class BucketInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One bucket of a project. `objects` and `size` are what is stored, None where a server does not tell cheaply."""

    name: str
    created: int
    """Milliseconds since 1970."""
    objects: int | None = None
    size: int | None = None
    """Bytes."""
    quota: int | None = None
    """Bytes that the bucket may hold; None is without a bound of its own."""


class PartInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One uploaded part of a multipart upload. `etag` is the MD5 of its content."""

    number: int
    etag: str
    size: int
    uploaded: int = 0


class UploadInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A multipart upload that is neither completed nor aborted."""

    key: str
    id: str
    started: int


class ObjectInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one object. `etag` is as S3 has it: the MD5 of the content, or of the parts' MD5s and `-<parts>`
    for a multipart upload."""

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

    async def copy(
        self, source: BucketId, source_key: str, target: BucketId, key: str, options: PutOptions | None = None
    ) -> ObjectInfo | None:
        """With `options` the copy has that metadata instead of the source's, and `only_if` is about the source: None
        when it does not hold. Raises `no_such_key`."""

    async def delete(self, bucket: BucketId, keys: list[str]) -> None: ...
    async def list_page(self, bucket: BucketId, options: ListOptions) -> Listing: ...

    # multipart uploads: parts of 5 MiB or more but the last, 1 to 10,000 of them, each replaceable until completed

    async def create_upload(self, bucket: BucketId, key: str, options: PutOptions) -> str:
        """The new upload's id. Uploads left alone are aborted after a week."""

    async def put_part(
        self,
        bucket: BucketId,
        key: str,
        upload: str,
        number: int,
        body: bytes | AsyncIterator[bytes],
        digests: Mapping[str, str],
    ) -> PartInfo:
        """Raises `no_such_upload`."""

    async def complete_upload(
        self, bucket: BucketId, key: str, upload: str, parts: Sequence[tuple[int, str]]
    ) -> ObjectInfo:
        """Makes the object of (number, etag) in rising order. Raises `invalid_part`, `invalid_part_order`,
        `part_too_small`."""

    async def abort_upload(self, bucket: BucketId, key: str, upload: str) -> None:
        """Raises `no_such_upload`."""

    async def list_parts(self, bucket: BucketId, key: str, upload: str) -> list[PartInfo]:
        """In the order of their numbers. Raises `no_such_upload`."""

    async def list_uploads(self, bucket: BucketId, prefix: str = "") -> list[UploadInfo]: ...

    # buckets; those that the settings name exist from the start

    async def buckets(self, project: str) -> list[BucketInfo]:
        """By name."""

    async def create_bucket(self, bucket: BucketId, quota: int | None = None) -> None:
        """Raises `bucket_exists`."""

    async def set_quota(self, bucket: BucketId, quota: int | None) -> None:
        """Raises `no_such_bucket`, and `not_available` where the store cannot keep one."""

    async def delete_bucket(self, bucket: BucketId) -> None:
        """Raises `no_such_bucket`, `bucket_not_empty`."""


class Presigner(Protocol):
    """Makes URLs that anyone may use until they expire. The S3 API of the box is one."""

    def presign(
        self,
        bucket: BucketId,
        key: str,
        method: str,
        expires: int,
        content_type: str | None = None,
        disposition: str | None = None,
    ) -> str:
        """A URL for one `method` (GET, PUT, HEAD, DELETE) on one key, good for `expires` seconds (1 to 604800). With
        `content_type` a PUT must send that one, and a GET answers it; with `disposition` a GET answers that
        Content-Disposition."""


def check_parts(parts: Sequence[tuple[int, str]]) -> None:
    """What an upload is completed with: raises `invalid_part` without any, `invalid_part_order`."""
    if not parts:
        raise BindingError("invalid_part", "an upload is completed with one part or more")
    if any(after[0] <= before[0] for before, after in pairwise(parts)):
        raise BindingError("invalid_part_order", "parts are listed once each, by rising number")


def no_such_bucket(bucket: BucketId) -> BindingError:
    return BindingError("no_such_bucket", f"there is no bucket {bucket.name}: create it first")
