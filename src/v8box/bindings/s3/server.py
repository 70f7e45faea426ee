"""Objects on an S3 server, through aiobotocore. What each project's buckets are called there: `server_names.py`.

Different from the embedded store: quotas are the server's own; listings have no metadata; a put's `uploaded` is the
server's clock at its answer; objects of more than 8 MB put as a stream have a multipart etag. Puts under a condition on
one key take turns: each looks at the key when its body has come, and sends the condition along where one header can say
it. On a server that ignores it (rclone) or only looks first (Swift), that holds among the puts of this box.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from v8box.bindings.interface import BindingError
from v8box.bindings.s3 import server_metadata as metadata
from v8box.bindings.s3.interface import (
    DEFAULT_BUCKET,
    BucketId,
    BucketInfo,
    Condition,
    Found,
    Listing,
    ListOptions,
    ObjectInfo,
    ObjectLimits,
    PartInfo,
    PutOptions,
    Range,
    UploadInfo,
)
from v8box.bindings.s3.server_buckets import ServerBuckets
from v8box.bindings.s3.server_client import S3Client
from v8box.bindings.s3.server_streams import ServerBody
from v8box.bindings.s3.server_uploads import ServerUploads
from v8box.catalog.model import DEFAULT_PROJECT
from v8box.kit.tasks import TaskSet

WHOLE_BYTES: Final = 64 * 1024  # a body up to here is answered whole: one message instead of a stream
HEALTH_SECONDS: Final = 1.9
_CURSOR: Final = "s"  # before a server's own token, so that a made-up cursor is told from it
_CONTENT_RANGE: Final = re.compile(r"bytes (\d+)-(\d+)/(\d+)")
_NOT_IN_XML: Final = re.compile("[\x00-\x1f\x7f-\x9f\ufffe\uffff]")

Body = bytes | AsyncIterator[bytes]


class S3Server:
    """The store on the server at `endpoint` (`http://…` or `https://…`, buckets in the path).

    `default_bucket` and `initial_buckets` are made when they are missing: at start, or when the server is up. The
    default bucket of any other project than `default_project` is made at its first use. `spool` is a folder for
    parts of more than 8 MB, whose length must be known before they are sent.
    """

    def __init__(
        self,
        endpoint: str,
        access_key: str,
        secret_key: str,
        region: str = "us-east-1",
        *,
        default_bucket: str = DEFAULT_BUCKET,
        initial_buckets: Sequence[str] = (),
        default_project: str = DEFAULT_PROJECT,
        limits: ObjectLimits | None = None,
        spool: Path | None = None,
    ) -> None:
        self._client = S3Client(endpoint, access_key, secret_key, region)
        self._buckets = ServerBuckets(self._client, region, default_bucket, initial_buckets, default_project)
        self._tasks = TaskSet()
        self._spool = spool
        self._uploads = ServerUploads(self._client, limits or ObjectLimits(), self._tasks, spool)

    async def start(self) -> None:
        if self._spool is not None:
            await asyncio.to_thread(self._spool.mkdir, mode=0o700, parents=True, exist_ok=True)
        await self._client.open()
        self._tasks.add(self._buckets.make_required(), "s3-buckets")

    async def stop(self) -> None:
        await self._tasks.cancel()
        await self._client.close()

    async def health(self) -> None:
        try:
            async with asyncio.timeout(HEALTH_SECONDS):
                await self._client.call("list_buckets", once=True)
        except TimeoutError as error:
            raise self._client.unavailable("does not answer") from error

    # --- objects ------------------------------------------------------------------------------------------------------

    async def head(self, bucket: BucketId, key: str) -> ObjectInfo | None:
        name = await self._buckets.name(bucket)
        try:
            answer = await self._client.call("head_object", Bucket=name, Key=key)
        except BindingError as error:
            await self._check_missing(bucket, name, error)
            return None
        return metadata.from_answer(key, answer)

    async def get(
        self, bucket: BucketId, key: str, part: Range | None = None, only_if: Condition | None = None
    ) -> Found | None:
        name = await self._buckets.name(bucket)
        asked = _range_header(part)
        arguments: dict[str, Any] = {} if asked is None else {"Range": asked}
        if asked is None and part is not None:
            return await self._get_otherwise(bucket, key, part, only_if)
        try:
            answer = await self._client.call("get_object", Bucket=name, Key=key, **arguments)
        except BindingError as error:
            if error.code == "invalid_range" and part is not None:
                return await self._get_otherwise(bucket, key, part, only_if)
            await self._check_missing(bucket, name, error)
            return None
        # A server may answer a range with 206, with 200 and that range (rclone), or with 200 and the whole object.
        sent = _CONTENT_RANGE.fullmatch(str(answer.get("ContentRange") or ""))
        size = int(sent[3]) if sent else answer.get("ContentLength", 0)
        info = metadata.from_answer(key, answer, size)
        body = answer["Body"]
        if only_if is not None and not only_if.holds(info):
            body.close()
            return Found(info)
        place = (part or Range()).within(size)
        if place is None:
            body.close()
            raise _outside(size)
        offset, length = place
        stream = ServerBody(body, offset - (int(sent[1]) if sent else 0), length, self._client.unavailable)
        return Found(info, offset, length, await stream.read_whole() if length <= WHOLE_BYTES else stream)

    async def put(self, bucket: BucketId, key: str, body: Body, options: PutOptions) -> ObjectInfo | None:
        name = await self._buckets.name(bucket)
        condition = options.only_if

        async def holds() -> bool:
            return condition is None or condition.holds(await self.head(bucket, key))

        if not isinstance(body, bytes) and not await holds():
            return None  # before the body is taken in; it is looked at again when the body is there
        try:
            with self._buckets.explain(bucket):
                return await self._uploads.put(name, key, body, options, holds)
        except BindingError as error:
            if error.code == "precondition_failed":
                return None
            raise

    async def copy(
        self, source: BucketId, source_key: str, target: BucketId, key: str, options: PutOptions | None = None
    ) -> ObjectInfo | None:
        name, source_name = await self._buckets.name(target), await self._buckets.name(source)
        info = await self.head(source, source_key)
        if info is None:
            raise BindingError("no_such_key", "there is no object under the key to copy from")
        if options is not None and options.only_if is not None and not options.only_if.holds(info):
            return None
        # S3 refuses to copy an object onto itself unless something is replaced.
        replaces = options is not None or (source_name, source_key) == (name, key)
        http, custom = (options.http, options.custom) if options is not None else (info.http, info.custom)
        arguments = metadata.to_arguments(http, custom) if replaces else {}
        try:
            with self._buckets.explain(target):
                answer = await self._client.call(
                    "copy_object",
                    Bucket=name,
                    Key=key,
                    CopySource={"Bucket": source_name, "Key": source_key},
                    CopySourceIfMatch=f'"{info.etag}"',  # what was looked at is what is copied
                    MetadataDirective="REPLACE" if replaces else "COPY",
                    **arguments,
                )
        except BindingError as error:
            if error.code == "precondition_failed":
                raise BindingError("conflict", "the object was replaced while it was copied: try again") from error
            raise
        result = answer.get("CopyObjectResult", {})
        etag = metadata.read_etag(result) or info.etag
        return msgspec.structs.replace(
            info,
            key=key,
            etag=etag,
            version=metadata.read_version(answer, etag),
            uploaded=metadata.to_ms(result.get("LastModified")) or metadata.answered_at(answer),
            http=dict(http),
            custom={field.lower(): value for field, value in custom.items()},
        )

    async def delete(self, bucket: BucketId, keys: list[str]) -> None:
        name = await self._buckets.name(bucket)
        # The list is XML, which has no control characters: keys with one go by themselves.
        listed = [key for key in keys if not _NOT_IN_XML.search(key)] if len(keys) > 1 else []
        single = set(keys) - set(listed)
        with self._buckets.explain(bucket):
            if listed:
                objects = [{"Key": key} for key in dict.fromkeys(listed)]
                answer = await self._client.call(
                    "delete_objects", Bucket=name, Delete={"Objects": objects, "Quiet": True}
                )
                for fault in answer.get("Errors", ()):
                    if fault.get("Code") not in ("NoSuchKey", "404", None):
                        message = f"the S3 server {self._client.host} did not delete all keys: {fault.get('Code')}"
                        raise BindingError("io_error", message)
            for key in single:
                await self._delete_one(name, key)

    async def list_page(self, bucket: BucketId, options: ListOptions) -> Listing:
        name = await self._buckets.name(bucket)
        if options.limit <= 0:
            return Listing([], [], None)
        arguments: dict[str, Any] = {"Prefix": options.prefix, "MaxKeys": options.limit}
        if options.delimiter:
            arguments["Delimiter"] = options.delimiter
        if options.start_after:
            arguments["StartAfter"] = options.start_after
        if options.cursor:
            if not options.cursor.startswith(_CURSOR):
                raise BindingError("invalid_argument", "the cursor is none that a list answered")
            arguments["ContinuationToken"] = options.cursor[len(_CURSOR) :]
        with self._buckets.explain(bucket):
            answer = await self._client.call("list_objects_v2", Bucket=name, **arguments)
        token = answer.get("NextContinuationToken") if answer.get("IsTruncated") else None
        return Listing(
            [_listed(entry) for entry in answer.get("Contents", ())],
            [entry["Prefix"] for entry in answer.get("CommonPrefixes", ())],
            None if token is None else _CURSOR + token,
        )

    # --- multipart uploads --------------------------------------------------------------------------------------------

    async def create_upload(self, bucket: BucketId, key: str, options: PutOptions) -> str:
        if options.only_if is not None or options.digests:
            raise BindingError("invalid_argument", "a multipart upload takes no condition and no digests")
        name = await self._buckets.name(bucket)
        with self._buckets.explain(bucket):
            return await self._uploads.create(name, key, options)

    async def put_part(
        self, bucket: BucketId, key: str, upload: str, number: int, body: Body, digests: Mapping[str, str]
    ) -> PartInfo:
        name = await self._buckets.name(bucket)
        with self._buckets.explain(bucket):
            return await self._uploads.put_part(name, key, upload, number, body, digests)

    async def complete_upload(
        self, bucket: BucketId, key: str, upload: str, parts: Sequence[tuple[int, str]]
    ) -> ObjectInfo:
        name = await self._buckets.name(bucket)
        with self._buckets.explain(bucket):
            await self._uploads.complete(name, key, upload, parts)
        info = await self.head(bucket, key)
        if info is None:
            raise BindingError("no_such_key", "the object was deleted as soon as it was complete")
        return info

    async def abort_upload(self, bucket: BucketId, key: str, upload: str) -> None:
        name = await self._buckets.name(bucket)
        with self._buckets.explain(bucket):
            await self._uploads.abort(name, key, upload)

    async def list_parts(self, bucket: BucketId, key: str, upload: str) -> list[PartInfo]:
        name = await self._buckets.name(bucket)
        with self._buckets.explain(bucket):
            return await self._uploads.parts(name, key, upload)

    async def list_uploads(self, bucket: BucketId, prefix: str = "") -> list[UploadInfo]:
        name = await self._buckets.name(bucket)
        with self._buckets.explain(bucket):
            return await self._uploads.uploads(name, prefix)

    # --- buckets ------------------------------------------------------------------------------------------------------

    async def buckets(self, project: str) -> list[BucketInfo]:
        return await self._buckets.list(project)

    async def create_bucket(self, bucket: BucketId, quota: int | None = None) -> None:
        await self._buckets.create(bucket, quota)

    async def set_quota(self, bucket: BucketId, quota: int | None) -> None:
        await self._buckets.set_quota(bucket, quota)

    async def delete_bucket(self, bucket: BucketId) -> None:
        await self._buckets.delete(bucket)

    # --- how ----------------------------------------------------------------------------------------------------------

    async def _delete_one(self, name: str, key: str) -> None:
        try:
            await self._client.call("delete_object", Bucket=name, Key=key)
        except BindingError as error:
            if error.code not in ("no_such_key", "not_found"):
                raise

    async def _get_otherwise(self, bucket: BucketId, key: str, part: Range, only_if: Condition | None) -> Found | None:
        """Of a range that HTTP cannot ask for, or that the server refuses: no bytes at all, or all there are."""
        info = await self.head(bucket, key)
        if info is None:
            return None
        if only_if is not None and not only_if.holds(info):
            return Found(info)
        place = part.within(info.size)
        if place is None:
            raise _outside(info.size)
        if place == (0, info.size) and info.size:
            # rclone refuses the last 100 bytes of an object of 10, which are all of them.
            return await self.get(bucket, key, None, only_if)
        if place[1] != 0:
            raise _outside(info.size)
        return Found(info, place[0], 0, b"")

    async def _check_missing(self, bucket: BucketId, name: str, error: BindingError) -> None:
        """Returns if it is the object that is missing. A head's 404 does not tell that from a missing bucket."""
        if error.code == "no_such_key" or (error.code == "not_found" and await self._buckets.exists(name)):
            return
        with self._buckets.explain(bucket):
            raise error


def _range_header(part: Range | None) -> str | None:
    """None for no range, and for one that HTTP cannot say."""
    if part is None:
        return None
    if part.suffix is not None:
        return f"bytes=-{part.suffix}" if part.suffix > 0 else None
    offset = part.offset or 0
    if offset < 0 or (part.length is not None and part.length <= 0):
        return None
    return f"bytes={offset}-" if part.length is None else f"bytes={offset}-{offset + part.length - 1}"


def _listed(entry: Mapping[str, Any]) -> ObjectInfo:
    etag = metadata.read_etag(entry)
    modified = metadata.to_ms(entry.get("LastModified"))
    return ObjectInfo(key=entry["Key"], version=etag, size=entry.get("Size", 0), etag=etag, uploaded=modified)


def _outside(size: int) -> BindingError:
    return BindingError("invalid_range", f"the range is outside the object of {size} bytes")
