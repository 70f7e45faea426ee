"""The response cache from outside: purging, what a purge may say, and how requests were answered."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.fakes.principals import signed_in

from v8box.api.app import build_api
from v8box.features.cache_purge.routes import build_router
from v8box.gateway.cache.cache import ResponseCache
from v8box.gateway.cache.entries import Belongs, Owner
from v8box.settings import ResponseCache as CacheSettings
from v8box.storage import Database
from v8box.telemetry import audit

HELLO = Owner("default", "worker", "hello")


class Box:
    def __init__(self, database: Database, folder: Path) -> None:
        self.database = database
        self.cache = ResponseCache(CacheSettings(disk_mb=0), folder)
        app = build_api([build_router(self.cache, partial(audit.record, database))])
        transport = httpx.ASGITransport(signed_in(app))
        self.client = httpx.AsyncClient(transport=transport, base_url="http://box/api/v1/projects/")

    async def purge(self, body: Any, project: str = "default") -> httpx.Response:
        return await self.client.post(f"{project}/cache/purge", json=body)

    def is_purged(self, owner: Owner = HELLO, path: str = "/a/1", tags: tuple[str, ...] = ("t",)) -> bool:
        return self.cache.purges.concerns(Belongs(owner, "g", path, tags), 1)

    async def entries(self) -> list[audit.Entry]:
        rows = await self.database.read(lambda sql: sql.rows("select * from audit order by number"))
        return [audit.read(row) for row in rows]


@pytest.fixture
async def box(tmp_path: Path) -> AsyncIterator[Box]:
    database = await Database.open(tmp_path / "catalog.db")
    await audit.open_audit(database)
    made = Box(database, tmp_path / "responses")
    yield made
    await made.client.aclose()
    await made.cache.stop()
    await database.close()


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "say what"),
        ({"tags": []}, "say what"),
        ({"everything": False}, "say what"),
        ({"everything": True, "tags": ["a"]}, "nothing beside"),
        ({"site": "a", "worker": "b"}, "not both"),
        ({"paths": ["a"]}, "paths"),
        ({"paths": ["/a?b=1"]}, "paths"),
        ({"prefixes": ["https://x/"]}, "prefixes"),
        ({"tags": [""]}, "tags"),
        ({"tags": ["x" * 1025]}, "tags"),
        ({"tags": ["x"] * 501}, "tags"),
        ({"tag": ["x"]}, "tag"),
        ([], ""),
    ],
)
async def test_what_is_refused(box: Box, body: Any, message: str) -> None:
    answer = await box.purge(body)
    assert answer.status_code in (400, 422)
    assert message in answer.text
    assert not box.is_purged()
    assert await box.entries() == []


@pytest.mark.parametrize(
    ("body", "purges"),
    [
        ({"tags": ["t"]}, True),
        ({"tags": [" t "]}, True),
        ({"tags": ["x"]}, False),
        ({"tags": ["x"], "worker": "hello"}, False),
        ({"tags": ["t"], "worker": "hello"}, True),
        ({"tags": ["t"], "worker": "other"}, False),
        ({"tags": ["t"], "site": "hello"}, False),
        ({"paths": ["/a/1"]}, True),
        ({"paths": ["/a"]}, False),
        ({"prefixes": ["/a"]}, True),
        ({"prefixes": ["/b", "/"]}, True),
        ({"worker": "hello"}, True),
        ({"site": "hello"}, False),
        ({"everything": True}, True),
    ],
)
async def test_what_a_purge_purges(box: Box, body: Any, purges: bool) -> None:
    answer = await box.purge(body)
    assert (answer.status_code, answer.json()) == (200, {"purged": True})
    assert box.is_purged() is purges
    assert not box.is_purged(HELLO._replace(project="acme"))
    (entry,) = await box.entries()
    assert (entry.event.action, entry.event.resource, entry.event.project) == (
        "cache.purge",
        "cache/default",
        "default",
    )
    assert set(entry.event.after) == set(body)


async def test_how_requests_were_answered(box: Box) -> None:
    for result in ("hit", "hit", "miss"):
        box.cache.counts.add(HELLO, result)
    box.cache.counts.add(HELLO._replace(project="acme"), "hit")
    (item,) = (await box.client.get("default/cache")).json()["items"]
    assert (item["kind"], item["name"], item["hit"], item["miss"], item["stale"]) == ("worker", "hello", 2, 1, 0)
    assert (item["entries"], item["bytes"]) == (0, 0)
