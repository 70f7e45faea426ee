"""The `s3` binding: calls from workers to a store's objects, with keys, metadata and grants checked."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, ClassVar, Final

import msgspec

from v8box.bindings.interface import Answer, BindingError, Call, Scope
from v8box.bindings.s3 import requests
from v8box.bindings.s3.interface import DEFAULT_BUCKET, BucketId, ListOptions, ObjectStore, Presigner, PutOptions
from v8box.bindings.s3.requests import ObjectAnswer, Where, check_key, read

DELETE_KEYS: Final = 1_000  # S3's limit for one request
_BUCKET: Final = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


class S3Binding:
    """`default_bucket` is every worker's; others are those that its manifest grants. Without a `presign`er there are no
    presigned URLs."""

    name: ClassVar[str] = "s3"

    def __init__(
        self, store: ObjectStore, *, default_bucket: str = DEFAULT_BUCKET, presign: Presigner | None = None
    ) -> None:
        self._store = store
        self._default_bucket = default_bucket
        self._presigner = presign
        self._operations: Mapping[str, Callable[[Call], Awaitable[Answer]]] = {
            "get": self._get,
            "put": self._put,
            "head": self._head,
            "delete": self._delete,
            "list": self._list,
            "copy": self._copy,
            "create_upload": self._create_upload,
            "put_part": self._put_part,
            "complete_upload": self._complete_upload,
            "abort_upload": self._abort_upload,
            "list_parts": self._list_parts,
            "list_uploads": self._list_uploads,
            "presign": self._presign,
            "buckets": self._buckets,
            "head_bucket": self._head_bucket,
        }

    async def start(self) -> None:
        await self._store.start()

    async def stop(self) -> None:
        await self._store.stop()

    async def health(self) -> None:
        await self._store.health()

    def keeps(self, scope: Scope) -> bool:
        return False

    async def end_run(self, scope: Scope) -> None:
        """A run keeps nothing here: a body it was reading is closed by the broker."""

    async def call(self, call: Call) -> Answer:
        operation = self._operations.get(call.operation)
        if operation is None:
            raise BindingError("unknown_operation", f"s3 has no operation {call.operation[:40]!r}")
        return await operation(call)

    # --- objects ------------------------------------------------------------------------------------------------------

    async def _get(self, call: Call) -> Answer:
        get = read(call.args, requests.Get)
        found = await self._store.get(self._bucket(call.scope, get), check_key(get.key), get.range, get.only_if)
        if found is None:
            return Answer()
        if found.body is None:
            return Answer(ObjectAnswer(found.info), rows=1)
        return Answer(ObjectAnswer(found.info, (found.offset, found.length), body=True), found.body, rows=1)

    async def _put(self, call: Call) -> Answer:
        put = read(call.args, requests.Put)
        bucket = self._bucket(call.scope, put)
        requests.check_metadata(put.http, put.custom)
        requests.check_digests(put.digests)
        options = PutOptions(http=put.http, custom=put.custom, only_if=put.only_if, digests=put.digests)
        info = await self._store.put(bucket, check_key(put.key), _body(call), options)
        return Answer() if info is None else Answer(ObjectAnswer(info), written=1)

    async def _head(self, call: Call) -> Answer:
        head = read(call.args, requests.Head)
        info = await self._store.head(self._bucket(call.scope, head), check_key(head.key))
        return Answer() if info is None else Answer(ObjectAnswer(info), rows=1)

    async def _delete(self, call: Call) -> Answer:
        delete = read(call.args, requests.Delete)
        if len(delete.keys) > DELETE_KEYS:
            raise BindingError("invalid_argument", f"one call may delete {DELETE_KEYS} keys")
        bucket = self._bucket(call.scope, delete)
        keys = [check_key(key) for key in delete.keys]
        if keys:
            await self._store.delete(bucket, keys)
        return Answer(written=len(keys))

    async def _copy(self, call: Call) -> Answer:
        copy = read(call.args, requests.Copy)
        target = self._bucket(call.scope, copy)
        source = target if copy.source_bucket is None else self._named(call.scope, copy.source_bucket)
        source_key, key = check_key(copy.source), check_key(copy.target)
        options: PutOptions | None = None
        if copy.replace:
            requests.check_metadata(copy.http, copy.custom)
            options = PutOptions(http=copy.http, custom=copy.custom, only_if=copy.only_if)
        elif copy.http or copy.custom:
            raise BindingError("invalid_argument", "a copy has metadata of its own only with replace")
        elif copy.only_if is not None:
            # The store's options carry the metadata too, so the source's is read; its etag then holds for both.
            info = await self._store.head(source, source_key)
            if info is None:
                raise BindingError("no_such_key", "there is no object under the key to copy from")
            if not copy.only_if.holds(info):
                return Answer()
            same = msgspec.structs.replace(copy.only_if, match=[info.etag])
            options = PutOptions(http=info.http, custom=info.custom, only_if=same)
        copied = await self._store.copy(source, source_key, target, key, options)
        return Answer() if copied is None else Answer(ObjectAnswer(copied), written=1)

    async def _list(self, call: Call) -> Answer:
        asked = read(call.args, requests.List)
        requests.check_text(asked.prefix, asked.delimiter, asked.start_after)
        options = ListOptions(
            prefix=asked.prefix,
            delimiter=asked.delimiter,
            start_after=asked.start_after,
            cursor=asked.cursor,
            limit=min(asked.limit, requests.LIST_LIMIT),
        )
        listing = await self._store.list_page(self._bucket(call.scope, asked), options)
        left_out: dict[str, Any] = {}
        if "httpMetadata" not in asked.include:
            left_out["http"] = {}
        if "customMetadata" not in asked.include:
            left_out["custom"] = {}
        objects = [msgspec.structs.replace(info, **left_out) for info in listing.objects]
        rows = len(objects) + len(listing.prefixes)
        return Answer({"objects": objects, "prefixes": listing.prefixes, "cursor": listing.cursor}, rows=rows)

    # --- multipart uploads --------------------------------------------------------------------------------------------

    async def _create_upload(self, call: Call) -> Answer:
        create = read(call.args, requests.CreateUpload)
        requests.check_metadata(create.http, create.custom)
        options = PutOptions(http=create.http, custom=create.custom)
        upload = await self._store.create_upload(self._bucket(call.scope, create), check_key(create.key), options)
        return Answer({"upload": upload})

    async def _put_part(self, call: Call) -> Answer:
        put = read(call.args, requests.PutPart)
        requests.check_digests(put.digests)
        bucket = self._bucket(call.scope, put)
        part = await self._store.put_part(
            bucket, check_key(put.key), put.upload, put.number, _body(call), put.digests
        )  # fmt: skip
        return Answer({"number": part.number, "etag": part.etag, "size": part.size})

    async def _complete_upload(self, call: Call) -> Answer:
        complete = read(call.args, requests.CompleteUpload)
        bucket = self._bucket(call.scope, complete)
        info = await self._store.complete_upload(bucket, check_key(complete.key), complete.upload, complete.parts)
        return Answer(ObjectAnswer(info), written=1)

    async def _abort_upload(self, call: Call) -> Answer:
        abort = read(call.args, requests.Upload)
        await self._store.abort_upload(self._bucket(call.scope, abort), check_key(abort.key), abort.upload)
        return Answer()

    async def _list_parts(self, call: Call) -> Answer:
        asked = read(call.args, requests.Upload)
        parts = await self._store.list_parts(self._bucket(call.scope, asked), check_key(asked.key), asked.upload)
        return Answer({"parts": parts}, rows=len(parts))

    async def _list_uploads(self, call: Call) -> Answer:
        asked = read(call.args, requests.ListUploads)
        requests.check_text(asked.prefix)
        uploads = await self._store.list_uploads(self._bucket(call.scope, asked), asked.prefix)
        return Answer({"uploads": uploads}, rows=len(uploads))

    # --- buckets and URLs ---------------------------------------------------------------------------------------------

    async def _presign(self, call: Call) -> Answer:
        asked = read(call.args, requests.Presign)
        bucket = self._bucket(call.scope, asked)
        if self._presigner is None:
            raise BindingError(
                "not_available", "this box has no S3 API to make URLs for: set DOMAIN, or a public address"
            )
        extra = asked.content_type, asked.disposition
        for text in extra:
            if text is not None and (len(text) > requests.HTTP_METADATA_BYTES or not text.isprintable()):
                raise BindingError("invalid_argument", "content_type and disposition are printable text")
        url = self._presigner.presign(bucket, check_key(asked.key), asked.method, asked.expires, *extra)
        return Answer({"url": url})

    async def _buckets(self, call: Call) -> Answer:
        read(call.args, Where)
        usable = self._granted(call.scope) | {self._default_bucket}
        buckets = [bucket for bucket in await self._store.buckets(call.scope.project) if bucket.name in usable]
        return Answer({"buckets": buckets}, rows=len(buckets))

    async def _head_bucket(self, call: Call) -> Answer:
        """Whether the worker may use the bucket, and it exists."""
        bucket = self._bucket(call.scope, read(call.args, Where))
        await self._store.list_page(bucket, ListOptions(limit=1))
        return Answer({"name": bucket.name})

    def _bucket(self, scope: Scope, where: Where) -> BucketId:
        if where.bucket is None:
            return BucketId(scope.project, self._default_bucket)
        return self._named(scope, where.bucket)

    def _named(self, scope: Scope, name: str) -> BucketId:
        if not _BUCKET.fullmatch(name):
            raise BindingError("invalid_argument", "a bucket's name has 3 to 63 of a-z, 0-9, . and -")
        if name != self._default_bucket and name not in self._granted(scope):
            message = f"this worker may not use the bucket {name}: add it to permissions.buckets in its v8box.toml"
            raise BindingError("bucket_not_granted", message)
        return BucketId(scope.project, name)

    def _granted(self, scope: Scope) -> frozenset[str]:
        return scope.grants.get(self.name, frozenset())


def _body(call: Call) -> bytes | AsyncIterator[bytes]:
    return call.body if call.body is not None else b""
