"""The `s3` binding: calls from workers to a store's objects, with keys, metadata and grants checked."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any, ClassVar, Final, TypeVar

import msgspec

from v8box.bindings.interface import Answer, BindingError, Call, Scope
from v8box.bindings.s3.interface import (
    DEFAULT_BUCKET,
    BucketId,
    Condition,
    ListOptions,
    ObjectInfo,
    ObjectStore,
    PutOptions,
    Range,
)

KEY_BYTES: Final = 1_024  # S3's limit
METADATA_BYTES: Final = 8_192  # R2's limit, names and values of custom metadata together
HTTP_METADATA_BYTES: Final = 8_192
DELETE_KEYS: Final = 1_000  # S3's limit for one request
LIST_LIMIT: Final = 1_000
_DIGEST_LENGTHS: Final = {"md5": 32, "sha1": 40, "sha256": 64, "sha384": 96, "sha512": 128}
_BUCKET: Final = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_HTTP_FIELDS: Final = frozenset(
    {"contentType", "contentLanguage", "contentDisposition", "contentEncoding", "cacheControl", "cacheExpiry"}
)

Shape = TypeVar("Shape")
Grants = Callable[[Scope], frozenset[str]]
"""Which buckets of its project a run may use."""


class _Where(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    bucket: str = DEFAULT_BUCKET


class _Head(_Where, kw_only=True):
    key: str


class _Get(_Where, kw_only=True):
    key: str
    range: Range | None = None
    only_if: Condition | None = None


class _Put(_Where, kw_only=True):
    key: str
    http: dict[str, str] = {}
    custom: dict[str, str] = {}
    only_if: Condition | None = None
    digests: dict[str, str] = {}


class _Copy(_Where, kw_only=True):
    source: str
    target: str


class _Delete(_Where, kw_only=True):
    keys: list[str]


class _List(_Where, kw_only=True):
    prefix: str = ""
    delimiter: str = ""
    start_after: str = ""
    cursor: str = ""
    limit: Annotated[int, msgspec.Meta(ge=1)] = LIST_LIMIT
    include: list[str] = []


class _ObjectAnswer(msgspec.Struct, omit_defaults=True):
    """What the client makes an object of. `body` says whether bytes come beside it."""

    object: ObjectInfo
    range: tuple[int, int] | None = None
    body: bool = False


def only_default(_scope: Scope) -> frozenset[str]:
    """Grants nothing but the project's default bucket."""
    return _ONLY_DEFAULT


_ONLY_DEFAULT: Final = frozenset({DEFAULT_BUCKET})


class S3Binding:
    name: ClassVar[str] = "s3"

    def __init__(self, store: ObjectStore, *, grants: Grants = only_default) -> None:
        self._store = store
        self._grants = grants

    async def start(self) -> None:
        await self._store.start()

    async def stop(self) -> None:
        await self._store.stop()

    async def health(self) -> None:
        await self._store.health()

    async def end_run(self, scope: Scope) -> None:
        """A run keeps nothing here: a body it was reading is closed by the broker."""

    async def call(self, call: Call) -> Answer:
        match call.operation:
            case "get":
                return await self._get(call.scope, _read(call.args, _Get))
            case "put":
                return await self._put(call.scope, _read(call.args, _Put), call.body)
            case "head":
                head = _read(call.args, _Head)
                info = await self._store.head(self._bucket(call.scope, head), _key(head.key))
                return Answer(None if info is None else _ObjectAnswer(info))
            case "delete":
                delete = _read(call.args, _Delete)
                if len(delete.keys) > DELETE_KEYS:
                    raise BindingError("invalid_argument", f"one call may delete {DELETE_KEYS} keys")
                await self._store.delete(self._bucket(call.scope, delete), [_key(key) for key in delete.keys])
                return Answer()
            case "copy":
                copy = _read(call.args, _Copy)
                bucket = self._bucket(call.scope, copy)
                return Answer(_ObjectAnswer(await self._store.copy(bucket, _key(copy.source), _key(copy.target))))
            case "list":
                return await self._list(call.scope, _read(call.args, _List))
            case unknown:
                raise BindingError("unknown_operation", f"s3 has no operation {unknown[:40]!r}")

    def _bucket(self, scope: Scope, where: _Where) -> BucketId:
        if not _BUCKET.fullmatch(where.bucket):
            raise BindingError("invalid_argument", "a bucket's name has 3 to 63 of a-z, 0-9, . and -")
        if where.bucket not in self._grants(scope):
            raise BindingError("bucket_not_granted", f"this worker may not use the bucket {where.bucket}")
        return BucketId(scope.project, where.bucket)

    async def _get(self, scope: Scope, get: _Get) -> Answer:
        found = await self._store.get(self._bucket(scope, get), _key(get.key), get.range, get.only_if)
        if found is None:
            return Answer()
        if found.body is None:
            return Answer(_ObjectAnswer(found.info))
        return Answer(_ObjectAnswer(found.info, (found.offset, found.length), body=True), found.body)

    async def _put(self, scope: Scope, put: _Put, body: bytes | AsyncIterator[bytes] | None) -> Answer:
        bucket = self._bucket(scope, put)
        _check_metadata(put)
        for algorithm, digest in put.digests.items():
            length = _DIGEST_LENGTHS.get(algorithm)
            if length is None or len(digest) != length:
                raise BindingError("invalid_argument", f"{algorithm[:20]} is no digest, or not of that length")
        options = PutOptions(http=put.http, custom=put.custom, only_if=put.only_if, digests=put.digests)
        info = await self._store.put(bucket, _key(put.key), body if body is not None else b"", options)
        return Answer(None if info is None else _ObjectAnswer(info))

    async def _list(self, scope: Scope, asked: _List) -> Answer:
        options = ListOptions(
            prefix=asked.prefix,
            delimiter=asked.delimiter,
            start_after=asked.start_after,
            cursor=asked.cursor,
            limit=min(asked.limit, LIST_LIMIT),
        )
        listing = await self._store.list_page(self._bucket(scope, asked), options)
        left_out: dict[str, Any] = {}
        if "httpMetadata" not in asked.include:
            left_out["http"] = {}
        if "customMetadata" not in asked.include:
            left_out["custom"] = {}
        objects = [msgspec.structs.replace(info, **left_out) for info in listing.objects]
        return Answer({"objects": objects, "prefixes": listing.prefixes, "cursor": listing.cursor})


def _key(key: str) -> str:
    try:
        size = len(key.encode())
    except UnicodeEncodeError:
        size = 0
    if not 1 <= size <= KEY_BYTES:
        raise BindingError("invalid_key", f"a key has 1 to {KEY_BYTES} bytes of valid UTF-8")
    return key


def _check_metadata(put: _Put) -> None:
    if unknown := put.http.keys() - _HTTP_FIELDS:
        raise BindingError("invalid_argument", f"httpMetadata has no field {min(unknown)[:40]!r}")
    for fields, most in ((put.custom, METADATA_BYTES), (put.http, HTTP_METADATA_BYTES)):
        if sum(len(name.encode()) + len(value.encode()) for name, value in fields.items()) > most:
            raise BindingError("metadata_too_large", f"metadata may have {most} bytes, names and values together")


def _read(args: Any, shape: type[Shape]) -> Shape:
    try:
        return msgspec.convert(args, shape)
    except msgspec.ValidationError as error:
        raise BindingError("invalid_argument", str(error)) from error
