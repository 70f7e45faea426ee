"""Changes of the embedded store's index: objects and buckets, with their quotas. Run by `commits.py`, on its thread."""

from __future__ import annotations

import secrets
import time
from typing import Final

import apsw
import msgspec

from v8box.bindings.interface import BindingError
from v8box.bindings.s3.commits import Batch
from v8box.bindings.s3.index import ASSEMBLY, Index
from v8box.bindings.s3.intake import Received
from v8box.bindings.s3.interface import BucketId, ObjectInfo, ObjectLimits, PutOptions

_SWEEP_ROWS: Final = 1_000


class Changes(Index):
    """`required` are buckets that cannot be deleted; `limits` hold for every project."""

    def __init__(
        self, connection: apsw.Connection, default_bucket: str, limits: ObjectLimits, required: frozenset[BucketId]
    ) -> None:
        super().__init__(connection, default_bucket, limits)
        self._required = required

    # --- objects ------------------------------------------------------------------------------------------------------

    def put(
        self, batch: Batch, bucket: BucketId, key: str, options: PutOptions, received: Received
    ) -> ObjectInfo | None:
        self.ensure(bucket)
        found = self.find(bucket, key)
        if options.only_if is not None and not options.only_if.holds(found[0] if found else None):
            return None
        self.take_in(batch, received)
        info = self.save(
            batch, bucket, key, received.content, received.size, received.etag, options.http, options.custom
        )
        self.check_room(bucket, received.size - (found[0].size if found else 0), 0 if found else 1)
        return info

    def copy(
        self,
        batch: Batch,
        source: BucketId,
        source_key: str,
        target: BucketId,
        key: str,
        options: PutOptions | None,
    ) -> ObjectInfo | None:
        found = self.find(source, source_key)
        if found is None:
            raise BindingError("no_such_key", "there is no object under the key to copy from")
        info, content = found
        http, custom = info.http, info.custom
        if options is not None:
            if options.only_if is not None and not options.only_if.holds(info):
                return None
            http, custom = options.http, options.custom
        self.ensure(target)
        replaced = self.find(target, key)
        copied = self.save(batch, target, key, content, info.size, info.etag, http, custom)
        self.check_room(target, info.size - (replaced[0].size if replaced else 0), 0 if replaced else 1)
        return copied

    def delete(self, batch: Batch, bucket: BucketId, keys: list[str]) -> None:
        self.require(bucket)
        for key in keys:
            row = self.one("delete", bucket.project, bucket.name, key.encode())
            if row is not None:
                batch.candidates.add(row[0])

    def take_in(self, batch: Batch, received: Received) -> None:
        """Makes a received body a content that rows may name."""
        batch.candidates.add(received.content)  # in case that this change fails further on
        if received.path is not None:
            batch.folders |= batch.contents.place(received.path, received.content)
        else:
            self.one("add_content", received.content, received.inline)

    def save(
        self,
        batch: Batch,
        bucket: BucketId,
        key: str,
        content: str,
        size: int,
        etag: str,
        http: dict[str, str],
        custom: dict[str, str],
    ) -> ObjectInfo:
        """Writes an object's row over the one that is there."""
        old = self.one("find", bucket.project, bucket.name, key.encode())
        if old is not None:
            batch.candidates.add(old[1])
        version, now = new_id(), now_ms()
        info = ObjectInfo(key=key, version=version, size=size, etag=etag, uploaded=now, http=http, custom=custom)
        where = (bucket.project, bucket.name, key.encode())
        self.one("save", *where, version, content, size, etag, now, encode(http), encode(custom))
        return info

    # --- room ---------------------------------------------------------------------------------------------------------

    def check_room(self, bucket: BucketId, grown: int, objects: int = 0) -> None:
        """After a change that made a bucket larger: raises `quota_exceeded` if it is too large now."""
        room = self.room(bucket)
        if grown > 0:
            room.check(0)
        if objects > 0:
            room.check_objects()

    # --- buckets ------------------------------------------------------------------------------------------------------

    def ensure(self, bucket: BucketId) -> None:
        """Raises `no_such_bucket`; gives the default bucket its row."""
        if self.one("bucket", bucket.project, bucket.name) is None:
            self.require(bucket)
            self.one("add_bucket", bucket.project, bucket.name, now_ms(), None)

    def make_required(self) -> None:
        for bucket in self._required:
            self.one("add_bucket", bucket.project, bucket.name, now_ms(), None)

    def create_bucket(self, bucket: BucketId, quota: int | None) -> None:
        (count,) = self.one("count_buckets", bucket.project)
        if self.one("bucket", bucket.project, bucket.name) is not None or bucket.name == self._default_bucket:
            raise BindingError("bucket_exists", f"there is a bucket {bucket.name} already")
        most = self._limits.buckets_in(bucket.project)
        if count >= most:
            raise BindingError("too_many_buckets", f"the project may have {most} buckets: delete one")
        self.one("add_bucket", bucket.project, bucket.name, now_ms(), quota)

    def set_quota(self, bucket: BucketId, quota: int | None) -> None:
        self.ensure(bucket)
        self.one("set_quota", bucket.project, bucket.name, quota)

    def delete_bucket(self, batch: Batch, bucket: BucketId) -> None:
        self.require(bucket)
        if bucket.name == self._default_bucket or bucket in self._required:
            raise BindingError("bucket_required", f"the settings name the bucket {bucket.name}: it cannot be deleted")
        row = self.one("bucket", bucket.project, bucket.name)
        if row[2] > 0:
            raise BindingError("bucket_not_empty", f"the bucket {bucket.name} has {row[2]} objects: delete them first")
        for (upload,) in self.all("uploads_of_bucket", bucket.project, bucket.name):
            self.drop_upload(batch, upload)
        self.one("delete_bucket", bucket.project, bucket.name)

    def drop_upload(self, batch: Batch, upload: str) -> None:
        """Ends an upload: its parts' contents go, unless an object has them by now."""
        batch.candidates.update(content for (content,) in self.all("delete_parts", upload))
        self.one("delete_upload", upload)

    # --- what is no longer used ---------------------------------------------------------------------------------------

    def forget_unused(self, candidates: set[str]) -> set[str]:
        """Deletes what the index has of contents that nothing consists of any more; the names whose files may go."""
        files: set[str] = set()
        todo = list(candidates)
        while todo:
            content = todo.pop()
            if self.one("is_used", content)[0]:
                continue
            if content.startswith(ASSEMBLY):
                todo += [piece for (piece,) in self.all("delete_pieces", content)]
            else:
                self.one("delete_content", content)
                files.add(content)
        return files

    def sweep_contents(self, after: int, batch: Batch) -> int | None:
        """Looks at some of the contents in the index, from a row on. Gives back where to go on, None at the end."""
        rows = self.all("some_contents", after, _SWEEP_ROWS)
        batch.candidates.update(name for _, name in rows)
        return rows[-1][0] if rows else None


def new_id() -> str:
    return secrets.token_hex(16)


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def encode(fields: dict[str, str]) -> str:
    return msgspec.json.encode(fields).decode()
