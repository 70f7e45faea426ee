"""The slow log over its API: what is put together, what is worst, that it stays bounded and survives a start."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fakes.principals import any_project, signed_in

from v8box.api.app import build_api
from v8box.features.slow import log as module
from v8box.features.slow.log import SlowLog
from v8box.features.slow.patterns import MAX_PATTERN, pattern_of
from v8box.features.slow.routes import build_router
from v8box.storage import Database, DatabaseError
from v8box.telemetry.feed import Feed
from v8box.telemetry.findings import N_PLUS_ONE, SLOW
from v8box.telemetry.meter import Span
from v8box.telemetry.records import Finding, RunRecord

QUERY = "SELECT ? FROM users"
DAY = 86_400.0


class Box:
    def __init__(self, database: Database) -> None:
        self.database = database
        self.now = 20_000 * DAY
        self.feed = Feed()
        self._number = 0
        self.log: SlowLog
        self.client: httpx.AsyncClient

    async def start(self) -> None:
        self.log = await SlowLog.open(self.database, clock=lambda: self.now)
        self.log.listen(self.feed)
        app = build_api([build_router(self.log)], project_exists=any_project)
        transport = httpx.ASGITransport(signed_in(app))
        self.client = httpx.AsyncClient(transport=transport, base_url="http://box/api/v1/projects/")

    def runs(self, path: str = "/a", duration: float = 2_000.0, calls: int = 0, **more: Any) -> None:
        self._number += 1
        findings = [] if duration < 1_000 else [Finding(SLOW, "took long", duration=duration)]
        if calls:
            findings.append(Finding(N_PLUS_ONE, "again and again", "db", "execute", QUERY, calls, 100.0))
        values: dict[str, Any] = {"worker": "hello", "method": "GET", "findings": findings, **more}
        record = RunRecord(
            f"r{self._number}", "r", self.now, values.pop("worker"), "v1", "http", values.pop("method"), path, 200,
            "ok", duration, 0.0, 1.0, 0, "", **values,
        )  # fmt: skip
        self.feed.run(record)

    async def list(self, **wanted: Any) -> list[Any]:
        answer = await self.client.get("default/slow", params={"days": 14, **wanted})
        assert answer.status_code == 200, answer.text
        return list(answer.json()["items"])


@pytest.fixture
async def box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Box]:
    database = await Database.open(tmp_path / "catalog.db")
    made = Box(database)
    monkeypatch.setattr("v8box.features.slow.routes.time.time", lambda: made.now)
    await made.start()
    yield made
    await made.client.aclose()
    await made.log.close()
    await database.close()


@pytest.mark.parametrize("wanted", [{"days": 0}, {"days": 15}, {"days": "x"}, {"limit": 0}, {"cursor": "rubbish"}])
async def test_what_makes_no_sense_is_refused(box: Box, wanted: dict[str, Any]) -> None:
    assert (await box.client.get("default/slow", params=wanted)).status_code in (400, 422)


async def test_quick_runs_are_not_in_it(box: Box) -> None:
    box.runs(duration=10.0)
    assert await box.list() == []


async def test_runs_at_addresses_that_differ_in_ids_are_counted_together(box: Box) -> None:
    for number in range(95):
        box.runs(f"/users/{number}/posts", 1_000.0)
    for number in range(5):
        box.runs(f"/users/{number}/posts", 5_000.0 + number, spans=[Span("db", "execute", 0.0, 4_000.0)])
    box.runs("/other", method="POST")
    first, second = await box.list()
    assert (first["method"], first["pattern"], first["runs"], first["slow"]) == ("GET", "/users/:id/posts", 100, 100)
    assert (second["method"], second["pattern"]) == ("POST", "/other")
    assert first["p50_ms"] == pytest.approx(1_000, rel=0.1)
    assert first["p95_ms"] == pytest.approx(1_000, rel=0.1)
    assert first["worst"]["path"] == "/users/4/posts"
    assert first["worst"]["duration_ms"] == 5_004
    assert first["worst"]["split"] == {"queue": 0, "cold": 0, "db": 4_000, "code": 1_004}
    assert first["split"]["db"] == 20_000
    assert first["total_ms"] == pytest.approx(95_000 + 25_010)


async def test_a_call_made_again_and_again_is_named_though_the_run_was_quick(box: Box) -> None:
    box.runs(duration=50.0, calls=57)
    box.runs(duration=50.0, calls=43)
    [found] = await box.list()
    assert (found["runs"], found["slow"]) == (2, 0)
    [repeated] = found["repeated"]
    assert (repeated["binding"], repeated["what"], repeated["runs"], repeated["calls"]) == ("db", QUERY, 2, 100)
    assert repeated["duration_ms"] == 200
    assert found["worst"]["findings"][0]["kind"] == "n_plus_one"


async def test_it_is_narrowed_and_comes_in_pages(box: Box) -> None:
    box.runs("/a", worker="one")
    box.runs("/b", worker="two", environment="staging", duration=3_000.0)
    box.runs("/c", project="acme")
    assert [each["pattern"] for each in await box.list(worker="one")] == ["/a"]
    assert [each["pattern"] for each in await box.list(environment="staging")] == ["/b"]
    first = (await box.client.get("default/slow", params={"limit": 1, "days": 14})).json()
    rest = (
        await box.client.get("default/slow", params={"limit": 1, "days": 14, "cursor": first["next_cursor"]})
    ).json()
    assert [each["pattern"] for each in (*first["items"], *rest["items"])] == ["/b", "/a"]
    assert rest["next_cursor"] is None


async def test_days_add_up_and_old_ones_go(box: Box) -> None:
    box.runs(duration=2_000.0)
    await box.list()
    box.now += DAY
    box.runs(duration=9_000.0)
    [found] = await box.list()
    assert (found["runs"], found["worst"]["duration_ms"]) == (2, 9_000)
    [today] = await box.list(days=1)
    assert today["runs"] == 1
    box.now += module.KEPT_DAYS * DAY
    box.runs("/new")
    assert [each["pattern"] for each in await box.list()] == ["/new"]
    rows = await box.database.read(lambda sql: sql.row("select count(*) from slow"))
    assert rows == (2,)


async def test_it_goes_on_after_a_start(box: Box) -> None:
    box.runs()
    await box.log.close()
    await box.client.aclose()
    box.feed = Feed()
    await box.start()
    box.runs()
    [found] = await box.list()
    assert found["runs"] == 2


async def test_ever_new_addresses_are_counted_as_others(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_GROUPS", 5)
    for number in range(50):
        box.runs(f"/{'x' * number}")
    found = await box.list()
    assert len(found) == 6
    assert next(each["runs"] for each in found if each["pattern"] == "…") == 45


async def test_a_project_with_ever_new_addresses_leaves_room_for_others(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_OF_PROJECT", 3)
    for number in range(50):
        box.runs(f"/{'x' * number}", project="acme")
    box.runs("/mine")
    assert [each["pattern"] for each in await box.list()] == ["/mine"]
    theirs = (await box.client.get("acme/slow")).json()["items"]
    assert (len(theirs), sum(each["runs"] for each in theirs)) == (4, 50)


async def test_what_comes_faster_than_it_is_counted_is_left_out(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MAX_HELD", 10)
    for _ in range(15):
        box.runs()
    assert box.log.left_out == 5
    [found] = await box.list()
    assert found["runs"] == 10


async def test_a_full_disk_loses_nothing_that_can_still_be_kept(
    box: Box, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def full(_: object) -> None:
        raise DatabaseError("the disk is full")

    box.runs()
    with monkeypatch.context() as patch:
        patch.setattr(box.database, "write", full)
        await box.list()
        box.now += DAY
        box.runs()
        await box.list()
    assert "the disk is full" in caplog.text
    [found] = await box.list()
    assert found["runs"] == 2


async def test_a_project_takes_its_figures_with_it(box: Box) -> None:
    box.runs()
    box.runs(project="acme")
    await box.list()
    await box.log.forget_project("default")
    assert await box.list() == []
    assert len((await box.client.get("acme/slow")).json()["items"]) == 1


@pytest.mark.parametrize(
    ("path", "pattern"),
    [
        ("/", "/"),
        ("", ""),
        ("/users/17/posts", "/users/:id/posts"),
        ("/users/550e8400-e29b-41d4-a716-446655440000", "/users/:id"),
        ("/v1/commits/deadbeef01/raw", "/v1/commits/:id/raw"),
        ("/users/ada@example.com", "/users/:id"),
        ("/reports/monthly", "/reports/monthly"),
        ("/feedface", "/feedface"),
        ("/" + "/".join("abcdefghijklmnop"), "/a/b/c/d/e/f/g/h/i/j/k/…"),
    ],
)
def test_ids_in_paths_are_left_out(path: str, pattern: str) -> None:
    assert pattern_of(path) == pattern


@given(st.text())
def test_no_path_makes_a_long_pattern(path: str) -> None:
    assert len(pattern_of(path)) <= MAX_PATTERN
