"""What is stored under which key: the embedded store's SQLite index, its schema, and all that only reads it.

Changes are in `changes.py` (objects, buckets) and `uploads.py` (multipart); each class takes a connection of its own.
"""

from __future__ import annotations

import base64
from binascii import Error as Base64Error
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import apsw
import msgspec

from v8box.bindings.interface import BindingError
from v8box.bindings.s3.interface import (
    BucketId,
    BucketInfo,
    Listing,
    ListOptions,
    ObjectInfo,
    ObjectLimits,
    PartInfo,
    UploadInfo,
    no_such_bucket,
)
from v8box.bindings.s3.room import Room
from v8box.storage import load_migrations, load_queries

QUERIES: Final = load_queries("v8box.bindings.s3", "index.sql")
MIGRATIONS: Final = load_migrations("v8box.bindings.s3")
ASSEMBLY: Final = "m-"  # what a content's name begins with when it is a list of pieces; no hash does
_CHECKPOINT_PAGES: Final = 4_000  # 16 MB: with small contents in the index, SQLite's 4 MB would be a sync too often
_WAL_BYTES: Final = 64 * 1024 * 1024


def connect(path: Path, *, default_bucket: str | None = None) -> apsw.Connection:
    """Opens the index. With `default_bucket`, creates it or brings it to the newest schema, in one transaction."""
    connection = apsw.Connection(str(path))
    connection.set_busy_timeout(5_000)
    # FULL: an answered put outlives a power cut, like its content's file, which is synced too.
    connection.execute("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL")
    connection.execute(f"PRAGMA wal_autocheckpoint={_CHECKPOINT_PAGES}; PRAGMA journal_size_limit={_WAL_BYTES}")
    if default_bucket is not None:
        _migrate(connection, default_bucket)
    return connection


def _migrate(connection: apsw.Connection, default_bucket: str) -> None:
    with connection:
        version = connection.execute("PRAGMA user_version").get
        if version > len(MIGRATIONS):
            raise BindingError("newer_index", "a newer V8Box wrote the objects' index: run that one, or a newer one")
        for migration in MIGRATIONS[version:]:
            connection.execute(migration.sql, {"default_bucket": default_bucket})
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a content: `skip` bytes into it, `length` bytes. `inline` are the content's own bytes, if the index
    has them; a content without is a file."""

    content: str
    skip: int
    length: int
    inline: bytes | None = None


class Queries:
    """The queries of `index.sql` on one connection."""

    def __init__(self, connection: apsw.Connection) -> None:
        self.connection = connection

    def all(self, query: str, *values: apsw.SQLiteValue) -> list[Any]:
        return self.connection.execute(QUERIES[query], values).fetchall()

    def one(self, query: str, *values: apsw.SQLiteValue) -> Any:
        """The first row, None without."""
        rows = self.all(query, *values)
        return rows[0] if rows else None


class Index(Queries):
    """Reads. `default_bucket` is there for every project, with or without a row."""

    def __init__(self, connection: apsw.Connection, default_bucket: str, limits: ObjectLimits) -> None:
        super().__init__(connection)
        self._default_bucket = default_bucket
        self._limits = limits

    def check(self) -> None:
        self.connection.execute("SELECT 1 FROM objects LIMIT 1").fetchall()

    def require(self, bucket: BucketId) -> None:
        """Raises `no_such_bucket`."""
        if bucket.name != self._default_bucket and self.one("bucket", bucket.project, bucket.name) is None:
            raise no_such_bucket(bucket)

    def find(self, bucket: BucketId, key: str) -> tuple[ObjectInfo, str] | None:
        """The object and the name of its content."""
        row = self.one("find", bucket.project, bucket.name, key.encode())
        if row is None:
            self.require(bucket)
            return None
        return read_object(key, row), row[1]

    def find_with_bytes(self, bucket: BucketId, key: str) -> tuple[ObjectInfo, str, bytes | None] | None:
        """The same, and the content itself where the index has it."""
        row = self.one("find_with_bytes", bucket.project, bucket.name, key.encode())
        if row is None:
            self.require(bucket)
            return None
        return read_object(key, row[:7]), row[1], row[7]

    def pieces(self, assembly: str, offset: int, length: int) -> list[Piece]:
        """What a range of an assembly consists of, in order."""
        end = offset + length
        pieces = []
        for content, place, size, inline in self.all("pieces_within", assembly, offset, end):
            first, last = max(offset, place), min(end, place + size)
            pieces.append(Piece(content, first - place, last - first, inline))
        return pieces

    def list_page(self, bucket: BucketId, options: ListOptions) -> Listing:
        self.require(bucket)
        if options.limit <= 0:
            return Listing([], [], None)
        prefix, delimiter = options.prefix.encode(), options.delimiter.encode()
        position = max(prefix, options.start_after.encode() + b"\0" if options.start_after else b"")
        if options.cursor:
            position = max(position, _read_cursor(options.cursor))
        objects: list[ObjectInfo] = []
        prefixes: list[str] = []
        while True:
            jump: bytes | None = None
            for key, *row in self.connection.execute(QUERIES["list"], (bucket.project, bucket.name, position)):
                if not key.startswith(prefix):
                    return Listing(objects, prefixes, None)
                if len(objects) + len(prefixes) == options.limit:
                    return Listing(objects, prefixes, _write_cursor(position))
                end = key.find(delimiter, len(prefix)) if delimiter else -1
                if end >= 0:
                    common = key[: end + len(delimiter)]
                    prefixes.append(common.decode())
                    jump = _after_all_with(common)
                    break
                objects.append(read_object(key.decode(), row))
                position = key + b"\0"
            if jump is None:
                return Listing(objects, prefixes, None)
            position = jump

    def room(self, bucket: BucketId) -> Room:
        quota, used, project_used, objects = self.one("usage", bucket.project, bucket.name)
        return Room(
            bucket=bucket,
            bucket_quota=quota,
            bucket_used=used or 0,
            project_quota=self._limits.bytes_in(bucket.project),
            project_used=project_used or 0,
            object_quota=self._limits.project_objects,
            objects=objects or 0,
        )

    def room_for(self, bucket: BucketId, key: str) -> tuple[Room, int]:
        """How much room there is, and how many bytes an object at the key has now."""
        found = self.find(bucket, key)
        return self.room(bucket), found[0].size if found else 0

    def buckets(self, project: str) -> list[BucketInfo]:
        return [_read_bucket(row) for row in self.all("buckets", project)]

    def upload_metadata(self, bucket: BucketId, key: str, upload: str) -> tuple[dict[str, str], dict[str, str]]:
        """Its HTTP and its custom metadata. Raises `no_such_upload`."""
        row = self.one("upload", upload, bucket.project, bucket.name, key.encode())
        if row is None:
            self.require(bucket)
            raise BindingError("no_such_upload", "there is no such upload of that key: it was completed or aborted")
        return msgspec.json.decode(row[0]), msgspec.json.decode(row[1])

    def parts(self, bucket: BucketId, key: str, upload: str) -> list[PartInfo]:
        self.upload_metadata(bucket, key, upload)
        return [
            PartInfo(number=number, etag=etag, size=size, uploaded=uploaded)
            for number, etag, size, uploaded in self.all("parts", upload)
        ]

    def uploads(self, bucket: BucketId, prefix: str) -> list[UploadInfo]:
        self.require(bucket)
        first = prefix.encode()
        found = []
        for key, upload, started in self.connection.execute(QUERIES["uploads"], (bucket.project, bucket.name, first)):
            if not key.startswith(first):
                break
            found.append(UploadInfo(key=key.decode(), id=upload, started=started))
        return found


def read_object(key: str, row: Sequence[Any]) -> ObjectInfo:
    version, _content, size, etag, uploaded, http, custom = row
    decode = msgspec.json.decode
    return ObjectInfo(
        key=key, version=version, size=size, etag=etag, uploaded=uploaded, http=decode(http), custom=decode(custom)
    )


def _read_bucket(row: Sequence[Any]) -> BucketInfo:
    name, created, objects, size, quota = row
    return BucketInfo(name=name, created=created, objects=objects, size=size, quota=quota)


def _after_all_with(prefix: bytes) -> bytes:
    """The least key after all that begin with `prefix`. UTF-8 has no byte 255, so the last one can be counted up."""
    return prefix[:-1] + bytes([prefix[-1] + 1])


def _write_cursor(position: bytes) -> str:
    return base64.urlsafe_b64encode(position).decode()


def _read_cursor(cursor: str) -> bytes:
    try:
        return base64.b64decode(cursor, b"-_", validate=True)
    except (ValueError, Base64Error) as error:
        raise BindingError("invalid_argument", "the cursor is none that a list answered") from error
