"""The response cache in a real box: hits, one run for many, stale answers of a worker that is killed, purging, deploys,
the disk, and a box that dies."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from tests.e2e.box import RunningBox

WORKERS = Path(__file__).parent / "workers_response_cache"


@pytest.fixture(scope="module")
def caching(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBox]:
    directory = tmp_path_factory.mktemp("response_cache")
    shutil.copytree(WORKERS, directory, dirs_exist_ok=True)
    running = RunningBox(directory, {"V8BOX_CACHE_RAM_MB": "1", "V8BOX_CACHE_ENTRY_MB": "1"})
    try:
        yield running.wait_ready()
    finally:
        running.stop()


def said(answer: httpx.Response) -> str:
    return answer.headers["cache-status"]


def test_a_hit_a_condition_and_a_range(caching: RunningBox) -> None:
    first = caching.run("kept/a")
    second = caching.run("kept/a")
    assert (said(first), first.text) == ("v8box; fwd=miss; stored", second.text)
    assert said(second).startswith("v8box; hit; ttl=")
    assert "cache-tag" not in second.headers
    assert caching.run("kept/a", headers={"if-none-match": '"1"'}).status_code == 304
    part = caching.run("kept/a", headers={"range": "bytes=0-1"})
    assert (part.status_code, part.text) == (206, first.text[:2])
    head = caching.run("kept/a", "HEAD")
    assert (head.content, head.headers["content-length"]) == (b"", str(len(first.content)))


def test_nothing_is_kept_of_others(caching: RunningBox) -> None:
    first, second = (caching.run("plain") for _ in range(2))
    assert first.text != second.text
    assert "cache-status" not in second.headers


def test_one_run_for_many(caching: RunningBox) -> None:
    with ThreadPoolExecutor(32) as pool:
        answers = list(pool.map(lambda _: caching.run("kept/slow", params={"wait": 700}), range(32)))
    assert len({answer.text for answer in answers}) == 1
    assert sum("stored" in said(answer) for answer in answers) == 1


def test_a_killed_worker_is_hidden_by_what_is_stale(caching: RunningBox) -> None:
    params = {"control": "max-age=0, stale-if-error=600"}
    first = caching.run("kept/fallible", params=params)
    again = caching.run("kept/fallible", params=params, headers={"x-burn": "1"})
    assert (again.status_code, again.text) == (200, first.text)
    assert "fwd=stale; ttl=" in said(again)
    assert said(again).endswith("detail=stale-if-error")
    other = caching.run("kept/other", params=params, headers={"x-burn": "1"})
    assert (other.status_code, other.headers["x-v8box-termination"], said(other)) == (503, "cpu", "v8box; fwd=miss")


def test_purging(caching: RunningBox) -> None:
    kept = {path: caching.run(f"kept/{path}").text for path in ("p1", "p2")}
    url = "/api/v1/projects/default/cache/purge"
    assert caching.client.post(url, json={"tags": ["p1"]}).status_code in (401, 403)
    assert caching.admin.post(url, json={"tags": ["p1"]}).json() == {"purged": True}
    assert caching.run("kept/p1").text != kept["p1"]
    assert caching.run("kept/p2").text == kept["p2"]
    assert caching.admin.post(url, json={"worker": "kept"}).status_code == 200
    assert caching.run("kept/p2").text != kept["p2"]
    audit = caching.admin.get("/api/v1/audit", params={"limit": 2}).json()["items"]
    assert [entry["action"] for entry in audit] == ["cache.purge", "cache.purge"]
    items = caching.admin.get("/api/v1/projects/default/cache").json()["items"]
    (use,) = (item for item in items if item["name"] == "kept")
    assert use["hit"] >= 1
    assert use["entries"] >= 1


def test_a_deploy_purges(caching: RunningBox) -> None:
    old = caching.run("kept/deployed").text
    assert caching.run("kept/deployed").text == old
    source = caching.directory / "functions" / "kept.ts"
    mark = caching.mark()
    source.write_text(source.read_text() + "// changed\n")
    caching.wait_line("kept is live", mark)
    assert caching.run("kept/deployed").text != old


def test_what_memory_has_no_room_for_comes_from_disk(caching: RunningBox) -> None:
    for number in range(12):
        caching.run("kept/big", params={"size": 200_000, "n": number})
    answers = [caching.run("kept/big", params={"size": 200_000, "n": number}) for number in range(12)]
    assert {len(answer.content) for answer in answers} == {200_000}
    assert sum("hit" in said(answer) for answer in answers) >= 10
    folder = caching.directory / "data" / "cache" / "responses"
    files = [file for file in folder.rglob("*") if file.is_file()]
    assert files
    assert all(file.stat().st_mode & 0o077 == 0 for file in files), "nobody else's to read"
    for file in files:
        file.write_bytes(b"harmed")
    again = [caching.run("kept/big", params={"size": 200_000, "n": number}) for number in range(12)]
    assert {len(answer.content) for answer in again} == {200_000}


def test_a_box_that_dies_starts_with_nothing_kept(tmp_path: Path) -> None:
    shutil.copytree(WORKERS, tmp_path / "box")
    folder = tmp_path / "box" / "data" / "cache" / "responses"
    environ = {"V8BOX_CACHE_RAM_MB": "1", "V8BOX_CACHE_ENTRY_MB": "1"}
    running = RunningBox(tmp_path / "box", environ).wait_ready()
    for number in range(12):
        running.run("kept/big", params={"size": 200_000, "n": number})
    before = running.run("kept/a").text
    running.process.send_signal(signal.SIGKILL)
    running.process.wait()
    running.stop()
    again = RunningBox(tmp_path / "box", environ).wait_ready()
    try:
        assert [file for file in folder.rglob("*") if file.is_file()] == []
        after = again.run("kept/a")
        assert (said(after), after.text == before) == ("v8box; fwd=miss; stored", False)
    finally:
        again.stop()
