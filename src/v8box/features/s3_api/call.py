"""What every operation is given, and what several of them need."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, NoReturn
from urllib.parse import unquote_to_bytes

from v8box.bindings.s3.interface import BucketId, ListOptions, ObjectStore
from v8box.features.s3_api.auth import Caller
from v8box.features.s3_api.errors import S3Error
from v8box.features.s3_api.payload import Payload
from v8box.features.s3_api.request import Request, checked_key
from v8box.features.s3_api.responses import Response
from v8box.features.s3_api.service import Permission
from v8box.features.s3_api.xml import Tree, read
from v8box.kit.names import BUCKET

_QUICKLY_PARSED_BYTES: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Call:
    """One authenticated request."""

    request: Request
    caller: Caller
    payload: Payload
    store: ObjectStore

    @property
    def bucket(self) -> BucketId:
        """The bucket of the path, in the caller's project: those of other projects cannot be named."""
        return self.bucket_named(self.request.bucket)

    def bucket_named(self, name: str) -> BucketId:
        if not BUCKET.fullmatch(name):
            raise S3Error("NoSuchBucket")
        return BucketId(self.caller.project, name)

    def require(self, permission: Permission) -> None:
        self.caller.require(permission, self.request.bucket)

    async def require_bucket(self) -> None:
        """Raises `no_such_bucket`."""
        await self.store.list_page(self.bucket, ListOptions(limit=1))

    async def xml(self, root: str, record: str, most: int, most_bytes: int) -> Tree:
        """The body as XML: see `xml.read`. A long one is parsed beside the loop."""
        data = await self.payload.whole(most_bytes)
        if len(data) <= _QUICKLY_PARSED_BYTES:
            return read(data, root, record, most)
        return await asyncio.to_thread(read, data, root, record, most)

    async def missing(self) -> NoReturn:
        """There is no object: for want of it, or of its bucket."""
        await self.require_bucket()
        raise S3Error("NoSuchKey")

    def copy_source(self) -> tuple[BucketId, str]:
        """`x-amz-copy-source`, which the caller must be allowed to read. Raises `S3Error`."""
        path, _, query = self.request.headers["x-amz-copy-source"].partition("?")
        if query not in ("", "versionId=null"):
            raise S3Error("NoSuchVersion")
        try:
            source = unquote_to_bytes(path.encode("utf-8", "surrogateescape")).decode()
        except UnicodeDecodeError:
            raise S3Error("InvalidArgument", "The copy source must be UTF-8.") from None
        name, _, key = source.removeprefix("/").partition("/")
        if not name or not key:
            raise S3Error("InvalidArgument", "The copy source must be <bucket>/<key>.")
        self.caller.require(Permission.READ, name)
        return self.bucket_named(name), checked_key(key)


class Answered(Exception):
    """The answer is known before the operation has run its course."""

    def __init__(self, response: Response) -> None:
        self.response = response


Operation = Callable[[Call], Awaitable[Response]]
