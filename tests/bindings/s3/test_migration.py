"""An index written before it had buckets, uploads and small contents is brought up to date, whole or not at all."""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
from pathlib import Path

import pytest
from tests.bindings.s3.test_crash import check_kept

from v8box.bindings.interface import BindingError
from v8box.bindings.s3.embedded import EmbeddedObjects
from v8box.bindings.s3.interface import BucketId, PutOptions

FIRST_INDEX = """
CREATE TABLE objects (
  project TEXT NOT NULL, bucket TEXT NOT NULL, key BLOB NOT NULL, version TEXT NOT NULL, content TEXT NOT NULL,
  size INTEGER NOT NULL, etag TEXT NOT NULL, uploaded INTEGER NOT NULL, http TEXT NOT NULL, custom TEXT NOT NULL,
  PRIMARY KEY (project, bucket, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX objects_content ON objects (content);
"""
CONTENTS = {b"small": b"small", b"large": bytes(range(256)) * 1_000}


def write_first_store(directory: Path) -> None:
    with contextlib.closing(sqlite3.connect(directory / "index.db")) as index, index:
        index.execute("PRAGMA journal_mode=WAL")
        index.executescript(FIRST_INDEX)
        for project in ("default", "two"):
            for key, content in CONTENTS.items():
                name = hashlib.sha256(content).hexdigest()
                path = directory / "blobs" / name[:2] / name[2:4] / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
                etag = hashlib.md5(content).hexdigest()
                row = (project, "default", key, "v", name, len(content), etag, 7, "{}", '{"n":"v"}')
                index.execute("INSERT INTO objects VALUES (?,?,?,?,?,?,?,?,?,?)", row)


async def test_objects_of_the_first_index_are_in_the_default_bucket(tmp_path: Path) -> None:
    write_first_store(tmp_path)
    for _ in range(2):  # and at the next start too
        store = EmbeddedObjects(tmp_path, default_bucket="mine")
        await store.start()
        await store.swept()
        for project in ("default", "two"):
            bucket = BucketId(project, "mine")
            (info,) = await store.buckets(project)
            assert (info.name, info.objects) == ("mine", 2)
            assert info.size == sum(map(len, CONTENTS.values()))
            for key, content in CONTENTS.items():
                found = await store.get(bucket, key.decode())
                assert found is not None
                assert (found.info.uploaded, found.info.custom) == (7, {"n": "v"})
                body = found.body
                assert body is not None
                whole = body if isinstance(body, bytes) else b"".join([chunk async for chunk in body])
                assert whole == content
        await store.stop()
    store = EmbeddedObjects(tmp_path, default_bucket="mine")
    await store.start()
    # A small content is a row from now on, and its file goes with the last object that is of the old kind.
    for project in ("default", "two"):
        await store.delete(BucketId(project, "mine"), ["small", "large"])
    await store.put(BucketId("two", "mine"), "small", CONTENTS[b"small"], PutOptions())
    await store.stop()
    check_kept(tmp_path)


async def test_an_index_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / "index.db")) as index, index:
        index.execute("PRAGMA user_version = 1000")
    store = EmbeddedObjects(tmp_path)
    with pytest.raises(BindingError, match="newer"):
        await store.start()
    await store.stop()
    with contextlib.closing(sqlite3.connect(tmp_path / "index.db")) as index:
        assert index.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
