"""Writing to an S3 server: single puts, multipart uploads, and streams of unknown length, which become either."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, nullcontext
from pathlib import Path
from typing import Any, Final

from v8box.bindings.interface import BindingError
from v8box.bindings.s3 import server_metadata as metadata
from v8box.bindings.s3.interface import (
    Condition,
    ObjectInfo,
    ObjectLimits,
    PartInfo,
    PutOptions,
    UploadInfo,
    check_parts,
)
from v8box.bindings.s3.server_client import S3Client
from v8box.bindings.s3.server_streams import Digests, in_parts
from v8box.bindings.s3.spool import Spool
from v8box.bindings.s3.turns import Turns
from v8box.kit.tasks import TaskSet

logger = logging.getLogger(__name__)

_PAGE: Final = 1_000
_MOST_UPLOADS: Final = 10_000

Body = bytes | AsyncIterator[bytes]


class ServerUploads:
    """`bucket` is the server's name for it everywhere here. Parts of more than 8 MB wait in `spool` until they are
    whole; without one, in the system's folder for such files."""

    def __init__(self, client: S3Client, limits: ObjectLimits, tasks: TaskSet, spool: Path | None) -> None:
        self._spool = spool
        self._client = client
        self._limits = limits
        self._tasks = tasks
        self._turns = Turns()

    async def put(
        self, bucket: str, key: str, body: Body, options: PutOptions, holds: Callable[[], Awaitable[bool]]
    ) -> ObjectInfo:
        """Raises `precondition_failed`: puts under a condition on one key take turns at the moment when the object
        comes to be, and each looks there whether its condition `holds`."""
        arguments = metadata.to_arguments(options.http, options.custom)
        conditions = _conditions(options.only_if)
        last = self._last_step(bucket, key, holds) if options.only_if is not None else nullcontext()
        digests = Digests(options.digests)
        async with aclosing(in_parts(body, self._limits.object_bytes)) as parts:
            first = await anext(parts)
            second = await anext(parts, None)
            if second is None:
                md5 = await digests.see(first)
                digests.check()
                async with last:
                    answer = await self._call_under(
                        conditions, "put_object", Bucket=bucket, Key=key, Body=first, ContentMD5=md5, **arguments
                    )
                return _stored(key, len(first), answer, options)
            size = 0
            upload = await self._create(bucket, key, arguments)
            try:
                done: list[dict[str, Any]] = []
                sending: asyncio.Task[dict[str, Any]] | None = None
                try:
                    # While one part is sent, the next one is gathered: no more than two are in memory.
                    async for part in _chain(first, second, parts):
                        size += len(part)
                        md5 = await digests.see(part)
                        if sending is not None:
                            done.append(await sending)
                        number = len(done) + 1
                        sending = asyncio.create_task(self._send(bucket, key, upload, number, part, md5))
                    if sending is not None:
                        done.append(await sending)
                finally:
                    if sending is not None and not sending.done():
                        sending.cancel()
                        await asyncio.gather(sending, return_exceptions=True)
                digests.check()
                listed = {"Parts": done}
                async with last:
                    answer = await self._call_under(
                        conditions,
                        "complete_multipart_upload",
                        once=True,
                        Bucket=bucket,
                        Key=key,
                        UploadId=upload,
                        MultipartUpload=listed,
                    )
            except BaseException:
                # Not awaited: this may be a cancellation.
                self._tasks.add(self._give_up(bucket, key, upload), "s3-abort")
                raise
        return _stored(key, size, answer, options)

    async def create(self, bucket: str, key: str, options: PutOptions) -> str:
        return await self._create(bucket, key, metadata.to_arguments(options.http, options.custom))

    async def put_part(
        self, bucket: str, key: str, upload: str, number: int, body: Body, digests: Mapping[str, str]
    ) -> PartInfo:
        async with Spool(self._spool, self._limits.object_bytes, digests) as spool:
            await spool.take(body)
            answer = await self._client.call(
                "upload_part",
                Bucket=bucket,
                Key=key,
                UploadId=upload,
                PartNumber=number,
                Body=spool.content(),
                ContentLength=spool.size,
                ContentMD5=spool.md5,
            )
            etag = metadata.read_etag(answer)
            return PartInfo(number=number, etag=etag, size=spool.size, uploaded=metadata.answered_at(answer))

    async def complete(self, bucket: str, key: str, upload: str, parts: Sequence[tuple[int, str]]) -> None:
        check_parts(parts)
        listed = [{"PartNumber": number, "ETag": f'"{etag.strip(chr(34))}"'} for number, etag in parts]
        await self._call(
            self._client.call(
                "complete_multipart_upload",
                once=True,
                Bucket=bucket,
                Key=key,
                UploadId=upload,
                MultipartUpload={"Parts": listed},
            )
        )

    async def abort(self, bucket: str, key: str, upload: str) -> None:
        await self._call(self._client.call("abort_multipart_upload", Bucket=bucket, Key=key, UploadId=upload))

    async def parts(self, bucket: str, key: str, upload: str) -> list[PartInfo]:
        found: list[PartInfo] = []
        marker = 0
        while True:
            answer = await self._call(
                self._client.call(
                    "list_parts", Bucket=bucket, Key=key, UploadId=upload, MaxParts=_PAGE, PartNumberMarker=marker
                )
            )
            found += [
                PartInfo(
                    number=part["PartNumber"],
                    etag=metadata.read_etag(part),
                    size=part.get("Size", 0),
                    uploaded=metadata.to_ms(part.get("LastModified")),
                )
                for part in answer.get("Parts", ())
            ]
            after = int(answer.get("NextPartNumberMarker") or 0)
            if not answer.get("IsTruncated") or after <= marker:
                return found
            marker = after

    async def uploads(self, bucket: str, prefix: str) -> list[UploadInfo]:
        """The first 10,000."""
        found: list[UploadInfo] = []
        markers: dict[str, Any] = {}
        while len(found) < _MOST_UPLOADS:
            try:
                answer = await self._client.call("list_multipart_uploads", Bucket=bucket, Prefix=prefix, **markers)
            except BindingError as error:
                if error.code == "no_such_upload":
                    break  # rclone's way to say that the bucket never had one
                raise
            found += [
                UploadInfo(key=each["Key"], id=each["UploadId"], started=metadata.to_ms(each.get("Initiated")))
                for each in answer.get("Uploads", ())
            ]
            following = {
                "KeyMarker": answer.get("NextKeyMarker", ""),
                "UploadIdMarker": answer.get("NextUploadIdMarker", ""),
            }
            if not answer.get("IsTruncated") or following == markers or not following["KeyMarker"]:
                break
            markers = following
        return sorted(found, key=lambda each: (each.key.encode(), each.started, each.id))

    async def _create(self, bucket: str, key: str, arguments: Mapping[str, Any]) -> str:
        answer = await self._client.call("create_multipart_upload", Bucket=bucket, Key=key, **arguments)
        return str(answer["UploadId"])

    async def _send(self, bucket: str, key: str, upload: str, number: int, part: bytes, md5: str) -> dict[str, Any]:
        answer = await self._client.call(
            "upload_part", Bucket=bucket, Key=key, UploadId=upload, PartNumber=number, Body=part, ContentMD5=md5
        )
        return {"PartNumber": number, "ETag": answer["ETag"]}

    @asynccontextmanager
    async def _last_step(self, bucket: str, key: str, holds: Callable[[], Awaitable[bool]]) -> AsyncIterator[None]:
        async with self._turns.take((bucket, key)):
            if not await holds():
                raise BindingError("precondition_failed", "the condition does not hold")
            yield

    async def _call_under(
        self, conditions: dict[str, Any], operation: str, *, once: bool = False, **arguments: Any
    ) -> Any:
        """With the headers of a condition; without, if the server says that it has no such thing."""
        if conditions:
            try:
                # Once: done and not answered, a second one would find the first one's object.
                return await self._client.call(operation, once=True, **arguments, **conditions)
            except BindingError as error:
                if error.code != "not_available":
                    raise
        return await self._client.call(operation, once=once, **arguments)

    async def _give_up(self, bucket: str, key: str, upload: str) -> None:
        try:
            await self.abort(bucket, key, upload)
        except BindingError as error:
            logger.warning("parts of an upload that failed stay on the S3 server: %s", error.message)

    async def _call(self, call: Awaitable[Any]) -> Any:
        """Of an upload: what is not found is the upload."""
        try:
            return await call
        except BindingError as error:
            if error.code in ("not_found", "no_such_key"):
                message = "there is no such upload of that key: it was completed or aborted"
                raise BindingError("no_such_upload", message) from error
            raise


async def _chain(first: bytes, second: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    yield second
    async for part in rest:
        yield part


def _conditions(condition: Condition | None) -> dict[str, Any]:
    """As much of a condition as the header of a put can say: one etag, or none at all."""
    arguments: dict[str, Any] = {}
    if condition is not None:
        if condition.match is not None and len(condition.match) == 1 and condition.match != ["*"]:
            arguments["IfMatch"] = f'"{condition.match[0]}"'
        if condition.none_match == ["*"]:
            arguments["IfNoneMatch"] = "*"
    return arguments


def _stored(key: str, size: int, answer: Mapping[str, Any], options: PutOptions) -> ObjectInfo:
    etag = metadata.read_etag(answer)
    return ObjectInfo(
        key=key,
        version=metadata.read_version(answer, etag),
        size=size,
        etag=etag,
        uploaded=metadata.answered_at(answer),
        http=dict(options.http),
        custom={name.lower(): value for name, value in options.custom.items()},
    )
