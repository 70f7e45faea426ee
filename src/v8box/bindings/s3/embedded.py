"""Objects in a folder: each content once, and an SQLite index of keys. The store for a box without an S3 server.

A put goes through `intake.py` (hash, write, sync) and becomes visible by one change of the index (`commits.py`, which
runs `changes.py` and `uploads.py`). Reads have a connection and threads of their own, so no commit holds them up.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

import apsw

from v8box.bindings.interface import BindingError
from v8box.bindings.s3.bodies import Opened, PiecesBody
from v8box.bindings.s3.commits import Batch, Committer
from v8box.bindings.s3.contents import Contents, store_fault
from v8box.bindings.s3.index import ASSEMBLY, Index, Piece, connect
from v8box.bindings.s3.intake import INLINE_BYTES, Intake, Received
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
from v8box.bindings.s3.room import Arrival, Arrivals
from v8box.bindings.s3.uploads import PARTS, Uploads
from v8box.catalog.model import DEFAULT_PROJECT
from v8box.kit.tasks import TaskSet

logger = logging.getLogger(__name__)

WHOLE_BYTES: Final = 64 * 1024  # a body up to here is answered whole: one message instead of a stream
_READ_THREADS: Final = 4
_WRITE_THREADS: Final = 6
_EXPIRE_SECONDS: Final = 3_600.0

Result = TypeVar("Result")
Body = bytes | AsyncIterator[bytes]


class EmbeddedObjects:
    """The store in `directory`; one process at a time may have it open.

    `default_bucket` is there for every project and `initial_buckets` for `default_project`; they cannot be deleted.
    """

    def __init__(
        self,
        directory: Path,
        *,
        default_bucket: str = DEFAULT_BUCKET,
        initial_buckets: Sequence[str] = (),
        default_project: str = DEFAULT_PROJECT,
        limits: ObjectLimits | None = None,
    ) -> None:
        self._directory = directory
        self._default_bucket = default_bucket
        self._required = frozenset(BucketId(default_project, name) for name in {default_bucket, *initial_buckets})
        self._limits = limits or ObjectLimits()
        self._arrivals = Arrivals()
        self._tasks = TaskSet()
        self._index_thread = ThreadPoolExecutor(1, "s3-index")
        self._read_threads = ThreadPoolExecutor(_READ_THREADS, "s3-read")
        self._write_threads = ThreadPoolExecutor(_WRITE_THREADS, "s3-write")
        self._open: _Open | None = None
        self._sweep: asyncio.Task[None] | None = None

    async def start(self) -> None:
        contents, reads, changes = await self._in_thread(self._index_thread, self._open_files)
        committer = Committer(changes.connection, contents, changes.forget_unused)
        self._open = _Open(contents, reads, changes, committer)
        await self._open.committer.apply(lambda _: changes.make_required())
        self._sweep = self._tasks.add(self._sweep_leftovers(), "s3-sweep")
        self._tasks.forever(self._expire_uploads(), "s3-expire")

    async def stop(self) -> None:
        await self._tasks.cancel()
        for pool in (self._write_threads, self._read_threads):
            await asyncio.to_thread(pool.shutdown)
        if self._open is not None:
            await self._open.committer.close()
            await self._in_thread(self._index_thread, self._open.close)
            self._open = None
        await asyncio.to_thread(self._index_thread.shutdown)

    async def health(self) -> None:
        await self._read(self._opened.reads.check)

    async def swept(self) -> None:
        """Returns when what an earlier crash left over is gone."""
        if self._sweep is not None:
            await asyncio.shield(self._sweep)

    # --- objects ------------------------------------------------------------------------------------------------------

    async def head(self, bucket: BucketId, key: str) -> ObjectInfo | None:
        found = await self._read(self._opened.reads.find, bucket, key)
        return found[0] if found else None

    async def get(
        self, bucket: BucketId, key: str, part: Range | None = None, only_if: Condition | None = None
    ) -> Found | None:
        missing = ""
        while True:
            found = await self._read(self._opened.reads.find_with_bytes, bucket, key)
            if found is None:
                return None
            info, content, inline = found
            if only_if is not None and not only_if.holds(info):
                return Found(info)
            place = (part or Range()).within(info.size)
            if place is None:
                raise BindingError("invalid_range", f"the range is outside the object of {info.size} bytes")
            offset, length = place
            if inline is not None:
                return Found(info, offset, length, inline if length == info.size else inline[offset : offset + length])
            body: bytes | PiecesBody
            try:
                if content.startswith(ASSEMBLY):
                    body = await self._open_assembly(bucket, info, content, offset, length)
                else:
                    body = await self._open_file(content, offset, length)
            except FileNotFoundError as error:
                if missing == info.version:
                    raise BindingError("io_error", "the object's file is not there") from error
                missing = info.version  # replaced or deleted since it was found, so look again
                continue
            return Found(info, offset, length, body)

    async def put(self, bucket: BucketId, key: str, body: Body, options: PutOptions) -> ObjectInfo | None:
        changes = self._opened.changes
        return await self._receive(
            bucket, key, body, options.digests, lambda batch, it: changes.put(batch, bucket, key, options, it)
        )

    async def copy(
        self, source: BucketId, source_key: str, target: BucketId, key: str, options: PutOptions | None = None
    ) -> ObjectInfo | None:
        changes = self._opened.changes
        return await self._change(lambda batch: changes.copy(batch, source, source_key, target, key, options))

    async def delete(self, bucket: BucketId, keys: list[str]) -> None:
        changes = self._opened.changes
        await self._change(lambda batch: changes.delete(batch, bucket, keys))

    async def list_page(self, bucket: BucketId, options: ListOptions) -> Listing:
        return await self._read(self._opened.reads.list_page, bucket, options)

    # --- multipart uploads --------------------------------------------------------------------------------------------

    async def create_upload(self, bucket: BucketId, key: str, options: PutOptions) -> str:
        if options.only_if is not None or options.digests:
            raise BindingError("invalid_argument", "a multipart upload takes no condition and no digests")
        changes = self._opened.changes
        return await self._change(lambda _: changes.create_upload(bucket, key, options))

    async def put_part(
        self, bucket: BucketId, key: str, upload: str, number: int, body: Body, digests: Mapping[str, str]
    ) -> PartInfo:
        if not 1 <= number <= PARTS:
            raise BindingError("invalid_argument", f"a part's number is 1 to {PARTS}")
        await self._read(self._opened.reads.upload_metadata, bucket, key, upload)
        changes = self._opened.changes
        return await self._receive(
            bucket, key, body, digests, lambda batch, it: changes.put_part(batch, bucket, key, upload, number, it)
        )

    async def complete_upload(
        self, bucket: BucketId, key: str, upload: str, parts: Sequence[tuple[int, str]]
    ) -> ObjectInfo:
        changes = self._opened.changes
        return await self._change(lambda batch: changes.complete_upload(batch, bucket, key, upload, parts))

    async def abort_upload(self, bucket: BucketId, key: str, upload: str) -> None:
        changes = self._opened.changes
        await self._change(lambda batch: changes.abort_upload(batch, bucket, key, upload))

    async def list_parts(self, bucket: BucketId, key: str, upload: str) -> list[PartInfo]:
        return await self._read(self._opened.reads.parts, bucket, key, upload)

    async def list_uploads(self, bucket: BucketId, prefix: str = "") -> list[UploadInfo]:
        return await self._read(self._opened.reads.uploads, bucket, prefix)

    async def expire_uploads(self) -> None:
        """Aborts the uploads that were left alone for `limits.upload_seconds`; runs every hour by itself."""
        while await self._change(self._opened.changes.expire_uploads):
            pass

    # --- buckets ------------------------------------------------------------------------------------------------------

    async def buckets(self, project: str) -> list[BucketInfo]:
        changes = self._opened.changes
        found = await self._read(self._opened.reads.buckets, project)
        if not any(bucket.name == self._default_bucket for bucket in found):
            await self._change(lambda _: changes.ensure(BucketId(project, self._default_bucket)))
            found = await self._read(self._opened.reads.buckets, project)
        return found

    async def create_bucket(self, bucket: BucketId, quota: int | None = None) -> None:
        changes = self._opened.changes
        await self._change(lambda _: changes.create_bucket(bucket, quota))

    async def set_quota(self, bucket: BucketId, quota: int | None) -> None:
        changes = self._opened.changes
        await self._change(lambda _: changes.set_quota(bucket, quota))

    async def delete_bucket(self, bucket: BucketId) -> None:
        changes = self._opened.changes
        await self._change(lambda batch: changes.delete_bucket(batch, bucket))

    # --- how ----------------------------------------------------------------------------------------------------------

    async def _receive(
        self,
        bucket: BucketId,
        key: str,
        body: Body,
        digests: Mapping[str, str],
        change: Callable[[Batch, Received], Result],
    ) -> Result:
        """Takes a body in, and what `change` makes of it into the index."""
        arrival: Arrival | None = None
        if not isinstance(body, bytes) or len(body) > INLINE_BYTES:
            arrival = self._arrivals.count(*await self._read(self._opened.reads.room_for, bucket, key))
        most = self._limits.object_bytes
        grow = arrival.grow if arrival is not None else _uncounted
        try:
            with Intake(self._opened.contents.incoming, self._write_threads, most, digests, grow) as intake:
                received = await intake.receive(body)
                return await self._change(lambda batch: change(batch, received))
        finally:
            if arrival is not None:
                arrival.end()

    async def _open_file(self, content: str, offset: int, length: int) -> bytes | PiecesBody:
        contents = self._opened.contents
        file = await self._in_thread(self._read_threads, _open_or_read, contents.path(content), offset, length)
        if isinstance(file, bytes):
            return file
        return PiecesBody([Piece(content, offset, length)], contents.path, self._read_threads, first=file)

    async def _open_assembly(
        self, bucket: BucketId, info: ObjectInfo, assembly: str, offset: int, length: int
    ) -> PiecesBody:
        """Raises `FileNotFoundError` if the object has gone since it was found."""
        opened = self._opened
        pieces = await self._read(opened.reads.pieces, assembly, offset, length)
        files = {piece.content for piece in pieces if piece.inline is None}
        opened.contents.pin(files)

        def unpin() -> None:
            opened.contents.unpin(files)
            opened.committer.post(lambda batch: batch.candidates.update(files))

        try:
            # Only what is in the index after the pins were set is sure to stay.
            found = await self._read(opened.reads.find, bucket, info.key)
            if found is None or found[1] != assembly:
                raise FileNotFoundError(assembly)
            return PiecesBody(pieces, opened.contents.path, self._read_threads, unpin)
        except BaseException:
            unpin()
            raise

    def _open_files(self) -> tuple[Contents, Index, Uploads]:
        contents = Contents(self._directory)
        contents.empty_incoming()
        path = self._directory / "index.db"
        writer = connect(path, default_bucket=self._default_bucket)
        changes = Uploads(writer, self._default_bucket, self._limits, self._required)
        return contents, Index(connect(path), self._default_bucket, self._limits), changes

    async def _sweep_leftovers(self) -> None:
        opened = self._opened
        folders = opened.contents.names()
        while (names := await self._in_thread(self._read_threads, next, folders, None)) is not None:
            if names:
                await self._change(partial(_look_at, names))
        after: int | None = 0
        while after is not None:
            after = await self._change(partial(opened.changes.sweep_contents, after))

    async def _expire_uploads(self) -> None:
        while True:
            try:
                await self.expire_uploads()
            except BindingError as error:
                logger.warning("uploads left alone could not be removed: %s", error.message)
            await asyncio.sleep(_EXPIRE_SECONDS)

    async def _read(self, query: Callable[..., Result], *args: object) -> Result:
        return await self._in_thread(self._index_thread, query, *args)

    async def _change(self, change: Callable[[Batch], Result]) -> Result:
        return await self._opened.committer.apply(change)

    async def _in_thread(self, pool: ThreadPoolExecutor, work: Callable[..., Result], *args: object) -> Result:
        try:
            return await asyncio.get_running_loop().run_in_executor(pool, work, *args)
        except FileNotFoundError:
            raise
        except (OSError, apsw.Error) as error:
            raise store_fault(error) from error

    @property
    def _opened(self) -> _Open:
        if self._open is None:
            raise BindingError("not_ready", "the object store is not open")
        return self._open


class _Open:
    """What there is between `start` and `stop`."""

    def __init__(self, contents: Contents, reads: Index, changes: Uploads, committer: Committer) -> None:
        self.contents = contents
        self.reads = reads
        self.changes = changes
        self.committer = committer

    def close(self) -> None:
        self.reads.connection.close()
        self.changes.connection.close()


def _open_or_read(path: Path, offset: int, length: int) -> bytes | Opened:
    file = Opened(path)
    if length > WHOLE_BYTES:
        return file
    try:
        return file.read(offset, length)
    finally:
        file.close()


def _look_at(names: list[str], batch: Batch) -> None:
    batch.candidates.update(names)


def _uncounted(_count: int) -> None:
    """A body that is in memory already, and small: the index looks at the quotas when it is put."""
