"""What is stored under which key: the SQLite index of the embedded store, and the moment a put becomes visible.

Used by one thread. A blob's file appears before the row that names it and goes after the last such row is gone; both
happen on this thread, so no row ever names a file that is not there. A crash in between leaves a file without a row,
which `sweep` finds at the next start.
"""

from __future__ import annotations

import base64
import os
import secrets
import time
from binascii import Error as Base64Error
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import apsw
import msgspec

from v8box.bindings.interface import BindingError
from v8box.bindings.s3.interface import BucketId, Listing, ListOptions, ObjectInfo, PutOptions

_QUERIES: Final = {
    name.strip(): sql.strip()
    for name, _, sql in (
        part.partition("\n") for part in Path(__file__).with_name("index.sql").read_text().split("-- name:")[1:]
    )
}


class Index:
    """Opens (and creates) the index `directory/index.db` over the blobs in `directory/blobs`."""

    def __init__(self, directory: Path) -> None:
        self._blobs = directory / "blobs"
        self._blobs.mkdir(parents=True, exist_ok=True)
        self._connection = apsw.Connection(str(directory / "index.db"))
        # FULL: an answered put outlives a power cut, like its blob's file, which is synced too.
        self._connection.execute("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL")
        self._connection.set_busy_timeout(5_000)
        self._connection.execute(_QUERIES["schema"])

    def close(self) -> None:
        self._connection.close()

    def blob(self, content: str) -> Path:
        return self._blobs / content[:2] / content[2:4] / content

    def find(self, bucket: BucketId, key: str) -> tuple[ObjectInfo, str] | None:
        """The object and the name of its blob."""
        row = self._one("find", bucket.project, bucket.name, key.encode())
        return None if row is None else (_info(key, row), row[1])

    def put(
        self, bucket: BucketId, key: str, options: PutOptions, upload: Path, content: str, etag: str, size: int
    ) -> ObjectInfo | None:
        """Takes the finished (and synced) upload in. Whatever comes of it, the upload's file is gone afterwards."""
        try:
            with self._connection:
                found = self.find(bucket, key)
                if options.only_if is not None and not options.only_if.holds(found[0] if found else None):
                    return None
                self._place(upload, content)
                info = self._save(bucket, key, content, size, etag, options.http, options.custom)
        finally:
            upload.unlink(missing_ok=True)
        if found is not None:
            self._drop_unused(found[1])
        return info

    def copy(self, bucket: BucketId, source: str, target: str) -> ObjectInfo:
        with self._connection:
            found = self.find(bucket, source)
            if found is None:
                raise BindingError("no_such_key", "there is no object under the key to copy from")
            info, content = found
            replaced = self.find(bucket, target)
            copied = self._save(bucket, target, content, info.size, info.etag, info.http, info.custom)
        if replaced is not None:
            self._drop_unused(replaced[1])
        return copied

    def delete(self, bucket: BucketId, keys: list[str]) -> None:
        gone: set[str] = set()
        with self._connection:
            for key in keys:
                row = self._one("delete", bucket.project, bucket.name, key.encode())
                if row is not None:
                    gone.add(row[0])
        for content in gone:
            self._drop_unused(content)

    def list_page(self, bucket: BucketId, options: ListOptions) -> Listing:
        prefix, delimiter = options.prefix.encode(), options.delimiter.encode()
        position = max(prefix, options.start_after.encode() + b"\0" if options.start_after else b"")
        if options.cursor:
            position = max(position, _read_cursor(options.cursor))
        objects: list[ObjectInfo] = []
        prefixes: list[str] = []
        while True:
            jump: bytes | None = None
            for key, *row in self._connection.execute(_QUERIES["list"], (bucket.project, bucket.name, position)):
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
                objects.append(_info(key.decode(), row))
                position = key + b"\0"
            if jump is None:
                return Listing(objects, prefixes, None)
            position = jump

    def sweep(self) -> Iterator[int]:
        """Removes files that no row names, one folder a step, so that others get their turn. Yields how many went."""
        for first in sorted(self._blobs.iterdir()):
            for second in sorted(first.iterdir()):
                removed = 0
                for file in list(second.iterdir()):
                    removed += self._drop_unused(file.name)
                yield removed

    def _save(
        self,
        bucket: BucketId,
        key: str,
        content: str,
        size: int,
        etag: str,
        http: dict[str, str],
        custom: dict[str, str],
    ) -> ObjectInfo:
        info = ObjectInfo(
            key=key,
            version=secrets.token_hex(16),
            size=size,
            etag=etag,
            uploaded=time.time_ns() // 1_000_000,
            http=http,
            custom=custom,
        )
        http_json, custom_json = (msgspec.json.encode(fields).decode() for fields in (http, custom))
        where = (bucket.project, bucket.name, key.encode())
        row = (info.version, content, size, etag, info.uploaded, http_json, custom_json)
        self._connection.execute(_QUERIES["save"], (*where, *row))
        return info

    def _place(self, upload: Path, content: str) -> None:
        target = self.blob(content)
        if target.exists():
            return  # the same content under another key
        folder = target.parent
        if not folder.is_dir():
            folder.mkdir(parents=True, exist_ok=True)
            sync_directory(folder.parent)
            sync_directory(self._blobs)
        upload.rename(target)
        sync_directory(folder)

    def _drop_unused(self, content: str) -> bool:
        row = self._one("is_used", content)
        if row is not None and row[0]:
            return False
        self.blob(content).unlink(missing_ok=True)
        return True

    def _one(self, query: str, *values: apsw.SQLiteValue) -> Any:
        rows = self._connection.execute(_QUERIES[query], values).fetchall()
        return rows[0] if rows else None


def sync_directory(path: Path) -> None:
    """Makes a rename or a new file in a directory outlive a power cut."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _info(key: str, row: Any) -> ObjectInfo:
    version, _content, size, etag, uploaded, http, custom = row
    decode = msgspec.json.decode
    return ObjectInfo(
        key=key, version=version, size=size, etag=etag, uploaded=uploaded, http=decode(http), custom=decode(custom)
    )


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
