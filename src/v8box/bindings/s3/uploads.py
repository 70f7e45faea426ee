"""Multipart uploads in the embedded store's index. Each part is a content of its own, and completing only lists them:
no byte is copied, and a crash at any moment leaves either the upload or the object.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final

from v8box.bindings.interface import BindingError
from v8box.bindings.s3.changes import Changes, encode, new_id, now_ms
from v8box.bindings.s3.commits import Batch
from v8box.bindings.s3.index import ASSEMBLY
from v8box.bindings.s3.intake import Received
from v8box.bindings.s3.interface import BucketId, ObjectInfo, PartInfo, PutOptions, check_parts

PARTS: Final = 10_000
ASSEMBLED_BYTES: Final = 5 * 1024**4  # S3's limit for an object of parts
_EXPIRE_UPLOADS: Final = 20  # in one change, so that others get their turn


class Uploads(Changes):
    def create_upload(self, bucket: BucketId, key: str, options: PutOptions) -> str:
        self.ensure(bucket)
        (count,) = self.one("count_uploads", bucket.project, bucket.name)
        if count >= self._limits.uploads:
            message = f"a bucket may have {self._limits.uploads} open uploads: complete or abort some"
            raise BindingError("too_many_uploads", message)
        upload = new_id()
        metadata = encode(options.http), encode(options.custom)
        self.one("add_upload", upload, bucket.project, bucket.name, key.encode(), now_ms(), *metadata)
        return upload

    def put_part(
        self, batch: Batch, bucket: BucketId, key: str, upload: str, number: int, received: Received
    ) -> PartInfo:
        self.upload_metadata(bucket, key, upload)
        replaced = self.one("part", upload, number)
        if replaced is not None:
            batch.candidates.add(replaced[0])
        self.take_in(batch, received)
        part = PartInfo(number=number, etag=received.etag, size=received.size, uploaded=now_ms())
        self.one("save_part", upload, number, received.content, part.size, part.etag, part.uploaded)
        self.one("touch_upload", upload, part.uploaded)
        self.check_room(bucket, received.size - (replaced[1] if replaced else 0))
        return part

    def complete_upload(
        self, batch: Batch, bucket: BucketId, key: str, upload: str, parts: Sequence[tuple[int, str]]
    ) -> ObjectInfo:
        http, custom = self.upload_metadata(bucket, key, upload)
        check_parts(parts)
        assembly = ASSEMBLY + new_id()
        place = 0
        digests = hashlib.md5(usedforsecurity=False)
        for position, (number, etag) in enumerate(parts, 1):
            row = self.one("part", upload, number)
            if row is None or row[2] != etag.strip('"').lower():
                raise BindingError("invalid_part", f"part {number} was not uploaded, or has another etag")
            content, size, md5 = row
            if position < len(parts) and size < self._limits.part_bytes:
                least = self._limits.part_bytes
                raise BindingError("part_too_small", f"part {number} has {size} bytes; all but the last have {least}")
            self.one("add_piece", assembly, number, place, size, content)
            digests.update(bytes.fromhex(md5))
            place += size
        if place > ASSEMBLED_BYTES:
            raise BindingError("object_too_large", f"an object may have {ASSEMBLED_BYTES} bytes")
        batch.candidates.add(assembly)
        found = self.find(bucket, key)
        self.drop_upload(batch, upload)
        etag = f"{digests.hexdigest()}-{len(parts)}"
        info = self.save(batch, bucket, key, assembly, place, etag, http, custom)
        # Its bytes were counted as parts until now, so only a new key can be too much.
        if found is None:
            self.check_room(bucket, 0, 1)
        return info

    def abort_upload(self, batch: Batch, bucket: BucketId, key: str, upload: str) -> None:
        self.upload_metadata(bucket, key, upload)
        self.drop_upload(batch, upload)

    def expire_uploads(self, batch: Batch) -> int:
        """Aborts some of those left alone; how many."""
        before = now_ms() - int(self._limits.upload_seconds * 1_000)
        uploads = self.all("old_uploads", before, _EXPIRE_UPLOADS)
        for (upload,) in uploads:
            self.drop_upload(batch, upload)
        return len(uploads)
