"""A real worker that leaks is found out and explained; one that makes as much garbage is not."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from tests.e2e.box import RunningBox

LEAKS = """const kept: string[][] = [];
export default { fetch(): Response {
  kept.push(Array.from({ length: 200 }, (_, i) => `${kept.length}-${i}`));
  return new Response("ok");
} };
"""
SOUND = """export default { fetch(): Response {
  const made = Array.from({ length: 200 }, (_, i) => `${Math.random()}-${i}`);
  return new Response(made[0]);
} };
"""


MOST_SECONDS = 300.0


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBox]:
    directory = tmp_path_factory.mktemp("leaks")
    (directory / "functions").mkdir()
    (directory / "functions" / "leaks.ts").write_text(LEAKS)
    (directory / "functions" / "sound.ts").write_text(SOUND)
    (directory / "v8box.toml").write_text("[workers.leaks.limits]\nmemory_mb = 64\nmax_instances = 1\n")
    running = RunningBox(directory)
    try:
        yield running.wait_ready()
    finally:
        running.stop()


def processes(box: RunningBox, worker: str) -> list[Any]:
    return list(box.admin.get(f"/api/v1/projects/default/workers/{worker}/memory").json()["items"])


def test_a_leak_is_found_and_told(box: RunningBox) -> None:
    found: list[Any] = []

    def leaks() -> bool:
        for _ in range(50):
            assert box.run("leaks").status_code == 200
            assert box.run("sound").status_code == 200
        found[:] = [each for each in processes(box, "leaks") if each["finding"] is not None]
        return bool(found)

    deadline = time.monotonic() + MOST_SECONDS
    while not leaks():  # it takes five collections, and thousands of requests between them
        assert time.monotonic() < deadline, "it never leaked"
    [process] = found
    assert 1 < process["leak_mb_per_1000_requests"] < 100
    assert "v8box heap" in process["finding"]
    lines = "/api/v1/projects/default/workers/leaks/logs"
    wanted = {"kind": "line", "text": "leaks about"}
    box.until(lambda: bool(box.admin.get(lines, params=wanted).json()["items"]))
    assert box.admin.get(lines, params=wanted).json()["items"][0]["level"] == "warn"
    assert [each["finding"] for each in processes(box, "sound")] == [None]


def test_a_heap_snapshot_of_the_live_process_shows_what_is_kept(box: RunningBox) -> None:
    for _ in range(20):
        assert box.run("leaks").status_code == 200
    before = processes(box, "leaks")
    asked = box.admin.post("/api/v1/projects/default/workers/leaks/heap-snapshot", json={})
    assert asked.status_code == 202, asked.text
    operation = asked.json()
    while operation["state"] == "running":
        operation = box.admin.get(f"/api/v1/operations/{operation['id']}", params={"wait": 30}).json()
    assert operation["state"] == "succeeded", operation
    capture = operation["result"]
    assert capture["kind"] == "heapsnapshot"
    snapshot = box.admin.get(f"/api/v1{capture['file']}").json()
    meta = snapshot["snapshot"]["meta"]
    assert snapshot["snapshot"]["node_count"] * len(meta["node_fields"]) == len(snapshot["nodes"])
    assert snapshot["snapshot"]["edge_count"] * len(meta["edge_fields"]) == len(snapshot["edges"])
    assert "kept" in snapshot["strings"]
    arrays = max(node for node in snapshot["nodes"][3 :: len(meta["node_fields"])])
    assert arrays > 100  # the sizes of nodes: something is kept
    box.until(lambda: all(each["age_seconds"] < before[0]["age_seconds"] for each in processes(box, "leaks")))
    assert box.run("leaks").status_code == 200
    kills = box.admin.get("/api/v1/projects/default/kills", params={"worker": "leaks"}).json()["items"]
    assert kills == []


def test_a_worker_that_sleeps_has_no_heap(box: RunningBox) -> None:
    wrong = box.admin.post("/api/v1/projects/default/workers/nobody/heap-snapshot", json={})
    assert wrong.status_code == 404
    assert box.admin.post("/api/v1/projects/default/workers/leaks/heap-snapshot", json={"x": 1}).status_code in (
        400,
        422,
    )
