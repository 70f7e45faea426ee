"""The health of a real box: its pages, the route, `v8box doctor`, and what it answers while it stops."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from tests.e2e.box import RunningBox


def test_a_box_that_serves(box: RunningBox) -> None:
    assert box.client.get("/livez").json() == {"status": "ok"}
    ready = box.client.get("/readyz?verbose")
    assert (ready.status_code, ready.json()["status"]) == (200, "ready")
    assert set(ready.json()["checks"]) == {"phase", "db", "cache", "s3", "workers"}
    health = box.client.get("/health")
    assert (health.status_code, set(health.json()["services"])) == (200, {"db", "cache", "s3"})
    assert set(health.json()) == {"status", "timestamp", "services"}


def test_details_are_for_the_operator(box: RunningBox) -> None:
    assert "checks" not in box.client.get("/health?verbose").json()
    token = (box.directory / "data" / "keys" / "local.token").read_text().strip()
    told = box.client.get("/health?verbose", headers={"authorization": f"Bearer {token}"}).json()
    checks = {each["name"]: each for each in told["checks"]}
    wanted = {"db", "cache", "s3", "workers", "disk", "memory", "cpu", "clock", "backlog", "backup", "cache memory"}
    assert wanted | {"confinement"} == set(checks)
    assert "MB used" in checks["cache memory"]["value"]
    assert checks["backlog"]["value"].startswith("run log: ")


def test_the_doctor_asks_the_box_that_runs(box: RunningBox) -> None:
    command = [str(Path(sys.executable).parent / "v8box"), "doctor", str(box.directory)]
    run = subprocess.run(command, capture_output=True, text=True, env={"COLUMNS": "200", "PATH": "/usr/bin:/bin"})
    for name in ("box: db", "box: disk", "box: workers", "box: cache memory"):
        assert f"│ {name} " in run.stdout, run.stdout + run.stderr


def test_a_box_with_little_room_alerts_and_one_that_stops_says_so_before_it_refuses(tmp_path: Path) -> None:
    box = RunningBox(tmp_path / "box", {"V8BOX_UNREADY_SECONDS": "600", "V8BOX_DISK_WARN_MB": "1073741823"})
    try:
        box.wait_ready()
        assert box.client.get("/readyz").status_code == 200
        _is_alerted_of_the_disk(box)
        box.process.send_signal(signal.SIGTERM)
        box.wait_line("waiting 600 s")
        ready = box.client.get("/readyz")
        assert (ready.status_code, ready.json()) == (503, {"status": "draining"})
        assert box.client.get("/run/hello").status_code == 200
        box.process.send_signal(signal.SIGTERM)
        assert box.process.wait(60) == 130
    finally:
        box.stop()


def _is_alerted_of_the_disk(box: RunningBox) -> None:
    rule = {"name": "disk", "kind": "health", "status": "warn", "checks": ["disk"]}
    box.admin.post("/api/v1/box/notifications/rules", json=rule).raise_for_status()
    found: list[dict[str, str]] = []

    def alerted() -> bool:
        found[:] = box.admin.get("/api/v1/box/notifications/alerts").raise_for_status().json()["items"]
        return bool(found)

    box.until(alerted)
    assert "free" in found[0]["text"] + found[0]["title"]
    assert found[0]["advice"].startswith("make room")
