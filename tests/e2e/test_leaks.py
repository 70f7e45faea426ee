"""A real worker that leaks is found out and explained; one that makes as much garbage is not."""

from __future__ import annotations

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

    box.until(leaks)
    [process] = found
    assert 1 < process["leak_mb_per_1000_requests"] < 100
    assert "v8box heap" in process["finding"]
    lines = "/api/v1/projects/default/workers/leaks/logs"
    wanted = {"kind": "line", "text": "leaks about"}
    box.until(lambda: bool(box.admin.get(lines, params=wanted).json()["items"]))
    assert box.admin.get(lines, params=wanted).json()["items"][0]["level"] == "warn"
    assert [each["finding"] for each in processes(box, "sound")] == [None]
