"""A database of before there were environments: what was live is live, and nothing of its history is lost."""

from __future__ import annotations

import hashlib
from pathlib import Path

from tests.catalog.conftest import ADA, MANIFEST, build, kept_in

from v8box.catalog import Catalog, Change
from v8box.catalog.stored import encode, plain_manifest
from v8box.storage import Database, FolderBlobs, Transaction, load_migrations

VERSION = "insert into versions values (?, ?, ?, ?, ?, null, ?, null, ?)"


async def test_a_database_of_before_goes_over(tmp_path: Path) -> None:
    blobs = FolderBlobs(tmp_path / "blobs")
    await blobs.open()
    for text in (b"one", b"two", b"other"):
        await blobs.put(text)
    database = await Database.open(tmp_path / "box.db")
    await database.migrate("catalog", load_migrations("v8box.catalog")[:1])

    def fill(sql: Transaction) -> None:
        manifest = encode(plain_manifest(MANIFEST)).decode()
        for project, worker, id_, text, at in (
            ("default", "a", "bbbb", b"two", "2026-02-01T00:00:00+00:00"),
            ("default", "a", "aaaa", b"one", "2026-01-01T00:00:00+00:00"),
            ("default", "b", "cccc", b"other", "2026-01-01T00:00:00+00:00"),
        ):
            digest = hashlib.sha256(text).hexdigest()
            sql.execute(VERSION, (project, worker, id_, manifest, digest, encode({"a.ts": digest}).decode(), at))
        sql.execute("insert into deployments values ('default', 'production', 'a', 'bbbb', ?)", ('{"a.ts":"h"}',))
        history = "insert into history (project, environment, worker, change, version, at) values "
        for worker, change, version, at in (
            ("a", "deployed", "aaaa", "2026-01-01T00:00:00+00:00"),
            ("a", "deployed", "bbbb", "2026-02-01T00:00:00+00:00"),
            ("b", "deployed", "cccc", "2026-01-01T00:00:00+00:00"),
            ("b", "removed", "cccc", "2026-01-02T00:00:00+00:00"),
        ):
            sql.execute(history + "('default', 'production', ?, ?, ?, ?)", (worker, change, version, at))
        sql.execute("update generation set value = 4")

    await database.write(fill)
    await database.close()
    async with kept_in(tmp_path) as kept:
        catalog: Catalog = kept.catalog
        assert kept.live() == [("bbbb", 100)]
        assert kept.live("b") == []
        assert catalog.routes.generation == 4
        assert catalog.fingerprint("a") == {"a.ts": "h"}
        infos = await catalog.versions.list("default", "a")
        assert [(each.version.id, each.version.number, each.tags, each.pinned) for each in infos] == [
            ("bbbb", 2, (), False),
            ("aaaa", 1, (), False),
        ]
        deployment = await catalog.deployment("a")
        assert deployment is not None
        assert (deployment.number, deployment.sticky) == (1, "")
        assert [(each.change, each.shares) for each in await catalog.history("b")] == [
            (Change.REMOVED, (("cccc", 100),)),
            (Change.DEPLOYED, (("cccc", 100),)),
        ]
        assert (await catalog.roll_back("a", actor=ADA)).shares == (("aaaa", 100),)
        assert (await catalog.roll_back("b", actor=ADA)).shares == (("cccc", 100),)
        assert (await catalog.deploy("a", build("new"), MANIFEST, actor=ADA)).number == 3
    async with kept_in(tmp_path) as kept:  # and it is done once
        assert [weight for _, weight in kept.live()] == [100]
